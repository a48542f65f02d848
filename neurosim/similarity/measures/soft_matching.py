"""Correlation of softly matched units."""

from __future__ import annotations

from neurosim.similarity.measure import Measure

SOFT_MATCHING = Measure(
    name="soft_matching",
    score="neurosim.similarity.shapes:soft_matching",
    caption="mean correlation of units under the best soft matching",
    reference="https://arxiv.org/abs/2311.09466",
)
