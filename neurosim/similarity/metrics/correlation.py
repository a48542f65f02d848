"""One minus the Pearson correlation."""

from __future__ import annotations

from neurosim.similarity.kernels.arrays import Array, unit_blocks
from neurosim.similarity.kernels.inner_products import one_minus_normalised, transposed
from neurosim.similarity.metric import Metric


def correlation(patterns: Array) -> Array:
    """One minus the Pearson correlation of patterns."""
    n_units = patterns.shape[-1]
    gram: Array = None
    total: Array = None
    shift: Array = None
    for block in unit_blocks(patterns):
        shift = block.mean(-1)[..., None] if shift is None else shift
        part = block - shift
        inner, sums = part @ transposed(part), part.sum(-1)
        gram, total = (inner, sums) if gram is None else (gram + inner, total + sums)
    mean = total[..., None]
    return one_minus_normalised(gram - mean @ transposed(mean) / n_units)


CORRELATION = Metric(
    name="correlation",
    kernel=correlation,
    caption="one minus the Pearson correlation of patterns",
    reference="https://doi.org/10.3389/neuro.06.004.2008",
    defined_for="varying",
    fewest_units=2,
    blocks=True,
    tensors=True,
)
