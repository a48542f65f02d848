"""The words of neurosim: dims, coords and units of the one labelled array, its builders and its checks.

Every answer to a stimulus, whatever gave it, is an :class:`xarray.DataArray` built and checked here.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import xarray as xr

STIMULUS, TRIAL, TIME, UNIT = "stimulus", "trial", "time", "unit"
STIMULUS_OTHER = "stimulus_other"
FINITE_BLOCK = 2**23
RESPONSE_DIMS = (STIMULUS, TRIAL, TIME, UNIT)
STIMULUS_DIMS = (STIMULUS, TIME, "channel", "y", "x", UNIT)
UNITS_OF = {
    "activation": "1",
    "firing_rate": "spikes/s",
    "spike_count": "spikes",
    "membrane_potential": "V",
    "electric_potential": "V",
    "magnetic_field": "T",
    "fluorescence": "1",
    "bold": "1",
}


class InputError(ValueError):
    """Something the user asked for cannot be done; the message says what was asked, found and what to do."""

    exit_code = 2


class SchemaError(InputError):
    """An array does not have the dims, labels or values that its place asks for."""


PerturbationKind = Literal["lesion", "silence", "clamp", "stimulate", "noise"]


@dataclass(frozen=True)
class Perturbation:
    """An experiment on some units of a network or circuit: one vocabulary for both.

    Parameters
    ----------
    kind : "lesion" takes the units away, with all their connections; "silence" keeps them, but they send nothing;
        "clamp" holds what they send at `amount` in every step (networks only); "stimulate" adds `amount` to their input
        in every step; "noise" adds Gaussian noise of that standard deviation.
    layer : layer or population.
    units : indices in the layer, a fraction of it that is drawn at random, or None for all.
    amount : in units of what brings a resting neuron to threshold; for units that do not spike, of their activity.
    seed : seed of the units drawn and of the noise.

    Raises
    ------
    InputError : unknown kind, a fraction outside 0..1, an amount that is not finite.

    Examples
    --------
    >>> Perturbation("lesion", "hidden1", [3, 0]).chosen(4).tolist()
    [0, 3]
    """

    kind: PerturbationKind
    layer: str
    units: Sequence[int] | float | None = None
    amount: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in get_args(PerturbationKind):
            known = get_args(PerturbationKind)
            raise InputError(
                f"Perturbation: kind = {self.kind!r}; known: {', '.join(known)}.{suggest(str(self.kind), known)}"
            )
        if isinstance(self.units, float) and not 0 <= self.units <= 1:
            raise InputError(f"Perturbation: the fraction of units is {self.units}; it lies in 0..1.")
        if not np.isfinite(self.amount) or (self.kind == "noise" and self.amount < 0):
            raise InputError(f"Perturbation: amount = {self.amount!r} is not finite, or negative noise.")

    def chosen(self, size: int) -> np.ndarray:
        """Return the indices of the units in a layer of `size` units."""
        if self.units is None:
            return np.arange(size)
        if isinstance(self.units, float):
            rng = np.random.default_rng(self.seed)
            return np.sort(rng.choice(size, round(self.units * size), replace=False))
        index = np.unique(np.asarray(self.units, dtype=np.int64))
        if len(index) and not (index.min() >= 0 and index.max() < size):
            raise InputError(
                f"Perturbation: units {index.min()}..{index.max()} asked, {self.layer!r} has units 0 to {size - 1}."
            )
        return index


def suggest(name: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the known word nearest to `name`, or an empty string.

    >>> suggest("conv4", ["conv1", "conv3", "readout"])
    " Did you mean 'conv3'?"
    """
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean {near[0]!r}?" if near else ""


def as_stimuli(
    values: npt.ArrayLike | xr.DataArray,
    *,
    dims: Sequence[str] | None = None,
    ids: Sequence[str] | None = None,
    coords: Mapping[str, Any] | None = None,
    time_step: float | None = None,
) -> xr.DataArray:
    """Label an array as stimuli.

    Parameters
    ----------
    values : array of shape (stimulus, y, x), (stimulus, channel, y, x), (stimulus, time, unit), ...
        A DataArray that already has a ``stimulus`` dim is checked and passed through.
    dims : names of the dims; guessed for 2 dims (stimulus, unit), 3 (stimulus, y, x) and 4 (stimulus, channel, y, x).
    ids : unique name of each stimulus; ``"stimulus_000"``... when absent.
    coords : labels along ``stimulus``, such as ``{"category": [...]}``.
    time_step : seconds between samples, when there is a ``time`` dim.

    Raises
    ------
    SchemaError : dims are missing or unknown, ids repeat, values are not finite.

    Examples
    --------
    >>> as_stimuli(np.zeros((2, 8, 8)), coords={"category": ["a", "b"]}).dims
    ('stimulus', 'y', 'x')
    """
    if isinstance(values, xr.DataArray):
        stimuli = values
    else:
        array = np.asarray(values)
        guess = {2: (STIMULUS, UNIT), 3: (STIMULUS, "y", "x"), 4: (STIMULUS, "channel", "y", "x")}
        dims = dims or guess.get(array.ndim)
        if dims is None or len(dims) != array.ndim:
            raise SchemaError(
                f"as_stimuli: an array of shape {array.shape} needs its {array.ndim} dims named; pass dims=(...)."
            )
        stimuli = xr.DataArray(array, dims=tuple(dims))
    stimuli = _with_ids(stimuli, ids, "as_stimuli")
    stimuli = stimuli.assign_coords({k: (STIMULUS, np.asarray(v)) for k, v in (coords or {}).items()})
    if time_step is not None:
        stimuli.attrs["time_step"] = float(time_step)
        stimuli = stimuli.assign_coords(time=np.arange(stimuli.sizes[TIME]) * time_step)
    unknown = [str(d) for d in stimuli.dims if d not in STIMULUS_DIMS]
    if unknown:
        raise SchemaError(
            f"as_stimuli: unknown dims {unknown}; stimuli have {', '.join(STIMULUS_DIMS)}."
            f"{suggest(unknown[0], STIMULUS_DIMS)}"
        )
    check_finite(stimuli, "as_stimuli")
    return stimuli


def as_responses(
    values: npt.ArrayLike | xr.DataArray,
    *,
    dims: Sequence[str] | None = None,
    stimuli: xr.DataArray | Sequence[str] | None = None,
    coords: Mapping[str, Any] | None = None,
    quantity: str = "activation",
    time_step: float | None = None,
) -> xr.DataArray:
    """Label an array as responses: what the units of one or several subjects answered to each stimulus.

    Parameters
    ----------
    values : array of shape (stimulus, unit) or (stimulus, time, unit), or any other with `dims` named.
    dims : names out of ``stimulus, trial, time, unit``.
    stimuli : the stimuli shown, or their ids; their labels are carried over.
    coords : labels along one dim, ``{"layer": ("unit", [...])}``.
    quantity : activation (1), firing_rate (spikes/s), spike_count (spikes), membrane_potential (V), electric_potential
        (V: LFP, EEG), magnetic_field (T: MEG), fluorescence (1: calcium imaging) or bold (1: fMRI).
    time_step : seconds between time samples.

    Raises
    ------
    SchemaError : unknown dims or quantity, another number of stimuli, not a single unit, NaN.

    Examples
    --------
    >>> r = as_responses(np.ones((3, 5)), stimuli=["a", "b", "c"])
    >>> r.dims, r.stimulus.values.tolist()
    (('stimulus', 'unit'), ['a', 'b', 'c'])
    """
    if isinstance(values, xr.DataArray):
        responses = values.copy(deep=False)
    else:
        array = np.asarray(values)
        guess = {2: (STIMULUS, UNIT), 3: (STIMULUS, TIME, UNIT), 4: RESPONSE_DIMS}
        dims = dims or guess.get(array.ndim)
        if dims is None or len(dims) != array.ndim:
            raise SchemaError(f"as_responses: an array of shape {array.shape} needs its dims named; pass dims=(...).")
        responses = xr.DataArray(array, dims=tuple(dims))
    if isinstance(stimuli, xr.DataArray):
        responses = carry_stimulus_labels(responses, stimuli)
    elif stimuli is not None:
        responses = _with_ids(responses, list(stimuli), "as_responses")
    responses = responses.assign_coords(dict(coords or {}))
    if quantity not in UNITS_OF:
        raise SchemaError(
            f"as_responses: unknown quantity {quantity!r}; known: {', '.join(UNITS_OF)}.{suggest(quantity, UNITS_OF)}"
        )
    responses.attrs.setdefault("quantity", quantity)
    responses.attrs.setdefault("units", UNITS_OF.get(responses.attrs["quantity"], "1"))
    if time_step is not None:
        responses.attrs["time_step"] = float(time_step)
        responses = responses.assign_coords(time=np.arange(responses.sizes[TIME]) * time_step)
    return check_responses(responses, "as_responses")


def as_trials(
    observations: npt.ArrayLike, stimuli: Sequence[str], *, trials: Sequence[Any] | None = None
) -> xr.DataArray:
    """Label single observations, in any order and number a stimulus, as responses with a ``trial`` dim.

    Parameters
    ----------
    observations : array (observation, unit).
    stimuli : stimulus id of every observation.
    trials : trial (run, session) of every observation; when absent, the observations of a stimulus are counted.

    Returns
    -------
    responses (stimulus, trial, unit). Where some stimulus has fewer trials, the empty places are NaN and a label
    ``measured`` (stimulus, trial) says so; what cannot handle them refuses them.

    Raises
    ------
    SchemaError : another number of stimuli or trials than of observations, or a trial that has a stimulus twice.

    Examples
    --------
    >>> as_trials(np.ones((3, 2)), ["a", "b", "a"]).measured.values.tolist()
    [[True, True], [True, False]]
    """
    values = np.asarray(observations, dtype=float)
    if values.ndim != 2 or len(stimuli) != len(values) or (trials is not None and len(trials) != len(values)):
        raise SchemaError(
            f"as_trials: observations of shape {values.shape} need one stimulus (found {len(stimuli)}) and one trial "
            f"(found {'none' if trials is None else len(trials)}) each."
        )
    ids = list(dict.fromkeys(str(s) for s in stimuli))
    row = [ids.index(str(s)) for s in stimuli]
    if trials is None:
        trials = [row[:i].count(r) for i, r in enumerate(row)]
    names, column = np.unique(np.asarray(trials), return_inverse=True)
    filled = np.full((len(ids), len(names), values.shape[1]), np.nan)
    measured = np.zeros(filled.shape[:2], dtype=bool)
    for r, c, value in zip(row, column, values, strict=True):
        if measured[r, c]:
            raise SchemaError(f"as_trials: trial {names[c]} has stimulus {ids[r]!r} twice; average the two first.")
        measured[r, c], filled[r, c] = True, value
    responses = xr.DataArray(filled, dims=(STIMULUS, TRIAL, UNIT), coords={STIMULUS: ids, TRIAL: names})
    return responses if measured.all() else responses.assign_coords(measured=((STIMULUS, TRIAL), measured))


def check_responses(responses: xr.DataArray, who: str = "check_responses", *, leading: bool = False) -> xr.DataArray:
    """Return `responses`, transposed to (stimulus, trial, time, unit), or raise :class:`SchemaError`.

    With `leading`, dims of other names are welcome and come first.
    """
    missing = [d for d in (STIMULUS, UNIT) if d not in responses.dims]
    if missing:
        raise SchemaError(
            f"{who}: responses have dims {tuple(responses.dims)} and lack {missing}; "
            "rename them with .rename(...) to stimulus, trial, time, unit."
        )
    unknown = [str(d) for d in responses.dims if d not in RESPONSE_DIMS]
    if unknown and not leading:
        raise SchemaError(
            f"{who}: unknown dims {unknown}; responses have {', '.join(RESPONSE_DIMS)}."
            f"{suggest(unknown[0], RESPONSE_DIMS)}"
        )
    empty = [str(d) for d in responses.dims if responses.sizes[d] == 0]
    if empty:
        raise SchemaError(f"{who}: responses are empty along {empty}; a layer needs at least one unit and stimulus.")
    responses = _with_ids(responses, None, who)
    check_finite(responses, who)
    return responses.transpose(*unknown, *[d for d in RESPONSE_DIMS if d in responses.dims])


def as_sweeps(
    current: npt.ArrayLike,
    voltage: npt.ArrayLike,
    *,
    time_step: float,
    sweeps: Sequence[str] | None = None,
    stimulus: Sequence[str] | str | None = None,
    attrs: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Label recordings from inside a neuron: the current that was injected and the voltage that was measured.

    Parameters
    ----------
    current, voltage : (sweep, time) or (time,), in A and V.
    time_step : seconds between samples.
    sweeps : unique name of each sweep; counted when absent.
    stimulus : what was injected, for each sweep or for all; sweeps of one stimulus are its trials. By default every
        sweep is a stimulus of its own.
    attrs : what else is known, such as ``{"subject": "DRN159"}``.

    Returns
    -------
    Dataset: ``current`` and ``voltage`` (sweep, time), with ``stimulus`` along ``sweep``.

    Raises
    ------
    SchemaError : shapes that differ, NaN, names that repeat, or values that cannot be in A and V.

    Examples
    --------
    >>> dict(as_sweeps(np.zeros(4), np.full(4, -70e-3), time_step=1e-4).sizes)
    {'sweep': 1, 'time': 4}
    """
    both = [np.atleast_2d(np.asarray(a, dtype=float)) for a in (current, voltage)]
    if both[0].shape != both[1].shape or both[0].ndim != 2 or both[0].shape[1] < 2:
        raise SchemaError(f"as_sweeps: current {both[0].shape} and voltage {both[1].shape} of one shape (sweep, time).")
    names = [f"sweep_{i:03d}" for i in range(len(both[0]))] if sweeps is None else [str(s) for s in sweeps]
    if len(set(names)) != len(both[0]):
        raise SchemaError(f"as_sweeps: {len(both[0])} sweeps need as many different names, found {len(set(names))}.")
    shown = names if stimulus is None else [stimulus] * len(names) if isinstance(stimulus, str) else list(stimulus)
    units = {"current": "A", "voltage": "V"}
    data = {k: (("sweep", TIME), v, {"units": units[k]}) for k, v in zip(units, both, strict=True)}
    coords = {"sweep": names, "stimulus": ("sweep", shown), TIME: np.arange(both[0].shape[1]) * time_step}
    return check_sweeps(xr.Dataset(data, coords, {"time_step": float(time_step), **(attrs or {})}), "as_sweeps")


def check_sweeps(sweeps: xr.Dataset, who: str = "check_sweeps") -> xr.Dataset:
    """Return `sweeps`, transposed to (sweep, time), or raise :class:`SchemaError`."""
    missing = [v for v in ("current", "voltage") if v not in getattr(sweeps, "data_vars", ())]
    if missing or set(sweeps["current"].dims) != {"sweep", TIME} or not sweeps.attrs.get("time_step"):
        raise SchemaError(f"{who}: sweeps have current and voltage (sweep, time) and a time_step; see as_sweeps.")
    for name, largest, unit in (("current", 1e-4, "A"), ("voltage", 1.0, "V")):
        check_finite(sweeps[name], who)
        found = float(np.abs(sweeps[name].values).max())
        if found > largest:
            raise SchemaError(f"{who}: a {name} of {found:g} {unit} is no recording; SI units: 50 pA is 50e-12.")
    return sweeps.transpose("sweep", TIME)


def as_rdm(
    values: npt.ArrayLike | xr.DataArray,
    *,
    stimuli: xr.DataArray | Sequence[str] | None = None,
    dims: Sequence[str] = (),
    metric: str = "unknown",
    coords: Mapping[str, Any] | None = None,
) -> xr.DataArray:
    """Label a square array (..., stimulus, stimulus) as one or several RDMs.

    Parameters
    ----------
    values : array of shape (..., K, K); the last two dims are the stimuli.
    stimuli : stimuli (or their ids) that label both sides.
    dims : names of the leading dims, such as ``("subject",)``.
    metric : how the RDM was made.
    coords : labels of the leading dims.

    Raises
    ------
    SchemaError : not square, fewer than 3 stimuli, not symmetric, or not finite.

    Examples
    --------
    >>> as_rdm(1 - np.eye(3), stimuli=["a", "b", "c"]).dims
    ('stimulus', 'stimulus_other')
    """
    if isinstance(values, xr.DataArray):
        rdm = values
    else:
        array = np.asarray(values, dtype=float)
        if array.ndim < 2 or array.shape[-1] != array.shape[-2]:
            raise SchemaError(f"as_rdm: an RDM is square, found shape {array.shape}; see scipy.spatial.squareform.")
        rdm = xr.DataArray(array, dims=(*dims, STIMULUS, STIMULUS_OTHER))
        if isinstance(stimuli, xr.DataArray):
            rdm = carry_stimulus_labels(rdm, stimuli)
        else:
            rdm = _with_ids(rdm, None if stimuli is None else list(stimuli), "as_rdm")
        rdm = rdm.assign_coords({STIMULUS_OTHER: rdm[STIMULUS].values, **dict(coords or {})})
        rdm.attrs.update(quantity="dissimilarity", metric=metric)
    return check_rdm(rdm, "as_rdm")


def check_rdm(rdm: xr.DataArray, who: str = "check_rdm") -> xr.DataArray:
    """Return `rdm` with the stimulus dims last, or raise :class:`SchemaError`."""
    for dim in (STIMULUS, STIMULUS_OTHER):
        if dim not in rdm.dims:
            raise SchemaError(f"{who}: an RDM has dims (..., stimulus, stimulus_other), found {tuple(rdm.dims)}.")
    rdm = rdm.transpose(..., STIMULUS, STIMULUS_OTHER)
    if rdm.sizes[STIMULUS] < 3:
        raise SchemaError(f"{who}: an RDM needs at least 3 stimuli, found {rdm.sizes[STIMULUS]}.")
    check_finite(rdm, who)
    values = np.asarray(rdm.values, dtype=float)
    scale = float(np.abs(values).max()) or 1.0
    if not np.allclose(values, np.swapaxes(values, -1, -2), atol=1e-6 * scale):
        raise SchemaError(f"{who}: the RDM is not symmetric; average it with its transpose if that is what you mean.")
    return rdm


def check_finite(array: xr.DataArray, who: str) -> None:
    """Raise :class:`SchemaError` if `array` holds NaN or infinity, naming the first place; read it in blocks."""
    if not np.issubdtype(array.dtype, np.inexact):
        return
    last = array.dims[-1] if array.dims else None
    n_last = array.shape[-1] if last is not None else 1
    step = max(1, FINITE_BLOCK // max(1, array.size // max(1, n_last)))
    for start in range(0, n_last, step):
        block = array if last is None else array.isel({last: slice(start, start + step)})
        values = block.values
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(values.sum()):
                continue
        bad = ~np.isfinite(values)
        if bad.any():
            first = np.array(np.unravel_index(int(np.argmax(bad)), bad.shape))
            first[-1:] += start
            place = ", ".join(f"{d}={i}" for d, i in zip(array.dims, first, strict=True))
            raise SchemaError(
                f"{who}: {int(bad.sum())} of {bad.size} values are NaN or infinite, the first at ({place}); "
                "drop or impute them first."
            )


def stimulus_labels(array: xr.DataArray) -> dict[str, np.ndarray]:
    """Return the labels along ``stimulus``, without the ids."""
    return {str(k): v.values for k, v in array.coords.items() if v.dims == (STIMULUS,) and k != STIMULUS}


def carry_stimulus_labels(array: xr.DataArray, stimuli: xr.DataArray) -> xr.DataArray:
    """Return `array` with the id and labels that `stimuli` have along ``stimulus``."""
    if array.sizes[STIMULUS] != stimuli.sizes[STIMULUS]:
        raise SchemaError(
            f"there are {array.sizes[STIMULUS]} rows of responses for {stimuli.sizes[STIMULUS]} stimuli; "
            "give one row a stimulus, in the same order."
        )
    labels = {STIMULUS: stimuli[STIMULUS].values, **stimulus_labels(stimuli)}
    return array.assign_coords({k: (STIMULUS, v) for k, v in labels.items()})


def same_stimuli(reference: xr.DataArray, other: xr.DataArray, who: str) -> xr.DataArray:
    """Return `other` in the stimulus order of `reference`; raise :class:`SchemaError` if the sets differ.

    >>> a = as_rdm(1 - np.eye(3), stimuli=["a", "b", "c"])
    >>> same_stimuli(a, a.isel(stimulus=[2, 1, 0], stimulus_other=[2, 1, 0]), "here").stimulus.values.tolist()
    ['a', 'b', 'c']
    """
    first, second = [str(s) for s in reference[STIMULUS].values], [str(s) for s in other[STIMULUS].values]
    if set(first) != set(second):
        only_first = sorted(set(first) - set(second))[:3]
        only_second = sorted(set(second) - set(first))[:3]
        raise SchemaError(
            f"{who}: the two describe different stimuli; only in the first: {only_first}, "
            f"only in the second: {only_second}. Select the common ones with .sel(stimulus=...)."
        )
    if first == second:
        return other
    order = {s: i for i, s in enumerate(second)}
    index = [order[s] for s in first]
    picks = {d: index for d in (STIMULUS, STIMULUS_OTHER) if d in other.dims}
    return other.isel(picks)


def _with_ids(array: xr.DataArray, ids: Sequence[str] | None, who: str) -> xr.DataArray:
    if STIMULUS not in array.dims:
        raise SchemaError(f"{who}: no 'stimulus' dim among {tuple(array.dims)}.")
    n = array.sizes[STIMULUS]
    if ids is not None and len(ids) != n:
        raise SchemaError(f"{who}: {len(ids)} stimulus ids for {n} stimuli.")
    if ids is None and STIMULUS in array.coords:
        ids = [str(s) for s in array[STIMULUS].values]
    elif ids is None:
        ids = [f"stimulus_{i:03d}" for i in range(n)]
    repeated = sorted({s for s in ids if list(ids).count(s) > 1}) if len(set(ids)) != n else []
    if repeated:
        raise SchemaError(f"{who}: stimulus ids repeat: {repeated[:3]}; put repetitions along the 'trial' dim.")
    return array.assign_coords({STIMULUS: np.asarray(ids, dtype=str)})
