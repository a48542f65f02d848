"""The scanned digits of scikit-learn."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from neurosim.stimuli.images import load_digits
from neurosim.stimuli.parts import PartOptions, Rng, part_of, size_of
from neurosim.stimuli.source import Source


def load(options: PartOptions, rng: Rng) -> xr.DataArray:
    """Return a part of the digits."""
    return part_of(load_digits(), options, rng, "digits")


def n_stimuli(options: PartOptions) -> int:
    """Return how many digits are given."""
    return size_of(options, 10, {"train": 1438, "test": 359})


def sizes(_options: PartOptions) -> dict[str, int]:
    """Return the sizes of one stimulus."""
    return {"y": 8, "x": 8}


def example(_folder: Path) -> PartOptions:
    """Ask for twenty digits."""
    return PartOptions(n_per_category=2)


DIGITS = Source(
    name="digits",
    caption="scanned handwritten digits, 8 x 8 pixels",
    load=load,
    dims=("stimulus", "y", "x"),
    options=PartOptions,
    teaches=True,
    sizes=sizes,
    n_categories=10,
    n_stimuli=n_stimuli,
    citation="Alpaydin E, Kaynak C (1998) Optical recognition of handwritten digits, https://doi.org/10.24432/C50P49",
    licence="CC BY 4.0",
    example=example,
)
