"""How a label is read out of a population: one decoder a file, and all of them by name in ``DECODERS``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurosim.registry import NoOptions, Registry

Predict = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Decoder:
    """One way to read a label out of a population.

    Parameters
    ----------
    name : what users type.
    fit : from training patterns (n, unit), their labels (n,), whole numbers, and the options, to a function from
        patterns (m, unit) to labels (m,). Patterns are standardised by the training trials.
    caption : what it is, as a figure says it.
    reference : its paper, a DOI.
    options : what can be chosen, a frozen dataclass with defaults.

    Examples
    --------
    >>> from neurosim.responses import decode
    >>> from neurosim.schema import as_responses
    >>> def guess(patterns, labels, options):
    ...     return lambda tested: np.zeros(len(tested), dtype=int)
    >>> trials = as_responses(np.eye(4)[:, None].repeat(3, axis=1), dims=("stimulus", "trial", "unit"))
    >>> with DECODERS.added(Decoder("guess", guess, "always the first class")):
    ...     float(decode(trials, decoder="guess").accuracy)
    0.25
    """

    name: str
    fit: Callable[[np.ndarray, np.ndarray, Any], Predict]
    caption: str = ""
    reference: str = ""
    options: type = NoOptions


DECODERS = Registry("decoder", "neurosim.responses.decoders", Decoder)
