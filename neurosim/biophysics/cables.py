"""Neurons with a shape: the cable equation with channels in some sections, by Brian2's SpatialNeuron.

``c dv/dt = (g_leak (e_leak - v) + g_na m^3 h (e_na - v) + g_k n^4 (e_k - v)) + axial current + I``, all an area
(https://doi.org/10.7554/eLife.47314).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import xarray as xr

from neurosim.biophysics.brian2_engine import import_brian2, preferences
from neurosim.biophysics.formulas import Text, TextFunctions
from neurosim.biophysics.garbage import unsearched
from neurosim.biophysics.gates import PER_MS, PER_MV, resting_state
from neurosim.biophysics.models import NEURONS, Gates, neuron_of
from neurosim.biophysics.morphology import Morphology
from neurosim.biophysics.plain_numbers import is_whole, number, one_of
from neurosim.biophysics.populations import LARGEST_CURRENT
from neurosim.parameters import Parameters, as_dict, check_range
from neurosim.refusals import InputError, suggest
from neurosim.runtime import track
from neurosim.schema import step_of
from neurosim.showing import tabled

STILL = "(constant over dt)"  # gates and membrane move in turn, as those of a point neuron
CHANNELS = ("g_na", "g_k", "e_na", "e_k", "v_shift")


@tabled
@dataclass(frozen=True)
class CableParameters:
    """The membrane of a neuron with a shape, and what is inside it.

    Parameters
    ----------
    capacitance : F/m2 (1 uF/cm2 is 0.01). resistivity : of the inside, ohm m (100 ohm cm is 1.0).
    g_leak : S/m2 (0.1 mS/cm2 is 1.0). e_leak : V; both where there are no channels.

    Raises
    ------
    InputError : a value is outside its range.

    Examples
    --------
    >>> ns.biophysics.CableParameters(resistivity=1.5).capacitance
    0.01
    """

    own_units: ClassVar[dict[str, str]] = {"capacitance": "F m-2", "resistivity": "ohm m", "g_leak": "S m-2"}
    capacitance: float = 0.01
    resistivity: float = 1.0
    g_leak: float = 1.0
    e_leak: float = -65e-3

    def __post_init__(self) -> None:
        check_range(self, capacitance=(1e-4, 1.0), resistivity=(1e-3, 1e3), g_leak=(1e-6, 1e4), e_leak=(-0.2, 0.2))


def simulate_morphology(
    morphology: Morphology,
    stimuli: xr.DataArray,
    inject: Sequence[str],
    *,
    channels: Mapping[str, Parameters] | None = None,
    cable: CableParameters | None = None,
    dt: float = 2.5e-5,
    progress: bool = True,
) -> xr.DataArray:
    """Inject currents into places of a neuron with a shape and record its membrane everywhere.

    Parameters
    ----------
    morphology : the shape; each point but the root of a cable is a compartment that reaches back to its parent.
    stimuli : currents (stimulus, time, unit), A, with ``time_step``; a multiple of `dt`.
    inject : the compartment that each unit reaches, "soma/0" or "dendrite/12"; "soma" is its first.
    channels : by label, the record of a neuron with channels (Hodgkin-Huxley, squid axon, Wang-Buzsaki), all of one
        kind. Their conductances are taken as a share of their capacitance, so that its area cancels.
    cable : capacitance and inside of every compartment, leak of those without channels.
    dt : step, s.
    progress : show a progress bar.

    Returns
    -------
    membrane (stimulus, time, compartment), V, at the end of every `dt`; along ``compartment`` its ``label``,
    ``distance`` from the root (m) and ``area`` (m2).

    Raises
    ------
    InputError : no labelled currents, or such above 1e-3 A, an unknown compartment or label, two units in one place,
        channels of several kinds or of none, a step that does not fit, a membrane that is no finite number.

    Examples
    --------
    >>> stick = ns.biophysics.Morphology(["dendrite"] * 3, [[k * 1e-4, 0, 0] for k in range(3)], [2e-6] * 3, [-1, 0, 1])
    >>> current = ns.as_stimuli(np.full((1, 5, 1), 1e-11), dims=("stimulus", "time", "unit"), time_step=1e-3)
    >>> found = ns.biophysics.simulate_morphology(stick, current, ["dendrite/0"], dt=1e-4)
    >>> found.sizes["compartment"], bool(found[0, -1, 0] > found[0, -1, 1])
    (2, True)
    """
    cable, channels = cable or CableParameters(), dict(channels or {})
    values, every = _currents(stimuli, one_of("simulate_morphology", "dt", dt, number))
    gates = _gates_of(channels, morphology)
    b2 = import_brian2()
    with preferences(b2, "numpy"):
        tree = _tree(b2, morphology)
        labels, names = _named(tree)
        places = _places(inject, names, labels, values.shape[2])
        one = _Cable(b2, tree, labels, channels, cable, gates, dt)
        runs = [
            one.answer(current, places, every)
            for current in track(values, "simulating a morphology", len(values), progress=progress)
        ]
    membrane = np.stack(runs)
    where = {"label": labels, "distance": one.distance, "area": one.area}
    return xr.DataArray(
        membrane,
        dims=("stimulus", "time", "compartment"),
        coords={
            "stimulus": stimuli["stimulus"].values,
            "time": (np.arange(membrane.shape[1]) + 1) * dt,
            "compartment": names,
            **{k: ("compartment", v) for k, v in where.items()},
        },
        attrs={"units": "V", "time_step": dt},
    )


class _Cable:
    """One neuron with a shape in Brian2, built anew for each stimulus."""

    def __init__(
        self,
        b2: ModuleType,
        tree: Any,
        labels: np.ndarray,
        channels: Mapping[str, Parameters],
        cable: CableParameters,
        gates: Gates | None,
        dt: float,
    ) -> None:
        self.b2, self.tree, self.cable, self.gates, self.dt = b2, tree, cable, gates, dt
        n = len(labels)
        self.numbers = {"g_leak": np.full(n, cable.g_leak), "e_leak": np.full(n, cable.e_leak)}
        self.numbers |= {name: np.zeros(n) for name in CHANNELS}
        self.start = {"v": self.numbers["e_leak"].copy()}
        for label, record in channels.items():
            self._fill(labels == label, record)
        self.distance, self.area = np.zeros(n), np.zeros(n)

    def _fill(self, chosen: np.ndarray, record: Parameters) -> None:
        """Give compartments the channels of a record, and the state in which these rest."""
        numbers = as_dict(record)
        for name in self.numbers:
            density = self.cable.capacitance / numbers["capacitance"] if name.startswith("g_") else 1.0
            self.numbers[name][chosen] = numbers[name] * density
        assert self.gates is not None
        for name, value in resting_state(numbers, self.gates.rates).items():
            self.start.setdefault(name.removesuffix("_rest"), np.zeros(len(chosen)))[chosen] = value

    def answer(self, current: np.ndarray, places: np.ndarray, every: int) -> np.ndarray:
        """Return the membrane (step, compartment), V, under currents (time, unit), A."""
        b2 = self.b2
        shown = b2.TimedArray(current, dt=every * self.dt * b2.second, name="shown")
        neuron = b2.SpatialNeuron(
            self.tree, self._equations(), method="exponential_euler", dt=self.dt * b2.second,
            Cm=self.cable.capacitance * b2.farad / b2.meter**2, Ri=self.cable.resistivity * b2.ohm * b2.meter,
            namespace={"shown": shown}, name="cable",
        )  # fmt: skip
        for name, values in self.numbers.items():
            setattr(neuron, name, values)
        moving = self.gates.moving if self.gates else ()
        for name in ("v", *moving):
            setattr(neuron, name, self.start[name] * (b2.volt if name == "v" else 1))
        neuron.unit[places] = np.arange(len(places))
        neuron.is_reached[places] = 1.0
        self.distance, self.area = np.asarray(neuron.distance_).copy(), np.asarray(neuron.area_).copy()
        kept = b2.StateMonitor(neuron, "v", record=True, when="end", name="kept")
        network = b2.Network(neuron, kept)
        try:
            with unsearched():
                network.run(len(current) * every * self.dt * b2.second, namespace={})
        except b2.core.base.BrianObjectException as error:
            if not isinstance(error.__cause__, ValueError):  # which its solver raises where numbers are not finite
                raise
        membrane = np.array(kept.v_).T
        good = np.isfinite(membrane).all(axis=1)
        if len(good) < len(current) * every or not good.all():
            step = len(good) if good.all() else int(np.argmin(good))
            raise InputError(
                f"simulate_morphology: the membrane is no finite number from {(step + 1) * self.dt:g} s on; take a "
                "shorter dt, or weaken the current."
            )
        return membrane

    def _equations(self) -> str:
        """Return the equations in Brian2's language; channels and their gates where there are any."""
        numbers = [f"{name} : 1 (constant)" for name in (*self.numbers, "is_reached")]
        leak = "g_leak*(e_leak - v/volt)"
        lines = [*numbers, "unit : integer (constant)", "I = is_reached*shown(t, unit)*amp : amp (point current)"]
        if self.gates is None:
            return "\n".join([*lines, f"Im = {leak}*amp/meter**2 : amp/meter**2"])
        functions = TextFunctions()
        rates = self.gates.rates(Text("u"), functions)
        lines.append(f"u = {PER_MV}*(v/volt - v_shift) : 1")  # read where a step begins
        for gate, (opening, closing) in rates.items():
            both = (("opening", opening), ("closing", closing))
            lines += [f"{name}_{gate} = {_code(rate)} : 1 {STILL}" for name, rate in both]
            change = f"(opening_{gate}*(1 - {gate}) - closing_{gate}*{gate})*{PER_MS}/second"
            balance = f"{gate} = {_code(opening / (opening + closing))} : 1 {STILL}"
            lines.append(f"d{gate}/dt = {change} : 1" if gate in self.gates.moving else balance)
        ionic = f"{leak} + g_na*m**3*h*(e_na - v/volt) + g_k*n**4*(e_k - v/volt)"
        return "\n".join([*lines, f"Im = ({ionic})*amp/meter**2 : amp/meter**2"])


def _code(value: Any) -> str:
    return value.code if isinstance(value, Text) else repr(float(value))


def _currents(stimuli: xr.DataArray, dt: float) -> tuple[np.ndarray, int]:
    """Return currents (stimulus, time, unit) and the number of steps that each lasts."""
    who = "simulate_morphology"
    if not isinstance(stimuli, xr.DataArray) or set(stimuli.dims) != {"stimulus", "time", "unit"}:
        found = tuple(stimuli.dims) if isinstance(stimuli, xr.DataArray) else type(stimuli).__name__
        raise InputError(f"{who}: labelled currents (stimulus, time, unit) in A asked, found {found}; see as_stimuli.")
    values = np.asarray(stimuli.transpose("stimulus", "time", "unit").values, dtype=float)
    if not np.isfinite(values).all():
        raise InputError(f"{who}: the stimuli hold NaN or infinity; drop or impute them first.")
    largest = float(np.abs(values).max(initial=0.0))
    if largest > LARGEST_CURRENT:
        raise InputError(
            f"{who}: currents up to {largest:g} A are outside -{LARGEST_CURRENT:g}..{LARGEST_CURRENT:g} A. Currents "
            "are in SI units: 200 pA is 200e-12."
        )
    step = step_of(stimuli, who)
    every = step / dt if dt > 0 else 0.0
    if not (every > 0.5 and is_whole(every)):
        raise InputError(f"{who}: stimuli come every {step:g} s, which is no whole number of steps dt = {dt:g} s.")
    return values, round(every)


def _gates_of(channels: Mapping[str, Parameters], morphology: Morphology) -> Gates | None:
    """Return how the gates move in every section with channels."""
    who, known = "simulate_morphology", [model.name for model in NEURONS.values() if model.gates is not None]
    found = []
    for label, record in channels.items():
        if label not in morphology.sizes:
            raise InputError(
                f"{who}: no section {label!r}; the morphology has {', '.join(morphology.sizes)}."
                f"{suggest(label, morphology.sizes)}"
            )
        model = neuron_of(record)
        if model is None or model.gates is None:
            raise InputError(
                f"{who}: channels of {label!r} are a record of {', '.join(known)}, found {type(record).__name__}."
            )
        found.append(model)
    if len({model.name for model in found}) > 1:
        raise InputError(f"{who}: channels of one kind asked, found {', '.join(model.name for model in found)}.")
    return found[0].gates if found else None


def _tree(b2: ModuleType, morphology: Morphology) -> Any:
    """Return the shape as Brian2 has it; places are in micrometres there."""
    points = [
        (index + 1, str(label), *(place * 1e6), diameter * 1e6, parent + 1 if parent >= 0 else -1)
        for index, (label, place, diameter, parent) in enumerate(
            zip(morphology.label, morphology.position, morphology.diameter, morphology.parent.tolist(), strict=True)
        )
    ]
    return b2.Morphology.from_points(points)


def _sections(tree: Any) -> Iterator[Any]:
    waiting = [tree]
    while waiting:
        section = waiting.pop()
        yield section
        waiting += list(section.children)


def _named(tree: Any) -> tuple[np.ndarray, list[str]]:
    """Return the label of every compartment, and its name: label and place among those of its label."""
    labels = np.empty(tree.total_compartments, dtype=object)
    for section in _sections(tree):
        labels[np.atleast_1d(section.indices[:])] = section.type
    names, seen = [], dict.fromkeys(labels.tolist(), 0)
    for label in labels.tolist():
        names.append(f"{label}/{seen[label]}")
        seen[label] += 1
    return labels.astype(str), names


def _places(inject: Sequence[str], names: Sequence[str], labels: np.ndarray, n_units: int) -> np.ndarray:
    """Return the compartment that each unit reaches."""
    who = "simulate_morphology"
    asked = [inject] if isinstance(inject, str) else [str(name) for name in inject]
    full = [name if "/" in name else f"{name}/0" for name in asked]
    for name in full:
        if name not in names:
            counts = {str(k): int((labels == k).sum()) for k in dict.fromkeys(labels.tolist())}
            known = ", ".join(f"{k}/0 to {k}/{n - 1}" for k, n in counts.items())
            raise InputError(f"{who}: no compartment {name!r}; there are {known}.")
    if len(full) != n_units or len(set(full)) != len(full):
        raise InputError(f"{who}: the stimuli have {n_units} units; as many places that differ asked, found {asked}.")
    return np.array([names.index(name) for name in full])
