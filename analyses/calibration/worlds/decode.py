"""Decoding: new stimuli of random and of true categories, new trials, unequal numbers of trials and of stimuli.

The truth is how often the same decoder is right on fresh stimuli (or fresh trials of the same stimuli), trained on what
a fold leaves, mean over classes, of 200 simulated training sets.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import xarray as xr
from world import Outcome, World

import neurosim as ns

UNITS = 12


@dataclass(frozen=True)
class Stimuli:
    """Stimuli of some classes, with patterns of their own about that of their class; each answers once, with noise."""

    per_class: tuple[int, ...]
    folds: int
    views: int = 1
    own: float = 1.5
    noise: float = 0.5
    permutations: int = 0

    def drawn(self, rng: np.random.Generator, strength: float, per_class: tuple[int, ...]) -> tuple[np.ndarray, ...]:
        """Draw patterns (stimulus, unit), classes and groups of stimuli; categories are random at strength 0."""
        centres = strength * np.random.default_rng(3).normal(size=(len(per_class), UNITS))
        label = np.repeat(np.arange(len(per_class)), per_class)
        patterns = centres[label] + self.own * rng.normal(size=(len(label), UNITS))
        patterns, label = patterns.repeat(self.views, axis=0), label.repeat(self.views)
        return patterns + self.noise * rng.normal(size=patterns.shape), label, np.arange(len(label)) // self.views

    def experiment(self, rng: np.random.Generator, strength: float) -> Outcome:
        """Decode the classes."""
        patterns, label, group = self.drawn(rng, strength, self.per_class)
        coords = {"category": ("stimulus", label), "object": ("stimulus", group)}
        found = ns.responses.decode(
            ns.as_responses(patterns, coords=coords),
            "category",
            hold_out="stimulus" if self.views == 1 else "object",
            folds=self.folds,
            n_permutations=0 if strength else self.permutations,
            rng=rng,
            progress=False,
        )
        return _outcome(found)

    @cache  # noqa: B019
    def truth(self, strength: float) -> float:
        """Decode fresh stimuli."""
        if strength == 0:
            return 1 / len(self.per_class)
        rng = np.random.default_rng(11)
        left = tuple(n - n // self.folds for n in self.per_class)
        found = []
        for _ in range(200):
            train, label, _ = self.drawn(rng, strength, left)
            test, wanted, _ = self.drawn(rng, strength, (100,) * len(left))
            found.append((_named(train, label, test) == wanted).mean())
        return float(np.mean(found))


@dataclass(frozen=True)
class Counts:
    """Poisson counts of the same stimuli in (fewest, most) trials; a quarter of the units hardly fires."""

    stimuli: int
    trials: tuple[int, int]
    orders: int = 2
    permutations: int = 0

    def rates(self, strength: float) -> np.ndarray:
        """Return expected counts (stimulus, unit), the same in all experiments."""
        rates = 3 * np.exp(0.35 * strength * np.random.default_rng(4).normal(size=(self.stimuli, UNITS)))
        return np.asarray(np.where(np.arange(UNITS) < UNITS // 4, 0.02, rates))

    def drawn(self, rng: np.random.Generator, strength: float) -> np.ndarray:
        """Draw counts (stimulus, trial, unit), NaN where a unit has fewer trials of a stimulus."""
        fewest, most = self.trials
        counts = rng.poisson(np.repeat(self.rates(strength)[:, None], most, axis=1)).astype(float)
        n = rng.integers(fewest, most + 1, size=(self.stimuli, 1, UNITS))
        n[..., UNITS // 2 :] = n[..., :1]
        return np.where(np.arange(most)[:, None] < n, counts, np.nan)

    def experiment(self, rng: np.random.Generator, strength: float) -> Outcome:
        """Decode the stimuli from single trials."""
        responses = ns.as_responses(self.drawn(rng, strength), dims=("stimulus", "trial", "unit"))
        found = ns.responses.decode(
            responses,
            n_orders=self.orders,
            n_permutations=0 if strength else self.permutations,
            rng=rng,
            progress=False,
        )
        return _outcome(found)

    @cache  # noqa: B019
    def truth(self, strength: float) -> float:
        """Decode fresh trials; of a stimulus with n trials, n - n / folds are trained on."""
        if strength == 0:
            return 1 / self.stimuli
        rng, found = np.random.default_rng(12), []
        for _ in range(200):
            counts = self.drawn(rng, strength)
            n = np.isfinite(counts).sum(1).min(1)
            folds = n.min()
            order = np.isnan(counts).argsort(axis=1, kind="stable")
            counts = np.take_along_axis(counts, order, axis=1)
            train = [counts[s, : n[s] - round(n[s] / folds)] for s in range(self.stimuli)]
            label = np.repeat(np.arange(self.stimuli), [len(t) for t in train])
            test = rng.poisson(np.repeat(self.rates(strength), 50, axis=0))
            named = _named(np.concatenate(train), label, test)
            found.append((named == np.arange(self.stimuli).repeat(50)).mean())
        return float(np.mean(found))


def _named(train: np.ndarray, label: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Name patterns by the class whose mean correlates most, units standardised by what is trained on."""
    spread = np.where(train.std(0) > 0, train.std(0), np.inf)
    train, test = (train - train.mean(0)) / spread, (test - train.mean(0)) / spread
    means = np.stack([train[label == c].mean(0) for c in range(label.max() + 1)])
    return np.asarray(np.corrcoef(test, means)[: len(test), len(test) :].argmax(1))


def _outcome(found: xr.Dataset) -> Outcome:
    low, high = found["interval"].values
    p = float(found["p"]) if "p" in found else None
    return Outcome(float(found["accuracy"]), float(found["standard_error"]), low, high, p)


def _world(name: str, what: str, design: Stimuli | Counts, **about: object) -> World:
    chosen = {"quick": 15, "revision": 1} | about
    return World(f"decoding, {name}", "responses.decode", what, design.experiment, truth=design.truth, **chosen)


WORLDS = (
    _world(
        "new stimuli",
        "40 reliable stimuli in 4 categories (random ones for the null), 12 units, 10 folds, 39 permutations.",
        Stimuli((10, 10, 10, 10), 10, permutations=39),
        quick=8,
    ),
    _world(
        "one class of nine tenths",
        "60 reliable stimuli, 54 in one category and 6 in the other, 12 units, 6 folds, 39 permutations.",
        Stimuli((54, 6), 6, permutations=39),
        outside="Errors of a class of six stimuli are a third too large.",
        quick=8,
    ),
    _world(
        "views held out together",
        "3 views of each of 24 objects in 3 categories, objects held out, 12 units, 8 folds.",
        Stimuli((8, 8, 8), 8, views=3),
    ),
    _world(
        "new trials",
        "8 stimuli, 8 trials, Poisson counts of 12 units, of which 3 hardly fire, 39 permutations.",
        Counts(8, (8, 8), permutations=39),
        quick=40,
    ),
    _world(
        "few trials", "10 stimuli, 4 trials, Poisson counts of 12 units, of which 3 hardly fire.", Counts(10, (4, 4))
    ),
    _world(
        "unequal trials",
        "8 stimuli, 5 to 9 trials a stimulus and unit, Poisson counts of 12 units, of which 3 hardly fire.",
        Counts(8, (5, 9)),
    ),
)
