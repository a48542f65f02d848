"""Sum of absolute differences."""

from __future__ import annotations

import numpy as np

from neurosim.similarity.kernels.arrays import Array, array_namespace, is_torch_array, unit_blocks
from neurosim.similarity.metric import Metric


def manhattan(patterns: Array) -> Array:
    """Sum of absolute differences over the number of units."""
    xp = array_namespace(patterns) if is_torch_array(patterns) else np
    total: Array = None
    for block in unit_blocks(patterns):
        rows = [xp.abs(block - block[..., i, :][..., None, :]).sum(-1) for i in range(block.shape[-2])]
        part = xp.stack(rows, axis=-2)
        total = part if total is None else total + part
    return total / patterns.shape[-1]


MANHATTAN = Metric(
    name="manhattan",
    kernel=manhattan,
    caption="sum of absolute differences over the number of units",
    reference="https://doi.org/10.3389/neuro.06.004.2008",
    blocks=True,
    tensors=True,
    adds_up=True,
)
