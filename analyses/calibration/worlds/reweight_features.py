"""Weighted features of a model: what they predict of new stimuli, and how sure that is for new subjects.

Stimuli and folds are the same in all experiments, since the error is one over subjects. The truth is the mean of many
subjects.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import stats
from world import Outcome, World

import neurosim as ns

FEATURES = 6


@dataclass(frozen=True)
class Design:
    """Stimuli and subjects."""

    stimuli: int
    subjects: int

    @property
    def features(self) -> np.ndarray:
        """Return features (stimulus, feature), the same in all experiments."""
        return np.random.default_rng(6).normal(size=(self.stimuli, FEATURES))

    def data(self, rng: np.random.Generator, strength: float, subjects: int) -> np.ndarray:
        """Draw RDMs of subjects who weigh the features differently, about weights that fall, with noise patterns."""
        weights = strength * np.exp(-np.arange(FEATURES)) * rng.gamma(4, 0.25, size=(subjects, FEATURES))
        noise = rng.normal(size=(subjects, self.stimuli, FEATURES))
        return np.asarray(_squares(self.features) @ weights.T).transpose(2, 0, 1) + _squares(noise).mean(-1)

    def experiment(self, rng: np.random.Generator, strength: float) -> Outcome:
        """Weigh the features; the mean over subjects and the interval of its error."""
        found = ns.similarity.reweight_features(
            self.features, ns.as_rdm(self.data(rng, strength, self.subjects), dims=("subject",)), progress=False
        )
        score, error = float(found.mean_score), float(found.mean_score_standard_error)
        reach = stats.t.ppf(0.975, self.subjects - 1) * error
        return Outcome(score, error, score - reach, score + reach, stats.t.sf(score / error, self.subjects - 1))

    @cache  # noqa: B019
    def truth(self, strength: float) -> float:
        """Return the mean score of 200 other subjects."""
        if strength == 0:
            return 0.0
        data = self.data(np.random.default_rng(13), strength, 200)
        found = ns.similarity.reweight_features(self.features, ns.as_rdm(data, dims=("subject",)), progress=False)
        return float(found.mean_score)


def _squares(x: np.ndarray) -> np.ndarray:
    return np.asarray((x[..., :, None, :] - x[..., None, :, :]) ** 2)


def _world(name: str, what: str, design: Design, **about: object) -> World:
    return World(
        f"weighted features, {name}",
        "similarity.reweight_features",
        what,
        design.experiment,
        truth=design.truth,
        **about,
    )


WORLDS = (
    _world(
        "new subjects",
        "16 stimuli, 6 features, 6 subjects who weigh them differently and have noise patterns of their own.",
        Design(16, 6),
        quick=5,
    ),
)
