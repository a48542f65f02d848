"""Recordings from inside neurons, from files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.recordings.reader import reader_of
from neurosim.registry import called
from neurosim.schema import InputError, as_sweeps, check_sweeps


def load_sweeps(path: str | Path, *, reader: str | None = None) -> dict[str, xr.Dataset]:
    """Read current-clamp recordings from a file, by the name of the protocol.

    * ``.nwb``: all sweeps, under the name "sweeps"; where they differ in length or rate, by the description of their
      stimulus.
    * ``.nc``: a Dataset with ``current`` and ``voltage`` (sweep, time), as ``as_sweeps`` makes it, under "sweeps".
    * ``.npz``: for every protocol P the arrays ``P_V_mV_int16`` and ``P_I_pA_int16`` (sweep, time) with the values of
      one step, ``P_V_mV_lsb`` and ``P_I_pA_lsb``, and ``P_rate_hz``; the sweeps of a protocol are trials of one
      stimulus unless their currents differ.
    * ``.abf``: all sweeps, under "sweeps": the one voltage, and the current of its own channel, or the steps that the
      protocol commands (needs ``neurosim[neo]``).

    Parameters
    ----------
    path : the file. reader : name of its reader, where the ending does not tell.

    Returns
    -------
    by protocol, a Dataset of ``current`` (A) and ``voltage`` (V), (sweep, time).

    Raises
    ------
    StorageError : missing, truncated or unsafe file. InputError : another format, or missing arrays.

    Examples
    --------
    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "x.npz")
    ...     held = {"step_V_mV_int16": [[-700, -701]], "step_I_pA_int16": [[0, 5]]}
    ...     np.savez(path, **held, step_V_mV_lsb=0.1, step_I_pA_lsb=10.0, step_rate_hz=1e4)
    ...     sweeps = ns.recordings.load_sweeps(path)["step"]
    >>> sweeps.voltage.values.round(6).tolist()
    [[-0.07, -0.0701]]
    """
    path = storage.as_path(path, "load_sweeps")
    read = reader_of(path, "sweeps", "load_sweeps", reader).sweeps
    assert read is not None
    found = called(read)(path)
    assert isinstance(found, dict)
    return {name: check_sweeps(sweeps, path.name) for name, sweeps in found.items()}


def sweeps_of(content: dict[str, np.ndarray], name: str) -> dict[str, xr.Dataset]:
    """Return the sweeps by protocol that the arrays of an archive hold, see :func:`load_sweeps`."""
    protocols = [k.removesuffix("_rate_hz") for k in content if k.endswith("_rate_hz")]
    parts = ("V_mV_int16", "V_mV_lsb", "I_pA_int16", "I_pA_lsb")
    missing = [f"{p}_{part}" for p in protocols for part in parts if f"{p}_{part}" not in content]
    if missing or not protocols:
        raise InputError(f"{name}: no recording; missing {', '.join(missing[:4]) or 'P_rate_hz'} (see load_sweeps).")
    return {p: _protocol(content, p) for p in protocols}


def _protocol(content: dict[str, np.ndarray], name: str) -> xr.Dataset:
    voltage = content[f"{name}_V_mV_int16"] * (float(content[f"{name}_V_mV_lsb"]) * 1e-3)
    current = content[f"{name}_I_pA_int16"] * (float(content[f"{name}_I_pA_lsb"]) * 1e-12)
    step = 1 / float(content[f"{name}_rate_hz"])
    return as_sweeps(current, voltage, time_step=step, stimulus=said_of_current(current, name))


def said_of_current(current: np.ndarray, name: str) -> str | None:
    """Return `name`, the one stimulus of all sweeps (sweep, time), or None where their currents differ.

    >>> said_of_current(np.ones((2, 3)) * [0, 1, 0], "step"), said_of_current(np.diag([1.0, 2.0]), "steps")
    ('step', None)
    """
    repeated = len(current) == 1 or float(np.std(current - current[:1])) < 0.05 * float(np.std(current[0]))
    return name if repeated else None
