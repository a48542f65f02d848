"""Reward-modulated STDP at work: three factors, sender, receiver and reward, and no gradient.

Every synapse has a mark that decays with `tau_mark`. When the receiver spikes it rises by `a_plus` times the trace of
the sender; when the sender spikes it falls by `a_minus` times the trace of the receiver. The weight changes by the sum
over steps of reward times mark. As the mark is linear in its changes, each is paid at once with all the reward that
finds its rest, so that no mark is held for every stimulus and synapse. A spike reaches the next layer in its own step:
of a pair within a step, the sender is first.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from neurosim.networks.feeding import Portion
from neurosim.networks.learning.at_work import instead
from neurosim.networks.learning_rules.reward_stdp import RewardSTDP
from neurosim.networks.objectives import Objective
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.networks.unfit import answered
from neurosim.schema import InputError

WHO = "train: rule 'reward_stdp'"


def bind(network: nn.Module, options: RewardSTDP, seed: int) -> RewardAtWork:
    """Return reward-modulated STDP on a network; `seed` is not used, as nothing is drawn.

    Raises
    ------
    InputError : weights of other layers, recurrent weights, another number of spiking layers than of weighted ones.
    """
    del seed
    linear = [m for m in network.modules() if isinstance(m, nn.Linear)]
    spiking = [m for m in network.modules() if isinstance(m, SpikingLayer)]
    known = {id(p) for m in linear for p in m.parameters()}
    odd = [name for name, p in network.named_parameters() if id(p) not in known]
    who = type(network).__name__
    if odd:
        raise InputError(f"{odd[0]!r} of {who} is a weight of another kind.")
    if any(m.recurrent is not None for m in spiking):
        raise InputError(f"a layer of {who} has recurrent weights.")
    if not spiking or len(linear) != len(spiking):
        raise InputError(f"{who} has {len(linear)} nn.Linear and {len(spiking)} SpikingLayer.")
    return RewardAtWork(network, linear, spiking, options)


class RewardAtWork:
    """Reward-modulated STDP on the layers of a network."""

    def __init__(
        self, network: nn.Module, linear: list[nn.Linear], spiking: list[SpikingLayer], options: RewardSTDP
    ) -> None:
        self.network, self.linear, self.spiking, self.options = network, linear, spiking, options
        self.state = nn.Module()
        self.state.register_buffer("mean_reward", torch.zeros(()))

    @torch.no_grad()
    def learn(self, portion: Portion, objective: Objective, place: str, weight: float) -> tuple[Any, Tensor]:
        """Add minus what the weights gain."""
        met: list[tuple[nn.Module, Tensor]] = []
        changes: dict[nn.Module, Any] = {m: partial(self._sent, m, m.forward, met) for m in self.linear}
        changes |= {m: partial(self._spiked, m, m.forward, met) for m in self.spiking}
        with instead(changes):
            outputs, losses = answered(self.network, self.network, objective, portion, place)
        kinds = [isinstance(m, SpikingLayer) for m, _ in met]
        if kinds != [False, True] * len(self.linear):
            raise InputError(f"{WHO}: layers are called in turn, each once; found {type(self.network).__name__} else.")
        rewards = self._rewards(outputs, losses, portion.targets[0], met[-1][1])
        for (layer, sent), (neurons, spikes) in zip(met[::2], met[1::2], strict=True):
            if isinstance(layer, nn.Linear) and isinstance(neurons, SpikingLayer) and layer.weight.requires_grad:
                gained = -weight * gain(sent, spikes, rewards, self.options, neurons.neuron.dt)
                layer.weight.grad = gained if layer.weight.grad is None else layer.weight.grad + gained
        return outputs, losses

    @staticmethod
    def _sent(layer: nn.Module, forward: Any, met: list[tuple[nn.Module, Tensor]], inputs: Tensor) -> Tensor:
        if inputs.ndim != 3:
            raise InputError(f"{WHO}: layers over (time, batch, unit) asked, found {tuple(inputs.shape)}.")
        met.append((layer, inputs))
        answer: Tensor = forward(inputs)
        return answer

    @staticmethod
    def _spiked(layer: nn.Module, forward: Any, met: list[tuple[nn.Module, Tensor]], currents: Tensor) -> Tensor:
        answer: Tensor = forward(currents)
        met.append((layer, answer))
        return answer

    def _rewards(self, outputs: Any, losses: Tensor, labels: Tensor, spikes: Tensor) -> Tensor:
        """Return the reward (time, batch) of every step and stimulus."""
        found = torch.zeros_like(spikes[..., 0])
        if self.options.reward == "loss":
            paid = -losses.to(found)
        else:
            n = max(spikes.shape[2], 2) if self.options.reward == "spikes" else outputs.shape[1]
            if labels.ndim != 1 or labels.is_floating_point() or int(labels.max()) >= n:
                raise InputError(f"{WHO}: reward {self.options.reward!r} takes whole labels of {n} outputs.")
            if self.options.reward == "spikes":
                signs = 2 * nn.functional.one_hot(labels.long(), n).to(found) - 1
                return (spikes * signs[:, -spikes.shape[2] :]).sum(2)
            paid = 2 * (outputs.argmax(1) == labels).to(found) - 1
        mean: Any = self.state.mean_reward
        share = self.options.baseline
        found[-1] = paid - mean if share else paid
        if share:
            mean.copy_(share * mean + (1 - share) * paid.mean())
        return found


def gain(sent: Tensor, spikes: Tensor, rewards: Tensor, options: RewardSTDP, dt: float) -> Tensor:
    """Return what weights (unit, input) gain, summed over stimuli.

    Parameters
    ----------
    sent : spikes (time, batch, input). spikes : of the receivers, (time, batch, unit). rewards : (time, batch).
    """
    before = trace(sent, math.exp(-dt / options.tau_plus))
    fades = math.exp(-dt / options.tau_minus)
    after = trace(spikes, fades) - spikes  # of the steps before this one
    paid = trace(rewards.flip(0), math.exp(-dt / options.tau_mark)).flip(0)[..., None]
    together = options.a_plus * torch.einsum("tbj,tbi->ji", paid * spikes, before)
    return together - options.a_minus * torch.einsum("tbj,tbi->ji", paid * after, sent)


def trace(values: Tensor, keep: float) -> Tensor:
    """Return sums over the past (time, ...) that keep a share from step to step, this step included."""
    found, now = torch.empty_like(values), torch.zeros_like(values[0])
    for t, value in enumerate(values.unbind(0)):
        now = keep * now + value
        found[t] = now
    return found
