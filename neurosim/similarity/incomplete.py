"""RDMs of subjects who did not see every stimulus: each is compared on the stimuli that it has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr

from neurosim.rdm_arrays import seen_stimuli
from neurosim.similarity.kernels.arrays import entries_among, upper
from neurosim.similarity.kernels.ceilings import ceilings_of_gram
from neurosim.similarity.kernels.comparisons import cross_scores, is_flat
from neurosim.similarity.kernels.drawn_stimuli import gram_of_features
from neurosim.similarity.method import Method
from neurosim.similarity.parts import UndefinedError

FEWEST_COMMON = 6


def has_missing(rdm: object) -> bool:
    """Whether a labelled array of numbers holds NaN."""
    return isinstance(rdm, xr.DataArray) and rdm.dtype.kind == "f" and bool(np.isnan(rdm.values).any())


def check_subjects(data: xr.DataArray, fewest: int, method: Method, who: str) -> np.ndarray:
    """Return which stimuli (S, K) subjects saw, or refuse a subject or a stimulus with too few."""
    seen, names = seen_stimuli(data), data["subject"].values if "subject" in data.coords else range(len(data))
    for name, own, rdm in zip(names, seen, data.values, strict=True):
        if own.sum() < fewest:
            raise UndefinedError(
                f"{who}: subject {name!r} saw {own.sum()} stimuli, at least {fewest} are needed; leave it out."
            )
        if is_flat(upper(rdm[np.ix_(own, own)]), method):
            raise UndefinedError(
                f"{who}: the RDM of subject {name!r} does not vary over the stimuli it saw; leave it out."
            )
    if not seen.any(0).all():
        lost = data["stimulus"].values[~seen.any(0)].tolist()
        raise UndefinedError(f"{who}: no subject saw the stimuli {lost[:5]}; leave them out.")
    return seen


def seen_alike(seen: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield every pattern of stimuli that some rows of `seen` (S, K) have, as the stimuli, and those rows.

    >>> [(stimuli.tolist(), rows.tolist()) for stimuli, rows in seen_alike(np.array([[1, 1], [1, 0], [1, 1]]))]
    [([0], [1]), ([0, 1], [0, 2])]
    """
    patterns, which = np.unique(seen, axis=0, return_inverse=True)
    for i, pattern in enumerate(patterns):
        yield np.flatnonzero(pattern), np.flatnonzero(which.ravel() == i)


@dataclass(frozen=True)
class IncompleteComparison:
    """Fixed models and subjects as upper entries, as in ``Comparison``; subjects saw the stimuli `seen` (S, K)."""

    components: np.ndarray
    owner: np.ndarray
    data: np.ndarray
    method: Method
    n_stimuli: int
    seen: np.ndarray

    @property
    def ceilings_known(self) -> bool:
        """Whether every two subjects share enough stimuli to be compared."""
        common = self.seen.astype(int) @ self.seen.T.astype(int)
        return int(common.min()) >= FEWEST_COMMON

    def plain(self) -> tuple[np.ndarray, np.ndarray]:
        """Scores (M, S) of models with every subject; their means and the ceilings (M + 2,)."""
        ones = np.ones((1, self.n_stimuli))
        return self._scores(ones)[0][0].T, self.fixed(ones, np.ones((1, 1, len(self.data))))[0, 0]

    def fixed(self, counts: np.ndarray, draws: np.ndarray) -> np.ndarray:
        """Scores and ceilings (N, D, M + 2); see ``Evaluate``. Ceilings are 0 where they are not known."""
        each, among = self._scores(counts)
        table = []
        for draw in draws:
            n = max(len(each), len(draw))
            weight = np.broadcast_to(draw, (n, draw.shape[1]))
            models = np.einsum("nsm,ns->nm", np.broadcast_to(each, (n, *each.shape[1:])), weight)
            ceilings = ceilings_of_gram(among, weight) if self.ceilings_known else (np.zeros(n), np.zeros(n))
            table.append(np.column_stack([models / weight.sum(1)[:, None], *ceilings]))
        return np.stack(table, axis=1)

    def _scores(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scores (N, S, M) of every subject on the stimuli it saw, and (N, S, S) of two on those that both saw.

        Entries of other stimuli are left out before, so that samples which leave out a stimulus stay such samples.
        """
        n, m = len(self.data), len(self.components)
        each, among = np.zeros((len(counts), n, m)), np.zeros((len(counts), n, n))
        s, t = np.triu_indices(n) if self.ceilings_known else (np.arange(n), np.arange(n))
        for own, pairs in seen_alike(self.seen[s] & self.seen[t]):
            first, second = s[pairs], t[pairs]
            alone = first[first == second]
            members = np.union1d(first, second)
            features = np.concatenate([self.components[: m if len(alone) else 0], self.data[members]])
            samples, which = np.unique(counts[:, own], axis=0, return_inverse=True)
            entries = entries_among(features, own, self.n_stimuli)
            n_models = len(features) - len(members)
            gram = gram_of_features(entries, samples, self.method, n_models=n_models)[which.ravel()]
            i, j = (n_models + np.searchsorted(members, side) for side in (first, second))
            among[:, first, second] = among[:, second, first] = gram[:, i, j]
            each[:, alone, :n_models] = gram[:, n_models + np.searchsorted(members, alone), :n_models]
        return each, among


def incomplete_scores(
    first: xr.DataArray, second: xr.DataArray, method: Method, noise: np.ndarray | None
) -> tuple[np.ndarray, int]:
    """Scores (A, B) on the stimuli that both RDMs have, and how many are NaN: under 3 stimuli in common, or flat."""
    n = first.sizes["stimulus"]
    a, b = (r.values.reshape(-1, n, n) for r in (first, second))
    seen_a, seen_b = (seen_stimuli(r).reshape(-1, n) for r in (first, second))
    scores = np.full((len(a), len(b)), np.nan)
    for i, j in np.ndindex(scores.shape):
        both = np.flatnonzero(seen_a[i] & seen_b[j])
        if len(both) < 3:
            continue
        block = np.ix_(both, both)
        x, y = a[i][block], b[j][block]
        if is_flat(upper(np.stack([x, y])), method).any():
            continue
        scores[i, j] = cross_scores(x[None], y[None], method, None if noise is None else noise[block])[0, 0]
    return scores, int(np.isnan(scores).sum())
