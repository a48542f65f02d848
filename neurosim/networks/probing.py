"""A network is run with its neurons cut out: each connection and each neuron is seen by itself, in every step.

Neurons are driven by random currents about their threshold in place of what the network gives them, which is noted;
what they send goes on as a leaf of the gradient. So no layer is silent, and what depends on what can be read off.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import snntorch as snn
import torch
from torch import Tensor, nn

from neurosim.networks.neuron_records import input_gain, of_layer, record_of
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.networks.spiking.learned import each_unit
from neurosim.networks.spiking.sequence import coefficients, neuron_step, shaped, silence
from neurosim.networks.spiking.surrogates import Surrogate
from neurosim.networks.stepwise import reset_neurons
from neurosim.networks.taps import cast_inputs
from neurosim.parameters import DiscreteAlphaParameters
from neurosim.schema import InputError

Mode = Literal["cut", "silent", "own"]
TOLERANCE = 1e-9
GRAIN = 1024


@dataclass
class Heard:
    """What one neuron module was given, was driven by and sent, each (time, batch, ...).

    `last` is what it was given in the last step, and `leaves` what it sent, through which gradients are found. Where
    neurons are not cut, the drive is what they were given.
    """

    given: Tensor
    last: Tensor
    drive: Tensor
    sent: Tensor
    membrane: Tensor | None
    leaves: list[Tensor]

    def step_of(self, k: int) -> tuple[int, int]:
        """Return which leaf holds step `k`, and at which place of it; -1 where the leaf is the step."""
        return (0, k) if len(self.leaves) == 1 and self.leaves[0].ndim == self.sent.ndim else (k, -1)


@dataclass
class Run:
    """One run of a network: its input, its neurons in the order of their first calls, its other layers, its output."""

    shown: Tensor
    neurons: dict[str, Heard]
    calls: list[str]
    layers: dict[str, list[Tensor]]
    output: list[Tensor] = field(default_factory=list)

    @property
    def n_steps(self) -> int:
        """Number of steps of the first neuron."""
        return len(next(iter(self.neurons.values())).sent)


class Probe:
    """Runs a network in one of three modes: neurons cut out, silent besides, or the network as it is."""

    def __init__(
        self,
        network: nn.Module,
        runnable: nn.Module,
        neurons: Mapping[str, nn.Module],
        layers: Mapping[str, nn.Module],
    ) -> None:
        self.network, self.runnable, self.neurons, self.layers = network, runnable, neurons, layers
        self.random = torch.Generator().manual_seed(0)

    def draw(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Return random numbers that floats of every precision hold exactly."""
        drawn = torch.randn(shape, generator=self.random, dtype=torch.float64)
        return (torch.round(drawn * GRAIN) / GRAIN).to(like.device)

    def run(self, shown: Tensor, mode: Mode) -> Run:
        """Return what happens inside when `shown` is the input.

        Raises
        ------
        InputError : the network fails, or calls none of its neurons.
        """
        leaf = shown.detach().clone().requires_grad_(mode == "cut")
        notes = _Notes(self, mode)
        handles = [*cast_inputs(self.network), *notes.hooks()]
        try:
            reset_neurons(self.network)
            with torch.set_grad_enabled(mode == "cut"), torch.random.fork_rng([]):
                output = self.runnable(leaf.clone())
        except (RuntimeError, ValueError, TypeError, IndexError, AssertionError, AttributeError) as error:
            if isinstance(error, InputError):
                raise
            line = " ".join(str(error).split())[:200]
            raise InputError(
                f"to_nir: {type(self.network).__name__} fails on an example of shape {tuple(shown.shape)}: {line}"
            ) from error
        finally:
            for handle in handles:
                handle.remove()
        return notes.run(leaf, output)


class _Notes:
    def __init__(self, probe: Probe, mode: Mode) -> None:
        self.probe, self.mode = probe, mode
        self.parts: dict[str, dict[str, list[Tensor]]] = {}
        self.calls: list[str] = []
        self.layers: dict[str, list[Tensor]] = {}

    def hooks(self) -> list[Any]:
        """Register the hooks on all neurons and other layers."""
        found = [m.register_forward_hook(self._other(n)) for n, m in self.probe.layers.items()]
        for name, module in self.probe.neurons.items():
            found.append(module.register_forward_pre_hook(self._before(name, module), with_kwargs=True))
            found.append(module.register_forward_hook(self._after(name, module)))
        return found

    def run(self, shown: Tensor, output: object) -> Run:
        """Return all that was noted."""
        if not self.parts:
            raise InputError(f"to_nir: {type(self.probe.network).__name__} calls none of its neurons.")
        heard = {}
        for name, parts in self.parts.items():
            whole = isinstance(self.probe.neurons[name], SpikingLayer)
            joined = {k: torch.cat(v) if whole else torch.stack(v) for k, v in parts.items() if k != "leaves"}
            membrane = joined.pop("membrane", None)
            last = parts["given"][-1][-1] if whole else parts["given"][-1]
            heard[name] = Heard(**joined, last=last, membrane=membrane, leaves=parts["leaves"])
        return Run(shown, heard, self.calls, self.layers, _tensors(output))

    def _other(self, name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, _inputs: object, output: object) -> None:
            self.calls.append(name)
            self.layers.setdefault(name, []).extend(o.clone() if self.mode != "cut" else o for o in _tensors(output))

        return hook

    def _before(self, name: str, module: nn.Module) -> Callable[..., Any]:
        def hook(_module: nn.Module, inputs: tuple[Any, ...], options: dict[Any, Any]) -> Any:
            key = next((k for k in ("input_", "currents") if k in options), None)
            given = inputs[0] if inputs else options.get(key)
            if not isinstance(given, Tensor) or given.ndim < 2 or not given.is_floating_point():
                found = f"shape {tuple(given.shape)}" if isinstance(given, Tensor) else type(given).__name__
                raise InputError(f"to_nir: layer {name!r} gets {found}; currents (batch, ...) are asked.")
            parts = self.parts.setdefault(name, {"given": [], "drive": [], "sent": [], "leaves": []})
            parts["given"].append(given.clone())
            drive = given
            if self.mode != "own":
                scale = float(torch.as_tensor(_threshold(module)).double().mean())
                drawn = scale * (0.4 + 1.2 * self.probe.draw(tuple(given.shape), given))
                drive = torch.round(drawn * GRAIN) / GRAIN if scale > 0.1 else drawn
            parts["drive"].append(drive.detach().clone())
            if inputs:
                return (drive, *inputs[1:]), options
            return inputs, options | {key: drive}

        return hook

    def _after(self, name: str, module: nn.Module) -> Callable[..., Any]:
        def hook(_module: nn.Module, _inputs: object, output: object) -> Any:
            self.calls.append(name)
            first, *rest = output if isinstance(output, tuple) else (output,)
            parts = self.parts[name]
            if not isinstance(module, SpikingLayer):
                last = rest[-1] if rest else module.mem
                parts.setdefault("membrane", []).append(last.detach().clone())  # type: ignore[operator]
            sent = first.detach().double() * (self.mode != "silent")
            parts["sent"].append(sent.clone())
            if self.mode == "own":
                return _doubled(output)
            leaf = sent.clone().requires_grad_(self.mode == "cut")
            parts["leaves"].append(leaf)
            rest = [r.detach().clone() if isinstance(r, Tensor) else r for r in rest]
            return (leaf.clone(), *rest) if isinstance(output, tuple) else leaf.clone()

        return hook


@contextlib.contextmanager
def casting_spikes(network: nn.Module, double: bool) -> Iterator[None]:
    """Let snnTorch's neurons, which send float32 whatever they are given, send float64 where `double`."""
    neurons = [m for m in network.modules() if isinstance(m, snn.SpikingNeuron)] if double else []
    handles = [m.register_forward_hook(lambda _m, _i, output: _doubled(output)) for m in neurons]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _doubled(output: Any) -> Any:
    return (output[0].double(), *output[1:]) if isinstance(output, tuple) else output.double()


def _threshold(module: nn.Module) -> Any:
    return module.coefficients.threshold if isinstance(module, SpikingLayer) else module.threshold


def _tensors(value: object) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    parts = list(value.values()) if isinstance(value, Mapping) else value
    return [t for part in parts for t in _tensors(part)] if isinstance(parts, list | tuple) else []


def first_misstep(name: str, module: nn.Module, heard: Heard) -> int | None:
    """Return the first step in which neurons do other than their equation says from silence; None: never."""
    drive, inner = heard.drive.double(), getattr(module, "recurrent", None)
    if isinstance(module, snn.Alpha):
        return _first_misstep_of_alpha(name, module, heard)
    if isinstance(module, SpikingLayer):
        of_layer(name, module)
        numbers = shaped(each_unit(module.coefficients, tuple(drive.shape[2:])), drive[0])
    else:
        record, exact = record_of(name, module, 1e-3)
        assert not isinstance(record, DiscreteAlphaParameters)
        numbers = coefficients(record, **{k: torch.as_tensor(v).to(drive) for k, v in exact.items()})
        drive = drive * torch.as_tensor(input_gain(module)).to(drive)
    state = silence(drive[0])
    surrogate = Surrogate()
    for k, now in enumerate(drive.unbind(0)):
        whole = now if inner is None else now + inner(state.spikes)
        state, distance = neuron_step(state, whole, numbers, surrogate)
        is_tie = distance.abs() < TOLERANCE
        wrong = ((state.spikes != heard.sent[k]) & ~is_tie).any()
        if heard.membrane is not None:
            wrong = wrong | differs(state.membrane, heard.membrane[k])
        if bool(wrong):
            return k
        state = state._replace(spikes=heard.sent[k])
    return None


def _first_misstep_of_alpha(name: str, module: snn.Alpha, heard: Heard) -> int | None:
    """Return the first step in which alpha neurons do other than new ones with their numbers; None: never."""
    record_of(name, module, 1e-3)
    drive = heard.drive.double()
    numbers = {k: getattr(module, k).detach().to(drive) for k in ("alpha", "beta", "threshold")}
    fresh = snn.Alpha(**numbers, reset_mechanism=module._reset_mechanism, init_hidden=True, output=True)
    for k, now in enumerate(drive.unbind(0)):
        sent, *_, membrane = fresh(now)
        is_tie = (membrane - numbers["threshold"]).abs() < TOLERANCE
        wrong = ((sent.double() != heard.sent[k]) & ~is_tie).any()
        if bool(wrong) or (heard.membrane is not None and bool(differs(membrane, heard.membrane[k]))):
            return k
    return None


def differs(found: Tensor, expected: Tensor) -> Tensor:
    """Return whether two tensors are of other shapes or differ by more than rounding."""
    if found.shape != expected.shape:
        return torch.tensor(True)
    gap = (found - expected).abs()
    return ~(gap <= TOLERANCE * (1 + expected.abs())).all()
