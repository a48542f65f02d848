"""Table 1 of the realism ladder: spikes that differ between trained networks and their circuits, on every engine.

Networks of every kind that can be translated are trained for a moment on scikit-learn's digits; 300 test images are
shown to both. Each engine runs float64 weights; the last column is the network in float32 against the circuit.

Run: python analyses/realism_ladder/table1_exactness.py [folder]
(more than three minutes on two busy cores, some of which compile)
"""

import sys
from functools import partial
from pathlib import Path

import snntorch as snn
import torch
from torch import nn

import neurosim as ns
from neurosim import runtime, storage
from neurosim.stimuli.encoders import bernoulli_spikes

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import called

N_STEPS, N_IMAGES, SEED = 20, 300, 2
ENGINES = ("brian2", "cython", "cpp_standalone", "torch")


def dense(neuron, recurrent=None) -> nn.Sequential:
    """Return two fully connected layers of neurons."""
    recurrent = recurrent or (lambda n: neuron)
    return nn.Sequential(nn.Linear(64, 40), recurrent(40)(), nn.Linear(40, 10), recurrent(10)())


def convolutional(reset: str) -> nn.Sequential:
    """Return a convolution with batch norm and pooling, and a fully connected layer."""
    leaky = partial(snn.Leaky, beta=0.9, reset_mechanism=reset)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), leaky(), nn.AvgPool2d(2),
        nn.Conv2d(8, 12, 3, padding=1), leaky(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(48, 10), leaky(),
    )  # fmt: skip


NETWORKS = {
    "Leaky, subtract": lambda: dense(partial(snn.Leaky, beta=0.9)),
    "Leaky, zero": lambda: dense(partial(snn.Leaky, beta=0.9, reset_mechanism="zero")),
    "Synaptic, subtract": lambda: dense(partial(snn.Synaptic, alpha=0.7, beta=0.8)),
    "Synaptic, zero": lambda: dense(partial(snn.Synaptic, alpha=0.7, beta=0.8, reset_mechanism="zero")),
    "RLeaky, subtract": lambda: dense(None, lambda n: partial(snn.RLeaky, beta=0.9, linear_features=n)),
    "RLeaky, zero": lambda: dense(
        None, lambda n: partial(snn.RLeaky, beta=0.9, linear_features=n, reset_mechanism="zero")
    ),
    "convolutional, subtract": lambda: convolutional("subtract"),
    "convolutional, zero": lambda: convolutional("zero"),
}


class Counts(nn.Module):
    """A network over time whose logits are the spike counts of its last layer."""

    def __init__(self, network: nn.Sequential, is_convolutional: bool) -> None:
        super().__init__()
        self.network = ns.networks.OverTime(network, n_steps=N_STEPS if is_convolutional else None)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return logits (batch, category)."""
        return self.network(inputs).sum(0)


def one_network(name: str, make) -> dict[str, object]:
    """Train, translate, and count differing spikes on every engine."""
    is_convolutional = "conv" in name
    task = ns.tasks.classification_task(ns.load_digits(), rng=SEED)
    images = task.test[:N_IMAGES]
    if is_convolutional:
        task = ns.tasks.classification_task(
            task.train.expand_dims("channel", 1), test=task.test.expand_dims("channel", 1)
        )
        shown = task.test[:N_IMAGES]
    else:
        task = task.with_encoder(partial(bernoulli_spikes, n_steps=N_STEPS))
        shown = ns.stimuli.encode_rate(images, n_steps=N_STEPS, rng=SEED)
    with runtime.torch_seeded(SEED):
        network = make()
    history = ns.train(Counts(network, is_convolutional), task, ns.networks.TrainingOptions(8, 64, 5e-3), rng=SEED)
    kind = "current" if is_convolutional else "spikes"
    shape = (1, 8, 8) if is_convolutional else (64,)
    circuit = ns.to_circuit(
        network, input_shape=shape, inputs=kind, duration=N_STEPS * 1e-3 if kind == "current" else None
    )
    row: dict[str, object] = {"test_accuracy": round(float(history.test_accuracy), 4)}
    for engine in ENGINES:
        found = ns.verify_translation(network, circuit, shown, engine=engine, progress=False)
        row["spikes"] = int(found.n_spikes.sum())
        row[engine] = {"differing": int(found.n_differing.sum()), "verdict": found.attrs["verdict"]}
        row[engine]["membrane_difference"] = float(f"{float(found.membrane_difference.max()):.1e}")
    single = ns.verify_translation(network, circuit, shown, double=False, engine="torch", progress=False)
    row["network_in_float32"] = {"differing": int(single.n_differing.sum()), "verdict": single.attrs["verdict"]}
    print(name, row, flush=True)
    return row


def totals(rows: dict[str, dict]) -> dict[str, int]:
    """Return how many spikes there are, and the most that differ from the network in double precision on one engine."""
    differing = max(sum(row[engine]["differing"] for row in rows.values()) for engine in ENGINES)
    return {"spikes": sum(row["spikes"] for row in rows.values()), "differing": differing}


def main(folder: Path) -> None:
    """Compute and keep the table."""
    rows = {name: one_network(name, make) for name, make in NETWORKS.items()}
    content = {"n_images": N_IMAGES, **totals(rows), "networks": rows, "provenance": runtime.provenance()}
    storage.write_json(folder / "table1_exactness.json", content, sort_keys=False)


if __name__ == "__main__":
    with called(__doc__) as given:
        main(given.folder(Path(__file__).parent))
