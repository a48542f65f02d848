"""Record what every layer of a network answers to stimuli, as labelled responses."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import snntorch as snn
import torch
import xarray as xr
from torch import Tensor, nn

from neurosim.networks.axes import Reading, step_of_both
from neurosim.networks.door import Data, is_data
from neurosim.networks.naming import layer_label, layer_labels, layer_names
from neurosim.networks.passes import Passes
from neurosim.networks.showing import Shown, as_network, as_shown
from neurosim.networks.shown_data import stimuli_of
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.networks.streaming import Plan, stream_responses
from neurosim.networks.taps import Answer, cast_inputs
from neurosim.networks.untouched import evaluating
from neurosim.refusals import asked_by
from neurosim.runtime import kept_memory
from neurosim.schema import InputError, responses_to

__all__ = ["iterate_layers", "layer_label", "layer_names", "predict", "record_neurons", "record_responses"]


def record_responses(
    network: nn.Module,
    stimuli: xr.DataArray | Data | Iterable[Any],
    *,
    layers: Sequence[str] | None = None,
    reading: Reading | None = None,
    batch_size: int = 128,
    device: str = "auto",
    double: bool = False,
    out: str | Path | None = None,
    memory: int = 2**33,
    progress: bool = True,
) -> xr.DataArray:
    """Show `stimuli` to a network and record the output of its layers, copied before anything can change it.

    Works with any ``torch.nn.Module``. ``time`` is what ``nn.RNN``, ``nn.LSTM``, ``nn.GRU``, modules marked
    ``time_first`` and those of SpikingJelly in multi-step mode answer over, and what snnTorch neurons, recurrent cells
    and what is called as often as they are run through call by call. Other modules that are called again answer once a
    call: "relu", "relu#2". The axis of stimuli is measured, by showing 2 and then 3 stimuli first. Stimuli with a
    ``time`` dim reach the network as (time, batch, ...); integers stay integers where an embedding takes them or
    nothing else is taken.

    Parameters
    ----------
    network : module; it is run in evaluation mode, and left as it was found.
    stimuli : (stimulus, [time,] [channel,] y, x) or (stimulus, [time,] unit); or a dataset, which is read while it is
        shown, a ``DataLoader`` or another iterable of data of one's own, :class:`~neurosim.networks.Data`, or the test
        set of a ``lazy_task``. Paths and ids of samples become the names of the stimuli; a dataset that
        holds them inside its samples alone is read once for them.
    layers : names of modules as in ``network.named_modules()``, with wildcards ("conv*"), which look among the layers
        that the network names in ``recorded`` first; by default those, otherwise every leaf module with parameters.
        "relu#2" is the second call alone, "conv1:input" what a layer takes, "encoder:last_hidden_state" or "lstm:1" a
        part of what it answers, "output" the answer of the whole network. What is no module is looked for among the
        operations that torch.fx traces, which are named as by torchvision: "layer1.0.add", "flatten". Layers that were
        not asked for by name and are not reached are left out, and logged.
    reading : how answers are read, where the kind of layer does not tell, and what of them is kept:
        ``Reading(pool="mean")``, ``Reading(tokens=0)``, ``Reading(batch_axis=1)``.
    batch_size : stimuli shown at once.
    device : "auto", "cpu" or "cuda".
    double : compute in float64, as needed to compare spikes one by one.
    out : netCDF file that responses are streamed to, batch by batch; spikes take one bit each. What is returned is then
        read from it when it is used.
    memory : bytes that responses may take when there is no `out`.
    progress : show a bar.

    Returns
    -------
    responses (stimulus, [time,] unit) with ``layer`` along ``unit``. The time step is the ``time_step`` of the network,
    else that of the stimuli, else 1 s.

    Raises
    ------
    InputError : unknown layer, a layer that is never reached, layers with and without time mixed, more than `memory`,
        axes that are not known, a part that is not named, stimuli that the network does not take, an operation of code
        that cannot be traced, answers to a stimulus that depend on the others in its batch.

    Examples
    --------
    >>> from torch import nn
    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(16, 3), nn.ReLU())
    >>> ns.record_responses(net, ns.as_stimuli(np.zeros((4, 4, 4))), layers=["2"]).shape
    (4, 3)
    """
    network = as_network(network)
    _check_place(out, memory)
    recorded = partial(
        _recorded,
        network,
        layers=layers,
        reading=reading,
        batch_size=batch_size,
        where=(device, double),
        out=out,
        memory=memory,
        progress=progress,
    )
    if not is_data(stimuli) and not hasattr(stimuli, "places"):
        return recorded(as_shown(stimuli, "record_responses"))
    shown = list(itertools.islice(parts := stimuli_of(stimuli, "record_responses"), 2))
    if len(shown) == 1:
        return recorded(shown[0])
    if out is not None:
        raise InputError(
            "record_responses: how many stimuli a loader or iterable gives is known only at its end, and out= asks for "
            "it; pass the dataset itself."
        )
    return xr.concat([recorded(part) for part in itertools.chain(shown, parts)], dim="stimulus")


def _recorded(
    network: nn.Module,
    stimuli: xr.DataArray,
    *,
    layers: Sequence[str] | None,
    reading: Reading | None,
    batch_size: int,
    where: tuple[str, bool],
    out: str | Path | None,
    memory: int,
    progress: bool,
) -> xr.DataArray:
    with evaluating(network, *where) as device, kept_memory():
        passes = Passes(
            network,
            stimuli,
            layers,
            (device, where[1]),
            batch_size=batch_size,
            reading=reading,
        )
        blocks = passes.blocks(progress=progress)
        first = next(blocks)
        plan = _plan(network, passes.found, first, stimuli)
        n_bytes = plan.itemsize * plan.n_values
        if out is None and n_bytes > memory:
            raise InputError(
                f"record_responses: the responses take {n_bytes / 2**30:.1f} GiB, more than memory = "
                f"{memory / 2**30:.1f} GiB; pass out='responses.nc' to stream them to disk, or fewer layers."
            )
        numbered = _numbered(plan, first, blocks)
        if out is not None:
            return stream_responses(Path(out), plan, ((start, _joined(block)) for start, block in numbered))
        values = np.empty(plan.shape, dtype=plan.dtype)
        for start, block in numbered:
            _fill(values, start, block)
    return plan.labelled(values)


def _check_place(out: str | Path | None, memory: float) -> None:
    if isinstance(memory, bool) or not isinstance(memory, int | float | np.integer):
        raise InputError(f"record_responses: memory = {memory!r}; a number of bytes is asked.")
    if out is not None and Path(out).is_dir():
        raise InputError(f"record_responses: out = {str(out)!r} is a folder; a file is asked, as in 'responses.nc'.")


def _time_step(network: nn.Module, stimuli: xr.DataArray, who: str) -> float:
    """Return how long a step lasts, s; steps that nobody gave a duration are counted."""
    found = step_of_both(stimuli.attrs.get("time_step") if "time" in stimuli.dims else None, network, who)
    return 1.0 if found is None else found


def _plan(network: nn.Module, found: Sequence[Answer], first: dict[str, np.ndarray], stimuli: xr.DataArray) -> Plan:
    """Return what the responses will be, from those to the first batch."""
    names = [a.name for a in found]
    with_time = [name for name in names if first[name].ndim == 3]
    if with_time and len(with_time) != len(names):
        still = [name for name in names if name not in with_time]
        raise InputError(
            f"record_responses: {with_time[:2]} answer over time, {still[:2]} do not; record them apart with layers=."
        )
    lengths = {name: first[name].shape[1] for name in with_time}
    if len(set(lengths.values())) > 1:
        raise InputError(f"record_responses: layers answer over {lengths} steps; record them apart with layers=.")
    labels = np.repeat(layer_labels(network, names), [first[name].shape[-1] for name in names])
    time_step = _time_step(network, stimuli, "record_responses")
    return Plan(
        stimuli=stimuli,
        layer=labels,
        n_time=first[names[0]].shape[1] if with_time else None,
        dtype=np.result_type(*(a.dtype for a in first.values())),
        quantity="spike_count" if _is_spiking(network, found) else "activation",
        time_step=time_step if with_time else None,
    )


def _numbered(
    plan: Plan, first: dict[str, np.ndarray], others: Iterator[dict[str, np.ndarray]]
) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """Yield the place of the first stimulus of each batch, and the batch, until every stimulus had its answer."""
    start = 0
    for block in itertools.chain([first], others):
        _check_alike(first, block)
        yield start, block
        start += len(next(iter(block.values())))
    if start != plan.shape[0]:
        raise InputError(f"record_responses: {start} of {plan.shape[0]} stimuli were answered.")


def _check_alike(first: dict[str, np.ndarray], block: dict[str, np.ndarray]) -> None:
    n_stimuli = len(next(iter(block.values())))
    for name, array in block.items():
        if array.shape[1:] != first[name].shape[1:] or len(array) != n_stimuli:
            raise InputError(
                f"record_responses: layer {name!r} answers with shape {first[name].shape} to one batch and "
                f"{array.shape} to another; show stimuli of one length, or choose by reading=Reading(...)."
            )


def _joined(block: dict[str, np.ndarray]) -> np.ndarray:
    return np.concatenate(list(block.values()), axis=-1)


def _fill(values: np.ndarray, start: int, block: dict[str, np.ndarray]) -> None:
    unit = 0
    for array in block.values():
        values[start : start + len(array), ..., unit : unit + array.shape[-1]] = array
        unit += array.shape[-1]


@asked_by("record_neurons")
def record_neurons(
    network: nn.Module,
    stimuli: xr.DataArray,
    layers: Sequence[str],
    *,
    batch_size: int = 128,
    device: str = "auto",
    double: bool = True,
    membrane: bool = True,
) -> xr.Dataset:
    """Record spikes and membrane of the spiking neurons of a network, as a translation is compared with.

    Parameters
    ----------
    network, stimuli, batch_size, device, double : as for :func:`record_responses`.
    layers : names of neuron modules, ours or snnTorch's.
    membrane : also return the membrane.

    Returns
    -------
    Dataset with ``responses`` (stimulus, time, unit) of spikes, with ``layer`` along ``unit``, and ``membrane``.

    Raises
    ------
    InputError : a layer that is unknown or never reached.
    """
    network, stimuli = as_network(network), as_shown(stimuli, "record_neurons")
    layers = [layers] if isinstance(layers, str) else list(layers)
    _check_neurons(network, layers)
    parts: list[list[np.ndarray]] = [[] for _ in range(1 + membrane)]
    with evaluating(network, device, double) as where, torch.no_grad(), _hearing_neurons(network, layers) as seen:
        show = Shown(network, stimuli, where, double)
        for start in show.starts(batch_size):
            seen.clear()
            show.run(start, batch_size)
            if absent := [n for n in layers if n not in seen]:
                raise InputError(f"record_neurons: layer {absent[0]!r} is never reached by the stimuli.")
            for k, part in enumerate(parts):
                rows = [_time_second([pair[k] for pair in seen[n]]) for n in layers]
                part.append(np.concatenate(rows, axis=-1))
    names = np.repeat(layer_labels(network, layers), [r.shape[-1] for r in rows])
    time_step = _time_step(network, stimuli, "record_neurons")
    responses = responses_to(
        stimuli,
        np.concatenate(parts[0]),
        coords={"layer": ("unit", names)},
        quantity="spike_count",
        time_step=time_step,
    )
    found = xr.Dataset({"responses": responses})
    return found.assign(membrane=(responses.dims, np.concatenate(parts[1]))) if membrane else found


def _check_neurons(network: nn.Module, layers: Sequence[str]) -> None:
    modules = dict(network.named_modules(remove_duplicate=False))
    if unknown := [n for n in layers if n not in modules]:
        raise InputError(f"record_neurons: no layer {unknown[0]!r} in {type(network).__name__}.")
    if other := [n for n in layers if not isinstance(modules[n], SpikingLayer | snn.SpikingNeuron)]:
        kind = type(modules[other[0]]).__name__
        raise InputError(f"record_neurons: layer {other[0]!r} is a {kind}, not of spiking neurons; leave it out.")
    if not layers:
        raise InputError("record_neurons: layers = [] names no layer; neurons are asked.")


@contextlib.contextmanager
def _hearing_neurons(network: nn.Module, layers: Sequence[str]) -> Iterator[dict[str, list[tuple[Tensor, Tensor]]]]:
    """Give spikes and membrane of each call of neurons, by layer; to be emptied between batches."""
    seen: dict[str, list[tuple[Tensor, Tensor]]] = {}

    def keep(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], object], None]:
        places, calls = _places(network, name), itertools.count()

        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: object) -> None:
            if places[next(calls) % len(places)] == name:
                spikes, membrane = _spikes_and_membrane(module, inputs, output)
                seen.setdefault(name, []).append((spikes.clone(), membrane.clone()))

        return hook

    handles = [network.get_submodule(name).register_forward_hook(keep(name)) for name in layers]
    handles += cast_inputs(network)
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _places(network: nn.Module, name: str) -> list[str]:
    """Return the names of the places of a sequence in which one module of neurons stands, in the order of its calls."""
    chain = network.chain() if hasattr(network, "chain") else []  # type: ignore[operator]
    found = [n for n, m in chain if m is network.get_submodule(name)]
    return found if name in found else [name]


def _spikes_and_membrane(module: nn.Module, inputs: tuple[Tensor, ...], output: object) -> tuple[Tensor, Tensor]:
    if isinstance(module, SpikingLayer):
        spikes = output[0] if isinstance(output, tuple) else output
        assert isinstance(spikes, Tensor)
        return spikes, module.membrane(inputs[0])
    first, last = (output[0], output[-1]) if isinstance(output, tuple) else (output, module.mem)
    return first.detach().unsqueeze(0), last.detach().unsqueeze(0)  # type: ignore[union-attr, operator]


def _time_second(steps: list[Tensor]) -> np.ndarray:
    """Return (stimulus, time, unit) of calls that each hold (time, batch, ...)."""
    return torch.cat(steps).transpose(0, 1).flatten(2).cpu().numpy()


def iterate_layers(
    network: nn.Module,
    stimuli: xr.DataArray,
    layers: Sequence[str] | None = None,
    batch_size: int = 128,
    device: str = "auto",
    double: bool = False,
    progress: bool = True,
    memory: int = 2**29,
    places: slice = slice(None),
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (layer, array (stimulus, [time,] unit)), holding at most about `memory` bytes of activity at once.

    The network runs once a group of layers that fits into `memory`: large networks cost time, never memory. Of the
    layers, in their order, those at `places` are yielded.
    """
    network, stimuli = as_network(network), as_shown(stimuli, "iterate_layers")
    with evaluating(network, device, double) as where:
        passes = Passes(network, stimuli, layers, (where, double), batch_size=batch_size)
        sizes = {n: a.nbytes * stimuli.sizes["stimulus"] for n, a in passes.one().items()}
        for group in _groups(list(sizes)[places], sizes, memory):
            parts = list(passes.blocks(group, progress))
            for part in parts:
                _check_alike(parts[0], part)
            for name in group:
                yield name, np.concatenate([part[name] for part in parts])


@asked_by("predict")
def predict(
    network: nn.Module, stimuli: xr.DataArray, *, batch_size: int = 128, device: str = "auto", double: bool = False
) -> np.ndarray:
    """Return the index of the category that `network` gives each stimulus, shape (stimulus,)."""
    network, stimuli = as_network(network), as_shown(stimuli, "predict")
    with evaluating(network, device, double) as where, torch.no_grad():
        show = Shown(network, stimuli, where, double)
        logits = [show.run(start, batch_size) for start in show.starts(batch_size)]
    n_answers = sum(len(one) for one in logits if isinstance(one, Tensor) and one.ndim == 2)
    if n_answers != stimuli.sizes["stimulus"]:
        raise InputError(f"predict: {type(network).__name__} does not answer with logits (batch, category).")
    return torch.cat(logits).argmax(1).cpu().numpy()


def _is_spiking(network: nn.Module, found: Sequence[Answer]) -> bool:
    modules = dict(network.named_modules())
    return all(isinstance(modules.get(a.tap.module), SpikingLayer) and not a.tap.path for a in found)


def _groups(names: Sequence[str], sizes: dict[str, int], memory: int) -> Iterator[list[str]]:
    group: list[str] = []
    for name in names:
        if group and sum(sizes[n] for n in group) + sizes[name] > memory:
            yield group
            group = []
        group.append(name)
    if group:
        yield group
