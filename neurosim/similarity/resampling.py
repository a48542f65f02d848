"""Scores of models under resampling of subjects and stimuli, and the covariance that follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import comb
from typing import Protocol

import numpy as np

from neurosim.runtime import track
from neurosim.schema import InputError
from neurosim.similarity.kernels.ceilings import ceilings_of_gram, exact_ceilings
from neurosim.similarity.kernels.drawn_stimuli import gram_of_features
from neurosim.similarity.kernels.fitting import fit_components
from neurosim.similarity.method import METHODS, Method
from neurosim.similarity.parts import UndefinedError
from neurosim.similarity.weighting import WEIGHTINGS


class Evaluate(Protocol):
    """How models and ceilings come out when stimuli and subjects are counted otherwise."""

    def __call__(self, counts: np.ndarray, draws: np.ndarray) -> np.ndarray:
        """Return a table (N, D, T) for stimuli `counts` (N or 1, K) and D kinds of subjects `draws` (D, N or 1, S)."""


@dataclass(frozen=True)
class Comparison:
    """Models and subjects as upper entries, and how they are compared.

    `components` are the RDMs (C, P) of all models, `owner` (C,) the model each belongs to, `data` (S, P) the subjects.
    """

    components: np.ndarray
    owner: np.ndarray
    data: np.ndarray
    method: Method
    n_stimuli: int

    @property
    def n_models(self) -> int:
        """How many models there are."""
        return int(self.owner.max()) + 1

    def plain(self) -> tuple[np.ndarray, np.ndarray]:
        """Scores (M, S) of fixed models with every subject; their means and the exact ceilings (M + 2,)."""
        gram, m = self._all_once[0], len(self.components)
        lower, upper = exact_ceilings(self.data, gram[m:, m:], self.method, self.n_stimuli)
        each = gram[:m, m:]
        return each, np.append(each.mean(1), [lower, upper])

    def fixed(self, counts: np.ndarray, draws: np.ndarray) -> np.ndarray:
        """Evaluate fixed models; see :class:`Evaluate`."""
        gram = self._all_once if len(counts) == 1 and (counts == 1).all() else self._gram(counts)
        return np.stack([scores_of_gram(gram, draw, len(self.components)) for draw in draws], axis=1)

    @cached_property
    def _all_once(self) -> np.ndarray:
        """Scores (1, F, F) of models and subjects with every stimulus as it is."""
        return self._gram(np.ones((1, self.n_stimuli)))

    def _gram(self, counts: np.ndarray) -> np.ndarray:
        """Scores (N, F, F) of models and subjects whose stimuli were drawn `counts` (N, K) times."""
        features, m = np.concatenate([self.components, self.data]), len(self.components)
        return gram_of_features(features, counts, self.method, n_models=m)

    def crossvalidated(
        self, counts: np.ndarray, draws: np.ndarray, *, folds: Folds, fit: str, progress: bool
    ) -> np.ndarray:
        """Evaluate models that are fitted to the other subjects and stimuli; mean over folds of both."""
        features = np.concatenate([self.components, self.data])
        surrogate = self.method if self.method.linear else METHODS["corr"]
        n = max(len(counts), draws.shape[1])
        table = np.empty((n, len(draws), self.n_models + 2))
        for i in track(range(n), "resampling", progress=progress and n > 1):
            count = counts[i % len(counts)]
            splits = [((count * ~inside)[None], (count * inside)[None].astype(float)) for inside in folds.stimuli]
            trained = [gram_of_features(features, learn, surrogate, normalise=False)[0] for learn, _ in splits]
            held_out = [test for _, test in splits]
            for d, draw in enumerate(draws[:, i % draws.shape[1]]):
                table[i, d] = self._mean_over_folds(trained, held_out, draw, folds, fit)
        return table

    def _mean_over_folds(
        self, trained: list[np.ndarray], held_out: list[np.ndarray], draw: np.ndarray, folds: Folds, fit: str
    ) -> np.ndarray:
        """Scores and ceilings (M + 2,) of one sample of subjects, given inner products on the training stimuli."""
        total, weight = np.zeros(self.n_models + 2), 0.0
        for train, count in zip(trained, held_out, strict=True):
            for members in folds.subjects:
                learn, test = (draw, draw) if members.all() else (draw * ~members, draw * members)
                if not learn.any() or not test.any():
                    continue
                predicted = np.concatenate([self._fitted(train, learn, fit) @ self.components, self.data])
                gram = gram_of_features(predicted, count, self.method, n_models=self.n_models)
                found = scores_of_gram(gram, test[None], self.n_models)[0]
                if not members.all():
                    found[-2] = _pooled_lower(gram[0, self.n_models :, self.n_models :], learn, test)
                total += test.sum() * found
                weight += test.sum()
        return total / weight

    def _fitted(self, train: np.ndarray, learn: np.ndarray, fit: str) -> np.ndarray:
        """Weights (M, C) of the components of every model."""
        c = len(self.components)
        norms = np.sqrt(np.diagonal(train)[c:])
        weights = np.zeros((self.n_models, c))
        for model in range(self.n_models):
            own = np.flatnonzero(self.owner == model)
            options = (train[np.ix_(own, own)], train[own, c:], norms, learn)
            weights[model, own] = fit_components(*options, WEIGHTINGS[fit if len(own) > 1 else "select"])
        return weights


@dataclass(frozen=True)
class Folds:
    """Which stimuli (K,) and which subjects (S,) are held out together, as lists of boolean masks."""

    stimuli: list[np.ndarray]
    subjects: list[np.ndarray]

    @classmethod
    def random(cls, levels: np.ndarray, n_subjects: int, n_folds: tuple[int, int], rng: np.random.Generator) -> Folds:
        """Random folds of about equal size; stimuli of one level (group) stay together."""
        n_levels = int(levels.max()) + 1
        parts = np.array_split(rng.permutation(n_levels), n_folds[0])
        stimuli = [np.isin(levels, part) for part in parts]
        members = np.array_split(rng.permutation(n_subjects), n_folds[1])
        return cls(stimuli, [np.isin(np.arange(n_subjects), part) for part in members])


def scores_of_gram(gram: np.ndarray, draws: np.ndarray, n_models: int) -> np.ndarray:
    """Scores of models, lower and upper ceiling (N, M + 2) from `gram` (N or 1, F, F) and `draws` (N or 1, S)."""
    n = max(len(gram), len(draws))
    draws = np.broadcast_to(draws, (n, draws.shape[1]))
    with_models, among = gram[:, :n_models, n_models:], gram[:, n_models:, n_models:]
    models = (np.broadcast_to(with_models, (n, *with_models.shape[1:])) @ draws[:, :, None])[..., 0]
    return np.column_stack([models / draws.sum(1)[:, None], *ceilings_of_gram(among, draws)])


def _pooled_lower(among: np.ndarray, learn: np.ndarray, test: np.ndarray) -> float:
    """Mean score of the subjects of `test` with the pooled subjects of `learn`."""
    pooled = among @ learn
    return float((pooled @ test) / test.sum() / np.sqrt(max(learn @ pooled, 1e-300)))


# --- covariance of scores and ceilings ----------------------------------------------------------------------------


class Variance(Protocol):
    """What is known of the variance of scores and ceilings."""

    def of(self, contrast: np.ndarray) -> tuple[float, float]:
        """Variance of a contrast (T,) of scores and ceilings, and its degrees of freedom."""


@dataclass(frozen=True)
class BootstrapVariance:
    """Covariance (T, T) of scores and ceilings, with the degrees of freedom of all contrasts."""

    covariance: np.ndarray
    df: int

    def of(self, contrast: np.ndarray) -> tuple[float, float]:
        """Return variance and degrees of freedom of a contrast."""
        return max(float(contrast @ self.covariance @ contrast), 0.0), self.df


@dataclass(frozen=True)
class JackknifeVariance:
    """Pseudo-values of scores and ceilings; their means vary as the scores do. What is not resampled is empty.

    `subjects` (S, T) and `stimuli` (K, T) both hold the interaction of the two, whose covariance is `shared` (T, T).
    Leaving out single items counts what pairs of items add twice; its covariances are `pairs_of_subjects` (of
    ceilings: scores are means over subjects) and `pairs_of_stimuli` (T, T).
    """

    subjects: np.ndarray
    stimuli: np.ndarray
    pairs_of_subjects: np.ndarray
    pairs_of_stimuli: np.ndarray
    shared: np.ndarray

    def of(self, contrast: np.ndarray) -> tuple[float, float]:
        """Return variance and degrees of freedom (Satterthwaite) of a contrast."""
        subject, subject_df = _factor_variance(self.subjects @ contrast, contrast @ self.pairs_of_subjects @ contrast)
        stimulus, stimulus_df = _factor_variance(self.stimuli @ contrast, contrast @ self.pairs_of_stimuli @ contrast)
        variance = max(subject + stimulus - float(contrast @ self.shared @ contrast), (subject + stimulus) / 2)
        known = [(v, df) for v, df in ((subject, subject_df), (stimulus, stimulus_df)) if df]
        spread, least = sum(v**2 / df for v, df in known), min(df for _, df in known)
        return variance, max(variance**2 / spread, least / 2) if spread > 0 else least


def _factor_variance(values: np.ndarray, pairs: float) -> tuple[float, float]:
    """Variance that pseudo-values of one factor tell, and its degrees of freedom, fewer where tails are heavy."""
    n = len(values)
    if n < 2:
        return 0.0, 0.0
    centred = values - values.mean()
    square = float((centred**2).mean())
    kurtosis = float((centred**4).mean()) / square**2 if square > 0 else 3.0
    return max(square / (n - 1) - pairs, pairs, 0.0), (n - 1) * 2 / max(kurtosis - 1, 2.0)


def bootstrap_variance(
    evaluate: Evaluate,
    levels: np.ndarray,
    n_subjects: int,
    factors: tuple[str, ...],
    n: int,
    rng: np.random.Generator,
    folds: Folds | None = None,
) -> BootstrapVariance:
    """Draw subjects, stimuli or both with replacement; both: corrected for counting noise twice.

    The variance of a mean of n subjects that are drawn from themselves is (n - 1) / n times that of the mean.
    """
    everyone, everything = np.ones((1, n_subjects)), np.ones((1, len(levels)))
    draws = everyone
    if "subject" in factors:
        apart = folds.subjects if folds and len(folds.subjects) > 1 else [np.ones(n_subjects, dtype=bool)]
        draws = _draws(rng, n, n_subjects, apart, 2 if len(apart) == 1 else 1)
    n_levels = int(levels.max()) + 1
    df = min(m for m, f in ((n_subjects, "subject"), (n_levels, "stimulus")) if f in factors) - 1
    by_subject = _covariance(evaluate(everything, draws[None])[:, 0]) if "subject" in factors else None
    if "stimulus" not in factors:
        unbiased = n_subjects / (n_subjects - 1)
        return BootstrapVariance(np.asarray(by_subject) * unbiased, df)
    held_out = [np.unique(levels[f]) for f in folds.stimuli] if folds else [np.arange(n_levels)]
    parts = [np.isin(np.arange(n_levels), part) for part in held_out]
    counts = _draws(rng, n, n_levels, parts, 3 if n_levels == len(levels) else 2)[:, levels]
    if by_subject is None:
        return BootstrapVariance(_covariance(evaluate(counts, everyone[None])[:, 0]), df)
    table = evaluate(counts, np.stack([np.broadcast_to(everyone, draws.shape), draws]))
    return BootstrapVariance(_two_factor(by_subject, _covariance(table[:, 0]), _covariance(table[:, 1])), df)


def jackknife_variance(
    evaluate: Evaluate,
    levels: np.ndarray,
    n_subjects: int,
    factors: tuple[str, ...],
    max_paired: int = 50,
    *,
    share: float = 1.0,
) -> JackknifeVariance:
    """Leave out every subject, every stimulus (or group), and pairs of stimuli; no chance is involved.

    A score is a U-statistic of degree 2 over stimuli and a mean over subjects. Its variance has a part of subjects, of
    single stimuli, of pairs of stimuli, and of subjects with either. Leaving out one stimulus counts the pairs twice,
    and the variances of both factors count their interaction twice; leaving out two stimuli tells how much to take
    off (https://doi.org/10.1214/aos/1176345462). Pairs of `max_paired` stimuli are enough for that.

    With a `share` below 1 each stimulus loses that share of its weight, and no pairs are left out: for statistics that
    change their kind when stimuli go, such as what is cross-validated over few of them. The less is taken off, the less
    pairs count twice.
    """
    everyone = np.ones((1, n_subjects))
    draws = np.concatenate([everyone, 1 - np.eye(n_subjects)]) if "subject" in factors else everyone
    everything, n = np.ones((1, len(levels))), int(levels.max()) + 1
    left_out = 1.0 - share * (np.arange(n)[:, None] == levels)
    chosen = np.unique(np.linspace(0, n - 1, min(n, max_paired if share == 1 else 0)).astype(int))
    i, j = (chosen[side] for side in np.triu_indices(len(chosen), 1))
    stimuli = np.concatenate([left_out, left_out[i] * left_out[j]]) if "stimulus" in factors else everything[:0]
    table = _finite(evaluate(np.concatenate([everything, stimuli]), draws[:, None]))
    nothing = np.zeros((table.shape[-1],) * 2)
    both_subjects = _pairs_of_subjects(evaluate, everything, table[0]) if len(draws) > 4 else nothing
    whole, single, double = table[0], table[1 : n + 1], table[n + 1 :]
    subjects = _pseudo_subjects(whole[None])[0]
    if "stimulus" not in factors:
        return JackknifeVariance(subjects, whole[:0], both_subjects, nothing, nothing)
    pseudo = (n * whole - (n - share) * single) / share
    if share < 1:
        pairs, per_pair = double, 0.0
    else:
        pairs = _pair_effects(n, whole, single[i] + single[j], double, len(chosen))
        per_pair = 2 / (len(chosen) * (len(chosen) - 3)) / comb(n, 2)
    by_pairs = pairs[:, 0].T @ pairs[:, 0] * per_pair
    if "subject" not in factors:
        return JackknifeVariance(whole[:0], pseudo[:, 0], nothing, by_pairs, nothing)
    cells = _pseudo_subjects(pseudo)
    cells = cells - cells.mean(0) - cells.mean(1, keepdims=True) + cells.mean((0, 1))
    both = np.einsum("ksa,ksb->ab", cells, cells) / ((n - 1) * n)
    own = _pseudo_subjects(pairs)
    own = own - own.mean(1, keepdims=True)
    pairs_twice = np.einsum("psa,psb->ab", own, own) * per_pair
    shared = (both - pairs_twice) / ((n_subjects - 1) * n_subjects)
    return JackknifeVariance(subjects, pseudo[:, 0], both_subjects, by_pairs, shared)


def _pseudo_subjects(table: np.ndarray) -> np.ndarray:
    """(N, 1 + S, T), all subjects and each one left out, to the pseudo-values (N, S, T) of the subjects."""
    s = table.shape[1] - 1
    found: np.ndarray = s * table[:, :1] - (s - 1) * table[:, 1:]
    return found


def _pairs_of_subjects(evaluate: Evaluate, everything: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Covariance (T, T) of what pairs of subjects add, from (1 + S, T): all subjects, and each one left out."""
    n = len(whole) - 1
    i, j = np.triu_indices(n, 1)
    single = 1 - np.eye(n)
    double = _finite(evaluate(everything, (single[i] * single[j])[:, None]))[0]
    pairs = _pair_effects(n, whole[0], whole[1:][i] + whole[1:][j], double, n)
    found: np.ndarray = pairs.T @ pairs * 2 / (n * (n - 3)) / comb(n, 2)
    return found


def _pair_effects(n: int, whole: np.ndarray, singles: np.ndarray, double: np.ndarray, m: int) -> np.ndarray:
    """Return what all pairs of `m` of `n` items add beyond what either item adds to all its pairs.

    `whole` is the statistic, `singles` (m (m - 1) / 2, ...) the sum of those without either, `double` without both.
    """
    pairs = comb(n, 2) * whole - comb(n - 1, 2) * singles + comb(n - 2, 2) * double
    i, j = np.triu_indices(m, 1)
    sums = np.zeros((m, *pairs.shape[1:]))
    np.add.at(sums, i, pairs)
    np.add.at(sums, j, pairs)
    found: np.ndarray = pairs + sums.sum(0) / ((m - 1) * (m - 2)) - (sums[i] + sums[j]) / (m - 2)
    return found


def _covariance(table: np.ndarray) -> np.ndarray:
    return np.cov(_finite(table), rowvar=False)


def _finite(table: np.ndarray) -> np.ndarray:
    if not np.isfinite(table).all():
        raise UndefinedError("infer: some resampled RDMs do not vary; more or more varied stimuli are needed.")
    return table


def _two_factor(by_subject: np.ndarray, by_stimulus: np.ndarray, both: np.ndarray) -> np.ndarray:
    """Return the corrected covariance, each variance kept between the larger single one and the joint one."""
    corrected = 2 * (by_subject + by_stimulus) - both
    variance = np.diagonal(corrected)
    floor = np.maximum(np.diagonal(by_subject), np.diagonal(by_stimulus))
    kept = np.clip(variance, floor, np.maximum(np.diagonal(both), floor))
    scale = np.sqrt(kept / np.where(variance > 0, variance, 1.0))
    corrected = corrected * np.outer(scale, scale)
    np.fill_diagonal(corrected, kept)
    found: np.ndarray = corrected
    return found


def _draws(rng: np.random.Generator, n: int, size: int, parts: list[np.ndarray], n_different: int) -> np.ndarray:
    """Return counts (n, size) of draws with replacement; drawn again where a part has too few different."""
    counts = rng.multinomial(size, np.full(size, 1 / size), size=n)
    enough = [min(n_different, int(part.sum())) for part in parts]
    for _ in range(10_000):
        few = np.any([((counts > 0) & p).sum(1) < e for p, e in zip(parts, enough, strict=True)], axis=0)
        if not few.any():
            return counts.astype(float)
        counts[few] = rng.multinomial(size, np.full(size, 1 / size), size=int(few.sum()))
    raise InputError(f"infer: {size} subjects, stimuli or groups are too few to resample; pass fewer folds.")
