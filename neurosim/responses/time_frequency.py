"""Which frequencies a continuous response holds, and when: power by multitapers."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neurosim.responses.carried import with_labels
from neurosim.responses.tapers import Tapered, tapered
from neurosim.runtime import track


def spectrogram(
    responses: xr.DataArray,
    *,
    bandwidth: float,
    window: float | None = None,
    step: float | None = None,
    frequencies: tuple[float, float] | None = None,
    progress: bool = True,
) -> xr.DataArray:
    """Return the power of responses by frequency, and over time in windows, by multitapers.

    (https://doi.org/10.1109/PROC.1982.12433.) The mean of a window is taken off; the window has as many orthogonal
    tapers as ``window * bandwidth - 1``, K, over which the power is averaged, so that the standard error of one trial
    is the power by sqrt(K). Noise adds to power: white noise of variance s^2 at r samples a second gives 2 s^2 / r at
    all frequencies. That floor is the same for all stimuli and leaves distances; its scatter does not, but for those
    with folds ("crossnobis").

    Parameters
    ----------
    responses : (stimulus, [trial,] time, unit), such as field potentials in V. A trial that was not measured (NaN)
        stays so.
    bandwidth : full width of the smoothing over frequencies, Hz.
    window : s, a multiple of the step of the responses; all of the time, once, when absent.
    step : s from a window to the next, half a window when absent. Only whole windows are taken.
    frequencies : lowest and highest, Hz. When absent, half the bandwidth, below which the mean that is taken off
        reaches, and half the sampling rate less half the bandwidth, above which power is mirrored.
    progress : show a bar over windows.

    Returns
    -------
    power (frequency, stimulus, [trial,] [time,] unit), one-sided, in squares of the units of the responses by Hz;
    ``frequency`` in Hz, ``time`` the middle of each window in s; in attrs ``n_tapers`` and ``bandwidth``. A leading
    ``frequency`` rides along through ``compute_rdm`` and ``infer``.

    Raises
    ------
    InputError : no ``time`` or time step, a window that is too short for the bandwidth or longer than the responses,
        no frequency in the range.

    Examples
    --------
    >>> time = np.arange(500) * 1e-3
    >>> wave = ns.as_responses(np.sin(2 * np.pi * 40 * time)[None, :, None], time_step=1e-3)
    >>> power = ns.responses.spectrogram(wave, bandwidth=8.0)
    >>> bool(abs(power.frequency[power.argmax("frequency")].item() - 40) <= 4)
    True
    """
    responses, windows = tapered(
        responses, "spectrogram", bandwidth=bandwidth, window=window, step=step, frequencies=frequencies
    )
    power = np.empty((*windows.values.shape[:-1], len(windows.frequency), len(windows.starts)))
    scale = one_sided(windows)
    for stimulus, at, z in track(windows.transforms(), "windows", total=windows.n, progress=progress):
        power[stimulus, ..., at] = (z.real**2 + z.imag**2).mean(-2) * scale
    dims = ("stimulus", "trial", "unit", "frequency", "time")
    found = xr.DataArray(power, dims=dims, coords={"frequency": windows.frequency, "time": windows.centres})
    found = found if "trial" in responses.dims else found.isel(trial=0)
    units = str(responses.attrs.get("units", "1"))
    attrs = {
        "quantity": "power",
        "units": "s" if units == "1" else f"({units})^2/Hz",
        "n_tapers": len(windows.tapers),
        "bandwidth": float(bandwidth),
        "window": windows.tapers.shape[1] / windows.rate,
    }
    if window is None:
        found = found.isel(time=0, drop=True)
    else:
        attrs["time_step"] = windows.hop
    order = [d for d in ("frequency", "stimulus", "trial", "time", "unit") if d in found.dims]
    labelled = with_labels(found.transpose(*order), responses, ("stimulus", "trial", "unit"), "spectrogram")
    return labelled.assign_attrs(attrs)


def one_sided(windows: Tapered) -> np.ndarray:
    """Return by what squares of transforms (frequency,) are multiplied: all but 0 Hz and the highest stand for two."""
    nyquist = windows.rate / 2
    single = (windows.frequency == 0) | (np.abs(windows.frequency - nyquist) < 1e-9 * nyquist)
    return np.asarray(np.where(single, 1.0, 2.0) / windows.rate)
