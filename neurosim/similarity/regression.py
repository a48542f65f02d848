"""RDMs as mixtures of model RDMs: regression, partial correlation, unique and shared variance, reweighted features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import xarray as xr
from scipy import optimize, stats

from neurosim.runtime import as_rng, track
from neurosim.schema import InputError, as_rdm, as_responses, check_rdm, check_responses, same_stimuli
from neurosim.similarity.comparison import rdm_vectors
from neurosim.similarity.kernels.resampling import gram_of_features
from neurosim.similarity.resampling import Folds, jackknife_variance

PENALTIES = 10.0 ** np.arange(-4, 5)


def regress_rdm(
    data: xr.DataArray,
    models: xr.DataArray | Mapping[str, xr.DataArray],
    *,
    interactions: Sequence[tuple[str, str]] = (),
    nonnegative: bool = False,
    resample: Sequence[str] = ("subject", "stimulus"),
    folds: int | None = None,
    rng: np.random.Generator | int | None = 0,
    alpha: float = 0.05,
) -> xr.Dataset:
    """Regress the RDMs of subjects on several model RDMs at once (https://doi.org/10.1162/jocn_a_00544).

    Entries of an RDM depend on each other, so standard errors come from leaving out subjects and stimuli (two-factor
    jackknife), not from the formula for independent entries.

    Parameters
    ----------
    data : RDMs (subject, stimulus, stimulus_other), or one.
    models : RDMs (model, stimulus, stimulus_other) or a mapping from names to RDMs.
    interactions : pairs of models whose product (of standardised entries) is a term as well.
    nonnegative : keep coefficients at 0 or above.
    resample : to what the uncertainty refers: "subject", "stimulus" or both.
    folds : folds of stimuli (2 to 5 of 6 stimuli or more by default); models are fitted on the pairs of the others.
    rng : seed or generator of the folds.
    alpha : one minus the coverage of the intervals.

    Returns
    -------
    Dataset along ``term``: ``coefficient`` of standardised RDMs, mean over subjects; ``standard_error``, ``interval``,
    ``p`` (two-sided), ``df``; ``partial_correlation`` given all other terms, and ``unique_variance``, what the
    cross-validated explained variance of new stimuli loses without the term, both with their ``*_standard_error``;
    ``explained_variance`` of all terms, cross-validated: negative where a fit predicts worse than the mean.

    Raises
    ------
    InputError : different stimuli, repeated or unknown names, or models that are linear combinations of each other.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> from neurosim.similarity.rdms import compute_rdm
    >>> a, b, noise = (compute_rdm(rng.normal(size=(24, 30)), "euclidean") for _ in range(3))
    >>> found = regress_rdm(2 * a + b + 0.1 * noise, {"a": a, "b": b}, resample=("stimulus",))
    >>> [str(t) for t in found.term.values], bool(found.coefficient[0] > found.coefficient[1] > 0.1)
    (['a', 'b'], True)
    """
    names, vectors, subjects, n_stimuli = _terms(data, models, interactions, "regress_rdm")
    factors = _factors(resample, len(subjects), "regress_rdm")
    levels = np.arange(n_stimuli)
    held_out = Folds.random(levels, len(subjects), (_n_folds(folds, n_stimuli, "regress_rdm"), 1), as_rng(rng)).stimuli
    design = _Design(np.concatenate([vectors, subjects]), len(names), nonnegative, held_out)
    values = design.table(np.ones((1, n_stimuli)), np.ones((1, 1, len(subjects))))[0, 0]
    variance = jackknife_variance(design.table, levels, len(subjects), factors)
    error, df = np.array([variance.of(c) for c in np.eye(len(values))]).T
    error, m = np.sqrt(error), len(names)
    reach = stats.t.ppf(1 - alpha / 2, df[:m]) * error[:m]
    t = np.divide(np.abs(values[:m]), error[:m], out=np.zeros(m), where=error[:m] > 0)
    return xr.Dataset(
        {
            "coefficient": ("term", values[:m]),
            "standard_error": ("term", error[:m]),
            "interval": (("term", "bound"), np.column_stack([values[:m] - reach, values[:m] + reach])),
            "p": ("term", 2 * stats.t.sf(t, df[:m])),
            "df": ("term", df[:m]),
            "partial_correlation": ("term", values[m : 2 * m]),
            "partial_correlation_standard_error": ("term", error[m : 2 * m]),
            "unique_variance": ("term", values[2 * m : 3 * m]),
            "unique_variance_standard_error": ("term", error[2 * m : 3 * m]),
            "explained_variance": float(values[-1]),
            "explained_variance_standard_error": float(error[-1]),
        },
        coords={"term": names, "bound": ["low", "high"]},
        attrs={"resample": "+".join(factors), "folds": len(held_out), "nonnegative": int(nonnegative)},
    )


def partition_variance(
    data: xr.DataArray,
    models: xr.DataArray | Mapping[str, xr.DataArray],
    *,
    folds: int | None = None,
    nonnegative: bool = False,
    rng: np.random.Generator | int | None = 0,
) -> xr.Dataset:
    """Split the explained variance of RDMs into what every set of models explains together and nobody else does.

    (Commonality analysis, https://doi.org/10.1002/j.2333-8504.1973.tb00830.x.)

    Parameters
    ----------
    data, models : as in :func:`regress_rdm`; at most 6 models.
    folds : folds of stimuli for cross-validated variance; 0 for the variance of the fit itself.
    nonnegative, rng : as in :func:`regress_rdm`.

    Returns
    -------
    Dataset along ``subset`` ("a", "b", "a+b", ...): ``explained_variance`` of a regression on the subset, and
    ``common_variance``, the part shared by exactly these models; the parts sum to the explained variance of all. A
    common part can be negative (suppression).

    Examples
    --------
    >>> from neurosim.similarity.rdms import compute_rdm
    >>> rng = np.random.default_rng(0)
    >>> a, b = (compute_rdm(rng.normal(size=(20, 9)), "euclidean") for _ in range(2))
    >>> [round(float(v), 6) for v in partition_variance(a, {"a": a, "b": b}, folds=0).explained_variance[[0, 2]]]
    [1.0, 1.0]
    """
    names, vectors, subjects, n_stimuli = _terms(data, models, (), "partition_variance")
    if len(names) > 6:
        raise InputError(f"partition_variance: {len(names)} models have {2 ** len(names) - 1} parts; give at most 6.")
    ones = np.ones((1, n_stimuli))
    all_stimuli = [np.ones(n_stimuli, dtype=bool)]
    parts = all_stimuli
    if folds != 0:
        n_folds = _n_folds(folds, n_stimuli, "partition_variance")
        parts = Folds.random(np.arange(n_stimuli), len(subjects), (n_folds, 1), as_rng(rng)).stimuli
    subsets = [s for size in range(1, len(names) + 1) for s in combinations(range(len(names)), size)]
    explained: dict[tuple[int, ...], float] = {(): 0.0}
    for subset in subsets:
        features = np.concatenate([vectors[list(subset)], subjects])
        design = _Design(features, len(subset), nonnegative, parts)
        explained[subset] = float(design.explained(ones, list(range(len(subset)))).mean())
    common = [_common_part(set(s), set(range(len(names))), explained) for s in subsets]
    return xr.Dataset(
        {
            "explained_variance": ("subset", [explained[s] for s in subsets]),
            "common_variance": ("subset", common),
        },
        coords={"subset": ["+".join(names[i] for i in s) for s in subsets]},
        attrs={"folds": 0 if folds == 0 else len(parts)},
    )


def reweight_features(
    features: xr.DataArray,
    data: xr.DataArray,
    *,
    folds: int | None = None,
    penalties: Sequence[float] = tuple(PENALTIES),
    rng: np.random.Generator | int | None = 0,
    progress: bool = True,
) -> xr.Dataset:
    """Predict RDMs by weighting the features of a model, scored on new stimuli (https://doi.org/10.1016/j.neuroimage.2022.119294).

    A ridge regression of distances on the squared differences of each feature. With more features than pairs of stimuli
    it is solved among pairs (kernel trick), so thousands of features cost what hundreds of stimuli do.

    Parameters
    ----------
    features : responses (stimulus, unit) of a model.
    data : RDMs (subject, stimulus, stimulus_other), or one.
    folds : folds of stimuli; weights are learnt from the pairs of the others, the penalty in folds within those.
    penalties : tried, relative to the mean squared norm of the differences of a pair.
    rng : seed or generator of the folds.
    progress : show a bar over folds.

    Returns
    -------
    Dataset along ``subject``: ``score``, Pearson correlation of predicted and measured distances of held-out pairs,
    mean over folds, ``plain_score`` of equal weights on the same pairs, ``penalty``; and over subjects ``mean_score``,
    ``mean_plain_score`` with ``*_standard_error`` where there are two or more.

    Examples
    --------
    >>> from neurosim.schema import as_responses
    >>> from neurosim.similarity.rdms import compute_rdm
    >>> x = np.random.default_rng(0).normal(size=(24, 12))
    >>> found = reweight_features(as_responses(x), compute_rdm(x[:, :3], "euclidean"))
    >>> bool(found.mean_score > found.mean_plain_score)
    True
    """
    features = features if isinstance(features, xr.DataArray) else as_responses(features)
    features = check_responses(features, "reweight_features")
    if features.dims != ("stimulus", "unit"):
        raise InputError(f"reweight_features: features are (stimulus, unit), found {features.dims}; average or select.")
    data = same_stimuli(features, check_rdm(_as_rdms(data), "reweight_features"), "reweight_features")
    data = data if "subject" in data.dims else data.expand_dims("subject")
    vectors, n = rdm_vectors(data, "corr", "reweight_features"), features.sizes["stimulus"]
    x = np.asarray(features.values, dtype=float)
    rows, columns = np.triu_indices(n, 1)
    kernel = _pair_kernel(x, rows, columns)
    plain = ((x**2).sum(1)[rows] + (x**2).sum(1)[columns] - 2 * (x @ x.T)[rows, columns]) / x.shape[1]
    generator = as_rng(rng)
    outer = Folds.random(np.arange(n), len(vectors), (_n_folds(folds, n, "reweight_features"), 1), generator).stimuli
    scores, plain_scores, chosen = (np.zeros((len(outer), len(vectors))) for _ in range(3))
    for f, test in enumerate(track(outer, "folds", progress=progress)):
        train_pairs, test_pairs = (m[rows] & m[columns] for m in (~test, test))
        inner = _inner_parts(np.flatnonzero(~test), generator, rows, columns)
        chosen[f] = _best_penalties(kernel, vectors, inner, np.asarray(penalties, dtype=float))
        for s, vector in enumerate(vectors):
            predicted = _kernel_ridge(kernel, vector, train_pairs, test_pairs, np.array([chosen[f, s]]))[0]
            scores[f, s] = _correlation(predicted, vector[test_pairs])
            plain_scores[f, s] = _correlation(plain[test_pairs], vector[test_pairs])
    result = xr.Dataset(
        {
            "score": ("subject", scores.mean(0)),
            "plain_score": ("subject", plain_scores.mean(0)),
            "penalty": ("subject", np.exp(np.log(chosen).mean(0))),
        },
        coords={"subject": data["subject"].values} if "subject" in data.coords else {},
        attrs={"folds": len(outer), "n_features": x.shape[1]},
    )
    for name in ("score", "plain_score"):
        result[f"mean_{name}"] = result[name].mean("subject")
        if len(vectors) > 1:
            result[f"mean_{name}_standard_error"] = result[name].std("subject", ddof=1) / np.sqrt(len(vectors))
    return result


# --- regression from inner products -------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Design:
    """Terms (first `m` of the features) and subjects as upper entries; all results come from their inner products."""

    features: np.ndarray
    m: int
    nonnegative: bool
    folds: list[np.ndarray]

    def table(self, counts: np.ndarray, draws: np.ndarray) -> np.ndarray:
        """Coefficients, partial correlations, unique variances and explained variance in samples, (N, D, 3 m + 1).

        `counts` (N, K) says how often each stimulus, `draws` (D, N or 1, S) how often each subject counts.
        """
        each = self._per_subject(counts)
        weights = draws / draws.sum(-1, keepdims=True)
        return np.einsum("nst,dns->ndt", each, np.broadcast_to(weights, (len(weights), len(each), weights.shape[-1])))

    def _per_subject(self, counts: np.ndarray) -> np.ndarray:
        """All results of every subject, (N, S, 3 m + 1)."""
        terms = list(range(self.m))
        gram = gram_of_features(self.features, counts, "corr")
        coefficients = self._fit(gram, terms).transpose(0, 2, 1)
        n_subjects = gram.shape[1] - self.m
        partials = np.stack([_partials(gram, self.m, self.m + s) for s in range(n_subjects)], axis=1)
        everything = self.explained(counts, terms)
        without = [self.explained(counts, [i for i in terms if i != t]) for t in terms]
        unique = everything[..., None] - np.stack(without, axis=-1)
        return np.concatenate([coefficients, partials, unique, everything[..., None]], axis=-1)

    def explained(self, counts: np.ndarray, terms: list[int]) -> np.ndarray:
        """Explained variance of held-out pairs (N, S), mean over folds."""
        total = np.zeros((len(counts), len(self.features) - self.m))
        if not terms:
            return total
        for test in self.folds:
            train = counts if test.all() else counts * ~test
            weights = self._fit(gram_of_features(self.features, train, "corr", normalise=False), terms)
            held = gram_of_features(self.features, counts * test, "corr", normalise=False)
            own = np.diagonal(held, axis1=1, axis2=2)[:, self.m :]
            gained = 2 * held[:, terms, self.m :] - held[:, terms][:, :, terms] @ weights
            total += (weights * gained).sum(1) / own
        return total / len(self.folds)

    def _fit(self, gram: np.ndarray, terms: list[int]) -> np.ndarray:
        """Coefficients (N, terms, S) from inner products (N, F, F)."""
        among, towards = gram[:, terms][:, :, terms], gram[:, terms, self.m :]
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


def _partials(gram: np.ndarray, m: int, subject: int) -> np.ndarray:
    """Partial correlation (N, m) of a subject with every term given the other terms."""
    index = [*range(m), subject]
    precision = np.linalg.inv(gram[:, index][:, :, index])
    own = np.diagonal(precision, axis1=1, axis2=2)
    return -precision[:, :m, m] / np.sqrt(own[:, :m] * own[:, m:])


def _common_part(inside: set[int], everyone: set[int], explained: Mapping[tuple[int, ...], float]) -> float:
    """Inclusion and exclusion: the variance that exactly the models `inside` share."""
    outside = everyone - inside
    total = 0.0
    for size in range(len(inside) + 1):
        for left_out in combinations(sorted(inside), size):
            total += (-1) ** (size + 1) * explained[tuple(sorted(outside | set(left_out)))]
    return total


def _terms(
    data: xr.DataArray,
    models: xr.DataArray | Mapping[str, xr.DataArray],
    interactions: Sequence[tuple[str, str]],
    who: str,
) -> tuple[list[str], np.ndarray, np.ndarray, int]:
    """Names, vectors of the terms and of the subjects, number of stimuli."""
    if not isinstance(models, Mapping):
        models = models if isinstance(models, xr.DataArray) else as_rdm(models, dims=("model",))
        labels = models["model"].values if "model" in models.coords else range(models.sizes["model"])
        models = {str(name): models.isel(model=i, drop=True) for i, name in enumerate(labels)}
    data = check_rdm(_as_rdms(data), who)
    data = data if "subject" in data.dims else data.expand_dims("subject")
    if data.dims[:-2] != ("subject",) or not models:
        raise InputError(f"{who}: needs at least one model, and data (subject, ...), found {data.dims[:-2]}.")
    vectors = {
        n: rdm_vectors(same_stimuli(data, check_rdm(_as_rdms(r), who), who), "corr", who) for n, r in models.items()
    }
    many = [n for n, v in vectors.items() if len(v) != 1]
    if many:
        raise InputError(f"{who}: model {many[0]!r} is several RDMs; give each its own name.")
    terms = {n: v[0] for n, v in vectors.items()}
    standard = {n: (v - v.mean()) / v.std() for n, v in terms.items()}
    for a, b in interactions:
        if a not in terms or b not in terms:
            raise InputError(f"{who}: the interaction {(a, b)} names no two of the models {', '.join(terms)}.")
        terms[f"{a}:{b}"] = standard[a] * standard[b]
    stacked = np.stack(list(terms.values()))
    correlations = np.atleast_2d(np.corrcoef(stacked))
    if np.linalg.eigvalsh(correlations)[0] < 1e-10:
        raise InputError(f"{who}: some of {', '.join(terms)} are linear combinations of others; leave one out.")
    return list(terms), stacked, rdm_vectors(data, "corr", who), data.sizes["stimulus"]


def _as_rdms(rdm: xr.DataArray) -> xr.DataArray:
    return rdm if isinstance(rdm, xr.DataArray) else as_rdm(rdm, dims=("subject",) * (np.ndim(rdm) - 2))


def _factors(resample: Sequence[str], n_subjects: int, who: str) -> tuple[str, ...]:
    factors = tuple(f for f in ("subject", "stimulus") if f in resample)
    if not factors or len(factors) != len(set(resample)):
        raise InputError(f"{who}: resample is 'subject', 'stimulus' or both, found {tuple(resample)}.")
    if "subject" in factors and n_subjects < 2:
        raise InputError(f"{who}: one subject cannot be resampled; pass resample=('stimulus',).")
    return factors


def _n_folds(folds: int | None, n_stimuli: int, who: str) -> int:
    """Return the number of folds: at most 5, each of 5 stimuli or more, of which two can be left out."""
    folds = max(2, min(5, n_stimuli // 6)) if folds is None else folds
    if folds < 2 or n_stimuli // folds < 5:
        raise InputError(
            f"{who}: {folds} folds of {n_stimuli} stimuli; there are 2 or more, each of 5 stimuli or more."
        )
    return folds


# --- weighting features -------------------------------------------------------------------------------------------


def _pair_kernel(x: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Inner products (P, P) of the squared differences of pairs, summed over blocks of features."""
    kernel = np.zeros((len(rows), len(rows)))
    step = max(1, 2**23 // len(rows))
    for start in range(0, x.shape[1], step):
        block = (x[rows, start : start + step] - x[columns, start : start + step]) ** 2
        kernel += block @ block.T
    return kernel / np.trace(kernel) * len(rows)


def _inner_parts(
    stimuli: np.ndarray, rng: np.random.Generator, rows: np.ndarray, columns: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Training and test pairs of folds within the training stimuli."""
    parts = np.array_split(rng.permutation(stimuli), 3)
    found = []
    for part in parts:
        learn = np.setdiff1d(stimuli, part)
        found.append((np.isin(rows, learn) & np.isin(columns, learn), np.isin(rows, part) & np.isin(columns, part)))
    return found


def _best_penalties(
    kernel: np.ndarray, vectors: np.ndarray, parts: list[tuple[np.ndarray, np.ndarray]], penalties: np.ndarray
) -> np.ndarray:
    scores = np.zeros((len(penalties), len(vectors)))
    for train, test in parts:
        for s, vector in enumerate(vectors):
            predicted = _kernel_ridge(kernel, vector, train, test, penalties)
            scores[:, s] += [_correlation(p, vector[test]) for p in predicted]
    return penalties[scores.argmax(0)]


def _kernel_ridge(
    kernel: np.ndarray, vector: np.ndarray, train: np.ndarray, test: np.ndarray, penalties: np.ndarray
) -> np.ndarray:
    """Predictions (penalties, test pairs) of ridge regression with an intercept, from the kernel of pairs."""
    own, across = kernel[np.ix_(train, train)], kernel[np.ix_(test, train)]
    mean = own.mean(0)
    centred = own - mean - mean[:, None] + mean.mean()
    across = across - across.mean(1, keepdims=True) - mean + mean.mean()
    values, axes = np.linalg.eigh(centred)
    projected = axes.T @ (vector[train] - vector[train].mean())
    solved = [axes @ (projected / (np.maximum(values, 0) + p * len(mean) ** 0.5)) for p in penalties]
    return np.stack([across @ w + vector[train].mean() for w in solved])


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    norm = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / norm) if norm > 0 else 0.0
