"""A window that looks both ways."""

from __future__ import annotations

import numpy as np

from neurosim.responses.rate_kernels import RateKernel


def boxcar(width: float, step: float) -> tuple[np.ndarray, int]:
    """Return equal weights over root three standard deviations on either side."""
    reach = max(0, round(np.sqrt(3) * width / step))
    return np.ones(2 * reach + 1), reach


BOXCAR = RateKernel("boxcar", boxcar, "window, which looks both ways")
