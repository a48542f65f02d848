"""A hand-built circuit as a subject, by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import xarray as xr
from pydantic import Field

from neurosim import storage
from neurosim.biophysics.circuits.gabor_adex import GaborAdExOptions, present
from neurosim.biophysics.named_circuits import CIRCUITS, build_circuit
from neurosim.biophysics.simulation import Monitors, simulate
from neurosim.stimuli.gabors import gabor_energy
from neurosim.stimuli.images import resize_images
from neurosim.study.engine.step import Job, Step
from neurosim.study.kinds import Citation, Source, SubjectKind
from neurosim.study.plan import Plan
from neurosim.study.subjects.recorded import split_by_layer
from neurosim.study.subjects.twin import BRIAN2
from neurosim.study.tables import Count, Table

GABOR_STEP = 1e-3
LARGEST_BIN = 10  # steps; the largest share of the duration up to it is the bin of spike counts
GABOR = (
    "Gabor energy",
    "Adelson EH, Bergen JR (1985) J Opt Soc Am A 2:284-299, https://doi.org/10.1364/JOSAA.2.000284",
)


class CircuitSubject(Table):
    """A hand-built circuit: Gabor energy as Poisson spikes onto AdEx neurons."""

    kind: Literal["circuit"] = "circuit"
    title: str = ""
    circuit: Literal["gabor_adex"]
    n_excitatory: Count = 128
    n_inhibitory: Count = 32
    wavelength: float = Field(default=4.0, gt=1, lt=1000)
    grid: Count = 4
    image_size: Count | None = None
    duration: float = Field(default=0.15, gt=0, le=10)
    n_trials: Count = 2
    max_probability: float = Field(default=0.3, gt=0, le=1)


def plan(row: CircuitSubject, name: str, made: Plan) -> Source:
    """Add the simulation."""
    work = "neurosim.study.subjects.circuit:run_simulation"
    simulated = Step(f"simulate:{name}", work, made.seeded(row, name), (made.stimuli(),), on_gpu=True)
    return Source({"name": name}, (made.add(simulated),), on_gpu=True)


def run_simulation(job: Job) -> None:
    """Write ``responses.nc``: spike counts in bins."""
    config = job.config
    stimuli = storage.read_array(job.input("stimuli") / "stimuli.nc")
    images = resize_images(stimuli, config["image_size"]) if config["image_size"] else stimuli
    energy = gabor_energy(images, wavelength=config["wavelength"], grid=config["grid"])
    drive = present(energy)
    options = GaborAdExOptions(
        n_excitatory=config["n_excitatory"],
        n_inhibitory=config["n_inhibitory"],
        duration=config["duration"],
        max_rate=config["max_probability"] / GABOR_STEP,
    )
    circuit = build_circuit("gabor_adex", drive.sizes["unit"], options, rng=config["seed"])
    n_steps = round(config["duration"] / circuit.step)
    in_bin = next(k for k in range(LARGEST_BIN, 0, -1) if n_steps % k == 0)
    kept = Monitors(time_bin=in_bin * circuit.step)
    responses = simulate(circuit, drive, trials=config["n_trials"], rng=config["seed"], monitors=kept, engine="brian2")
    assert isinstance(responses, xr.DataArray)
    storage.write_dataset(job.out / "responses.nc", responses.rename("responses"))


def answers(job: Job, _stimuli: xr.DataArray) -> Iterator[tuple[str, xr.DataArray]]:
    """Yield layer and responses."""
    yield from split_by_layer(storage.read_array(job.input("simulate:") / "responses.nc"))


def cite(row: CircuitSubject) -> list[Citation]:
    """Cite simulator, neurons and features."""
    return [BRIAN2, *((model.caption, model.reference) for model in CIRCUITS[row.circuit].uses), GABOR]


CIRCUIT = SubjectKind(
    name="circuit",
    table=CircuitSubject,
    plan=plan,
    answers="neurosim.study.subjects.circuit:answers",
    describe=lambda row: row.title or row.circuit,
    cite=cite,
)
