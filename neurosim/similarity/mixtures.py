"""RDMs of subjects as mixtures of terms: all that a regression says, from inner products of entries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from neurosim.schema import InputError
from neurosim.similarity.incomplete import seen_alike
from neurosim.similarity.kernels.arrays import entries_among
from neurosim.similarity.kernels.drawn_stimuli import gram_of_features
from neurosim.similarity.method import METHODS

SINGULAR = 1e-10


@dataclass(frozen=True)
class Design:
    """Terms (the first of the features) and subjects as upper entries; all results come from their inner products."""

    features: np.ndarray
    names: list[str]
    nonnegative: bool
    folds: list[np.ndarray]
    who: str

    @property
    def m(self) -> int:
        """How many terms there are."""
        return len(self.names)

    def fitted(self, counts: np.ndarray) -> np.ndarray:
        """Coefficients and partial correlations of every subject, (N, S, 2 m)."""
        gram = gram_of_features(self.features, counts, METHODS["corr"])
        coefficients = self._fit(gram, list(range(self.m))).transpose(0, 2, 1)
        plain = np.linalg.solve(gram[:, : self.m, : self.m], gram[:, : self.m, self.m :])
        return np.concatenate([coefficients, _partials(gram, self.m, plain)], axis=-1)

    def unique(self, counts: np.ndarray) -> np.ndarray:
        """Explained variance that every term adds to the others, and that of all, (N, S, m + 1)."""
        terms, held_out = list(range(self.m)), self.held_out(counts)
        everything = self.explained(held_out, terms)
        without = [self.explained(held_out, [i for i in terms if i != t]) for t in terms]
        return np.concatenate([everything[..., None] - np.stack(without, axis=-1), everything[..., None]], axis=-1)

    def held_out(self, counts: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Inner products (N, F, F) on the training and on the held-out stimuli of every fold."""
        parts = [(counts if test.all() else counts * ~test, counts * test) for test in self.folds]
        return [
            (
                gram_of_features(self.features, train, METHODS["corr"], normalise=False),
                gram_of_features(self.features, test, METHODS["corr"], normalise=False),
            )
            for train, test in parts
        ]

    def explained(self, held_out: list[tuple[np.ndarray, np.ndarray]], terms: list[int]) -> np.ndarray:
        """Explained variance of held-out pairs (N, S) by some of the terms: sums over all folds, then their ratio."""
        if not terms:
            return np.zeros((len(held_out[0][0]), len(self.features) - self.m))
        gained, whole = (np.zeros((len(held_out[0][0]), len(self.features) - self.m)) for _ in range(2))
        for train, held in held_out:
            weights = self._fit(train, terms)
            among, towards = held[:, terms][:, :, terms], held[:, terms, self.m :]
            gained += (weights * (2 * towards - among @ weights)).sum(1)
            whole += np.diagonal(held, axis1=1, axis2=2)[:, self.m :]
        if not (whole > 0).all():
            raise InputError(f"{self.who}: held-out distances of a subject do not vary; pass fewer folds.")
        return gained / whole

    def _fit(self, gram: np.ndarray, terms: list[int]) -> np.ndarray:
        """Coefficients (N, terms, S) from inner products (N, F, F)."""
        among, towards = gram[:, terms][:, :, terms], gram[:, terms, self.m :]
        self._check_separate(among)
        if not self.nonnegative:
            return np.linalg.solve(among, towards)
        roots = np.linalg.cholesky(among)
        sides = np.linalg.solve(roots, towards)
        return np.stack(
            [
                np.column_stack([optimize.nnls(root.T, t)[0] for t in side.T])
                for root, side in zip(roots, sides, strict=True)
            ]
        )

    def _check_separate(self, among: np.ndarray) -> None:
        """Refuse terms (N, terms, terms) that cannot be told apart once stimuli are left out."""
        norm = np.sqrt(np.maximum(np.diagonal(among, axis1=1, axis2=2), 0))
        separate = bool((norm > 0).all())
        if separate:
            correlations = among / (norm[:, :, None] * norm[:, None, :])
            separate = bool((np.linalg.eigvalsh(correlations)[:, 0] > SINGULAR).all())
        if not separate:
            raise InputError(
                f"{self.who}: where stimuli are left out, {', '.join(self.names)} do not vary or are linear "
                "combinations of each other; leave a term out, or pass fewer folds or more stimuli."
            )


@dataclass(frozen=True)
class Mixtures:
    """Terms and subjects, each of whom is fitted on the stimuli that it saw.

    `parts` hold stimuli, the subjects who saw these and no others, and what is computed of them.
    """

    parts: tuple[tuple[np.ndarray, np.ndarray, Design], ...]
    n_subjects: int

    @classmethod
    def of(
        cls,
        terms: dict[str, np.ndarray],
        subjects: np.ndarray,
        seen: np.ndarray,
        held_out: HeldOut,
        nonnegative: bool,
        who: str,
    ) -> Mixtures:
        """Take terms (P,) by name and subjects (S, P), NaN at stimuli they have not `seen` (S, K)."""
        found = []
        for own, rows in seen_alike(seen):
            features = np.concatenate([np.stack(list(terms.values())), subjects[rows]])
            if len(own) < seen.shape[1]:
                features = entries_among(features, own, seen.shape[1])
            found.append((own, rows, Design(features, list(terms), nonnegative, held_out.among(own), who)))
        return cls(tuple(found), len(subjects))

    def table(
        self, results: Callable[[Design, np.ndarray], np.ndarray], counts: np.ndarray, draws: np.ndarray
    ) -> np.ndarray:
        """Means (N, D, T) of the `results` (N, S, T) of subjects in samples.

        `counts` (N, K) says how often each stimulus, `draws` (D, N or 1, S) how often each subject counts.
        """
        parts = [(rows, results(design, counts[:, own])) for own, rows, design in self.parts]
        each = np.empty((len(counts), self.n_subjects, parts[0][1].shape[-1]))
        for rows, found in parts:
            each[:, rows] = found
        return weighted_mean(each, draws)


@dataclass(frozen=True)
class HeldOut:
    """Stimuli in several random orders, each of which is cut into folds; no order holds out all stimuli at once."""

    orders: Sequence[np.ndarray]
    n_folds: int

    def among(self, own: np.ndarray) -> list[np.ndarray]:
        """Which of the stimuli `own` (k,) each fold holds out, in folds of about equal size.

        >>> [fold.tolist() for fold in HeldOut([np.array([2, 0, 3, 1])], 2).among(np.array([0, 2]))]
        [[False, True], [True, False]]
        """
        if not self.orders:
            return [np.ones(len(own), dtype=bool)]
        kept = [order[np.isin(order, own)] for order in self.orders]
        return [np.isin(own, fold) for order in kept for fold in np.array_split(order, self.n_folds)]


def weighted_mean(each: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Return means over subjects (N, D, T) of results (N, S, T), subjects counting `draws` (D, N or 1, S) times."""
    weights = draws / draws.sum(-1, keepdims=True)
    found: np.ndarray = np.einsum(
        "nst,dns->ndt", each, np.broadcast_to(weights, (len(weights), len(each), weights.shape[-1]))
    )
    return found


def _partials(gram: np.ndarray, m: int, coefficients: np.ndarray) -> np.ndarray:
    """Partial correlations (N, S, m) of subjects with every term given the others, from coefficients (N, m, S)."""
    own = np.diagonal(np.linalg.inv(gram[:, :m, :m]), axis1=1, axis2=2)
    explained = np.einsum("nts,nts->ns", coefficients, gram[:, :m, m:])
    left = np.maximum(np.diagonal(gram, axis1=1, axis2=2)[:, m:] - explained, 0)
    norm = np.sqrt(coefficients**2 + left[:, None] * own[..., None])
    found: np.ndarray = np.divide(coefficients, norm, out=np.zeros_like(norm), where=norm > 0).transpose(0, 2, 1)
    return found
