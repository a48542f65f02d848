"""How stimuli are laid out in few dimensions: one map a file, and all of them by name in ``EMBEDDINGS``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurosim.registry import NoOptions, Registry
from neurosim.showing import shown

Places = tuple[np.ndarray, Mapping[str, np.ndarray]]


@shown
@dataclass(frozen=True)
class Embedding:
    """One way to lay stimuli out in few dimensions.

    Parameters
    ----------
    name : what users type.
    place : from patterns (stimulus, unit), the number of components, a seed and the options to places (stimulus,
        component) and what is known along ``component``, by name.
    caption : what is near in it. reference : its paper, a DOI.
    options : what can be chosen, a frozen dataclass with defaults.

    Examples
    --------
    >>> from neurosim.responses import embed_stimuli
    >>> def first(patterns, n_components, rng, options):
    ...     return patterns[:, :n_components], {}
    >>> with EMBEDDINGS.added(Embedding("first_units", first, "the first units")):
    ...     embed_stimuli(np.eye(3), "first_units", n_components=1).values.ravel().tolist()
    [1.0, 0.0, 0.0]
    """

    name: str
    place: Callable[[np.ndarray, int, int, Any], Places]
    caption: str = ""
    reference: str = ""
    options: type = NoOptions


EMBEDDINGS = Registry("method", "neurosim.responses.embeddings", Embedding)
