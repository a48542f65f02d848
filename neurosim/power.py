"""How many subjects, stimuli and units it takes to tell two models apart: the inference itself, simulated."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from scipy.stats import binomtest

from neurosim.recordings.synthetic import BrainOptions, synthetic_brain
from neurosim.runtime import as_seed, stream, track
from neurosim.schema import InputError, labelled, same_stimuli
from neurosim.similarity.inference import infer
from neurosim.similarity.method import inference_method
from neurosim.similarity.metric import METRICS
from neurosim.similarity.rdms import compute_rdm

TOLD = ("trial_noise", "noise_correlation", "individuality", "n_trials")


@dataclass(frozen=True)
class ExperimentDesign:
    """How large experiments are: all combinations of these numbers.

    Parameters
    ----------
    n_subjects, n_stimuli, n_units : how many are measured. Stimuli are drawn from those given; all when absent.

    Raises
    ------
    InputError : no number, one below 1, or fewer than 2 subjects.

    Examples
    --------
    >>> len(ns.ExperimentDesign(n_subjects=(5, 10), n_units=(20, 50, 100)).combinations(n_stimuli=60))
    6
    """

    n_subjects: Sequence[int] = (5, 10, 20)
    n_stimuli: Sequence[int] | None = None
    n_units: Sequence[int] = (50,)

    def __post_init__(self) -> None:
        for name, least in (("n_subjects", 2), ("n_stimuli", 1), ("n_units", 1)):
            numbers = getattr(self, name)
            whole = [isinstance(n, int) and n >= least for n in np.atleast_1d(numbers).tolist()]
            if numbers is not None and not (whole and all(whole)):
                raise InputError(f"ExperimentDesign: {name} are whole numbers of {least} or more, found {numbers!r}.")

    def combinations(self, n_stimuli: int) -> list[tuple[int, int, int]]:
        """Return all (subjects, stimuli, units), of at most `n_stimuli` stimuli."""
        return list(itertools.product(self.n_subjects, self.n_stimuli or (n_stimuli,), self.n_units))


DESIGN = ExperimentDesign()


def power_analysis(
    model: xr.DataArray,
    rival: xr.DataArray,
    *,
    design: ExperimentDesign = DESIGN,
    brain: BrainOptions | None = None,
    mixture: float = 0.0,
    metric: str = "crossnobis",
    method: str = "corr",
    alpha: float = 0.05,
    n_simulations: int = 200,
    rng: np.random.Generator | int = 0,
    progress: bool = True,
) -> xr.Dataset:
    """Simulate experiments on a brain that is tuned as `model` says, and count how often the inference finds out.

    Each experiment draws stimuli, records a :func:`~neurosim.recordings.synthetic_brain`, makes the RDM of every
    subject and runs :func:`~neurosim.infer` on both models, generalising to new subjects and stimuli.

    Parameters
    ----------
    model, rival : features (stimulus, unit) of the same stimuli, labelled or bare arrays in one order; the brain is
        tuned to those of `model`.
    design : how many subjects, stimuli and units are tried.
    brain : how often and how noisily each subject is recorded; its numbers of subjects and units are those of the
        designs. A pilot tells the noise: :func:`~neurosim.responses.signal_to_noise`.
    mixture : how much of the brain is tuned to the rival's features instead, 0 to 1; at 0.5 neither model is right, and
        ``power`` and ``wrong`` are false alarms where both models are equally rich.
    metric, method : how RDMs are made and compared: names in ``METRICS`` and ``METHODS``.
    alpha : level of the two-sided test between the models.
    n_simulations : experiments a design.
    rng : seed, or generator from which one is drawn; every experiment has its own stream.
    progress : show a bar over experiments.

    Returns
    -------
    Dataset over ``n_subjects``, ``n_stimuli``, ``n_units``: ``power``, the share of experiments that find the model
    better than the rival, with its ``interval`` (bound; Wilson, 95 %); ``wrong``, the share that finds it worse;
    ``score`` (model) and ``ceiling``, mean values to expect.

    Raises
    ------
    InputError : other stimuli, more stimuli asked than given, or too few trials for the metric.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> a, b = (ns.as_stimuli(rng.normal(size=(20, 10)), dims=("stimulus", "unit")) for _ in range(2))
    >>> found = ns.power_analysis(a, b, design=ns.ExperimentDesign(n_subjects=(6,)), n_simulations=10, progress=False)
    >>> float(found.power[0, 0, 0]) > 0.9
    True
    """
    model, rival = (labelled(x, "power_analysis", "stimuli") for x in (model, rival))
    rival = same_stimuli(model, rival, "power_analysis")
    metric, method = METRICS.find(metric, "power_analysis").name, inference_method(method, "power_analysis").name
    designs = design.combinations(model.sizes["stimulus"])
    most = max(d[1] for d in designs)
    if most > model.sizes["stimulus"] or not 0 <= mixture <= 1 or n_simulations < 1:
        raise InputError(
            f"power_analysis: at most {model.sizes['stimulus']} stimuli, a mixture of 0 to 1 and at least 1 simulation "
            f"asked, found {most}, {mixture} and {n_simulations}."
        )
    brain, seed = BrainOptions() if brain is None else brain, as_seed(rng, "power_analysis")
    if not isinstance(brain, BrainOptions):
        raise InputError(f"power_analysis: brain is a BrainOptions, found a {type(brain).__name__}.")
    n_stimuli = design.n_stimuli or (model.sizes["stimulus"],)
    shape = (len(design.n_subjects), len(n_stimuli), len(design.n_units))
    better, worse = np.zeros(shape), np.zeros(shape)
    scores, ceilings = np.zeros((*shape, 2)), np.zeros(shape)
    tasks = [(d, k) for d in range(len(designs)) for k in range(n_simulations)]
    for d, k in track(tasks, "simulating experiments", progress=progress):
        own = stream(seed, "power_analysis", *designs[d], k)
        found = _experiment(model, rival, designs[d], brain, mixture, metric, method, own)
        at = np.unravel_index(d, shape)
        difference = float(found.score[0] - found.score[1])
        significant = float(found.p_pair[0, 1]) < alpha
        better[at] += significant and difference > 0
        worse[at] += significant and difference < 0
        scores[at] += found.score.values / n_simulations
        ceilings[at] += float(found.ceiling[0]) / n_simulations
    intervals = [binomtest(int(b), n_simulations).proportion_ci(method="wilson") for b in better.ravel()]
    dims = ("n_subjects", "n_stimuli", "n_units")
    return xr.Dataset(
        {
            "power": (dims, better / n_simulations),
            "interval": ((*dims, "bound"), np.array([[i.low, i.high] for i in intervals]).reshape(*shape, 2)),
            "wrong": (dims, worse / n_simulations),
            "score": ((*dims, "model"), scores),
            "ceiling": (dims, ceilings),
        },
        coords={
            "n_subjects": list(design.n_subjects),
            "n_stimuli": list(n_stimuli),
            "n_units": list(design.n_units),
            "model": ["model", "rival"],
            "bound": ["low", "high"],
        },
        attrs={"n_simulations": n_simulations, "metric": metric, "method": method, "alpha": alpha}
        | {name: getattr(brain, name) for name in TOLD}
        | {"mixture": mixture, "seed": seed},
    )


def _experiment(
    model: xr.DataArray,
    rival: xr.DataArray,
    size: tuple[int, int, int],
    brain: BrainOptions,
    mixture: float,
    metric: str,
    method: str,
    rng: np.random.Generator,
) -> xr.Dataset:
    """Draw stimuli, record subjects, and infer."""
    n_subjects, n_stimuli, n_units = size
    chosen = np.sort(rng.choice(model.sizes["stimulus"], n_stimuli, replace=False))
    both = (model.isel(stimulus=chosen), rival.isel(stimulus=chosen))
    tuning = _mixed(both[0], both[1], mixture)
    seed = int(rng.integers(2**31))
    recorded = synthetic_brain(tuning, replace(brain, n_subjects=n_subjects, n_units=n_units), rng=seed)
    named = {n: compute_rdm(m, "euclidean") for n, m in zip(("model", "rival"), both, strict=True)}
    return infer(named, compute_rdm(recorded, metric, by="subject"), method=method, progress=False)


def _mixed(model: xr.DataArray, rival: xr.DataArray, mixture: float) -> xr.DataArray:
    """Features of both, each with the share of variance it is given."""
    parts = []
    for features, share in ((model, 1 - mixture), (rival, mixture)):
        values = np.asarray(features.transpose("stimulus", ...).values, dtype=float).reshape(
            features.sizes["stimulus"], -1
        )
        values = values - values.mean(0)
        size = np.sqrt((values**2).sum(1).mean())
        if size > 0 and share > 0:
            parts.append(np.sqrt(share) * values / size)
    joined = xr.DataArray(np.concatenate(parts, axis=1), dims=("stimulus", "unit"))
    return joined.assign_coords(stimulus=model["stimulus"].values)
