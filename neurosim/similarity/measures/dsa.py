"""Distance of linear dynamics."""

from __future__ import annotations

from neurosim.similarity.measure import Measure

DSA = Measure(
    name="dsa",
    score="neurosim.similarity.dynamics:dsa",
    caption="distance of the dynamics of two systems",
    reference="https://arxiv.org/abs/2306.10168",
    dims=("stimulus", "time", "unit"),
    same_stimuli=False,
    is_distance=True,
    ignores="rotation",
    fewest_stimuli=1,
)
