"""The free spoken digits as spikes of the auditory nerve, by a simple model of the ear."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neurosim.event_arrays import EventSet
from neurosim.stimuli.cochlea import Cochlea, cochlea_spikes
from neurosim.stimuli.event_set import EventData, file_in
from neurosim.stimuli.sounds import FSDD_FILE, FSDD_HOME, FSDD_RATE, spoken_digit_sounds

EAR = Cochlea()


def files(folder: Path, _split: str) -> list[Path]:
    """Return the file of the sounds."""
    return [file_in(folder, FSDD_FILE, FSDD_HOME)]


def read(folder: Path, split: str) -> EventSet:
    """Return the sounds of a split, each scaled to a largest amplitude of 1, as spikes."""
    sounds, ids, labels = spoken_digit_sounds(split, files(folder, split)[0])
    scaled = [sound / max(float(np.abs(sound).max()), 1e-9) for sound in sounds]
    return cochlea_spikes(scaled, FSDD_RATE, EAR, ids=ids, labels=labels)


SPOKEN_DIGITS = EventData(
    name="spoken_digits",
    caption="the free spoken digits as spikes of 64 fibres of a simple model of the ear",
    read=read,
    files=files,
    splits=("train", "test"),
    sensor={"unit": EAR.n_units},
    n_categories=10,
    duration=0.8,
    citation="Jackson Z et al. (2018) Free Spoken Digit Dataset, https://doi.org/10.5281/zenodo.1342401; "
    "Slaney M (1993) Apple Technical Report 35",
    licence="CC BY-SA 4.0",
    folder="fsdd",
)
