"""The Brian2 twin of a trained spiking network as a subject, on any rung of the ladder of realism."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import xarray as xr
from pydantic import Field

from neurosim import bridge, storage
from neurosim.biophysics import calibration, circuit_files, ladder, retuning, simulation
from neurosim.lessons import look_at
from neurosim.networks import recording
from neurosim.networks.architecture import ARCHITECTURES, Network, Specification
from neurosim.runtime import seed_of
from neurosim.schema import InputError
from neurosim.study.citations import BRIAN2, NIR
from neurosim.study.engine.step import Job, Step
from neurosim.study.given import PlanLike, Source, StudyLike
from neurosim.study.instances import instances_in
from neurosim.study.kinds import Citation, SubjectKind, TableOfNumbers, Told
from neurosim.study.results import Results
from neurosim.study.steps.blocks import in_blocks, write_answers
from neurosim.study.steps.responses import places_of
from neurosim.study.subjects.network import (
    NetworkSubject,
    encoded,
    fitted_stimuli,
    learned,
    learning_of,
    specification_of,
    task_of,
    trained_network,
)
from neurosim.study.subjects.recorded import split_by_layer
from neurosim.study.tables import Count, Layers, Name, Several, StudyError, Table, one_of
from neurosim.tasks.classification import ClassificationTask
from neurosim.tasks.lazy import LazyTask
from neurosim.tasks.trials import CognitiveTask

if TYPE_CHECKING:
    from neurosim.biophysics.circuit import Circuit

HERE = "neurosim.study.subjects.twin"
MANY_SYNAPSES = 10**8


class TwinSubject(Table):
    """The twin of a spiking network of this study, on a rung of the ladder of realism.

    Above the first rung it is calibrated on training images and, with `retuning_epochs`, retuned on
    `retuning_stimuli` of them; `test_stimuli` held-back images measure its accuracy. Categories take turns in each. In
    `blocks`, each of some of the stimuli, its simulation by Brian2 is spread over as many steps; the answers are the
    same bytes.

    Examples
    --------
    >>> ns.study.TwinSubject(of="my_network", rung="adex").calibration_stimuli
    60
    """

    kind: Literal["twin"] = "twin"
    title: str = ""
    of: Name
    rung: str = "exact"
    calibration_stimuli: Count = 60
    retuning_epochs: Annotated[int, Field(ge=0, le=10**4)] = 0
    retuning_stimuli: Count = 2000
    test_stimuli: Count = 1000
    layers: Layers | None = None
    layer_steps: Several = 1
    blocks: Several = 1


def check(row: TwinSubject, place: str, study: StudyLike) -> None:
    """Refuse the twin of what has none."""
    instances = instances_in(study.subjects).get(row.of, []) if row.of not in study.subjects else []
    if instances:
        raise StudyError(f"{place}.of = {row.of!r} has {len(instances)} instances; name one of {', '.join(instances)}.")
    one_of(row.of, tuple(study.subjects), f"{place}.of")
    one_of(row.rung, tuple(ladder.RUNGS), f"{place}.rung")
    original = study.subjects[row.of]
    if not isinstance(original, NetworkSubject) or not original.training:
        raise StudyError(f"{place}.of = {row.of!r} is no trained network; only those have a twin.")
    if look_at(original.training.task, learned(original.training), place).learns != "categories":
        raise StudyError(f"{place}.of = {row.of!r} learns no categories; only networks that do have a twin in a study.")
    specification = specification_of(original.architecture, original.parameters)
    if reason := ARCHITECTURES[original.architecture].twin_refusal(specification):
        raise StudyError(f"{place}.of = {row.of!r}: {reason}")


def plan(row: TwinSubject, name: str, made: PlanLike) -> Source:
    """Add the translation of the network that was trained, and the simulation of what came of it."""
    original = made.study.subjects[row.of]
    network, files = learning_of(original, row.of, made)
    config = made.seeded(row, name, "layers", "blocks", "layer_steps") | {"network": network}
    inputs = (made.stimuli(), *made.subject(row.of).inputs)
    translated = made.add(Step(f"translate:{name}", f"{HERE}:run_translation", config, inputs, files, on_gpu=True))
    shown = {"name": name, "seed": made.study.seed, "network": network}
    simulated = Step(f"simulate:{name}", f"{HERE}:run_simulation", shown, (*inputs, translated), on_gpu=True)
    return Source({"name": name, "layers": row.layers}, (in_blocks(made, simulated, row.blocks),), on_gpu=True)


def run_translation(job: Job) -> None:
    """Translate, climb to the rung asked for, calibrate and retune on training images, and measure the accuracy.

    Writes ``circuit.nc``, ``accuracy.json``; ``expected.nc`` and ``translation.nc`` of an exact twin;
    ``calibration.nc`` of the others.
    """
    config, seed = job.config, job.config["seed"]
    original = config["network"]
    specification = specification_of(original["architecture"], original["parameters"])
    task = task_of(original["training"], specification, seed, job.files)
    assert not isinstance(task, CognitiveTask)
    network = trained_network(original, job.input("train:"))
    circuit = bridge.to_circuit(network, name=config["name"])
    if circuit.readout is not None and circuit.readout.reads != "spikes":
        raise InputError(f"{config['name']}: the network answers by membranes; a twin is of one whose spikes count.")
    tested = encoded(task.some("test", config["test_stimuli"]), specification, seed)
    expected = _recorded(network, tested)
    engine = "brian2" if circuit.n_synapses * tested.sizes["stimulus"] < MANY_SYNAPSES else "torch"
    if config["rung"] == "exact":
        translation = bridge.verify_translation(network, circuit, tested, engine=engine)
        storage.write_dataset(job.out / "translation.nc", translation)
        storage.write_dataset(job.out / "expected.nc", _recorded(network, _shown(job, network)).rename("expected"))
    else:
        circuit, report = _climbed(config, circuit, network, task, specification)
        report.attrs["accuracy_uncalibrated"] = _accuracy(
            circuit, simulation.simulate(report.attrs.pop("climbed"), tested, engine=engine), tested, task.categories
        )
        storage.write_dataset(job.out / "calibration.nc", report)
    accuracy = {
        "accuracy": _accuracy(circuit, simulation.simulate(circuit, tested, engine=engine), tested, task.categories),
        "accuracy_trained": _accuracy(circuit, expected, tested, task.categories),
        "n_test": tested.sizes["stimulus"],
        "engine": engine,
    }
    storage.write_json(job.out / "accuracy.json", accuracy)
    circuit_files.save_circuit(job.out / "circuit.nc", circuit)


def run_simulation(job: Job) -> None:
    """Write ``responses.nc``: the spikes of the twin to all stimuli or to those of a block."""
    circuit = circuit_files.load_circuit(job.input("translate:") / "circuit.nc")
    engine = storage.read_json(job.input("translate:") / "accuracy.json")["engine"]
    if engine != "brian2" and job.part != (0, 1):
        raise InputError(
            f"{job.config['name']}: blocks are of simulations by Brian2, and this twin is so large that {engine} "
            "simulates it, whose sums depend on how many stimuli it is shown at once; leave out blocks."
        )
    network = trained_network(job.config["network"], job.input("train:"))
    write_answers(job, _shown(job, network), lambda shown: simulation.simulate(circuit, shown, engine=engine))


def _shown(job: Job, network: Network) -> xr.DataArray:
    """Return the stimuli of the study as the network takes them."""
    original = job.config["network"]
    stimuli = storage.read_array(job.input("stimuli") / "stimuli.nc")
    fitted = fitted_stimuli(stimuli, network, job.input("train:"), job.config["name"])
    return encoded(fitted, specification_of(original["architecture"], original["parameters"]), job.config["seed"])


def answers(job: Job, _stimuli: xr.DataArray) -> Iterator[tuple[str, xr.DataArray]]:
    """Yield layer and responses of a circuit that was simulated."""
    found = storage.read_array(job.input("simulate:") / "responses.nc")
    yield from split_by_layer(found, job.config["row"]["layers"], job.config["name"], places_of(job))


def _climbed(
    config: dict[str, Any],
    circuit: Circuit,
    network: Network,
    task: ClassificationTask | LazyTask,
    specification: Specification,
) -> tuple[Circuit, xr.Dataset]:
    """Return the circuit on its rung, calibrated and, where asked, retuned, and what calibration found."""
    seed = config["seed"]
    climbed = ladder.climb(circuit, config["rung"])
    held = encoded(task.some("train", config["calibration_stimuli"]), specification, seed)
    circuit, report = calibration.calibrate(climbed, held, _recorded(network, held), rng=seed)
    if config["retuning_epochs"]:
        images = task.some("train", config["retuning_stimuli"])

        def drawn(epoch: int) -> xr.DataArray:
            return encoded(images, specification, seed_of(seed, "retune", epoch) % 2**31)

        options = retuning.RetuningOptions(
            tune=("gain", "bias", "threshold", "weights"), epochs=config["retuning_epochs"], learning_rate=0.03
        )
        circuit, history = retuning.retune(circuit, drawn, task.categories, options, rng=seed)
        report.attrs["accuracy_on_retuning_images"] = float(history["accuracy"][-1])
    return circuit, report.assign_attrs(climbed=climbed)


def _recorded(network: Network, stimuli: xr.DataArray) -> xr.DataArray:
    return recording.record_responses(network, stimuli, double=True)


def _accuracy(circuit: Circuit, answers: xr.DataArray, stimuli: xr.DataArray, categories: tuple[str, ...]) -> float:
    named = np.asarray(categories)[simulation.choose_category(circuit, answers)]
    return float((named == stimuli["category"].values).mean())


def tell(row: TwinSubject, name: str, results: Results) -> Told:
    """Tell the accuracy, the spikes that differ of an exact twin, and the calibration of the others."""
    step = f"translate:{name}"
    about = results.json(step, "accuracy.json")
    numbers: dict[str, Any] = {
        "accuracy": {name: about["accuracy"]},
        "accuracy_of_network_on_the_same_spikes": {name: about["accuracy_trained"]},
    }
    line = (
        f"{name}, the twin of {row.of} on the rung '{row.rung}', names {about['accuracy']:.1%} of {about['n_test']} "
        f"test images rightly; the network, given the same spikes, {about['accuracy_trained']:.1%}"
    )
    if results.has(step, "translation.nc"):
        return _exact(name, results.dataset(step, "translation.nc"), numbers, f"{line}.")
    table = results.dataset(step, "calibration.nc")
    raw = float(table.attrs["accuracy_uncalibrated"])
    numbers["accuracy"][f"{name} (uncalibrated)"] = raw
    line += f"; before calibration{' and retuning' if row.retuning_epochs else ''} {raw:.1%}."
    return _calibrated(name, table, numbers, line)


def _exact(name: str, table: xr.Dataset, numbers: dict[str, Any], line: str) -> Told:
    layers = _per_layer(table, ("n_spikes", "n_differing"))
    engine = str(table.attrs["engine"])
    n, total = (int(sum(v[k] for v in layers.values())) for k in ("n_differing", "n_spikes"))
    return Told(
        numbers | {"differing_spikes": {name: layers}, "engine": {name: engine}},
        cards=[(f"{n} of {total:,}", f"spikes differ between {name} and the trained network")],
        sentences=[line],
        tables=[
            TableOfNumbers(
                f"Spikes of {name} (engine {engine}), one by one, on test images",
                ("layer", "spikes", "differing"),
                [(layer, f"{v['n_spikes']:,.0f}", f"{v['n_differing']:.0f}") for layer, v in layers.items()],
            )
        ],
    )


def _calibrated(name: str, table: xr.Dataset, numbers: dict[str, Any], line: str) -> Told:
    layers = _per_layer(table, ("gain", "bias", "rate_ratio_before", "rate_ratio"))
    rows = [
        (
            layer,
            *(f"{v[k]:.2f}" for k in ("gain",)),
            f"{v['bias'] * 1e12:.0f}",
            f"{v['rate_ratio_before']:.2f}",
            f"{v['rate_ratio']:.2f}",
        )
        for layer, v in layers.items()
    ]
    low, high = table.attrs["band_low"], table.attrs["band_high"]
    outside = [str(v) for v in table["layer"].values[~table["in_band"].values.astype(bool)]]
    return Told(
        numbers | {"calibration": {name: layers}},
        sentences=[line],
        notes=[f"{name}: layers outside the rate band {low:g} to {high:g} after calibration: {outside}"]
        if outside
        else [],
        tables=[
            TableOfNumbers(
                f"Calibration of {name}",
                ("layer", "gain", "bias (pA)", "rate before", "rate after"),
                rows,
                "Rates relative to the trained network, on calibration images that are never tested.",
            )
        ],
    )


def _per_layer(table: xr.Dataset, names: tuple[str, ...]) -> dict[str, dict[str, float]]:
    return {str(layer): {n: float(table[n].values[i]) for n in names} for i, layer in enumerate(table["layer"].values)}


SURROGATE = (
    "retuning by surrogate gradients",
    "Neftci EO, Mostafa H, Zenke F (2019) IEEE Signal Process Mag 36:51-63, https://doi.org/10.1109/MSP.2019.2931595",
)


def cite(row: TwinSubject) -> list[Citation]:
    """Cite simulator, translation and what the rungs up to its own stand on."""
    brought = [rung.brings for rung in ladder.rungs_up_to(row.rung) if rung.brings is not None]
    found = [BRIAN2, NIR, *((model.caption, model.reference) for model in brought)]
    return found + ([SURROGATE] if row.retuning_epochs else [])


TWIN = SubjectKind(
    name="twin",
    table=TwinSubject,
    plan=plan,
    answers="neurosim.study.subjects.twin:answers",
    describe=lambda row: row.title or f"twin of {row.of}, {row.rung}",
    check=check,
    tell=tell,
    cite=cite,
    learns_here=lambda _row: True,
)
