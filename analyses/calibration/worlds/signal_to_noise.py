"""Signal-to-noise ratios and ceilings of units that answer a sample of stimuli; equal, unequal and lost trials."""

from functools import partial

import numpy as np
from world import Outcome, World

import neurosim as ns

UNITS = 20


def gaussian(rng: np.random.Generator, ratio: float, stimuli: int, trials: int) -> np.ndarray:
    """Return trials (stimulus, trial, unit) with noise of one size and signal of variance `ratio`."""
    return np.sqrt(ratio) * rng.normal(size=(stimuli, 1, UNITS)) + rng.normal(size=(stimuli, trials, UNITS))


def counts(rng: np.random.Generator, ratio: float, stimuli: int, trials: int, mean: float = 4.0) -> np.ndarray:
    """Return Poisson counts around `mean` whose rates over stimuli are skewed: signal `ratio` times the noise."""
    rates = rng.gamma(mean / ratio, ratio, size=(stimuli, 1, UNITS)) if ratio else np.full((stimuli, 1, UNITS), mean)
    return rng.poisson(np.broadcast_to(rates, (stimuli, trials, UNITS))).astype(float)


def unequal(rng: np.random.Generator, trials: np.ndarray) -> np.ndarray:
    """Leave each stimulus 2 trials up to all, and every second unit only the first three quarters of the session."""
    n = rng.integers(2, trials.shape[1] + 1, size=len(trials))
    trials[np.arange(trials.shape[1]) >= n[:, None]] = np.nan
    trials[int(0.75 * len(trials)) :, :, ::2] = np.nan
    return trials


def labelled(trials: np.ndarray):
    """Return responses (stimulus, trial, unit)."""
    return ns.as_responses(trials, dims=("stimulus", "trial", "unit"))


def _ratio(draw, rng: np.random.Generator, ratio: float) -> Outcome:
    found = ns.responses.signal_to_noise(labelled(draw(rng, ratio)))
    return Outcome(found.signal_to_noise, found.standard_error, p=found.p)


def _ceiling(draw, rng: np.random.Generator, ratio: float) -> Outcome:
    found = ns.responses.signal_to_noise(labelled(draw(rng, ratio)))
    found = found.isel(unit=np.isfinite(found.ceiling.values))  # without units that hardly answer
    low, high = found.ceiling_interval.values.T
    return Outcome(found.ceiling, found.ceiling_standard_error, low, high)


def _unequal(rng: np.random.Generator, ratio: float) -> np.ndarray:
    return unequal(rng, gaussian(rng, ratio, 40, 8))


def _noisier_where_fewer(rng: np.random.Generator, power: float) -> Outcome:
    """Return the signal power of 10 stimuli with 3 trials and noise of 2, and 10 with 8 trials and noise of 1."""
    size = np.repeat([2.0, 1.0], 10)[:, None, None]
    trials = size * rng.normal(size=(20, 8, UNITS))
    trials[:10, 3:] = np.nan
    found = ns.responses.signal_to_noise(labelled(np.sqrt(power) * rng.normal(size=(20, 1, UNITS)) + trials))
    return Outcome(found.signal_power, p=found.p)


def _power(rate: float, rng: np.random.Generator, squared: float) -> Outcome:
    """Return the power of Poisson counts of skewed rates, of which three in ten trials are missing."""
    rates = rng.gamma(1 / squared, squared * rate, size=(20, 1, UNITS)) if squared else np.full((20, 1, UNITS), rate)
    trials = rng.poisson(np.broadcast_to(rates, (20, 4, UNITS))).astype(float)
    trials[rng.random(trials.shape) < 0.3] = np.nan
    found = ns.responses.signal_to_noise(labelled(trials))
    return Outcome(found.signal_power, p=found.p.values[np.isfinite(found.p.values)])


def root(ratio: float, trials: int) -> float:
    """Return the correlation of the mean of trials with the noiseless response."""
    return float(np.sqrt(ratio / (ratio + 1 / trials)))


EQUAL = partial(gaussian, stimuli=40, trials=8)
WORLDS = (
    World(
        "signal-to-noise ratio",
        "responses.signal_to_noise",
        "40 stimuli, 8 trials, 20 independent units, Gaussian signal and noise of one size.",
        partial(_ratio, EQUAL),
        truth=float,
        quick=60,
    ),
    World(
        "signal-to-noise ratio, unequal trials",
        "responses.signal_to_noise",
        "the same with 2 to 8 trials a stimulus; every second unit is lost for the last quarter of the stimuli.",
        partial(_ratio, _unequal),
        truth=float,
        quick=60,
    ),
    World(
        "signal power, unequal trials and noise",
        "responses.signal_to_noise",
        "20 stimuli, 10 with 3 trials and noise of 2, 10 with 8 trials and noise of 1.",
        _noisier_where_fewer,
        truth=float,
        quick=20,
    ),
    World(
        "signal power, few spikes and missing trials",
        "responses.signal_to_noise",
        "20 stimuli, 4 trials of which 30 % are missing, Poisson counts of 0.1; p of the units that have one.",
        partial(_power, 0.1),
        truth=lambda squared: 0.01 * squared,
        quick=20,
    ),
    World(
        "ceiling",
        "responses.signal_to_noise",
        "40 stimuli, 8 trials, signal of half the variance of a trial's noise.",
        partial(_ceiling, EQUAL),
        truth=partial(root, trials=8),
        effect=0.5,
        null=None,
        quick=60,
    ),
    World(
        "ceiling, few trials",
        "responses.signal_to_noise",
        "50 stimuli, 2 trials, signal of half the variance of a trial's noise.",
        partial(_ceiling, partial(gaussian, stimuli=50, trials=2)),
        truth=partial(root, trials=2),
        effect=0.5,
        null=None,
        quick=60,
    ),
    World(
        "ceiling, counts",
        "responses.signal_to_noise",
        "100 stimuli, 3 trials, Poisson counts around 4 with skewed rates.",
        partial(_ceiling, partial(counts, stimuli=100, trials=3)),
        truth=partial(root, trials=3),
        effect=0.5,
        null=None,
        quick=60,
    ),
    World(
        "ceiling, few stimuli",
        "responses.signal_to_noise",
        "6 stimuli, 4 trials, signal of the variance of a trial's noise.",
        partial(_ceiling, partial(gaussian, stimuli=6, trials=4)),
        truth=partial(root, trials=4),
        effect=1.0,
        null=None,
        outside="Its error, of leaving out each of 6 stimuli, is a fifth too large.",
        quick=60,
    ),
    World(
        "ceiling, few stimuli and spikes",
        "responses.signal_to_noise",
        "8 stimuli, 6 trials, Poisson counts around 0.5 with skewed rates.",
        partial(_ceiling, partial(counts, stimuli=8, trials=6, mean=0.5)),
        truth=partial(root, trials=6),
        effect=0.5,
        null=None,
        quick=60,
        outside="So few spikes of so few stimuli do not show how skewed rates are over all stimuli.",
    ),
)
