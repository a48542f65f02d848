"""The free spoken digits, by their official split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import xarray as xr

from neurosim import storage
from neurosim.stimuli.parts import PartOptions, Rng, of_parts, size_of
from neurosim.stimuli.sounds import FSDD_FILE, load_spoken_digits, spoken_digits_file
from neurosim.stimuli.source import Source


@dataclass(frozen=True)
class SpokenDigitsOptions(PartOptions):
    """Which recordings are given, and how.

    Parameters
    ----------
    part, n_per_category, n : see :class:`~neurosim.stimuli.parts.PartOptions`.
    n_bands, time_step : number of bands and distance of two windows (s) of the spectrograms.
    duration : s; longer sounds are cut, shorter ones filled.
    """

    n_bands: int = 40
    time_step: float = 10e-3
    duration: float = 0.8


def load(options: SpokenDigitsOptions, _rng: Rng) -> xr.DataArray:
    """Return a part of the recordings."""

    def read(part: str) -> xr.DataArray:
        return load_spoken_digits(part, n_bands=options.n_bands, time_step=options.time_step, duration=options.duration)

    return of_parts(read, options, "spoken_digits")


def n_stimuli(options: SpokenDigitsOptions) -> int:
    """Return how many recordings are given."""
    return size_of(options, 10, {"train": 2700, "test": 300})


def files(_options: SpokenDigitsOptions) -> dict[str, str]:
    """Return the checksum of the file."""
    return {FSDD_FILE: storage.sha256(spoken_digits_file())}


def sizes(options: SpokenDigitsOptions) -> dict[str, int]:
    """Return the sizes of one stimulus."""
    return {"time": round(options.duration / options.time_step), "unit": options.n_bands}


def example(_folder: Path) -> SpokenDigitsOptions:
    """Ask for ten recordings of eight bands."""
    return SpokenDigitsOptions(n_per_category=1, n_bands=8)


SPOKEN_DIGITS = Source(
    name="spoken_digits",
    caption="spectrograms of spoken digits",
    load=load,
    dims=("stimulus", "time", "unit"),
    options=SpokenDigitsOptions,
    teaches=True,
    sizes=sizes,
    n_categories=10,
    n_stimuli=n_stimuli,
    files=files,
    citation="Jackson Z et al. (2018) Free Spoken Digit Dataset, https://doi.org/10.5281/zenodo.1342401",
    licence="CC BY-SA 4.0",
    example=example,
)
