"""Trained networks of rectified units become networks of spiking neurons, their thresholds balanced on training data.

The rate of a neuron stands for the activation of a unit (https://doi.org/10.1109/IJCNN.2015.7280696); thresholds are a
high percentile of activations, resets subtract, biases and batch normalisation are part of the weights, and maxima are
of spike counts (https://doi.org/10.3389/fnins.2017.00682).
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from neurosim.arrays import check_numbers
from neurosim.networks.asked import Task
from neurosim.networks.distributed import Share
from neurosim.networks.door import ASKED, Data, as_task, is_data
from neurosim.networks.evaluation import evaluate
from neurosim.networks.feeding import Feeder
from neurosim.networks.flags import check_module
from neurosim.networks.rate_networks import INPUT, RateChain, RateNetwork, Route
from neurosim.networks.rate_parts import Part, Parts, is_chain, parts_of
from neurosim.networks.samples import native
from neurosim.networks.showing import Shown
from neurosim.networks.untouched import evaluating
from neurosim.runtime import as_seed
from neurosim.schema import InputError, as_stimuli

AT_ONCE = 256  # stimuli
KEPT = 2**18  # activations a layer and batch, evenly spaced, of which the percentile is taken
LEAST = 1e-5
DEAD = 1.0  # threshold where no unit of a layer was ever active


def to_spiking(
    network: nn.Module,
    stimuli: xr.DataArray | Task | Data | Iterable[Any],
    *,
    n_steps: int = 64,
    percentile: float = 99.9,
    half_start: bool = True,
    time_step: float = 1e-3,
    rng: np.random.Generator | int = 0,
) -> RateNetwork:
    """Return a trained network of rectified units as one of spiking neurons, with thresholds balanced.

    Each layer of ReLU becomes neurons that do not leak, with the threshold that `percentile` of its activations stay
    below, and a reset that subtracts it (https://doi.org/10.3389/fnins.2017.00682): rates are activations, cut off
    there, to within a threshold over the number of steps for constant input. Weights are kept, batch normalisation is
    folded into them; average pooling stays, the maximum is that of spike counts. Residual sums weigh each branch by the
    threshold of its neurons. Stimuli are constant currents, as they were activations.

    Parameters
    ----------
    network : trained; modules or code that torch.fx traces, with Linear, Conv2d, BatchNorm, ReLU, ReLU6, AvgPool2d,
        AdaptiveAvgPool2d, MaxPool2d, Flatten, Dropout and sums of branches, as the ResNets of torchvision; functions
        that do the same (``F.relu``, ``F.max_pool2d``, ``x.view(x.size(0), -1)``) are taken as these.
    stimuli : on which thresholds are balanced: those of training, never those of the test. Of a task, the training set
        as the network learned it; or (stimulus, ...) as the network takes them.
    n_steps : steps that a stimulus is shown. percentile : of activations, 100 for the largest.
    half_start : let membranes start at half of the threshold, as a constant current that brings it over all steps
        (https://arxiv.org/abs/2103.00476), so that rates are rounded instead of cut off.
    time_step : duration of a step, s. rng : seed of what a task draws, or a generator.

    Returns
    -------
    network from stimuli to logits, the mean over steps of what its last layer gets. Its neurons are recorded by the
    name of the ReLU in whose place they are, with "_" for "."; ``with_steps`` shows stimuli for longer.
    :func:`neurosim.to_circuit` translates it where each layer gets what the one before sends, without maxima.

    Raises
    ------
    InputError : a layer or operation without a counterpart, by name; stimuli that the network does not take; numbers
        out of their range.

    Examples
    --------
    >>> from torch import nn
    >>> task = ns.tasks.classification_task(ns.load_digits())
    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    >>> history = ns.train(network, task, ns.networks.TrainingOptions(epochs=5), progress=False)
    >>> spiking = ns.networks.to_spiking(network, task, n_steps=32)
    >>> bool(ns.networks.evaluate(spiking, task).accuracy > history.test_accuracy - 0.02)
    True
    """
    check_module("to_spiking", network)
    if isinstance(n_steps, bool) or not isinstance(n_steps, int) or n_steps < 1:
        raise InputError(f"to_spiking: n_steps = {n_steps!r}; a whole number of at least 1 is asked.")
    if isinstance(percentile, bool) or not isinstance(percentile, int | float) or not 0 < percentile <= 100:
        raise InputError(f"to_spiking: percentile = {percentile!r}; a number in 0..100 is asked.")
    if not isinstance(half_start, bool):
        raise InputError(f"to_spiking: half_start = {half_start!r}; True or False is asked.")
    with evaluating(network, "auto", False) as where:
        parts = parts_of(network)
        shape, largest = _balanced(parts, _shown(network, stimuli, where, as_seed(rng, "to_spiking")), percentile)
    plan = _Plan(parts, largest, half_start)
    return plan.network(n_steps, time_step, shape)


def conversion_loss(
    network: nn.Module,
    spiking: RateNetwork,
    task: Task | Data | Iterable[Any],
    *,
    n_steps: Sequence[int] = (1, 2, 4, 8, 16, 32, 64, 128),
    rng: np.random.Generator | int = 0,
) -> xr.Dataset:
    """Return the test accuracy of a converted network by the number of steps, beside that of the network itself.

    Parameters
    ----------
    network : that was converted. spiking : what :func:`to_spiking` made of it. task : with the test set.
    n_steps : for how long stimuli are shown. rng : seed of what the task draws, or a generator.

    Returns
    -------
    Dataset along ``n_steps``: ``accuracy``, its ``interval`` (bound; Wilson, 95 %), and ``loss``, how much less that is
    than ``network_accuracy``.

    Raises
    ------
    InputError : `spiking` is no converted network, or numbers of steps that are none.

    Examples
    --------
    >>> from torch import nn
    >>> task = ns.tasks.classification_task(ns.load_digits())
    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
    >>> spiking = ns.networks.to_spiking(network, task)
    >>> ns.networks.conversion_loss(network, spiking, task, n_steps=(4, 8)).loss.sizes["n_steps"]
    2
    """
    if not isinstance(spiking, RateNetwork):
        raise InputError(f"conversion_loss: what to_spiking made is asked, found {type(spiking).__name__}.")
    steps = list(n_steps) if isinstance(n_steps, Sequence | np.ndarray) else []
    if not steps or not all(isinstance(n, int | np.integer) and n >= 1 for n in steps):
        raise InputError(f"conversion_loss: n_steps = {n_steps!r}; several whole numbers of at least 1 are asked.")
    seed = as_seed(rng, "conversion_loss")
    own = float(evaluate(network, task, rng=seed).accuracy)
    found = [evaluate(spiking.with_steps(n), task, rng=seed) for n in map(int, steps)]
    joined = xr.concat([f[["accuracy", "interval"]] for f in found], dim="n_steps").assign_coords(n_steps=steps)
    return joined.assign(loss=own - joined.accuracy, network_accuracy=own)


def _shown(network: nn.Module, stimuli: Any, where: str, seed: int) -> Iterator[Tensor]:
    """Yield stimuli of training batch by batch as the network takes them."""
    if is_data(stimuli) or all(hasattr(stimuli, name) for name in ASKED):
        task = as_task(stimuli, network, AT_ONCE, "to_spiking", "train")
        if task.is_sequence:
            raise InputError("to_spiking: the task shows sequences; the network takes each stimulus as a whole.")
        for portion in Feeder(task, AT_ONCE, seed, Share(device=where)).batches("train"):
            yield portion.inputs
        return
    shown = stimuli if isinstance(stimuli, xr.DataArray) else as_stimuli(stimuli)
    check_numbers(shown, "to_spiking")
    if "time" in shown.dims:
        raise InputError("to_spiking: the stimuli are sequences; the network takes each stimulus as a whole.")
    dtype = Shown(network, shown, where, False).floating
    for start in range(0, shown.sizes["stimulus"], AT_ONCE):
        yield torch.from_numpy(native(shown.values[start : start + AT_ONCE])).to(where, dtype)


def _balanced(parts: Parts, shown: Iterator[Tensor], percentile: float) -> tuple[tuple[int, ...], dict[str, float]]:
    """Return the shape of a stimulus, and the threshold of each layer of neurons."""
    neurons = [part for part in parts.parts if part.kind == "neurons"]
    seen: dict[str, list[np.ndarray]] = {part.node: [] for part in neurons}
    shape: tuple[int, ...] = ()
    for batch in shown:
        shape = tuple(batch.shape[1:])
        try:
            found = parts.activations(batch, seen)
        except InputError:
            raise
        except (RuntimeError, ValueError, TypeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"to_spiking: the network does not take stimuli of shape {shape} ({reason}).") from error
        for node, values in found.items():
            flat = values.flatten()
            seen[node].append(flat[:: -(-flat.numel() // KEPT)].cpu().numpy())
    if not shape:
        raise InputError("to_spiking: there are no stimuli to balance thresholds on.")
    every = {part: np.concatenate(seen[part.node]) for part in neurons}
    if bad := [part.name for part, values in every.items() if not np.isfinite(values).all()]:
        raise InputError(f"to_spiking: layer {bad[0]!r} answers with NaN or infinity to the stimuli.")
    levels = {part: min(float(np.percentile(values, percentile)), part.most) for part, values in every.items()}
    if small := [part.name for part, level in levels.items() if 0 < level < LEAST]:
        raise InputError(
            f"to_spiking: layer {small[0]!r} is hardly active, with activations below {LEAST:g}; train it first."
        )
    return shape, {part.node: level if level > 0 else DEAD for part, level in levels.items()}


@dataclass
class _Plan:
    """A converted network while it is put together: the scale of what each part sends, and where biases go."""

    parts: Parts
    thresholds: dict[str, float]
    half_start: bool
    scales: dict[str, float] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    routes: list[Route] = field(default_factory=list)
    weights: dict[str, nn.Module] = field(default_factory=dict)
    factors: dict[str, list[float]] = field(default_factory=dict)
    poolings: dict[str, nn.MaxPool2d] = field(default_factory=dict)
    neurons: dict[str, float] = field(default_factory=dict)
    shifted: dict[str, float] = field(default_factory=dict)

    def network(self, n_steps: int, time_step: float, shape: tuple[int, ...]) -> RateNetwork:
        """Return the network."""
        readers = Counter(source for part in self.parts.parts for source in part.sources)
        for part in self.parts.parts:
            self._add(part, readers)
        made = RateChain if is_chain(self.parts) else RateNetwork
        has_channel = any(part.kind == "channel" for part in self.parts.parts)
        return made(
            self.routes,
            weights=self.weights,
            thresholds=self.neurons,
            factors=self.factors,
            poolings=self.poolings,
            scale=self.scales[self.parts.answer],
            n_steps=n_steps,
            time_step=time_step,
            shifted=self.shifted,
            input_shape=(1, *shape) if has_channel and len(shape) == 2 else shape,
        ).eval()

    def _add(self, part: Part, readers: Counter[str]) -> None:
        if not part.sources:
            self.names[part.node], self.scales[part.node] = INPUT, 1.0
            return
        name = self.names[part.node] = self._free(part.name)
        scales = [self.scales[s] for s in part.sources]
        if part.kind == "neurons":
            self._add_neurons(part, name, scales[0], readers)
            return
        self.scales[part.node] = scales[0]
        if part.kind == "weights":
            self.weights[name] = _scaled(part.module, scales[0])
            self.scales[part.node] = 1.0
        elif part.kind == "pool":
            assert part.module is not None
            self.weights[name] = copy.deepcopy(part.module)
        elif part.kind == "max":
            assert isinstance(part.module, nn.MaxPool2d)
            self.poolings[name] = copy.deepcopy(part.module)
        elif part.kind == "sum":
            self.factors[name], self.scales[part.node] = scales, 1.0
        self.routes.append((name, part.kind, tuple(self.names[s] for s in part.sources)))

    def _add_neurons(self, part: Part, name: str, scale: float, readers: Counter[str]) -> None:
        """Add neurons; a current that brings half of their threshold is part of what they get alone."""
        threshold, source = self.thresholds[part.node], self.names[part.sources[0]]
        if self.half_start:
            own = readers[part.sources[0]] == 1 and (source in self.factors or self._has_bias(source))
            if not own:
                source = self._between(name, source, scale)
                scale = 1.0
            self.shifted[source] = threshold / scale
        self.neurons[name], self.scales[part.node] = threshold / scale, threshold
        self.routes.append((name, "neurons", (source,)))

    def _between(self, name: str, source: str, scale: float) -> str:
        """Put a sum of one branch before neurons, and return its name."""
        found = self._free(f"{name}_current")
        self.factors[found] = [scale]
        self.routes.append((found, "sum", (source,)))
        return found

    def _has_bias(self, name: str) -> bool:
        return isinstance(getattr(self.weights.get(name), "bias", None), Tensor)

    def _free(self, name: str) -> str:
        """Return a name without dots that no other part has."""
        taken = {*self.names.values(), *self.factors}
        plain = found = name.replace(".", "_")
        number = 0
        while found in taken:
            number += 1
            found = f"{plain}_{number}"
        return found


def _scaled(module: nn.Module | None, scale: float) -> nn.Module:
    """Return weights that take activity in units of `scale`, with a bias of their own."""
    found = copy.deepcopy(module)
    assert isinstance(found, nn.Linear | nn.Conv2d)
    with torch.no_grad():
        found.weight.mul_(scale)
        if found.bias is None:
            found.bias = nn.Parameter(torch.zeros(found.weight.shape[0]).to(found.weight))
    return found
