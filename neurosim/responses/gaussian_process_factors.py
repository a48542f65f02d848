"""The few smooth courses that spikes of many neurons share, trial by trial: Gaussian-process factor analysis."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from neurosim.labels import same_places
from neurosim.refusals import check_number
from neurosim.responses.carried import with_labels
from neurosim.responses.cross_validation import trials_dealt
from neurosim.runtime import RandomApart, as_seed, track
from neurosim.schema import InputError, check_responses, step_of


def gpfa(
    responses: xr.DataArray,
    n_latents: int | Sequence[int],
    test: xr.DataArray | None = None,
    *,
    folds: int = 4,
    timescale: float = 0.1,
    max_iterations: int = 200,
    rng: np.random.Generator | int = 0,
    progress: bool = True,
) -> xr.Dataset:
    """Return smooth latent trajectories of single trials by Gaussian-process factor analysis, that of Elephant.

    (https://doi.org/10.1152/jn.90941.2008.) Square roots of spike counts are an offset, a weighted sum of latent
    processes, which are smooth over time, and noise of each unit. Of several numbers of latents, the one is taken under
    which trials that were held out are most likely. What it says of those, which chose it, is more than it would say of
    others: the likelihood of `test`, trials that neither fit nor choose, is what a model is worth.

    Parameters
    ----------
    responses : spike counts (stimulus, [trial,] time, unit) in bins of 10 to 50 ms (``rebin``). Trials that were not
        measured (NaN), of all units, do not enter, and their latents are NaN.
    n_latents : how many, fewer than units; of several, one is chosen.
    test : other trials of these units, in the same bins, and as long.
    folds : parts of the trials (without trials, of the stimuli) of which each is held out once, to choose.
    timescale : of the processes where the fit begins, s.
    max_iterations : of expectation-maximisation. rng : seed or generator of how trials are cut into equal segments.
    progress : show a bar over fits.

    Returns
    -------
    Dataset: ``latents`` (stimulus, [trial,] time, latent), orthonormal and in the order of the variance that they
    explain, the largest loading positive; ``loadings`` (unit, latent). The model: ``offset`` and ``noise_variance``
    (unit), ``weights`` (unit, process), ``timescale`` (process) in s, ``log_likelihood`` of a trial that was fitted.
    Of several numbers, ``held_out_log_likelihood`` (n_latents, fold) of a trial; with `test`, ``test_log_likelihood``
    of a trial. Rename ``latent`` to ``unit`` for RDMs.

    Raises
    ------
    InputError : Elephant is missing; no spike counts, units without spikes or that lack other trials than other units,
        as many latents as units, fewer trials than folds, units of which one follows from others; `test` of other
        units or bins.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rates = 4 + 2 * np.sin(np.arange(10) / 2 + rng.uniform(0, 6, size=(1, 15, 1)))[..., None] * [1, 1, -1, -1]
    >>> counts = ns.as_responses(rng.poisson(rates), dims=("stimulus", "trial", "time", "unit"),
    ...                          quantity="spike_count", time_step=0.02)
    >>> ns.responses.gpfa(counts, 1).latents.dims
    ('stimulus', 'trial', 'time', 'latent')
    """
    counts = _counts(responses)
    dt = step_of(counts, "gpfa")
    numbers = _numbers(n_latents, counts.sizes["unit"])
    silent = np.flatnonzero(counts.sum([d for d in counts.dims if d != "unit"]).values == 0)
    if silent.size:
        raise InputError(f"gpfa: {silent.size} units, the first {silent[0]}, never spike; leave out those units.")
    check_number(max_iterations, "gpfa", "max_iterations", 1, whole=True)
    check_number(timescale, "gpfa", "timescale", dt / 10)
    apart = RandomApart(as_seed(rng, "gpfa"))
    trains, there = _trains(counts, dt)
    unseen = None if test is None else _trains(_alike(_counts(test), counts), dt)[0]
    options = {"bin_size": dt, "tau_init": timescale, "em_max_iters": max_iterations}
    held_out = np.zeros((0, 0))
    best = numbers[0]
    if len(numbers) > 1:
        fold = _dealt(there, folds)
        jobs = [(n, f) for n in numbers for f in range(folds)]
        each = [
            _log_likelihood(_fitted(_picked(trains, fold != f), n, options, apart), _picked(trains, fold == f))
            for n, f in track(jobs, "fits", progress=progress)
        ]
        held_out = np.reshape(each, (len(numbers), folds))
        best = numbers[int(held_out.mean(1).argmax())]
    model = _fitted(trains, best, options, apart)
    found = _described(model, trains, there, counts)
    if unseen is not None:
        found["test_log_likelihood"] = _log_likelihood(model, unseen)
    found = found if "trial" in counts.dims else found.isel(trial=0)
    if len(numbers) > 1:
        found["held_out_log_likelihood"] = (("n_latents", "fold"), held_out)
        found = found.assign_coords(n_latents=numbers)
    order = [d for d in ("stimulus", "trial", "time", "latent") if d in found["latents"].dims]
    found["latents"] = found["latents"].transpose(*order)
    return found.assign_attrs(chosen=best)


def _counts(responses: xr.DataArray) -> xr.DataArray:
    """Return checked spike counts over time, of which whole trials are missing."""
    found = check_responses(responses, "gpfa", missing=True)
    if "time" not in found.dims or found.attrs.get("quantity") != "spike_count":
        raise InputError(
            f"gpfa: spike counts over time are asked, found {found.attrs.get('quantity')!r} of dims {found.dims}; see "
            "as_responses(..., quantity='spike_count')."
        )
    values = found.fillna(0.0).values
    if (values < 0).any() or (values != np.round(values)).any():
        raise InputError("gpfa: counts are whole numbers from 0 on; these are not, so give spikes, not rates.")
    measured = found.notnull().any("time")
    uneven = int((measured != measured.any("unit")).any([d for d in measured.dims if d != "unit"]).sum())
    if uneven:
        raise InputError(f"gpfa: {uneven} units lack trials that other units have; leave out those units or trials.")
    return found


def _alike(test: xr.DataArray, counts: xr.DataArray) -> xr.DataArray:
    """Return the trials of a test with their units in the order of `counts`, or refuse other units or bins."""
    test = same_places(counts, test, "unit", "gpfa, test")
    if step_of(test, "gpfa, test") != step_of(counts, "gpfa") or test.sizes["time"] != counts.sizes["time"]:
        raise InputError(
            f"gpfa: trials of the test have {test.sizes['time']} bins of {test.attrs['time_step']:g} s, those that are "
            f"fitted {counts.sizes['time']} of {counts.attrs['time_step']:g} s; give both alike."
        )
    return test


def _numbers(n_latents: int | Sequence[int], n_units: int) -> list[int]:
    """Return the numbers of latents that are asked, each once, in order."""
    if n_units < 2:
        raise InputError("gpfa: at least 2 units are asked, found 1; one unit has nothing in common with others.")
    given = np.ravel(np.asarray(n_latents)).tolist()
    for n in given:
        check_number(n, "gpfa", "n_latents", 1, n_units - 1, whole=True)
    if not given:
        raise InputError("gpfa: no number of latents; give one, or several to choose from.")
    return sorted({int(n) for n in given})


def _dealt(there: np.ndarray, folds: int) -> np.ndarray:
    """Return the fold of each measured trial: of every stimulus in turn, or of the stimuli where each has one trial."""
    check_number(folds, "gpfa", "folds", 2, whole=True)
    folds = int(folds)
    n = there.sum(0)
    if n.max() == 1:
        n = np.array([int(n.sum())])
    if n.max() < folds:
        raise InputError(f"gpfa: {int(n.max())} trials for {folds} folds; take fewer folds.")
    dealt = trials_dealt(n, folds)
    if len(n) == 1:
        return dealt
    place = np.nonzero(np.arange(n.max())[:, None] < n)  # as `dealt` stands: the k-th trial of a stimulus
    fold_of = np.full((n.max(), len(n)), -1)
    fold_of[place] = dealt
    rank = there.cumsum(0) - 1
    trial, stimulus = np.nonzero(there)
    return np.asarray(fold_of[rank[trial, stimulus], stimulus])


def _picked(trains: list[Any], which: np.ndarray) -> list[Any]:
    return [trains[i] for i in np.flatnonzero(which)]


def _trains(counts: xr.DataArray, dt: float) -> tuple[list[Any], np.ndarray]:
    """Return the spikes of trials as Elephant takes them, all of a bin in its middle, and which (trial, stimulus)."""
    neo, quantities = _elephant()[1:]
    whole = counts if "trial" in counts.dims else counts.expand_dims("trial", 1)
    values = np.asarray(whole.transpose("trial", "stimulus", "unit", "time").values, dtype=float)
    there = np.isfinite(values[:, :, 0, 0])
    middles = (np.arange(values.shape[-1]) + 0.5) * dt
    end = values.shape[-1] * dt * quantities.s
    trains = [
        [neo.SpikeTrain(np.repeat(middles, n) * quantities.s, t_stop=end) for n in trial.astype(int)]
        for trial in values[there]
    ]
    return trains, there


def _elephant() -> tuple[Any, Any, Any]:
    try:
        import neo
        import quantities
        from elephant.gpfa import GPFA
    except ImportError as error:
        raise InputError("gpfa: Elephant is not installed; pip install 'neurosim[latents]'.") from error
    return GPFA, neo, quantities


def _fitted(trains: list[Any], n: int, options: dict[str, Any], apart: RandomApart) -> Any:
    """Return Elephant's model of `n` latents, or its refusal as ours; what it prints is kept away."""
    kind, _, quantities = _elephant()
    seconds = {k: options[k] * quantities.s for k in ("bin_size", "tau_init")}
    model = kind(x_dim=n, em_max_iters=int(options["em_max_iters"]), **seconds)
    with apart.entered(), contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "(trial corresponding|No segments)")  # short trials are taken whole
        try:
            model.fit(trains)
        except ValueError as error:
            raise InputError(
                f"gpfa: the counts of {len(trains)} trials cannot be fitted: {error} Leave out units that follow from "
                "others or hardly spike, or take more trials."
            ) from error
    return model


def _log_likelihood(model: Any, trains: list[Any]) -> float:
    """Return the log likelihood of a trial, the mean over trials."""
    return float(model.score(trains)) / len(trains)


def _described(model: Any, trains: list[Any], there: np.ndarray, counts: xr.DataArray) -> xr.Dataset:
    """Return a fitted model and its latents by label."""
    likelihood = _log_likelihood(model, trains)
    trajectories = model.transform(trains, returned_data=["latent_variable_orth"])
    loadings = np.asarray(model.transform_info["Corth"])
    sign = np.sign(loadings[np.abs(loadings).argmax(0), np.arange(loadings.shape[1])])
    latents = np.full((*there.shape, loadings.shape[1], counts.sizes["time"]), np.nan)
    latents[there] = np.stack(list(trajectories)) * sign[:, None]
    fitted = model.params_estimated
    data = {
        "latents": (("trial", "stimulus", "latent", "time"), latents),
        "loadings": (("unit", "latent"), loadings * sign),
        "offset": ("unit", fitted["d"]),
        "noise_variance": ("unit", np.diag(fitted["R"])),
        "weights": (("unit", "process"), fitted["C"]),
        "timescale": ("process", model.bin_size.rescale("s").item() / np.sqrt(fitted["gamma"]), {"units": "s"}),
        "log_likelihood": likelihood,
    }
    attrs = {"method": "gpfa", "process_noise": float(fitted["eps"][0]), "time_step": counts.attrs["time_step"]}
    return with_labels(xr.Dataset(data, attrs=attrs), counts, ("stimulus", "trial", "time", "unit"), "gpfa")
