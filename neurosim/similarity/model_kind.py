"""What a kind of model RDM is. One a file of the folder ``model_kinds``, and all by name in ``MODEL_KINDS``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from neurosim.registry import Registry
from neurosim.showing import shown


@shown
@dataclass(frozen=True)
class ModelKind:
    """One way to make an RDM of labels.

    Parameters
    ----------
    name : what users type.
    kernel : distances (K, K) of labels (K, L): L labels of each of K stimuli, numbers or texts as `takes` says.
    caption : what a distance is, as a figure says it.
    reference : its paper, a DOI.
    takes : "numbers", or "names" of any kind, which the kernel gets as texts.

    Examples
    --------
    >>> def longer(labels):
    ...     length = np.char.str_len(labels[:, 0])
    ...     return abs(length[:, None] - length) * 1.0
    >>> stimuli = ns.as_stimuli(np.zeros((3, 2)), coords={"word": ["a", "bee", "bees"]})
    >>> with ns.similarity.MODEL_KINDS.added(ns.similarity.ModelKind("length", longer, "letters more or less")):
    ...     ns.similarity.model_rdm(stimuli, "word", "length").values.tolist()
    [[0.0, 2.0, 3.0], [2.0, 0.0, 1.0], [3.0, 1.0, 0.0]]
    """

    name: str
    kernel: Callable[[np.ndarray], np.ndarray]
    caption: str = ""
    reference: str = ""
    takes: Literal["numbers", "names"] = "names"


MODEL_KINDS = Registry("kind of model RDM", "neurosim.similarity.model_kinds", ModelKind)
