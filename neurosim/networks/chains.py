"""The layers of a spiking network: read off a sequence, or found on an example where ``forward`` is code of one's own.

Such code can do anything between layers. It is run on probes of the example's shape, as it is and with its neurons cut
out; a chain of layers, or else a wiring of weighted sums and delays, must say every current and every spike of it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import snntorch as snn
import torch
from torch import Tensor, nn

from neurosim.networks.nir_pooling import POOLS
from neurosim.networks.probing import Probe, Run, differs, first_misstep
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.networks.spiking.readout import MembraneReadout
from neurosim.networks.stepwise import OverTime, is_stepwise, reset_neurons
from neurosim.networks.untouched import evaluating
from neurosim.networks.wiring import Chain, Time, Wiring, check_output, check_readout, first_misfit, wire
from neurosim.schema import InputError

SKIPPED = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Identity)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
LINEAR = (nn.Linear, nn.Conv1d, nn.Conv2d, *POOLS, nn.Flatten)
LEAST_STEPS = 2
LONGER = 9
DRAWN_STEPS = 5
Named = tuple[str, nn.Module]


def structure_of(network: nn.Module, example: object = None) -> Chain | Wiring:
    """Return the layers of a spiking network as a chain, or its neurons and what connects them.

    Parameters
    ----------
    network : one of ours, a sequence, or a module with a ``forward`` of its own.
    example : input of such a module, (time, batch, ...) or (batch, time, ...), of two steps or more; drawn where only
        one width of its layers of weights runs.

    Raises
    ------
    InputError : no example for a module that does not say what it takes; something that is no weighted sum of input and
        spikes, or neurons whose state is changed from outside, by the name of the layer.
    """
    if any(isinstance(m, torch.jit.ScriptModule) for m in network.modules()):
        raise InputError(
            f"to_nir: {type(network).__name__} was compiled by torch.jit, which hides its layers; give the module "
            "that it was made of."
        )
    layers = plain_layers(network)
    if layers is not None and (example is None or _is_known(layers)):
        return Chain([_unwrapped(n, m) for n, m in layers])
    where = next((p.device.type for p in network.parameters()), "cpu")
    with torch.inference_mode(False), torch.enable_grad(), evaluating(network, where, True):
        if example is not None:
            return _Finder(network, _as_example(example).to(where)).structure()
        return _followed_on_drawn(network, where)


def _followed_on_drawn(network: nn.Module, where: str) -> Chain | Wiring:
    """Return the structure found on spikes of the one width that a network of weighted sums takes, over time.

    A width is that of a layer of weights; what runs with none of them, or with several, or makes no steps of the first
    or second axis, does not say what it takes.
    """
    widths = sorted({m.in_features for m in network.modules() if isinstance(m, nn.Linear)})
    taken = [n for n in widths if _takes(network, torch.zeros(DRAWN_STEPS, 2, n, dtype=torch.float64, device=where))]
    asked = (
        f"to_nir: {type(network).__name__} has a forward of its own, or hooks, which can do anything between its "
        "layers, and {}; pass example=, an input of it, with which its layers are followed."
    )
    if len(taken) != 1:
        several = f"takes inputs of {' and of '.join(map(str, taken))} units" if taken else "does not say what it takes"
        raise InputError(asked.format(several))
    random = torch.Generator().manual_seed(1)
    drawn = (torch.rand((DRAWN_STEPS, 2, taken[0]), generator=random, dtype=torch.float64) < 0.4).double()
    try:
        found = _Finder(network, drawn.to(where)).structure()
    except InputError as error:
        said = f"{str(error).rstrip('.')}, on an example that was drawn, of shape {tuple(drawn.shape)}; pass example="
        raise InputError(f"{said} where the network takes another.") from error
    if found.time.axis is None:
        raise InputError(asked.format("is shown its input all the time, whose shape it does not say"))
    return found


def _takes(network: nn.Module, shown: Tensor) -> bool:
    """Whether a network runs on an input."""
    with torch.no_grad(), contextlib.suppress(Exception):
        reset_neurons(network)
        network(shown)
        return True
    return False


def _unwrapped(name: str, module: nn.Module) -> Named:
    """Return the units of a layer whose membrane is read; any other layer as it is."""
    return (f"{name}.neurons", module.neurons) if isinstance(module, MembraneReadout) else (name, module)


def neuron_names(structure: Chain | Wiring) -> list[str]:
    """Return the names of the neuron modules in the order in which they are called."""
    layers = structure.layers if isinstance(structure, Chain) else structure.neurons
    return [n for n, m in layers if is_neuron(m)]


def is_neuron(module: nn.Module) -> bool:
    """Whether a module is a spiking neuron, ours or snnTorch's."""
    return isinstance(module, SpikingLayer | snn.SpikingNeuron)


def _is_leaf(module: nn.Module) -> bool:
    """Whether a module is one layer; layers whose weights torch computes have modules inside, and neurons too."""
    return is_neuron(module) or isinstance(module, LINEAR) or not list(module.children())


def _as_example(example: object) -> Tensor:
    values = example.values if hasattr(example, "dims") and hasattr(example, "values") else example
    try:
        tensor = torch.as_tensor(values if isinstance(values, Tensor) else np.asarray(values, dtype=float))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"to_nir: example is a tensor (time, batch, ...) that the network takes, found {type(example).__name__}."
        ) from error
    if tensor.is_complex() or tensor.ndim < 2 or not tensor.numel():
        raise InputError(
            f"to_nir: example is a real tensor (time, batch, ...), found shape {tuple(tensor.shape)}, {tensor.dtype}."
        )
    return tensor.detach().double().clone()


def plain_layers(network: nn.Module) -> list[Named] | None:
    """Return (name, module) of all layers in order, where the modules alone say what happens.

    None for a module with a ``forward`` of its own, or with layers that have hooks or other code.

    Raises
    ------
    InputError : neurons that stand in two places of a sequence.
    """
    if any(_is_changed(m) for m in network.modules()):
        return None
    if hasattr(network, "chain"):
        owner = next(k for k in type(network).__mro__ if "chain" in vars(k))
        is_its_own = vars(owner).get("forward") is type(network).forward
        return network.chain() if is_its_own else None  # type: ignore[operator]
    if _is_sequence(network):
        found = _sequence(network)
        _check_shared(found)
        return found
    if not any(is_neuron(m) for m in network.modules()):
        return [(n, m) for n, m in network.named_modules() if n and not list(m.children())]
    return None


def _is_known(layers: list[Named]) -> bool:
    """Whether all layers have a node of their own in a graph; batch norms are folded into the weights before them."""
    modules = [m for _, m in layers if not isinstance(m, SKIPPED)]
    folded = all(
        isinstance(a, nn.Linear | nn.Conv1d | nn.Conv2d) for a, b in pairwise([None, *modules]) if isinstance(b, NORMS)
    )
    return folded and all(is_neuron(m) or (isinstance(m, (*LINEAR, *NORMS)) and not _is_changed(m)) for m in modules)


def _is_changed(module: nn.Module) -> bool:
    """Whether a layer that torch, snnTorch or this package brought has been given other code or hooks."""
    kinds = [k for k in type(module).__mro__ if k.__module__.split(".")[0] in ("torch", "snntorch", "neurosim")]
    other_code = (
        bool(kinds) and kinds[0] is not nn.Module and type(module).forward is not getattr(kinds[0], "forward", None)
    )
    hooks = [h for kind in ("_forward_hooks", "_forward_pre_hooks") for h in getattr(module, kind, {}).values()]
    hooked = any(not type(h).__module__.startswith("torch.nn.utils.") for h in hooks)
    return (_is_leaf(module) and other_code) or hooked or "forward" in vars(module)


def _is_sequence(network: nn.Module) -> bool:
    if type(network).forward not in (nn.Sequential.forward, OverTime.forward):
        return False
    return all(_is_leaf(m) or _is_sequence(m) for m in network.children())


def _sequence(network: nn.Module, prefix: str = "") -> list[Named]:
    """Return the layers of nested sequences; a layer that stands in several places is there several times."""
    found: list[Named] = []
    for name, module in network._modules.items():
        if module is None:
            continue
        found += [(prefix + name, module)] if _is_leaf(module) else _sequence(module, f"{prefix}{name}.")
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


class _Finder:
    """Finds the structure of one network on probes, and proves it on all of them."""

    def __init__(self, network: nn.Module, example: Tensor) -> None:
        modules = [(n, m) for n, m in network.named_modules() if n]
        hidden = {id(part) for _, m in modules if _is_leaf(m) for part in m.modules() if part is not m}
        self.neurons = {n: m for n, m in modules if is_neuron(m)}
        self.layers = {n: m for n, m in modules if id(m) not in hidden and not is_neuron(m) and _is_leaf(m)}
        runnable = OverTime(network) if is_stepwise(network) else network  # type: ignore[arg-type]
        self.network, self.example = network, example
        self.probe = Probe(network, runnable, self.neurons, self.layers)

    def structure(self) -> Chain | Wiring:
        """Return the chain or the wiring that every run agrees with."""
        short = self.probe.run(self.probe.draw(tuple(self.example.shape), self.example), "cut")
        self._check_calls(short)
        time = self._time(short)
        cut = self._longer(short, time)
        silent = self.probe.run(torch.zeros_like(cut.shown), "silent")
        binary = (torch.rand(cut.shown.shape, generator=self.probe.random) < 0.4).to(cut.shown)
        own = [self.probe.run(self.example, "own"), self.probe.run(binary, "own")]
        for run in (short, cut, *own):
            self._check_calls(run)
            self._check_neurons(run)
        chain = self._chain(cut)
        if chain is not None:
            with torch.no_grad():
                is_chain = all(self._is_chain(chain, r, time) for r in (short, cut, silent, *own))
            if is_chain:
                check_output(chain.layers[-1][0], cut)
                return Chain(chain.layers, time.shape(cut.shown), time)
        ordered = [(n, self.neurons[n]) for n in cut.neurons]
        wiring = wire(ordered, cut, silent, time)
        with torch.no_grad():
            for run in (cut, short, silent, *own):
                self._check_wiring(wiring, run, time)
                check_readout(wiring, run, time)
        return wiring

    def _check_calls(self, run: Run) -> None:
        counts = {n: len(h.sent) for n, h in run.neurons.items()}
        first, steps = next(iter(counts.items()))
        other = next((n for n, c in counts.items() if c != steps), None)
        if other is not None:
            raise InputError(
                f"to_nir: layer {other!r} makes {counts[other]} steps where {first!r} makes {steps}; neurons that are "
                "called once in every step are represented."
            )
        if steps < LEAST_STEPS:
            raise InputError(
                f"to_nir: {type(self.network).__name__} makes {steps} step{'s' * (steps > 1)} on the example, which "
                f"does not show what goes on between steps; give an example of at least {LEAST_STEPS} steps."
            )

    def _time(self, run: Run) -> Time:
        """Return the axis along which the input that counts moves on as steps do; none where it stays."""
        last, before, first = (self._support(run, k) for k in (-1, -2, 0))
        if not last and not before:
            raise InputError(
                f"to_nir: no neurons of {type(self.network).__name__} get its input, or forward keeps gradients, by "
                "which connections are found, from passing (torch.no_grad, detach)."
            )
        moving = [a for a in last if before and max(last[a]) == max(before[a]) + 1]
        if not moving and not last == before == first:
            raise InputError(
                f"to_nir: {type(self.network).__name__} makes {run.n_steps} steps, and neurons get the input in "
                "some; neurons that are called once in every step, each with a module of its own, are represented."
            )
        return Time(moving[0]) if moving else Time(None, run.n_steps)

    def _support(self, run: Run, step: int) -> dict[int, list[int]]:
        """Return, for the first two axes, the places of the input on which the currents of a step depend."""
        random = torch.Generator().manual_seed(1)
        parts = []
        for heard in run.neurons.values():
            if heard.given.requires_grad:
                weights = torch.rand(heard.given[step].shape, generator=random, dtype=torch.float64)
                parts.append((heard.given[step].double() * weights.to(heard.given.device)).sum())
        total = torch.stack(parts).sum() if parts else torch.zeros(())
        if not total.requires_grad:
            return {}
        (slope,) = torch.autograd.grad(total, [run.shown], retain_graph=True, allow_unused=True)
        if slope is None or not bool(slope.any()):
            return {}
        return {a: slope.movedim(a, 0).flatten(1).any(1).nonzero()[:, 0].tolist() for a in (0, 1)}

    def _longer(self, short: Run, time: Time) -> Run:
        """Return a run of more steps, where the network takes more than the example has."""
        if time.axis is None:
            return short
        shape = list(self.example.shape)
        shape[time.axis], shape[1 - time.axis] = 2 * short.n_steps + LONGER, min(shape[1 - time.axis], 2)
        try:
            longer = self.probe.run(self.probe.draw(tuple(shape), self.example), "cut")
        except InputError:
            return short
        return longer if longer.n_steps == shape[time.axis] else short

    def _check_neurons(self, run: Run) -> None:
        for name, heard in run.neurons.items():
            with torch.no_grad():
                step = first_misstep(name, self.neurons[name], heard)
            if step is not None:
                raise InputError(
                    f"to_nir: layer {name!r} does not spike in step {step} as its equation says from silence: its "
                    "state or what it sends is changed, reset or not kept between steps."
                )

    def _chain(self, run: Run) -> Chain | None:
        """Return the layers of a step in the order of their calls, where every step has the same."""
        calls, n_steps = run.calls, run.n_steps
        is_whole = [isinstance(self.neurons[n], SpikingLayer) for n in run.neurons]
        n_rounds = 1 if all(is_whole) else n_steps
        once = calls[: len(calls) // n_rounds]
        if any(is_whole) != all(is_whole) or once * n_rounds != calls:
            return None
        modules: Mapping[str, nn.Module] = {**self.layers, **self.neurons}
        chain = Chain([(n, modules[n]) for n in once])
        return chain if _is_known(chain.layers) else None

    def _is_chain(self, chain: Chain, run: Run, time: Time) -> bool:
        try:
            if first_misfit(chain, run, time) is not None:
                return False
            last = chain.layers[-1][0]
            if last in run.neurons:
                return True
            found = run.layers[last]
            whole = found[0] if len(found) == 1 else torch.stack(found)
            return not bool(differs(whole.double(), chain.current("", run, time)))
        except (RuntimeError, ValueError, IndexError):
            return False

    def _check_wiring(self, wiring: Wiring, run: Run, time: Time) -> None:
        misfit = first_misfit(wiring, run, time)
        if misfit is not None:
            raise InputError(
                f"to_nir: layer {misfit[0]!r} gets in step {misfit[1]} something other than a fixed weighted sum of "
                "the input and of spikes (such as a product, a rectification, a membrane, noise, weights that change)."
            )
