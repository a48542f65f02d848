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

from neurosim import arrays
from neurosim.arrays import check_numbers, column_names, is_count, is_table, match_names, plain, row_names
from neurosim.pictures import Layout, in_range, is_picture, of_pictures, picture_dims

STIMULUS, TRIAL, TIME, UNIT = "stimulus", "trial", "time", "unit"
STIMULUS_OTHER = "stimulus_other"
InputError = arrays.InputError
SchemaError = arrays.SchemaError
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
ALIASES = {
    "pearson": ("corr", "correlation"),
    "pearsonr": ("corr", "correlation"),
    "spearmanr": ("spearman",),
    "rho": ("spearman",),
    "kendall": ("tau_b",),
    "kendalltau": ("tau_b",),
    "tau": ("tau_b",),
    "l2": ("euclidean",),
    "sqeuclidean": ("euclidean",),
    "l1": ("manhattan",),
    "cityblock": ("manhattan",),
    "cos": ("cosine",),
}
TINY_DIAGONAL = 1e-5

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
    known = list(known)
    near = [a for a in ALIASES.get(name.lower(), ()) if a in known]
    near = near or difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f" Did you mean {near[0]!r}?" if near else ""


def as_stimuli(
    values: Any,
    *,
    dims: Sequence[str] | None = None,
    ids: Sequence[str] | None = None,
    coords: Mapping[str, Any] | None = None,
    time_step: float | None = None,
    layout: Layout | None = None,
    scale: float | None = None,
) -> xr.DataArray:
    """Label an array as stimuli.

    Parameters
    ----------
    values : array or tensor of shape (stimulus, y, x), (stimulus, channel, y, x), (stimulus, time, unit), ...; a list
        of PIL images; a table (stimulus, unit) whose index names the stimuli. A DataArray that already has a
        ``stimulus`` dim is checked; its names must be those of `ids` and take their order.
    dims : names of the dims; guessed for 2 dims (stimulus, unit), 3 (stimulus, y, x) and 4 (pictures).
    ids : unique name of each stimulus; ``"stimulus_000"``... when absent.
    coords : labels along ``stimulus``, such as ``{"category": [...]}`` or ``{"category": ("stimulus", [...])}``.
    time_step : seconds between samples, when there is a ``time`` dim.
    layout : "NCHW" (stimulus, channel, y, x) or "NHWC" (stimulus, y, x, channel); asked where the shape does not say.
    scale : value of white, by which pictures are divided. Bytes (uint8) are divided by 255, and what lies in 0..1 is
        left alone; 1 leaves other values as they are.

    Raises
    ------
    SchemaError : dims are missing or unknown, ids repeat, values are not finite, complex or no numbers, a layout or
        scale is not certain.

    Examples
    --------
    >>> as_stimuli(np.zeros((2, 8, 8)), coords={"category": ["a", "b"]}).dims
    ('stimulus', 'y', 'x')
    >>> as_stimuli(np.full((2, 8, 8, 3), 51, dtype=np.uint8)).transpose("stimulus", "channel", "y", "x").shape
    (2, 3, 8, 8)
    """
    return _stimuli(values, "as_stimuli", (dims, layout, scale), ids, coords, time_step)


def _stimuli(
    values: Any,
    who: str,
    form: tuple[Sequence[str] | None, Layout | None, float | None] = (None, None, None),
    ids: Any = None,
    coords: Mapping[str, Any] | None = None,
    time_step: float | None = None,
) -> xr.DataArray:
    dims, layout, scale = form
    if isinstance(values, xr.DataArray):
        check_numbers(values, who)
        stimuli = values.copy(deep=False)
    else:
        if isinstance(values, list | tuple) and values and all(is_picture(v) for v in values):
            array = of_pictures(values, who)
            dims = dims or ((STIMULUS, "y", "x", "channel")[: array.ndim])
        else:
            array = plain(values, who)
        dims = dims or {2: (STIMULUS, UNIT)}.get(array.ndim) or picture_dims(array.shape, layout, who)
        dims = dims or ((STIMULUS, "y", "x") if array.ndim == 3 else None)
        stimuli = _with_dims(array, dims, who)
        stimuli = _with_table_names(stimuli, values, who)
    unknown = [str(d) for d in stimuli.dims if d not in STIMULUS_DIMS]
    if unknown:
        raise SchemaError(
            f"{who}: unknown dims {unknown}; stimuli have {', '.join(STIMULUS_DIMS)}."
            f"{suggest(unknown[0], STIMULUS_DIMS)}"
        )
    _check_not_empty(stimuli, who, "stimuli")
    stimuli = _in_order_of(stimuli, ids, who)
    stimuli = stimuli.assign_coords(_along(stimuli, coords, who, STIMULUS))
    stimuli = _timed(stimuli, time_step, who)
    check_finite(stimuli, who)
    stimuli = in_range(stimuli, scale, who)
    last = [d for d in ("channel", "y", "x") if d in stimuli.dims]
    return stimuli.transpose(..., *last) if last and not isinstance(values, xr.DataArray) else stimuli


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
    values : array of shape (stimulus, unit) or (stimulus, time, unit), or any other with `dims` named; a tensor; a
        table, whose index names the stimuli and whose columns name the units.
    dims : names out of ``stimulus, trial, time, unit``.
    stimuli : the stimuli shown, or their ids; their labels are carried over. Rows that have names of their own are put
        into the order of `stimuli`; rows without are taken to be in that order.
    coords : labels along one dim, ``{"layer": ("unit", [...])}``.
    quantity : activation (1), firing_rate (spikes/s), spike_count (spikes), membrane_potential (V), electric_potential
        (V: LFP, EEG), magnetic_field (T: MEG), fluorescence (1: calcium imaging) or bold (1: fMRI).
    time_step : seconds between time samples.

    Raises
    ------
    SchemaError : unknown dims or quantity, another number of stimuli or other names, not a single unit, NaN, complex
        values or what is no numbers.

    Examples
    --------
    >>> r = as_responses(np.ones((3, 5)), stimuli=["a", "b", "c"])
    >>> r.dims, r.stimulus.values.tolist()
    (('stimulus', 'unit'), ['a', 'b', 'c'])
    """
    return _responses(values, "as_responses", dims, (stimuli, coords), quantity, time_step)


def _responses(
    values: Any,
    who: str,
    dims: Sequence[str] | None = None,
    labels: tuple[Any, Mapping[str, Any] | None] = (None, None),
    quantity: str = "activation",
    time_step: float | None = None,
) -> xr.DataArray:
    stimuli, coords = labels
    if isinstance(values, xr.DataArray):
        check_numbers(values, who)
        responses = values.copy(deep=False)
    else:
        array = plain(values, who)
        guess = {2: (STIMULUS, UNIT), 3: (STIMULUS, TIME, UNIT), 4: RESPONSE_DIMS}
        responses = _with_table_names(_with_dims(array, dims or guess.get(array.ndim), who), values, who)
    if stimuli is not None:
        responses = _in_order_of(responses, stimuli, who)
    responses = responses.assign_coords(_along(responses, coords, who, None))
    if quantity not in UNITS_OF:
        raise SchemaError(
            f"{who}: unknown quantity {quantity!r}; known: {', '.join(UNITS_OF)}.{suggest(quantity, UNITS_OF)}"
        )
    responses.attrs.setdefault("quantity", quantity)
    responses.attrs.setdefault("units", UNITS_OF.get(responses.attrs["quantity"], "1"))
    return check_responses(_timed(responses, time_step, who), who)


def labelled(values: Any, who: str, kind: Literal["responses", "stimuli"] = "responses") -> xr.DataArray:
    """Return what a function was given as the labelled array that it works on: the door of every public function.

    A labelled array is checked; an array, tensor or table is labelled where its dims are plain (2 or 3 dims, and 4 for
    pictures and repeated responses), else refused in one line that begins with `who`.

    Parameters
    ----------
    values : what the user gave. who : name of the function, for the message.
    kind : "responses" (stimulus, [trial, time,] unit) or "stimuli".

    Raises
    ------
    SchemaError : not an array of numbers, or dims that are not plain.

    Examples
    --------
    >>> labelled([[1.0, 2.0], [3.0, 4.0]], "here").dims
    ('stimulus', 'unit')
    """
    return _stimuli(values, who) if kind == "stimuli" else check_responses(values, who)


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
    values = plain(observations, "as_trials").astype(float)
    of_each: list[Any] = _per_observation(stimuli, observations) or []
    trials = _per_observation(trials, observations)
    shaped = values.ndim == 2 and values.size
    if not shaped or len(of_each) != len(values) or (trials is not None and len(trials) != len(values)):
        raise SchemaError(
            f"as_trials: observations of shape {values.shape} need one stimulus (found {len(of_each)}) and "
            f"one trial (found {'none' if trials is None else len(trials)}) each."
        )
    bad = int((~np.isfinite(values)).sum())
    if bad:
        raise SchemaError(f"as_trials: {bad} of {values.size} values are NaN or infinite; leave those trials out.")
    ids = list(dict.fromkeys(str(s) for s in of_each))
    row = [ids.index(str(s)) for s in of_each]
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
    units = column_names(observations, "as_trials") if is_table(observations) else None
    responses = responses if units is None else responses.assign_coords({UNIT: units})
    return responses if measured.all() else responses.assign_coords(measured=((STIMULUS, TRIAL), measured))


def _per_observation(named: Any, observations: Any) -> list[Any] | None:
    """Return the names of the observations in their order: by index where both are tables, else as they stand."""
    if named is None or not is_table(observations):
        return None if named is None else list(named)
    index = row_names(observations, "as_trials")
    if is_table(named):
        other = row_names(named, "as_trials")
        if index is None or other is None:
            if index != other:
                raise SchemaError(
                    "as_trials: one of two tables counts its rows, the other names them; index both alike."
                )
            return list(named)
        return [named.iloc[i] for i in match_names(index, other, "as_trials")]
    names = [str(n) for n in named]
    if index is not None and (is_count(index) or (set(index) == set(names) and index != names)):
        raise SchemaError(
            "as_trials: the index of the table is in another order than the names; .reset_index(drop=True) if the rows "
            "are in order, else give the names as a Series with the same index."
        )
    return list(named)


def check_responses(responses: Any, who: str = "check_responses", *, leading: bool = False) -> xr.DataArray:
    """Return `responses`, transposed to (stimulus, trial, time, unit), or raise :class:`SchemaError`.

    With `leading`, dims of other names are welcome and come first. A bare array, tensor or table is labelled first.
    """
    if not isinstance(responses, xr.DataArray):
        return _responses(responses, who)
    check_numbers(responses, who)
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
    _check_not_empty(responses, who, "responses")
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
    both = [np.atleast_2d(plain(a, "as_sweeps").astype(float)) for a in (current, voltage)]
    if not both[0].size or both[0].shape != both[1].shape or both[0].ndim != 2 or both[0].shape[1] < 2:
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
        rdm = check_rdm(values, "as_rdm")
        return rdm if stimuli is None else _in_order_of(rdm, stimuli, "as_rdm")
    array = plain(values, "as_rdm").astype(float)
    if array.ndim < 2 or array.shape[-1] != array.shape[-2]:
        raise SchemaError(
            f"as_rdm: an RDM is square, found shape {array.shape}; see scipy.spatial.distance.squareform."
        )
    if len(dims) != array.ndim - 2:
        raise SchemaError(f"as_rdm: shape {array.shape} has {array.ndim - 2} leading dims; name them with dims=(...).")
    rdm = xr.DataArray(array, dims=(*dims, STIMULUS, STIMULUS_OTHER))
    if is_table(values):
        rdm = _square_names(rdm, values)
    rdm = _in_order_of(rdm, stimuli, "as_rdm")
    rdm = rdm.assign_coords({STIMULUS_OTHER: rdm[STIMULUS].values, **_along(rdm, coords, "as_rdm", None)})
    rdm.attrs.update(quantity="dissimilarity", metric=metric)
    # what compute_rdm labels may be second moments, which have a diagonal and say so afterwards
    return check_rdm(rdm, "as_rdm") if metric == "unknown" else _check_square(rdm, "as_rdm")


def check_rdm(rdm: Any, who: str = "check_rdm") -> xr.DataArray:
    """Return `rdm` with the stimulus dims last, one order on both and 0 on the diagonal, or raise :class:`SchemaError`.

    A bare square array is labelled first.
    """
    if not isinstance(rdm, xr.DataArray):
        return as_rdm(plain(rdm, who))
    if rdm.attrs.get("quantity") == "second_moment":
        raise SchemaError(f"{who}: a matrix of second moments is no RDM; compute_rdm(...) with keep='distances' is.")
    rdm = _check_square(rdm, who)
    diagonal = np.diagonal(rdm.values, axis1=-2, axis2=-1)
    largest, scale = float(np.abs(diagonal).max()), float(np.abs(rdm.values).max())
    if largest > TINY_DIAGONAL * scale:
        raise SchemaError(
            f"{who}: the diagonal of the RDM holds up to {largest:g}; a stimulus has distance 0 from itself; "
            "similarities become distances as 1 - values."
        )
    return rdm if largest == 0 else rdm.copy(data=np.where(np.eye(rdm.shape[-1], dtype=bool), 0.0, rdm.values))


def _check_square(rdm: xr.DataArray, who: str) -> xr.DataArray:
    check_numbers(rdm, who)
    for dim in (STIMULUS, STIMULUS_OTHER):
        if dim not in rdm.dims:
            raise SchemaError(f"{who}: an RDM has dims (..., stimulus, stimulus_other), found {tuple(rdm.dims)}.")
    rdm = rdm.transpose(..., STIMULUS, STIMULUS_OTHER)
    if rdm.sizes[STIMULUS] < 3 or rdm.sizes[STIMULUS] != rdm.sizes[STIMULUS_OTHER]:
        raise SchemaError(f"{who}: an RDM needs at least 3 stimuli, the same on both sides, found {rdm.shape[-2:]}.")
    _check_not_empty(rdm, who, "RDMs")
    rdm = _with_ids(rdm, None, who)
    if STIMULUS_OTHER not in rdm.coords:
        rdm = rdm.assign_coords({STIMULUS_OTHER: rdm[STIMULUS].values})
    else:
        first, second = ([str(s) for s in rdm[d].values] for d in (STIMULUS, STIMULUS_OTHER))
        if first != second:
            rdm = rdm.isel({STIMULUS_OTHER: match_names(first, second, f"{who}, two sides of an RDM")})
    check_finite(rdm, who)
    values = np.asarray(rdm.values, dtype=float)
    scale = float(np.abs(values).max()) or 1.0
    if not np.allclose(values, np.swapaxes(values, -1, -2), atol=1e-6 * scale):
        raise SchemaError(f"{who}: the RDM is not symmetric; average it with its transpose if that is what you mean.")
    return rdm


def _square_names(rdm: xr.DataArray, table: Any) -> xr.DataArray:
    rows, columns = row_names(table, "as_rdm"), column_names(table, "as_rdm")
    if (rows is None) != (columns is None):
        raise SchemaError("as_rdm: a table names its rows or its columns only; name both, or give .to_numpy().")
    if rows is None or columns is None:
        return rdm
    return rdm.isel({STIMULUS_OTHER: match_names(rows, columns, "as_rdm, rows and columns")}).assign_coords(
        {STIMULUS: rows}
    )


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


def check_measured(array: xr.DataArray, who: str) -> xr.DataArray:
    """Return an array of any dims that holds real numbers, finite wherever something was ``measured``."""
    check_numbers(array, who)
    _check_not_empty(array, who, "arrays")
    check_finite(array.where(array["measured"], 0) if "measured" in array.coords else array, who)
    return array


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
    reference, other = (_with_ids(_is_labelled(x, who), None, who) for x in (reference, other))
    first, second = [str(s) for s in reference[STIMULUS].values], [str(s) for s in other[STIMULUS].values]
    if first == second:
        return other
    index = match_names(first, second, who)
    picks = {d: index for d in (STIMULUS, STIMULUS_OTHER) if d in other.dims}
    ordered = other.isel(picks)
    named = {d: reference[STIMULUS].values for d in picks if d in other.coords}
    return ordered if set(first) == set(second) else ordered.assign_coords(named)


def _is_labelled(array: Any, who: str) -> xr.DataArray:
    if not isinstance(array, xr.DataArray):
        raise SchemaError(f"{who}: a labelled array asked, found a {type(array).__name__}; see as_responses, as_rdm.")
    return array


def _with_dims(array: np.ndarray, dims: Sequence[str] | None, who: str) -> xr.DataArray:
    if dims is None or isinstance(dims, str) or len(dims) != array.ndim or len(set(dims)) != array.ndim:
        raise SchemaError(
            f"{who}: an array of shape {array.shape} needs its dims named, {array.ndim} of them; pass dims=(...)."
        )
    return xr.DataArray(array, dims=tuple(dims))


def _with_table_names(array: xr.DataArray, values: Any, who: str) -> xr.DataArray:
    """Return the array with the names that a table has along its rows and columns."""
    if not is_table(values):
        return array
    found = {array.dims[0]: row_names(values, who)}
    if array.ndim == 2:
        found[array.dims[1]] = column_names(values, who)
    return array.assign_coords({d: names for d, names in found.items() if names is not None and d in (STIMULUS, UNIT)})


def _in_order_of(array: xr.DataArray, stimuli: Any, who: str) -> xr.DataArray:
    """Return `array` with the names, labels and order of `stimuli`: by its own names, or as it stands without any."""
    if isinstance(stimuli, str):
        raise SchemaError(f"{who}: one name a stimulus asked, found the text {stimuli!r}; give a list.")
    shown = stimuli if isinstance(stimuli, xr.DataArray) and STIMULUS in stimuli.dims else None
    if shown is not None:
        shown = _with_ids(shown, None, who)
    ids = None if stimuli is None else [str(s) for s in (stimuli if shown is None else shown[STIMULUS].values)]
    array = _with_ids(array, ids if STIMULUS not in array.coords else None, who)
    if ids is None or STIMULUS not in array.dims:
        return array
    own = [str(s) for s in array[STIMULUS].values]
    if own != ids and own != _counted(len(own)):
        index = match_names(ids, own, who)
        array = array.isel({d: index for d in (STIMULUS, STIMULUS_OTHER) if d in array.dims})
    array = _with_ids(array, ids, who)
    if STIMULUS_OTHER in array.dims:
        array = array.assign_coords({STIMULUS_OTHER: array[STIMULUS].values})
    return array if shown is None else carry_stimulus_labels(array, shown)


def _counted(n: int) -> list[str]:
    return [f"stimulus_{i:03d}" for i in range(n)]


def _along(array: xr.DataArray, coords: Mapping[str, Any] | None, who: str, default: str | None) -> dict[str, Any]:
    """Return labels as xarray takes them, each along a dim that is there and as long as it."""
    found: dict[str, Any] = {}
    for name, given in (coords or {}).items():
        if isinstance(given, xr.DataArray):
            found[name] = given
            continue
        pair = isinstance(given, tuple) and len(given) == 2 and (given[0] in array.dims or isinstance(given[0], tuple))
        dim, values = given if pair else (name if name in array.dims else default, given)
        if is_table(values) and isinstance(dim, str):
            rows = row_names(values, who)
            order = None if rows is None or dim not in array.coords else [str(n) for n in array[dim].values]
            values = values.to_numpy()
            values = values if order is None or rows is None else values[match_names(order, rows, f"{who}, {name}")]
        sizes = [array.sizes.get(d) for d in ((dim,) if isinstance(dim, str) else dim or ())]
        if np.ndim(values) and list(np.shape(values)) != sizes:
            raise SchemaError(
                f"{who}: label {name!r} of shape {np.shape(values)} along {dim!r} (dims {dict(array.sizes)}); give "
                f"{{{name!r}: (dim, values)}} with one value a place."
            )
        found[name] = (dim, np.asarray(values)) if np.ndim(values) else values
    return found


def _timed(array: xr.DataArray, time_step: float | None, who: str) -> xr.DataArray:
    if time_step is None:
        return array
    if TIME not in array.dims or not np.isfinite(time_step) or time_step <= 0:
        raise SchemaError(f"{who}: time_step = {time_step!r} of dims {array.dims}; a time dim and s above 0 asked.")
    timed = array.assign_coords(time=np.arange(array.sizes[TIME]) * time_step)
    return timed.assign_attrs(time_step=float(time_step))


def _check_not_empty(array: xr.DataArray, who: str, what: str) -> None:
    empty = [str(d) for d in array.dims if array.sizes[d] == 0]
    if empty:
        raise SchemaError(f"{who}: {what} are empty along {empty}; at least one unit and stimulus is asked.")


def _with_ids(array: xr.DataArray, ids: Sequence[str] | None, who: str) -> xr.DataArray:
    if STIMULUS not in array.dims:
        raise SchemaError(f"{who}: no 'stimulus' dim among {tuple(array.dims)}.")
    n = array.sizes[STIMULUS]
    if ids is not None and len(ids) != n:
        raise SchemaError(f"{who}: {len(ids)} stimulus ids for {n} stimuli.")
    if ids is None and STIMULUS in array.coords:
        ids = [str(s) for s in array[STIMULUS].values]
    elif ids is None:
        ids = _counted(n)
    repeated = sorted({str(s) for s in ids if list(ids).count(s) > 1}) if len(set(ids)) != n else []
    if repeated:
        raise SchemaError(f"{who}: stimulus ids repeat: {repeated[:3]}; put repetitions along the 'trial' dim.")
    return array.assign_coords({STIMULUS: np.asarray(ids, dtype=str)})
