"""N-MNIST as it was published: one file of five bytes an event for each digit, in Train/0 ... Test/9."""

from __future__ import annotations

from pathlib import Path

from neurosim import storage
from neurosim.event_arrays import EventSet, gathered, joined
from neurosim.stimuli.event_files import check_stream, read_five_bytes
from neurosim.stimuli.event_set import EventData
from neurosim.stimuli.events import DURATION, SIDE

HOME = "https://www.garrickorchard.com/datasets/n-mnist"
FOLDERS = {"train": "Train", "test": "Test"}
SENSOR = {"channel": 2, "y": SIDE, "x": SIDE}


def files(folder: Path, split: str) -> list[Path]:
    """Return the files of a split, digit by digit."""
    place = folder / FOLDERS[split]
    found = [sorted(place.glob(f"{digit}/*.bin")) for digit in range(10)]
    if not all(found):
        raise storage.StorageError(f"load_events: {place} lacks files in 0 ... 9, which come from {HOME}.")
    storage.check_links(place)
    return [path for paths in found for path in paths]


def read(folder: Path, split: str) -> EventSet:
    """Return the recordings of a split."""
    return joined([_recording(path, split) for path in files(folder, split)])


def _recording(path: Path, split: str) -> EventSet:
    times, places = read_five_bytes(path)
    check_stream(times, path)
    about, ids = {"category": [path.parent.name]}, [f"{split}_{path.parent.name}_{path.stem}"]
    return gathered(times, places, [len(times)], SENSOR, ids, about, None, f"load_events: {path}")


NMNIST = EventData(
    name="nmnist",
    caption="handwritten digits before an event camera that moves, 34 x 34 pixels",
    read=read,
    files=files,
    splits=("train", "test"),
    sensor=SENSOR,
    n_categories=10,
    duration=DURATION,
    citation="Orchard G, Jayawant A, Cohen GK, Thakor N (2015) Frontiers in Neuroscience 9:437, "
    "https://doi.org/10.3389/fnins.2015.00437",
    licence="CC BY-SA 4.0",
)
