"""Axon Binary Format: sweeps of current clamp, the current from its own channel or from the steps of the protocol."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.recordings.reader import Reader
from neurosim.recordings.sweeps import said_of_current
from neurosim.schema import InputError, as_sweeps

STEP, EPOCHS = 1, 1  # an epoch of constant level; a waveform that is made of epochs
UNITS = 1346  # where version 1 keeps the units of its outputs, 8 letters each
TO_SI = {"V": 1.0, "mV": 1e-3, "uV": 1e-6, "A": 1.0, "nA": 1e-9, "pA": 1e-12, "uA": 1e-6}


def read_sweeps(path: Path) -> dict[str, xr.Dataset]:
    """Read all sweeps; the one voltage, and the one current, recorded or commanded."""
    try:
        axon = importlib.import_module("neo.io").AxonIO
    except ImportError as error:
        raise InputError("load_sweeps of .abf needs Neo: pip install 'neurosim[neo]'.") from error
    with storage.readable(storage.existing(path), "ABF"):
        reader = axon(str(path))
        block = reader.read_block()
    segments = block.segments
    if not segments or len({s.analogsignals[0].shape[0] for s in segments if s.analogsignals}) != 1:
        raise InputError(f"{path.name}: sweeps of one length asked; it has {len(segments)} of several lengths.")
    recorded = {name: np.stack([_channels(s)[name] for s in segments]) for name in _channels(segments[0])}
    voltages = [name for name in recorded if name[1].endswith("V")]
    currents = [name for name in recorded if name[1].endswith("A")]
    if len(voltages) != 1 or len(currents) > 1:
        found = ", ".join(f"{n} ({u})" for n, u in recorded)
        raise InputError(f"{path.name}: one channel of voltage and at most one of current asked, found {found}.")
    commanded = _units_of_outputs(reader._axon_info, storage.read_start(path, UNITS + 32))
    if "mV" in commanded and not any(unit.endswith("A") for unit in commanded):
        raise InputError(f"{path.name}: its command is in mV: voltage clamp, and current clamp is asked.")
    current = recorded[currents[0]] if currents else _commanded(reader, len(segments), path.name)
    voltage = recorded[voltages[0]]
    step = 1 / float(segments[0].analogsignals[0].sampling_rate.rescale("Hz").magnitude)
    return {"sweeps": as_sweeps(current, voltage, time_step=step, stimulus=said_of_current(current, "sweeps"))}


def _channels(segment: Any) -> dict[tuple[str, str], np.ndarray]:
    """Return the samples of every channel in V or A, by its name and unit; others as they are."""
    found = {}
    for signal in segment.analogsignals:
        unit = signal.dimensionality.string
        for k, name in enumerate(signal.array_annotations.get("channel_names", [signal.name] * signal.shape[1])):
            values = np.asarray(signal.magnitude[:, k], dtype=float)
            found[str(name), unit] = values * TO_SI.get(unit, 1.0)
    return found


def _units_of_outputs(info: Any, head: bytes) -> set[str]:
    """Return the units of what the protocol commands, of the header of a file and, in version 1, its first bytes."""
    if info["fFileVersionNumber"] < 2:
        units = [head[at : at + 8] for at in range(UNITS, UNITS + 8 * len(info["nWaveformEnable"]), 8)]
        on = [unit for unit, enabled in zip(units, info["nWaveformEnable"], strict=True) if enabled == 1]
    else:
        on = [dac["DACChUnits"] for dac in info.get("listDACInfo", []) if dac.get("nWaveformEnable")]
    return {unit.decode("ascii", "replace").strip("\0 ") for unit in on}


def _commanded(reader: Any, n_sweeps: int, name: str) -> np.ndarray:
    """Return the current (sweep, time), A, that the protocol commands, where it is made of steps alone."""
    info = reader._axon_info
    outputs = info.get("listDACInfo", [])
    asked = "record the command in a channel too, or use as_sweeps"
    active = [k for k, dac in enumerate(outputs) if dac.get("nWaveformEnable")]
    if len(active) != 1:
        raise InputError(f"{name}: the file holds no one command ({len(active)} outputs are on); {asked}.")
    (k,) = active
    epochs = info["dictEpochInfoPerDAC"].get(outputs[k]["nDACNum"], {})
    others = {int(e["nEpochType"]) for e in epochs.values()} - {0, STEP}
    listed = info["sections"].get("UserListSection", {}).get("llNumEntries", 0)
    if outputs[k]["nWaveformSource"] != EPOCHS or others or listed or outputs[k]["nInterEpisodeLevel"]:
        raise InputError(f"{name}: its command is more than steps (ramps, pulses, lists, a file); {asked}.")
    signals = [segment.analogsignals[k] for segment in reader.read_protocol()]
    unit = signals[0].dimensionality.string
    if unit not in TO_SI or not unit.endswith("A"):
        raise InputError(f"{name}: its command is in {unit}: no current clamp, which is asked.")
    command = np.stack([np.asarray(s.magnitude, dtype=float).reshape(-1) for s in signals]) * TO_SI[unit]
    if len(command) != n_sweeps:
        raise InputError(f"{name}: {n_sweeps} sweeps and {len(command)} commands; {asked}.")
    return command


ABF = Reader(
    name="abf",
    caption="sweeps of current clamp of pCLAMP",
    endings=(".abf",),
    sweeps=read_sweeps,
    extra="neo",
    citation="https://doi.org/10.3389/fninf.2014.00010",
)
