"""The layers of a spiking network as one chain: read off a sequence, or followed on an example; all else is refused.

A module with a ``forward`` of its own can do anything between its layers. It is run once on random numbers of the
example's shape, and every layer must get exactly what the layer before it sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import snntorch as snn
import torch
from torch import Tensor, nn

from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.networks.stepwise import OverTime, reset_neurons
from neurosim.networks.untouched import evaluating
from neurosim.schema import InputError

SKIPPED = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Identity)
Named = tuple[str, nn.Module]


def spiking_layers(network: nn.Module, example: Tensor | None = None) -> list[Named]:
    """Return (name, module) of the layers of a spiking network in the order in which the signal reaches them.

    Parameters
    ----------
    network : one of ours, a sequence, or a module with a ``forward`` of its own.
    example : input of such a module; its shape and dtype are used, its values are not.

    Raises
    ------
    InputError : no example for a module with a ``forward`` of its own; layers that are no chain, by name.
    """
    if hasattr(network, "chain"):
        return network.chain()  # type: ignore[operator]
    if _is_sequence(network):
        found = _sequence(network)
        _check_shared(found)
        return found
    if not any(is_neuron(m) for m in network.modules()):
        return [(n, m) for n, m in network.named_modules() if n and not list(m.children())]
    if example is None:
        raise InputError(
            f"to_nir: {type(network).__name__} has a forward of its own, which can do anything between its layers; "
            "pass example=, an input of it, with which its layers are followed."
        )
    return _followed(network, example)


def is_neuron(module: nn.Module) -> bool:
    """Whether a module is a spiking neuron, ours or snnTorch's."""
    return isinstance(module, SpikingLayer | snn.SpikingNeuron)


def _is_sequence(network: nn.Module) -> bool:
    if type(network).forward not in (nn.Sequential.forward, OverTime.forward):
        return False
    return all(is_neuron(m) or not list(m.children()) or _is_sequence(m) for m in network.children())


def _sequence(network: nn.Module, prefix: str = "") -> list[Named]:
    """Return the layers of nested sequences; a layer that stands in several places is there several times."""
    found: list[Named] = []
    for name, module in network._modules.items():
        if module is None:
            continue
        inside = list(module.children()) and not is_neuron(module)
        found += _sequence(module, f"{prefix}{name}.") if inside else [(prefix + name, module)]
    return found


def _check_shared(layers: list[Named]) -> None:
    first: dict[int, str] = {}
    for name, module in layers:
        if is_neuron(module) and id(module) in first:
            raise InputError(
                f"to_nir: the neurons {first[id(module)]!r} and {name!r} are one module, whose state is shared; give "
                "each place neurons of its own."
            )
        first[id(module)] = name


def _followed(network: nn.Module, example: Tensor) -> list[Named]:
    hidden = {id(part) for m in network.modules() if is_neuron(m) for part in m.modules() if part is not m}
    leaves = [
        (n, m)
        for n, m in network.named_modules()
        if n and id(m) not in hidden and (is_neuron(m) or not list(m.children()))
    ]
    random = torch.Generator().manual_seed(0)
    probe = example
    if example.is_floating_point():
        probe = torch.rand(example.shape, generator=random, dtype=torch.float64).to(example)
    follower = _Follower(probe)
    handles = []
    for name, module in leaves:
        handles.append(module.register_forward_pre_hook(follower.before(name), with_kwargs=True))
        handles.append(module.register_forward_hook(follower.after(name, module)))
    where = next((p.device.type for p in network.parameters()), "cpu")
    try:
        with torch.no_grad(), evaluating(network, where, False):
            reset_neurons(network)
            network(probe)
    finally:
        for handle in handles:
            handle.remove()
    return follower.chain(type(network).__name__)


class _Follower:
    """Follows the calls of layers, step by step, and refuses the first that does not continue the chain."""

    def __init__(self, probe: Tensor) -> None:
        self.probe = probe
        self.order: list[Named] = []
        self.is_first_step = True
        self.place = self.step = 0
        self.sent: tuple[str, Tensor, int] | None = None
        self.states: dict[str, tuple[Any, ...]] = {}

    def before(self, name: str) -> Any:
        """Return the hook that checks what a layer gets."""

        def hook(_module: nn.Module, inputs: tuple[Any, ...], options: Mapping[str, Any]) -> None:
            if self.order and name == self.order[0][0]:
                if self.place != len(self.order) and not self.is_first_step:
                    raise _no_chain(name, f"is called again before {self.order[self.place][0]!r} was")
                self.is_first_step, self.place, self.step, self.sent = False, 0, self.step + 1, None
            known = [n for n, _ in self.order]
            if self.is_first_step and name in known:
                raise _no_chain(name, "is called twice in a step")
            if not self.is_first_step and (self.place >= len(known) or known[self.place] != name):
                raise _no_chain(name, "is called out of turn")
            values = [*inputs, *options.values()]
            self._check_input(name, values[0])
            self._check_state(name, tuple(v for v in values[1:] if v is not None))

        return hook

    def after(self, name: str, module: nn.Module) -> Any:
        """Return the hook that notes what a layer sends."""

        def hook(_module: nn.Module, _inputs: object, output: Any) -> None:
            every = output if isinstance(output, tuple) else (output,)
            if not isinstance(every[0], Tensor):
                raise _no_chain(name, f"sends {type(every[0]).__name__}")
            if self.is_first_step:
                self.order.append((name, module))
            self.place += 1
            self.sent = (name, every[0], every[0]._version)
            self.states[name] = every

        return hook

    def chain(self, network: str) -> list[Named]:
        """Return the layers in the order of a step."""
        if not self.order:
            raise InputError(f"to_nir: {network} calls none of its layers.")
        if self.place != len(self.order):
            raise _no_chain(self.order[self.place][0], "is not called in the last step")
        return self.order

    def _check_input(self, name: str, given: Any) -> None:
        if not isinstance(given, Tensor):
            raise _no_chain(name, f"gets {type(given).__name__}")
        if self.sent is not None:
            before, sent, version = self.sent
            is_same = given.untyped_storage().data_ptr() == sent.untyped_storage().data_ptr()
            if not is_same or given._version != version or not _equal(given, sent):
                raise _no_chain(name, f"does not get what {before!r}, the layer before it, sends")
        elif not any(_equal(given, shown) for shown in self._shown()):
            raise _no_chain(name, "is the first, and does not get the input of the network as it is")

    def _shown(self) -> list[Tensor]:
        """Return what the input may be in this step: the whole, or one step of it along its first or second axis."""
        along = [axis for axis in (0, 1) if self.probe.ndim > axis and self.step < self.probe.shape[axis]]
        return [self.probe, *(self.probe.select(axis, self.step) for axis in along)]

    def _check_state(self, name: str, given: tuple[Any, ...]) -> None:
        last = self.states.get(name)
        for k, value in enumerate(given):
            expected = torch.zeros_like(value) if last is None else last[k - len(given)]
            if not isinstance(value, Tensor) or (value.numel() and not torch.equal(value, expected.expand_as(value))):
                raise _no_chain(name, "starts a step from another state than the one it was in, or not from silence")


def _equal(a: Tensor, b: Tensor) -> bool:
    return a.numel() == b.numel() and torch.equal(a.reshape(-1), b.reshape(-1).to(a))


def _no_chain(name: str, reason: str) -> InputError:
    return InputError(
        f"to_nir: layer {name!r} {reason}; a chain is represented, in which each layer gets what the one before it "
        "sends, once a step (no sums, factors or branches in forward)."
    )
