"""Record what every layer of a network answers to stimuli, as labelled responses."""

from __future__ import annotations

import contextlib
import fnmatch
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.networks.stepwise import reset_neurons
from neurosim.networks.streaming import Plan, stream_responses
from neurosim.runtime import kept_memory, pick_device, track
from neurosim.schema import InputError, as_responses, suggest


def record_responses(
    network: nn.Module,
    stimuli: xr.DataArray,
    *,
    layers: Sequence[str] | None = None,
    batch_size: int = 128,
    device: str = "auto",
    double: bool = False,
    out: str | Path | None = None,
    memory: int = 2**33,
    progress: bool = True,
) -> xr.DataArray:
    """Show `stimuli` to a network and record the output of its layers.

    Works with any ``torch.nn.Module``. A layer called once a time step (as in snnTorch), or marked ``time_first``,
    answers with a ``time`` dim. Stimuli with a ``time`` dim reach the network as (time, batch, ...).

    Parameters
    ----------
    network : module; it is run in evaluation mode, its weights are left as they are.
    stimuli : (stimulus, [time,] [channel,] y, x) or (stimulus, [time,] unit).
    layers : names of modules as in ``network.named_modules()``, with wildcards ("conv*"), which look among the layers
        that the network names in ``recorded`` first; by default those, otherwise every leaf module with parameters.
    batch_size : stimuli shown at once.
    device : "auto", "cpu" or "cuda".
    double : compute in float64, as needed to compare spikes one by one.
    out : netCDF file that responses are streamed to, batch by batch; spikes take one bit each. What is returned is then
        read from it when it is used.
    memory : bytes that responses may take when there is no `out`.

    Returns
    -------
    responses (stimulus, [time,] unit) with ``layer`` along ``unit``. The time step is the ``time_step`` of the network,
    else that of the stimuli, else 1 s.

    Raises
    ------
    InputError : unknown layer, a layer that is never reached, layers with and without time mixed, more than `memory`.

    Examples
    --------
    >>> from neurosim.schema import as_stimuli
    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(16, 3), nn.ReLU())
    >>> record_responses(net, as_stimuli(np.zeros((4, 4, 4))), layers=["2"]).shape
    (4, 3)
    """
    names = layer_names(network, layers)
    with _evaluating(network, device, double) as where, kept_memory():
        blocks = _blocks(network, stimuli, names, batch_size, where, double, progress)
        first = next(blocks)
        plan = _plan(network, names, first, stimuli)
        n_bytes = plan.itemsize * plan.n_values
        if out is None and n_bytes > memory:
            raise InputError(
                f"record_responses: the responses take {n_bytes / 2**30:.1f} GiB, more than memory = "
                f"{memory / 2**30:.1f} GiB; pass out='responses.nc' to stream them to disk, or fewer layers."
            )
        numbered = _numbered(first, blocks)
        if out is not None:
            return stream_responses(Path(out), plan, ((start, _joined(block)) for start, block in numbered))
        values = np.empty(plan.shape, dtype=plan.dtype)
        for start, block in numbered:
            _fill(values, start, block)
    return plan.labelled(values)


def _plan(network: nn.Module, names: Sequence[str], first: dict[str, np.ndarray], stimuli: xr.DataArray) -> Plan:
    """Return what the responses will be, from those to the first batch."""
    with_time = [name for name in names if first[name].ndim == 3]
    if with_time and len(with_time) != len(names):
        still = [name for name in names if name not in with_time]
        raise InputError(
            f"record_responses: {with_time[:2]} answer over time, {still[:2]} do not; record them apart with layers=."
        )
    labels = np.repeat([layer_label(name) for name in names], [first[name].shape[-1] for name in names])
    time_step = float(getattr(network, "time_step", stimuli.attrs.get("time_step", 1.0)))
    return Plan(
        stimuli=stimuli,
        layer=labels,
        n_time=first[names[0]].shape[1] if with_time else None,
        dtype=np.result_type(*(a.dtype for a in first.values())),
        quantity="spike_count" if _is_spiking(network, names) else "activation",
        time_step=time_step if with_time else None,
    )


def _numbered(
    first: dict[str, np.ndarray], others: Iterator[dict[str, np.ndarray]]
) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """Yield the place of the first stimulus of each batch, and the batch."""
    start = 0
    for block in itertools.chain([first], others):
        yield start, block
        start += len(next(iter(block.values())))


def _joined(block: dict[str, np.ndarray]) -> np.ndarray:
    return np.concatenate(list(block.values()), axis=-1)


def _fill(values: np.ndarray, start: int, block: dict[str, np.ndarray]) -> None:
    unit = 0
    for array in block.values():
        values[start : start + len(array), ..., unit : unit + array.shape[-1]] = array
        unit += array.shape[-1]


@contextlib.contextmanager
def _evaluating(network: nn.Module, device: str, double: bool) -> Iterator[str]:
    """Put a network on its device, in evaluation, in float64 where asked; back as it was afterwards."""
    where = pick_device(device)
    was_training, dtype = network.training, next((p.dtype for p in network.parameters()), torch.float32)
    network.to(where).eval()
    if double:
        network.double()
    try:
        yield where
    finally:
        network.to(dtype).train(was_training)


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
    """
    where = pick_device(device)
    modules, dtype = dict(network.named_modules()), next((p.dtype for p in network.parameters()), torch.float32)
    was_training = network.training
    network.to(where).eval()
    if double:
        network.double()
    seen: dict[str, list[tuple[Tensor, Tensor]]] = {}

    def keep(name: str) -> object:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: object) -> None:
            seen.setdefault(name, []).append(_spikes_and_membrane(module, inputs, output))

        return modules[name].register_forward_hook(hook)

    handles = [keep(name) for name in layers] + _cast_inputs(network)
    parts: list[list[np.ndarray]] = [[], []]
    try:
        with torch.no_grad():
            for start in _starts(stimuli, batch_size):
                seen.clear()
                reset_neurons(network)
                network(_batch(stimuli, start, batch_size, where, double))
                for k in range(1 + membrane):
                    rows = [_time_second([pair[k] for pair in seen[n]]) for n in layers]
                    parts[k].append(np.concatenate(rows, axis=-1))
    finally:
        for handle in handles:
            handle.remove()  # type: ignore[attr-defined]
        network.to(dtype).train(was_training)
    names = np.repeat([layer_label(n) for n in layers], [r.shape[-1] for r in rows])
    time_step = float(getattr(network, "time_step", stimuli.attrs.get("time_step", 1.0)))
    responses = as_responses(
        np.concatenate(parts[0]),
        stimuli=stimuli,
        coords={"layer": ("unit", names)},
        quantity="spike_count",
        time_step=time_step,
    )
    found = xr.Dataset({"responses": responses})
    return found.assign(membrane=(responses.dims, np.concatenate(parts[1]))) if membrane else found


def _spikes_and_membrane(module: nn.Module, inputs: tuple[Tensor, ...], output: object) -> tuple[Tensor, Tensor]:
    if isinstance(module, SpikingLayer):
        assert isinstance(output, Tensor)
        return output, module.membrane(inputs[0])
    first, last = (output[0], output[-1]) if isinstance(output, tuple) else (output, module.mem)
    return first.detach().unsqueeze(0), last.detach().unsqueeze(0)  # type: ignore[union-attr, operator]


def _cast_inputs(network: nn.Module) -> list[object]:
    """Let layers with weights take inputs of any precision: snnTorch's spikes are float32 in float64 networks too."""

    def cast(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(i.to(module.weight.dtype) if i.is_floating_point() else i for i in inputs)  # type: ignore[arg-type]

    weighted = [m for m in network.modules() if isinstance(getattr(m, "weight", None), Tensor)]
    return [m.register_forward_pre_hook(cast) for m in weighted]


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
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (layer, array (stimulus, [time,] unit)), holding at most about `memory` bytes of activity at once.

    The network runs once a group of layers that fits into `memory`: large networks cost time, never memory.
    """
    names = layer_names(network, layers)
    with _evaluating(network, device, double) as where:
        sizes = {n: a.nbytes for n, a in next(_blocks(network, stimuli[:1], names, 1, where, double)).items()}
        for group in _groups(names, {n: s * stimuli.sizes["stimulus"] for n, s in sizes.items()}, memory):
            parts = list(_blocks(network, stimuli, group, batch_size, where, double, progress))
            for name in group:
                yield name, np.concatenate([part.pop(name) for part in parts])


def predict(
    network: nn.Module, stimuli: xr.DataArray, *, batch_size: int = 128, device: str = "auto", double: bool = False
) -> np.ndarray:
    """Return the index of the category that `network` gives each stimulus, shape (stimulus,)."""
    where = pick_device(device)
    network.to(where).eval()
    dtype = next(network.parameters()).dtype
    if double:
        network.double()
    with torch.no_grad():
        logits = [network(_batch(stimuli, i, batch_size, where, double)) for i in _starts(stimuli, batch_size)]
    network.to(dtype)
    return torch.cat(logits).argmax(1).cpu().numpy()


def _blocks(
    network: nn.Module,
    stimuli: xr.DataArray,
    names: Sequence[str],
    batch_size: int,
    device: str,
    double: bool,
    progress: bool = False,
) -> Iterator[dict[str, np.ndarray]]:
    """Yield what every layer answers to each batch, (stimulus, [time,] unit)."""
    modules = dict(network.named_modules())
    seen: dict[str, list[Tensor]] = {}

    def keep(name: str) -> object:
        def hook(_module: nn.Module, _inputs: object, output: object) -> None:
            first = output[0] if isinstance(output, tuple | list) else output
            if not isinstance(first, Tensor):
                raise InputError(f"record_responses: layer {name!r} returns {type(first).__name__}, not a tensor.")
            seen.setdefault(name, []).append(first.detach())

        return modules[name].register_forward_hook(hook)

    handles = [keep(name) for name in names] + _cast_inputs(network)
    try:
        for start in track(_starts(stimuli, batch_size), f"recording {type(network).__name__}", progress=progress):
            seen.clear()
            with torch.no_grad():
                reset_neurons(network)
                network(_batch(stimuli, start, batch_size, device, double))
            missing = [n for n in names if n not in seen]
            if missing:
                raise InputError(f"record_responses: layer {missing[0]!r} is never reached by the stimuli.")
            yield {name: _stimulus_first(seen[name], modules[name]) for name in names}
    finally:
        for handle in handles:
            handle.remove()  # type: ignore[attr-defined]


def _stimulus_first(outputs: list[Tensor], module: nn.Module) -> np.ndarray:
    """Return (stimulus, [time,] unit) of one batch."""
    if len(outputs) > 1:
        joined = torch.stack(outputs).transpose(0, 1)
    elif getattr(module, "time_first", False):
        joined = outputs[0].transpose(0, 1)
    else:
        return outputs[0].flatten(1).cpu().numpy()
    return joined.flatten(2).cpu().numpy()


def _batch(stimuli: xr.DataArray, start: int, size: int, device: str, double: bool) -> Tensor:
    values = np.ascontiguousarray(stimuli.isel(stimulus=slice(start, start + size)).values)
    tensor = torch.from_numpy(values).to(device, torch.float64 if double else torch.float32)
    return tensor.transpose(0, 1) if "time" in stimuli.dims else tensor


def _starts(stimuli: xr.DataArray, batch_size: int) -> list[int]:
    return list(range(0, stimuli.sizes["stimulus"], batch_size))


def layer_names(network: nn.Module, layers: Sequence[str] | None) -> list[str]:
    """Return the module names of `layers`, given as modules or as in results; by default those that are recorded."""
    modules = {n: m for n, m in network.named_modules() if n}
    if layers is None:
        leaves = [n for n, m in modules.items() if not list(m.children()) and list(m.parameters())]
        layers = getattr(network, "recorded", leaves)
    if not layers:
        raise InputError(f"record_responses: {type(network).__name__} has no layer with parameters; pass layers=.")
    short = {layer_label(n): n for n in getattr(network, "recorded", ())}
    found: list[str] = []
    for name in layers:
        if set(name) & set("*?["):
            fitting = _fitting(name, short.values()) or _fitting(name, modules)
            if not fitting:
                raise InputError(f"record_responses: no layer of {type(network).__name__} is named like {name!r}.")
            found += [n for n in fitting if n not in found]
            continue
        if name not in modules and name not in short:
            known = ", ".join(list(short) or list(modules))
            raise InputError(
                f"record_responses: no layer {name!r} in {type(network).__name__}. Layers: {known}."
                f"{suggest(name, [*modules, *short])}"
            )
        found.append(short.get(name, name))
    return found


def _fitting(pattern: str, names: Iterable[str]) -> list[str]:
    """Return the names that fit, as modules are named or as they are called in results."""
    return [n for n in names if fnmatch.fnmatchcase(n, pattern) or fnmatch.fnmatchcase(layer_label(n), pattern)]


def layer_label(name: str) -> str:
    """Return how a module is called in results: without the container that holds it."""
    head, _, tail = name.partition(".")
    return tail if head in ("blocks", "spikes", "network") and tail else name.replace("block.", "block")


def _is_spiking(network: nn.Module, names: Sequence[str]) -> bool:
    modules = dict(network.named_modules())
    return all(isinstance(modules[n], SpikingLayer) for n in names)


def _groups(names: Sequence[str], sizes: dict[str, int], memory: int) -> Iterator[list[str]]:
    group: list[str] = []
    for name in names:
        if group and sum(sizes[n] for n in group) + sizes[name] > memory:
            yield group
            group = []
        group.append(name)
    if group:
        yield group
