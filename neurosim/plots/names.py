"""Names as they fit into a figure: short, few enough to be read, and a mark for each beside its colour."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.font_manager import FontProperties

from neurosim.plots.canvas import PALETTE

LETTERS, MOST_NAMES = 22, 20
MARKERS = "osD^vP"
LETTER = 0.6  # of the size of a text, how wide a letter is


def shortened(names: Sequence[str], most: int = LETTERS) -> list[str]:
    """Return names of about `most` letters, their middles left out so that no two become the same.

    >>> shortened(["readout", "efficientnet_lite0_block07_expand"], 12)
    ['readout', 'effi…_expand']
    """
    for letters in range(most, max(map(len, names), default=0)):
        head = letters // 3
        cut = {n: n if len(n) <= letters else f"{n[:head]}…{n[head + 1 - letters :]}" for n in names}
        if len(set(cut.values())) == len(cut):
            return [cut[n] for n in names]
    return list(names)


def thinned(n: int, most: int = MOST_NAMES) -> np.ndarray:
    """Return places among `n`, evenly spaced and `most` or fewer.

    >>> thinned(5).tolist(), thinned(50).tolist()[:4]
    ([0, 1, 2, 3, 4], [0, 3, 6, 9])
    """
    return np.arange(0, n, max(1, -(-n // most)))


def marker_of(names: Sequence[str]) -> dict[str, str]:
    """Return a marker for each name: another one where the colours of ``colour_of`` begin again.

    >>> list(marker_of([str(i) for i in range(9)]).values())
    ['o', 'o', 'o', 'o', 'o', 'o', 'o', 'o', 's']
    """
    return {name: MARKERS[i // len(PALETTE) % len(MARKERS)] for i, name in enumerate(dict.fromkeys(names))}


def lie_flat(names: Sequence[str], size: float, width: float) -> bool:
    """Return whether names of a size in points fit beside each other, each in its share of a width in inches.

    >>> lie_flat(["a", "b"], 6, 2.0), lie_flat(["convolution"] * 9, 6, 2.0)
    (True, False)
    """
    return width_beside(names, size) <= width / max(len(names), 1)


def width_beside(names: Sequence[str], size: float) -> float:
    """Return how many inches each name of a size in points needs where names stand beside each other.

    >>> round(width_beside(["pixels", "Gabor energy"], 10), 2)
    1.11
    """
    return max(map(len, names), default=0) * LETTER * size / 72 / 0.9


def size_of_ticks() -> float:
    """Return the size of names at ticks in the style that is set, in points.

    >>> with mpl.rc_context({"font.size": 10, "xtick.labelsize": "medium"}):
    ...     size_of_ticks()
    10.0
    """
    return float(FontProperties(size=mpl.rcParams["xtick.labelsize"]).get_size_in_points())
