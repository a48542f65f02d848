"""When a score of 0 means nothing: methods that count distances from 0 need distances whose mean under noise is 0."""

from __future__ import annotations

import xarray as xr

from neurosim.similarity.method import METHODS, Method
from neurosim.similarity.metric import METRICS


def why_zero_means_nothing(rdm: xr.DataArray, method: Method) -> str | None:
    """Return why no score of `rdm` under `method` can be held against 0, or None if it can.

    >>> import numpy as np
    >>> from neurosim.schema import as_rdm
    >>> rdm = as_rdm(np.ones((5, 5)) - np.eye(5), metric="euclidean")
    >>> why_zero_means_nothing(rdm, METHODS["corr"]) is None
    True
    >>> why_zero_means_nothing(rdm, METHODS["cosine"]).split(", and")[0]
    'cosine counts distances from 0'
    """
    metric = rdm.attrs.get("metric", "unknown")
    known = METRICS.get(metric)
    if not method.counts_from_zero or (known is not None and known.unbiased):
        return None
    able = ", ".join(m.name for m in METRICS.values() if m.unbiased)
    others = ", ".join(m.name for m in METHODS.values() if m.has_inference and not m.counts_from_zero)
    found = f"noise makes those of metric {metric!r} positive" if known else f"these are of metric {metric!r}"
    return (
        f"{method.name} counts distances from 0, and {found}; compare by one of {others}, or give cross-validated "
        f"distances ({able}), as_rdm(..., metric=...)."
    )
