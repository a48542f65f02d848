"""How many subjects, stimuli and units it takes to tell two models apart: the inference itself, simulated."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import xarray as xr
from scipy.stats import binomtest

from neurosim.recordings.synthetic import synthetic_brain
from neurosim.runtime import as_seed, stream, track
from neurosim.schema import InputError, labelled, same_stimuli
from neurosim.similarity.inference import infer
from neurosim.similarity.method import inference_method
from neurosim.similarity.metric import METRICS
from neurosim.similarity.rdms import compute_rdm


@dataclass(frozen=True)
class ExperimentDesign:
    """What experiments measure: all combinations of these numbers.

    Parameters
    ----------
    n_subjects, n_stimuli, n_units : how many. Stimuli are drawn from those given; all when absent.
    n_trials : of every stimulus, in every experiment.

    Raises
    ------
    InputError : no number, one below 1, or fewer than 2 subjects.

    Examples
    --------
    >>> len(ExperimentDesign(n_subjects=(5, 10), n_units=(20, 50, 100)).combinations(n_stimuli=60))
    6
    """

    n_subjects: Sequence[int] = (5, 10, 20)
    n_stimuli: Sequence[int] | None = None
    n_units: Sequence[int] = (50,)
    n_trials: int = 4

    def __post_init__(self) -> None:
        for name, least in (("n_subjects", 2), ("n_stimuli", 1), ("n_units", 1), ("n_trials", 1)):
            numbers = getattr(self, name)
            whole = [isinstance(n, int) and n >= least for n in np.atleast_1d(numbers).tolist()]
            if numbers is not None and not (whole and all(whole)):
                raise InputError(f"ExperimentDesign: {name} are whole numbers of {least} or more, found {numbers!r}.")

    def combinations(self, n_stimuli: int) -> list[tuple[int, int, int]]:
        """Return all (subjects, stimuli, units), of at most `n_stimuli` stimuli."""
        return list(itertools.product(self.n_subjects, self.n_stimuli or (n_stimuli,), self.n_units))


@dataclass(frozen=True)
class SimulatedBrain:
    """How the simulated brains answer; a pilot tells: :func:`~neurosim.responses.signal_to_noise`.

    Parameters
    ----------
    trial_noise, noise_correlation, individuality : see :func:`~neurosim.recordings.synthetic_brain`.
    mixture : how much of the brain is tuned to the rival's features instead, 0 to 1; at 0.5 neither model is right, and
        ``power`` and ``wrong`` are false alarms where both models are equally rich.

    Raises
    ------
    InputError : a mixture that is not between 0 and 1.

    Examples
    --------
    >>> SimulatedBrain(trial_noise=2.0).mixture
    0.0
    """

    trial_noise: float = 1.0
    noise_correlation: float = 0.0
    individuality: float = 0.5
    mixture: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.mixture <= 1:
            raise InputError(f"SimulatedBrain: a mixture of 0 to 1 asked, found {self.mixture}.")


DESIGN, BRAIN = ExperimentDesign(), SimulatedBrain()


def power_analysis(
    model: xr.DataArray,
    rival: xr.DataArray,
    *,
    design: ExperimentDesign = DESIGN,
    brain: SimulatedBrain = BRAIN,
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
    design : how many subjects, stimuli, units and trials are tried.
    brain : noise and individuality of the subjects, and how much of the rival is in them.
    metric, method : how RDMs are made and compared: names in ``METRICS`` and ``METHODS``.
    alpha : level of the two-sided test between the models.
    n_simulations : experiments a design.
    rng : seed or generator; every experiment has its own stream.
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
    >>> from neurosim.schema import as_stimuli
    >>> rng = np.random.default_rng(0)
    >>> a, b = (as_stimuli(rng.normal(size=(20, 10)), dims=("stimulus", "unit")) for _ in range(2))
    >>> found = power_analysis(a, b, design=ExperimentDesign(n_subjects=(6,)), n_simulations=10, progress=False)
    >>> float(found.power[0, 0, 0]) > 0.9
    True
    """
    model, rival = (labelled(x, "power_analysis", "stimuli") for x in (model, rival))
    rival = same_stimuli(model, rival, "power_analysis")
    metric, method = METRICS.find(metric, "power_analysis").name, inference_method(method, "power_analysis").name
    designs = design.combinations(model.sizes["stimulus"])
    if max(d[1] for d in designs) > model.sizes["stimulus"] or n_simulations < 1:
        raise InputError(
            f"power_analysis: at most {model.sizes['stimulus']} stimuli and at least 1 simulation asked, found "
            f"{max(d[1] for d in designs)} and {n_simulations}."
        )
    seed = as_seed(rng, "power_analysis")
    n_stimuli = design.n_stimuli or (model.sizes["stimulus"],)
    shape = (len(design.n_subjects), len(n_stimuli), len(design.n_units))
    better, worse = np.zeros(shape), np.zeros(shape)
    scores, ceilings = np.zeros((*shape, 2)), np.zeros(shape)
    tasks = [(d, k) for d in range(len(designs)) for k in range(n_simulations)]
    for d, k in track(tasks, "simulating experiments", progress=progress):
        own = stream(seed, "power_analysis", *designs[d], k)
        models, recorded = _experiment(model, rival, designs[d], design.n_trials, brain, own)
        found = infer(models, compute_rdm(recorded, metric, by="subject"), method=method, progress=False)
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
        | {**asdict(brain), "n_trials": design.n_trials, "seed": seed},
    )


def _experiment(
    model: xr.DataArray,
    rival: xr.DataArray,
    size: tuple[int, int, int],
    n_trials: int,
    brain: SimulatedBrain,
    rng: np.random.Generator,
) -> tuple[dict[str, xr.DataArray], xr.DataArray]:
    """Draw stimuli and record subjects: RDMs of both models, and the responses of the subjects."""
    n_subjects, n_stimuli, n_units = size
    chosen = np.sort(rng.choice(model.sizes["stimulus"], n_stimuli, replace=False))
    both = (model.isel(stimulus=chosen), rival.isel(stimulus=chosen))
    recorded = synthetic_brain(
        _mixed(both[0], both[1], brain.mixture),
        n_subjects=n_subjects,
        n_units=n_units,
        n_trials=n_trials,
        trial_noise=brain.trial_noise,
        noise_correlation=brain.noise_correlation,
        individuality=brain.individuality,
        seed=int(rng.integers(2**31)),
    )
    return {n: compute_rdm(m, "euclidean") for n, m in zip(("model", "rival"), both, strict=True)}, recorded


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
