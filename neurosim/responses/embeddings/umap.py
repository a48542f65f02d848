"""Neighbours stay neighbours: uniform manifold approximation, where umap-learn is installed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurosim.refusals import InputError
from neurosim.responses.embeddings import Embedding, Places


@dataclass(frozen=True)
class UmapOptions:
    """Options of UMAP. n_neighbors : of each stimulus. min_dist : of points in the map."""

    n_neighbors: int = 15
    min_dist: float = 0.1


def umap(patterns: np.ndarray, n_components: int, rng: int, options: UmapOptions) -> Places:
    """Return the map of umap-learn."""
    try:
        from umap import UMAP
    except ImportError as error:
        raise InputError(
            "embed_stimuli: umap-learn is not installed; pip install umap-learn, or take 'tsne'."
        ) from error
    model = UMAP(
        n_components=n_components, random_state=rng, n_neighbors=options.n_neighbors, min_dist=options.min_dist
    )
    return model.fit_transform(patterns), {}


UNIFORM_MANIFOLD = Embedding(
    name="umap",
    place=umap,
    caption="neighbours stay neighbours, and so do groups",
    reference="https://arxiv.org/abs/1802.03426",
    options=UmapOptions,
)
