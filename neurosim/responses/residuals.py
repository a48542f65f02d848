"""What is left of responses when what runs with a label of the trials, such as running speed, is taken off."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from neurosim.schema import InputError, check_responses, suggest


def regress_out(responses: xr.DataArray, labels: str | Sequence[str]) -> xr.DataArray:
    """Take off what changes linearly, from trial to trial of the same stimulus, with labels of the trials.

    The slopes of a unit are the least-squares ones of its responses about the mean of each stimulus on the labels about
    theirs (https://doi.org/10.2307/1907330), so that what the stimulus does is not taken off where animals run more at
    some stimuli; then all trials are as if the labels had their mean over what was measured.

    Parameters
    ----------
    responses : (stimulus, trial, [time,] unit). Trials that a unit lacks do not enter its slopes.
    labels : names of labels along (stimulus, trial), such as those of ns.recordings.label_trials, taken off together. A
        trial where one of them is NaN becomes NaN.

    Returns
    -------
    responses of the same dims, at each time with its own slopes. Counts become activations: what is left are no whole
    numbers.

    Raises
    ------
    InputError : no such label along (stimulus, trial), labels that do not vary within stimuli or vary together, or a
        unit with fewer trials than what is estimated of it.

    Examples
    --------
    >>> speed = np.array([[0.0, 1.0, 2.0]])
    >>> x = ns.as_responses(5 + 3 * speed[..., None], dims=("stimulus", "trial", "unit"))
    >>> x = x.assign_coords(running=(("stimulus", "trial"), speed))
    >>> ns.responses.regress_out(x, "running").values.round(6).ravel().tolist()
    [8.0, 8.0, 8.0]
    """
    who = "regress_out"
    responses = check_responses(responses, who, missing=True)
    if not isinstance(labels, str | Sequence):
        raise InputError(f"{who}: names of labels asked, found {type(labels).__name__}.")
    chosen = [labels] if isinstance(labels, str) else list(labels)
    if "trial" not in responses.dims or not chosen:
        raise InputError(f"{who}: responses with trials and the names of labels asked, found {responses.dims}.")
    design = np.stack([_label(responses, name) for name in chosen], axis=-1)
    shape = (*design.shape[:2], responses.sizes.get("time", 1), responses.sizes["unit"])
    values = np.asarray(responses.values, dtype=float).reshape(shape)
    known = np.isfinite(design).all(-1) & np.isfinite(values[:, :, 0]).any(-1)
    if not known.any():
        raise InputError(f"{who}: no measured trial has all of {', '.join(chosen)}; they are NaN.")
    off = np.where(known[..., None], design, np.nan) - design[known].mean(0)
    left = np.full(shape, np.nan)
    for unit in range(shape[-1]):
        own = values[..., unit]
        measured = known & np.isfinite(own[..., 0])
        x, y = _about_stimuli(off, measured), _about_stimuli(own, measured)
        n, n_stimuli = int(measured.sum()), int(measured.any(1).sum())
        size = np.abs(x).max(0, initial=0)
        if n - n_stimuli <= len(chosen) or np.linalg.matrix_rank(x / np.where(size > 0, size, 1), 1e-9) < len(chosen):
            raise InputError(
                f"{who}: {n} trials of {n_stimuli} stimuli do not tell the slopes of unit {unit} on "
                f"{', '.join(chosen)}; labels asked that vary from trial to trial of a stimulus, each by itself."
            )
        slopes = np.linalg.lstsq(x, y, rcond=None)[0]
        left[measured, :, unit] = own[measured] - off[measured] @ slopes
    found = responses.copy(data=left.reshape(responses.shape))
    is_count = responses.attrs.get("quantity") == "spike_count"
    return found.assign_attrs(quantity="activation", units="1") if is_count else found


def _label(responses: xr.DataArray, name: str) -> np.ndarray:
    """Return a label (stimulus, trial) as numbers."""
    held = {str(k): v for k, v in responses.coords.items() if set(v.dims) == {"stimulus", "trial"}}
    if name not in held:
        raise InputError(
            f"regress_out: no label {name!r} along (stimulus, trial). Labels: {', '.join(held) or 'none'}."
            f"{suggest(str(name), held)}"
        )
    values = held[name].transpose("stimulus", "trial").values
    if values.dtype.kind not in "biuf":
        raise InputError(f"regress_out: the label {name!r} is held as {values.dtype}; numbers asked.")
    return np.asarray(values, dtype=float)


def _about_stimuli(values: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """Return measured trials (n, column) less the mean of those of their stimulus."""
    filled = np.where(measured[..., None], values, 0.0)
    mean = filled.sum(1, keepdims=True) / np.maximum(measured.sum(1), 1)[:, None, None]
    return np.asarray((values - mean)[measured])
