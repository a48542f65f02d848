"""Recordings from inside neurons, from files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.recordings.columns import seconds
from neurosim.recordings.nwb import load_nwb_sweeps
from neurosim.schema import InputError, as_sweeps, check_step, check_sweeps


def load_sweeps(path: str | Path) -> dict[str, xr.Dataset]:
    """Read current-clamp recordings from a file, by the name of the protocol.

    * ``.nwb``: all sweeps, under the name "sweeps".
    * ``.nc``: a Dataset with ``current`` and ``voltage`` (sweep, time), as ``as_sweeps`` makes it, under "sweeps".
    * ``.npz``: for every protocol P the arrays ``P_V_mV_int16`` and ``P_I_pA_int16`` (sweep, time) with the values of
      one step, ``P_V_mV_lsb`` and ``P_I_pA_lsb``, and ``P_rate_hz``; the sweeps of a protocol are trials of one
      stimulus unless their currents differ.

    Parameters
    ----------
    path : the file.

    Raises
    ------
    StorageError : missing, truncated or unsafe file. InputError : another format, or missing arrays.
    """
    path = storage.as_path(path, "load_sweeps")
    ending = path.suffix.lower()
    if ending == ".nwb":
        return {"sweeps": load_nwb_sweeps(path)}
    if ending == ".nc":
        sweeps = check_sweeps(storage.read_dataset(path), path.name)
        if "time" in sweeps.coords:
            clock = seconds(sweeps["time"], path.name, "times of the sweeps")
            check_step(clock, float(sweeps.attrs["time_step"]), path.name)
        return {"sweeps": sweeps}
    if ending == ".npz":
        with storage.readable(path, "npz of sweeps"):
            return _from_npz(path)
    raise InputError(f"load_sweeps: {path.name} ends in {path.suffix!r}; known: .nwb, .nc, .npz.")


def _from_npz(path: Path) -> dict[str, xr.Dataset]:
    content = storage.read_npz(path)
    protocols = [k.removesuffix("_rate_hz") for k in content if k.endswith("_rate_hz")]
    parts = ("V_mV_int16", "V_mV_lsb", "I_pA_int16", "I_pA_lsb")
    missing = [f"{p}_{part}" for p in protocols for part in parts if f"{p}_{part}" not in content]
    if missing or not protocols:
        raise InputError(
            f"{path.name}: no recording; missing {', '.join(missing[:4]) or 'P_rate_hz'} (see load_sweeps)."
        )
    return {p: _protocol(content, p) for p in protocols}


def _protocol(content: dict[str, np.ndarray], name: str) -> xr.Dataset:
    voltage = content[f"{name}_V_mV_int16"] * (float(content[f"{name}_V_mV_lsb"]) * 1e-3)
    current = content[f"{name}_I_pA_int16"] * (float(content[f"{name}_I_pA_lsb"]) * 1e-12)
    repeated = len(current) == 1 or float(np.std(current - current[:1])) < 0.05 * float(np.std(current[0]))
    return as_sweeps(
        current, voltage, time_step=1 / float(content[f"{name}_rate_hz"]), stimulus=name if repeated else None
    )
