"""Clusters that are joined one by one, always the two that are nearest in variance."""

from __future__ import annotations

import numpy as np

from neurosim.registry import NoOptions
from neurosim.responses.clusterings import Clustering


def hierarchical(patterns: np.ndarray, n_clusters: int, _rng: int, _options: NoOptions) -> np.ndarray:
    """Return the clusters of scikit-learn, joined as Ward does."""
    from sklearn.cluster import AgglomerativeClustering

    return np.asarray(AgglomerativeClustering(n_clusters).fit_predict(patterns))


HIERARCHICAL = Clustering(
    name="hierarchical",
    assign=hierarchical,
    caption="clusters joined so that their variance grows least",
    reference="https://doi.org/10.1080/01621459.1963.10500845",
)
