"""The bridge between two rooms: a trained network becomes a circuit and back, and every spike is compared.

Networks and circuits meet in the NIR graph; this is the one place that knows both.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import nir
import numpy as np
import xarray as xr

from neurosim.arrays import plain
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.inputs import InputKind
from neurosim.biophysics.nir_circuits import circuit_from_nir, circuit_to_nir
from neurosim.biophysics.presentation import check_stimuli
from neurosim.biophysics.simulation import Monitors, simulate
from neurosim.networks import nir_export
from neurosim.networks.chains import neuron_names, structure_of
from neurosim.networks.probing import casting_spikes
from neurosim.networks.recording import layer_label, record_neurons
from neurosim.networks.stepwise import OverTime, TimeFirst, is_stepwise
from neurosim.nir_graphs import IfInput, Integration
from neurosim.refusals import InputError, asked_by
from neurosim.schema import as_stimuli

if TYPE_CHECKING:
    from torch import Tensor, nn

TIE = 1e-5


@asked_by("to_circuit", "to_nir")
def to_circuit(
    network: nn.Module | nir.NIRGraph,
    *,
    name: str = "twin",
    dt: float | None = None,
    inputs: InputKind | None = None,
    duration: float | None = None,
    input_shape: tuple[int, ...] | None = None,
    example: Tensor | None = None,
    integration: Integration = "euler",
    if_input: IfInput | None = None,
) -> Circuit:
    """Translate a trained spiking network, or any NIR graph, into a circuit that spikes identically.

    Parameters
    ----------
    network : one of our spiking networks; an ``nn.Sequential`` or module of ``snn.Leaky``, ``snn.RLeaky``,
        ``snn.Synaptic``, ``snn.RSynaptic``, ``snn.Lapicque`` and ``snn.Alpha`` with linear layers, convolutions,
        average pooling and batch norm; or a NIR graph. A ``MembraneReadout`` becomes units without spikes.
    name : name of the circuit.
    dt : duration of one step, s; snnTorch knows none (default 1 ms), a plain NIR graph neither (default 0.1 ms).
    inputs : what is shown, "spikes" (default) or "current"; known for our networks.
    duration : how long stimuli without a ``time`` dim are shown, s; read where `inputs` are currents.
    input_shape : shape of the input of one step, where the first layer does not tell.
    example : input (time, batch, ...) of two steps or more of a module with a ``forward`` of its own, for which it
        is needed unless its ``Linear`` layers tell the width of its input. Each of its neurons must get a fixed
        weighted sum of the input and of spikes, of this step or of earlier ones, and do what its equation says; that is
        proven on the example and on random input.
    integration : how plain NIR neurons become steps, "euler" or "exact".
    if_input : what reaches plain IF neurons of NIR, "charge" a step or a "current"; asked by a warning.

    Returns
    -------
    circuit of discrete neurons, on the first rung of the ladder.

    Raises
    ------
    InputError : a layer, node or option that cannot be represented, by name.

    Examples
    --------
    >>> import snntorch, torch
    >>> net = torch.nn.Sequential(torch.nn.Linear(4, 3), snntorch.Leaky(beta=0.9))
    >>> ns.to_circuit(net).sizes
    {'input': 4, '1': 3}
    """
    if isinstance(network, nir.NIRGraph):
        graph = network
    else:
        _check_module(network, "to_circuit", " or a NIR graph")
        graph = nir_export.to_nir(
            network, input_shape=input_shape, dt=dt or 1e-3, inputs=inputs or "spikes", example=example
        )
        dt = None
    circuit = circuit_from_nir(
        graph, name=name, dt=dt, integration=integration, inputs=inputs, duration=duration, if_input=if_input
    )
    return circuit if isinstance(network, nir.NIRGraph) else _in_order_of(circuit, list(graph.nodes))


def _check_module(network: object, who: str, besides: str = "") -> None:
    """Refuse what is no network; nothing is imported to recognise one."""
    if isinstance(network, type):
        raise InputError(
            f"{who}: a spiking network asked, found the class {network.__name__}; make one: {network.__name__}(...)."
        )
    if not (hasattr(network, "named_modules") and hasattr(network, "forward")):
        raise InputError(f"{who}: a spiking network (torch.nn.Module){besides} asked, found {type(network).__name__}.")


def _in_order_of(circuit: Circuit, names: list[str]) -> Circuit:
    """Return the circuit with its populations in the order of calls, in which spikes pass on within a step."""
    return replace(circuit, populations=tuple(sorted(circuit.populations, key=lambda p: names.index(p.name))))


def to_nir(subject: nn.Module | Circuit, **options: Any) -> nir.NIRGraph:
    """Return a spiking network or a circuit of the first rung as a NIR graph.

    Parameters
    ----------
    subject : network (`options` are those of ``neurosim.networks.nir_export.to_nir``) or circuit.

    Raises
    ------
    InputError : something that NIR cannot hold, by name.

    Returns
    -------
    the graph, which ``nir.write`` keeps.

    Examples
    --------
    >>> import snntorch, torch
    >>> net = torch.nn.Sequential(torch.nn.Linear(4, 3), snntorch.Leaky(beta=0.9))
    >>> sorted(type(node).__name__ for node in ns.to_nir(net).nodes.values())
    ['Affine', 'Input', 'LIF', 'Output']
    """
    if isinstance(subject, Circuit):
        return circuit_to_nir(subject)
    _check_module(subject, "to_nir", " or a circuit")
    return nir_export.to_nir(subject, **options)


@asked_by("verify_translation", "to_nir", "simulate", "record_responses")
def verify_translation(
    network: nn.Module,
    circuit: Circuit,
    stimuli: xr.DataArray,
    *,
    double: bool = True,
    example: Tensor | None = None,
    engine: str = "auto",
    n_membrane: int = 20,
    progress: bool = True,
) -> xr.Dataset:
    """Compare every spike of a network with those of the circuit it was translated into.

    Parameters
    ----------
    network : the trained network; it is run in float64, or as it is with ``double=False``.
    circuit : its translation.
    stimuli : shown to both, as the circuit takes them; of a bare array the axes are (stimulus, time, unit), or those
        that :func:`neurosim.as_stimuli` knows.
    example : input with which the order of the layers was found out, as for :func:`to_circuit`.
    engine : engine of the circuit.
    n_membrane : number of stimuli whose membranes are compared too. progress : show a bar.

    Returns
    -------
    Dataset along ``layer``: ``n_spikes`` of the network, ``n_differing`` spikes, ``first_step``, ``first_neuron``,
    ``first_stimulus`` of the first difference (-1 where there is none) and its ``margin``, the distance of the
    membrane from threshold, and the largest ``membrane_difference`` before any difference. The attribute ``verdict``
    is "bit-exact" (spikes and membranes equal), "spike-exact", "tie-broken" (the first difference of every stimulus is
    a membrane within 1e-5 of threshold; what follows is its consequence) or "different"; ``engine`` is the one used.

    Raises
    ------
    InputError : the layers of the two do not fit.

    Examples
    --------
    >>> import snntorch, torch
    >>> net = torch.nn.Sequential(torch.nn.Linear(4, 3), snntorch.Leaky(beta=0.9))
    >>> spikes = ns.as_stimuli(np.ones((2, 9, 4)), dims=("stimulus", "time", "unit"), time_step=1e-3)
    >>> ns.verify_translation(net, ns.to_circuit(net), spikes).n_differing.values
    array([0])
    """
    _check_module(network, "verify_translation")
    if not isinstance(circuit, Circuit):
        raise InputError(
            f"verify_translation: the circuit that to_circuit made of the network asked, found "
            f"{type(circuit).__name__}."
        )
    stimuli = _labelled(stimuli, circuit)
    structure = structure_of(network, example)
    modules = neuron_names(structure)
    labels = [layer_label(n) for n in modules]
    runnable, prefix = _runnable(network, structure.time.axis, circuit, "time" in stimuli.dims)
    if labels != [p.name for p in circuit.populations]:
        raise InputError(
            f"verify_translation: the network has the layers {labels}, the circuit "
            f"{[p.name for p in circuit.populations]}; pass the circuit that to_circuit made of this network."
        )
    with casting_spikes(network, double):
        expected = record_neurons(runnable, stimuli, [prefix + n for n in modules], double=double)
    found = simulate(circuit, stimuli, engine=engine, progress=progress)
    if expected["responses"].shape != found.shape:
        raise InputError(
            f"verify_translation: the network answers with {expected['responses'].shape} spikes (stimulus, time, "
            f"unit), the circuit with {found.shape}; give to_circuit the duration that the network takes."
        )
    silent = np.isin(found.layer.values, [p.name for p in circuit.populations if not p.sends_spikes])
    expected["responses"].values[..., silent] = (
        0  # the network answers with these membranes, and sends no spike of them
    )
    differs = expected["responses"].values != found.values
    chosen = np.unique(np.concatenate([np.arange(min(n_membrane, len(differs))), np.flatnonzero(differs.any((1, 2)))]))
    traces = simulate(
        circuit, stimuli.isel(stimulus=chosen), engine=engine, monitors=Monitors(membrane=labels), progress=progress
    )
    return _report(circuit, expected, differs, chosen, traces["membrane_potential"].values, found.attrs["engine"])


def _runnable(network: nn.Module, time_axis: int | None, circuit: Circuit, in_steps: bool) -> tuple[nn.Module, str]:
    """Return a network that takes (time, batch, ...), and what the names of its modules begin with."""
    if is_stepwise(network):
        shown = circuit.only_input("verify_translation")
        n_steps = None if in_steps else round((shown.duration or 0.0) / circuit.step)
        return OverTime(network, n_steps=n_steps, time_step=circuit.step), "network."  # type: ignore[arg-type]
    return (TimeFirst(network), "network.") if time_axis == 1 else (network, "")


def _labelled(given: object, circuit: Circuit) -> xr.DataArray:
    """Return stimuli with names of dims, checked to be what the circuit takes."""
    stimuli: xr.DataArray
    if isinstance(given, xr.DataArray):
        stimuli = given
    else:
        values = plain(given, "verify_translation")
        shown = circuit.only_input("verify_translation")
        in_steps = values.ndim == 3 and values.shape[2] == shown.size and values.shape[1] > 1
        if not in_steps and shown.kind == "spikes":
            raise InputError(
                f"verify_translation: spikes (stimulus, time, {shown.size} units) asked, found an array "
                f"of shape {values.shape}; name its dims with as_stimuli."
            )
        dims = ("stimulus", "time", "unit") if in_steps else ("stimulus", "unit") if values.ndim == 2 else None
        stimuli = as_stimuli(values, dims=dims, time_step=circuit.step if in_steps else None)
    check_stimuli(circuit, stimuli)
    return stimuli


def _report(
    circuit: Circuit, expected: xr.Dataset, differs: np.ndarray, chosen: np.ndarray, membrane: np.ndarray, engine: str
) -> xr.Dataset:
    spikes = expected["responses"].values
    layer = np.repeat([p.name for p in circuit.populations], [p.size for p in circuit.populations])
    gap = np.abs(membrane - expected["membrane"].values[chosen])
    thresholds = np.concatenate(
        [p.number("threshold") if p.sends_spikes else np.full(p.size, np.inf) for p in circuit.populations]
    )
    before = np.cumsum(differs.any(2), axis=1)[chosen] == 0
    names = ("n_spikes", "n_differing", "first_step", "first_neuron", "first_stimulus", "margin", "membrane_difference")
    rows: dict[str, list[Any]] = {name: [] for name in names}
    for population in circuit.populations:
        own = layer == population.name
        stimulus, step, neuron = np.nonzero(differs[:, :, own])
        rows["n_spikes"].append(int(spikes[:, :, own].sum()))
        rows["n_differing"].append(len(step))
        first = int(np.argmin(step)) if len(step) else None
        place = (-1, -1, -1) if first is None else (int(step[first]), int(neuron[first]), int(stimulus[first]))
        for key, value in zip(("first_step", "first_neuron", "first_stimulus"), place, strict=True):
            rows[key].append(value)
        rows["margin"].append(
            np.nan
            if first is None
            else abs(membrane[np.searchsorted(chosen, place[2]), place[0], own][place[1]] - thresholds[own][place[1]])
        )
        rows["membrane_difference"].append(float((gap[:, :, own] * before[:, :, None]).max()))
    verdict = _verdict(differs, chosen, membrane, thresholds, max(rows["membrane_difference"]))
    return xr.Dataset(
        {k: ("layer", v) for k, v in rows.items()},
        coords={"layer": [p.name for p in circuit.populations]},
        attrs={"verdict": verdict, "engine": engine, "n_stimuli": len(differs), "tie": TIE},
    )


def _verdict(
    differs: np.ndarray, chosen: np.ndarray, membrane: np.ndarray, thresholds: np.ndarray, largest_gap: float
) -> str:
    """Name the outcome; a stimulus is explained when some neuron that differs first was within a tie of threshold."""
    if not differs.any():
        return "bit-exact" if largest_gap == 0 else "spike-exact"
    for stimulus in np.flatnonzero(differs.any((1, 2))):
        step = int(np.argmax(differs[stimulus].any(1)))
        unit = np.flatnonzero(differs[stimulus, step])
        margin = np.abs(membrane[np.searchsorted(chosen, stimulus), step, unit] - thresholds[unit])
        if margin.min() > TIE:
            return "different"
    return "tie-broken"
