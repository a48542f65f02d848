"""Retuning: beyond calibration, gains, thresholds, biases and weights are learned on the biological circuit itself.

By surrogate gradients through the torch engine (https://doi.org/10.1109/MSP.2019.2931595), which learn the task, or by
homeostasis, which knows no task and only brings every neuron back to the rate that it had in the trained network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import scipy.sparse
import xarray as xr

from neurosim.biophysics import torch_engine
from neurosim.biophysics.by_value import by_value
from neurosim.biophysics.calibration import layer_counts, rheobase
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.dynamics import Chunk
from neurosim.biophysics.execution import Execution
from neurosim.biophysics.plain_numbers import convert, number, scaled, whole
from neurosim.biophysics.populations import Population
from neurosim.biophysics.presentation import check_stimuli, make_chunk
from neurosim.biophysics.projections import Weights
from neurosim.biophysics.simulation import simulate
from neurosim.biophysics.sources import refuse_sources
from neurosim.biophysics.torch_engine import DENSE_LIMIT, Tensors
from neurosim.runtime import as_seed, pick_device, stream, torch_seeded, track
from neurosim.schema import InputError, suggest

if TYPE_CHECKING:
    from neurosim.biophysics.torch_engine import Tensor

Tuned = Literal["gain", "bias", "threshold", "weights"]
TUNED: tuple[str, ...] = get_args(Tuned)
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

    def __post_init__(self) -> None:
        for name in self.tune:
            if name not in TUNED:
                raise InputError(
                    f"RetuningOptions: cannot tune {name!r}. Known: {', '.join(TUNED)}.{suggest(name, TUNED)}"
                )
        convert(self, "RetuningOptions", epochs=whole, batch_size=whole, learning_rate=number, clip=number)
        convert(self, "RetuningOptions", fidelity=number)
        if not self.tune or self.epochs < 1 or self.batch_size < 1 or not 0 < self.learning_rate < 10:
            raise InputError(
                f"RetuningOptions: tune, epochs and batch_size >= 1, learning_rate in 0..10 asked, found {self}."
            )
        if not (self.clip > 0 and 0 <= self.fidelity < np.inf):
            raise InputError(f"RetuningOptions: clip above 0 and a finite fidelity >= 0 asked, found {self}.")


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
    device : torch device; "auto" is the GPU where there is one.

    Returns
    -------
    the retuned circuit, and a Dataset along ``epoch``: ``loss`` and ``accuracy`` on the training stimuli.

    Raises
    ------
    InputError : discrete neurons, no or unknown category labels, as many categories as no layer has, or a loss that is
        not finite.

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
    _check(circuit, categories)
    first = _given(stimuli, 0)
    n_batches = -(-first.sizes["stimulus"] // options.batch_size)
    rows = []
    with torch_seeded(seed):
        learned = _Learned(torch, circuit, options.tune, pick_device(device))
        optimizer = torch.optim.Adam(learned.parameters(), lr=options.learning_rate)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, options.learning_rate, total_steps=options.epochs * n_batches
        )
        for epoch in track(range(options.epochs), f"retuning {circuit.name}", progress=progress):
            given = first if epoch == 0 or not callable(stimuli) else _given(stimuli, epoch)
            wanted = None if teacher is None else layer_counts(circuit, given, teacher(given), "retune")
            total = np.zeros(2)
            for loss, right in _batches(learned, given, wanted, categories, options, epoch, seed):
                if not torch.isfinite(loss):
                    raise InputError(f"retune: the loss is {loss.item()} in epoch {epoch}; lower the learning_rate.")
                optimizer.zero_grad()
                loss.backward()
                learned.drop_infinite_gradients()
                torch.nn.utils.clip_grad_norm_(learned.parameters(), options.clip)
                optimizer.step()
                schedule.step()
                total += [loss.item() * len(right), sum(right)]
            rows.append(total / given.sizes["stimulus"])
        tuned = learned.circuit()
    losses, accuracies = np.asarray(rows).T
    history = xr.Dataset(
        {"loss": ("epoch", losses), "accuracy": ("epoch", accuracies)},
        coords={"epoch": np.arange(options.epochs)},
        attrs={"tuned": ", ".join(options.tune), "n_stimuli": first.sizes["stimulus"]},
    )
    return tuned, history


def _given(stimuli: Shown, epoch: int) -> xr.DataArray:
    """Return the stimuli of an epoch."""
    given = stimuli(epoch) if callable(stimuli) else stimuli
    if not isinstance(given, xr.DataArray):
        raise InputError(f"retune: a labelled array of stimuli with 'category' asked, found {type(given).__name__}.")
    return given


def _batches(
    learned: _Learned,
    given: xr.DataArray,
    wanted: dict[str, np.ndarray] | None,
    categories: Sequence[str],
    options: RetuningOptions,
    epoch: int,
    seed: int,
) -> Iterator[tuple[Any, list[bool]]]:
    """Yield the loss of every batch of one pass, in random order, and which stimuli were named rightly."""
    circuit, torch = learned.original, learned.torch
    shown, labels = check_stimuli(circuit, given), _labels(given, categories)
    order = stream(seed, "retune", epoch).permutation(len(labels))
    for start in range(0, len(order), options.batch_size):
        batch = order[start : start + options.batch_size]
        copies = [(int(stimulus), epoch) for stimulus in batch]
        counts = learned.counts(make_chunk(circuit, shown, copies, shown.n_time * circuit.substeps, seed))
        logits = learned.logits(counts, shown.n_time)
        truth = torch.as_tensor(labels[batch], device=learned.where)
        loss = torch.nn.functional.cross_entropy(logits, truth)
        if wanted is not None:
            loss = loss + options.fidelity * learned.distance(counts, wanted, batch)
        yield loss, (logits.argmax(1) == truth).tolist()


def homeostasis(
    circuit: Circuit,
    stimuli: xr.DataArray | Mapping[str, xr.DataArray],
    expected: xr.DataArray,
    *,
    rounds: int = 20,
    rate: float = 0.2,
    rng: np.random.Generator | int = 0,
    device: str = "auto",
    progress: bool = True,
) -> tuple[Circuit, xr.Dataset]:
    """Move the bias of every neuron until it fires as often as in the trained network, without knowing the task.

    Each round adds ``rate`` x (wanted - found) / (wanted + found) rheobases to the bias, for all neurons at once: the
    multiplicative rule of synaptic scaling (https://doi.org/10.1038/36103) on intrinsic excitability.

    Parameters
    ----------
    circuit, stimuli, expected, rng, device : as for :func:`~neurosim.biophysics.calibration.calibrate`.
    rounds : number of rounds.
    rate : step of a round, rheobases.

    Returns
    -------
    the circuit, and a Dataset along ``layer``: the mean ``|log2 rate ratio|`` of its neurons ``before`` and ``after``.

    Raises
    ------
    InputError : discrete neurons, other stimuli, or a layer that is missing in `expected`.

    Examples
    --------
    >>> draw = np.random.default_rng(0).random
    >>> cells = ns.biophysics.Population("cells", 2, ns.parameters.DiscreteLIFParameters())
    >>> wire = ns.biophysics.Projection("input", "cells", draw((4, 2)))
    >>> trained = ns.biophysics.Circuit("twin", ns.biophysics.Input(4), (cells,), (wire,), 1e-3, 1e-3)
    >>> spikes = ns.as_stimuli((draw((6, 20, 4)) < 0.3) * 1.0, dims=("stimulus", "time", "unit"), time_step=1e-3)
    >>> wanted = ns.simulate(trained, spikes, engine="torch", progress=False)
    >>> climbed = ns.climb(trained, "currents", ladder=ns.biophysics.Ladder(dt=1e-3))
    >>> _, report = ns.biophysics.homeostasis(climbed, spikes, wanted, rounds=3, progress=False)
    >>> bool(report.after[0] <= report.before[0])
    True
    """
    if circuit.is_discrete:
        raise InputError(
            f"homeostasis: {circuit.name!r} stands on rung 'exact', which is the trained network; climb first."
        )
    labels = check_stimuli(circuit, stimuli).labels
    wanted = np.concatenate([c.mean(0) for c in layer_counts(circuit, labels, expected, "homeostasis").values()])
    layers = np.repeat([p.name for p in circuit.populations], [p.size for p in circuit.populations])
    misses = []
    for k in track(range(rounds + 1), f"homeostasis of {circuit.name}", progress=progress):
        answers = simulate(circuit, stimuli, engine="torch", rng=rng, execution=Execution(device), progress=False)
        found = answers.values.sum(1).mean(0)
        misses.append(np.abs(np.log2((found + 0.05) / (wanted + 0.05))))
        if k == rounds:
            break
        change = rate * (wanted - found) / (wanted + found + 0.05)
        for p in circuit.populations:
            circuit = circuit.with_population(p.name, drive=p.drive + change[layers == p.name] * rheobase(p))
    columns = [[float(m[layers == p.name].mean()) for p in circuit.populations] for m in (misses[0], misses[-1])]
    names = [p.name for p in circuit.populations]
    report = xr.Dataset(
        {"before": ("layer", columns[0]), "after": ("layer", columns[1])},
        coords={"layer": names},
        attrs={"rounds": rounds, "n_stimuli": labels.sizes["stimulus"]},
    )
    return circuit, report


class _Learned:
    """The numbers of a circuit that are learned, each near 0 at the start, and the circuit that they make."""

    def __init__(self, torch: ModuleType, circuit: Circuit, tune: Sequence[str], where: str) -> None:
        self.torch, self.original, self.where = torch, circuit, where
        self.parts: dict[tuple[str, str], Tensor] = {}
        for p in circuit.populations:
            for what in ("gain", "bias", "threshold"):
                if what in tune:
                    self.parts[p.name, what] = torch.zeros(p.size, device=where, requires_grad=True)
        self.weights: dict[int, Tensor] = {}
        if "weights" in tune:
            for i, q in enumerate(circuit.projections):
                if q.weights.shape[0] * q.weights.shape[1] > DENSE_LIMIT:
                    raise InputError(f"retune: {q.source}->{q.target} is too large for its weights to be learned.")
                if not circuit.is_graded(q):
                    self.weights[i] = torch.zeros(q.weights.shape, device=where, requires_grad=True)

    def parameters(self) -> list[Tensor]:
        """Return all tensors that are learned."""
        return [*self.parts.values(), *self.weights.values()]

    def drop_infinite_gradients(self) -> None:
        """Set the gradient of a neuron to 0 where it is not finite, as stiff membranes can make it."""
        for parameter in self.parameters():
            if parameter.grad is not None:
                self.torch.nan_to_num_(parameter.grad, nan=0.0, posinf=0.0, neginf=0.0)

    def counts(self, chunk: Chunk) -> dict[str, Tensor]:
        """Return the spike counts (copy, neuron) of every population."""
        total: dict[str, Tensor] = {}
        for spikes, _ in torch_engine.march(
            self.original, chunk, device=self.where, single=True, tensors=self.tensors()
        ):
            total = {name: total[name] + fired if total else fired for name, fired in spikes.items()}
        return total

    def distance(self, counts: dict[str, Tensor], wanted: dict[str, np.ndarray], batch: np.ndarray) -> Tensor:
        """Return the mean squared error of the counts over their variance, a mean over populations."""
        errors = [
            ((found - self._tensor(wanted[name][batch])) ** 2).mean() / max(float(wanted[name].var()), 1e-6)
            for name, found in counts.items()
        ]
        return sum(errors[1:], errors[0]) / len(errors)

    def logits(self, counts: dict[str, Tensor], n_time: int) -> Tensor:
        """Return logits (copy, category): spike counts of the last population, or the readout of their mean."""
        readout = self.original.readout
        total = counts[readout.source if readout else self.original.populations[-1].name]
        if readout is None:
            return total
        weights = scipy.sparse.csr_array(readout.weights).toarray()
        tensor = self.torch.as_tensor(weights, device=self.where, dtype=self.torch.float32)
        bias = self.torch.as_tensor(readout.bias, device=self.where, dtype=self.torch.float32)
        found: Tensor = (total / n_time) @ tensor * np.sqrt(n_time) + bias
        return found

    def tensors(self) -> Tensors:
        """Return what the learned numbers make of the circuit."""
        gain, drive, constants, surrogate = {}, {}, {}, {}
        for p in self.original.populations:
            factor = self.parts[p.name, "gain"].exp() if (p.name, "gain") in self.parts else None
            if factor is not None:
                gain[p.name] = factor
            drive[p.name] = self._tensor(p.drive) * (1.0 if factor is None else factor)
            if (p.name, "bias") in self.parts:
                drive[p.name] = drive[p.name] + self.parts[p.name, "bias"] * self._tensor(rheobase(p))
            if (p.name, "threshold") in self.parts:
                name, value = threshold_of(p)
                constants[p.name, name] = self._tensor(value) + self.parts[p.name, "threshold"] * THRESHOLD_UNIT
            surrogate[p.name] = SURROGATE_WIDTH
        return Tensors(self._weights(), drive, constants, gain, surrogate)

    def circuit(self) -> Circuit:
        """Return the circuit with the learned numbers in their places."""
        circuit, tensors = self.original, self.tensors()
        factors = {name: _numpy(value) for name, value in tensors.gain.items()}
        projections = []
        for i, q in enumerate(circuit.projections):
            weights: Weights = _numpy(tensors.weights[i]) if i in tensors.weights else q.weights
            factor = factors.get(q.target, np.ones(circuit.population(q.target).size))
            projections.append(replace(q, weights=scaled(weights, factor)))
        circuit = replace(circuit, projections=tuple(projections))
        for p in circuit.populations:
            varying = dict(p.varying)
            varying |= {n: _numpy(v) for (owner, n), v in tensors.constants.items() if owner == p.name}
            circuit = circuit.with_population(p.name, drive=_numpy(tensors.drive[p.name]), varying=varying)
        return circuit

    def _weights(self) -> dict[int, Tensor]:
        """Return learned weights; a synapse that does not exist stays away, one that exists may change its sign."""
        found = {}
        for i, change in self.weights.items():
            dense = scipy.sparse.csr_array(self.original.projections[i].weights).toarray()
            unit = np.abs(dense[dense != 0]).mean() if dense.any() else 0.0
            found[i] = self._tensor(dense) + change * self._tensor((dense != 0) * unit)
        return found

    def _tensor(self, values: npt.ArrayLike) -> Tensor:
        made: Tensor = self.torch.as_tensor(np.array(values), device=self.where, dtype=self.torch.float32)
        return made


THRESHOLD_UNIT = 2e-3
SURROGATE_WIDTH = 6e-3


def threshold_of(population: Population) -> tuple[str, np.ndarray]:
    """Return the name of the number that sets the threshold of a neuron, and its value for each neuron, V."""
    name = population.model.threshold
    if not name:
        raise InputError(f"retune: the neuron {population.model.name!r} does not say which number is its threshold.")
    return name, population.number(name)


def _numpy(tensor: Tensor) -> np.ndarray:
    return np.array(tensor.detach().cpu().numpy(), dtype=float)


def _labels(stimuli: xr.DataArray, categories: Sequence[str]) -> np.ndarray:
    if "category" not in stimuli.coords:
        raise InputError("retune: the stimuli have no 'category' label; add one with .assign_coords(category=...).")
    names = stimuli["category"].values.astype(str)
    unknown = sorted(set(names) - set(categories))
    if unknown:
        raise InputError(f"retune: category {unknown[0]!r} is none of {list(categories)[:5]}.")
    return np.array([list(categories).index(n) for n in names])


def _check(circuit: Circuit, categories: Sequence[str]) -> None:
    if circuit.is_discrete:
        raise InputError(f"retune: {circuit.name!r} stands on rung 'exact', the trained network; climb first.")
    if circuit.readout is not None and circuit.readout.reads != "spikes":
        raise InputError(f"retune: {circuit.name!r} is read by membranes; a readout of spikes is learned with.")
    n = circuit.readout.weights.shape[1] if circuit.readout else circuit.populations[-1].size
    if n != len(categories):
        raise InputError(f"retune: {len(categories)} categories are given, {n} neurons or columns name them.")
