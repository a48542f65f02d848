"""Angle between directions."""

from __future__ import annotations

from functools import partial

from neurosim.similarity.model_kind import ModelKind
from neurosim.similarity.model_kinds.orientation import angle_between

DIRECTION = ModelKind(
    name="direction",
    kernel=partial(angle_between, period=360.0),
    caption="angle between directions in degrees, 0 to 180",
    reference="https://doi.org/10.1017/CBO9780511564345",
    takes="numbers",
)
