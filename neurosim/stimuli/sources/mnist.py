"""Handwritten digits of MNIST, by its official split."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from neurosim.stimuli.mnist import FILES, load_mnist, mnist_file
from neurosim.stimuli.parts import PartOptions, Rng, of_parts, parts_read, size_of
from neurosim.stimuli.source import Source


def load(options: PartOptions, _rng: Rng) -> xr.DataArray:
    """Return a part of the digits."""
    return of_parts(load_mnist, options, "mnist")


def n_stimuli(options: PartOptions) -> int:
    """Return how many digits are given."""
    return size_of(options, 10, {"train": 60000, "test": 10000})


def files(options: PartOptions) -> dict[str, str]:
    """Return the checksums of the files that are read."""
    return dict(FILES[part] for part in parts_read(options))


def check(options: PartOptions) -> None:
    """Verify them."""
    for part in parts_read(options):
        mnist_file(part)


def sizes(_options: PartOptions) -> dict[str, int]:
    """Return the sizes of one stimulus."""
    return {"y": 28, "x": 28}


def example(_folder: Path) -> PartOptions:
    """Ask for twenty digits."""
    return PartOptions(n_per_category=2)


MNIST = Source(
    name="mnist",
    caption="handwritten digits, 28 x 28 pixels",
    load=load,
    dims=("stimulus", "y", "x"),
    options=PartOptions,
    teaches=True,
    sizes=sizes,
    n_categories=10,
    n_stimuli=n_stimuli,
    files=files,
    check=check,
    citation="LeCun Y, Bottou L, Bengio Y, Haffner P (1998) Proceedings of the IEEE 86:2278-2324, "
    "https://doi.org/10.1109/5.726791",
    licence="CC BY-SA 3.0",
    example=example,
)
