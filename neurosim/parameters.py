"""Neuron and synapse parameters in SI units, validated and frozen: the one truth of every implementation.

The torch layers, the snnTorch modules and the Brian2 equations of a neuron are all derived from the records here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Literal

from neurosim.schema import InputError

Reset = Literal["subtract", "zero"]


def _check_range(record: object, **bounds: tuple[float, float]) -> None:
    for name, (low, high) in bounds.items():
        value = getattr(record, name)
        if not (isinstance(value, int | float) and math.isfinite(value) and low <= value <= high):
            hint = " Parameters are in SI units: 20 ms is 20e-3, -70 mV is -70e-3."
            raise InputError(f"{type(record).__name__}: {name} = {value!r} is outside {low:g}..{high:g}.{hint}")


@dataclass(frozen=True)
class DiscreteLIFParameters:
    """Leaky integrate-and-fire neuron in steps of `dt`, with the semantics of ``snntorch.Leaky``.

    ``v[k] = beta v[k-1] + I[k] - threshold s[k-1]`` (subtract) or ``v[k] = beta (1 - s[k-1]) v[k-1] + I[k]`` (zero),
    ``s[k] = v[k] > threshold``, ``beta = exp(-dt / tau_mem)`` (https://doi.org/10.1109/JPROC.2023.3308088).

    Parameters
    ----------
    tau_mem : membrane time constant, s.
    dt : duration of one step, s.
    threshold : membrane value above which a spike is sent, dimensionless.
    reset : "subtract" takes the threshold off, "zero" sets the membrane to 0; both on the step after the spike.

    Raises
    ------
    InputError : a value is outside its range.

    Examples
    --------
    >>> round(DiscreteLIFParameters(tau_mem=10e-3).beta, 4)
    0.9048
    """

    tau_mem: float = 10e-3
    dt: float = 1e-3
    threshold: float = 1.0
    reset: Reset = "subtract"

    def __post_init__(self) -> None:
        _check_range(self, tau_mem=(1e-4, 10.0), dt=(1e-6, 1.0), threshold=(1e-6, 1e6))
        if self.reset not in ("subtract", "zero"):
            raise InputError(f"DiscreteLIFParameters: reset = {self.reset!r}; known: subtract, zero.")

    @property
    def beta(self) -> float:
        """Share of the membrane value that is left after one step."""
        return math.exp(-self.dt / self.tau_mem)


@dataclass(frozen=True)
class ConductanceLIFParameters:
    """Leaky integrate-and-fire neuron in volts with exponential conductance synapses and a refractory period.

    ``tau_mem dv/dt = e_leak - v + g_exc (e_exc - v) + g_inh (e_inh - v) + drive``, conductances relative to the leak
    (https://doi.org/10.1007/s00422-006-0068-6).

    Parameters
    ----------
    tau_mem, tau_exc, tau_inh : membrane and synaptic time constants, s.
    e_leak, e_exc, e_inh : reversal potentials, V.
    v_threshold, v_reset : threshold and reset potential, V.
    refractory : time after a spike during which the membrane is held, s.

    Raises
    ------
    InputError : a value is outside its range, or the threshold is not above the reset.
    """

    tau_mem: float = 10e-3
    tau_exc: float = 2e-3
    tau_inh: float = 2e-3
    e_leak: float = -70e-3
    e_exc: float = 0.0
    e_inh: float = -90e-3
    v_threshold: float = -50e-3
    v_reset: float = -70e-3
    refractory: float = 2e-3

    def __post_init__(self) -> None:
        volts = dict.fromkeys(("e_leak", "e_exc", "e_inh", "v_threshold", "v_reset"), (-0.2, 0.2))
        times = dict.fromkeys(("tau_mem", "tau_exc", "tau_inh"), (1e-4, 10.0))
        _check_range(self, refractory=(0.0, 1.0), **volts, **times)
        _check_threshold(self, self.v_threshold, self.v_reset)


@dataclass(frozen=True)
class AdExParameters:
    """Adaptive exponential integrate-and-fire neuron (https://doi.org/10.1152/jn.00686.2005).

    ``C dv/dt = -g_leak (v - e_leak) + g_leak delta_t exp((v - v_t)/delta_t) - w + I``,
    ``tau_w dw/dt = a (v - e_leak) - w``; at ``v > v_cut``: ``v = v_reset``, ``w += b``. The synaptic conductances
    ``g_exc`` and ``g_inh`` decay with ``tau_exc`` and ``tau_inh``.

    Parameters
    ----------
    capacitance : F. g_leak, a : S. e_leak, v_t, delta_t, v_cut, v_reset, e_exc, e_inh : V. b : A.
    tau_w, tau_exc, tau_inh, refractory : s.

    Raises
    ------
    InputError : a value is outside its range, or the cut-off is not above the reset.
    """

    capacitance: float = 281e-12
    g_leak: float = 30e-9
    e_leak: float = -70.6e-3
    v_t: float = -50.4e-3
    delta_t: float = 2e-3
    v_cut: float = -30e-3
    v_reset: float = -70.6e-3
    tau_w: float = 144e-3
    a: float = 4e-9
    b: float = 80.5e-12
    e_exc: float = 0.0
    e_inh: float = -80e-3
    tau_exc: float = 5e-3
    tau_inh: float = 10e-3
    refractory: float = 2e-3

    def __post_init__(self) -> None:
        volts = dict.fromkeys(("e_leak", "v_t", "v_cut", "v_reset", "e_exc", "e_inh"), (-0.2, 0.2))
        times = dict.fromkeys(("tau_w", "tau_exc", "tau_inh"), (1e-4, 10.0))
        _check_range(self, capacitance=(1e-13, 1e-8), g_leak=(1e-10, 1e-5), delta_t=(1e-5, 0.05), **volts)
        _check_range(self, a=(-1e-6, 1e-6), b=(0.0, 1e-7), refractory=(0.0, 1.0), **times)
        _check_threshold(self, self.v_cut, self.v_reset)


NeuronParameters = DiscreteLIFParameters | ConductanceLIFParameters | AdExParameters


def as_dict(parameters: NeuronParameters) -> dict[str, float | str]:
    """Return the record as plain numbers, for files and provenance."""
    return {f.name: getattr(parameters, f.name) for f in fields(parameters)}


def _check_threshold(record: object, threshold: float, reset: float) -> None:
    if threshold <= reset:
        raise InputError(
            f"{type(record).__name__}: the threshold {threshold:g} V is not above the reset {reset:g} V; "
            "the neuron would fire without end."
        )
