"""When a score of 0 means nothing: methods that count distances from 0 give unrelated RDMs a score above it."""

from __future__ import annotations

from neurosim.similarity.method import METHODS, Method


def why_zero_means_nothing(method: Method) -> str | None:
    """Return why no score under `method` can be held against 0, or None if it can.

    Cross-validation does not help: where stimuli differ, true distances are positive, and so are those of a model.

    >>> why_zero_means_nothing(METHODS["corr"]) is None
    True
    >>> why_zero_means_nothing(METHODS["cosine"]).split(", so")[0]
    'cosine counts distances from 0'
    """
    if not method.counts_from_zero:
        return None
    others = ", ".join(m.name for m in METHODS.values() if m.has_inference and not m.counts_from_zero)
    return (
        f"{method.name} counts distances from 0, so any two RDMs of positive distances score above 0, those of "
        f"cross-validated distances too where stimuli differ; compare by one of {others}, or hold the score against "
        "those of exchanged stimuli with mantel_test."
    )
