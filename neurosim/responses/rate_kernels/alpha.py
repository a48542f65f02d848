"""A rise and decay that looks back only, as a synapse does."""

from __future__ import annotations

import numpy as np

from neurosim.responses.rate_kernels import RateKernel


def alpha(width: float, step: float) -> tuple[np.ndarray, int]:
    """Return an alpha function over fifteen time constants."""
    tau = width / np.sqrt(2)
    lags = np.arange(round(15 * tau / step) + 1) * step
    return np.exp(-lags / tau) * (lags + step), 0


ALPHA = RateKernel("alpha", alpha, "alpha function, which looks back only")
