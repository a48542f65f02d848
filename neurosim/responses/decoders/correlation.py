"""The class whose mean training pattern correlates most with a pattern."""

from __future__ import annotations

import numpy as np

from neurosim.refusals import InputError
from neurosim.registry import NoOptions
from neurosim.responses.decoders import Decoder, Predict


def correlation(patterns: np.ndarray, labels: np.ndarray, _options: NoOptions) -> Predict:
    """Return a function that names the class whose mean pattern correlates most."""
    if patterns.shape[1] < 2:
        raise InputError(
            "decoder 'correlation': patterns of one unit have no correlation; take decoder='discriminant'."
        )
    means = np.stack([patterns[labels == c].mean(0) for c in np.unique(labels)])
    means = means - means.mean(1, keepdims=True)
    norms = np.linalg.norm(means, axis=1, keepdims=True)
    means = means / np.where(norms > 0, norms, np.inf)
    return lambda tested: (tested @ means.T).argmax(1)


CORRELATION = Decoder(
    name="correlation",
    fit=correlation,
    caption="maximum correlation with the mean pattern of a class",
    reference="https://doi.org/10.1126/science.1117593",
)
