"""A circuit as a subject: one that is registered by name, or any circuit in a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import xarray as xr
from pydantic import Field

from neurosim import storage
from neurosim.biophysics import circuit_files, named_circuits, simulation
from neurosim.schema import InputError
from neurosim.stimuli.gabors import gabor_energy
from neurosim.stimuli.images import resize_images, to_gray
from neurosim.stimuli.source import SOURCES
from neurosim.study.citations import BRIAN2
from neurosim.study.engine.step import Job, Step
from neurosim.study.given import PlanLike, Source, StudyLike
from neurosim.study.kinds import Citation, SubjectKind
from neurosim.study.steps.blocks import in_blocks, write_answers
from neurosim.study.steps.responses import places_of
from neurosim.study.subjects.recorded import check_layers, split_by_layer
from neurosim.study.tables import Count, Layers, Several, StudyError, Table, as_row, one_of

if TYPE_CHECKING:
    from neurosim.biophysics.circuit import Circuit

LARGEST_BIN = 10  # steps; the largest share of the duration up to it is the bin of spike counts
GABOR = (
    "Gabor energy",
    "Adelson EH, Bergen JR (1985) J Opt Soc Am A 2:284-299, https://doi.org/10.1364/JOSAA.2.000284",
)


class CircuitSubject(Table):
    """A circuit, by the name of a registered one with its `options`, or in a file that ``save_circuit`` wrote.

    Pictures reach it as `encoder` says: "gabor_energy" of `wavelength` pixels on a `grid`; "luminance": in grey, pixel
    by pixel; "none": unit by unit; each from pictures resized to `image_size`. A registered circuit brings its own. In
    `blocks`, each of some of the stimuli, the simulation is spread over as many steps; the answers are the same bytes.

    Examples
    --------
    >>> ns.study.CircuitSubject(circuit="gabor_adex", options={"n_excitatory": 64}).n_trials
    2
    """

    kind: Literal["circuit"] = "circuit"
    title: str = ""
    circuit: str | None = None
    path: Path | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    encoder: Literal["none", "gabor_energy", "luminance"] | None = None
    wavelength: float = Field(default=4.0, gt=1, lt=1000)
    grid: Count = 4
    image_size: Count | None = None
    n_trials: Count = 2
    layers: Layers | None = None
    layer_steps: Several = 1
    blocks: Several = 1


def check(row: CircuitSubject, place: str, study: StudyLike) -> None:
    """Refuse a circuit, option or layer that is not known, two circuits or none, and pictures below the grid."""
    if (row.circuit is None) == (row.path is None):
        raise StudyError(f"{place}: the name of a circuit or the path of a circuit file asked, one of the two.")
    if row.circuit is not None:
        if row.circuit not in named_circuits.CIRCUITS and Path(row.circuit).suffix:
            raise StudyError(f"{place}.circuit = {row.circuit!r} looks like a file; name a circuit file by path = ....")
        one_of(row.circuit, tuple(named_circuits.CIRCUITS), f"{place}.circuit")
        record = named_circuits.CIRCUITS[row.circuit]
        options: Any = as_row(record.options, row.options, f"{place}.options")
        if record.layers is not None:
            check_layers(row.layers, record.layers(options), place)
    elif row.options:
        raise StudyError(f"{place}: options are of circuits by name; a circuit in a file is as it is.")
    if _encoder(row.circuit, row.encoder) == "gabor_energy":
        _check_pictures(row, place, study)


def _check_pictures(row: CircuitSubject, place: str, study: StudyLike) -> None:
    """Refuse stimuli that have no Gabor energy: no pictures, or fewer pixels than places of the grid."""
    source = SOURCES.get(study.stimuli.source)
    if source is not None and source.dims and not {"y", "x"} <= set(source.dims):
        raise StudyError(f"{place}: Gabor energy is of pictures, and the stimuli have dims {source.dims}.")
    sizes = source.sizes(study.stimuli) if source is not None and source.sizes else {}
    side = row.image_size or min((sizes[d] for d in ("y", "x") if d in sizes), default=row.grid)
    if side < row.grid:
        raise StudyError(
            f"{place}: pictures of {side} x {side} pixels are smaller than the grid {row.grid} x {row.grid} of Gabor "
            "energies; a larger image_size or a smaller grid is asked."
        )


def check_files(row: CircuitSubject, name: str, folder: Path) -> None:
    """Read the circuit file, so that what is wrong with it is said before anything runs."""
    if row.path is not None:
        circuit = circuit_files.load_circuit(folder / row.path)
        circuit.only_input(f"subjects.{name}")
        check_layers(row.layers, [population.name for population in circuit.populations], f"subjects.{name}")


def plan(row: CircuitSubject, name: str, made: PlanLike) -> Source:
    """Add the simulation."""
    work = "neurosim.study.subjects.circuit:run_simulation"
    checksums, places = made.files(row)
    config = made.seeded(row, name, "layers", "blocks", "layer_steps") | {"files": checksums}
    simulated = in_blocks(
        made, Step(f"simulate:{name}", work, config, (made.stimuli(),), places, on_gpu=True), row.blocks
    )
    return Source({"name": name, "layers": row.layers}, (simulated,), on_gpu=True)


def run_simulation(job: Job) -> None:
    """Write ``responses.nc``: spike counts in bins, to all stimuli or to those of a block."""
    config = job.config
    drive = _encoded(storage.read_array(job.input("stimuli") / "stimuli.nc"), config)
    circuit = _circuit(job, drive)
    shown = circuit.only_input(config["name"])
    n_steps = drive.sizes["time"] if "time" in drive.dims else round((shown.duration or 0.0) / circuit.step)
    if not n_steps:
        raise InputError(f"{config['name']}: the circuit takes spikes over time, and the stimuli have no time.")
    in_bin = next(k for k in range(LARGEST_BIN, 0, -1) if n_steps % k == 0)
    kept = simulation.Monitors(time_bin=in_bin * circuit.step)
    how = {"trials": config["n_trials"], "rng": config["seed"], "monitors": kept, "engine": "brian2"}
    write_answers(job, drive, lambda shown: simulation.simulate(circuit, shown, **how))


def answers(job: Job, _stimuli: xr.DataArray) -> Iterator[tuple[str, xr.DataArray]]:
    """Yield layer and responses."""
    found = storage.read_array(job.input("simulate:") / "responses.nc")
    yield from split_by_layer(found, job.config["row"]["layers"], job.config["name"], places_of(job))


def _circuit(job: Job, drive: xr.DataArray) -> Circuit:
    name = job.config["circuit"]
    if name is None:
        return circuit_files.load_circuit(job.files["path"])
    options: Any = as_row(named_circuits.CIRCUITS[name].options, job.config["options"], name)
    return named_circuits.build_circuit(name, drive.sizes["unit"], options, rng=job.config["seed"])


def _encoder(circuit: str | None, asked: str | None) -> str:
    """Return what makes input units of pictures: what is asked, or else what the circuit brings."""
    return asked or (named_circuits.CIRCUITS[circuit].encoder if circuit else "") or "none"


def _encoded(stimuli: xr.DataArray, config: dict[str, Any]) -> xr.DataArray:
    """Return stimuli as the input of the circuit takes them."""
    record = named_circuits.CIRCUITS[config["circuit"]] if config["circuit"] else None
    encoder = _encoder(config["circuit"], config["encoder"])
    images = resize_images(stimuli, config["image_size"]) if config["image_size"] else stimuli
    if encoder == "luminance" and "y" in images.dims:
        images = to_gray(images)
    if encoder == "gabor_energy":
        images = gabor_energy(images, wavelength=config["wavelength"], grid=config["grid"])
    elif "y" in images.dims:
        images = images.stack(unit=[d for d in images.dims if d not in ("stimulus", "time")], create_index=False)
    return record.present(images) if record else images


def cite(row: CircuitSubject) -> list[Citation]:
    """Cite simulator, neurons and features."""
    if row.circuit is None:
        return [BRIAN2]
    record = named_circuits.CIRCUITS[row.circuit]
    found = [BRIAN2, *((model.caption, model.reference) for model in record.uses)]
    found += [(record.caption, record.reference)] if record.reference else []
    return found + ([GABOR] if record.encoder == "gabor_energy" else [])


CIRCUIT = SubjectKind(
    name="circuit",
    table=CircuitSubject,
    plan=plan,
    answers="neurosim.study.subjects.circuit:answers",
    layers_follow=False,
    describe=lambda row: row.title or row.circuit or f"circuit in {Path(row.path or '').name}",
    check=check,
    check_files=check_files,
    cite=cite,
    learns_here=lambda row: row.path is None,
)
