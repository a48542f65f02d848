"""Canonical correlations."""

from __future__ import annotations

from neurosim.similarity.measure import Measure

CCA = Measure(
    name="cca",
    score="neurosim.similarity.alignment:cca",
    caption="mean canonical correlation",
    reference="https://arxiv.org/abs/1706.05806",
    ignores="rotation",
)
