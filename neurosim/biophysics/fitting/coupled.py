"""Generalised linear models of populations: the spikes of each unit by the stimulus, covariates and all past spikes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy import stats

from neurosim.biophysics.fitting.receptive_field import filtered, raised_cosines, stimulus_values
from neurosim.refusals import check_alpha, check_number
from neurosim.runtime import track
from neurosim.schema import InputError, check_responses, same_stimuli, step_of

FEWEST = 20  # spikes of a unit
LARGEST = 2**29  # numbers of a design, 4 GiB
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
MODELS = ("uncoupled", "coupled")


@dataclass(frozen=True)
class _Design:
    """What drives all units.

    Parameters
    ----------
    columns : (row, column), of mean 0 and variance 1; a row is a bin of a trial. Columns are ``n_driven`` of stimulus
        and covariates, then the filtered spikes of each unit in turn.
    centre, spread : (column,), of what they were. counts : (row, unit). fold : (row,). bases : by what they filter.
    """

    columns: np.ndarray
    centre: np.ndarray
    spread: np.ndarray
    counts: np.ndarray
    fold: np.ndarray
    n_driven: int
    bases: Mapping[str, np.ndarray]

    def own(self, unit: int) -> np.ndarray:
        """Return which columns (column,) a model of one unit has without coupling: its own spikes, and what drives."""
        place = np.arange(self.columns.shape[1]) - self.n_driven
        return np.asarray((place < 0) | (place // len(self.bases["spikes"]) == unit))


def fit_coupled(
    responses: xr.DataArray,
    *,
    stimuli: xr.DataArray | None = None,
    covariates: Mapping[str, xr.DataArray] | None = None,
    reach: float = 50e-3,
    stimulus_reach: float | None = None,
    n_basis: int = 4,
    folds: int = 5,
    penalties: Sequence[float] = PENALTIES,
    alpha: float = 0.05,
    progress: bool = True,
) -> xr.Dataset:
    """Fit how the spikes of every unit depend on the stimulus, on covariates, on its own spikes and on those of others.

    A unit fires at the rate exp(bias + stimulus filter + covariates + own history + coupling filters)
    (https://doi.org/10.1038/nature07140; https://doi.org/10.1162/neco_a_00978 on how far that is stable). Filters of
    time are sums of raised cosines whose lags are spread like logarithms. What drives units together and is in neither
    stimulus nor covariates looks like coupling. scikit-learn's Poisson regression finds the penalised maximum.

    Parameters
    ----------
    responses : spike counts (stimulus, [trial,] time, unit) with a ``time_step``, of units recorded together. Trials
        that any unit lacks do not enter, nor those in which a covariate is NaN.
    stimuli : (stimulus, time) on the same clock, if there is one to filter.
    covariates : by name, (stimulus, [trial,] [time]): running speed, pupil; they act at once, without a filter.
    reach, stimulus_reach : how far the filters of spikes and of the stimulus reach back, s; the second like the first
        where it is not said. The beginning of a trial, of which that past is not known, is left out.
    n_basis : number of raised cosines of each filter.
    folds : parts of the trials, dealt in turn (of time, where there are fewer trials), of which each is predicted by a
        model of the others, and the penalty of that model chosen on one of those.
    penalties : of squared weights of columns of variance 1, in spikes a bin of the unit; they serve the predictions.
        One is chosen without coupling, then one of the coupling filters beside it.
    alpha : 1 - alpha is covered by intervals. progress : show a bar over folds and units.

    Returns
    -------
    Dataset. Without a penalty (the weakest one, then a step of Newton without any): ``coupling`` (unit, unit_other,
    lag), the log of the factor by which a spike of ``unit_other`` changes the rate of ``unit``, on the diagonal that
    of itself, with ``coupling_interval`` (..., bound) and ``p_value`` (unit, unit_other) of a Wald test that it is 0,
    which misses a filter that forbids spikes altogether (it has no maximum; the coupling gain sees it);
    ``bias`` (unit), log of spikes/s; ``stimulus_filter`` (unit, stimulus_lag) and ``covariate_gain`` (unit, covariate),
    a unit of each, with their intervals. Cross-validated: ``bits_per_spike`` (model, unit) of "uncoupled" and "coupled"
    beyond the mean rate of the training trials, and what coupling brings, ``coupling_gain`` (unit), with its jackknife
    ``coupling_gain_error`` over folds. ``penalty`` (model, unit), ``n_spikes`` (unit).

    Raises
    ------
    InputError : no counts over time; another clock of stimuli or covariates; under 20 spikes of a unit, or none in all
        but two folds; trials shorter than the filters; filters shorter than their basis; units or covariates that say
        the same; a design above 4 GiB.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> first = rng.random(6000) < 0.1
    >>> second = (rng.random(6000) < 0.02) | np.roll(first, 2)  # 2 bins after the first
    >>> counts = ns.as_responses(
    ...     np.stack([first, second], axis=-1)[None] * 1.0, quantity="spike_count", time_step=1e-3
    ... )
    >>> found = ns.biophysics.fit_coupled(counts, reach=8e-3, n_basis=3, folds=3, progress=False)
    >>> bool(found.p_value[1, 0] < 1e-6), bool(found.coupling_gain[1] > 0.5)
    (True, True)
    """
    who = "fit_coupled"
    for name, value, least in (("n_basis", n_basis, 2), ("folds", folds, 3)):
        check_number(value, who, name, least, whole=True)
    if not isinstance(penalties, Sequence | np.ndarray) or not isinstance(covariates or {}, Mapping):
        found = f"penalties = {penalties!r}" if isinstance(covariates or {}, Mapping) else type(covariates).__name__
        raise InputError(f"{who}: a sequence of penalties and covariates by name asked, found {found}.")
    strengths = [float(p) for p in penalties if _is_strength(p)]
    if not strengths or len(strengths) < len(list(penalties)):
        raise InputError(f"{who}: penalties are positive numbers, found {penalties!r}.")
    check_alpha(alpha, who)
    responses = check_responses(responses, who, missing=True)
    if responses.attrs.get("quantity") not in (None, "spike_count") or "time" not in responses.dims:
        found = responses.attrs.get("quantity")
        raise InputError(f"{who}: spike counts (stimulus, [trial,] time, unit) asked, found {found} {responses.dims}.")
    design = _design(responses, stimuli, dict(covariates or {}), reach, stimulus_reach, n_basis, folds)
    names = responses["unit"].values if "unit" in responses.coords else np.arange(responses.sizes["unit"])
    _check_spikes(design, names, folds)
    bits = _predicted(design, folds, sorted(strengths, reverse=True), progress)
    step = step_of(responses, who)
    filters = _filters(design, min(strengths), float(stats.norm.ppf(1 - alpha / 2)), step)
    coords = {k: v for k, v in responses.coords.items() if v.dims == ("unit",)} | {
        "unit": names,
        "unit_other": ("unit_other", np.asarray(names)),
        "lag": (1 + np.arange(design.bases["spikes"].shape[1])) * step,
        "model": list(MODELS),
        "bound": ["low", "high"],
    }
    if stimuli is not None:
        coords["stimulus_lag"] = np.arange(design.bases["stimulus"].shape[1]) * step
    if covariates:
        coords["covariate"] = list(covariates)
    data = bits | filters | {"n_spikes": ("unit", design.counts.sum(0).astype(int))}
    found = xr.Dataset(data, coords=coords, attrs={"time_step": step, "alpha": alpha})
    return _with_units(found, "" if stimuli is None else str(stimuli.attrs.get("units", "")))


def _with_units(found: xr.Dataset, of_stimulus: str) -> xr.Dataset:
    """Return what was fitted with the units of each number; those of covariates are each its own."""
    units = dict.fromkeys(("coupling", "coupling_interval", "p_value", "penalty"), "1")
    units |= dict.fromkeys(("bits_per_spike", "coupling_gain", "coupling_gain_error"), "bits/spike")
    units |= {"n_spikes": "spikes", "bias": "ln(spikes/s)", "lag": "s", "stimulus_lag": "s"}
    if of_stimulus:
        units |= dict.fromkeys(("stimulus_filter", "stimulus_filter_interval"), f"1/({of_stimulus})")
    for name, unit in units.items():
        if name in found.variables:
            found[name].attrs["units"] = unit
    return found


def _is_strength(penalty: object) -> bool:
    number = isinstance(penalty, int | float | np.number) and not isinstance(penalty, bool)
    return bool(number and 0 < penalty < np.inf)  # type: ignore[operator]


# --- what drives units --------------------------------------------------------------------------------------------


def _design(
    responses: xr.DataArray,
    stimuli: xr.DataArray | None,
    covariates: dict[str, xr.DataArray],
    reach: float,
    stimulus_reach: float | None,
    n_basis: int,
    folds: int,
) -> _Design:
    """Filter the stimulus and all spikes, and take the bins of which the past is known."""
    who, step = "fit_coupled", step_of(responses, "fit_coupled")
    if stimulus_reach is not None and stimuli is None:
        raise InputError(f"{who}: stimulus_reach = {stimulus_reach!r} without stimuli; give stimuli=, or leave it out.")
    stimulus_reach = reach if stimulus_reach is None else stimulus_reach
    for name, value in (("reach", reach), ("stimulus_reach", stimulus_reach)):
        check_number(value, who, name, step)
    trials = responses if "trial" in responses.dims else responses.expand_dims("trial", 1)
    trials = trials.transpose("stimulus", "trial", "time", "unit")
    values = np.asarray(trials.values, dtype=float)
    acting = [_covariate(name, c, trials) for name, c in covariates.items()]
    there = np.isfinite(values).all((2, 3)) & np.all([np.isfinite(a).all(-1) for a in acting] or True, axis=0)
    counts = values[there]
    if not len(counts):
        raise InputError(f"{who}: no trial has all units and covariates; leave out those units with .isel(unit=...).")
    if (counts < 0).any() or (counts != np.round(counts)).any():
        raise InputError(f"{who}: spike counts are whole numbers from 0; found others.")
    bases = {"spikes": raised_cosines(round(reach / step), n_basis, who)}
    shown = None
    if stimuli is not None:
        bases["stimulus"] = raised_cosines(round(stimulus_reach / step), n_basis, who)
        shown = _shown(stimuli, trials, step)[np.nonzero(there)[0]]
    skipped = max(b.shape[1] for b in bases.values())
    n_cells, n_time, n_units = counts.shape
    if n_time <= 2 * skipped:
        raise InputError(
            f"{who}: trials of {n_time * step:g} s are too short for filters of {skipped * step:g} s, which leave "
            "out as much of their beginning; give longer ones, or a shorter reach."
        )
    n_columns = (n_basis if shown is not None else 0) + len(acting) + n_units * n_basis
    if n_cells * (n_time - skipped) * n_columns > LARGEST:
        raise InputError(
            f"{who}: {n_cells * (n_time - skipped)} bins x {n_columns} columns are above 4 GiB; take wider bins, fewer "
            "units or a smaller n_basis."
        )
    columns = np.empty((n_cells, n_time - skipped, n_columns))
    at = 0
    for basis in bases.get("stimulus", ()):
        assert shown is not None
        columns[..., at], at = filtered(shown, basis)[:, skipped:], at + 1
    for covariate in acting:
        columns[..., at], at = covariate[there][:, skipped:], at + 1
    n_driven = at
    before = np.pad(counts, ((0, 0), (1, 0), (0, 0)))[:, :-1]
    for unit in range(n_units):
        for basis in bases["spikes"]:
            columns[..., at], at = filtered(before[..., unit], basis)[:, skipped:], at + 1
    flat = columns.reshape(-1, n_columns)
    centre, spread = flat.mean(0), flat.std(0)
    if (spread[:n_driven] <= 1e-12 * np.maximum(np.abs(centre[:n_driven]), 1e-300)).any():
        raise InputError(f"{who}: the stimulus or a covariate is the same at all times; leave it out.")
    flat -= centre
    flat /= np.where(spread > 0, spread, 1.0)
    return _Design(
        flat,
        centre,
        spread,
        counts[:, skipped:].reshape(-1, n_units),
        _folds(n_cells, n_time - skipped, folds),
        n_driven,
        bases,
    )


def _covariate(name: str, given: xr.DataArray, trials: xr.DataArray) -> np.ndarray:
    """Return a covariate (stimulus, trial, time), NaN where it is not known."""
    who = f"fit_coupled: the covariate {name!r}"
    if not isinstance(given, xr.DataArray) or "stimulus" not in given.dims or set(given.dims) - set(trials.dims[:3]):
        found = given.dims if isinstance(given, xr.DataArray) else type(given).__name__
        raise InputError(f"{who} is a DataArray (stimulus, [trial,] [time]), found {found}.")
    given = same_stimuli(trials, given, "fit_coupled")
    for dim in ("trial", "time"):
        if dim in given.dims and given.sizes[dim] != trials.sizes[dim]:
            raise InputError(f"{who} has {given.sizes[dim]} along {dim}, the responses {trials.sizes[dim]}.")
        if dim in given.coords and dim in trials.coords and dim in given.dims:
            a, b = given[dim].values, trials[dim].values
            if not (np.allclose(a, b) if dim == "time" else np.array_equal(a, b)):
                raise InputError(f"{who} has other labels along {dim} than the responses; align both alike.")
    bare = trials.isel(unit=0).drop_vars(list(trials.coords), errors="ignore")
    full = given.drop_vars(list(given.coords)).broadcast_like(bare)
    return np.asarray(full.transpose("stimulus", "trial", "time").values, dtype=float)


def _shown(stimuli: xr.DataArray, trials: xr.DataArray, step: float) -> np.ndarray:
    """Return what was shown (stimulus, time) of the stimuli of the trials."""
    stimulus_values(stimuli, step, "fit_coupled")
    if stimuli.sizes["time"] != trials.sizes["time"]:
        raise InputError(
            f"fit_coupled: stimuli have {stimuli.sizes['time']} samples, responses {trials.sizes['time']} bins; bring "
            "both to one clock."
        )
    if "time" in stimuli.coords and "time" in trials.coords:
        first = float(stimuli["time"].values[0] - trials["time"].values[0])
        if abs(first) > step / 2:
            raise InputError(
                f"fit_coupled: by their times the stimuli begin {first:+g} s from the responses; bring both to one "
                "clock."
            )
    return stimulus_values(same_stimuli(trials, stimuli, "fit_coupled"), step, "fit_coupled")


def _folds(n_trials: int, n_time: int, folds: int) -> np.ndarray:
    """Return the fold of every bin: trials in turn or, where there are fewer, each trial in parts of its time."""
    if n_trials >= folds:
        return np.repeat(np.arange(n_trials) % folds, n_time)
    return np.tile(np.arange(n_time) * folds // n_time, n_trials)


def _check_spikes(design: _Design, names: np.ndarray, folds: int) -> None:
    by_fold = np.stack([design.counts[design.fold == f].sum(0) for f in range(folds)])
    few = by_fold.sum(0) < FEWEST
    if few.any():
        raise InputError(
            f"fit_coupled: {int(few.sum())} units have under {FEWEST} spikes, the first is {names[few][0]}; leave them "
            "out with .isel(unit=...)."
        )
    within = np.sort(by_fold, axis=0)[:-2].sum(0) == 0
    if within.any():
        raise InputError(
            f"fit_coupled: all spikes of unit {names[within][0]} lie in two of {folds} folds; leave it out, or take "
            "other folds."
        )


# --- fits ---------------------------------------------------------------------------------------------------------


def _predicted(
    design: _Design, folds: int, strengths: list[float], progress: bool
) -> dict[str, tuple[tuple[str, ...] | str, np.ndarray]]:
    """Return how well the trials of every fold are predicted from others, with and without coupling."""
    n_units = design.counts.shape[1]
    chosen = np.zeros((len(MODELS), n_units, len(strengths)))
    gains = np.zeros((len(MODELS), folds, n_units))
    for at in track(range(folds * n_units), "coupled models", progress=progress):
        f, unit = divmod(at, n_units)
        if unit == 0:
            test, valid = design.fold == f, design.fold == (f + 1) % folds
            rows = (~test & ~valid, valid, ~test, test)
            parts = [(design.columns[r], design.counts[r]) for r in rows]
        own = design.own(unit)
        weak = strengths[-1]
        for m, model in enumerate(MODELS):
            kept = slice(None) if model == "coupled" else own
            (inner, y), (validation, y_valid), (train, y_train), (held, y_held) = (
                (columns[:, kept], counts[:, unit]) for columns, counts in parts
            )
            others = ~own if model == "coupled" else np.ones(own.sum(), dtype=bool)
            penalties = [np.where(others, strength, weak) for strength in strengths]
            path, weights = [], None
            for penalty in penalties:
                weights = _fitted(inner, y, penalty, weights)
                path.append(_gain(weights, validation, y_valid, y.mean()))
            chosen[m, unit] += path
            best = int(np.argmax(path))
            weights = _fitted(train, y_train, penalties[best], weights)
            gains[m, f, unit] = _gain(weights, held, y_held, y_train.mean())
            weak = strengths[best]
    number = np.stack([design.counts[design.fold == f].sum(0) for f in range(folds)])
    left = (gains.sum(1)[:, None] - gains) / (number.sum(0) - number) / np.log(2)
    change = left[1] - left[0]
    bits = gains.sum(1) / number.sum(0) / np.log(2)
    return {
        "bits_per_spike": (("model", "unit"), bits),
        "coupling_gain": ("unit", bits[1] - bits[0]),
        "coupling_gain_error": ("unit", np.sqrt((folds - 1) * change.var(0))),
        "penalty": (("model", "unit"), np.asarray(strengths)[chosen.argmax(-1)]),
    }


def _fitted(columns: np.ndarray, spikes: np.ndarray, penalty: np.ndarray, start: np.ndarray | None) -> np.ndarray:
    """Return weights (1 + column), the first of them the constant; each column has its penalty (column,)."""
    from sklearn.linear_model import PoissonRegressor

    mean, least = float(spikes.mean()), float(penalty.min())
    model = PoissonRegressor(
        alpha=least * mean, solver="newton-cholesky", max_iter=100, tol=1e-6 * mean, warm_start=True
    )
    scale = np.sqrt(least / penalty)  # one penalty of all columns, of which some are smaller
    if start is not None:
        model.intercept_, model.coef_ = start[0], start[1:] / scale
    with np.errstate(over="ignore", invalid="ignore"):  # of steps too long, which are shortened
        model.fit(columns * scale, spikes)
    return np.asarray(np.r_[model.intercept_, model.coef_ * scale])


def _gain(weights: np.ndarray, columns: np.ndarray, spikes: np.ndarray, mean: float) -> float:
    """Return by how much the log-likelihood, nats, of spikes is above that of a mean rate."""
    drive = np.minimum(weights[0] + columns @ weights[1:], 20.0)
    return float(spikes @ (drive - np.log(mean)) - np.exp(drive).sum() + mean * len(spikes))


def _filters(
    design: _Design, strength: float, z: float, step: float
) -> dict[str, tuple[tuple[str, ...] | str, np.ndarray]]:
    """Return all filters without a penalty, with their intervals."""
    n_units, spread = design.counts.shape[1], np.where(design.spread > 0, design.spread, 1.0)
    fitted = [_unpenalised(design.columns, design.counts[:, u], strength) for u in range(n_units)]
    weights = np.stack([w[1:] for w, _ in fitted]) / spread
    covariance = np.stack([c[1:, 1:] for _, c in fitted]) / spread / spread[:, None]
    bias = np.array([w[0] for w, _ in fitted]) - weights @ design.centre - np.log(step)
    data: dict[str, tuple[tuple[str, ...] | str, np.ndarray]] = {"bias": ("unit", bias)}

    def add(name: str, dims: tuple[str, ...], value: np.ndarray, variance: np.ndarray) -> None:
        error = z * np.sqrt(variance)
        data[name] = dims, value
        data[f"{name}_interval"] = (*dims, "bound"), np.stack([value - error, value + error], axis=-1)

    n = len(design.bases["spikes"])
    at = 0
    if "stimulus" in design.bases:
        basis, own = design.bases["stimulus"], slice(0, n)
        variance = np.einsum("kl,ukm,ml->ul", basis, covariance[:, own, own], basis)
        add("stimulus_filter", ("unit", "stimulus_lag"), weights[:, own] @ basis, variance)
        at = n
    if design.n_driven > at:
        own = slice(at, design.n_driven)
        variance = np.diagonal(covariance[:, own, own], axis1=1, axis2=2)
        add("covariate_gain", ("unit", "covariate"), weights[:, own], variance)
    basis = design.bases["spikes"]
    of_spikes = weights[:, design.n_driven :].reshape(n_units, n_units, n)
    blocks = covariance[:, design.n_driven :, design.n_driven :].reshape(n_units, n_units, n, n_units, n)
    blocks = np.moveaxis(np.diagonal(blocks, axis1=1, axis2=3), -1, 1)
    variance = np.einsum("kl,uvkm,ml->uvl", basis, blocks, basis)
    add("coupling", ("unit", "unit_other", "lag"), of_spikes @ basis, variance)
    wald = np.einsum("uvk,uvk->uv", of_spikes, np.linalg.solve(blocks, of_spikes[..., None])[..., 0])
    return data | {"p_value": (("unit", "unit_other"), stats.chi2.sf(wald, n))}


def _unpenalised(columns: np.ndarray, spikes: np.ndarray, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """Return weights and their covariance: a step of Newton from a weak penalty, which is enough where the maximum is
    near, and finite where there is none, as for a filter that forbids spikes.
    """
    weights = _fitted(columns, spikes, np.full(columns.shape[1], strength), None)
    expected = np.exp(np.minimum(weights[0] + columns @ weights[1:], 20.0))
    off = spikes - expected
    slope = np.r_[off.sum(), off @ columns]
    weighted = expected @ columns
    information = np.empty((len(weights), len(weights)))
    information[0, 0], information[0, 1:], information[1:, 0] = expected.sum(), weighted, weighted
    information[1:, 1:] = columns.T @ (columns * expected[:, None])
    values = np.linalg.eigvalsh(information)
    if values[0] < 1e-10 * values[-1]:
        raise InputError(
            "fit_coupled: two units or covariates say the same, and neither has a filter of its own; drop one."
        )
    covariance = np.linalg.inv(information)
    return weights + covariance @ slope, covariance
