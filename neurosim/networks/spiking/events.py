"""Parameters of neurons in continuous time, which have no time step."""

from __future__ import annotations

import math
from dataclasses import dataclass

from neurosim.parameters import check_range
from neurosim.refusals import InputError


@dataclass(frozen=True)
class EventNeuron:
    """Leaky integrate-and-fire neurons with exponential currents in continuous time.

    ``tau_mem V' = -V + I``, ``tau_syn I' = -I``; an input spike adds its weight to I, and V is set to 0 at threshold.

    Parameters
    ----------
    tau_mem, tau_syn : membrane and synaptic time constants, s; the membrane is slower.
    threshold : of V. window : how long the neurons are looked at, s.

    Raises
    ------
    InputError : a number outside its range, a membrane that is not slower, a window of more than 30 `tau_syn`.

    References
    ----------
    Wunderlich TC, Pehle C (2021) Sci Rep 11:12829, https://doi.org/10.1038/s41598-021-91786-z

    Examples
    --------
    >>> round(ns.networks.EventNeuron().peak, 4)
    0.1575
    """

    tau_mem: float = 20e-3
    tau_syn: float = 5e-3
    threshold: float = 1.0
    window: float = 60e-3

    def __post_init__(self) -> None:
        check_range(self, tau_mem=(1e-4, 10.0), tau_syn=(1e-4, 10.0), threshold=(1e-6, 1e6), window=(1e-4, 100.0))
        if self.tau_mem < 1.01 * self.tau_syn or self.window > 30 * self.tau_syn:
            raise InputError(
                "EventNeuron: tau_mem above tau_syn (by 1 % or more) and a window of at most 30 tau_syn are asked, "
                f"found {self.tau_mem}, {self.tau_syn} and {self.window} s."
            )

    @property
    def gain(self) -> float:
        """Factor of the two exponentials that an input spike of weight 1 adds to V."""
        return self.tau_syn / (self.tau_mem - self.tau_syn)

    @property
    def peak(self) -> float:
        """Highest V that one input spike of weight 1 causes."""
        when = math.log(self.tau_mem / self.tau_syn) / (1 / self.tau_syn - 1 / self.tau_mem)
        return self.gain * (math.exp(-when / self.tau_mem) - math.exp(-when / self.tau_syn))
