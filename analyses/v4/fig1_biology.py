"""Figure 1 of V4: does making a network biological move it nearer to single neurons of macaque V4?

The first 200 pictures of session 210325 (50 neurons of animal PE, Cowley 2026) are shown to every subject: trained and
untrained EfficientNet-Lite0, a CNN and a spiking CNN trained on CIFAR-10, the circuit of the spiking CNN on the rungs of
the ladder of realism, and a Gabor-AdEx circuit. Every layer predicts the mean response of every neuron (ridge, and
partial least squares of 25 components; 5 folds; median neuron) and its RDM is compared with that of the neurons.

Run: NEUROSIM_DATA=... python analyses/v4/fig1_biology.py results/v4
"""

import sys
from pathlib import Path

import numpy as np
import xarray as xr

import neurosim as ns
from neurosim import runtime, storage
from neurosim.plots.canvas import PALETTE, Figure, figure_bytes, house_style, new_figure
from neurosim.responses.reliability import signal_to_noise
from neurosim.study import Study, run_study

SESSION, N_IMAGES, SEED = "210325", 200, 1
BLOCKS = ["block.01", "block.03", "block.05", "block.08", "block.11", "block.14"]
RUNGS = {
    "exact": "exact twin",
    "conductance": "conductance",
    "refractory": "refractory, delays",
    "adex": "AdEx, noise",
    "hodgkin_huxley": "Hodgkin-Huxley",
}
SUBJECTS = {
    "efficientnet": "EfficientNet-Lite0",
    "untrained": "EfficientNet-Lite0, untrained",
    "cnn": "CNN, CIFAR-10",
    "spiking_cnn": "spiking CNN, CIFAR-10",
    **RUNGS,
    "gabor_adex": "Gabor-AdEx, untrained",
}
ANALYSES = {
    "ridge": "ridge: r, median neuron",
    "pls": "PLS, 25 components: r, median neuron",
    "rsa": "RDM: Spearman correlation",
}


def subjects() -> dict[str, dict[str, object]]:
    """Return the rows of the study for every subject."""
    learned = {"task": "cifar10", "n_train": 10_000, "batch_size": 128, "learning_rate": 5e-3}
    spiking = {"channels": [8, 16], "n_steps": 6, "neuron": {"tau_mem": 25e-3, "dt": 5e-3}}
    rows: dict[str, dict[str, object]] = {
        name: {
            "kind": "network",
            "architecture": "EfficientNetLite0",
            "parameters": {"weights": weights},
            "layers": BLOCKS,
        }
        for name, weights in (("efficientnet", "imagenet"), ("untrained", "random"))
    }
    rows["cnn"] = {
        "kind": "network",
        "architecture": "ConvNet",
        "parameters": {"channels": [16, 32, 64]},
        "training": learned | {"epochs": 2},
    }
    rows["spiking_cnn"] = {
        "kind": "network",
        "architecture": "SpikingConvNet",
        "parameters": spiking,
        "training": learned | {"epochs": 3},
    }
    rows |= {r: {"kind": "twin", "of": "spiking_cnn", "rung": r, "test_stimuli": 100} for r in RUNGS}
    rows["gabor_adex"] = {
        "kind": "circuit",
        "circuit": "gabor_adex",
        "wavelength": 8.0,
        "grid": 6,
        "image_size": 64,
        "options": {"n_excitatory": 128, "n_inhibitory": 32, "duration": 0.15},
    }
    return rows


def compute(folder: Path) -> xr.Dataset:
    """Run the study and gather scores, errors and intervals along ``analysis`` and ``model`` (subject/layer)."""
    published = ns.load_dataset("cowley2026_v4", recordings=[SESSION])
    assert published.stimuli is not None
    trials = published.responses[SESSION].isel(stimulus=slice(N_IMAGES))
    storage.write_dataset(folder / "stimuli.nc", published.stimuli[:N_IMAGES].drop_vars("session"))
    storage.write_dataset(folder / "v4.nc", trials.mean("trial", keep_attrs=True))
    study = Study(
        name="v4",
        title="Session 210325 of macaque V4: networks and circuits against single neurons",
        seed=SEED,
        stimuli={"source": "file", "path": str(folder / "stimuli.nc")},
        subjects=subjects(),
        brains={"V4": {"kind": "responses", "path": str(folder / "v4.nc"), "title": "macaque V4, session 210325"}},
        analyses={
            "ridge": {"kind": "predictivity"},
            "pls": {"kind": "predictivity", "method": "pls", "options": {"n_components": 25}},
            "rsa": {"kind": "rsa", "metric": "correlation", "method": "spearman"},
        },
    )
    outcome = run_study(study, out=folder / "study", jobs=2, report=lambda *told: print(*told, flush=True))
    parts = [outcome.scores[f"{name}:V4"] for name in ANALYSES]
    keep = ["score", "interval"]
    gathered = xr.concat([p[[k for k in keep if k in p]].drop_attrs() for p in parts], "analysis")
    gathered = gathered.assign_coords(analysis=list(ANALYSES))
    ceiling = signal_to_noise(trials)["ceiling"]
    gathered["ceiling_of_neurons"] = float(ceiling.median())
    accuracy = storage.read_json(outcome.folder / "numbers.json").get("accuracy", {})
    return gathered.assign_attrs({f"accuracy_{k}": float(v) for k, v in accuracy.items()})
