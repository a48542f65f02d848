"""N-MNIST: digits seen by a moving event camera."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import xarray as xr

from neurosim import storage
from neurosim.stimuli.events import NMNIST_FILE, load_nmnist, nmnist_file
from neurosim.stimuli.parts import PartOptions, Rng, part_of, size_of
from neurosim.stimuli.source import Source


@dataclass(frozen=True)
class NMNISTOptions(PartOptions):
    """Which recordings are given, and how.

    Parameters
    ----------
    part, n_per_category, n : see :class:`~neurosim.stimuli.parts.PartOptions`.
    n_steps : number of equal bins of the 0.3 s of a recording.
    binary : 1 where a pixel had any event of that sign in the bin; otherwise the number of events.
    """

    n_steps: int = 30
    binary: bool = True


def load(options: NMNISTOptions, rng: Rng) -> xr.DataArray:
    """Return a part of the recordings."""
    return part_of(load_nmnist(n_steps=options.n_steps, binary=options.binary), options, rng, "nmnist")


def n_stimuli(options: NMNISTOptions) -> int | None:
    """Return how many recordings are given, where that is asked for."""
    return None if options.n_per_category is None else size_of(options, 10, {})


def files(_options: NMNISTOptions) -> dict[str, str]:
    """Return the checksum of the file."""
    return {NMNIST_FILE: storage.sha256(nmnist_file())}


def sizes(options: NMNISTOptions) -> dict[str, int]:
    """Return the sizes of one stimulus."""
    return {"time": options.n_steps, "channel": 2, "y": 34, "x": 34}


def example(_folder: Path) -> NMNISTOptions:
    """Ask for ten recordings of five steps."""
    return NMNISTOptions(n_per_category=1, n_steps=5)


NMNIST = Source(
    name="nmnist",
    caption="events of a camera that moves before handwritten digits, 34 x 34 pixels, off and on",
    load=load,
    dims=("stimulus", "time", "channel", "y", "x"),
    options=NMNISTOptions,
    teaches=True,
    sizes=sizes,
    n_categories=10,
    n_stimuli=n_stimuli,
    files=files,
    citation="Orchard G, Jayawant A, Cohen GK, Thakor N (2015) Frontiers in Neuroscience 9:437, "
    "https://doi.org/10.3389/fnins.2015.00437",
    licence="CC BY-SA 4.0",
    example=example,
)
