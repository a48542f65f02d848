"""DVS128 Gesture: eleven gestures of the hands and arms before an event camera, 29 persons in three lights."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neurosim import storage
from neurosim.event_arrays import EventSet, gathered, joined
from neurosim.stimuli.event_files import check_stream, read_aedat3
from neurosim.stimuli.event_set import EventData, file_in

HOME = "https://research.ibm.com/interactive/dvsgesture"
GESTURES = (
    "hand_clapping", "right_hand_wave", "left_hand_wave", "right_arm_clockwise", "right_arm_counter_clockwise",
    "left_arm_clockwise", "left_arm_counter_clockwise", "arm_roll", "air_drums", "air_guitar", "other_gestures",
)  # fmt: skip
SENSOR = {"channel": 2, "y": 128, "x": 128}
COLUMNS = ("class", "startTime_usec", "endTime_usec")


def files(folder: Path, split: str) -> list[Path]:
    """Return the list of a split, and the files of events and labels that it names."""
    listed = file_in(folder, f"trials_to_{split}.txt", HOME)
    names = [line.strip() for line in storage.read_text(listed).splitlines() if line.strip()]
    found = [listed]
    for name in names:
        found += [file_in(folder, name, HOME), file_in(folder, f"{Path(name).stem}_labels.csv", HOME)]
    if not names:
        raise storage.StorageError(f"load_events: {listed} names no file.")
    return found


def read(folder: Path, split: str) -> EventSet:
    """Return the trials of a split, one gesture each, their times from the begin of the gesture."""
    paths = files(folder, split)[1:]
    return joined([_trials(path, labels) for path, labels in zip(paths[::2], paths[1::2], strict=True)])


def _trials(path: Path, labels: Path) -> EventSet:
    times, where = read_aedat3(path)
    check_stream(times, path)
    trials = _labels(labels)
    own = [np.arange(*np.searchsorted(times, [begin, end])) for _, begin, end in trials]
    for k, (_, begin, end) in zip(own, trials, strict=True):
        if not len(k):
            raise storage.StorageError(
                f"load_events: {labels}: no event in a trial of {begin} to {end} us; {path.name} goes from {times[0]} "
                f"to {times[-1]} us."
            )
    since = np.concatenate([times[k] - begin for k, (_, begin, _) in zip(own, trials, strict=True)])
    places = {dim: values[np.concatenate(own)] for dim, values in where.items()}
    about = {
        "category": [GESTURES[g - 1] for g, _, _ in trials],
        "subject": [path.stem.partition("_")[0]] * len(trials),
    }
    ids = [f"{path.stem}_{k:02d}" for k in range(len(trials))]
    return gathered(since, places, [len(k) for k in own], SENSOR, ids, about, None, f"load_events: {path}")


def _labels(path: Path) -> list[tuple[int, int, int]]:
    """Return gesture, begin and end (us) of every trial of a file."""
    table = storage.read_table(path)
    if not set(COLUMNS) <= set(table.columns):
        raise storage.StorageError(
            f"load_events: {path}: columns {', '.join(COLUMNS)} asked, found {list(table.columns)}."
        )
    found = table[list(COLUMNS)].to_numpy()
    is_whole = found.dtype.kind in "iu" and len(found) > 0
    if not is_whole or found[:, 0].min() < 1 or found[:, 0].max() > len(GESTURES) or (found[:, 1] > found[:, 2]).any():
        raise storage.StorageError(
            f"load_events: {path}: a gesture outside 1..{len(GESTURES)}, or an end before its begin."
        )
    return [(int(a), int(b), int(c)) for a, b, c in found]


DVS_GESTURE = EventData(
    name="dvs_gesture",
    caption="gestures of hands and arms before an event camera of 128 x 128 pixels",
    read=read,
    files=files,
    splits=("train", "test"),
    sensor=SENSOR,
    n_categories=len(GESTURES),
    duration=6.0,
    citation="Amir A, Taba B, Berg D, et al. (2017) CVPR, https://doi.org/10.1109/CVPR.2017.781",
    licence="CC BY 4.0",
)
