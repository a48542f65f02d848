"""Files of NWB 1, as the Allen Institute wrote them: sweeps of the Cell Types, imaging of the Brain Observatory.

The layout is that which AllenSDK reads (https://doi.org/10.1038/s41593-019-0417-0, https://doi.org/10.1038/s41593-019-0550-9):
``epochs/Sweep_N`` with stimulus and response, and ``processing/brain_observatory_pipeline`` beside
``stimulus/presentation``. pynwb reads files from NWB 2 on.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.recordings.columns import as_text, shown
from neurosim.recordings.events import IN_OPTIONS, check_columns
from neurosim.recordings.nwb_content import by_protocol, check_pairs, si_unit, stacked
from neurosim.schema import InputError, suggest

if TYPE_CHECKING:
    import pandas as pd

PIPELINE = "processing/brain_observatory_pipeline"
IMAGING = ("DfOverF/imaging_plane_1", "Fluorescence/imaging_plane_1")  # (roi, time), where others are (time, ...)
CELLS = "ImageSegmentation/cell_specimen_ids"
SWEEP = re.compile(r"Sweep_([0-9]+)")
CONVERTED = (
    1,
    1,
)  # the pipeline from which on samples are to be multiplied; before, they are in SI units as they stand
UNIT_OF = {
    "CurrentClampStimulusSeries": "A",
    "VoltageClampStimulusSeries": "V",
    "CurrentClampSeries": "V",
    "VoltageClampSeries": "A",
}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Samples:
    """The samples of one side of a sweep, with the names that series of NWB 2 have."""

    name: str
    data: np.ndarray
    rate: float
    stimulus_description: str
    starting_time: float = 0.0
    conversion: float = 1.0
    offset: float = 0.0
    bias_current: float | None = None


def is_before_2(path: str | Path) -> bool:
    """Return whether an HDF5 file says that it is of a version of NWB before 2, which kept that as an array."""
    path = storage.as_path(path, "NWB")
    storage.check_hdf5(path, soft_links=True, any_size=True)
    with storage.readable(path, "NWB"), h5py.File(path, "r") as file:
        return isinstance(file.get("nwb_version"), h5py.Dataset)


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    with storage.readable(path, "NWB 1"), h5py.File(path, "r") as file:
        yield file


def _refused(file: h5py.File, path: Path, what: str) -> InputError:
    version = as_text(file["nwb_version"][()])
    return InputError(
        f"{path.name}: of {version}, holds no {what} that is read; of versions before 2 sweeps (epochs/Sweep_N) "
        f"and imaging ({PIPELINE}) of the Allen Institute are. Convert it to NWB 2, or read it by AllenSDK."
    )


# --- sweeps -------------------------------------------------------------------------------------------------------


def protocols_before_2(path: Path) -> dict[str, xr.Dataset]:
    """Read the current-clamp sweeps, by the name of their stimulus where they differ in length or rate.

    What was recorded after the end of the experiment of a sweep, as where a ramp was stopped, is left out; the test
    pulse before it stays. Sweeps of voltage clamp are left out, and counted in the log.
    """
    with _opened(path) as file:
        epochs = file.get("epochs", {})
        numbers = sorted(int(found[1]) for name in epochs if (found := SWEEP.fullmatch(name)))
        if not numbers:
            raise _refused(file, path, "sweeps")
        storage.check_claim(sum(_claimed(epochs[f"Sweep_{n}"]) for n in numbers), f"{path.name}: the array of sweeps")
        pairs = [pair for n in numbers if (pair := _sweep(file, n, path.name)) is not None]
        if len(pairs) < len(numbers):
            log.warning("%s: %d of %d sweeps are of voltage clamp.", path.name, len(numbers) - len(pairs), len(numbers))
        if not pairs:
            raise _refused(file, path, "current clamp")
        subject = file.get("general/subject/subject_id")
        about = {} if subject is None else {"subject": as_text(subject[()])}
    check_pairs(pairs, path.name)
    return {name: stacked(held, about) for name, held in by_protocol(pairs).items()}


def _claimed(sweep: h5py.Group) -> int:
    return sum(8 * int(sweep[side]["timeseries"]["data"].size) for side in ("stimulus", "response"))


def _sweep(file: h5py.File, number: int, name: str) -> tuple[_Samples, _Samples] | None:
    """Return the voltage and the current of a sweep, in SI units; None in voltage clamp."""
    held = file[f"epochs/Sweep_{number}"]
    data = {side: held[side]["timeseries"]["data"] for side in ("response", "stimulus")}
    units = {side: si_unit(_unit(held[side]["timeseries"])) for side in data}
    if units["stimulus"][0] == "V":
        return None
    if (units["stimulus"][0], units["response"][0]) != ("A", "V"):
        raise InputError(
            f"{name}: Sweep_{number} has a stimulus in {units['stimulus'][0]!r} and a response in "
            f"{units['response'][0]!r}; A and V asked."
        )
    end = None
    if f"epochs/Experiment_{number}" in file:
        experiment = file[f"epochs/Experiment_{number}/stimulus"]
        end = int(experiment["idx_start"][()]) + int(experiment["count"][()])
    said = file.get(f"stimulus/presentation/Sweep_{number}/aibs_stimulus_name")
    sides = []
    for side, d in data.items():
        conversion = float(d.attrs.get("conversion", 1.0)) if _pipeline(file) >= CONVERTED else 1.0
        sides.append(
            _Samples(
                f"Sweep_{number}",
                np.asarray(d[:end], dtype=float) * conversion * units[side][1],
                float(np.ravel(held[side]["timeseries"]["starting_time"].attrs["rate"])[0]),
                "sweeps" if said is None else as_text(said[()]),
            )
        )
    return sides[0], sides[1]


def _unit(series: h5py.Group) -> str:
    """Return the unit of a series: what it says or, where it says none, that of its kind."""
    said = as_text(series["data"].attrs.get("unit", b""))
    kinds = {as_text(kind) for kind in np.ravel(series.attrs.get("ancestry", []))}
    return said or next((unit for kind, unit in UNIT_OF.items() if kind in kinds), "?")


def _pipeline(file: h5py.File) -> tuple[int, int]:
    """Return the version of the pipeline that made a file, (0, 0) where it is not said: keys and values in turn."""
    said = [as_text(v) for v in np.ravel(file["general/generated_by"][()])] if "general/generated_by" in file else []
    version = said[said.index("version") + 1] if "version" in said[:-1] else ""
    found = re.match(r"([0-9]+)\.([0-9]+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)


# --- imaging ------------------------------------------------------------------------------------------------------


def series_before_2(path: Path, name: str | None) -> xr.DataArray:
    """Read a series (time, unit) of the pipeline: ``DfOverF`` or ``Fluorescence`` of the cells, ``running_speed``.

    Cells are called by their ``cell_specimen_ids``.
    """
    with _opened(path) as file:
        known = _series(file)
        if not known:
            raise _refused(file, path, "series")
        if name is None and len(known) == 1:
            name = next(iter(known))
        if not isinstance(name, str) or name not in known:
            raise InputError(
                f"{path.name}: no series {shown(name)}. Series: {', '.join(known)}.{suggest(str(name), known)}"
            )
        group = known[name]
        storage.check_claim(8 * int(group["data"].size), f"{path.name}: the series {name}")
        values, clock = np.asarray(group["data"][()], dtype=float), np.asarray(group["timestamps"][()], dtype=float)
        values = values.reshape(len(values), -1)
        is_imaging = any(group.name.endswith(place) for place in IMAGING)
        values = values.T if is_imaging else values
        if values.shape[0] != len(clock):
            raise InputError(f"{path.name}: {name} has {values.shape[0]} samples and {len(clock)} time stamps.")
        cells = f"{PIPELINE}/{CELLS}"
        names = [str(int(c)) for c in file[cells][()]] if is_imaging and cells in file else range(values.shape[1])
        unit = as_text(group["data"].attrs.get("unit", b"")) or "1"
    coords = {"time": clock, "unit": np.array(list(map(str, names)))}
    attrs = {"quantity": "activation", "units": unit}
    return xr.DataArray(values, dims=("time", "unit"), coords=coords, name=name, attrs=attrs)


def _series(file: h5py.File) -> dict[str, h5py.Group]:
    """Return the series of the pipeline by name: that of the module where it holds one plane, else of the series."""
    found = {}
    for place, module in file.get(PIPELINE, {}).items():
        for name, group in module.items() if isinstance(module, h5py.Group) else ():
            if isinstance(group, h5py.Group) and {"data", "timestamps"} <= set(group):
                found[place if name == "imaging_plane_1" else name] = group
    return found


def events_before_2(path: Path, name: str | None, needs: tuple[str, str]) -> pd.DataFrame:
    """Return the presentations of a stimulus: ``start_time`` and ``stop_time``, s, with the features of each.

    Frames of the camera, which say when, are put on its clock. Of pictures and movies ``frame`` says which was shown.
    Presentations without a value in `needs`, such as blank ones, are left out, and counted in the log.
    """
    import pandas as pd

    with _opened(path) as file:
        group = file.get("stimulus/presentation", {})
        known = {k.removesuffix("_stimulus"): g for k, g in group.items() if {"data", "frame_duration"} <= set(g)}
        known.pop("spontaneous", None)  # begins and ends, and shows nothing
        if not known or f"{PIPELINE}/DfOverF/imaging_plane_1/timestamps" not in file:
            raise _refused(file, path, "stimuli beside imaging")
        name = next(iter(known)) if name is None and len(known) == 1 else name
        if not isinstance(name, str) or name not in known:
            asked = "several stimuli" if name is None else f"no intervals {shown(name)}"
            choice = f"choose one with intervals=: {', '.join(known)}"
            raise InputError(f"{path.name}: holds {asked}; {choice}.{suggest(str(name), known)}")
        held = known[name]
        clock = np.asarray(file[f"{PIPELINE}/DfOverF/imaging_plane_1/timestamps"][()], dtype=float)
        frames = np.asarray(held["frame_duration"][()]).astype(int)[:, :2]
        if frames.min(initial=0) < 0 or frames.max(initial=0) >= len(clock):
            raise InputError(f"{path.name}: {name} is shown at frames that the camera does not have.")
        data = np.asarray(held["data"][()])
        features = [as_text(f) for f in held["features"][()]] if "features" in held else ["frame"]
        table = pd.DataFrame(data.reshape(len(data), -1), columns=features)
    table = table.assign(start_time=clock[frames[:, 0]], stop_time=clock[frames[:, 1]])
    by, align_to = needs
    check_columns(list(table), align_to, by, f"{path.name}, {name}", IN_OPTIONS)
    known_rows = table.dropna(subset=list(needs))
    if len(known_rows) < len(table):
        lost, of = len(table) - len(known_rows), " or ".join(needs)
        log.warning("%s: %d of %d %s have no %s.", path.name, lost, len(table), name, of)
    return known_rows
