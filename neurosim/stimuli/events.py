"""Events of pixels that change: N-MNIST, and delta modulation of anything else that moves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.schema import InputError, as_stimuli, labelled, stimulus_labels

NMNIST_FILE = "nmnist_1000_train.npz"
NMNIST_HOME = "https://doi.org/10.3389/fnins.2015.00437"
SIDE, DURATION = 34, 0.3


def load_nmnist(*, n_steps: int = 30, binary: bool = True) -> xr.DataArray:
    """Return the digits of N-MNIST: MNIST seen by a moving event camera (https://doi.org/10.3389/fnins.2015.00437).

    Parameters
    ----------
    n_steps : number of equal bins of the 0.3 s of a recording.
    binary : 1 where a pixel had any event of that sign in the bin; otherwise the number of events.

    Returns
    -------
    stimuli (stimulus, time, channel, y, x), channels off and on, 34 x 34 pixels, with ``category``.

    Raises
    ------
    StorageError : the file is not in the folder ``nmnist`` of the data folder, or holds events outside the camera.

    Examples
    --------
    >>> ns.stimuli.load_nmnist(n_steps=0)
    Traceback (most recent call last):
    neurosim.schema.InputError: load_nmnist: n_steps = 0; at least 1 is asked.
    """
    if n_steps < 1:
        raise InputError(f"load_nmnist: n_steps = {n_steps}; at least 1 is asked.")
    packed = storage.read_npz(nmnist_file())
    x, y, sign = (packed[k].astype(np.int64) for k in ("x", "y", "p"))
    if max(x.max(), y.max()) >= SIDE or sign.max() > 1 or min(x.min(), y.min(), sign.min()) < 0:
        raise storage.StorageError(f"load_nmnist: {NMNIST_FILE} holds events outside {SIDE} x {SIDE} pixels.")
    recording = np.repeat(np.arange(len(packed["label"])), packed["n_events"])
    step = np.minimum((packed["t_us"] * 1e-6 / DURATION * n_steps).astype(np.int64), n_steps - 1)
    shape = (len(packed["label"]), n_steps, 2, SIDE, SIDE)
    counts = np.bincount(np.ravel_multi_index((recording, step, sign, y, x), shape), minlength=int(np.prod(shape)))
    values = counts.reshape(shape)
    return as_stimuli(
        (values > 0).astype(np.uint8) if binary else values.astype(np.uint16),
        dims=("stimulus", "time", "channel", "y", "x"),
        ids=[f"nmnist_{k:04d}" for k in range(len(values))],
        coords={"category": packed["label"].astype(str)},
        time_step=DURATION / n_steps,
    )


def nmnist_file() -> Path:
    """Return the file of the recordings, or say where it goes."""
    holds = "arrays x, y, p, t_us, n_events, label"
    return storage.data_file("nmnist", NMNIST_FILE, "load_nmnist", holds, NMNIST_HOME)


def encode_delta(stimuli: xr.DataArray, *, threshold: float) -> xr.DataArray:
    """Turn stimuli that change in time into on and off events: one whenever a value left the last one by `threshold`.

    The reference follows in whole thresholds (send-on-delta, https://doi.org/10.3390/s6010049), at most one event of
    each sign a step: the sum of all events times `threshold` stays within reach of the stimulus.

    Parameters
    ----------
    stimuli : (stimulus, time, ...); the first step sets the reference and sends nothing.
    threshold : size of a change, in units of the stimuli.

    Returns
    -------
    stimuli (stimulus, time, unit) of 0 and 1, the off events of all values, then the on events.

    Raises
    ------
    InputError : no time, or a threshold that is not above 0.

    Examples
    --------
    >>> ramp = ns.as_stimuli(np.array([[[0.0], [0.5], [1.0]]]), dims=("stimulus", "time", "unit"), time_step=1e-3)
    >>> ns.stimuli.encode_delta(ramp, threshold=0.4).values[0, :, 1].tolist()
    [0, 1, 1]
    """
    stimuli = labelled(stimuli, "encode_delta", "stimuli")
    if "time" not in stimuli.dims or not threshold > 0:
        raise InputError(
            f"encode_delta: stimuli with a time dim and a threshold above 0 asked, found dims {stimuli.dims} and "
            f"{threshold!r}; images are set in motion by saccades()."
        )
    values = stimuli.transpose("stimulus", "time", ...).values.reshape(len(stimuli), stimuli.sizes["time"], -1)
    reference = values[:, 0].astype(float)
    events = np.zeros((*values.shape[:2], 2, values.shape[2]), dtype=np.uint8)
    for t in range(1, values.shape[1]):
        change = values[:, t] - reference
        events[:, t, 0], events[:, t, 1] = change <= -threshold, change >= threshold
        reference += threshold * (events[:, t, 1].astype(float) - events[:, t, 0])
    return as_stimuli(
        events.reshape(*values.shape[:2], -1),
        dims=("stimulus", "time", "unit"),
        ids=stimuli.stimulus.values.tolist(),
        coords=stimulus_labels(stimuli),
        time_step=float(stimuli.attrs.get("time_step", 1.0)),
    )


def saccades(images: xr.DataArray, *, n_steps: int = 30, amplitude: int = 2, time_step: float = 10e-3) -> xr.DataArray:
    """Set images (stimulus, [channel,] y, x) in motion along a triangle, as N-MNIST was recorded.

    Parameters
    ----------
    images : still images; what moves in from outside is 0.
    n_steps : steps of the movie. amplitude : pixels by which the eye moves. time_step : s.

    Returns
    -------
    stimuli (stimulus, time, [channel,] y, x).

    Raises
    ------
    InputError : no step, or a negative amplitude.

    Examples
    --------
    >>> ns.stimuli.saccades(ns.as_stimuli(np.ones((2, 8, 8))), n_steps=5).shape
    (2, 5, 8, 8)
    """
    images = labelled(images, "saccades", "stimuli")
    if "time" in images.dims or not {"y", "x"} <= set(images.dims):
        raise InputError(f"saccades: still images (stimulus, [channel,] y, x) asked, found dims {images.dims}.")
    images = images.transpose(..., "y", "x")
    if n_steps < 1 or amplitude < 0:
        raise InputError(f"saccades: n_steps >= 1 and amplitude >= 0 asked, found {n_steps} and {amplitude}.")
    corners = np.array([[0, 0], [amplitude, amplitude / 2], [0, amplitude], [0, 0]])
    place = np.linspace(0, 3, n_steps)
    path = np.stack([np.interp(place, np.arange(4), corners[:, k]) for k in range(2)], axis=1).round().astype(int)
    wide = np.pad(images.values, [(0, 0)] * (images.ndim - 2) + [(0, amplitude)] * 2)
    y, x = images.shape[-2:]
    movie = np.stack([wide[..., i : i + y, j : j + x] for i, j in path], axis=1)
    return as_stimuli(
        movie,
        dims=("stimulus", "time", *map(str, images.dims[1:])),
        ids=images.stimulus.values.tolist(),
        coords=stimulus_labels(images),
        time_step=time_step,
    )
