"""The small problems of table 1: digits, store and recall, Yin-Yang and the exclusive or, each made from a seed."""

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.networks.spiking.surrogates import Surrogate
from neurosim.parameters import DiscreteAdaptiveLIFParameters, DiscreteLIFParameters
from neurosim.schema import as_stimuli
from neurosim.stimuli.images import load_digits
from neurosim.tasks.classification import ClassificationTask, classification_task

STEP = 1e-3
CUE, DELAY, RECALL = 20, 60, 20  # steps


def digits(seed: int) -> ClassificationTask:
    """Return the digits of scikit-learn, in the place of MNIST."""
    return classification_task(load_digits(), rng=seed)


def yin_yang(seed: int, n_train: int = 5000, n_test: int = 1000) -> ClassificationTask:
    """Return points of the Yin-Yang picture: yin, yang or dot (https://doi.org/10.1145/3517343.3517380)."""
    return classification_task(_points(n_train, seed, "train"), test=_points(n_test, seed + 1000, "test"), rng=seed)


def _points(n: int, seed: int, name: str) -> xr.DataArray:
    rng, found, labels = np.random.default_rng(seed), [], []
    while len(found) < n:
        x, y = rng.random(2)
        kind = _kind(x, y)
        if kind == ("yin", "yang", "dot")[len(found) % 3]:
            found.append((x, y, 1 - x, 1 - y))
            labels.append(kind)
    return as_stimuli(np.float32(found), ids=[f"{name}_{k}" for k in range(n)], coords={"category": labels})


def _kind(x: float, y: float, dot: float = 0.1, disc: float = 0.5) -> str | None:
    if np.hypot(x - disc, y - disc) > disc:
        return None
    right, left = np.hypot(x - 1.5 * disc, y - disc), np.hypot(x - 0.5 * disc, y - disc)
    if min(right, left) < dot:
        return "dot"
    is_yin = dot < left <= 0.5 * disc or (y > disc and right > 0.5 * disc)
    return "yin" if is_yin else "yang"


def store_recall(seed: int, n_train: int = 600, n_test: int = 300) -> ClassificationTask:
    """Return trials that show one of two cues, nothing for a while, and then ask which it was."""
    return classification_task(_trials(n_train, seed, "train"), test=_trials(n_test, seed + 1000, "test"), rng=seed)


def _trials(n: int, seed: int, name: str) -> xr.DataArray:
    rng, labels = np.random.default_rng(seed), np.arange(n) % 2
    rates = np.full((n, CUE + DELAY + RECALL, 40), 0.01)  # 10 each: cue a, cue b, the question, noise
    rates[labels == 0, :CUE, :10] = rates[labels == 1, :CUE, 10:20] = 0.1
    rates[:, CUE + DELAY :, 20:30] = 0.1
    return _spike_trains(rates, rng, name, ["ab"[k] for k in labels])


def which_group(seed: int, n_train: int = 200, n_test: int = 200) -> ClassificationTask:
    """Return spike trains of two groups of 30 neurons, one at 40 spikes/s, told apart by which it is."""
    return classification_task(
        _groups(n_train, seed, "train", 2), test=_groups(n_test, seed + 1000, "test", 2), rng=seed
    )


def exclusive_or(seed: int, n_train: int = 400, n_test: int = 200) -> ClassificationTask:
    """Return spike trains of two groups of 30 neurons, each silent or at 40 spikes/s, told apart by whether one is."""
    return classification_task(
        _groups(n_train, seed, "train", 4), test=_groups(n_test, seed + 1000, "test", 4), rng=seed
    )


def _groups(n: int, seed: int, name: str, n_kinds: int) -> xr.DataArray:
    """Return trials in which the first group, the second, none or both fire, in turn; the first `n_kinds` of these."""
    rng, kind = np.random.default_rng(seed), np.arange(n) % n_kinds
    rates = np.zeros((n, 100, 60))
    rates[np.isin(kind, (0, 3)), :, :30] = rates[np.isin(kind, (1, 3)), :, 30:] = 40 * STEP
    names = ("first", "second") if n_kinds == 2 else ("one", "one", "none or both", "none or both")
    return _spike_trains(rates, rng, name, [names[k] for k in kind])


def _spike_trains(rates: np.ndarray, rng: np.random.Generator, name: str, labels: list[str]) -> xr.DataArray:
    return as_stimuli(
        (rng.random(rates.shape) < rates).astype(np.float32),
        dims=("stimulus", "time", "unit"),
        ids=[f"{name}_{k}" for k in range(len(rates))],
        coords={"category": labels},
        time_step=STEP,
    )


class Recalls(nn.Module):
    """Recurrent neurons with adaptive thresholds whose readout answers while the question is asked."""

    def __init__(self, n_units: int = 60) -> None:
        super().__init__()
        neuron = DiscreteAdaptiveLIFParameters(20e-3, 150e-3, 0.15)
        self.inputs, self.readout = nn.Linear(40, n_units), nn.Linear(n_units, 2)
        self.layer = SpikingLayer(neuron, n_recurrent=n_units, surrogate=Surrogate("triangular", 0.3))
        with torch.no_grad():
            self.inputs.weight.normal_(0.08, 0.15)

    def forward(self, sequence: Tensor) -> Tensor:
        """Return logits (batch, category) of spikes (time, batch, unit)."""
        return 5 * self.readout(self.layer(self.inputs(sequence)))[-RECALL:].mean(0)


class Counts(nn.Module):
    """Two layers of leaky neurons; the one output says that one of the groups fires by more than five spikes."""

    def __init__(self, n_units: int = 60) -> None:
        super().__init__()
        neuron = DiscreteLIFParameters(20e-3)
        self.first, self.hidden = nn.Linear(60, n_units), SpikingLayer(neuron)
        self.second, self.output = nn.Linear(n_units, 1), SpikingLayer(neuron)
        with torch.no_grad():
            signs = torch.where(torch.rand(1, 60) < 0.5, -1.0, 1.0)  # half of the senders inhibit
            self.first.weight.copy_(torch.rand(n_units, 60) * 0.25 * signs).add_(0.02)
            self.second.weight.uniform_(0.0, 0.1)
            self.first.bias.zero_()
            self.second.bias.zero_()

    def forward(self, sequence: Tensor) -> Tensor:
        """Return logits (batch, category) of spikes (time, batch, unit): five, and the number of output spikes."""
        count = self.output(self.second(self.hidden(self.first(sequence)))).sum(0)
        return torch.cat([torch.full_like(count, 5.0), count], 1)
