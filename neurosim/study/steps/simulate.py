"""Step: run a Brian2 circuit, the twin of a trained network or one built by hand, on the stimuli."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.biophysics.bridge import to_circuit, verify_translation
from neurosim.biophysics.gabor_adex import gabor_adex_circuit
from neurosim.biophysics.ladder import calibrate, climb
from neurosim.biophysics.simulation import simulate
from neurosim.networks.exchange import to_nir
from neurosim.networks.recording import record_responses
from neurosim.networks.specifications import SpikingMLPSpecification
from neurosim.responses.readout import named_category
from neurosim.stimuli.encoders import encode_rate
from neurosim.stimuli.gabors import gabor_energy
from neurosim.stimuli.images import resize_images
from neurosim.study.job import Job
from neurosim.study.steps.train import fitted_stimuli, specification_of, task_of, trained_network


def run(job: Job) -> None:
    """Write ``responses.nc`` and, for a twin, ``expected.nc``, ``translation.nc`` and ``calibration.nc``."""
    stimuli = storage.read_array(job.input("stimuli") / "stimuli.nc")
    responses = _twin(job, stimuli) if job.config["kind"] == "twin" else _gabor_adex(job, stimuli)
    storage.write_dataset(job.out / "responses.nc", responses.rename("responses"))


def _twin(job: Job, stimuli: xr.DataArray) -> xr.DataArray:
    config, seed = job.config, job.config["seed"]
    network_config = config["network"]
    specification = specification_of(network_config)
    assert isinstance(specification, SpikingMLPSpecification)
    task = task_of(network_config["training"], specification, seed)
    network = trained_network(network_config, job.input("train:"))
    n_steps, step = specification.n_steps, specification.dt
    stimuli = fitted_stimuli(stimuli, network, job.input("train:"), config["name"])
    shown = encode_rate(stimuli, n_steps=n_steps, time_step=step, seed=seed)
    tested = encode_rate(task.test, n_steps=n_steps, time_step=step, seed=seed)
    expected = record_responses(network, tested, double=True)
    circuit = to_circuit(to_nir(network), name=config["name"])
    if config["rung"] == "exact":
        answers = simulate(circuit, tested)
        translation = verify_translation(expected, circuit, tested, simulated=answers)
        storage.write_dataset(job.out / "translation.nc", translation)
        storage.write_dataset(job.out / "expected.nc", record_responses(network, shown, double=True).rename("expected"))
    else:
        held = task.train.isel(stimulus=np.arange(min(config["calibration_stimuli"], task.train.sizes["stimulus"])))
        calibration = encode_rate(held, n_steps=n_steps, time_step=step, seed=seed)
        climbed = climb(circuit, config["rung"])
        uncalibrated = _accuracy(simulate(climbed, tested), tested, task.categories)
        wanted = record_responses(network, calibration, double=True)
        circuit, report = calibrate(climbed, calibration, wanted)
        answers = simulate(circuit, tested)
        report.attrs["accuracy_uncalibrated"] = uncalibrated
        storage.write_dataset(job.out / "calibration.nc", report)
    accuracy = {
        "accuracy": _accuracy(answers, tested, task.categories),
        "accuracy_trained": _accuracy(expected, tested, task.categories),
        "n_test": tested.sizes["stimulus"],
    }
    storage.write_json(job.out / "accuracy.json", accuracy)
    return simulate(circuit, shown)


def _accuracy(answers: xr.DataArray, stimuli: xr.DataArray, categories: tuple[str, ...]) -> float:
    named = np.asarray(categories)[named_category(answers, "output")]
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
        seed=config["seed"],
    )
    n_steps = round(config["duration"] / circuit.step)
    trials = []
    for trial in range(config["n_trials"]):
        spikes = encode_rate(
            drive,
            n_steps=n_steps,
            time_step=circuit.step,
            max_probability=config["max_probability"],
            seed=config["seed"] + 1 + trial,
        )
        trials.append(simulate(circuit, spikes, time_bin=10 * circuit.step))
    return xr.concat(trials, "trial").transpose("stimulus", "trial", "time", "unit")
