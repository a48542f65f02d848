"""What a method is: how two RDMs are compared. One a file of the folder ``methods``, and all by name in ``METHODS``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from neurosim.refusals import InputError
from neurosim.registry import Registry
from neurosim.showing import shown
from neurosim.similarity.kernels.arrays import Array

Products = Callable[[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]], np.ndarray]


@shown
@dataclass(frozen=True)
class Method:
    """One way to compare RDMs: its kernel, and what it can do.

    The kernel is one of three: ``score``, ``embed`` or ``kernel``.

    Parameters
    ----------
    name : what users type.
    caption : what a score is, as a figure says it.
    reference : its paper, a DOI.
    score : number of two RDMs, each as its upper entries (P,); the simplest kernel.
    embed : vectors (A, D) of RDMs (A, K, K) whose inner products are the scores.
    kernel : scores (A, B) of RDMs (A, K, K) with RDMs (B, K, K).
    sigma_k : `embed` takes a second argument, a covariance of noise between stimuli (K, K) or None.
    defined_for : RDMs whose entries are "varying", or "nonzero".
    symmetric : two RDMs have one score, whichever comes first.
    tensors : the kernel, not `score`, takes torch tensors too and can be differentiated.
    drawn : for :func:`~neurosim.similarity.infer`, inner products (N, pairs) of the embedded RDMs (F, P) where every
        stimulus was drawn ``counts`` (N, K) times; see ``kernels.drawn_stimuli``. None: no inference.
    normalised : what `drawn` gives become scores only when divided by the norms.
    linear : before its norm is taken, `embed` is linear, so the mean of RDMs is the best RDM.
    best_score : highest mean score, or a bound of it, that any RDM has with subjects whose entries have the ranks (S,
        P), given a bound from their inner products; for methods that know ranks alone.
    ceiling : whether the upper ceiling is "exact", attained by some RDM, or a "bound"; "none" without inference.

    Examples
    --------
    >>> def agreement(a, b):
    ...     return float(np.mean((a > a.mean()) == (b > b.mean())))
    >>> near = np.array([[0.0, 1, 5], [1, 0, 4], [5, 4, 0]])
    >>> method = ns.similarity.Method("agreement", "share of entries on one side of the mean", score=agreement)
    >>> with ns.similarity.METHODS.added(method):
    ...     float(ns.compare_rdms(near, near**2, "agreement"))
    1.0
    """

    name: str
    caption: str = ""
    reference: str = ""
    score: Callable[[np.ndarray, np.ndarray], float] | None = None
    embed: Callable[..., Array] | None = None
    kernel: Callable[[Array, Array], Array] | None = None
    sigma_k: bool = False
    defined_for: Literal["varying", "nonzero"] = "varying"
    symmetric: bool = True
    tensors: bool = False
    drawn: Products | None = None
    normalised: bool = False
    linear: bool = False
    best_score: Callable[[np.ndarray, float], float] | None = None
    ceiling: Literal["exact", "bound", "none"] = "none"

    def __post_init__(self) -> None:
        given = [f for f in (self.score, self.embed, self.kernel) if f is not None]
        if len(given) != 1:
            raise InputError(f"Method {self.name!r}: one of score, embed and kernel asked, found {len(given)}.")

    @property
    def counts_from_zero(self) -> bool:
        """Whether scores count distances from 0, not from their mean: unrelated RDMs of positive entries score high."""
        return self.defined_for == "nonzero"

    @property
    def has_inference(self) -> bool:
        """Whether its scores have ceilings, a jackknife and a bootstrap."""
        return self.drawn is not None


METHODS = Registry("method", "neurosim.similarity.methods", Method)


def inference_methods() -> tuple[str, ...]:
    """Return the names of the methods that have inference.

    >>> "spearman" in inference_methods(), "tau_b" in inference_methods()
    (True, False)
    """
    return tuple(m.name for m in METHODS.values() if m.has_inference)


def inference_method(name: object, asked_by: str) -> Method:
    """Return the method called `name`, or refuse one that has no inference."""
    method = METHODS.find(name, asked_by)
    if not method.has_inference:
        able = ", ".join(inference_methods())
        raise InputError(f"{asked_by}: no inference for method {method.name!r}; methods that have one: {able}.")
    return method
