"""The kernel that turns spikes into a rate: one a file, and all of them by name in ``RATE_KERNELS``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from neurosim.registry import Registry


@dataclass(frozen=True)
class RateKernel:
    """One kernel that spikes are smoothed by.

    Parameters
    ----------
    name : what users type.
    weights : from its standard deviation and the time step, s, to its weights, which need no norm, and the index of
        the one that stands for now.
    caption : what it is. reference : its paper, a DOI.
    gaussian : it is the Gaussian, for which the best width is known and which can be adapted to the rate.

    Examples
    --------
    >>> from neurosim.responses import firing_rate
    >>> from neurosim.schema import as_responses
    >>> spikes = as_responses(np.ones((1, 100, 1)), quantity="spike_count", time_step=1e-3)
    >>> with RATE_KERNELS.added(RateKernel("none", lambda width, step: (np.ones(1), 0), "no smoothing")):
    ...     float(firing_rate(spikes, kernel="none").mean())
    1000.0
    """

    name: str
    weights: Callable[[float, float], tuple[np.ndarray, int]]
    caption: str = ""
    reference: str = ""
    gaussian: bool = False


RATE_KERNELS = Registry("kernel", "neurosim.responses.rate_kernels", RateKernel)
