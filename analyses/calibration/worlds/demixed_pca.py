"""The variance of responses that is due to a label, of trials whose noise is slow and of which units lack others."""

import numpy as np
from world import Outcome, World

import neurosim as ns

CELLS, TRIALS, TIMES, UNITS = 6, 4, 8, 10


def _of_label(rng: np.random.Generator, size: float) -> Outcome:
    """Return the variance by the label `a`, of means whose square is `size` each, of 3 values crossed with 2."""
    a, b = np.repeat([-1.0, 0, 1], 2), np.tile([-1.0, 1], 3)
    own = np.sqrt(size) * a[:, None, None] * np.ones((TIMES, UNITS))
    means = own + b[:, None, None] * rng.normal(size=(TIMES, UNITS)) + rng.normal(size=(TIMES, UNITS))
    slow = rng.normal(size=(CELLS, TRIALS, 1, UNITS)) + rng.normal(size=(CELLS, TRIALS, TIMES, UNITS))
    values = means[:, None] + slow
    values[:, 2:] = np.where(rng.random((CELLS, TRIALS - 2, 1, UNITS)) < 0.4, np.nan, values[:, 2:])
    responses = ns.as_responses(
        values,
        dims=("stimulus", "trial", "time", "unit"),
        coords={"a": ("stimulus", a), "b": ("stimulus", b)},
    )
    found = ns.responses.demixed_pca(responses, ["a", "b"], regularization=0.1, n_components=1)
    return Outcome(float(found.signal_variance.sel(marginal="a")))


WORLDS = (
    World(
        "variance by a label",
        "responses.demixed_pca",
        "3 values crossed with 2, 10 units, 2 to 4 trials of each, half of the noise slower than a trial.",
        _of_label,
        truth=lambda size: size * 2 / 3 * UNITS,
    ),
)
