"""The Heidelberg sets: spoken digits (SHD) and speech commands (SSC) by a model of the ear, 700 nerve fibres."""

from __future__ import annotations

from pathlib import Path

from neurosim.event_arrays import EventSet
from neurosim.stimuli.event_files import read_spike_lists
from neurosim.stimuli.event_set import EventData, file_in

HOME = "https://zenkelab.org/datasets/"
ENDINGS = {"train": "train", "validation": "valid", "test": "test"}
N_UNITS = 700
CITATION = (
    "Cramer B, Stradmann Y, Schemmel J, Zenke F (2022) IEEE Trans Neural Netw Learn Syst 33:2744, "
    "https://doi.org/10.1109/TNNLS.2020.3044364"
)


def files(folder: Path, name: str, split: str) -> list[Path]:
    """Return the one file of a split."""
    return [file_in(folder, f"{name}_{ENDINGS[split]}.h5", HOME)]


def read(folder: Path, name: str, split: str) -> EventSet:
    """Return the recordings of a split."""
    return read_spike_lists(files(folder, name, split)[0], N_UNITS, "load_events")


SHD = EventData(
    name="shd",
    caption="spoken digits, English and German, as spikes of 700 fibres of a model of the ear",
    read=lambda folder, split: read(folder, "shd", split),
    files=lambda folder, split: files(folder, "shd", split),
    splits=("train", "test"),
    sensor={"unit": N_UNITS},
    n_categories=20,
    duration=1.0,
    citation=CITATION,
    licence="CC BY 4.0",
)
SSC = EventData(
    name="ssc",
    caption="speech commands as spikes of 700 fibres of a model of the ear",
    read=lambda folder, split: read(folder, "ssc", split),
    files=lambda folder, split: files(folder, "ssc", split),
    splits=("train", "validation", "test"),
    sensor={"unit": N_UNITS},
    n_categories=35,
    duration=1.0,
    citation=CITATION,
    licence="CC BY 4.0",
)
