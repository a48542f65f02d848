"""The mass of the cluster that a place belongs to."""

from __future__ import annotations

from neurosim.similarity.kernels.clusters import cluster_masses
from neurosim.similarity.map_statistic import MapStatistic

CLUSTER_MASS = MapStatistic(
    name="cluster_mass",
    weigh=cluster_masses,
    forms_clusters=True,
    caption="every cluster of neighbours above a height is held against the largest mass of a cluster",
    reference="https://doi.org/10.1016/j.jneumeth.2007.03.024",
)
