"""What a statistic of maps is. One a file of the folder ``map_statistics``, and all by name in ``MAP_STATISTICS``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from neurosim.registry import Registry
from neurosim.showing import shown


@shown
@dataclass(frozen=True)
class MapStatistic:
    """One way to weigh every place of a map, whose largest weight under sign flips corrects for all places.

    Parameters
    ----------
    name : what users type.
    weigh : from heights (map, place), the neighbours (2, pair) and the height that forms clusters (place,) to weights
        (map, place). Places count upwards: what is far below 0 is asked with its sign turned.
    neighbours : whether the weight of a place depends on those beside it.
    heights : "t", or "z" of the same tail; z wherever places have scores of unequally many subjects.
    forms_clusters : whether `weigh` takes a height that forms clusters.
    caption : what it weighs, as a method section says it.
    reference : its paper, a DOI.

    Examples
    --------
    >>> ns.similarity.MAP_STATISTICS["max"].weigh(np.eye(2), np.zeros((2, 0), int), np.zeros(2)).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """

    name: str
    weigh: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
    neighbours: bool = True
    heights: str = "t"
    forms_clusters: bool = False
    caption: str = ""
    reference: str = ""


MAP_STATISTICS = Registry("statistic of maps", "neurosim.similarity.map_statistics", MapStatistic)
