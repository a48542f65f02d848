"""Weighted features of a model: what they predict of new stimuli, and how sure that is for new subjects.

Stimuli and folds are the same in all experiments, since the error is one over subjects. The truth is the mean of many
subjects.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from world import Outcome, World

import neurosim as ns

FEATURES = 6


@dataclass(frozen=True)
class Design:
    """Stimuli, subjects, and whether the noise of RDMs has heavy tails."""

    stimuli: int
    subjects: int
    tails: float = np.inf

    @property
    def features(self) -> np.ndarray:
        """Return features (stimulus, feature), the same in all experiments."""
        return np.random.default_rng(6).normal(size=(self.stimuli, FEATURES))

    def data(self, rng: np.random.Generator, strength: float, subjects: int) -> np.ndarray:
        """Draw RDMs of subjects who weigh the features differently, about weights that fall, and have noise patterns."""
        x = self.features
        squares = (x[:, None] - x[None]) ** 2
        weights = strength * np.exp(-np.arange(FEATURES)) * rng.gamma(4, 0.25, size=(subjects, FEATURES))
        noise = rng.normal(size=(subjects, self.stimuli, FEATURES))
        if np.isfinite(self.tails):
            noise = rng.standard_t(self.tails, size=noise.shape)
        own = ((noise[:, :, None] - noise[:, None]) ** 2).mean(-1)
        return np.asarray(squares @ weights.T).transpose(2, 0, 1) + own

    def experiment(self, rng: np.random.Generator, strength: float) -> Outcome:
        """Weigh the features; the mean over subjects and the interval of its error."""
        from scipy import stats

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
        "24 stimuli, 6 features, 8 subjects who weigh them differently and have noise patterns of their own.",
        Design(24, 8),
        quick=5,
    ),
    _world("few stimuli", "the same with 12 stimuli.", Design(12, 8), quick=5),
    _world("heavy tails", "the same as the first, noise of Student's t with 3 degrees of freedom.", Design(24, 8, 3.0), quick=5),
)
