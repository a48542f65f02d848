"""The layer of spiking neurons: parameters in SI units, whole sequences in and out, with or without recurrence."""

from __future__ import annotations

import functools
import importlib.util
import os
from collections.abc import Callable
from typing import Final, Literal

import torch
from torch import Tensor, nn

from neurosim.networks.learnable import COEFFICIENTS, Learnable, coefficient_of
from neurosim.networks.spiking import compiled_engine, running, sequence
from neurosim.networks.spiking.by_autograd import is_transformed, once, run_by_autograd
from neurosim.networks.spiking.compiled_engine import CompiledEngine
from neurosim.networks.spiking.learned import each_unit, in_si_units, kept_as, size_of, value_of
from neurosim.networks.spiking.memory import POOL
from neurosim.networks.spiking.running import Sequence, Way
from neurosim.networks.spiking.sequence import Coefficients, Engine, State, coefficients
from neurosim.networks.spiking.surrogates import Surrogate
from neurosim.networks.spiking.torch_engine import TorchEngine
from neurosim.parameters import DiscreteParameters
from neurosim.registry import called
from neurosim.schema import InputError

EngineName = Literal["auto", "torch", "compiled", "triton", "autograd"]
AUTOGRAD: Final = "autograd"
ENGINES: dict[str, Callable[..., object] | str] = {
    "torch": TorchEngine,
    "compiled": CompiledEngine,
    "triton": "neurosim.networks.spiking.triton_engine:TritonEngine",
}
FASTEST = {"cpu": "compiled", "cuda": "triton"}


class SpikingLayer(nn.Module):
    """Spiking neurons over whole sequences (time, batch, ...); every sequence starts from silence.

    Which neuron it is, the record of its parameters says: leaky integrate-and-fire (``snntorch.Leaky``), with a
    synaptic current (``snntorch.Synaptic``) or with an adaptive threshold. Spikes are those of snnTorch, one by one.

    Parameters
    ----------
    neuron : record of its parameters, SI units.
    n_recurrent : number of units that are connected all to all, with a bias (``snntorch.RLeaky``); none by default.
    surrogate : gradient of a spike.
    engine : "torch", "compiled" (C++ on the CPU), "triton" (CUDA), "autograd" (a plain loop, with derivatives of every
        order) or "auto": the fastest that is here and gives what is asked. An engine by name refuses what it lacks.
    half_distance : keep what the gradient asks for in float16: 2 bytes a neuron and step rather than 4. Gradients then
        differ by up to a thousandth of the largest, with the surrogate that is the default.
    exact : coefficients that differ from those of the record, as numbers a unit: "beta", "threshold", "alpha".
    learn : which numbers are learned; they are parameters ``learned_tau_mem``, ``learned_threshold``, ...
    shape : of the units, (unit,) or (channel, y, x); asked where numbers are learned a channel or a neuron.

    Raises
    ------
    InputError : a reset or an engine that layers do not have, or numbers that such neurons cannot learn.

    Examples
    --------
    >>> import torch
    >>> ns.networks.SpikingLayer(ns.parameters.DiscreteLIFParameters())(torch.full((5, 1, 3), 0.4)).sum().item()
    3.0
    >>> record, learn = ns.parameters.DiscreteLIFParameters(tau_mem=20e-3), ns.networks.Learnable(tau_mem="neuron")
    >>> layer = ns.networks.SpikingLayer(record, learn=learn, shape=(3,))
    >>> layer(torch.full((5, 1, 3), 0.4)).sum().backward()
    >>> layer.learned_tau_mem.grad.shape, layer.si_values["tau_mem"].round(decimals=6).tolist()
    (torch.Size([3]), [0.02, 0.02, 0.02])
    """

    time_first = True

    def __init__(
        self,
        neuron: DiscreteParameters,
        *,
        n_recurrent: int | None = None,
        surrogate: Surrogate | None = None,
        engine: EngineName = "auto",
        half_distance: bool = False,
        exact: dict[str, Tensor] | None = None,
        learn: Learnable | None = None,
        shape: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__()
        _check_given(neuron, exact, learn, shape)
        coefficients(neuron)
        if n_recurrent is not None and n_recurrent < 1:
            raise InputError(f"SpikingLayer: n_recurrent = {n_recurrent}; at least 1 unit is asked.")
        self.neuron, self.engine, self.half_distance, self.learn = neuron, engine, half_distance, learn or Learnable()
        if half_distance and engine == AUTOGRAD:
            raise InputError("SpikingLayer: engine 'autograd' keeps no distances; leave out half_distance.")
        self.surrogate = surrogate or Surrogate()
        self.shape = (n_recurrent,) if shape is None and n_recurrent is not None else shape
        self.recurrent = None if n_recurrent is None else nn.Linear(n_recurrent, n_recurrent)
        fixed = dict(exact or {})
        self.learn.check(neuron)
        for name, sharing in self.learn.learned.items():
            size = size_of(sharing, self.shape, name)
            start = fixed.pop(COEFFICIENTS[name], torch.tensor(coefficient_of(neuron, name), dtype=torch.float64))
            values = kept_as(COEFFICIENTS[name], start, self.learn.form)
            if values.numel() not in (1, torch.Size(size).numel()):
                raise InputError(f"SpikingLayer: {values.numel()} numbers to start {name} from, {size} are learned.")
            values = values.reshape(size) if values.numel() > 1 else values.reshape(-1).expand(size)
            self.register_parameter(f"learned_{name}", nn.Parameter(values.clone()))
        self.exact = tuple(fixed)
        for name, values in fixed.items():
            self.register_buffer(f"exact_{name}", values)
        if engine not in ("auto", AUTOGRAD):
            engine_of(engine, "cpu")

    @property
    def numbers(self) -> dict[str, Tensor]:
        """Coefficients that the record does not hold: what is learned, float64 and with its gradient, and `exact`."""
        found = {name: getattr(self, f"exact_{name}") for name in self.exact}
        for name in self.learn.learned:
            key = COEFFICIENTS[name]
            found[key] = value_of(key, getattr(self, f"learned_{name}"), self.learn.form)
        return found

    @property
    def coefficients(self) -> Coefficients:
        """Coefficients of one step."""
        return coefficients(self.neuron, **self.numbers)

    @property
    def si_values(self) -> dict[str, Tensor]:
        """What is learned in SI units, as the record has it: time constants in s."""
        numbers, dt = self.numbers, self.neuron.dt
        keys = {name: COEFFICIENTS[name] for name in self.learn.learned}
        return {name: in_si_units(key, numbers[key], dt) for name, key in keys.items()}

    def forward(self, currents: Tensor, *, with_membrane: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        """Return the spikes (time, batch, ...) that `currents` of the same shape cause.

        With `with_membrane` also the membrane after each step, of the same shape and with its gradient, so that a loss
        may ask for it; from fast engines it is exact to rounding.
        """
        found = self.run(currents, with_membrane=with_membrane)
        if with_membrane:
            assert found.membrane is not None
            return found.spikes, found.membrane
        return found.spikes

    def advance(self, currents: Tensor, state: State | None = None, *, carried: bool = False) -> tuple[Tensor, State]:
        """Return spikes and last state of a chunk that starts from `state`.

        Gradients are cut off at both states (truncated backpropagation through time), or `carried` through them.
        """
        found = self.run(currents, state, carried=carried)
        return found.spikes, found.state

    def run(
        self, currents: Tensor, state: State | None = None, *, carried: bool = False, with_membrane: bool = False
    ) -> Sequence:
        """Return spikes, last state and membrane (where asked) of a chunk that starts from `state`."""
        running.check_currents(currents)
        weight = None
        if self.recurrent is not None:
            weight, currents = self.recurrent.weight, currents + self.recurrent.bias
        units = tuple(currents.shape[2:])
        if "neuron" in self.learn.learned.values() and self.shape is not None and tuple(self.shape) != units:
            raise InputError(f"SpikingLayer: numbers of units of shape {tuple(self.shape)} are learned, found {units}.")
        c = each_unit(self.coefficients, units)
        numbers = [getattr(c, name) for name in sequence.NUMBERS]
        begun = list(state) if state is not None and carried else []
        if currents.numel() and self._by_autograd(currents, weight, *numbers, *begun):
            return run_by_autograd(currents, c, weight, state, self.surrogate, carried=carried)
        currents, weight, *rest = once(currents, weight, *begun, *numbers)
        begun, numbers = rest[: len(begun)], rest[len(begun) :]
        state = State(*begun) if carried and state is not None else state
        c = Coefficients(reset=c.reset, **dict(zip(sequence.NUMBERS, numbers, strict=True)))
        POOL.keep_for(self)
        engine = engine_of("torch" if self.engine == AUTOGRAD else self.engine, currents.device.type)
        if self.engine == "triton" and not (currents.is_cuda or "TRITON_INTERPRET" in os.environ):
            raise InputError(f"SpikingLayer: engine 'triton' is for a GPU, the currents are on {currents.device.type}.")
        way = Way(self.surrogate, engine, membrane=with_membrane, half=self.half_distance, carried=carried)
        return running.run_sequence(currents, c, way, weight=weight, state=state)

    def _by_autograd(self, *given: Tensor | float | None) -> bool:
        """Return whether the plain loop has to run; an engine that was asked for by name refuses instead."""
        if self.engine == AUTOGRAD or not is_transformed(*given):
            return self.engine == AUTOGRAD
        if self.engine != "auto":
            raise InputError(
                f"SpikingLayer: engine {self.engine!r} knows no transforms of torch.func and no forward derivatives; "
                "take engine='auto' or 'autograd'."
            )
        return True

    def membrane(self, currents: Tensor) -> Tensor:
        """Return the membrane (time, batch, ...) in every step, without gradient."""
        with torch.no_grad():
            c, state, values = self.coefficients, sequence.silence(currents[0]), []
            c = sequence.shaped(each_unit(c, tuple(currents.shape[2:])), currents[0])
            for now in currents.unbind(0):
                drive = now if self.recurrent is None else now + self.recurrent(state.spikes)
                state, _ = sequence.neuron_step(state, drive, c, self.surrogate)
                values.append(state.membrane)
        return torch.stack(values)

    def extra_repr(self) -> str:
        """Return the parameters, as printing a module shows them."""
        learned = ", ".join(f"{name} a {sharing}" for name, sharing in self.learn.learned.items())
        about = f"{self.neuron}, surrogate={self.surrogate.name}"
        return f"{about}, learned ({self.learn.form}): {learned}" if learned else about


def _check_given(neuron: object, exact: object, learn: object, shape: object) -> None:
    """Refuse what is no record, no tensors by coefficient, or no shape."""
    if not isinstance(neuron, DiscreteParameters):
        raise InputError(f"SpikingLayer: a record as DiscreteLIFParameters() is asked, found {type(neuron).__name__}.")
    if learn is not None and not isinstance(learn, Learnable):
        raise InputError(f"SpikingLayer: learn = {learn!r}; a record Learnable(...) is asked.")
    is_shape = isinstance(shape, tuple) and all(isinstance(n, int) and n >= 1 for n in shape)
    if shape is not None and not (is_shape and shape):
        raise InputError(f"SpikingLayer: shape = {shape!r}; sizes of at least 1 are asked, as (unit,).")
    given = exact if isinstance(exact, dict) else {} if exact is None else {str(exact)[:40]: None}
    for name, values in given.items():
        if name not in sequence.NUMBERS or not isinstance(values, Tensor):
            raise InputError(
                f"SpikingLayer: exact holds tensors of {', '.join(sequence.NUMBERS)}; found {name!r}, "
                f"{type(values).__name__}."
            )


@functools.cache
def engine_of(name: EngineName, device: str) -> Engine:
    """Return the engine of this name, or the fastest one for the device.

    Raises
    ------
    InputError : unknown, or not to be had here.
    """
    fastest = FASTEST.get(device, "torch")
    chosen = name if name != "auto" else "torch" if _lack_of(fastest) else fastest
    if chosen not in ENGINES:
        raise InputError(f"SpikingLayer: no engine {name!r}; known: auto, {', '.join(ENGINES)}, {AUTOGRAD}.")
    if lack := _lack_of(chosen):
        raise InputError(f"SpikingLayer: engine {chosen!r} {lack}")
    engine: Engine = called(ENGINES[chosen])()
    return engine


def _lack_of(name: str) -> str | None:
    """Return what an engine lacks here, or None."""
    if name == "compiled" and compiled_engine.library() is None:
        return "needs a C++ compiler (g++), which is not here."
    if name == "triton" and importlib.util.find_spec("triton") is None:
        return "is not installed; pip install 'neurosim[gpu]'."
    return None
