"""Neuron and synapse parameters in SI units, validated and frozen: the one truth of every implementation.

The torch layers, the snnTorch modules and the Brian2 code of a neuron are all derived from the records here. A neuron
and the synapses it receives are chosen separately; every neuron in volts goes with every synapse.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from neurosim.schema import InputError, suggest

Reset = Literal["subtract", "zero"]
DiscreteReset = Literal["subtract", "zero", "clear", "immediate", "interpolated", "none"]


def _check_range(record: object, **bounds: tuple[float, float]) -> None:
    for name, (low, high) in bounds.items():
        value = getattr(record, name)
        if not (isinstance(value, int | float) and not math.isnan(value) and low <= value <= high):
            hint = " Parameters are in SI units: 20 ms is 20e-3, -70 mV is -70e-3."
            raise InputError(f"{type(record).__name__}: {name} = {value!r} is outside {low:g}..{high:g}.{hint}")


def _check_time_constant(record: object, name: str) -> None:
    """Check a time constant of a discrete neuron, which may be infinite: no leak."""
    if getattr(record, name) != math.inf:
        _check_range(record, **{name: (1e-5, 10.0)})


@dataclass(frozen=True)
class DiscreteLIFParameters:
    """Leaky integrate-and-fire neuron in steps of `dt`, with the semantics of ``snntorch.Leaky`` and of NIR.

    ``v[k] = beta v[k-1] + I[k]``, ``s[k] = v[k] > threshold``, ``beta = exp(-dt / tau_mem)``, and a reset
    (https://doi.org/10.1109/JPROC.2023.3308088, https://doi.org/10.1038/s41467-024-52259-9).

    Parameters
    ----------
    tau_mem : membrane time constant, s; infinite for a neuron that does not leak.
    dt : duration of one step, s.
    threshold : membrane value above which a spike is sent, dimensionless.
    reset : "subtract" takes the threshold off in the next step, ``v[k] = beta v[k-1] + I[k] - threshold s[k-1]``;
        "zero" forgets the membrane, ``beta (1 - s[k-1]) v[k-1] + I[k]``; "clear" also drops the input of the next step,
        as ``snntorch.Synaptic`` does; "immediate" goes to `v_reset` within the step, as NIR says; "interpolated" goes
        there at the moment in which the membrane crosses the threshold, which is exact for steps of constant input;
        "none" never resets.
    v_reset : value after an immediate or interpolated reset.

    Raises
    ------
    InputError : a value is outside its range, or the threshold is not above the reset.

    Examples
    --------
    >>> round(DiscreteLIFParameters(tau_mem=10e-3).beta, 4)
    0.9048
    """

    tau_mem: float = 10e-3
    dt: float = 1e-3
    threshold: float = 1.0
    reset: DiscreteReset = "subtract"
    v_reset: float = 0.0

    def __post_init__(self) -> None:
        _check_time_constant(self, "tau_mem")
        _check_range(self, dt=(1e-6, 1.0), threshold=(1e-6, 1e6), v_reset=(-1e6, 1e6))
        _check_discrete_reset(self, self.reset, self.threshold, self.v_reset)

    @property
    def beta(self) -> float:
        """Share of the membrane value that is left after one step."""
        return math.exp(-self.dt / self.tau_mem)


@dataclass(frozen=True)
class DiscreteSynapticParameters:
    """Integrate-and-fire neuron with a synaptic current, in steps of `dt`: ``snntorch.Synaptic`` and NIR's CubaLIF.

    ``i[k] = alpha i[k-1] + I[k]``, ``v[k] = beta v[k-1] + i[k]``, ``alpha = exp(-dt / tau_syn)``
    (https://doi.org/10.1109/JPROC.2023.3308088).

    Parameters
    ----------
    tau_syn, tau_mem : synaptic and membrane time constants, s.
    dt, threshold, reset, v_reset : as in :class:`DiscreteLIFParameters`; there is no interpolated reset.

    Raises
    ------
    InputError : a value is outside its range, or the threshold is not above the reset.
    """

    tau_syn: float = 5e-3
    tau_mem: float = 10e-3
    dt: float = 1e-3
    threshold: float = 1.0
    reset: DiscreteReset = "subtract"
    v_reset: float = 0.0

    def __post_init__(self) -> None:
        _check_time_constant(self, "tau_mem")
        _check_time_constant(self, "tau_syn")
        _check_range(self, dt=(1e-6, 1.0), threshold=(1e-6, 1e6), v_reset=(-1e6, 1e6))
        _check_discrete_reset(self, self.reset, self.threshold, self.v_reset)
        if self.reset == "interpolated":
            raise InputError(
                "DiscreteSynapticParameters: reset = 'interpolated' is known for DiscreteLIFParameters only."
            )

    @property
    def alpha(self) -> float:
        """Share of the synaptic current that is left after one step."""
        return math.exp(-self.dt / self.tau_syn)

    @property
    def beta(self) -> float:
        """Share of the membrane value that is left after one step."""
        return math.exp(-self.dt / self.tau_mem)


@dataclass(frozen=True)
class DiscreteAdaptiveLIFParameters:
    """Integrate-and-fire neuron whose threshold rises with its spikes, in steps of `dt`.

    ``v[k] = beta v[k-1] + I[k]``, ``a[k] = rho a[k-1] + s[k-1]``, ``s[k] = v[k] > threshold + rise a[k]``,
    ``rho = exp(-dt / tau_threshold)`` (https://doi.org/10.1038/s41467-020-17236-y).

    Parameters
    ----------
    tau_mem, tau_threshold : time constants of membrane and threshold, s.
    rise : what a spike adds to the threshold. dt, threshold : as in :class:`DiscreteLIFParameters`.
    reset : "subtract" (takes off the threshold at rest), "zero", "clear" or "none", as there.

    Raises
    ------
    InputError : a value is outside its range, or a reset within the step.

    Examples
    --------
    >>> round(DiscreteAdaptiveLIFParameters(tau_threshold=200e-3).rho, 4)
    0.995
    """

    tau_mem: float = 20e-3
    tau_threshold: float = 200e-3
    rise: float = 0.1
    dt: float = 1e-3
    threshold: float = 1.0
    reset: DiscreteReset = "subtract"

    def __post_init__(self) -> None:
        _check_time_constant(self, "tau_mem")
        _check_time_constant(self, "tau_threshold")
        _check_range(self, dt=(1e-6, 1.0), threshold=(1e-6, 1e6), rise=(0.0, 1e6))
        _check_choice(self, "reset", ("subtract", "zero", "clear", "none"))

    @property
    def beta(self) -> float:
        """Share of the membrane value that is left after one step."""
        return math.exp(-self.dt / self.tau_mem)

    @property
    def rho(self) -> float:
        """Share of the rise of the threshold that is left after one step."""
        return math.exp(-self.dt / self.tau_threshold)


@dataclass(frozen=True)
class LIFParameters:
    """Leaky integrate-and-fire neuron in volts, with a refractory period (https://doi.org/10.1007/s00422-006-0068-6).

    ``C dv/dt = g_leak (e_leak - v) + I``; at ``v > v_threshold`` the membrane is set to `v_reset` or lowered.

    Parameters
    ----------
    capacitance : F; the membrane time constant is ``capacitance / g_leak``. g_leak : S.
    e_leak, v_threshold, v_reset : V.
    refractory : time after a spike during which the membrane is held, s.
    reset : "value" sets the membrane to `v_reset`; "subtract" lowers it by ``subtracted``.
    subtracted : V taken off at a spike by the reset "subtract".

    Raises
    ------
    InputError : a value is outside its range, or the threshold is not above the reset.
    """

    capacitance: float = 100e-12
    g_leak: float = 10e-9
    e_leak: float = -70e-3
    v_threshold: float = -50e-3
    v_reset: float = -70e-3
    refractory: float = 2e-3
    reset: Literal["value", "subtract"] = "value"
    subtracted: float = 20e-3

    def __post_init__(self) -> None:
        volts = dict.fromkeys(("e_leak", "v_threshold", "v_reset"), (-0.2, 0.2))
        _check_range(self, **MEMBRANE, **volts, refractory=(0.0, 1.0), subtracted=(1e-6, 10.0))
        _check_choice(self, "reset", ("value", "subtract"))
        _check_threshold(self, self.v_threshold, self.v_reset)

    @property
    def tau_mem(self) -> float:
        """Membrane time constant, s."""
        return self.capacitance / self.g_leak


@dataclass(frozen=True)
class AdaptiveLIFParameters:
    """Leaky integrate-and-fire neuron whose threshold rises with every spike (https://doi.org/10.1038/s41467-020-17236-y).

    ``C dv/dt = g_leak (e_leak - v) + I``, ``tau_threshold dw/dt = -w``; at ``v > v_threshold + w``: ``v = v_reset``,
    ``w += rise``.

    Parameters
    ----------
    capacitance : F. g_leak : S. e_leak, v_threshold, v_reset, rise : V. refractory, tau_threshold : s.

    Raises
    ------
    InputError : a value is outside its range, or the threshold is not above the reset.
    """

    capacitance: float = 100e-12
    g_leak: float = 10e-9
    e_leak: float = -70e-3
    v_threshold: float = -50e-3
    v_reset: float = -70e-3
    refractory: float = 2e-3
    rise: float = 2e-3
    tau_threshold: float = 100e-3

    def __post_init__(self) -> None:
        volts = dict.fromkeys(("e_leak", "v_threshold", "v_reset"), (-0.2, 0.2))
        _check_range(self, **MEMBRANE, **volts, refractory=(0.0, 1.0), rise=(0.0, 0.2), tau_threshold=(1e-4, 10.0))
        _check_threshold(self, self.v_threshold, self.v_reset)


@dataclass(frozen=True)
class AdExParameters:
    """Adaptive exponential integrate-and-fire neuron (https://doi.org/10.1152/jn.00686.2005).

    ``C dv/dt = -g_leak (v - e_leak) + g_leak delta_t exp((v - v_t)/delta_t) - w + I``,
    ``tau_w dw/dt = a (v - e_leak) - w``; at ``v > v_cut``: ``v = v_reset``, ``w += b``.

    Parameters
    ----------
    capacitance : F. g_leak, a : S. e_leak, v_t, delta_t, v_cut, v_reset : V. b : A. tau_w, refractory : s.

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
    refractory: float = 2e-3

    def __post_init__(self) -> None:
        volts = dict.fromkeys(("e_leak", "v_t", "v_cut", "v_reset"), (-0.2, 0.2))
        _check_range(self, **MEMBRANE, **volts, delta_t=(1e-6, 0.05), tau_w=(1e-4, 10.0))
        _check_range(self, a=(-1e-6, 1e-6), b=(0.0, 1e-7), refractory=(0.0, 1.0))
        _check_threshold(self, self.v_cut, self.v_reset)


@dataclass(frozen=True)
class GIFParameters:
    """Generalised integrate-and-fire neuron: memory of spikes and of the membrane, and escape noise.

    ``C dv/dt = g_leak (e_leak - v) - g_bend [v - v_bend]_+ - g_a m(v) h (v - e_k) - sum_k w_k + I``. Spikes come at
    random, with rate ``exp((v - v_t - theta - sum_k rise_k) / delta_v)`` in spikes/s; each adds ``eta_k`` to ``w_k``
    and ``gamma_k`` to ``rise_k``, which decay with ``tau_k``. The threshold follows the membrane,
    ``tau_theta dtheta/dt = coupling [v - v_couple]_+ - theta``, and ``h`` inactivates the A-type current,
    ``tau_h dh/dt = 1/(1 + exp((v - v_h)/k_h)) - h``, ``m = 1/(1 + exp(-(v - v_m)/k_m))``.

    The neuron of https://doi.org/10.1371/journal.pcbi.1004275 with the threshold of
    https://doi.org/10.1371/journal.pcbi.1004761 and the A-type current of https://doi.org/10.7554/eLife.72951.

    Parameters
    ----------
    capacitance : F. g_leak, g_bend, g_a : S. e_leak, v_bend, e_k, v_m, k_m, v_h, k_h : V. tau_h : s.
    eta_1 ... eta_4 : A. gamma_1 ... gamma_4 : V. tau_1 ... tau_4 : s.
    v_t, delta_v, v_couple, v_reset : V; at ``v = v_t`` the rate is 1 spike/s. coupling : 1. tau_theta, refractory : s.

    Raises
    ------
    InputError : a value is outside its range.
    """

    capacitance: float = 50e-12
    g_leak: float = 2e-9
    e_leak: float = -65e-3
    g_bend: float = 0.0
    v_bend: float = -55e-3
    g_a: float = 0.0
    e_k: float = -85e-3
    v_m: float = -25e-3
    k_m: float = 6e-3
    v_h: float = -68e-3
    k_h: float = 8e-3
    tau_h: float = 80e-3
    eta_1: float = 0.0
    eta_2: float = 20e-12
    eta_3: float = 0.0
    eta_4: float = 0.0
    gamma_1: float = 0.0
    gamma_2: float = 5e-3
    gamma_3: float = 0.0
    gamma_4: float = 0.0
    tau_1: float = 3e-3
    tau_2: float = 15e-3
    tau_3: float = 60e-3
    tau_4: float = 250e-3
    v_t: float = -50e-3
    delta_v: float = 2e-3
    coupling: float = 0.0
    v_couple: float = -50e-3
    tau_theta: float = 20e-3
    v_reset: float = -55e-3
    refractory: float = 4e-3

    def __post_init__(self) -> None:
        volts = dict.fromkeys(("e_leak", "v_bend", "e_k", "v_m", "v_h", "v_couple", "v_reset"), (-0.2, 0.2))
        _check_range(self, **MEMBRANE, **volts, **dict.fromkeys(("k_m", "k_h"), (1e-4, 0.1)))
        _check_range(self, **dict.fromkeys(("tau_h", "tau_1", "tau_2", "tau_3", "tau_4", "tau_theta"), (1e-4, 10.0)))
        _check_range(self, g_bend=(-1e-4, 1e-4), g_a=(0.0, 1e-4), delta_v=(1e-5, 0.1), coupling=(-10.0, 10.0))
        _check_range(self, **{f"eta_{k}": (-1e-6, 1e-6) for k in GIF_MEMORIES}, refractory=(0.0, 1.0))
        _check_range(self, **{f"gamma_{k}": (-10.0, 10.0) for k in GIF_MEMORIES}, v_t=(-1.0, 1.0))


@dataclass(frozen=True)
class HodgkinHuxleyParameters:
    """Hodgkin-Huxley neuron with the kinetics of Traub and Miles (https://doi.org/10.1007/s10827-007-0038-6).

    ``C dv/dt = g_leak (e_leak - v) + g_na m^3 h (e_na - v) + g_k n^4 (e_k - v) + I``; the gates m, h and n move with
    rates that depend on ``v - v_shift``. A spike is an upward crossing of `v_spike`.

    Parameters
    ----------
    capacitance : F. g_leak, g_na, g_k : S. e_leak, e_na, e_k, v_shift, v_spike : V.

    Raises
    ------
    InputError : a value is outside its range.
    """

    capacitance: float = 200e-12
    g_leak: float = 10e-9
    g_na: float = 20e-6
    g_k: float = 6e-6
    e_leak: float = -65e-3
    e_na: float = 50e-3
    e_k: float = -90e-3
    v_shift: float = -63e-3
    v_spike: float = -20e-3

    def __post_init__(self) -> None:
        volts = dict.fromkeys(("e_leak", "e_na", "e_k", "v_shift", "v_spike"), (-0.2, 0.2))
        _check_range(self, **MEMBRANE, **volts, g_na=(1e-10, 1e-3), g_k=(1e-10, 1e-3))


@dataclass(frozen=True)
class DeltaParameters:
    """Synapses whose spikes move the membrane at once: by their weight (V), or as the input of a discrete step (1)."""


@dataclass(frozen=True)
class ExponentialParameters:
    """Synapses whose spikes add their weight (A) to a current that decays with `tau_syn` (s)."""

    tau_syn: float = 2e-3

    def __post_init__(self) -> None:
        _check_range(self, tau_syn=(1e-6, 10.0))


@dataclass(frozen=True)
class ConductanceParameters:
    """Synapses whose spikes add their weight (S) to an excitatory or, when negative, an inhibitory conductance.

    ``I = g_exc (e_exc - v) + g_inh (e_inh - v)`` (https://doi.org/10.1007/s10827-007-0038-6).

    Parameters
    ----------
    tau_exc, tau_inh : time constants with which the conductances decay, s.
    e_exc, e_inh : reversal potentials, V.

    Raises
    ------
    InputError : a value is outside its range, or excitation does not reverse above inhibition.
    """

    tau_exc: float = 2e-3
    tau_inh: float = 2e-3
    e_exc: float = 0.0
    e_inh: float = -90e-3

    def __post_init__(self) -> None:
        _check_range(self, **dict.fromkeys(("tau_exc", "tau_inh"), (1e-6, 10.0)))
        _check_range(self, **dict.fromkeys(("e_exc", "e_inh"), (-1e6, 1e6)))
        if self.e_exc <= self.e_inh:
            raise InputError(
                f"ConductanceParameters: e_exc = {self.e_exc:g} V is not above e_inh = {self.e_inh:g} V; "
                "positive weights would inhibit."
            )


DiscreteParameters = DiscreteLIFParameters | DiscreteSynapticParameters | DiscreteAdaptiveLIFParameters
ContinuousParameters = LIFParameters | AdaptiveLIFParameters | AdExParameters | GIFParameters | HodgkinHuxleyParameters
NeuronParameters = DiscreteParameters | ContinuousParameters
SynapseParameters = DeltaParameters | ExponentialParameters | ConductanceParameters

METADATA_KEY = "neurosim"
GIF_MEMORIES = (1, 2, 3, 4)
MEMBRANE = {"capacitance": (1e-13, 1e-6), "g_leak": (1e-12, 1e-4)}
NEURONS: dict[str, type[Any]] = {
    "discrete_lif": DiscreteLIFParameters,
    "discrete_synaptic": DiscreteSynapticParameters,
    "discrete_adaptive_lif": DiscreteAdaptiveLIFParameters,
    "lif": LIFParameters,
    "adaptive_lif": AdaptiveLIFParameters,
    "adex": AdExParameters,
    "gif": GIFParameters,
    "hodgkin_huxley": HodgkinHuxleyParameters,
}
SYNAPSES: dict[str, type[Any]] = {
    "delta": DeltaParameters,
    "exponential": ExponentialParameters,
    "conductance": ConductanceParameters,
}


def as_dict(parameters: object) -> dict[str, float | str]:
    """Return the record as plain numbers, for files and provenance."""
    return {f.name: getattr(parameters, f.name) for f in fields(parameters)}  # type: ignore[arg-type]


def model_name(parameters: object) -> str:
    """Return the name under which files know the model of these parameters.

    >>> model_name(AdExParameters())
    'adex'
    """
    return next(name for name, record in (NEURONS | SYNAPSES).items() if record is type(parameters))


def parameters_of(name: str, values: dict[str, Any]) -> Any:
    """Return the record of the model `name` with these values; unknown names and keys are refused by name.

    >>> parameters_of("exponential", {"tau_syn": 3e-3})
    ExponentialParameters(tau_syn=0.003)
    """
    known = NEURONS | SYNAPSES
    if name not in known:
        raise InputError(f"parameters_of: no model {name!r}. Models: {', '.join(known)}.{suggest(name, known)}")
    keys = [f.name for f in fields(known[name])]
    for key in values:
        if key not in keys:
            raise InputError(f"{name}: no parameter {key!r}. Parameters: {', '.join(keys)}.{suggest(key, keys)}")
    return known[name](**values)


def to_metadata(record: object, **about: Any) -> dict[str, str]:
    """Return what a NIR node keeps of a neuron that NIR itself cannot hold, as one line of JSON that files survive.

    >>> from_metadata(to_metadata(DiscreteLIFParameters(tau_mem=math.inf)))["tau_mem"]
    inf
    """
    return {METADATA_KEY: json.dumps({"model": model_name(record), **as_dict(record), **about}, sort_keys=True)}


def from_metadata(metadata: Any) -> dict[str, Any] | None:
    """Return what :func:`to_metadata` wrote, or None where nothing is kept.

    Raises
    ------
    InputError : the metadata are there, but are not one JSON table.
    """
    kept = (metadata or {}).get(METADATA_KEY)
    if kept is None:
        return None
    try:
        found = json.loads(kept)
    except (TypeError, ValueError) as error:
        raise InputError(f"the metadata {METADATA_KEY!r} of a NIR node are not JSON ({error}).") from error
    if not isinstance(found, dict):
        raise InputError(f"the metadata {METADATA_KEY!r} of a NIR node are not a table.")
    return found


def _check_choice(record: object, name: str, known: tuple[str, ...]) -> None:
    value = getattr(record, name)
    if value not in known:
        raise InputError(
            f"{type(record).__name__}: {name} = {value!r}; known: {', '.join(known)}.{suggest(str(value), known)}"
        )


def _check_discrete_reset(record: object, reset: str, threshold: float, v_reset: float) -> None:
    _check_choice(record, "reset", get_args(DiscreteReset))
    if reset in ("immediate", "interpolated") and threshold <= v_reset:
        raise InputError(
            f"{type(record).__name__}: the threshold {threshold:g} is not above the reset {v_reset:g}; "
            "the neuron would fire without end."
        )


def _check_threshold(record: object, threshold: float, reset: float) -> None:
    if threshold <= reset:
        raise InputError(
            f"{type(record).__name__}: the threshold {threshold:g} V is not above the reset {reset:g} V; "
            "the neuron would fire without end."
        )
