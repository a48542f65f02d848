"""Decoding of an object where it was not trained on: new trials of fixed stimuli, few and unequal.

The truth is how often the same decoder is right on fresh trials at the other position, trained on what a fold leaves,
of 200 simulated training sets.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from world import Outcome, World
from worlds.decode import UNITS, _named

import neurosim as ns

OBJECTS, PLACES = 4, 2


@dataclass(frozen=True)
class Counts:
    """Poisson counts of objects at positions in (fewest, most) trials; a quarter of the units hardly fires."""

    trials: tuple[int, int]
    of: str = "other"

    def rates(self, strength: float) -> np.ndarray:
        """Return expected counts (position, object, unit): objects, positions, and what is neither alone."""
        rng = np.random.default_rng(5)
        objects = rng.normal(size=(1, OBJECTS, UNITS)) + 0.5 * rng.normal(size=(PLACES, OBJECTS, UNITS))
        places = rng.normal(size=(PLACES, 1, UNITS))
        rates = 3 * np.exp(0.4 * (strength * objects + 0.5 * places))
        return np.asarray(np.where(np.arange(UNITS) < UNITS // 4, 0.02, rates))

    def drawn(self, rng: np.random.Generator, strength: float) -> np.ndarray:
        """Draw counts (stimulus, trial, unit), NaN where a unit has fewer trials of a stimulus."""
        fewest, most = self.trials
        rates = self.rates(strength).reshape(-1, 1, UNITS)
        counts = rng.poisson(rates.repeat(most, axis=1)).astype(float)
        n = rng.integers(fewest, most + 1, size=(len(rates), 1, UNITS))
        n[..., UNITS // 2 :] = n[..., :1]
        return np.where(np.arange(most)[:, None] < n, counts, np.nan)

    def experiment(self, rng: np.random.Generator, strength: float) -> Outcome:
        """Decode the object at the other position, or at the same."""
        place, thing = np.divmod(np.arange(PLACES * OBJECTS), OBJECTS)
        coords = {"object": ("stimulus", thing), "place": ("stimulus", place)}
        responses = ns.as_responses(self.drawn(rng, strength), dims=("stimulus", "trial", "unit"), coords=coords)
        found = ns.responses.generalise(responses, "object", "place", n_orders=2, rng=rng, progress=False)
        low, high = found[f"{self.of}_interval"].values
        return Outcome(float(found[self.of]), float(found[f"{self.of}_standard_error"]), low, high)

    @cache  # noqa: B019
    def truth(self, strength: float) -> float:
        """Decode fresh trials."""
        if strength == 0:
            return 1 / OBJECTS
        rng, found = np.random.default_rng(12), []
        rates = self.rates(strength)
        for _ in range(200):
            counts = self.drawn(rng, strength)
            order = np.isnan(counts).argsort(axis=1, kind="stable")
            counts = np.take_along_axis(counts, order, axis=1).reshape(PLACES, OBJECTS, -1, UNITS)
            n = np.isfinite(counts).sum(2).min(2)
            left = n - np.round(n / n.min()).astype(int)
            for place in range(PLACES):
                train = [counts[place, k, : left[place, k]] for k in range(OBJECTS)]
                label = np.repeat(np.arange(OBJECTS), left[place])
                asked = rates[place if self.of == "same" else 1 - place]
                named = _named(np.concatenate(train), label, rng.poisson(asked.repeat(50, axis=0)))
                found.append((named == np.arange(OBJECTS).repeat(50)).mean())
        return float(np.mean(found))


def _world(name: str, what: str, design: Counts, **about: object) -> World:
    chosen = {"quick": 6} | about
    said = f"4 objects at 2 positions, {what}, Poisson counts of 12 units, of which 3 hardly fire."
    return World(
        f"generalisation, {name}", "responses.generalise", said, design.experiment, truth=design.truth, **chosen
    )


WORLDS = (
    _world("another position", "8 trials", Counts((8, 8))),
    _world("the same position", "8 trials", Counts((8, 8), "same")),
    _world("few trials", "3 trials", Counts((3, 3))),
    _world("unequal trials", "4 to 9 trials a stimulus and unit", Counts((4, 9))),
)
