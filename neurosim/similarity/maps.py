"""Maps of scores: where, over time and space, subjects agree that something is there, corrected for all places."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from scipy import special

from neurosim.arrays import check_numbers
from neurosim.labels import check_finite, check_individuals, check_not_empty, same_places
from neurosim.refusals import check_alpha, check_known
from neurosim.runtime import as_rng, track
from neurosim.schema import InputError
from neurosim.similarity.kernels.clusters import cluster_labels
from neurosim.similarity.kernels.sign_flips import (
    as_z,
    flipped_skew,
    flipped_t,
    flips,
    n_flips,
    with_skew,
    without_skew,
)
from neurosim.similarity.map_statistic import MAP_STATISTICS, MapStatistic
from neurosim.similarity.neighbours import IN_ORDER, check_one_space, edges_of, kind_of

ALTERNATIVES = ("two-sided", "greater")
SKEWS = ("shared", "own")
FEWEST_PERMUTATIONS, FEWEST_SUBJECTS = 19, 3
FORMING_P = 0.01
BLOCK = 2**21
SAME = 1e-9  # two weights that differ by less, relatively, are alike


def sign_flip_test(
    scores: xr.DataArray,
    other: xr.DataArray | None = None,
    *,
    method: str = "max",
    alternative: str = "two-sided",
    adjacency: Mapping[str, Any] | None = None,
    forming_p: float | None = None,
    skew: str | None = None,
    n_permutations: int = 4999,
    alpha: float = 0.05,
    rng: np.random.Generator | int | None = 0,
    progress: bool = True,
) -> xr.Dataset:
    """Test a map of scores against 0, or the difference of two, in every place at once (https://doi.org/10.1002/hbm.1058).

    If nothing is there, a subject's scores are as likely to have the other sign, in all places together. The largest
    statistic of all places after such flips is what one anywhere has to reach: the chance of any false place is
    `alpha`, however places depend on each other. Stimuli are taken as fixed, and scores as symmetric around 0 where
    nothing is there: skewed ones give 9 to 20 % false positives at 5 %, with 48 subjects as with 12; see `skew`.
    Calibrated in 1,000 simulated experiments: null mean 0.06, recovery 0.99, error ratio 0.97, coverage 94.9 %, false
    positives 3.9 %.

    Parameters
    ----------
    scores : (subject, ...), as of ``compare_rdms(data, model)``; all other dims (time, searchlight, model, ...) are
        places. NaN is a score that was not measured: it enters no mean, and a place has the scores of the subjects that
        have one there; where these are fewer than 3 the place is not tested, and is NaN.
    other : scores of the same subjects and places, that are subtracted; matched by label.
    method : "max": each place against the largest t; "cluster_mass": clusters of neighbours beyond a height, by the sum
        of their t (https://doi.org/10.1016/j.jneumeth.2007.03.024); "tfce": each place by its support at all heights
        (https://doi.org/10.1016/j.neuroimage.2008.03.061). A cluster's p says that something is there, not when
        or where it begins and ends (https://doi.org/10.1111/psyp.13335).
    alternative : "two-sided", or "greater" for scores above 0.
    adjacency : for clusters, a matrix (place, place) by dim, or None for a dim whose places are not neighbours; places
        along time, frequency, lag, x, y and z are neighbours of the next (where some are left out, not across the gap;
        uneven ones are refused, but for frequencies of one ratio), models of none. Places of several dims are
        neighbours where they are so along one and the same along the others.
    forming_p : of "cluster_mass", the uncorrected p beyond which places form clusters; 0.01 by default.
    skew : takes the skewness of subjects out of t and its interval
        (https://doi.org/10.1080/01621459.1978.10480051), of every flip too, so that symmetric scores are tested as
        exactly as without. "shared": the mean skewness of all places, where these are of one kind: 4.0 to 6.2 % false
        positives of symmetric and exponential scores of 12 subjects, 4.3 % of log-normal ones of 24 (2.8 % of 12).
        Symmetric scores are found as often as without it (82.5 % and 82.8 % of 400). "own": of each place, where some
        are skewed the other way; takes 24 subjects (4.8 %; of 12, 7.6 %).
    n_permutations : flips drawn at random; where subjects have no more than that, every flip is taken once.
    alpha : one minus the coverage of intervals.
    rng : seed or generator of the flips.
    progress : show a bar over flips.

    Returns
    -------
    Dataset of places: ``score`` (mean over subjects), ``standard_error``, ``interval`` (bound; of t, of each place
    alone), ``statistic`` (t), ``p`` (of the place alone), ``p_corrected`` (for all places), ``n_subjects`` and, with
    `skew`, ``skewness``. With "cluster_mass", ``cluster_label`` (0: none), and along ``cluster`` the ``cluster_mass``,
    ``cluster_size``, ``cluster_p`` and for each dim of numbers its ``<dim>_extent`` (first and last place); with
    "tfce", ``enhanced``. Attr ``exact`` says whether every flip was taken, ``heights`` whether t was held against t or,
    where places have scores of unequally many subjects, and for "tfce", the normal deviates of the same tails.

    Raises
    ------
    InputError : no subjects, other subjects or places, fewer than 20 different flips (5 subjects, 6 two-sided),
        neighbours that are not known, scores that are above 0 by chance, or options that are none.

    Examples
    --------
    >>> import xarray as xr
    >>> values = np.random.default_rng(1).normal(size=(10, 30)) + 3 * (np.arange(30) >= 20)
    >>> scores = xr.DataArray(values, dims=("subject", "time"), coords={"time": np.arange(30) * 0.01})
    >>> found = ns.similarity.sign_flip_test(scores, method="cluster_mass", alternative="greater")
    >>> found.time_extent.values.round(3).tolist(), float(found.cluster_p[0]) * 2**10
    ([[0.2, 0.29]], 1.0)
    """
    who = "sign_flip_test"
    statistic, generator = MAP_STATISTICS.find(method, who), as_rng(rng, who)
    check_known(alternative, ALTERNATIVES, f"{who}: no alternative")
    if skew is not None:
        check_known(skew, SKEWS, f"{who}: no skew")
    check_alpha(alpha, who)
    _check_options(statistic, adjacency, forming_p, n_permutations, who)
    scores = as_scores(scores, other, who)
    two_sided = alternative == "two-sided"
    if n_flips(scores.sizes["subject"], two_sided) <= FEWEST_PERMUTATIONS:
        raise InputError(
            f"{who}: {scores.sizes['subject']} subjects have {n_flips(scores.sizes['subject'], two_sided)} sign flips "
            f"{'two-sided ' if two_sided else ''}and p of 0.05 takes 20; more subjects"
            f"{', or alternative=' + repr('greater') if two_sided else ''}."
        )
    values, known, tested = _values(scores, who)
    edges = _edges(scores[0], adjacency, tested, who) if statistic.neighbours else np.zeros((2, 0), dtype=np.int64)
    formed = _Heights(statistic, values, known.sum(0), edges, forming_p or FORMING_P, two_sided, skew)
    signs, exact = flips(len(values), int(n_permutations), two_sided, generator)
    p, corrected = _p_of_flips(signs, exact, formed, progress)
    return _as_dataset(scores, tested, p, corrected, formed, alpha).assign_attrs(
        method=method,
        alternative=alternative,
        n_permutations=len(signs),
        exact=int(exact),
        heights="t" if formed.of_t else "z",
    )


def as_scores(scores: object, other: object, who: str) -> xr.DataArray:
    """Return scores (subject, ...), or what they are above those of the `other`, checked; subjects without any go."""
    scores = labelled_scores(scores, who)
    if other is not None:
        scores = scores - matched_scores(scores, labelled_scores(other, who), who)
    elif "zero" in scores.attrs:
        raise InputError(f"{who}: {scores.attrs['zero']} Or give `other` scores to subtract.")
    measured = scores.notnull()
    return scores.isel(subject=measured.any([d for d in scores.dims if d != "subject"]).values)


class _Heights:
    """Heights of maps of flipped scores (S, V), and the weights of their places."""

    def __init__(
        self,
        statistic: MapStatistic,
        values: np.ndarray,
        n: np.ndarray,
        edges: np.ndarray,
        p: float,
        two_sided: bool,
        skew: str | None,
    ) -> None:
        self.statistic, self.values, self.n, self.edges = statistic, values, n, edges
        self.two_sided, self.skew = two_sided, skew
        self.of_t = statistic.heights == "t" and bool((n == n[0]).all())
        beyond = p / 2 if two_sided else p
        self.threshold = -special.stdtrit(n - 1, beyond) if self.of_t else np.full(len(n), -special.ndtri(beyond))
        self.unflipped = np.ones((1, len(values)))

    def skewness(self, signs: np.ndarray) -> np.ndarray:
        """Return the skewness that is taken away: of places (B, V), or (B, 1) of all."""
        own = flipped_skew(self.values, self.n, signs)
        return own.mean(1, keepdims=True) if self.skew == "shared" else own

    def heights(self, signs: np.ndarray) -> np.ndarray:
        """Return t after flips (B, S), without skew where that is asked, or the normal deviates of the tails (B, V)."""
        t = flipped_t(self.values, self.n, signs)
        if self.skew is not None:
            t = without_skew(t, self.skewness(signs), self.n)
        return t if self.of_t else as_z(t, self.n - 1)

    def ends(self, alpha: float) -> np.ndarray:
        """Return the ends (2, V) of intervals of means, in standard errors from the mean."""
        reach = -special.stdtrit(self.n - 1, alpha / 2)
        if self.skew is None:
            return np.stack([-reach, reach])
        skewness = self.skewness(self.unflipped)[0]
        return -np.stack([with_skew(sign * reach, skewness, self.n) for sign in (1, -1)])

    def alone(self, heights: np.ndarray) -> np.ndarray:
        """Return how far places are from 0 on their own (B, V)."""
        return np.abs(heights) if self.two_sided else heights

    def weights(self, heights: np.ndarray) -> np.ndarray:
        """Return the weights (B, V) of places, those far below 0 too where they are asked for."""
        weigh = self.statistic.weigh
        up = weigh(heights, self.edges, self.threshold)
        return np.maximum(up, weigh(-heights, self.edges, self.threshold)) if self.two_sided else up


def _check_options(statistic: MapStatistic, adjacency: object, forming_p: object, n: object, who: str) -> None:
    if adjacency is not None and (not statistic.neighbours or not isinstance(adjacency, Mapping)):
        found = "a mapping of dims to matrices" if statistic.neighbours else f"none with method={statistic.name!r}"
        raise InputError(f"{who}: adjacency is {found}, found {type(adjacency).__name__}.")
    if forming_p is not None and not statistic.forms_clusters:
        raise InputError(f"{who}: forming_p is of clusters; method={statistic.name!r} forms none.")
    if forming_p is not None and not (isinstance(forming_p, int | float) and 0 < forming_p < 0.5):
        raise InputError(f"{who}: forming_p is between 0 and 0.5, found {forming_p!r}.")
    if not isinstance(n, int | np.integer) or isinstance(n, bool) or n < FEWEST_PERMUTATIONS:
        raise InputError(f"{who}: {n} permutations; p of 0.05 takes {FEWEST_PERMUTATIONS} or more.")


def labelled_scores(scores: object, who: str) -> xr.DataArray:
    """Return scores (subject, ...), or refuse what is none."""
    if not isinstance(scores, xr.DataArray) or "subject" not in scores.dims or scores.ndim < 2:
        found = scores.dims if isinstance(scores, xr.DataArray) else f"a {type(scores).__name__}"
        raise InputError(f"{who}: scores (subject, time or other places) as a labelled array asked, found {found}.")
    check_numbers(scores, who)
    check_not_empty(scores, who, "scores")
    check_individuals(scores, who)
    check_finite(scores.fillna(0.0), who)
    for dim in (d for d in scores.dims if d in scores.coords and scores[d].dtype.kind in "mM"):
        raise InputError(
            f"{who}: {dim} is of {scores[dim].dtype}; give numbers, as .assign_coords({dim}=x.{dim} / "
            "np.timedelta64(1, 's'))."
        )
    for name in (str(k) for k, v in scores.coords.items() if "subject" in v.dims and v.ndim > 1):
        if kind_of(name) in IN_ORDER and not bool((scores[name] == scores[name].isel(subject=0)).all()):
            raise InputError(
                f"{who}: the places {name!r} differ between subjects; their maps lie in other spaces or masks. Bring "
                "them to one, or select the places that all have."
            )
    if "subject" in scores.coords:  # so that draws, which go by place, do not depend on the order they came in
        scores = scores.isel(subject=np.argsort(scores["subject"].values.astype(str), kind="stable"))
    return scores.transpose("subject", ...).astype(float)


def matched_scores(scores: xr.DataArray, other: xr.DataArray, who: str) -> xr.DataArray:
    """Return the other scores in the order of `scores`, or refuse those of other subjects or places."""
    if set(scores.dims) != set(other.dims):
        raise InputError(f"{who}: scores {scores.dims} and others {other.dims} asked alike; select or average.")
    for dim in scores.dims:
        other = same_places(scores, other, str(dim), who)
    check_one_space(scores, other, who)
    return other.transpose(*scores.dims)


def _values(scores: xr.DataArray, who: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores (S, V) of places with enough subjects, 0 where unknown; which are known; which places (all,) these are."""
    values = scores.values.reshape(scores.sizes["subject"], -1)
    known = np.isfinite(values)
    tested = known.sum(0) >= FEWEST_SUBJECTS
    if not tested.any():
        raise InputError(f"{who}: no place has the scores of {FEWEST_SUBJECTS} subjects.")
    known = known[:, tested]
    return np.where(known, values[:, tested], 0.0), known, tested


def _edges(places: xr.DataArray, adjacency: Mapping[str, Any] | None, tested: np.ndarray, who: str) -> np.ndarray:
    """Neighbours (2, E) among the places that are tested."""
    edges = edges_of(places, adjacency, who)
    place = np.cumsum(tested) - 1
    found: np.ndarray = place[edges[:, tested[edges].all(0)]]
    return found


def _p_of_flips(signs: np.ndarray, exact: bool, formed: _Heights, progress: bool) -> tuple[np.ndarray, np.ndarray]:
    """P values (V,) of each place alone, and corrected for all places."""
    heights = formed.heights(formed.unflipped)
    alone, weight = formed.alone(heights)[0], formed.weights(heights)[0]
    reached, largest = np.zeros(len(formed.n)), []
    step = max(1, BLOCK // max(len(formed.n), formed.edges.shape[1]))
    for start in track(range(0, len(signs), step), "sign flips", progress=progress):
        flipped = formed.heights(signs[start : start + step])
        reached += (formed.alone(flipped) >= alone - SAME * np.abs(alone)).sum(0)
        largest.append(formed.weights(flipped).max(1))
    null = np.sort(np.concatenate(largest))
    beyond = len(null) - np.searchsorted(null, weight - SAME * np.abs(weight))
    own = 0 if exact else 1
    return (reached + own) / (len(signs) + own), (beyond + own) / (len(signs) + own)


# --- what comes out -----------------------------------------------------------------------------------------------


def _as_dataset(
    scores: xr.DataArray,
    tested: np.ndarray,
    p: np.ndarray,
    corrected: np.ndarray,
    formed: _Heights,
    alpha: float,
) -> xr.Dataset:
    dims, shape = scores.dims[1:], scores.shape[1:]

    def place(found: np.ndarray, empty: float = np.nan) -> np.ndarray:
        whole = np.full(tested.size, empty, dtype=found.dtype if empty == 0 else float)
        whole[tested] = found
        return whole.reshape(shape)

    n = scores.notnull().sum("subject").values
    enough = tested.reshape(shape)
    mean = np.where(enough, scores.mean("subject").values, np.nan)
    error = np.where(enough, scores.std("subject", ddof=1).values / np.sqrt(np.maximum(n, 1)), np.nan)
    interval = np.stack([mean + place(end) * error for end in formed.ends(alpha)], axis=-1)
    found: dict[str, Any] = {
        "score": (dims, mean),
        "standard_error": (dims, error),
        "interval": ((*dims, "bound"), interval),
        "statistic": (dims, place(flipped_t(formed.values, formed.n, formed.unflipped)[0])),
        "p": (dims, place(p)),
        "p_corrected": (dims, place(corrected)),
        "n_subjects": (dims, n),
    }
    coords = {k: v for k, v in scores.coords.items() if "subject" not in v.dims} | {"bound": ["low", "high"]}
    result = xr.Dataset(found, coords=coords, attrs={"alpha": alpha})
    if formed.skew is not None:
        skewness = formed.skewness(formed.unflipped)[0]
        result["skewness"] = (dims, place(np.broadcast_to(skewness, formed.n.shape)))
    heights = formed.heights(formed.unflipped)
    if formed.statistic.forms_clusters:
        label, mass, p_of = _clusters(heights, corrected, formed)
        result["cluster_label"] = (dims, place(label, 0))
        return result.assign(_of_clusters(result, mass, p_of))
    if formed.statistic.neighbours:
        result["enhanced"] = (dims, place(formed.weights(heights)[0]))
    return result


def _clusters(
    heights: np.ndarray, corrected: np.ndarray, formed: _Heights
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cluster (V,) of each place, heaviest first from 1 and 0 for none; their masses and p values (C,)."""
    label = np.zeros(heights.shape[1], dtype=int)
    for sign in (1, -1) if formed.two_sided else (1,):
        own = cluster_labels(sign * heights > formed.threshold, formed.edges)[0]
        label = np.where(own > 0, own + label.max(), label)
    mass = np.bincount(label, weights=heights[0])[1:]
    order = np.argsort(-np.abs(mass), kind="stable")
    rank = np.zeros(len(mass) + 1, dtype=int)
    rank[order + 1] = 1 + np.arange(len(mass))
    label = rank[label]
    return label, mass[order], np.array([corrected[label == k + 1][0] for k in range(len(mass))])


def _of_clusters(result: xr.Dataset, mass: np.ndarray, p: np.ndarray) -> dict[str, Any]:
    label = result["cluster_label"]
    found: dict[str, Any] = {
        "cluster_mass": ("cluster", mass),
        "cluster_size": ("cluster", np.bincount(label.values.ravel(), minlength=len(mass) + 1)[1:]),
        "cluster_p": ("cluster", p),
    }
    for axis, dim in enumerate(label.dims):
        if dim in result.coords and result[dim].dtype.kind in "iuf":
            at = [np.nonzero(label.values == k + 1)[axis] for k in range(len(mass))]
            extent = np.array([[i.min(), i.max()] for i in at], dtype=int).reshape(-1, 2)
            found[f"{dim}_extent"] = (("cluster", "bound"), result[dim].values[extent])
    return found | {"cluster": ("cluster", np.arange(1, len(mass) + 1))}
