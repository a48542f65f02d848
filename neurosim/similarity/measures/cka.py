"""Centred kernel alignment."""

from __future__ import annotations

from neurosim.similarity.measure import Measure

CKA = Measure(
    name="cka",
    score="neurosim.similarity.alignment:cka",
    caption="centred kernel alignment",
    reference="https://arxiv.org/abs/1905.00414",
    ignores="rotation",
    fewest_stimuli=4,
    chance=0.0,
)
