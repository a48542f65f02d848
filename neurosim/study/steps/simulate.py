"""Step: run a Brian2 circuit, the twin of a trained network or one built by hand, on the stimuli."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.biophysics.calibration import calibrate
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.circuit_files import save_circuit
from neurosim.biophysics.gabor_adex import gabor_adex_circuit
from neurosim.biophysics.ladder import climb
from neurosim.biophysics.retuning import RetuningOptions, retune
from neurosim.biophysics.simulation import Engine, choose_category, simulate
from neurosim.bridge import to_circuit, verify_translation
from neurosim.networks.architectures import Network
from neurosim.networks.recording import record_responses
from neurosim.networks.specifications import NetworkSpecification, SpikingMLPSpecification
from neurosim.runtime import seed_of
from neurosim.stimuli.encoders import encode_rate
from neurosim.stimuli.gabors import gabor_energy
from neurosim.stimuli.images import resize_images
from neurosim.study.engine.step import Job
from neurosim.study.steps.train import fitted_stimuli, specification_of, task_of, trained_network
from neurosim.tasks.classification import ClassificationTask

MANY_SYNAPSES = 10**8
GABOR_STEP = 1e-3
LARGEST_BIN = 10  # steps; the largest share of the duration up to it is the bin of spike counts


def run(job: Job) -> None:
    """Write ``responses.nc`` and, for a twin, ``expected.nc``, ``translation.nc`` and ``calibration.nc``."""
    stimuli = storage.read_array(job.input("stimuli") / "stimuli.nc")
    responses = _twin(job, stimuli) if job.config["kind"] == "twin" else _gabor_adex(job, stimuli)
    storage.write_dataset(job.out / "responses.nc", responses.rename("responses"))


def _twin(job: Job, stimuli: xr.DataArray) -> xr.DataArray:
    """Translate the network, climb to the rung asked for, calibrate and retune on training images, and answer."""
    config, seed = job.config, job.config["seed"]
    specification = specification_of(config["network"])
    task = task_of(config["network"]["training"], specification, seed)
    network = trained_network(config["network"], job.input("train:"))
    stimuli = fitted_stimuli(stimuli, network, job.input("train:"), config["name"])
    circuit = to_circuit(network, name=config["name"])
    held_back = task.test.isel(stimulus=slice(config["test_stimuli"]))
    tested, shown = (_encoded(images, specification, seed) for images in (held_back, stimuli))
    expected = _recorded(network, tested)
    engine: Engine = "brian2" if circuit.n_synapses * tested.sizes["stimulus"] < MANY_SYNAPSES else "torch"
    if config["rung"] == "exact":
        translation = verify_translation(network, circuit, tested, engine=engine)
        storage.write_dataset(job.out / "translation.nc", translation)
        storage.write_dataset(job.out / "expected.nc", _recorded(network, shown).rename("expected"))
    else:
        circuit, report = _climbed(config, circuit, network, task, specification)
        report.attrs["accuracy_uncalibrated"] = _accuracy(
            circuit, simulate(report.attrs.pop("climbed"), tested, engine=engine), tested, task.categories
        )
        storage.write_dataset(job.out / "calibration.nc", report)
    accuracy = {
        "accuracy": _accuracy(circuit, simulate(circuit, tested, engine=engine), tested, task.categories),
        "accuracy_trained": _accuracy(circuit, expected, tested, task.categories),
        "n_test": tested.sizes["stimulus"],
    }
    storage.write_json(job.out / "accuracy.json", accuracy)
    save_circuit(job.out / "circuit.nc", circuit)
    return simulate(circuit, shown, engine=engine)


def _climbed(
    config: dict[str, Any],
    circuit: Circuit,
    network: Network,
    task: ClassificationTask,
    specification: NetworkSpecification,
) -> tuple[Circuit, xr.Dataset]:
    """Return the circuit on its rung, calibrated and, where asked, retuned, and what calibration found."""
    seed = config["seed"]
    climbed = climb(circuit, config["rung"])
    held = task.train.isel(stimulus=slice(config["calibration_stimuli"]))
    calibration = _encoded(held, specification, seed)
    circuit, report = calibrate(climbed, calibration, _recorded(network, calibration), rng=seed)
    if config["retuning_epochs"]:
        images = task.train.isel(stimulus=slice(config["retuning_stimuli"]))

        def drawn(epoch: int) -> xr.DataArray:
            return _encoded(images, specification, seed_of(seed, "retune", epoch) % 2**31)

        options = RetuningOptions(
            tune=("gain", "bias", "threshold", "weights"), epochs=config["retuning_epochs"], learning_rate=0.03
        )
        circuit, history = retune(circuit, drawn, task.categories, options, seed=seed)
        report.attrs["accuracy_on_retuning_images"] = float(history["accuracy"][-1])
    return circuit, report.assign_attrs(climbed=climbed)


def _encoded(images: xr.DataArray, specification: NetworkSpecification, seed: int) -> xr.DataArray:
    """Return images as the network takes them: as input spikes, or as they are."""
    if not isinstance(specification, SpikingMLPSpecification):
        return images
    return encode_rate(images, n_steps=specification.n_steps, time_step=specification.dt, rng=seed)


def _recorded(network: Network, stimuli: xr.DataArray) -> xr.DataArray:
    return record_responses(network, stimuli, double=True)


def _accuracy(circuit: Circuit, answers: xr.DataArray, stimuli: xr.DataArray, categories: tuple[str, ...]) -> float:
    named = np.asarray(categories)[choose_category(circuit, answers)]
    return float((named == stimuli["category"].values).mean())


def _gabor_adex(job: Job, stimuli: xr.DataArray) -> xr.DataArray:
    config = job.config
    images = resize_images(stimuli, config["image_size"]) if config["image_size"] else stimuli
    energy = gabor_energy(images, wavelength=config["wavelength"], grid=config["grid"])
    drive = energy / float(energy.max())
    circuit = gabor_adex_circuit(
        drive.sizes["unit"],
        n_excitatory=config["n_excitatory"],
        n_inhibitory=config["n_inhibitory"],
        duration=config["duration"],
        max_rate=config["max_probability"] / GABOR_STEP,
        seed=config["seed"],
    )
    n_steps = round(config["duration"] / circuit.step)
    in_bin = next(k for k in range(LARGEST_BIN, 0, -1) if n_steps % k == 0)
    answers = simulate(
        circuit, drive, trials=config["n_trials"], rng=config["seed"], time_bin=in_bin * circuit.step, engine="brian2"
    )
    assert isinstance(answers, xr.DataArray)
    return answers
