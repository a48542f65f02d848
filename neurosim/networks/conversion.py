"""Networks of snnTorch and ours are the same networks: layers of one become layers of the other, weights and all."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import snntorch as snn
import torch
from snntorch import surrogate as theirs
from torch import Tensor, nn

from neurosim.networks.chains import is_neuron, plain_layers
from neurosim.networks.flags import check_module
from neurosim.networks.learnable import Learnable, Sharing
from neurosim.networks.neuron_records import is_graded, record_of, surrogate_of
from neurosim.networks.spiking.delays import DelayedLinear
from neurosim.networks.spiking.graded import GradedSpikes
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.networks.spiking.readout import MembraneReadout
from neurosim.networks.spiking.surrogates import Surrogate
from neurosim.networks.stepwise import OverTime
from neurosim.parameters import DiscreteAdaptiveLIFParameters, DiscreteAlphaParameters, DiscreteSynapticParameters
from neurosim.schema import InputError

_SURROGATES: dict[str, Callable[[float], object]] = {
    "atan": lambda k: theirs.atan(alpha=k),
    "fast_sigmoid": lambda k: theirs.fast_sigmoid(slope=k),
    "sigmoid": lambda k: theirs.sigmoid(slope=k),
    "straight_through": lambda k: theirs.straight_through_estimator(),
}
LEARNED = {"beta": "tau_mem", "threshold": "threshold", "alpha": "tau_syn"}
OVER_TIME = (SpikingLayer, DelayedLinear, MembraneReadout, nn.Linear)
STEPLESS = (DelayedLinear, MembraneReadout)


class SpikingSequence(nn.Module):
    """Layers and spiking neurons one after another, each over the whole sequence (time, batch, ...).

    Layers that know no time are shown all steps at once. Neurons that stand in several places have a state in each, and
    what they learn in common; their second place is recorded as the second call, ``network.1#2``.

    Parameters
    ----------
    layers : in order. n_steps : steps that an input without time is shown; none: inputs have a time axis.
    time_step : s.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> spiking = ns.networks.SpikingLayer(ns.parameters.DiscreteLIFParameters())
    >>> net = ns.networks.SpikingSequence([nn.Linear(4, 3), spiking])
    >>> net(torch.ones(5, 2, 4)).shape
    torch.Size([5, 2, 3])
    """

    def __init__(self, layers: list[nn.Module], *, n_steps: int | None = None, time_step: float = 1e-3) -> None:
        super().__init__()
        self.network = nn.Sequential(*layers)
        self.shown_steps, self.time_step = n_steps, time_step
        neurons = [(k, m) for k, m in enumerate(layers) if isinstance(m, SpikingLayer)]
        first = {id(m): k for k, m in reversed(neurons)}
        calls = [sum(other is m for other in layers[: k + 1]) for k, m in neurons]
        names = (f"network.{first[id(m)]}" for _, m in neurons)
        self.recorded = tuple(n + f"#{call}" * (call > 1) for n, call in zip(names, calls, strict=True))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the output of the last layer in every step, (time, batch, ...)."""
        return self.over_time(inputs if self.shown_steps is None else inputs.expand(self.shown_steps, *inputs.shape))

    def over_time(self, activity: Tensor) -> Tensor:
        """Return the output of the last layer in every step of an input that has a time axis."""
        for layer in self.network:
            if isinstance(layer, OVER_TIME):
                activity = layer(activity)
            else:
                activity = layer(activity.flatten(0, 1)).unflatten(0, activity.shape[:2])
        return activity

    def chain(self) -> list[tuple[str, nn.Module]]:
        """Return (name, module) of all layers in the order in which the signal reaches them."""
        return [(f"network.{k}", module) for k, module in enumerate(self.network)]  # one that stands twice, twice


class OneToOne(nn.Module):
    """Recurrent weights of units that drive only themselves: one number each, the diagonal of a matrix, without bias.

    Parameters
    ----------
    V : weights (unit,).

    Examples
    --------
    >>> OneToOne(torch.tensor([0.5, 2.0])).weight.tolist()
    [[0.5, 0.0], [0.0, 2.0]]
    """

    bias: Tensor

    def __init__(self, V: Tensor) -> None:
        super().__init__()
        self.V = nn.Parameter(V.detach().clone())
        self.register_buffer("bias", torch.zeros_like(self.V.detach()), persistent=False)

    @property
    def weight(self) -> Tensor:
        """The weights as a matrix (to, from)."""
        return torch.diag(self.V)

    def forward(self, spikes: Tensor) -> Tensor:
        """Return what the spikes (..., unit) of the last step bring."""
        return spikes * self.V


def from_snntorch(network: nn.Module, *, dt: float = 1e-3, n_steps: int | None = None) -> SpikingSequence:
    """Return a sequence of snnTorch neurons and other layers as ours, with copies of all weights: the same spikes.

    Parameters
    ----------
    network : ``nn.Sequential`` with ``snn.Leaky``, ``snn.RLeaky`` or ``snn.Synaptic`` neurons, or one such neuron.
    dt : duration of a step, s; snnTorch has none of its own. n_steps : steps an input without time is shown.

    Returns
    -------
    network over (time, batch, ...).

    Notes
    -----
    Numbers of a neuron that are learned (``learn_beta``, ``learn_threshold``, ``learn_alpha``), one a layer, a channel
    or a neuron, go on to be learned, kept as snnTorch does (``Learnable(form="clamped")``): the same steps of an
    optimizer. A factor of spikes (``graded_spikes_factor`` of ``snn.Leaky``) becomes a layer of :class:`GradedSpikes`.
    What is frozen stays so. One-to-one recurrence (``all_to_all=False``) stays one-to-one: a weight a unit learns, and
    nothing else. Weights that several layers share are shared by their copies.

    Raises
    ------
    InputError : a neuron or an option of it that ours do not have; neurons that learn a number in common; one weight
        for the recurrence of all neurons (``all_to_all=False, V=0.5``), which does not say how many they are.

    Examples
    --------
    >>> import snntorch as snn
    >>> import torch
    >>> from torch import nn
    >>> theirs = nn.Sequential(nn.Linear(4, 3), snn.Leaky(0.9))
    >>> ns.networks.from_snntorch(theirs)(torch.ones(5, 2, 4)).shape
    torch.Size([5, 2, 3])
    """
    check_module("from_snntorch", network)
    layers = [("neurons", network)] if is_neuron(network) else _layers(network)
    _refuse_tied("from_snntorch", layers)
    memo: dict[int, Any] = {}
    converted = [
        part for _, m in layers for part in (_from_neuron(m, dt, memo) if is_neuron(m) else [copy.deepcopy(m, memo)])
    ]
    return SpikingSequence(converted, n_steps=n_steps, time_step=dt)


def to_snntorch(network: nn.Module) -> OverTime:
    """Return one of our spiking networks as a sequence of snnTorch neurons, with copies of all weights.

    Parameters
    ----------
    network : a :class:`SpikingSequence`, one of our spiking networks, or an ``nn.Sequential`` of their layers.

    Returns
    -------
    network over (time, batch, ...), whose neurons are snnTorch's.

    Raises
    ------
    InputError : a neuron that snnTorch does not have: with an adaptive threshold, or with another reset; delays;
        neurons that learn a number in common.

    Notes
    -----
    What is learned stays so: snnTorch learns the share that is left after a step and the threshold themselves, also
    where ours are kept in the form "free". Numbers have the precision of the network's weights; weights that several
    layers share are shared by their copies.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> spiking = ns.networks.SpikingLayer(ns.parameters.DiscreteLIFParameters())
    >>> ours = ns.networks.SpikingSequence([nn.Linear(4, 3), spiking])
    >>> inputs = torch.ones(5, 2, 4)
    >>> bool((ns.networks.to_snntorch(ours)(inputs) == ours(inputs)).all())
    True
    """
    check_module("to_snntorch", network)
    layers = [("layer", network)] if isinstance(network, SpikingLayer) else plain_layers(network)
    if layers is None:
        raise InputError(
            f"to_snntorch: {type(network).__name__} has a forward of its own, or hooks, which can do anything between "
            "its layers; a sequence of layers, or one of our networks of such, is asked."
        )
    if not any(isinstance(m, SpikingLayer) for _, m in layers):
        raise InputError(f"to_snntorch: {type(network).__name__} holds no SpikingLayer.")
    for name, module in layers:
        if isinstance(module, STEPLESS):
            raise InputError(
                f"to_snntorch: layer {name!r} ({type(module).__name__}) works on whole sequences, snnTorch on steps."
            )
    _refuse_tied("to_snntorch", layers)
    like = next((p for p in network.parameters() if p.is_floating_point()), torch.empty(0))
    memo: dict[int, Any] = {}
    found: list[nn.Module] = []
    for (name, module), (_, before) in zip(layers, [("", nn.Identity()), *layers], strict=False):
        if isinstance(module, GradedSpikes):
            found[-1:] = [_graded(name, module, before, found[-1:])]
        else:
            made = _to_neuron(name, module, like, memo).to(like) if isinstance(module, SpikingLayer) else None
            found.append(copy.deepcopy(module, memo) if made is None else made)
    shown = getattr(network, "shown_steps", None)
    if shown is None and getattr(network, "input_kind", "") == "current":
        shown = getattr(network, "n_steps", None)
    step = float(getattr(network, "time_step", 1e-3))
    return OverTime(nn.Sequential(*found), n_steps=shown, time_step=step)


def _layers(network: nn.Module) -> list[tuple[str, nn.Module]]:
    layers = plain_layers(network) if isinstance(network, nn.Sequential) else None
    if layers is None:
        raise InputError(
            "from_snntorch: an nn.Sequential is asked, of layers without hooks or code of their own, found "
            f"{type(network).__name__}."
        )
    return layers


def _refuse_tied(who: str, layers: Sequence[tuple[str, nn.Module]]) -> None:
    """Refuse numbers that several neurons learn in common, which neurons of the other kind would learn apart."""
    first: dict[int, str] = {}
    for name, module in layers:
        for key, parameter in module.named_parameters(recurse=False) if is_neuron(module) else ():
            if id(parameter) in first and parameter.requires_grad:
                raise InputError(
                    f"{who}: the neurons {first[id(parameter)]!r} and {name!r} learn one {key} in common, which their "
                    "copies would learn apart; give each a number of its own."
                )
            first[id(parameter)] = name


def _from_neuron(module: nn.Module, dt: float, memo: dict[int, Any]) -> list[nn.Module]:
    record, exact = record_of(type(module).__name__, module, dt, for_layer=True)
    assert not isinstance(record, DiscreteAlphaParameters)
    learned = _learned(module)
    _refuse_others(module, learned)
    tensors = {name: torch.from_numpy(np.asarray(values)) for name, values in exact.items()} | learned
    sharing = {LEARNED[name]: _sharing(values) for name, values in learned.items()}
    shape = max((tuple(v.shape) for v in learned.values()), key=math.prod, default=None)
    inner = getattr(module, "recurrent", None)
    if inner is not None and not isinstance(inner, nn.Linear) and not hasattr(inner, "V"):
        raise InputError("from_snntorch: snn.RLeaky with a recurrent convolution is not known; use linear_features.")
    if inner is not None and not isinstance(inner, nn.Linear) and torch.as_tensor(inner.V).numel() == 1:
        raise InputError(
            "from_snntorch: snn.RLeaky has one V for the recurrence of all its neurons, whose number it does not say; "
            "give one a neuron: V=torch.full((n,), value)."
        )
    n = inner.out_features if isinstance(inner, nn.Linear) else None
    learn = Learnable(**sharing, form="clamped")
    layer = SpikingLayer(
        record, n_recurrent=n, exact=tensors, surrogate=_known_surrogate(module), learn=learn, shape=shape or None
    )
    for name, values in learned.items():
        parameter = getattr(layer, f"learned_{LEARNED[name]}")
        parameter.data = values.reshape(parameter.shape).clone()
    if isinstance(inner, nn.Linear):
        layer.recurrent = copy.deepcopy(inner, memo)
    elif inner is not None:
        layer.recurrent = OneToOne(torch.as_tensor(inner.V).flatten())  # type: ignore[assignment]
        layer.recurrent.requires_grad_(inner.V.requires_grad)  # type: ignore[union-attr]
    layer.to(torch.as_tensor(module.beta).device).train(module.training)
    if not is_graded(module):
        return [layer]
    factor = module.graded_spikes_factor
    assert isinstance(factor, Tensor)
    return [layer, GradedSpikes(factor, learn=factor.requires_grad)]


def _learned(module: nn.Module) -> dict[str, Tensor]:
    """Return the numbers that a snnTorch neuron learns, as it keeps them."""
    parameters = dict(module.named_parameters(recurse=False))
    return {n: parameters[n].detach() for n in LEARNED if n in parameters and parameters[n].requires_grad}


def _sharing(values: Tensor) -> Sharing:
    if values.numel() == 1:
        return "layer"
    return "channel" if values.ndim > 1 and values.numel() == values.shape[0] else "neuron"


def _refuse_others(module: nn.Module, learned: Mapping[str, Tensor]) -> None:
    taken = {"V", "graded_spikes_factor", *learned}
    others = sorted(n for n, p in module.named_parameters(recurse=False) if p.requires_grad and n not in taken)
    kind = f"snn.{type(module).__name__}"
    if others:
        raise InputError(
            f"from_snntorch: {kind} learns its {' and '.join(others)} (learn_{others[0]}=True), which a SpikingLayer "
            f"does not have; call .{others[0]}.requires_grad_(False) to take the value it has."
        )
    if getattr(module, "surrogate_disable", False):
        raise InputError(f"from_snntorch: {kind} has surrogate_disable=True; spikes of a SpikingLayer have a gradient.")


def _to_neuron(name: str, layer: SpikingLayer, like: Tensor, memo: dict[int, Any]) -> nn.Module:
    p, c = layer.neuron, layer.coefficients
    if isinstance(p, DiscreteAdaptiveLIFParameters):
        raise InputError(f"to_snntorch: layer {name!r} has an adaptive threshold, which snnTorch neurons do not have.")
    clears = isinstance(p, DiscreteSynapticParameters) or layer.recurrent is not None
    resets = {"subtract": "subtract", "none": "none", ("clear" if clears else "zero"): "zero"}
    if p.reset not in resets:
        raise InputError(f"to_snntorch: layer {name!r} has the reset {p.reset!r}, which snnTorch has not for it.")
    numbers = {k: _plain(v, layer, like) for k, v in vars(c).items() if k in LEARNED}
    if layer.learn.form == "clamped":  # as they are kept, also past their range, where snnTorch clamps them too
        clamped = {k: n for k, n in LEARNED.items() if n in layer.learn.learned and k != "threshold"}
        kept = {k: getattr(layer, f"learned_{n}") for k, n in clamped.items()}
        numbers |= {k: _plain(v, layer, like) for k, v in kept.items()}
    flags = {f"learn_{k}": name in layer.learn.learned for k, name in LEARNED.items()}
    options = {
        "threshold": numbers["threshold"],
        **{k: flags[k] for k in ("learn_beta", "learn_threshold")},
        "reset_mechanism": resets[p.reset],
        "spike_grad": _to_surrogate(layer.surrogate),
    }
    if isinstance(p, DiscreteSynapticParameters):
        synaptic: nn.Module = snn.Synaptic(
            alpha=numbers["alpha"], beta=numbers["beta"], learn_alpha=flags["learn_alpha"], **options
        )
        return synaptic
    if layer.recurrent is None:
        leaky: nn.Module = snn.Leaky(beta=numbers["beta"], **options)
        return leaky
    if isinstance(layer.recurrent, OneToOne):
        own = layer.recurrent.V
        return snn.RLeaky(
            beta=numbers["beta"], V=own.detach().clone(), all_to_all=False, learn_recurrent=own.requires_grad, **options
        )
    neuron = snn.RLeaky(beta=numbers["beta"], linear_features=layer.recurrent.out_features, **options)
    neuron.recurrent = copy.deepcopy(layer.recurrent, memo)
    connected: nn.Module = neuron
    return connected


def _graded(name: str, module: GradedSpikes, before: nn.Module, neuron: list[nn.Module]) -> nn.Module:
    """Return the snnTorch neuron just before, with the factor of its spikes."""
    if not (isinstance(before, SpikingLayer) and type(neuron[0]) is snn.Leaky):
        raise InputError(f"to_snntorch: layer {name!r} (GradedSpikes) does not follow neurons that become snn.Leaky.")
    (made,) = neuron
    del made._buffers["graded_spikes_factor"]
    values = module.factor.detach().clone()
    if module.factor.requires_grad:
        made.register_parameter("graded_spikes_factor", nn.Parameter(values))
    else:
        made.register_buffer("graded_spikes_factor", values)
    return made


def _plain(value: float | Tensor, layer: SpikingLayer, like: Tensor) -> Tensor:
    """Return a number as snnTorch keeps it: those of channels broadcast to pictures, one for all is no vector."""
    values, shape = torch.as_tensor(value, dtype=torch.float64).detach().to(like, copy=True), layer.shape or ()
    if len(shape) > 1 and tuple(values.shape) == tuple(shape[:1]):
        return values.reshape(-1, *(1,) * (len(shape) - 1))
    return values.reshape(()) if values.numel() == 1 else values


def _to_surrogate(surrogate: Surrogate) -> object:
    if surrogate.name not in _SURROGATES:
        raise InputError(f"to_snntorch: the surrogate {surrogate.name!r} is another one in snnTorch.")
    return _SURROGATES[surrogate.name](surrogate.slope)


def _known_surrogate(module: nn.Module) -> Surrogate:
    found = surrogate_of(module)
    if found is None:
        raise InputError(
            f"from_snntorch: the spike_grad of snn.{type(module).__name__} is none of ours; known, as snnTorch has "
            f"them: {', '.join(_SURROGATES)}."
        )
    return found
