"""Principal components."""

from __future__ import annotations

import numpy as np

from neurosim.registry import NoOptions
from neurosim.responses.embeddings import Embedding, Places


def pca(patterns: np.ndarray, n_components: int, rng: int, _options: NoOptions) -> Places:
    """Return the components of scikit-learn and the share of variance of each."""
    from sklearn.decomposition import PCA

    model = PCA(n_components, random_state=rng)
    return model.fit_transform(patterns), {"explained_variance": model.explained_variance_ratio_}


PRINCIPAL_COMPONENTS = Embedding(
    name="pca",
    place=pca,
    caption="principal components",
    reference="https://doi.org/10.1080/14786440109462720",
)
