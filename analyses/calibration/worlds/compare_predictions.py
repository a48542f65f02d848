"""Paired differences of predictions: no difference where two models hold as much, errors that hold.

A unit answers with a sum over ten features, of which two models have five each: without an effect both carry half of
the signal of every unit, with it the first carries seven tenths. The truth is the median over units of the difference
of the correlations that the same regressions reach on 2,000 new stimuli, mean over 100 simulated training sets.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import stats
from world import Outcome, World

import neurosim as ns

FEATURES = 5  # of each model
MORE = 0.7  # share of the signal that the first model carries


@dataclass(frozen=True)
class Design:
    """Stimuli, units and folds; trials of Poisson counts (fewest, most), or one answer with noise of such tails."""

    stimuli: int
    units: int
    folds: int
    trials: tuple[int, int] | None = None
    baseline: float = 3.0
    tails: float = np.inf

    def drawn(self, rng: np.random.Generator, n: int, strength: float) -> tuple[np.ndarray, np.ndarray]:
        """Draw features (n, 10) and responses (n, units), or (n, trial, units) with NaN."""
        x = rng.normal(size=(n, 2 * FEATURES))
        weights = np.random.default_rng(7).normal(size=(2, FEATURES, self.units))
        share = np.array([MORE, 1 - MORE]) if strength else np.full(2, 0.5)
        weights *= np.sqrt(share)[:, None, None] / np.linalg.norm(weights, axis=1, keepdims=True)
        signal = x @ weights.reshape(-1, self.units)
        if self.trials is None:
            if np.isfinite(self.tails):
                return x, signal + rng.standard_t(self.tails, size=signal.shape) * np.sqrt(1 - 2 / self.tails)
            return x, signal + rng.normal(size=signal.shape)
        rate = self.baseline * np.exp(0.5 * signal)
        counts = rng.poisson(np.repeat(rate[:, None], self.trials[1], axis=1)).astype(float)
        kept = rng.integers(self.trials[0], self.trials[1] + 1, size=(n, 1, self.units))
        return x, np.where(np.arange(self.trials[1])[:, None] < kept, counts, np.nan)

    def experiment(self, rng: np.random.Generator, strength: float) -> Outcome:
        """Predict from both models in the same folds; the difference, its interval, and p of none."""
        x, y = self.drawn(rng, self.stimuli, strength)
        target = ns.as_responses(y, dims=("stimulus", "trial", "unit") if y.ndim == 3 else ("stimulus", "unit"))
        halves = {"first": x[:, :FEATURES], "second": x[:, FEATURES:]}
        found = {
            name: ns.similarity.predict_responses(ns.as_responses(half), target, folds=self.folds, progress=False)
            for name, half in halves.items()
        }
        pair = ns.similarity.compare_predictions(found).isel(model=0, model_other=1)
        low, high = pair.interval.values
        return Outcome(float(pair.difference), float(pair.standard_error), low, high, float(pair.p_pair))

    @cache  # noqa: B019
    def truth(self, strength: float) -> float:
        """Return the difference that the regressions reach on new stimuli."""
        if strength == 0:
            return 0.0
        rng = np.random.default_rng(11)
        predictor = ns.similarity.PREDICTORS["ridge"]
        new, wanted = self.drawn(rng, 2000, strength)
        wanted = stats.zscore(wanted if wanted.ndim == 2 else np.nanmean(wanted, 1))
        gaps = []
        for _ in range(100):
            x, y = self.drawn(rng, self.stimuli - self.stimuli // self.folds, strength)
            y = y if y.ndim == 2 else np.nanmean(y, 1)
            reached = []
            for half in (slice(FEATURES), slice(FEATURES, None)):
                predicted = predictor.predict(x[:, half], y, new[:, half], predictor.options())
                predicted = predicted[0] if isinstance(predicted, tuple) else predicted
                reached.append((stats.zscore(predicted) * wanted).mean(0))
            gaps.append(reached[0] - reached[1])
        return float(np.median(gaps, axis=1).mean())


def _world(name: str, what: str, design: Design, **about: object) -> World:
    return World(
        f"paired predictions, {name}",
        "similarity.compare_predictions",
        f"{design.stimuli} stimuli, {design.units} units, {design.folds} folds, two models of {FEATURES} features; "
        f"{what}.",
        design.experiment,
        truth=design.truth,
        **about,
    )


CAUTIOUS = "The test is cautious: {} where nothing differs."
WORLDS = (
    _world("one unit", "signal and noise of one size", Design(64, 1, 8), quick=5),
    _world(
        "missing trials",
        "Poisson counts, mean 1, 1 to 4 trials",
        Design(60, 1, 5, (1, 4), 1.0),
        quick=6,
        outside=CAUTIOUS.format("2.8 %"),
    ),
    _world(
        "few stimuli",
        "signal and noise of one size",
        Design(32, 1, 4),
        quick=10,
        outside=CAUTIOUS.format("1.6 %, with 1.5 degrees of freedom"),
    ),
    _world(
        "median of units",
        "noise of Student's t with 3 degrees of freedom",
        Design(60, 10, 5, tails=3.0),
        quick=6,
        outside=CAUTIOUS.format("1.1 %, since a median over units varies less than their scores say"),
    ),
)
