"""A trained network made biological in one call: climbed, calibrated, retuned, and how much it kept."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
import xarray as xr

from neurosim.biophysics.by_value import by_value
from neurosim.biophysics.calibration import calibrate, layer_counts, likeness_of
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.execution import Execution
from neurosim.biophysics.ladder import Ladder, climb
from neurosim.biophysics.reading import read_as_trained
from neurosim.biophysics.retuning import TUNED, RetuningOptions, category_places, held_back, named_categories, retune
from neurosim.biophysics.simulation import choose_category, simulate
from neurosim.refusals import asked_by
from neurosim.runtime import as_seed, seed_of, stream
from neurosim.schema import InputError

logger = logging.getLogger(__name__)

HELD, LEAST_STIMULI, CALIBRATING, READING = 0.2, 20, 300, 2000
RETUNING, EPOCHS = 6000, (3, 6)  # stimuli shown in all, and the fewest and most epochs


@by_value
@dataclass(frozen=True, eq=False, repr=False)
class Biological:
    """A network made biological, and what was done to it.

    Parameters
    ----------
    circuit : the circuit on its rung, after the stage that named most of the stimuli rightly which chose.
    calibrated : the same before retuning. stage : the name of that stage.
    report : along ``stage`` (climbed, calibrated, retuned): ``accuracy`` on stimuli that chose nothing, its binomial
        ``standard_error``, ``share_kept`` of that of the network and its ``share_error``, paired over them;
        ``accuracy_chosen`` on the stimuli that chose the epoch and the stage; ``seconds`` of CPU time; along ``stage``
        and ``layer``: ``rate_ratio`` and ``correlation`` of the counts with those of the network, on all of these.
    history : of retuning, along ``epoch``; see :func:`retune`. None where it was not retuned.

    Examples
    --------
    >>> sorted(ns.biophysics.Biological.__dataclass_fields__)
    ['calibrated', 'circuit', 'history', 'report', 'stage']
    """

    circuit: Circuit
    calibrated: Circuit
    stage: str
    report: xr.Dataset
    history: xr.Dataset | None

    def __repr__(self) -> str:
        """Return the table of what each stage kept."""
        about, epochs = self.report.attrs, 0 if self.history is None else self.history.sizes["epoch"]
        lines = [
            f"{self.circuit.name} on rung {self.circuit.rung}, {self.stage}: the network names "
            f"{about['accuracy_network']:.1%} of {about['n_reported']} stimuli that chose nothing; {about['n_chosen']} "
            f"others chose, {epochs} epochs on {about['n_learnt']}",
            "  stage        accuracy  kept         seconds  rate ratio and correlation of the counts, by population",
        ]
        for stage in self.report["stage"].values:
            one = self.report.sel(stage=stage)
            layers = ", ".join(
                f"{layer} {float(one.rate_ratio.sel(layer=layer)):.2f} r {float(one.correlation.sel(layer=layer)):.2f}"
                for layer in one["layer"].values
            )
            kept = f"{float(one.share_kept):.2f} ± {float(one.share_error):.2f}"
            numbers = f"{float(one.accuracy):8.1%}  {kept}  {float(one.seconds):7.1f}"
            lines.append(f"  {stage:<11} {numbers}  {layers}")
        return "\n".join(lines)


@asked_by("make_biological", "simulate")
def make_biological(
    circuit: Circuit,
    rung: str,
    stimuli: xr.DataArray,
    categories: Sequence[str],
    *,
    ladder: Ladder | None = None,
    options: RetuningOptions | Literal["usual"] | None = "usual",
    rng: np.random.Generator | int = 0,
    device: str = "auto",
    progress: bool = True,
) -> Biological:
    """Make a translated network biological: climb to a rung, calibrate every neuron, retune, and measure what is kept.

    Calibrated and retuned circuits are read with weights: those with which the spikes of the neurons that name
    categories, or of those that drive them, name what the trained network named, fitted without labels to up to 2000
    stimuli not held back. Counts of few spikes tie; a pattern tells what the most active neuron does not. A readout of
    membranes stays.

    A fifth of the stimuli is held back from calibration and retuning. Half of it decides when retuning ends, which
    epoch is kept, and which stage is returned; accuracies are of the other half, which chose nothing. How well it does
    on networks that chose nothing either: ``analyses/realism_ladder/table2_ten_networks.md``.

    Parameters
    ----------
    circuit : the translated network (``to_circuit``), which is what is to be kept.
    rung : where to climb, one of :data:`RUNGS` above "exact".
    stimuli : training stimuli with ``category``, as the circuit takes them, 20 at least; never stimuli that are tested.
    categories : names of the categories, in the order of the neurons (or columns of the readout) that name them.
    ladder : the numbers of all rungs.
    options : how it is retuned, with a share held back; "usual" learns gains, biases, thresholds and weights while
        about 6000 stimuli are shown, in three to six epochs; None leaves it as it is calibrated.
    rng : seed of everything random, or a generator that draws the seed.
    device : torch device; "auto" is the GPU where there is one. progress : show a bar.

    Returns
    -------
    the circuit, what each stage kept, and the history of retuning; printed, a table. Where the circuit is not above
    chance within its error on the stimuli held back, a warning is logged.

    Raises
    ------
    InputError : a circuit that has left the first rung, the rung "exact", options that hold nothing back, fewer than 20
        stimuli, stimuli of one category or without, names of other categories, a network that is right about none
        of those held back; what `calibrate` and `retune` refuse.

    Examples
    --------
    >>> draw = np.random.default_rng(0).random
    >>> cells = ns.biophysics.Population("cells", 2, ns.parameters.DiscreteLIFParameters())
    >>> wire = ns.biophysics.Projection("input", "cells", [[0.6, 0.0], [0.0, 0.6]])
    >>> network = ns.biophysics.Circuit("small", ns.biophysics.Input(2), (cells,), (wire,), 1e-3, 1e-3)
    >>> often = np.where(np.arange(40)[:, None] % 2 == np.arange(2), 0.7, 0.1)[:, None]
    >>> spikes = ns.as_stimuli((draw((40, 20, 2)) < often) * 1.0, dims=("stimulus", "time", "unit"), time_step=1e-3)
    >>> spikes = spikes.assign_coords(category=("stimulus", list("xy") * 20))
    >>> made = ns.biophysics.make_biological(network, "currents", spikes, ["x", "y"], progress=False)
    >>> made.circuit.rung, made.report.accuracy.dims
    ('currents', ('stage',))
    """
    if not isinstance(circuit, Circuit):
        raise InputError(
            f"make_biological: a circuit asked, found {type(circuit).__name__}; to_circuit translates a network."
        )
    if not circuit.is_discrete or rung == "exact":
        raise InputError(
            f"make_biological: a translated network and a rung above 'exact' asked, found {circuit.name!r} on "
            f"{circuit.rung!r} and {rung!r}."
        )
    if isinstance(options, str) and options != "usual":
        raise InputError(f"make_biological: options are RetuningOptions, 'usual' or None, found {options!r}.")
    if isinstance(options, RetuningOptions) and not options.validation:
        raise InputError("make_biological: options that hold stimuli back asked, found validation = 0; 0.2 is usual.")
    climbed, seed = climb(circuit, rung, ladder=ladder), as_seed(rng, "make_biological")
    categories = named_categories(circuit, categories, "make_biological")
    parts = _split(stimuli, options.validation if isinstance(options, RetuningOptions) else HELD, seed)
    if len(set(category_places(stimuli, categories, "make_biological"))) < min(2, len(categories)):
        raise InputError("make_biological: all stimuli are of one category; what is kept is told by several.")
    kept = _Kept(circuit, stimuli, parts, categories, device)
    learnt = stimuli.isel(stimulus=stream(seed, "make_biological").permutation(parts.learnt))
    start, read = time.process_time(), learnt.isel(stimulus=slice(READING))
    expected = _answers(circuit, read, device, single=True)
    calibrated, _ = calibrate(
        climbed,
        learnt.isel(stimulus=slice(CALIBRATING)),
        expected[:CALIBRATING],
        rng=seed,
        device=device,
        progress=progress,
    )
    calibrated = read_as_trained(circuit, calibrated, expected, _answers(calibrated, read, device, single=True))
    between = time.process_time()
    stages, seconds, history = {"climbed": climbed, "calibrated": calibrated}, [0.0, between - start], None
    if options is not None:
        options = _usual(len(parts.learnt)) if isinstance(options, str) else options
        options = replace(options, validation=parts.share)
        others = stimuli.isel(stimulus=parts.others)
        tuned, history = retune(calibrated, others, categories, options, rng=seed, device=device, progress=progress)
        stages["retuned"] = read_as_trained(circuit, tuned, expected, _answers(tuned, read, device, single=True))
        seconds.append(time.process_time() - between)
    report = xr.concat([kept.row(one) for one in stages.values()], "stage")
    report = report.assign_coords(stage=list(stages)).assign(seconds=("stage", seconds, {"units": "s"}))
    best = max(stages, key=lambda stage: (float(report.accuracy_chosen.sel(stage=stage)), list(stages).index(stage)))
    kept.warn_at_chance(stages[best], report.sel(stage=best))
    report = report.assign_attrs(kept.about, n_learnt=len(parts.learnt))
    return Biological(stages[best], calibrated, best, report, history)


def _usual(n_stimuli: int) -> RetuningOptions:
    """Return how a circuit is retuned on so many stimuli: the more there are, the fewer times each is shown."""
    epochs = int(np.clip(round(RETUNING / n_stimuli), *EPOCHS))
    return RetuningOptions(TUNED, epochs, batch_size=128, learning_rate=0.005, validation=HELD)


class _Split(NamedTuple):
    """The places of stimuli that report, choose, are learnt, all but the first, and the share of these that chooses."""

    reported: np.ndarray
    chosen: np.ndarray
    learnt: np.ndarray
    others: np.ndarray
    share: float


def _split(stimuli: xr.DataArray, share: float, seed: int) -> _Split:
    """Hold back a share of the stimuli: half of it reports; the other is what retuning of all but these holds back."""
    if not isinstance(stimuli, xr.DataArray) or stimuli.sizes.get("stimulus", 0) < LEAST_STIMULI:
        found = dict(stimuli.sizes) if isinstance(stimuli, xr.DataArray) else type(stimuli).__name__
        raise InputError(f"make_biological: a labelled array of {LEAST_STIMULI} stimuli or more asked, found {found}.")
    reported, others = held_back(stimuli.sizes["stimulus"], share / 2, seed_of(seed, "reported"))
    left = share / 2 / (1 - share / 2)
    chosen, learnt = held_back(len(others), left, seed)
    return _Split(reported, others[chosen], others[learnt], others, left)


def share_kept(right: np.ndarray, right_before: np.ndarray) -> tuple[float, float]:
    """Return the share of its accuracy that a network keeps, and its standard error, paired over stimuli.

    The error is that of a ratio of means of the same stimuli, by the delta method
    (https://doi.org/10.1080/00031305.1992.10475842).

    Parameters
    ----------
    right, right_before : whether each stimulus is named rightly, (stimulus,), now and by the network.

    Examples
    --------
    >>> [round(number, 3) for number in share_kept(np.array([1, 1, 0, 0]), np.array([1, 1, 1, 0]))]
    [0.667, 0.272]
    """
    share = float(right.mean() / right_before.mean())
    spread = (right - share * right_before).std() / right_before.mean()
    return share, float(spread / np.sqrt(len(right)))


def _answers(circuit: Circuit, stimuli: xr.DataArray, device: str, *, single: bool = False) -> xr.DataArray:
    answers: xr.DataArray = simulate(
        circuit, stimuli, engine="torch", execution=Execution(device=device, single=single), progress=False
    )
    return answers


class _Kept:
    """What circuits keep of the answers of the network to the stimuli that are held back, which choose or report."""

    def __init__(
        self, network: Circuit, stimuli: xr.DataArray, parts: _Split, categories: Sequence[str], device: str
    ) -> None:
        self.n_chosen, self.categories, self.device = len(parts.chosen), categories, device
        self.held = stimuli.isel(stimulus=np.concatenate([parts.chosen, parts.reported]))
        answers = _answers(network, self.held, device)
        self.counts = layer_counts(network, self.held, answers, "make_biological")
        self.right = self._right(network, answers)[self.n_chosen :]
        if not self.right.any():
            raise InputError(
                f"make_biological: {network.name!r} is right about none of {len(self.right)} stimuli; name the "
                "categories in the order of its neurons, and show it what it was trained on."
            )

    @property
    def about(self) -> dict[str, Any]:
        """How often the network is right about the stimuli that report, and how many report and choose."""
        n = len(self.right)
        return {"accuracy_network": float(self.right.mean()), "n_reported": n, "n_chosen": self.n_chosen}

    def row(self, circuit: Circuit) -> xr.Dataset:
        """Return accuracy and its share of that of the network, and rates and correlations of every population."""
        answers = _answers(circuit, self.held, self.device)
        found, right = layer_counts(circuit, self.held, answers, "make_biological"), self._right(circuit, answers)
        chosen, reported = np.split(right, [self.n_chosen])
        accuracy, (share, error) = float(reported.mean()), share_kept(reported, self.right)
        likeness = np.array([likeness_of(found[name], wanted) for name, wanted in self.counts.items()])
        data = {"rate_ratio": ("layer", likeness[:, 0]), "correlation": ("layer", likeness[:, 1])}
        scores = {
            "accuracy": accuracy,
            "accuracy_chosen": float(chosen.mean()),
            "standard_error": np.sqrt(accuracy * (1 - accuracy) / len(reported)),
            "share_kept": share,
            "share_error": error,
        }
        return xr.Dataset(data | scores, coords={"layer": list(self.counts)})

    def warn_at_chance(self, circuit: Circuit, row: xr.Dataset) -> None:
        """Log where a circuit names no more of the stimuli that report than the most frequent category makes up."""
        n, names = len(self.right), self.held["category"].values.astype(str)
        chance = float(np.unique(names, return_counts=True)[1].max() / len(names))
        if float(row.accuracy) <= chance + 2 * np.sqrt(chance * (1 - chance) / n):
            logger.warning(
                "make_biological: %r as %s names %.0f %% of %d stimuli rightly, chance (%.0f %%) within its error; "
                "show more stimuli, take a lower rung, or translate it with a longer step (dt)",
                circuit.name, circuit.rung, 100 * float(row.accuracy), n, 100 * chance,
            )  # fmt: skip

    def _right(self, circuit: Circuit, answers: xr.DataArray) -> np.ndarray:
        named = np.asarray(self.categories)[choose_category(circuit, answers)]
        return np.asarray(named == self.held["category"].values.astype(str), dtype=float)
