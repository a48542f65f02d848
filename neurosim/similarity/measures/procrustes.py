"""Distance of shapes up to rotations."""

from __future__ import annotations

from neurosim.similarity.measure import Measure

PROCRUSTES = Measure(
    name="procrustes",
    score="neurosim.similarity.shapes:shape_distance",
    caption="angle between shapes, rad",
    reference="https://arxiv.org/abs/2110.14739",
    is_distance=True,
    ignores="rotation",
)
