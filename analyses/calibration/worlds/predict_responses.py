"""Prediction of held-out responses: no bias where nothing is predicted, ceilings of unequal trials, errors that hold.

The truth is what the same regression reaches on new stimuli, from as many training stimuli as a fold leaves: the mean
correlation over 300 simulated training sets with responses to 2,000 new stimuli, their noise included where the score
is not over its ceiling. Where nothing is to be found, the stimuli of the source are shuffled.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import stats
from world import Outcome, World

import neurosim as ns

UNITS = 10
ERRORS = {
    "score": "standard_error",
    "median_score": "median_standard_error",
    "normalized": "normalized_standard_error",
    "explained": "explained_standard_error",
    "median_normalized": "median_normalized_standard_error",
}


@dataclass(frozen=True)
class Design:
    """Stimuli, features, folds and method; trials of Poisson counts (fewest, most), or one answer with noise."""

    stimuli: int
    features: int
    folds: int
    method: str = "ridge"
    trials: tuple[int, int] | None = None
    tails: float = np.inf
    result: str = "score"
    layers: int = 1

    def tuning(self) -> np.ndarray:
        """Return weights (features, units) of one length, the same in all experiments."""
        if self.method == "one_to_one":
            return np.eye(self.features, UNITS)
        weights = np.random.default_rng(7).normal(size=(self.features, UNITS))
        return np.asarray(weights / np.linalg.norm(weights, axis=0))

    def drawn(self, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw features (n, P), noiseless responses (n, U) and measured ones, (n, U) or (n, T, U) with NaN."""
        x = rng.normal(size=(n, self.features))
        signal = x @ self.tuning()
        if self.trials is None:
            noise = rng.normal(size=signal.shape)
            if np.isfinite(self.tails):
                noise = rng.standard_t(self.tails, size=signal.shape) * np.sqrt(1 - 2 / self.tails)
            return x, signal, signal + noise
        signal = 3 * np.exp(0.5 * signal)
        counts = rng.poisson(np.repeat(signal[:, None], self.trials[1], axis=1)).astype(float)
        kept = rng.integers(self.trials[0], self.trials[1] + 1, size=(n, 1, UNITS))
        return x, signal, np.where(np.arange(self.trials[1])[:, None] < kept, counts, np.nan)

    def experiment(self, rng: np.random.Generator, strength: float) -> Outcome:
        """Predict; the result of every unit, or of their median, with its interval, and p of more than 0."""
        x, _, y = self.drawn(rng, self.stimuli)
        x = x if strength else rng.permutation(x)
        target = ns.as_responses(y, dims=("stimulus", "trial", "unit") if y.ndim == 3 else ("stimulus", "unit"))
        how = {"method": self.method, "folds": self.folds, "rng": rng, "progress": False}
        source = ns.as_responses(x)
        if self.layers > 1:
            names = {"layer": ("unit", np.repeat(np.arange(self.layers), self.features))}
            source = ns.as_responses(np.concatenate([self.layer(rng, x) for _ in range(self.layers)], 1), coords=names)
            how["choose"] = "layer"
        found = ns.similarity.predict_responses(source, target, **how)
        value, spread, df = found[self.result].values, found[ERRORS[self.result]].values, found.attrs["df"]
        reach = stats.t.ppf(0.975, df) * spread
        return Outcome(value, spread, value - reach, value + reach, stats.t.sf(value / spread, df))

    def layer(self, rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
        """Return the features, in one of several layers with as much noise."""
        return x if self.layers == 1 else x + rng.normal(size=x.shape)

    @cache  # noqa: B019
    def truth(self, strength: float) -> float:
        """Return what the regression reaches on new stimuli."""
        if strength == 0:
            return 0.0
        rng = np.random.default_rng(11)
        predictor = ns.similarity.PREDICTORS[self.method]
        new, signal, measured = self.drawn(rng, 2000)
        new = self.layer(rng, new)
        wanted = measured if self.trials is None else signal
        reached = []
        for _ in range(300):
            x, _, y = self.drawn(rng, self.stimuli - self.stimuli // self.folds)
            predicted = predictor.predict(
                self.layer(rng, x), y if y.ndim == 2 else np.nanmean(y, 1), new, predictor.options()
            )
            predicted = predicted[0] if isinstance(predicted, tuple) else predicted
            a, b = (v - v.mean(0) for v in (predicted, wanted))
            reached.append((a * b).sum(0) / np.sqrt((a**2).sum(0) * (b**2).sum(0)))
        reached = np.array(reached)
        found = np.median(reached, axis=1) if "median" in self.result else reached
        return float((found**2 if "explained" in self.result else found).mean())


def _world(name: str, what: str, design: Design, **about: object) -> World:
    return World(
        f"predictivity, {name}",
        "similarity.predict_responses",
        f"{design.stimuli} stimuli, {design.features} features, {design.folds} folds, {UNITS} units; {what}.",
        design.experiment,
        truth=design.truth,
        **about,
    )


COUNTS = (2, 6)
WORLDS = (
    _world("ridge", "signal and noise of one size", Design(80, 10, 10), quick=4),
    _world("more features than stimuli", "signal and noise of one size", Design(60, 100, 5), quick=8),
    _world(
        "heavy tails",
        "noise of Student's t with 3 degrees of freedom",
        Design(80, 10, 5, tails=3.0),
        quick=5,
        outside="Coverage 91 %: few draws of such tails vary less than many, so correlations within folds are larger.",
    ),
    _world("one to one", "the most correlated feature", Design(80, 20, 5, "one_to_one"), quick=8),
    _world(
        "median of units",
        "as the first, median of the units",
        Design(80, 10, 10, result="median_score"),
        quick=4,
        outside="The median of ten small correlations is not their mean; its test is cautious, 2 %.",
    ),
    _world(
        "over ceiling",
        "Poisson counts, mean 3, 2 to 6 trials, score over ceiling",
        Design(80, 10, 5, trials=COUNTS, result="normalized"),
        quick=5,
    ),
    _world(
        "explained",
        "Poisson counts, mean 3, 2 to 6 trials, share of the explainable variance",
        Design(80, 10, 5, trials=COUNTS, result="explained"),
        quick=5,
        outside="A share is not normal about 0: the test is cautious, below 1 %.",
    ),
    _world(
        "median over ceiling",
        "Poisson counts, mean 3, 2 to 6 trials, median of the units",
        Design(80, 10, 5, trials=COUNTS, result="median_normalized"),
        quick=8,
        outside="The test is cautious, below 3 %.",
    ),
    _world(
        "one of three layers",
        "three layers that predict alike, each with noise of its own, chosen in nested folds",
        Design(64, 10, 8, layers=3),
        quick=2,
    ),
)
