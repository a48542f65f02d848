"""Parameters of the neurons that networks and circuits share, in SI units, validated and frozen: the one truth of both.

The torch layers, the snnTorch modules and the Brian2 code of a discrete neuron are all derived from the records here.
Neurons in volts, and synapses, stand with their models in ``biophysics/``; the checks here are theirs too.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, Protocol, TypeVar, get_args

from neurosim.refusals import InputError, suggest
from neurosim.showing import tabled
from neurosim.units import plain_field

Reset = Literal["subtract", "zero"]
DiscreteReset = Literal["subtract", "zero", "clear", "immediate", "interpolated", "none"]
__all__ = (
    "DiscreteAdaptiveLIFParameters", "DiscreteAlphaParameters", "DiscreteIntegratorParameters", "DiscreteLIFParameters",
    "DiscreteSynapticParameters", "check_range",
)  # fmt: skip

METADATA_KEY = "neurosim"
MEMBRANE = {"capacitance": (1e-13, 1e-6), "g_leak": (1e-12, 1e-4)}


def __dir__() -> tuple[str, ...]:
    """Offer the public names alone."""
    return __all__


class Parameters(Protocol):
    """What a record of parameters is: a frozen dataclass whose fields are numbers and words."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


P = TypeVar("P", bound=Parameters)


def check_range(record: object, **bounds: tuple[float, float]) -> None:
    """Raise where a number of a record is outside its range, or is no number; what carries a unit becomes a number.

    Parameters
    ----------
    record : of parameters, which may say in ``own_units`` in what its numbers are. bounds : lowest and highest value of
        each number, by its name.

    Raises
    ------
    InputError : a number outside its range, or a quantity of another dimension.

    Examples
    --------
    >>> ns.parameters.check_range(ns.parameters.DiscreteLIFParameters(), tau_mem=(1e-3, 1.0))
    """
    for name, (low, high) in bounds.items():
        value = plain_field(record, name)
        if not (isinstance(value, int | float) and not math.isnan(value) and low <= value <= high):
            hint = " Parameters are in SI units: 20 ms is 20e-3, -70 mV is -70e-3."
            raise InputError(f"{type(record).__name__}: {name} = {value!r} is outside {low:g}..{high:g}.{hint}")


def check_time_constant(record: object, name: str) -> None:
    """Raise where a time constant of a discrete neuron is out of range; it may be infinite: no leak."""
    if plain_field(record, name) != math.inf:
        check_range(record, **{name: (1e-5, 10.0)})


def check_choice(record: object, name: str, known: tuple[str, ...]) -> None:
    """Raise where a word of a record is none of those that are known."""
    value = getattr(record, name)
    if value not in known:
        raise InputError(
            f"{type(record).__name__}: {name} = {value!r}; known: {', '.join(known)}.{suggest(str(value), known)}"
        )


def check_threshold(record: object, threshold: float, reset: float) -> None:
    """Raise where the threshold of a neuron in volts is not above its reset."""
    if threshold <= reset:
        raise InputError(
            f"{type(record).__name__}: the threshold {threshold:g} V is not above the reset {reset:g} V; "
            "the neuron would fire without end."
        )


def _check_discrete_reset(record: DiscreteLIFParameters | DiscreteSynapticParameters) -> None:
    check_choice(record, "reset", get_args(DiscreteReset))
    if record.reset not in ("immediate", "interpolated") and record.v_reset:
        raise InputError(
            f"{type(record).__name__}: v_reset = {record.v_reset:g} is read by the resets immediate and interpolated, "
            f"found {record.reset!r}."
        )
    if record.reset in ("immediate", "interpolated") and record.threshold <= record.v_reset:
        raise InputError(
            f"{type(record).__name__}: the threshold {record.threshold:g} is not above the reset {record.v_reset:g}; "
            "the neuron would fire without end."
        )


@tabled
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
    v_reset : value after an immediate or interpolated reset; 0 where there is another.

    Raises
    ------
    InputError : a value is outside its range, the threshold is not above the reset, or a `v_reset` that no reset reads.

    Examples
    --------
    >>> round(ns.parameters.DiscreteLIFParameters(tau_mem=10e-3).beta, 4)
    0.9048
    """

    model: ClassVar[str] = "discrete_lif"
    own_units: ClassVar[dict[str, str]] = {"v_reset": "1"}
    tau_mem: float = 10e-3
    dt: float = 1e-3
    threshold: float = 1.0
    reset: DiscreteReset = "subtract"
    v_reset: float = 0.0

    def __post_init__(self) -> None:
        check_time_constant(self, "tau_mem")
        check_range(self, dt=(1e-6, 1.0), threshold=(1e-6, 1e6), v_reset=(-1e6, 1e6))
        _check_discrete_reset(self)

    @property
    def beta(self) -> float:
        """Share of the membrane value that is left after one step."""
        return math.exp(-self.dt / self.tau_mem)


@tabled
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

    Examples
    --------
    >>> round(ns.parameters.DiscreteSynapticParameters(tau_syn=5e-3).alpha, 4)
    0.8187
    """

    model: ClassVar[str] = "discrete_synaptic"
    own_units: ClassVar[dict[str, str]] = {"v_reset": "1"}
    tau_syn: float = 5e-3
    tau_mem: float = 10e-3
    dt: float = 1e-3
    threshold: float = 1.0
    reset: DiscreteReset = "subtract"
    v_reset: float = 0.0

    def __post_init__(self) -> None:
        check_time_constant(self, "tau_mem")
        check_time_constant(self, "tau_syn")
        check_range(self, dt=(1e-6, 1.0), threshold=(1e-6, 1e6), v_reset=(-1e6, 1e6))
        _check_discrete_reset(self)
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


@tabled
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
    >>> round(ns.parameters.DiscreteAdaptiveLIFParameters(tau_threshold=200e-3).rho, 4)
    0.995
    """

    model: ClassVar[str] = "discrete_adaptive_lif"
    tau_mem: float = 20e-3
    tau_threshold: float = 200e-3
    rise: float = 0.1
    dt: float = 1e-3
    threshold: float = 1.0
    reset: DiscreteReset = "subtract"

    def __post_init__(self) -> None:
        check_time_constant(self, "tau_mem")
        check_time_constant(self, "tau_threshold")
        check_range(self, dt=(1e-6, 1.0), threshold=(1e-6, 1e6), rise=(0.0, 1e6))
        check_choice(self, "reset", ("subtract", "zero", "clear", "none"))

    @property
    def beta(self) -> float:
        """Share of the membrane value that is left after one step."""
        return math.exp(-self.dt / self.tau_mem)

    @property
    def rho(self) -> float:
        """Share of the rise of the threshold that is left after one step."""
        return math.exp(-self.dt / self.tau_threshold)


@tabled
@dataclass(frozen=True)
class DiscreteAlphaParameters:
    """Integrate-and-fire neuron whose membrane follows the difference of two currents: ``snntorch.Alpha``.

    ``e[k] = alpha e[k-1] + I[k]``, ``i[k] = beta i[k-1] - I[k]``, ``v[k] = (ln alpha / ln(beta / alpha) + 1)
    (e[k] + i[k])``, ``alpha = exp(-dt / tau_syn)``, ``beta = exp(-dt / tau_mem)``
    (https://doi.org/10.1109/JPROC.2023.3308088).

    Parameters
    ----------
    tau_syn, tau_mem : time constants of both currents, s; the first is the longer one.
    dt, threshold : as in :class:`DiscreteLIFParameters`.
    reset : in the step after a spike, as snnTorch does: "zero" drops membrane, currents and input; "subtract" takes the
        threshold off the first current, drops the second one and adds its last value to the membrane; "none" does
        nothing.

    Raises
    ------
    InputError : a value is outside its range, or `tau_syn` is not above `tau_mem`.

    Examples
    --------
    >>> round(ns.parameters.DiscreteAlphaParameters(tau_syn=10e-3, tau_mem=5e-3).kernel_gain, 4)
    2.0
    """

    model: ClassVar[str] = "discrete_alpha"
    tau_syn: float = 10e-3
    tau_mem: float = 5e-3
    dt: float = 1e-3
    threshold: float = 1.0
    reset: Literal["zero", "subtract", "none"] = "zero"

    def __post_init__(self) -> None:
        check_range(self, tau_syn=(1e-5, 10.0), tau_mem=(1e-5, 10.0), dt=(1e-6, 1.0), threshold=(1e-6, 1e6))
        check_choice(self, "reset", ("zero", "subtract", "none"))
        if self.tau_syn <= self.tau_mem:
            raise InputError(
                f"DiscreteAlphaParameters: tau_syn = {self.tau_syn:g} s is not above tau_mem = {self.tau_mem:g} s; the "
                "membrane would turn the sign of its input."
            )

    @property
    def alpha(self) -> float:
        """Share of the first current that is left after one step."""
        return math.exp(-self.dt / self.tau_syn)

    @property
    def beta(self) -> float:
        """Share of the second current that is left after one step."""
        return math.exp(-self.dt / self.tau_mem)

    @property
    def kernel_gain(self) -> float:
        """Factor from the sum of both currents to the membrane."""
        return math.log(self.alpha) / (math.log(self.beta) - math.log(self.alpha)) + 1


@tabled
@dataclass(frozen=True)
class DiscreteIntegratorParameters:
    """Unit that integrates and sends no spikes, in steps of `dt`; its membrane is read. NIR's LI, I and CubaLI.

    ``i[k] = alpha i[k-1] + I[k]``, ``v[k] = beta v[k-1] + i[k]``, ``alpha = exp(-dt / tau_syn)``,
    ``beta = exp(-dt / tau_mem)`` (https://doi.org/10.1038/s41467-024-52259-9).

    Parameters
    ----------
    tau_mem : membrane time constant, s; infinite where nothing leaks.
    tau_syn : time constant of the current, s; 0 where it has no memory.
    dt : duration of one step, s.

    Raises
    ------
    InputError : a value is outside its range.

    Examples
    --------
    >>> ns.parameters.DiscreteIntegratorParameters(tau_mem=20e-3).alpha
    0.0
    """

    model: ClassVar[str] = "discrete_integrator"
    tau_mem: float = 10e-3
    tau_syn: float = 0.0
    dt: float = 1e-3

    def __post_init__(self) -> None:
        check_time_constant(self, "tau_mem")
        if self.tau_syn != 0:
            check_time_constant(self, "tau_syn")
        check_range(self, dt=(1e-6, 1.0))

    @property
    def alpha(self) -> float:
        """Share of the current that is left after one step."""
        return math.exp(-self.dt / self.tau_syn) if self.tau_syn else 0.0

    @property
    def beta(self) -> float:
        """Share of the membrane value that is left after one step."""
        return math.exp(-self.dt / self.tau_mem)


DiscreteParameters = DiscreteLIFParameters | DiscreteSynapticParameters | DiscreteAdaptiveLIFParameters


def as_dict(parameters: Parameters) -> dict[str, Any]:
    """Return the record as plain numbers, for files and provenance."""
    return {f.name: getattr(parameters, f.name) for f in fields(parameters)}


def filled(name: str, kind: type[P], values: Mapping[str, Any]) -> P:
    """Return the record of the model `name` with these values; keys that it does not have are refused by name.

    >>> filled("discrete_lif", DiscreteLIFParameters, {"dt": 2e-3}).dt
    0.002
    """
    keys = [f.name for f in fields(kind)]
    for key in values:
        if key not in keys:
            raise InputError(f"{name}: no parameter {key!r}. Parameters: {', '.join(keys)}.{suggest(key, keys)}")
    return kind(**values)


def parameters_of(model: str, values: Mapping[str, Any]) -> DiscreteParameters:
    """Return the record of a discrete neuron by the name that files know; unknown names and keys are refused.

    >>> parameters_of("discrete_lif", {"dt": 2e-3}).dt
    0.002
    """
    known: dict[str, type[DiscreteParameters]] = {kind.model: kind for kind in get_args(DiscreteParameters)}
    if model not in known:
        raise InputError(f"parameters_of: no model {model!r}. Models: {', '.join(known)}.{suggest(model, known)}")
    return filled(model, known[model], values)


def to_metadata(record: Parameters, *, model: str = "", **about: Any) -> dict[str, str]:
    """Return what a NIR node keeps of a neuron that NIR itself cannot hold, as one line of JSON that files survive.

    >>> from_metadata(to_metadata(DiscreteLIFParameters(tau_mem=math.inf)))["tau_mem"]
    inf
    """
    name = model or getattr(record, "model", "")
    return {METADATA_KEY: json.dumps({"model": name, **as_dict(record), **about}, sort_keys=True)}


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
