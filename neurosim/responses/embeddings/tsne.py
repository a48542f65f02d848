"""Neighbours stay neighbours: t-distributed stochastic neighbour embedding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurosim.refusals import InputError
from neurosim.responses.embeddings import Embedding, Places


@dataclass(frozen=True)
class TsneOptions:
    """Options of t-SNE. perplexity : neighbours that count; by default 30, or a third of the stimuli if fewer."""

    perplexity: float | None = None


def tsne(patterns: np.ndarray, n_components: int, rng: int, options: TsneOptions) -> Places:
    """Return the map of scikit-learn, which starts at the principal components."""
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(patterns) - 1) / 3) if options.perplexity is None else options.perplexity
    if not 0 < perplexity < len(patterns):
        raise InputError(f"embed_stimuli: perplexity = {perplexity} of {len(patterns)} stimuli; take fewer.")
    model = TSNE(n_components, random_state=rng, init="pca", perplexity=perplexity)
    return model.fit_transform(patterns), {}


T_SNE = Embedding(
    name="tsne",
    place=tsne,
    caption="neighbours stay neighbours",
    reference="https://www.jmlr.org/papers/v9/vandermaaten08a.html",
    options=TsneOptions,
)
