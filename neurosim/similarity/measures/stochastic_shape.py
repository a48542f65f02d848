"""Distance of noisy shapes up to rotations."""

from __future__ import annotations

from neurosim.similarity.measure import Measure

STOCHASTIC_SHAPE = Measure(
    name="stochastic_shape",
    score="neurosim.similarity.shapes:stochastic_shape",
    caption="distance of means and noise covariances under the best rotation",
    reference="https://arxiv.org/abs/2211.11665",
    dims=("stimulus", "trial", "unit"),
    is_distance=True,
    ignores="rotation",
    fewest_stimuli=1,
)
