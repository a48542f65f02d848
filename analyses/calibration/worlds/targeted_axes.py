"""How far other trials go along the axis of a label that was found in the noise of some."""

import numpy as np
from world import Outcome, World

import neurosim as ns

STIMULI, TRIALS, UNITS = 10, 6, 12


def _along(rng: np.random.Generator, strength: float) -> Outcome:
    """Return the held-out slope of a label to which all units answer alike, by what it is along the true axis."""
    label = np.linspace(-1, 1, STIMULI)
    values = strength * label[:, None, None] + rng.normal(size=(STIMULI, TRIALS, UNITS))
    responses = ns.as_responses(values, dims=("stimulus", "trial", "unit"), coords={"x": ("stimulus", label)})
    found = ns.responses.targeted_axes(responses, "x", n_splits=4, rng=rng)
    return Outcome(float(found.held_out_slopes))


def _truth(strength: float) -> float:
    """Return the slope of z-scored responses along the axis on which all units have the same weight."""
    label = np.linspace(-1, 1, STIMULI)
    return float(strength / np.sqrt(1 + strength**2 * label.var()) * np.sqrt(UNITS))


WORLDS = (
    World(
        "slope along the axis of a label",
        "responses.targeted_axes",
        "10 stimuli, 6 trials, 12 units that answer a label alike, noise of its size; other trials than those of axes.",
        _along,
        truth=_truth,
    ),
)
