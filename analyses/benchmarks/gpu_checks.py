"""What gpu.py checks before it times: engines, trainings, tensors and circuits give the same on a GPU as elsewhere."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gpu_rows import Place, Row, left_out, row
from torch import Tensor, nn
from torch.utils.data import TensorDataset

import neurosim as ns
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.parameters import DiscreteAdaptiveLIFParameters, DiscreteLIFParameters, DiscreteSynapticParameters

NEURONS = {
    "leaky, subtract": DiscreteLIFParameters(5e-3),
    "leaky, zero": DiscreteLIFParameters(5e-3, reset="zero"),
    "synaptic": DiscreteSynapticParameters(3e-3, 6e-3, threshold=2.0),
    "adaptive": DiscreteAdaptiveLIFParameters(8e-3, 30e-3, rise=0.2),
}
METRICS = {"euclidean": {}, "correlation": {}, "crossnobis": {}}


def learned(layer: SpikingLayer, currents: Tensor, price: Tensor) -> tuple[Tensor, Tensor]:
    """Return spikes and the gradient of the currents."""
    x = currents.clone().requires_grad_()
    spikes = layer(x)
    (spikes * price).sum().backward()
    assert x.grad is not None
    return spikes.detach(), x.grad


def engines(place: Place, where: str | None = None) -> list[Row]:
    """Return how many spikes of the fastest engine are not those of plain torch, and how far gradients are apart."""
    rows, where = [], where or place.device
    fastest = "triton" if place.is_gpu else "compiled"
    for name, neuron in NEURONS.items():
        for n_recurrent in (None, 64):
            torch.manual_seed(0)
            layer = SpikingLayer(neuron, n_recurrent=n_recurrent, engine=fastest).to(where)
            plain = SpikingLayer(neuron, n_recurrent=n_recurrent, engine="torch").to(where)
            plain.load_state_dict(layer.state_dict())
            x = torch.rand(50, 32, 64, device=where)
            price = torch.randn_like(x)
            (spikes, grad), (expected, wanted) = (learned(m, x, price) for m in (layer, plain))
            about = f"{fastest} and torch on {where}: {name}{', recurrent' if n_recurrent else ''}"
            rows.append(row(f"{about}: spikes that differ", int((spikes != expected).sum()), 0, most=True))
            apart = float((grad - wanted).abs().max() / wanted.abs().max())
            rows.append(row(f"{about}: gradients apart", apart, 1e-5, most=True))
    return rows


def second(place: Place) -> list[Row]:
    """Return the same on the second GPU, while the first is the current one."""
    if not place.is_gpu or torch.cuda.device_count() < 2:
        return [left_out("layers on cuda:1", "there is no second GPU")]
    return engines(place, "cuda:1")


def network_of() -> nn.Module:
    """Return a small network with all that keeps a state: normalisation and dropout."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(16, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 4))


def points() -> TensorDataset:
    """Return 512 points in four clouds."""
    rng = np.random.default_rng(0)
    labels = np.arange(512) % 4
    values = rng.normal(size=(512, 16)) + 4 * np.eye(16)[labels]
    return TensorDataset(torch.tensor(values, dtype=torch.float32), torch.tensor(labels))


class StoppedError(Exception):
    """The training was stopped from outside."""


class Stops:
    """A callback that stops the training after some batches."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self, moment: object) -> None:
        """Let epochs pass."""

    def after_batch(self, moment: object) -> None:
        """Count a batch."""
        self.left -= 1
        if self.left == 0:
            raise StoppedError


def resume(place: Place) -> list[Row]:
    """Return in how many weights a training that was stopped and went on differs from one that was not stopped."""
    rows = []
    for precision in ("float32", "bfloat16", *(("float16",) if place.is_gpu else ())):
        options = ns.networks.TrainingOptions(3, 32, precision=precision)

        def run(path: Path, watch: Any = None, options: Any = options) -> dict[str, Tensor]:
            network = network_of()
            checkpoint = ns.networks.Checkpoint(path, every=4)
            asked = {"checkpoint": checkpoint, "watch": watch, "device": place.device, "progress": False}
            ns.train(network, points(), options, **asked)
            return network.state_dict()

        with tempfile.TemporaryDirectory() as folder:
            whole = run(Path(folder) / "whole.safetensors")
            with contextlib.suppress(StoppedError):
                run(Path(folder) / "cut.safetensors", ns.networks.Watch(callbacks=[Stops(22)]))
            again = run(Path(folder) / "cut.safetensors")
        differing = sum(int((whole[n] != again[n]).sum()) for n in whole)
        rows.append(row(f"{precision}: weights that differ after going on", differing, 0, most=True))
    return rows


def precisions(place: Place) -> list[Row]:
    """Return what a network reaches in every precision."""
    rows = []
    for precision in ("float32", "bfloat16", "float16"):
        if precision == "float16" and not place.is_gpu:
            rows.append(left_out("accuracy in float16", "float16 needs a GPU"))
            continue
        network = network_of()
        options = ns.networks.TrainingOptions(4, 32, precision=precision)
        ns.train(network, points(), options, device=place.device, progress=False)
        found = ns.networks.evaluate(network, points(), device=place.device, precision=precision)
        rows.append(row(f"accuracy in {precision}", float(found.accuracy), 0.9))
    return rows


def tensors(place: Place) -> list[Row]:
    """Return how far RDMs of tensors are from those of arrays, and how many times faster they are."""
    rng, rows = np.random.default_rng(0), []
    n_stimuli, n_units = (1000, 20_000) if place.is_gpu else (40, 200)
    for metric in METRICS:
        shape = (4, n_stimuli, n_units // 4) if metric == "crossnobis" else (n_stimuli, n_units)
        values = rng.normal(size=shape).astype(np.float32)
        labelled = ns.as_responses(
            values.swapaxes(0, 1) if values.ndim == 3 else values,
            dims=("stimulus", "trial", "unit") if values.ndim == 3 else ("stimulus", "unit"),
        )
        given = torch.from_numpy(values).to(place.device)
        fast = place.seconds(lambda given=given, metric=metric: ns.compute_rdm(given, metric))
        started = time.perf_counter()
        expected = ns.compute_rdm(labelled, metric).values
        slow = time.perf_counter() - started
        found = np.asarray(ns.compute_rdm(given, metric).cpu())
        apart = float(np.abs(found - expected).max() / np.abs(expected).max())
        rows.append(row(f"RDM ({metric}) of a tensor and of an array: apart", apart, 1e-4, most=True))
        rows.append(row(f"RDM ({metric}), {n_stimuli} x {n_units}: times faster than arrays", slow / fast, None))
    return rows


def circuits(place: Place) -> list[Row]:
    """Return whether the torch engine gives the spikes of Brian2, and how many circuits a second each simulates."""
    n_stimuli, n_neurons, n_steps = (500, 200, 100) if place.is_gpu else (4, 20, 20)
    rng, b = np.random.default_rng(0), ns.biophysics
    population = b.Population("a", n_neurons, b.LIFParameters(), synapses=b.ConductanceParameters())
    weights = rng.random((40, n_neurons)) * 5e-9
    circuit = b.Circuit("c", b.Input(40), (population,), (b.Projection("input", "a", weights),), 1e-4, 1e-3)
    drawn = (rng.random((n_stimuli, n_steps, 40)) < 0.2) * 1.0
    shown = ns.as_stimuli(drawn, dims=("stimulus", "time", "unit"), time_step=1e-3)
    peer = "cpp_standalone" if place.is_gpu else "brian2"
    found, speeds = {}, {}
    for engine in ("torch", peer):
        execution = dataclasses.replace(b.Execution(), device=place.device if engine == "torch" else "auto")
        for _ in range(2 if place.is_gpu else 1):  # the first builds
            started = time.perf_counter()
            found[engine] = ns.simulate(circuit, shown, engine=engine, execution=execution, progress=False).values
            speeds[engine] = n_stimuli / (time.perf_counter() - started)
    differing = int((found["torch"] != found[peer]).sum())
    return [
        row(f"torch engine and {peer}: bins that differ", differing, 0, most=True),
        row(f"{peer}: spikes in all", float(found[peer].sum()), 1),
        row(f"circuits a second: times {peer}", speeds["torch"] / speeds[peer], None),
        row("circuits a second, torch engine", speeds["torch"], None),
    ]
