"""Experiments on networks: lesion, silence, clamp, stimulate and noise, in the words of ``schema.Perturbation``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import snntorch as snn
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from neurosim.networks.axes import n_leading_axes
from neurosim.networks.naming import one_module
from neurosim.networks.recurrent import LeakyUnits, RateUnits
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.networks.untouched import eagerly
from neurosim.schema import InputError, Perturbation

CUT = ("lesion", "silence")


@contextlib.contextmanager
def perturbed(network: nn.Module, perturbation: Perturbation) -> Iterator[nn.Module]:
    """Run a network with some of its units lesioned, silenced, clamped, stimulated or made noisy, inside the block.

    Units that send to each other inside their module (``nn.LSTM``, recurrent spiking layers) are cut off from each
    other too when they are lesioned or silenced.

    Parameters
    ----------
    network : any module; layers are named as in ``record_responses``.
    perturbation : what is done to whom. Neurons that spike are stimulated at their input, in units of their threshold;
        other units at their output. Units of linear layers, embeddings and layer normalisations lie along the last
        axis, whatever axes of stimuli, time or tokens come before; all other units are counted as
        ``record_responses`` counts them, every place of every channel of a convolution.

    Returns
    -------
    context that gives the network.

    Raises
    ------
    InputError : no such layer or unit, a layer whose axis of stimuli is not known, or that the network ran without, or
        a clamp or, of units that do not spike, a stimulation or noise, that the units would have to send to each other
        inside their module.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> net = nn.Sequential(nn.Linear(2, 3))
    >>> with ns.networks.perturbed(net, ns.Perturbation("silence", "0", [1])):
    ...     net(torch.ones(1, 2))[0, 1].item()
    0.0
    """
    with changed(network, perturbation):
        yield network


@contextlib.contextmanager
def changed(network: nn.Module, perturbation: Perturbation) -> Iterator[Change]:
    """Do as :func:`perturbed`, and tell what was done: afterwards ``n_units`` is the number of units of the layer."""
    name = one_module(network, perturbation.layer, "perturbed")
    module = network.get_submodule(name)
    is_spiking = isinstance(module, SpikingLayer | snn.SpikingNeuron)
    at_input = is_spiking and perturbation.kind in ("stimulate", "noise")
    _check(module, perturbation, at_input)
    n_runs = {"network": 0, "layer": 0}

    def count(which: str) -> Callable[..., None]:
        def hook(*_: Any) -> None:
            n_runs[which] += 1

        return hook

    with contextlib.ExitStack() as undo:
        undo.enter_context(eagerly(network))
        undo.enter_context(_cut_inside(module, perturbation))
        act = Change(network, name, perturbation, is_spiking)
        for handle in (
            network.register_forward_hook(count("network")),
            module.register_forward_hook(count("layer")),
            module.register_forward_pre_hook(act.on_input) if at_input else module.register_forward_hook(act.on_output),
        ):
            undo.callback(handle.remove)
        yield act
    if n_runs["network"] and not n_runs["layer"]:
        raise InputError(f"perturbed: the network ran without layer {name!r}, so that nothing was perturbed.")


class Change:
    """What is done to the values that a layer takes or sends."""

    def __init__(self, network: nn.Module, name: str, perturbation: Perturbation, is_spiking: bool) -> None:
        self.network, self.name, self.perturbation = network, name, perturbation
        module = network.get_submodule(name)
        self.generator = torch.Generator().manual_seed(perturbation.rng)
        self.n_units = 0
        self.size = perturbation.amount * (_threshold(module) if is_spiking else 1.0)

    def on_input(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return what the layer takes instead: a hook before it runs."""
        return (self._changed(inputs[0], self._lead(module, inputs[0])), *inputs[1:])

    def _lead(self, module: nn.Module, values: Tensor) -> int:
        return n_leading_axes(self.network, module, self.name, values.shape)

    def on_output(self, module: nn.Module, _inputs: object, output: object) -> Any:
        """Return what the layer sends instead: a hook after it ran."""
        if isinstance(module, SpikingLayer) and isinstance(output, tuple):
            raise InputError(
                f"perturbed: layer {self.name!r} sends its membrane besides its spikes, which would not be changed; "
                "perturb the layer that reads it, or stimulate this one."
            )
        first, *rest = output if isinstance(output, tuple) and not isinstance(output, PackedSequence) else (output,)
        if isinstance(module, nn.RNNBase):
            return self._sequence(first), self._last(module, rest[0])
        if isinstance(module, nn.MultiheadAttention) and first.ndim == 3:
            rows = first if module.batch_first else first.transpose(0, 1)
            changed = self._changed(rows, 1)
            changed = changed if module.batch_first else changed.transpose(0, 1)
        else:
            changed = self._changed(first, self._lead(module, first))
        if isinstance(module, snn.SpikingNeuron) and isinstance(getattr(module, "spk", None), Tensor):
            module.spk = changed  # what recurrent neurons send to each other in the next step
        return (changed, *rest) if isinstance(output, tuple) else changed

    def _sequence(self, sequence: Any) -> Any:
        if isinstance(sequence, PackedSequence):
            return sequence._replace(data=self._changed(sequence.data, 1))
        return self._changed(sequence, sequence.ndim - 1)

    def _last(self, module: nn.RNNBase, state: object) -> Any:
        """Return the last state (layer x direction, ..., unit) in which the units of the last layer are cut."""
        h, *cell = state if isinstance(state, tuple) else (state,)
        sides = 1 + module.bidirectional
        top = torch.cat(list(h[-sides:]), dim=-1)
        top = self._changed(top, top.ndim - 1)
        h = torch.cat([h[:-sides], torch.stack(top.chunk(sides, dim=-1))])
        return (h, *cell) if cell else h

    def _changed(self, values: Tensor, lead: int) -> Tensor:
        p = self.perturbation
        flat = values.flatten(lead)
        self.n_units = flat.shape[-1]
        places = torch.as_tensor(p.chosen(self.n_units), device=flat.device)
        changed = flat.clone()
        if p.kind in CUT:
            changed[..., places] = 0.0
        elif p.kind == "clamp":
            changed[..., places] = p.amount
        else:
            shape = (*flat.shape[:-1], len(places))
            draw = torch.randn(shape, generator=self.generator) if p.kind == "noise" else torch.ones(shape)
            changed[..., places] += self.size * draw.to(flat)
        return changed.reshape(values.shape)


def _check(module: nn.Module, p: Perturbation, at_input: bool) -> None:
    inside = isinstance(module, nn.RNNBase | LeakyUnits | RateUnits) or getattr(module, "recurrent", None) is not None
    if inside and p.kind not in CUT and not at_input:
        raise InputError(
            f"perturbed: units of {p.layer!r} send to each other inside {type(module).__name__}, where {p.kind!r} does "
            "not reach; 'lesion' and 'silence' do."
        )


@contextlib.contextmanager
def _cut_inside(module: nn.Module, p: Perturbation) -> Iterator[None]:
    """Take away what cut units send to the units of their own module."""
    before: list[tuple[Tensor, Tensor, Tensor]] = []
    handle = None
    if p.kind in CUT and isinstance(module, LeakyUnits):
        handle = module.weights.register_forward_hook(
            lambda _m, _i, weights: weights.index_fill(1, _places(p, weights.shape[1], weights), 0.0)
        )
    elif p.kind in CUT:
        weights = _inner_weights(module)
        size = sum(w.shape[1] for w in weights)
        for k, one in enumerate(weights):
            places = _places(p, size, one) - k * one.shape[1]
            own = places[(places >= 0) & (places < one.shape[1])]
            before.append((one, own, one.detach()[:, own].clone()))
    try:
        with torch.no_grad():
            for weight, own, _ in before:
                weight[:, own] = 0.0
        yield
    finally:
        with torch.no_grad():
            for weight, own, values in before:
                weight[:, own] = values
        if handle is not None:
            handle.remove()


def _places(p: Perturbation, size: int, like: Tensor) -> Tensor:
    return torch.as_tensor(p.chosen(size), device=like.device)


def _inner_weights(module: nn.Module) -> list[Tensor]:
    """Return the weights (to, from) among the units of a module, one a direction."""
    if isinstance(module, nn.RNNBase):
        last = f"weight_hh_l{module.num_layers - 1}"
        return [getattr(module, last + side) for side in ("", "_reverse")[: 1 + module.bidirectional]]
    if isinstance(module, RateUnits | SpikingLayer) and module.recurrent is not None:
        return [module.recurrent.weight]
    return []


def _threshold(module: nn.Module) -> float:
    if isinstance(module, SpikingLayer):
        return float(torch.as_tensor(module.coefficients.threshold).mean())
    return float(torch.as_tensor(module.threshold).mean())
