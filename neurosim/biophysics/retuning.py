"""Retuning: beyond calibration, gains, thresholds, biases and weights are learned on the biological circuit itself.

By surrogate gradients through the torch engine (https://doi.org/10.1109/MSP.2019.2931595), which learn the task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import xarray as xr

from neurosim.biophysics import torch_engine
from neurosim.biophysics.by_value import by_value
from neurosim.biophysics.calibration import layer_counts
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.learned_numbers import LearnedNumbers
from neurosim.biophysics.plain_numbers import convert, number, whole
from neurosim.biophysics.presentation import check_stimuli, make_chunk
from neurosim.biophysics.retuning_cost import Clock, copies_at_once
from neurosim.biophysics.sources import refuse_sources
from neurosim.refusals import asked_by
from neurosim.runtime import as_seed, pick_device, stream, torch_seeded, track
from neurosim.schema import InputError, suggest

Tuned = Literal["gain", "bias", "threshold", "weights"]
TUNED: tuple[Tuned, ...] = get_args(Tuned)
Teacher = Callable[[xr.DataArray], xr.DataArray]
Shown = xr.DataArray | Callable[[int], xr.DataArray]


@by_value
@dataclass(frozen=True, eq=False)
class RetuningOptions:
    """How a circuit is retuned.

    Parameters
    ----------
    tune : what is learned, a number a neuron: "gain" of its input, "bias", "threshold"; and "weights", one a synapse.
    epochs, batch_size, learning_rate : passes over the stimuli, stimuli a step, largest rate of Adam.
    clip : largest norm of the gradient.
    fidelity : weight of staying like the teacher, where one is given: the mean squared error of the counts of every
        neuron over their variance is added to the cross-entropy.
    validation : share of the stimuli that is held back, 0 to 0.5; with it the circuit returned is the best one on them.
    patience : with it, retuning ends after so many epochs in a row that are not better.

    Raises
    ------
    InputError : something that cannot be tuned, or a number out of range.

    Examples
    --------
    >>> ns.biophysics.RetuningOptions(tune=("gain", "bias"), epochs=2).learning_rate
    0.03
    """

    tune: Sequence[Tuned] = ("gain", "bias", "threshold")
    epochs: int = 5
    batch_size: int = 64
    learning_rate: float = 0.03
    clip: float = 1.0
    fidelity: float = 1.0
    validation: float = 0.0
    patience: int = 6

    def __post_init__(self) -> None:
        for name in self.tune:
            if name not in TUNED:
                raise InputError(
                    f"RetuningOptions: cannot tune {name!r}. Known: {', '.join(TUNED)}.{suggest(name, TUNED)}"
                )
        convert(self, "RetuningOptions", epochs=whole, batch_size=whole, learning_rate=number, clip=number)
        convert(self, "RetuningOptions", fidelity=number, validation=number, patience=whole)
        if not self.tune or self.epochs < 1 or self.batch_size < 1 or not 0 < self.learning_rate < 10:
            raise InputError(
                f"RetuningOptions: tune, epochs and batch_size >= 1, learning_rate in 0..10 asked, found {self}."
            )
        if not (self.clip > 0 and 0 <= self.fidelity < np.inf):
            raise InputError(f"RetuningOptions: clip above 0 and a finite fidelity >= 0 asked, found {self}.")
        if not 0 <= self.validation <= 0.5 or self.patience < 1:
            raise InputError(f"RetuningOptions: validation in 0..0.5 and patience >= 1 asked, found {self}.")


@asked_by("retune", "simulate")
def retune(
    circuit: Circuit,
    stimuli: Shown,
    categories: Sequence[str],
    options: RetuningOptions | None = None,
    *,
    teacher: Teacher | None = None,
    rng: np.random.Generator | int = 0,
    device: str = "auto",
    progress: bool = True,
) -> tuple[Circuit, xr.Dataset]:
    """Learn gains, biases, thresholds (and weights) of a circuit by surrogate gradients, so that it keeps its task.

    Parameters
    ----------
    circuit : circuit with continuous neurons; calibrate it first.
    stimuli : training stimuli with ``category``, as the circuit takes them; or a function of the epoch that gives them,
        such as newly drawn input spikes of the same images. Never stimuli that are tested.
    categories : names of the categories, in the order of the neurons (or columns of the readout) that name them.
    options : what is learned and how.
    teacher : function of stimuli that gives the spikes of the trained network (stimulus, time, unit) with ``layer``,
        such as ``partial(record_responses, network)``; the circuit then also learns to answer like it.
    rng : seed of the order of stimuli, of noise and of Poisson input, or a generator that draws the seed.
    device : torch device; "auto" is the GPU where there is one. progress : show a bar over epochs.

    Returns
    -------
    the retuned circuit, and a Dataset along ``epoch``: ``loss`` and ``accuracy`` on the training stimuli and, where a
    share is held back, ``validation_loss`` and ``validation_accuracy``; ``best_epoch`` is -1 where none was better than
    the circuit that was given, whose accuracy is ``validation_accuracy_before``.

    Raises
    ------
    InputError : discrete neurons, no or unknown category labels, as many categories as no layer has, a loss that is
        not finite, or stimuli so long that the gradient of one needs more than 2 GiB. Up to there a batch runs in as
        many parts as are needed; where all last over ten minutes, that is logged after the first batch.

    Examples
    --------
    >>> draw = np.random.default_rng(0).random
    >>> cells = ns.biophysics.Population("cells", 2, ns.parameters.DiscreteLIFParameters())
    >>> wire = ns.biophysics.Projection("input", "cells", draw((4, 2)))
    >>> trained = ns.biophysics.Circuit("twin", ns.biophysics.Input(4), (cells,), (wire,), 1e-3, 1e-3)
    >>> spikes = ns.as_stimuli((draw((6, 20, 4)) < 0.3) * 1.0, dims=("stimulus", "time", "unit"), time_step=1e-3)
    >>> spikes = spikes.assign_coords(category=("stimulus", list("xyxyxy")))
    >>> climbed = ns.climb(trained, "currents", ladder=ns.biophysics.Ladder(dt=1e-3))
    >>> options = ns.biophysics.RetuningOptions(epochs=2)
    >>> _, history = ns.biophysics.retune(climbed, spikes, ["x", "y"], options, progress=False)
    >>> history.loss.shape
    (2,)
    """
    torch, seed = torch_engine.import_torch(), as_seed(rng, "retune")
    options = options or RetuningOptions()
    refuse_sources(circuit, "retune")
    circuit.only_input("retune")
    _check(circuit)
    categories = named_categories(circuit, categories, "retune")
    first = _given(stimuli, 0)
    held, learnt = held_back(first.sizes["stimulus"], options.validation, seed)
    rows = []
    with torch_seeded(seed):
        learned = LearnedNumbers(torch, circuit, options.tune, pick_device(device))
        optimizer = torch.optim.Adam(learned.parameters(), lr=options.learning_rate)
        judge = _Judge(learned, first.isel(stimulus=held), categories, options, seed) if len(held) else None
        n_batches = -(-len(learnt) // options.batch_size)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, options.learning_rate, total_steps=options.epochs * n_batches
        )
        at_once = _at_once(learned, first, seed)
        clock = Clock(circuit.name, options.epochs * n_batches)
        for epoch in track(range(options.epochs), f"retuning {circuit.name}", progress=progress):
            given = (first if epoch == 0 or not callable(stimuli) else _given(stimuli, epoch)).isel(stimulus=learnt)
            wanted = None if teacher is None else layer_counts(circuit, given, teacher(given), "retune")
            total = np.zeros(2)
            for part in _parts(learned, given, wanted, categories, options, epoch, seed, at_once):
                if not torch.isfinite(part.loss):
                    raise InputError(
                        f"retune: the loss is {part.loss.item()} in epoch {epoch}; lower the learning_rate."
                    )
                (part.loss * part.share).backward()
                total += [part.loss.item() * len(part.right), sum(part.right)]
                if part.is_last:
                    learned.drop_infinite_gradients()
                    torch.nn.utils.clip_grad_norm_(learned.parameters(), options.clip)
                    optimizer.step()
                    optimizer.zero_grad()
                    schedule.step()
                    clock.tick()
            rows.append([*total / len(learnt), *(judge.listen() if judge else ())])
            if judge and judge.in_vain >= options.patience:
                break
        if judge:
            learned.put_back(judge.numbers)
        tuned = learned.circuit()
    return tuned, _history(np.asarray(rows), options, first.sizes["stimulus"], judge)


def held_back(n_stimuli: int, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of the stimuli that are held back for validation, and of the others.

    >>> [part.size for part in held_back(10, 0.2, 0)]
    [2, 8]
    """
    order = stream(seed, "retune", "validation").permutation(n_stimuli)
    held, learnt = np.split(order, [round(share * n_stimuli)])
    return np.sort(held), np.sort(learnt)


def _history(rows: np.ndarray, options: RetuningOptions, n_stimuli: int, judge: _Judge | None) -> xr.Dataset:
    """Return what happened along ``epoch``."""
    names = ("loss", "accuracy", "validation_loss", "validation_accuracy")
    columns = {name: ("epoch", column) for name, column in zip(names, rows.T, strict=False)}
    about: dict[str, Any] = {"tuned": ", ".join(options.tune), "n_stimuli": n_stimuli}
    if judge:
        about |= {"validation_accuracy_before": judge.before[0], "best_epoch": judge.best_epoch}
    return xr.Dataset(columns, coords={"epoch": np.arange(len(rows))}, attrs=about)


class _Judge:
    """The stimuli that are held back: how the circuit fares on them, and its best numbers so far."""

    def __init__(
        self,
        learned: LearnedNumbers,
        held: xr.DataArray,
        categories: Sequence[str],
        options: RetuningOptions,
        seed: int,
    ) -> None:
        self.learned, self.held, self.categories, self.options, self.seed = learned, held, categories, options, seed
        self.before = self.best = self.found = self._measured()
        self.numbers, self.best_epoch, self.epoch, self.in_vain = learned.copied(), -1, -1, 0

    def listen(self) -> tuple[float, float]:
        """Measure the circuit after an epoch, keep its numbers where it is the best; return its loss and accuracy."""
        self.epoch, self.found, self.in_vain = self.epoch + 1, self._measured(), self.in_vain + 1
        if self.found > self.best:
            self.best, self.best_epoch, self.in_vain = self.found, self.epoch, 0
            self.numbers = self.learned.copied()
        return -self.found[1], self.found[0]

    def _measured(self) -> tuple[float, float]:
        """Return accuracy and minus the loss: the greater the better, in this order."""
        with self.learned.torch.no_grad():
            n = self.options.batch_size
            found = [*_parts(self.learned, self.held, None, self.categories, self.options, 0, self.seed, n)]
        right = [r for part in found for r in part.right]
        loss = sum(float(part.loss) * len(part.right) for part in found) / len(right)
        return float(np.mean(right)), -loss


def _given(stimuli: Shown, epoch: int) -> xr.DataArray:
    """Return the stimuli of an epoch."""
    given = stimuli(epoch) if callable(stimuli) else stimuli
    if not isinstance(given, xr.DataArray):
        raise InputError(f"retune: a labelled array of stimuli with 'category' asked, found {type(given).__name__}.")
    return given


class _Part(NamedTuple):
    """Stimuli of a batch: their mean loss, which were named rightly, their share of it, whether they are its last."""

    loss: Any
    right: list[bool]
    share: float
    is_last: bool


def _parts(
    learned: LearnedNumbers,
    given: xr.DataArray,
    wanted: dict[str, np.ndarray] | None,
    categories: Sequence[str],
    options: RetuningOptions,
    epoch: int,
    seed: int,
    at_once: int,
) -> Iterator[_Part]:
    """Yield the loss of every batch of one pass, in random order, in parts of so many stimuli as run at once."""
    circuit, torch = learned.original, learned.torch
    shown, labels = check_stimuli(circuit, given), category_places(given, categories, "retune")
    order = stream(seed, "retune", epoch).permutation(len(labels))
    for start in range(0, len(order), options.batch_size):
        batch = order[start : start + options.batch_size]
        parts = np.array_split(batch, -(-len(batch) // at_once))
        for k, part in enumerate(parts):
            copies = [(int(stimulus), epoch) for stimulus in part]
            counts = learned.counts(make_chunk(circuit, shown, copies, shown.n_time * circuit.substeps, seed))
            logits = learned.logits(counts, shown.n_time)
            truth = torch.as_tensor(labels[part], device=learned.where)
            loss = torch.nn.functional.cross_entropy(logits, truth)
            if wanted is not None:
                loss = loss + options.fidelity * learned.distance(counts, wanted, part)
            yield _Part(loss, (logits.argmax(1) == truth).tolist(), len(part) / len(batch), k == len(parts) - 1)


def _at_once(learned: LearnedNumbers, given: xr.DataArray, seed: int) -> int:
    """Return how many stimuli run at once, measured on the first four steps of a few."""
    circuit, shown = learned.original, check_stimuli(learned.original, given)
    n_steps = shown.n_time * circuit.substeps
    copies = [(k, 0) for k in range(min(4, len(shown.ids)))]
    chunk = make_chunk(circuit, shown, copies, 2 * max(1, min(2 * circuit.substeps, n_steps // 2)), seed)
    return copies_at_once(learned, chunk, n_steps)


def named_categories(circuit: Circuit, categories: object, who: str) -> list[str]:
    """Return the names of the categories as words, one a neuron or column that names them."""
    if isinstance(categories, str) or not isinstance(categories, Sequence | np.ndarray):
        found = repr(categories) if isinstance(categories, str) else type(categories).__name__
        raise InputError(f"{who}: a list of the names of the categories asked, found {found}.")
    names = [str(name) for name in categories]
    n = circuit.readout.weights.shape[1] if circuit.readout else circuit.populations[-1].size
    if n != len(names):
        raise InputError(f"{who}: {len(names)} categories are given, {n} neurons or columns name them.")
    if len(set(names)) < n:
        raise InputError(f"{who}: the categories {names[:5]} have a name twice.")
    return names


def category_places(stimuli: xr.DataArray, categories: Sequence[str], who: str) -> np.ndarray:
    """Return the place of the category of each stimulus among `categories`."""
    if "category" not in stimuli.coords:
        raise InputError(f"{who}: the stimuli have no 'category' label; add one with .assign_coords(category=...).")
    names, order = stimuli["category"].values.astype(str).tolist(), list(categories)
    unknown = sorted(set(names) - set(order))
    if unknown:
        raise InputError(f"{who}: category {unknown[0]!r} is none of {order[:5]}.{suggest(unknown[0], order)}")
    return np.array([order.index(name) for name in names])


def _check(circuit: Circuit) -> None:
    if circuit.is_discrete:
        raise InputError(f"retune: {circuit.name!r} stands on rung 'exact', the trained network; climb first.")
    if circuit.readout is not None and circuit.readout.reads != "spikes":
        raise InputError(f"retune: {circuit.name!r} is read by membranes; a readout of spikes is learned with.")
