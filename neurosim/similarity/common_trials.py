"""Noise of units that lack other trials than other units: what every two have in common, and a covariance of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurosim.refusals import InputError


@dataclass(frozen=True)
class CommonTrials:
    """Noise of every two units (P, P) in the trials that both have: `n`, `df`, sums of products and of squares."""

    n: np.ndarray
    df: np.ndarray
    products: np.ndarray
    squares: np.ndarray

    @classmethod
    def of(cls, trials: np.ndarray) -> CommonTrials:
        """Return it of trials (stimulus, trial, unit), NaN where they were not measured, about the mean of each unit.

        The mean product of two residuals in n common trials of a stimulus of which the units have n_p and n_q is their
        covariance times ``1 - 1 / n_p - 1 / n_q + n / (n_p n_q)``; the sum of these is `df`, so covariances are
        unbiased.
        """
        measured = np.isfinite(trials)
        own = measured.sum(1)
        means = np.where(measured, trials, 0.0).sum(1) / np.maximum(own, 1)
        residuals = np.where(measured, trials - means[:, None], 0.0)
        n, df = np.zeros((2, trials.shape[-1], trials.shape[-1]))
        for there, count in zip(measured.astype(float), own, strict=True):
            common, share = there.T @ there, 1 / np.maximum(count, 1)
            n += common
            df += common * (1 - share[:, None] - share + common * np.outer(share, share))
        flat = residuals.reshape(-1, trials.shape[-1])
        return cls(n, df, flat.T @ flat, (flat**2).T @ flat**2)

    @property
    def variance(self) -> np.ndarray:
        """Variances (P,) of units that each have a second trial of some stimulus, or :class:`InputError`."""
        df = np.diagonal(self.df)
        alone = df < 0.5
        if alone.any():
            raise InputError(
                f"noise_precision: {int(alone.sum())} units have no second trial of any stimulus (the first is "
                f"{int(np.argmax(alone))}); leave them out."
            )
        return np.asarray(np.diagonal(self.products) / df)

    @property
    def covariance(self) -> np.ndarray:
        """Unbiased covariances (P, P), which need not be positive definite together, or :class:`InputError`."""
        apart = np.argwhere(self.df < 1e-9)
        if len(apart):
            raise InputError(
                f"noise_precision: {len(apart) // 2} pairs of units have no repeated trials in common (the first are "
                f"{apart[0, 0]} and {apart[0, 1]}), so nothing says how their noise goes together; use "
                "shrinkage='diagonal', or leave units out."
            )
        return np.asarray(self.products / self.df)


def semidefinite(correlations: np.ndarray) -> tuple[np.ndarray, float]:
    """Return correlations (P, P) shrunk as little as makes them positive semidefinite, and by how much.

    (https://doi.org/10.1137/140996112)

    >>> found, weight = semidefinite(np.array([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]]))
    >>> abs(float(np.linalg.eigvalsh(found)[0])) < 1e-12, round(weight, 3)
    (True, 0.444)
    """
    least = float(np.linalg.eigvalsh(correlations)[0])
    weight = max(-least / (1 - least), 0.0)
    found = (1 - weight) * correlations
    found[np.diag_indices(len(found))] = 1.0
    return found, weight
