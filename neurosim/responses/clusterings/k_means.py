"""Clusters about their means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurosim.responses.clusterings import Clustering


@dataclass(frozen=True)
class KMeansOptions:
    """Options of k-means. n_starts : of which the best is kept."""

    n_starts: int = 10


def k_means(patterns: np.ndarray, n_clusters: int, rng: int, options: KMeansOptions) -> np.ndarray:
    """Return the clusters of scikit-learn."""
    from sklearn.cluster import KMeans

    return np.asarray(KMeans(n_clusters, n_init=options.n_starts, random_state=rng).fit_predict(patterns))


K_MEANS = Clustering(
    name="k_means",
    assign=k_means,
    caption="clusters about their means",
    reference="https://doi.org/10.1109/TIT.1982.1056489",
    options=KMeansOptions,
)
