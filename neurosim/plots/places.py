"""Points that lie on each other as they are drawn; known without drawing, so that captions can say it."""

from __future__ import annotations

import numpy as np


def same_places(points: np.ndarray) -> list[list[int]]:
    """Return which of some points (n, 2) lie on each other as drawn: within a hundredth of how far all reach.

    >>> same_places(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 0.001]]))
    [[0, 2]]
    """
    reach = 0.01 * float(np.ptp(points, axis=0).max()) if len(points) else 0.0
    near = np.linalg.norm(points[:, None] - points[None], axis=-1) <= reach
    places: dict[int, list[int]] = {}
    for i, row in enumerate(near):
        places.setdefault(next((first for first in places if row[first]), i), []).append(i)
    return [members for members in places.values() if len(members) > 1]
