"""Step: the responses of one subject, one file a layer, for analyses that need more than RDMs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import xarray as xr

from neurosim import storage
from neurosim.registry import called
from neurosim.study.engine.step import Job

LAYERS = "layers.json"


def run(job: Job) -> None:
    """Write the responses of every layer, and ``layers.json``, which says in which file each layer is."""
    files: dict[str, str] = {}
    for layer, responses in answers(job):
        files[layer] = f"layer_{len(files):03d}.nc"
        storage.write_dataset(job.out / files[layer], responses.rename("responses"))
    storage.write_json(job.out / LAYERS, files, sort_keys=False)


def answers(job: Job) -> Iterator[tuple[str, xr.DataArray]]:
    """Yield the responses of a subject, one layer after the other; a network's activity is never held whole."""
    stimuli = storage.read_array(job.input("stimuli") / "stimuli.nc")
    found: Iterator[tuple[str, xr.DataArray]] = called(job.config["answers"])(job, stimuli)
    yield from found


def layers_in(folder: Path) -> Iterator[tuple[str, xr.DataArray]]:
    """Yield the layers that a step of responses left in `folder`."""
    for layer, file in storage.read_json(folder / LAYERS).items():
        yield layer, storage.read_array(folder / file)
