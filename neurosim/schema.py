"""The words of neurosim: dims, coords and units of the one labelled array, its builders and its checks.

Every answer to a stimulus, whatever gave it, is an :class:`xarray.DataArray` built and checked here. Public names of
the files below have their home here too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr

from neurosim.arrays import (
    by_stimulus,
    check_numbers,
    column_names,
    is_count,
    is_missing,
    is_table,
    listed,
    match_names,
    plain,
    row_names,
)
from neurosim.labels import (
    STIMULUS,
    STIMULUS_OTHER,
    TIME,
    TRIAL,
    UNIT,
    carry_stimulus_labels,
    check_finite,
    check_measured,
    check_missing,
    check_not_empty,
    check_step,
    in_order_of,
    labels_along,
    same_stimuli,
    step_of,
    stimulus_labels,
    timed,
    wide,
    with_dims,
    with_ids,
    with_table_names,
)
from neurosim.perturbations import Perturbation, PerturbationKind
from neurosim.pictures import Layout, in_range, is_picture, of_pictures, picture_dims
from neurosim.rdm_arrays import TINY_DIAGONAL, as_rdm, check_rdm
from neurosim.refusals import InputError, SchemaError, suggest
from neurosim.sweep_arrays import as_sweeps, check_sweeps

__all__ = [
    "RESPONSE_DIMS", "STIMULUS", "STIMULUS_DIMS", "STIMULUS_OTHER", "TIME", "TINY_DIAGONAL", "TRIAL", "UNIT",
    "UNITS_OF", "InputError", "Perturbation", "PerturbationKind", "SchemaError", "as_rdm", "as_responses",
    "as_stimuli", "as_sweeps", "as_trials", "carry_stimulus_labels", "check_finite", "check_measured", "check_missing",
    "check_rdm", "check_responses", "check_step", "check_sweeps", "labelled", "responses_to", "same_stimuli",
    "step_of", "stimulus_labels", "suggest",
]  # fmt: skip

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


def as_stimuli(
    values: npt.ArrayLike | Sequence[object],
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
        of PIL images; a table (stimulus, unit) whose index, or column ``stimulus``, names the stimuli. A DataArray that
        already has a ``stimulus`` dim is checked; its names must be those of `ids` and take their order.
    dims : names of the dims; guessed for 2 dims (stimulus, unit), 3 (stimulus, y, x) and 4 (pictures of 1 or 3
        channels; of 4, the last of which may be transparency, they are asked).
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
    >>> ns.as_stimuli(np.zeros((2, 8, 8)), coords={"category": ["a", "b"]}).dims
    ('stimulus', 'y', 'x')
    >>> ns.as_stimuli(np.full((2, 8, 8, 3), 51, dtype=np.uint8)).transpose("stimulus", "channel", "y", "x").shape
    (2, 3, 8, 8)
    """
    return _stimuli(values, "as_stimuli", (dims, layout, scale), ids, coords, time_step)


def _stimuli(
    values: object,
    who: str,
    form: tuple[Sequence[str] | None, Layout | None, float | None] = (None, None, None),
    ids: object = None,
    coords: Mapping[str, Any] | None = None,
    time_step: float | None = None,
) -> xr.DataArray:
    dims, layout, scale = form
    if isinstance(values, xr.DataArray):
        check_numbers(values, who)
        stimuli = wide(values.copy(deep=False))
    else:
        if isinstance(values, list | tuple) and values and all(is_picture(v) for v in values):
            array = of_pictures(values, who)
            dims = dims or ((STIMULUS, "y", "x", "channel")[: array.ndim])
        else:
            values = by_stimulus(values, who)
            array = plain(values, who, "load_stimuli")
        dims = dims or {2: (STIMULUS, UNIT)}.get(array.ndim) or picture_dims(array.shape, layout, who)
        dims = dims or ((STIMULUS, "y", "x") if array.ndim == 3 else None)
        stimuli = wide(with_dims(array, dims, who))
        stimuli = with_table_names(stimuli, values, who)
    unknown = [str(d) for d in stimuli.dims if d not in STIMULUS_DIMS]
    if unknown:
        raise SchemaError(
            f"{who}: unknown dims {unknown}; stimuli have {', '.join(STIMULUS_DIMS)}."
            f"{suggest(unknown[0], STIMULUS_DIMS)}"
        )
    check_not_empty(stimuli, who, "stimuli")
    stimuli = in_order_of(stimuli, ids, who)
    stimuli = stimuli.assign_coords(labels_along(stimuli, coords, who, STIMULUS))
    stimuli = timed(stimuli, time_step, who)
    check_finite(stimuli, who)
    stimuli = in_range(stimuli, scale, who)
    return stimuli.transpose(*[d for d in STIMULUS_DIMS if d in stimuli.dims])


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
        table (of pandas, Polars or Arrow), whose index, or column ``stimulus``, names the stimuli and whose columns
        name the units; columns that are none (``trial``, ``category``, true or false, ``Unnamed: 0``) are refused.
        Where there are trials, NaN is a whole (stimulus, trial) of a unit that was not measured.
    dims : names out of ``stimulus, trial, time, unit``.
    stimuli : the stimuli shown, or their ids; their labels are carried over. Rows that have names of their own are put
        into the order of `stimuli`; rows without are taken to be in that order, and refused where stimuli are in the
        order of their letters (1, 10, 2), as the files of a folder, not of their numbers: name the rows then.
    coords : labels along one dim, ``{"layer": ("unit", [...])}``.
    quantity : activation (1), firing_rate (spikes/s), spike_count (spikes), membrane_potential (V), electric_potential
        (V: LFP, EEG), magnetic_field (T: MEG), fluorescence (1: calcium imaging) or bold (1: fMRI).
    time_step : seconds between time samples.

    Raises
    ------
    SchemaError : unknown dims or quantity, another number of stimuli or other names, not a single unit, NaN without
        trials or in a part of one, complex values or what is no numbers.

    Examples
    --------
    >>> r = ns.as_responses(np.ones((3, 5)), stimuli=["a", "b", "c"])
    >>> r.dims, r.stimulus.values.tolist()
    (('stimulus', 'unit'), ['a', 'b', 'c'])
    """
    return _responses(values, "as_responses", dims, (stimuli, coords), quantity, time_step)


def responses_to(
    stimuli: xr.DataArray,
    values: npt.ArrayLike | xr.DataArray,
    *,
    dims: Sequence[str] | None = None,
    coords: Mapping[str, Any] | None = None,
    quantity: str = "activation",
    time_step: float | None = None,
) -> xr.DataArray:
    """Label what was computed of labelled stimuli, one after the other: rows without names are in their order.

    Parameters
    ----------
    stimuli : what was shown. values, dims, coords, quantity, time_step : as for :func:`as_responses`.

    Examples
    --------
    >>> shown = as_stimuli(np.eye(3), ids=["1", "10", "2"])
    >>> responses_to(shown, np.eye(3)).stimulus.values.tolist()
    ['1', '10', '2']
    """
    names = [str(s) for s in with_ids(stimuli, None, "as_responses")[STIMULUS].values]
    found = as_responses(values, dims=dims, stimuli=names, coords=coords, quantity=quantity, time_step=time_step)
    return carry_stimulus_labels(found, with_ids(stimuli, names, "as_responses"))


def _responses(
    values: object,
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
        values = by_stimulus(values, who)
        array = plain(values, who)
        guess = {2: (STIMULUS, UNIT), 3: (STIMULUS, TIME, UNIT), 4: RESPONSE_DIMS}
        responses = with_table_names(with_dims(array, dims or guess.get(array.ndim), who), values, who)
    if stimuli is not None:
        responses = in_order_of(responses, stimuli, who)
    responses = responses.assign_coords(labels_along(responses, coords, who, None))
    if not isinstance(quantity, str) or quantity not in UNITS_OF:
        raise SchemaError(
            f"{who}: unknown quantity {quantity!r}; known: {', '.join(UNITS_OF)}.{suggest(quantity, UNITS_OF)}"
        )
    responses.attrs.setdefault("quantity", quantity)
    responses.attrs.setdefault("units", UNITS_OF.get(responses.attrs["quantity"], "1"))
    return check_responses(timed(responses, time_step, who), who, missing=TRIAL in responses.dims)


def labelled(values: object, who: str, kind: Literal["responses", "stimuli"] = "responses") -> xr.DataArray:
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
    observations : array (observation, unit); NaN where a unit was not measured.
    stimuli : stimulus id of every observation.
    trials : trial (run, session) of every observation; when absent, the observations of a stimulus are counted.

    Returns
    -------
    responses (stimulus, trial, unit). Where some stimulus has fewer trials, the empty places are NaN and a label
    ``measured`` (stimulus, trial) says so; what cannot handle them refuses them.

    Raises
    ------
    SchemaError : another number of stimuli or trials than of observations, one without a name, infinite values, or a
        trial that has a stimulus twice.

    Examples
    --------
    >>> ns.as_trials(np.ones((3, 2)), ["a", "b", "a"]).measured.values.tolist()
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
    bad = int(np.isinf(values).sum())
    if bad or not np.isfinite(values).any():
        raise SchemaError(f"as_trials: {bad or 'all'} of {values.size} values are {'infinite' if bad else 'NaN'}.")
    for what, given in (("stimulus", of_each), ("trial", trials or [])):
        nameless = sum(map(is_missing, given))
        if nameless:
            raise SchemaError(f"as_trials: {nameless} of {len(values)} observations name no {what}; leave those out.")
    place: dict[str, int] = {}
    row = np.array([place.setdefault(str(s), len(place)) for s in of_each])
    ids = list(place)
    names, column = np.unique(_repetitions(row) if trials is None else np.asarray(trials), return_inverse=True)
    first = np.unique(row * len(names) + column, return_index=True)[1]
    if len(first) < len(row):
        again = np.setdiff1d(np.arange(len(row)), first)[0]
        raise SchemaError(
            f"as_trials: trial {names[column[again]]} has stimulus {ids[row[again]]!r} twice; average the two first."
        )
    filled = np.full((len(ids), len(names), values.shape[1]), np.nan)
    filled[row, column] = values
    measured = np.isfinite(filled).any(-1)
    responses = xr.DataArray(filled, dims=(STIMULUS, TRIAL, UNIT), coords={STIMULUS: ids, TRIAL: names})
    units = column_names(observations, "as_trials") if is_table(observations) else None
    responses = responses if units is None else responses.assign_coords({UNIT: units})
    return responses if measured.all() else responses.assign_coords(measured=((STIMULUS, TRIAL), measured))


def _repetitions(row: np.ndarray) -> np.ndarray:
    """How often each of the rows stood before."""
    order = np.argsort(row, kind="stable")
    starts = np.searchsorted(row[order], row[order])
    found = np.empty(len(row), dtype=int)
    found[order] = np.arange(len(row)) - starts
    return found


def _per_observation(named: Any, observations: Any) -> list[Any] | None:
    """Return the names of the observations in their order: by index where both are tables, else as they stand."""
    if named is None or not is_table(observations):
        return None if named is None else listed(named, "as_trials")
    index, counted = row_names(observations, "as_trials"), [str(i) for i in range(len(observations))]
    if is_table(named):
        other = row_names(named, "as_trials")
        if (index or counted) == (other or counted):
            return list(named)
        if index is None or other is None:
            raise SchemaError("as_trials: one of two tables counts its rows, the other names them; index both alike.")
        return [named.iloc[i] for i in match_names(index, other, "as_trials")]
    order = listed(named, "as_trials")
    names = [str(n) for n in order]
    if index not in (None, counted) and (is_count(index) or (set(index) == set(names) and index != names)):
        raise SchemaError(
            "as_trials: the index of the table is in another order than the names; .reset_index(drop=True) if the rows "
            "are in order, else give the names as a Series with the same index."
        )
    return order


def check_responses(
    responses: object, who: str = "check_responses", *, leading: bool = False, missing: bool = False
) -> xr.DataArray:
    """Return `responses`, transposed to (stimulus, trial, time, unit), or raise :class:`SchemaError`.

    With `leading`, dims of other names are welcome and come first. With `missing`, NaN says which trials of which unit
    were not measured (see :func:`neurosim.labels.check_missing`); otherwise NaN is refused. A bare array, tensor or
    table is labelled first.
    """
    if not isinstance(responses, xr.DataArray):
        return _responses(responses, who)
    check_numbers(responses, who)
    lacking = [d for d in (STIMULUS, UNIT) if d not in responses.dims]
    if lacking and STIMULUS_OTHER in responses.dims:
        raise SchemaError(
            f"{who}: responses (stimulus, unit) asked, found an RDM {tuple(responses.dims)}; ns.infer(models, rdms) "
            "and ns.compare_rdms(a, b) take RDMs."
        )
    if lacking:
        raise SchemaError(
            f"{who}: responses have dims {tuple(responses.dims)} and lack {lacking}; "
            "rename them with .rename(...) to stimulus, trial, time, unit."
        )
    unknown = [str(d) for d in responses.dims if d not in RESPONSE_DIMS]
    if unknown and not leading:
        raise SchemaError(
            f"{who}: unknown dims {unknown}; responses have {', '.join(RESPONSE_DIMS)}."
            f"{suggest(unknown[0], RESPONSE_DIMS)}"
        )
    check_not_empty(responses, who, "responses")
    responses = with_ids(responses, None, who)
    if missing:
        responses = check_missing(responses, who)
    else:
        responses = wide(responses)
        check_finite(responses, who)
    ordered: xr.DataArray = responses.transpose(*unknown, *[d for d in RESPONSE_DIMS if d in responses.dims])
    return ordered
