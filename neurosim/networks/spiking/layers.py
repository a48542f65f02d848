"""The layer of spiking neurons: parameters in SI units, whole sequences in and out, with or without recurrence."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from neurosim.networks.spiking import compiled_engine, running, sequence
from neurosim.networks.spiking.compiled_engine import CompiledEngine
from neurosim.networks.spiking.memory import POOL
from neurosim.networks.spiking.running import Way
from neurosim.networks.spiking.sequence import Coefficients, Engine, State, coefficients
from neurosim.networks.spiking.surrogates import Surrogate
from neurosim.networks.spiking.torch_engine import TorchEngine
from neurosim.parameters import DiscreteParameters
from neurosim.registry import called
from neurosim.schema import InputError

EngineName = Literal["auto", "torch", "compiled", "triton"]
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
    engine : "torch", "compiled" (C++ on the CPU), "triton" (CUDA) or "auto": the fastest that is here.
    half_distance : keep what the gradient asks for in float16: 2 bytes a neuron and step rather than 4. Gradients then
        differ by up to a thousandth of the largest, with the surrogate that is the default.
    exact : coefficients that differ from those of the record, as numbers a unit: "beta", "threshold", "alpha".

    Raises
    ------
    InputError : a reset or an engine that layers do not have.

    Examples
    --------
    >>> import torch
    >>> ns.networks.SpikingLayer(ns.parameters.DiscreteLIFParameters())(torch.full((5, 1, 3), 0.4)).sum().item()
    3.0
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
    ) -> None:
        super().__init__()
        coefficients(neuron)
        if n_recurrent is not None and n_recurrent < 1:
            raise InputError(f"SpikingLayer: n_recurrent = {n_recurrent}; at least 1 unit is asked.")
        self.neuron, self.engine, self.half_distance = neuron, engine, half_distance
        self.surrogate = surrogate or Surrogate()
        self.recurrent = None if n_recurrent is None else nn.Linear(n_recurrent, n_recurrent)
        self.exact = tuple(exact or ())
        for name, values in (exact or {}).items():
            self.register_buffer(f"exact_{name}", values)
        if engine != "auto":
            engine_of(engine, "cpu")

    @property
    def coefficients(self) -> Coefficients:
        """Coefficients of one step."""
        return coefficients(self.neuron, **{name: getattr(self, f"exact_{name}") for name in self.exact})

    def forward(self, currents: Tensor) -> Tensor:
        """Return the spikes (time, batch, ...) that `currents` of the same shape cause."""
        return self.advance(currents)[0]

    def advance(self, currents: Tensor, state: State | None = None, *, carried: bool = False) -> tuple[Tensor, State]:
        """Return spikes and last state of a chunk that starts from `state`.

        Gradients are cut off at both states (truncated backpropagation through time), or `carried` through them.
        """
        running.check_currents(currents)
        weight = None
        if self.recurrent is not None:
            weight, currents = self.recurrent.weight, currents + self.recurrent.bias
        POOL.keep_for(self)
        way = Way(
            self.surrogate, engine_of(self.engine, currents.device.type), half=self.half_distance, carried=carried
        )
        found = running.run_sequence(currents, self.coefficients, way, weight=weight, state=state)
        return found.spikes, found.state

    def membrane(self, currents: Tensor) -> Tensor:
        """Return the membrane (time, batch, ...) in every step, without gradient."""
        with torch.no_grad():
            c, state, values = self.coefficients, sequence.silence(currents[0]), []
            c = sequence.shaped(c, currents[0])
            for now in currents.unbind(0):
                drive = now if self.recurrent is None else now + self.recurrent(state.spikes)
                state, _ = sequence.neuron_step(state, drive, c, self.surrogate)
                values.append(state.membrane)
        return torch.stack(values)

    def extra_repr(self) -> str:
        """Return the parameters, as printing a module shows them."""
        return f"{self.neuron}, surrogate={self.surrogate.name}"


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
        raise InputError(f"SpikingLayer: no engine {name!r}; known: auto, {', '.join(ENGINES)}.")
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
