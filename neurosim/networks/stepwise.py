"""Networks over whole sequences (time, batch, ...): snnTorch neurons start every stimulus from silence."""

from __future__ import annotations

import snntorch as snn
import torch
from torch import Tensor, nn

MULTI_STEP, SINGLE_STEP = "m", "s"  # what SpikingJelly calls them


def reset_neurons(network: nn.Module) -> None:
    """Set the state of every neuron of snnTorch and SpikingJelly inside `network`, and of no other, to silence."""
    for module in network.modules():
        if isinstance(module, snn.SpikingNeuron) and hasattr(module, "reset_mem"):
            module.reset_mem()
        elif step_mode_of_state(module):
            module.reset()  # type: ignore[operator]


def step_mode_of_state(module: nn.Module) -> str:
    """Return how a layer that keeps a state runs, as SpikingJelly says it: in single steps or several; else nothing."""
    return str(getattr(module, "step_mode", "")) if callable(getattr(module, "reset", None)) else ""


def is_stepwise(network: nn.Module) -> bool:
    """Whether `network` is a plain sequence of layers with snnTorch neurons, which knows no time of its own."""
    is_plain = isinstance(network, nn.Sequential) and type(network).forward is nn.Sequential.forward
    return is_plain and any(isinstance(m, snn.SpikingNeuron) for m in network.modules())


class OverTime(nn.Module):
    """A sequence of layers and snnTorch neurons, run over (time, batch, ...) from silence.

    Parameters
    ----------
    network : ``nn.Sequential``; its neurons may or may not keep their state themselves (``init_hidden``).
    n_steps : steps that an input without time, (batch, ...), is shown; None: inputs have a time axis.
    time_step : duration of one step, s.

    Examples
    --------
    >>> import snntorch as snn
    >>> import torch
    >>> from torch import nn
    >>> net = ns.networks.OverTime(nn.Sequential(nn.Linear(4, 3), snn.Leaky(beta=0.9)))
    >>> net(torch.ones(5, 2, 4)).shape
    torch.Size([5, 2, 3])
    """

    def __init__(self, network: nn.Sequential, *, n_steps: int | None = None, time_step: float = 1e-3) -> None:
        super().__init__()
        self.network, self.time_step = network, time_step
        self.shown_steps = n_steps
        self.recorded = tuple(f"network.{n}" for n, m in network.named_modules() if isinstance(m, snn.SpikingNeuron))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the output of the last layer in every step, (time, batch, ...)."""
        reset_neurons(self.network)
        steps = inputs.unbind(0) if self.shown_steps is None else [inputs] * self.shown_steps
        state: dict[int, tuple[Tensor, ...]] = {}
        outputs = []
        for now in steps:
            activity = now
            for layer in _layers(self.network):
                activity = _advance(layer, activity, state)
            outputs.append(activity)
        return torch.stack(outputs)


class TimeFirst(nn.Module):
    """A network over (batch, time, ...), run over (time, batch, ...).

    Examples
    --------
    >>> TimeFirst(nn.Flatten())(torch.ones(5, 2, 4)).shape
    torch.Size([2, 20])
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Tensor) -> object:
        """Return what the network answers."""
        return self.network(inputs.transpose(0, 1))


def _layers(network: nn.Sequential) -> list[nn.Module]:
    return [inner for m in network for inner in (_layers(m) if isinstance(m, nn.Sequential) else [m])]


def _advance(layer: nn.Module, now: Tensor, state: dict[int, tuple[Tensor, ...]]) -> Tensor:
    """Run one layer; the state of a neuron that does not keep it itself is kept in `state`."""
    if not isinstance(layer, snn.SpikingNeuron) or layer.init_hidden:
        out = layer(now)
        answer: Tensor = out[0] if isinstance(out, tuple) else out
        return answer
    answer, *rest = layer(now, *state.get(id(layer), ()))
    state[id(layer)] = (answer, *rest) if isinstance(layer, snn.RLeaky | snn.RSynaptic) else tuple(rest)
    return answer
