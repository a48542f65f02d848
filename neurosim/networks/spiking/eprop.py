"""E-prop: gradients of a recurrent spiking layer computed forward in time, with memory that does not grow with it.

https://doi.org/10.1038/s41467-020-17236-y. What a spike does to the future through recurrent weights is left out; the
rest is exact, so that without recurrent weights it is the gradient of backpropagation through time.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.networks.spiking.sequence import neuron_step, silence
from neurosim.schema import InputError


@torch.no_grad()
def eprop_gradients(
    inputs: nn.Linear, layer: SpikingLayer, readout: nn.Linear, sequence: Tensor, labels: Tensor
) -> Tensor:
    """Set the gradients of the cross-entropy of the readout in every step, averaged over steps and stimuli.

    Parameters
    ----------
    inputs : weights from the sequence to the layer. layer : leaky or adaptive neurons with the reset "subtract" or
        "none", recurrent or not. readout : weights from spikes to logits.
    sequence : (time, batch, unit), held in memory; its steps are used one after another.
    labels : (batch,), right categories.

    Returns
    -------
    the loss, a scalar. Gradients are added to ``.grad`` of the weights and biases of all three.

    Raises
    ------
    InputError : another kind of neuron or reset, or what is no tensor of these dims.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> spiking = ns.networks.SpikingLayer(ns.parameters.DiscreteLIFParameters(), n_recurrent=5)
    >>> parts = nn.Linear(4, 5), spiking, nn.Linear(5, 3)
    >>> loss = ns.networks.eprop_gradients(*parts, torch.rand(20, 2, 4), torch.tensor([0, 2]))
    >>> parts[1].recurrent.weight.grad.shape
    torch.Size([5, 5])
    """
    c = layer.coefficients
    if layer.learn.learned:
        raise InputError(
            f"eprop_gradients: {', '.join(layer.learn.learned)} of the layer are learned, for which e-prop has no "
            "gradient here; take fixed ones, or backpropagation."
        )
    if c.has_current or c.reset not in ("subtract", "none"):
        raise InputError(
            "eprop_gradients: leaky or adaptive neurons with the reset 'subtract' or 'none' are asked, found "
            f"{type(layer.neuron).__name__} with {c.reset!r}."
        )
    if not isinstance(layer.recurrent, nn.Linear | None):
        raise InputError(
            "eprop_gradients: recurrent weights all to all (nn.Linear) are asked, found "
            f"{type(layer.recurrent).__name__}."
        )
    for name, given, n_dims, kinds in (("sequence", sequence, 3, "floats"), ("labels", labels, 1, "whole numbers")):
        is_float = isinstance(given, Tensor) and given.is_floating_point()
        whole = isinstance(given, Tensor) and not (is_float or given.is_complex() or given.dtype == torch.bool)
        if not (is_float if kinds == "floats" else whole) or given.ndim != n_dims:
            raise InputError(
                f"eprop_gradients: {name} as a tensor of {n_dims} dims of {kinds} asked, found {type(given).__name__}."
            )
    n_time, n_batch = sequence.shape[:2]
    if labels.shape != (n_batch,) or not bool(((labels >= 0) & (labels < readout.out_features)).all()):
        raise InputError(
            f"eprop_gradients: {n_batch} labels in 0..{readout.out_features - 1} asked, found {labels.tolist()[:10]}."
        )
    senders = [inputs] if layer.recurrent is None else [inputs, layer.recurrent]
    state = silence(inputs(sequence[0]))
    traces = [_Traces(part, n_batch, layer) for part in senders]
    total = sequence.new_zeros(())
    for now in sequence.unbind(0):
        arriving = [now] if layer.recurrent is None else [now, state.spikes]
        drive = sum(part(sent) for part, sent in zip(senders, arriving, strict=True))
        state, distance = neuron_step(state, torch.as_tensor(drive), c, layer.surrogate)
        logits = readout(state.spikes)
        log_p = torch.log_softmax(logits, 1)
        total -= log_p.gather(1, labels[:, None]).mean() / n_time
        error = log_p.exp()
        error[torch.arange(n_batch), labels] -= 1
        error /= n_batch * n_time
        _add(readout.weight, error.T @ state.spikes)
        _add(readout.bias, error.sum(0))
        signal, slope = error @ readout.weight, layer.surrogate.derivative(distance)
        for part, sent, trace in zip(senders, arriving, traces, strict=True):
            weight, bias = trace.advance(sent, slope, signal)
            _add(part.weight, weight)
            _add(part.bias, bias)
    return total


class _Traces:
    """Eligibility of the weights of one sender: what each did to the membrane, and to the threshold, of its target."""

    def __init__(self, part: nn.Linear, n_batch: int, layer: SpikingLayer) -> None:
        self.c = layer.coefficients
        n_to, n_from = part.weight.shape
        per_unit = isinstance(self.c.beta, Tensor)
        self.membrane = part.weight.new_zeros((n_batch, n_to if per_unit or self.c.adapts else 1, n_from + 1))
        self.threshold = part.weight.new_zeros((n_batch, n_to, n_from + 1)) if self.c.adapts else None
        self.last_slope: Tensor | None = None

    def advance(self, sent: Tensor, slope: Tensor, signal: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradients (to, from) and (to,) that this step adds; the bias is one more sender, always at 1."""
        c = self.c
        before = self.membrane
        beta = c.beta.view(1, -1, 1) if isinstance(c.beta, Tensor) else c.beta
        arriving = torch.cat([sent, torch.ones_like(sent[:, :1])], dim=1)
        self.membrane = beta * before + arriving[:, None, :]
        eligible = self.membrane
        if self.threshold is not None:
            rho, rise = (v.view(1, -1, 1) if isinstance(v, Tensor) else v for v in (c.rho, c.rise))
            if self.last_slope is not None:
                self.threshold = rho * self.threshold + self.last_slope[:, :, None] * (before - rise * self.threshold)
            eligible = self.membrane - rise * self.threshold
            self.last_slope = slope
        strength = signal * slope
        if eligible.shape[1] == 1:
            found = strength.T @ eligible[:, 0]
        else:
            found = torch.einsum("bj,bji->ji", strength, eligible)
        return found[:, :-1], found[:, -1]


def _add(parameter: Tensor | None, gradient: Tensor) -> None:
    if parameter is not None:
        parameter.grad = gradient.clone() if parameter.grad is None else parameter.grad + gradient
