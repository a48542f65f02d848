"""Time in whole bins: recorded times are ticks of a clock, so one that rounding puts beside an edge lies on it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

TOLERANCE = 1e-9
NARROWEST = 1e-6


def bin_index(times: npt.ArrayLike, width: float) -> np.ndarray:
    """Return the bin that each time lies in: bin k holds times from k `width` up to, not including, (k + 1) `width`.

    Times count as on an edge when they are less than a nanosecond before it: far more than the rounding of 64-bit
    times in s, far less than the tick of any recording.

    Parameters
    ----------
    times : s, of any shape; may be negative. width : of a bin, s.

    Returns
    -------
    integers of the shape of `times`.

    Raises
    ------
    ValueError : a width that is not finite, or below a microsecond.

    Examples
    --------
    >>> bin_index([0.0, 0.003, 0.3 - 0.1, -0.001], 0.001).tolist()
    [0, 3, 200, -1]
    """
    if not NARROWEST <= width < np.inf:
        raise ValueError(f"bins of at least {NARROWEST:g} s asked, found {width!r}")
    return np.floor((np.asarray(times, dtype=float) + TOLERANCE) / width).astype(np.int64)


def n_before(sorted_times: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return how many of the sorted times lie before each edge; a time on an edge, within a nanosecond, is not before.

    >>> n_before(np.array([0.1, 0.2, 0.1 + 0.2]), np.array([0.2, 0.3, 0.4])).tolist()
    [1, 2, 3]
    """
    return np.searchsorted(sorted_times, np.asarray(edges) - TOLERANCE, side="left")


def is_fine(times: npt.ArrayLike) -> bool:
    """Whether times are held finely enough to be told from their neighbours on a clock: not as 32-bit numbers of s.

    >>> is_fine(np.float32([0.5, 1.0])), is_fine([0.5, 1.0]), is_fine([1.7e9])
    (False, True, False)
    """
    held = np.asarray(times)
    if held.dtype.kind != "f" or not held.size:
        return True
    if not np.isfinite([held.min(), held.max()]).all():
        held = held[np.isfinite(held)]
    return not held.size or float(np.spacing(max(abs(held.min()), abs(held.max())))) <= TOLERANCE


def whole_number(duration: float, width: float) -> int | None:
    """Return how many bins of `width` fill `duration`, or None when they do not fill it exactly (0.1 % of a bin).

    >>> whole_number(0.3, 0.1), whole_number(0.3, 0.07)
    (3, None)
    """
    if not (width > 0 and duration > 0 and np.isfinite(duration / width)):
        return None
    n = round(duration / width)
    return n if n >= 1 and abs(duration / width - n) <= 1e-3 else None
