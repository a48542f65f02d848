"""What a network computes and holds: synaptic operations, sparsity, footprint, as NeuroBench reports them.

Every product of matrices and every convolution is heard where torch computes it, whoever calls it and with which
modules, and counted for the innermost module that is at work (https://doi.org/10.1038/s41467-025-56739-4).
"""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import snntorch as snn
import torch
import xarray as xr
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode

from neurosim.networks.flags import check_module
from neurosim.networks.naming import layer_labels
from neurosim.networks.showing import Shown, as_shown
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.networks.untouched import evaluating
from neurosim.schema import InputError

ACTIVE = (
    SpikingLayer, snn.SpikingNeuron, nn.ReLU, nn.ReLU6, nn.GELU, nn.SiLU, nn.ELU, nn.SELU, nn.LeakyReLU, nn.PReLU,
    nn.Sigmoid, nn.Tanh, nn.Softplus, nn.Hardtanh, nn.Hardswish, nn.Threshold,
)  # fmt: skip
PRODUCTS = {"mm": 0, "addmm": 1, "bmm": 0, "baddbmm": 1, "mv": 0, "addmv": 1, "dot": 0}  # place of the first factor
PER_LAYER = ("dense", "effective_macs", "effective_acs", "energy")
PER_NETWORK = ("activation_sparsity", "connection_sparsity", "footprint")
UNHEARD = (
    "_trilinear", "_sparse_mm", "_sparse_addmm", "conv_tbc", "vdot", "mkldnn_rnn_layer", "_cudnn_rnn",
    "_thnn_fused_lstm_cell", "_transformer_encoder_layer_fwd",
)  # fmt: skip


@dataclass(frozen=True)
class EnergyCosts:
    """What an operation costs, J: by default at 45 nm and 0.9 V, in float32 (https://doi.org/10.1109/ISSCC.2014.6757323).

    It is an assumption about a chip that was never measured with this network: memory, which costs more, is left out.

    Parameters
    ----------
    mac : of a multiplication that is added. ac : of an addition.

    Raises
    ------
    InputError : a cost that is no positive number.

    Examples
    --------
    >>> ns.networks.EnergyCosts().ac
    9e-13
    """

    mac: float = 4.6e-12
    ac: float = 0.9e-12

    def __post_init__(self) -> None:
        for name in ("mac", "ac"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"EnergyCosts: {name} = {getattr(self, name)!r} J; a positive number is asked.")


def synaptic_operations(
    network: nn.Module,
    stimuli: xr.DataArray,
    *,
    costs: EnergyCosts | None = None,
    batch_size: int = 128,
    device: str = "auto",
) -> xr.Dataset:
    """Return how many operations a network needs for a stimulus, how sparse it is and how many bytes it holds.

    As in NeuroBench (https://doi.org/10.1038/s41467-025-56739-4): an operation is effective where neither factor is 0;
    it is an accumulation (AC) where one factor of the layer holds nothing but -1, 0 and 1, as spikes are, and else a
    multiplication that is added (MAC). All products of matrices and convolutions count, those of attention too, in
    every step that is computed: a still picture that is weighted once for all steps counts once. Zeros around pictures,
    biases, and what is done unit by unit, as normalisation and membranes, do not count.

    Parameters
    ----------
    network : any module; it is run in evaluation mode, and left as it was found.
    stimuli : as :func:`record_responses` takes them. costs : of operations, for ``energy``.
    batch_size : stimuli shown at once. device : "auto", "cpu" or "cuda".

    Returns
    -------
    Dataset. Along ``layer``, in the order of first use, operations a stimulus: ``dense`` (all), ``effective_macs``,
    ``effective_acs``, and with `costs` ``energy`` (J a stimulus). Along ``activation_layer``, those of spikes or
    activations: ``n_activations`` a stimulus and ``zero_activations``, the share of zeros. Of the network:
    ``activation_sparsity`` (zeros among all activations), ``connection_sparsity`` (zeros among weights, biases left
    out), ``n_weights``, ``footprint`` (bytes of parameters and buffers).

    Raises
    ------
    InputError : no module, stimuli that it does not take, or an operation that torch computes as a whole and hides.

    Examples
    --------
    >>> from torch import nn
    >>> network = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> found = ns.networks.synaptic_operations(network, ns.as_stimuli(np.eye(4)))
    >>> found.dense.values.tolist(), found.effective_acs.values[0].item()
    ([12.0, 6.0], 3.0)
    """
    check_module("synaptic_operations", network)
    if costs is not None and not isinstance(costs, EnergyCosts):
        raise InputError(f"synaptic_operations: costs are EnergyCosts(...), found {type(costs).__name__}.")
    stimuli = as_shown(stimuli, "synaptic_operations")
    with evaluating(network, device, False) as where, torch.no_grad():
        shown = Shown(network, stimuli, where, False)
        with counted(network) as counts:
            for start in shown.starts(batch_size):
                counts.n_now.clear()
                shown.run(start, batch_size)
    return _labelled(network, counts, stimuli.sizes["stimulus"], costs)


@contextlib.contextmanager
def counted(network: nn.Module) -> Iterator[Counts]:
    """Count what a network does inside the block; call ``n_now.clear()`` before each batch."""
    counts = Counts()
    with _plainly(), _placed(network, counts), _Listening(counts):
        yield counts


def summed_operations(network: nn.Module, counts: Counts, n_stimuli: int, costs: EnergyCosts) -> dict[str, Any]:
    """Return what :func:`synaptic_operations` says of each layer, of the whole network, a stimulus."""
    found = _labelled(network, counts, n_stimuli, costs)
    each = {name: found[name].sum().assign_attrs(found[name].attrs) for name in PER_LAYER}
    return each | {name: found[name].drop_vars(found[name].coords) for name in PER_NETWORK}


@dataclass
class Counts:
    """What was counted, by the module at work; the innermost is the last of `inside`."""

    inside: list[str] = field(default_factory=list)
    operations: dict[tuple[str, int], tuple[float, float, bool]] = field(default_factory=dict)
    n_now: Counter[str] = field(default_factory=Counter)  # operations of each module in this batch so far
    activations: dict[str, np.ndarray] = field(default_factory=dict)  # all, zeros
    is_within: int = 0  # how many spiking layers, which count for themselves, are at work

    @property
    def place(self) -> str:
        """Name of the innermost module at work."""
        return self.inside[-1] if self.inside else ""

    def add(self, dense: float, effective: float, adds: bool) -> None:
        """Count an operation of the module at work; it only adds if it does so in every batch."""
        key = self.place, self.n_now[self.place]
        self.n_now[self.place] += 1
        before = self.operations.get(key, (0.0, 0.0, True))
        self.operations[key] = (before[0] + dense, before[1] + effective, before[2] and adds)

    def by_module(self) -> dict[str, np.ndarray]:
        """Return the operations of each module: all, effective multiplications, effective additions."""
        found: dict[str, np.ndarray] = {}
        for (place, _), (dense, effective, adds) in self.operations.items():
            row = np.array([dense, 0.0 if adds else effective, effective if adds else 0.0])
            found[place] = found.get(place, 0.0) + row
        return found

    def see(self, values: Tensor) -> None:
        """Count the activations of the module at work."""
        row = np.array([values.numel(), float((values == 0).sum())])
        self.activations[self.place] = self.activations.get(self.place, 0.0) + row


class _Listening(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Hears each operation that torch computes."""

    def __init__(self, counts: Counts) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.counts = counts

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if self.counts.is_within:
            return found
        if name in PRODUCTS:
            first = PRODUCTS[name]
            self.counts.add(*_product(args[first], args[first + 1]))
        elif name == "convolution":
            self.counts.add(*_convolution(*args[:2], *args[3:9]))
        elif name in ("relu", "relu_"):
            self.counts.see(found)
        elif name in UNHEARD:
            raise InputError(
                f"synaptic_operations: {self.counts.place or 'the network'!r} is computed by {name} as a whole, which "
                "hides its operations; show the stimuli on the CPU."
            )
        return found


def _product(a: Tensor, b: Tensor) -> tuple[float, float, bool]:
    """Return the operations of a product of matrices: all, effective ones, and whether they only add."""
    a, b = a if a.ndim > 1 else a[None], b if b.ndim > 1 else b[:, None]
    dense = float(a.numel()) * b.shape[-1]
    effective = (_used(a).sum(-2) * _used(b).sum(-1)).sum()
    return dense, float(effective), _adds(a) or _adds(b)


def _convolution(
    x: Tensor,
    weight: Tensor,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    transposed: bool,
    output_padding: list[int],
    groups: int,
) -> tuple[float, float, bool]:
    """Return the operations of a convolution as :func:`_product` does; zeros around pictures are no operations."""

    def count(values: Tensor, weights: Tensor) -> Tensor:
        if not transposed:  # all outputs of a group at once
            weights = weights.reshape(groups, -1, *weights.shape[1:]).sum(1)
        options = (stride, padding, dilation, transposed, output_padding, groups)
        found: Tensor = torch.ops.aten.convolution(values, weights, None, *options).sum()
        return found

    every = torch.ones_like(x[:1], dtype=torch.float64), torch.ones_like(weight, dtype=torch.float64)
    effective = count(_used(x), _used(weight))  # in float64: float32 kernels that take short cuts are not exact
    return float(count(*every)) * len(x), float(effective), _adds(x) or _adds(weight)


def _used(values: Tensor) -> Tensor:
    return (values != 0).double()


def _adds(values: Tensor) -> bool:
    """Whether a factor holds nothing but -1, 0 and 1, so that a product with it is an addition."""
    return bool(((values == 0) | (values.abs() == 1)).all())


@contextlib.contextmanager
def _plainly() -> Iterator[None]:
    """Let torch compute layers operation by operation inside the block, not by kernels that hide them."""
    kernels: Any = torch.backends.mkldnn
    fast, enabled = torch.backends.mha.get_fastpath_enabled(), kernels.enabled
    torch.backends.mha.set_fastpath_enabled(False)
    kernels.enabled = False
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        kernels.enabled = enabled


@contextlib.contextmanager
def _placed(network: nn.Module, counts: Counts) -> Iterator[None]:
    """Let modules say inside the block when they are at work, and what spiking layers and activations answered."""

    def enter(name: str, module: nn.Module) -> Any:
        def hook(*_: Any) -> None:
            counts.inside.append(name)
            counts.is_within += isinstance(module, SpikingLayer)

        return hook

    def leave(module: nn.Module) -> Any:
        def hook(_module: nn.Module, _given: Any, answer: Any) -> None:
            counts.is_within -= isinstance(module, SpikingLayer)
            if isinstance(module, ACTIVE) and not isinstance(module, nn.ReLU):  # which is heard as an operation
                counts.see(answer[0] if isinstance(answer, tuple) else answer)
            if isinstance(module, SpikingLayer) and module.recurrent is not None:
                counts.add(*_recurrence(answer, module.recurrent.weight))
            counts.inside.pop()

        return hook

    handles = []
    for name, module in network.named_modules():
        handles += [module.register_forward_pre_hook(enter(name, module)), module.register_forward_hook(leave(module))]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _recurrence(spikes: Tensor, weight: Tensor) -> tuple[float, float, bool]:
    """Return the operations of spikes (time, batch, unit) that reach the units of their layer a step later."""
    sent = _used(spikes[:-1]).flatten(0, 1).sum(0)
    return float(spikes[0].numel()) * (len(spikes) - 1) * len(weight), float((sent * _used(weight).sum(0)).sum()), True


def _labelled(network: nn.Module, counts: Counts, n_stimuli: int, costs: EnergyCosts | None) -> xr.Dataset:
    operations = counts.by_module()
    rows = np.array(list(operations.values()), dtype=float).reshape(-1, 3) / n_stimuli
    seen = np.array(list(counts.activations.values()), dtype=float).reshape(-1, 2)
    weights = [p for _, p in network.named_parameters() if p.ndim > 1]
    n_weights, zeros = sum(p.numel() for p in weights), sum(int((p == 0).sum()) for p in weights)
    held = [*network.parameters(), *network.buffers()]
    with np.errstate(invalid="ignore"):
        shares, total = seen[:, 1] / seen[:, 0], seen.sum(0)
        sparsity = float(total[1] / total[0])
    per = {"units": "operations/stimulus"}
    found = xr.Dataset(
        {
            "dense": ("layer", rows[:, 0], per),
            "effective_macs": ("layer", rows[:, 1], per),
            "effective_acs": ("layer", rows[:, 2], per),
            "n_activations": ("activation_layer", seen[:, 0] / n_stimuli),
            "zero_activations": ("activation_layer", shares),
            "activation_sparsity": sparsity,
            "connection_sparsity": zeros / n_weights if n_weights else np.nan,
            "n_weights": n_weights,
            "footprint": ((), sum(t.numel() * t.element_size() for t in held), {"units": "bytes"}),
        },
        coords={"layer": _names(network, operations), "activation_layer": _names(network, counts.activations)},
        attrs={"n_stimuli": n_stimuli, "network": type(network).__name__},
    )
    if costs is None:
        return found
    energy = found.effective_macs * costs.mac + found.effective_acs * costs.ac
    assumed = f"{costs.mac:g} J a MAC, {costs.ac:g} J an AC"
    return found.assign(energy=energy.assign_attrs(units="J/stimulus", assumed=assumed))


def _names(network: nn.Module, places: Iterable[str]) -> list[str]:
    """Return how layers are called in results; what the network itself computes, "network"."""
    named = [place for place in places if place]
    labels = dict(zip(named, layer_labels(network, named), strict=True))
    return [labels.get(place, "network") for place in places]
