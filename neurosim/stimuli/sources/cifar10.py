"""CIFAR-10 photographs, by their official split."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from neurosim.stimuli.cifar10 import cifar10_checksum, cifar10_file, load_cifar10
from neurosim.stimuli.parts import PartOptions, Rng, of_parts, parts_read
from neurosim.stimuli.source import Source


def load(options: PartOptions, _rng: Rng) -> xr.DataArray:
    """Return a part of the photographs."""
    n = None if options.part == "all" else options.n
    return of_parts(lambda part: load_cifar10(part, n, in_turn=True), options, "cifar10")


def n_stimuli(options: PartOptions) -> int | None:
    """Return how many photographs are given, unless that depends on which copy is read."""
    return None if options.n_per_category is None else 10 * options.n_per_category


def files(options: PartOptions) -> dict[str, str]:
    """Return the checksums of the files that are read."""
    return dict(cifar10_checksum(part) for part in parts_read(options))


def check(options: PartOptions) -> None:
    """Fetch and verify them."""
    for part in parts_read(options):
        cifar10_file(part)


def sizes(_options: PartOptions) -> dict[str, int]:
    """Return the sizes of one stimulus."""
    return {"channel": 3, "y": 32, "x": 32}


def example(_folder: Path) -> PartOptions:
    """Ask for ten photographs."""
    return PartOptions(n_per_category=1)


CIFAR10 = Source(
    name="cifar10",
    caption="photographs of animals and vehicles, 32 x 32 pixels in colour",
    load=load,
    dims=("stimulus", "channel", "y", "x"),
    options=PartOptions,
    teaches=True,
    sizes=sizes,
    n_categories=10,
    n_test=2000,
    n_stimuli=n_stimuli,
    files=files,
    check=check,
    citation="Krizhevsky A (2009) Learning multiple layers of features from tiny images, "
    "https://www.cs.toronto.edu/~kriz/cifar.html",
    licence="free for research; cite the report",
    example=example,
)
