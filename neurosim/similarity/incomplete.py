"""RDMs of subjects who did not see every stimulus: each is compared on the stimuli that it has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from neurosim.rdm_arrays import seen_stimuli
from neurosim.similarity.kernels.arrays import upper
from neurosim.similarity.kernels.ceilings import ceilings_of_gram
from neurosim.similarity.kernels.comparisons import cross_scores
from neurosim.similarity.kernels.drawn_stimuli import gram_of_features
from neurosim.similarity.method import Method
from neurosim.similarity.parts import UndefinedError

FEWEST_COMMON = 6


def has_missing(rdm: object) -> bool:
    """Whether a labelled array of numbers holds NaN."""
    return isinstance(rdm, xr.DataArray) and rdm.dtype.kind == "f" and bool(np.isnan(rdm.values).any())


def check_subjects(data: xr.DataArray, fewest: int, who: str) -> np.ndarray:
    """Return which stimuli (S, K) subjects saw, or refuse a subject or a stimulus with too few."""
    seen, names = seen_stimuli(data), data["subject"].values if "subject" in data.coords else range(len(data))
    for name, own, rdm in zip(names, seen, data.values, strict=True):
        if own.sum() < fewest:
            raise UndefinedError(
                f"{who}: subject {name!r} saw {own.sum()} stimuli, at least {fewest} are needed; leave it out."
            )
        if np.ptp(upper(rdm[np.ix_(own, own)])) == 0:
            raise UndefinedError(
                f"{who}: the RDM of subject {name!r} does not vary over the stimuli it saw; leave it out."
            )
    if not seen.any(0).all():
        lost = data["stimulus"].values[~seen.any(0)].tolist()
        raise UndefinedError(f"{who}: no subject saw the stimuli {lost[:5]}; leave them out.")
    return seen


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
        return self._each(ones)[0].T, self.fixed(ones, np.ones((1, 1, len(self.data))))[0, 0]

    def fixed(self, counts: np.ndarray, draws: np.ndarray) -> np.ndarray:
        """Scores and ceilings (N, D, M + 2); see ``Evaluate``. Ceilings are 0 where they are not known."""
        each, among = self._each(counts), self._among(counts)
        table = []
        for draw in draws:
            n = max(len(each), len(draw))
            weight = np.broadcast_to(draw, (n, draw.shape[1]))
            models = np.einsum("nsm,ns->nm", np.broadcast_to(each, (n, *each.shape[1:])), weight)
            ceilings = ceilings_of_gram(among, weight) if self.ceilings_known else (np.zeros(n), np.zeros(n))
            table.append(np.column_stack([models / weight.sum(1)[:, None], *ceilings]))
        return np.stack(table, axis=1)

    def _each(self, counts: np.ndarray) -> np.ndarray:
        """Scores (N, S, M) of every subject, on the stimuli that it saw."""
        m = len(self.components)
        found = [
            gram_of_features(np.vstack([self.components, own]), counts * seen, self.method, n_models=m)[:, :m, m]
            for own, seen in zip(self.data, self.seen, strict=True)
        ]
        return np.stack(found, axis=1)

    def _among(self, counts: np.ndarray) -> np.ndarray:
        """Scores (N, S, S) of subjects with each other, on the stimuli that both saw."""
        n = len(self.data)
        among = np.zeros((len(counts), n, n))
        for s, t in zip(*np.triu_indices(n), strict=True) if self.ceilings_known else ():
            both = counts * (self.seen[s] & self.seen[t])
            among[:, s, t] = among[:, t, s] = gram_of_features(self.data[[s, t]], both, self.method)[:, 0, 1]
        return among


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
        if any(np.ptp(upper(v)) == 0 for v in (x, y)) and method.defined_for == "varying":
            continue
        if any(not upper(v).any() for v in (x, y)):
            continue
        scores[i, j] = cross_scores(x[None], y[None], method, None if noise is None else noise[block])[0, 0]
    return scores, int(np.isnan(scores).sum())
