"""What gpu.py times: spiking layers, trainings of whole networks, and recording, against peers and plain loops."""

from __future__ import annotations

import contextlib
import importlib
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from gpu_rows import Place, Row, left_out, row
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from training_pairs import time_loop

import neurosim as ns
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.parameters import DiscreteLIFParameters

STEPS, BETA = 100, 0.5  # with a decay of one half, the peers' ways to write it round alike
BYTES = 24  # a neuron and step: currents, spikes and distance forward, gradients and distance backward
SIZES = {"cuda": (4096, 16384, 65536, 2**20, 2**23), "cpu": (256, 1024)}
GOALS = {4096: 100, 16384: 100, 65536: 100, 2**23: 8}


def trained(run: Callable[[Tensor], Tensor], currents: Tensor) -> Tensor:
    """Return the spikes of a forward pass, after the backward pass of their sum."""
    x = currents.detach().requires_grad_()
    spikes = run(x)
    spikes.backward(currents)  # any numbers will do as gradients
    return spikes.detach()


def snntorch() -> Callable[[Tensor], Tensor]:
    """Return snnTorch's neurons in the fair loop over time."""
    snn = importlib.import_module("snntorch")
    surrogate = importlib.import_module("snntorch.surrogate")
    layer = snn.Leaky(beta=BETA, reset_mechanism="zero", spike_grad=surrogate.atan(alpha=2.0))
    return partial(time_loop, [layer])


def spikingjelly() -> Callable[[Tensor], Tensor]:
    """Return SpikingJelly's neurons over whole sequences, by the backend that it chooses itself."""
    neuron = importlib.import_module("spikingjelly.activation_based.neuron")
    functional = importlib.import_module("spikingjelly.activation_based.functional")
    surrogate = importlib.import_module("spikingjelly.activation_based.surrogate")
    layer = neuron.LIFNode(
        1 / (1 - BETA), False, v_reset=0.0, surrogate_function=surrogate.ATan(), detach_reset=True, step_mode="m"
    )

    def run(x: Tensor) -> Tensor:
        functional.reset_net(layer)
        answer: Tensor = layer(x)
        return answer

    return run


PEERS = {"snnTorch": snntorch, "SpikingJelly": spikingjelly}


def copy_bandwidth(place: Place) -> float:
    """Return the bytes a second that a copy of a large tensor reads and writes."""
    x = torch.empty(2**28 if place.is_gpu else 2**22, device=place.device)
    y = torch.empty_like(x)
    return 2 * 4 * x.numel() / place.seconds(lambda: y.copy_(x))


def layers(place: Place) -> list[Row]:
    """Return how much faster a layer is than each peer, forward and backward, and its share of the copy bandwidth."""
    bandwidth = copy_bandwidth(place)
    rows = [row("copy bandwidth, GB/s", bandwidth / 1e9, None)]
    neuron = DiscreteLIFParameters(-1e-3 / float(torch.log(torch.tensor(BETA, dtype=torch.float64))), reset="zero")
    ours = SpikingLayer(neuron)
    peers, missing = {}, {}
    for name, make in PEERS.items():
        try:
            peers[name] = make()
        except (ImportError, AttributeError, TypeError) as error:
            missing[name] = f"{type(error).__name__}: {error}"
    for lanes in SIZES["cuda" if place.is_gpu else "cpu"]:
        steps = STEPS if lanes < 2**23 else 20

        def fresh(lanes: int = lanes, steps: int = steps) -> Tensor:
            return torch.rand(steps, 32, lanes // 32, device=place.device)

        about = f"layer of {lanes} neurons, {steps} steps, forward and backward"
        own = place.seconds(partial(trained, ours), fresh)
        rows.append(row(f"{about}: share of copy bandwidth", BYTES * lanes * steps / own / bandwidth, None))
        rows[-1] |= {"asked": 0.7, "reached": rows[-1]["measured"] >= 0.7} if lanes == max(SIZES["cuda"]) else {}
        rows[-1] |= {"lanes": lanes, "seconds": own}
        for name, run in peers.items():
            rows.append(_against(place, about, name, run, ours, fresh, own) | {"lanes": lanes, "peer": name})
            if name == "snnTorch" and lanes in GOALS and "measured" in rows[-1]:
                rows[-1] |= {"asked": GOALS[lanes], "reached": rows[-1]["measured"] >= GOALS[lanes]}
        rows += [left_out(f"{about}: times {name}", reason) for name, reason in missing.items()]
    return rows


def _against(place: Place, about: str, name: str, run: Any, ours: Any, fresh: Callable[[], Tensor], own: float) -> Row:
    """Return how many times faster we are than a peer; spikes are compared first."""
    try:
        with torch.no_grad():
            x = fresh()
            if not torch.equal(ours(x), run(x)):
                return left_out(f"{about}: times {name}", "its spikes are others")
        return row(
            f"{about}: times {name}", place.seconds(partial(trained, run), fresh) / own, 1 if place.is_gpu else None
        )
    except Exception as error:  # whatever a peer raises, the others go on
        return left_out(f"{about}: times {name}", f"{type(error).__name__}: {error}"[:200])


class Pictures(Dataset[Any]):
    """Pictures that are there already, a batch at a time, so that the network is timed and not the disk."""

    def __init__(self, n: int, batch: int, side: int) -> None:
        self.n, self.made = n, (torch.rand(batch, 3, side, side), torch.arange(batch) % 10)

    def __len__(self) -> int:
        return self.n

    def __getitems__(self, places: list[int]) -> tuple[Tensor, Tensor]:
        x, y = self.made
        return x[: len(places)], y[: len(places)]

    def loader(self) -> DataLoader[Any]:
        """Return the loader that both sides read from."""
        return DataLoader(self, len(self.made[0]), collate_fn=lambda made: made, pin_memory=torch.cuda.is_available())


class Clock:
    """Notes the time of every batch of a training."""

    def __init__(self, place: Place) -> None:
        self.place, self.times = place, list[float]()

    def __call__(self, moment: object) -> None:
        """Let epochs pass."""

    def after_batch(self, moment: object) -> None:
        """Note the time after the first batches and after the last one, when all is done."""
        self.place.wait()
        self.times.append(time.perf_counter())


def resnet(place: Place) -> nn.Module:
    """Return ResNet-50, or on the CPU a network of two convolutions."""
    if place.is_gpu:
        found: nn.Module = importlib.import_module("torchvision.models").resnet50(num_classes=10)
        return found
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.LazyLinear(10))


class Block(nn.Module):
    """Spike-element-wise residual block over (time, batch, channel, y, x)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels)
        self.spikes = SpikingLayer(DiscreteLIFParameters())

    def forward(self, x: Tensor) -> Tensor:
        """Return spikes added to the input."""
        drive = self.norm(self.convolution(x.flatten(0, 1))).unflatten(0, x.shape[:2])
        answer: Tensor = self.spikes(drive) + x
        return answer


class SpikingResNet(nn.Module):
    """Convolutions of spiking neurons with residual connections, shown a picture for four steps."""

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, channels, 7, stride=4)
        self.blocks = nn.Sequential(*(Block(channels) for _ in range(depth)))
        self.readout = nn.Linear(channels, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (batch, category)."""
        activity = self.first(images).unsqueeze(0).expand(4, -1, -1, -1, -1)
        answer: Tensor = self.readout(self.blocks(activity).mean((0, 3, 4)))
        return answer


def plain_loop(place: Place, network: nn.Module, loader: DataLoader[Any]) -> Iterator[None]:
    """Train as a plain script of PyTorch does, with mixed precision and the channel last."""
    network.to(place.device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    optimizer = torch.optim.SGD(network.parameters(), 0.01, momentum=0.9)
    for shown, labels in loader:
        x = shown.to(place.device, non_blocking=True, memory_format=torch.channels_last)
        y = labels.to(place.device, non_blocking=True)
        optimizer.zero_grad()
        with torch.autocast(place.device.split(":")[0], torch.bfloat16):
            loss = nn.functional.cross_entropy(network(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        yield


def by_train(place: Place, network: nn.Module, loader: DataLoader[Any], clock: Clock) -> None:
    """Train by ``train``, with the same settings."""
    options = ns.networks.TrainingOptions(1, 1, 0.01, optimizer="sgd", schedule="constant", precision="bfloat16")
    runtime = ns.networks.Runtime(channels_last=True, deterministic=False)
    watch = ns.networks.Watch(callbacks=[clock])
    ns.train(network, loader, options, runtime=runtime, watch=watch, device=place.device, progress=False)


def images(place: Place) -> list[Row]:
    """Return images a second of ``train`` as a share of those of a plain loop, and both in numbers."""
    batch, side, n = (128, 224, 40) if place.is_gpu else (4, 16, 6)
    cases = {
        "ResNet-50": partial(resnet, place),
        "spiking ResNet": partial(SpikingResNet, 64 if place.is_gpu else 4, 4),
    }
    rows = []
    for name, make in cases.items():
        pictures, speeds = Pictures(n * batch, batch, side), {}
        for side_name in ("plain", "ours"):
            torch.manual_seed(0)
            network = make()
            with torch.no_grad():
                network(pictures.made[0][:2])
            clock = Clock(place)
            if side_name == "plain":
                for _ in plain_loop(place, network, pictures.loader()):
                    clock.after_batch(None)
            else:
                by_train(place, network, pictures.loader(), clock)
            warm = n // 4
            speeds[side_name] = batch * (n - 1 - warm) / (clock.times[-1] - clock.times[warm])
            rows.append(row(f"{name}: images a second, {side_name}", speeds[side_name], None))
        asked = 0.97 if place.is_gpu else None
        rows.append(row(f"{name}: share of a plain loop", speeds["ours"] / speeds["plain"], asked))
    return rows


def recording(place: Place) -> list[Row]:
    """Return how much longer a recorded pass takes than a bare one that brings its answer to the processor."""
    network = resnet(place).eval()
    shown = torch.rand(512 if place.is_gpu else 16, 3, 224 if place.is_gpu else 16, 224 if place.is_gpu else 16)
    network(shown[:2])
    network.to(place.device)
    stimuli = ns.as_stimuli(shown.numpy())
    layer = "avgpool" if place.is_gpu else "2"
    size = 128

    def bare() -> list[Tensor]:
        with torch.no_grad():
            return [network(part.to(place.device)).cpu() for part in shown.split(size)]

    def record() -> object:
        asked = {"layers": [layer], "batch_size": size, "device": place.device, "progress": False}
        return ns.record_responses(network, stimuli, **asked)

    with contextlib.redirect_stdout(None):
        share = place.seconds(record) / place.seconds(bare) - 1
    return [row("recording one layer takes longer by", share, 0.1 if place.is_gpu else None, most=True)]
