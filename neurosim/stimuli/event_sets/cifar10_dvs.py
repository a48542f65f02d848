"""CIFAR10-DVS: photographs of CIFAR-10 that move before an event camera."""

from __future__ import annotations

from pathlib import Path

from neurosim import storage
from neurosim.event_arrays import EventSet, gathered, joined
from neurosim.stimuli.cifar10 import CATEGORIES
from neurosim.stimuli.event_files import check_stream, read_aedat2
from neurosim.stimuli.event_set import EventData

HOME = "https://doi.org/10.6084/m9.figshare.4724671"
SIDE = 128
SENSOR = {"channel": 2, "y": SIDE, "x": SIDE}


def files(folder: Path, _split: str) -> list[Path]:
    """Return the files of all photographs, one folder a category."""
    storage.check_links(folder)
    found = {name: sorted(folder.glob(f"{name}/*.aedat")) for name in CATEGORIES}
    missing = [name for name, paths in found.items() if not paths]
    if missing:
        raise storage.StorageError(f"load_events: {folder} lacks {missing[0]}/*.aedat, which comes from {HOME}.")
    return [path for paths in found.values() for path in paths]


def read(folder: Path, split: str) -> EventSet:
    """Return all recordings, their times from the first event."""
    return joined([_recording(path) for path in files(folder, split)])


def _recording(path: Path) -> EventSet:
    times, places = read_aedat2(path, SIDE)
    check_stream(times, path)
    about = {"category": [path.parent.name]}
    since = times - times[:1].sum()
    return gathered(since, places, [len(times)], SENSOR, [path.stem], about, None, f"load_events: {path}")


CIFAR10_DVS = EventData(
    name="cifar10_dvs",
    caption="photographs of CIFAR-10 that move before an event camera of 128 x 128 pixels",
    read=read,
    files=files,
    splits=("all",),
    sensor=SENSOR,
    n_categories=len(CATEGORIES),
    duration=1.3,
    citation="Li H, Liu H, Ji X, Li G, Shi L (2017) Frontiers in Neuroscience 11:309, "
    "https://doi.org/10.3389/fnins.2017.00309",
    licence="CC BY 4.0",
)
