"""A network as a plugin of Brain-Score answers as it does here, in a process that has not this package."""

import importlib.util
import json
import subprocess
import sys

import numpy as np
import pytest
import snntorch as snn
import torch
from PIL import Image
from torch import nn

import neurosim as ns
from neurosim.networks import Pictures, build_network, save_brain_score
from neurosim.schema import InputError

RUN = """
import importlib.util, json, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("neurosim", "snntorch", "brian2", "xarray"):
            raise ImportError(name)

sys.meta_path.insert(0, Absent())
given = json.loads(sys.stdin.read())
for folder, layers in given["folders"].items():
    spec = importlib.util.spec_from_file_location("model", folder + "/model.py")
    model = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(model)
    assert model.get_layers() == layers, model.get_layers()
    found = model.get_activations(model.load_images(given["paths"]), layers)
    import numpy as np
    np.savez(folder + "/found.npz", **{name: values.reshape(len(values), -1) for name, values in found.items()})
assert "neurosim" not in sys.modules and "snntorch" not in sys.modules
"""


class Stepped(nn.Module):
    """A convolution and neurons of snnTorch, run step by step."""

    def __init__(self):
        super().__init__()
        self.weights, self.neurons = nn.Conv2d(1, 2, 3), snn.Leaky(beta=0.8, threshold=0.4)

    def forward(self, x):
        state = self.neurons.init_leaky()
        spikes = []
        for step in x:
            out, state = self.neurons(self.weights(step), state)
            spikes.append(out)
        return torch.stack(spikes)


def networks():
    torch.manual_seed(0)
    grey = {"shape": (1, 8, 8), "mean": (0.2,), "std": (0.5,)}
    deep = build_network(ns.networks.ConvNetSpecification(), (8, 8), 10)
    deep.blocks["conv1"][1].running_mean.uniform_(-0.2, 0.2)
    spiking = build_network(ns.networks.SpikingMLPSpecification((12,)), (8, 8), 10)
    with torch.no_grad():
        spiking.linears["hidden1"].weight.mul_(3)
    return {
        "deep": (deep, ["blocks.conv1", "blocks.hidden", "readout"], Pictures(**grey)),
        "spiking": (nn.Sequential(nn.Flatten(2), spiking), ["1.spikes.hidden1"], Pictures(**grey, n_steps=6)),
        "stepped": (Stepped(), ["neurons"], Pictures(**grey, n_steps=4)),
    }


def wanted(network, layers, pictures, values):
    """What layers answer to pictures (image, y, x) of 0 to 1, by hooks, averaged over time."""
    shown = torch.as_tensor((values[:, None] - pictures.mean[0]) / pictures.std[0], dtype=torch.float32)
    shown = shown if pictures.n_steps is None else shown.expand(pictures.n_steps, *shown.shape)
    found = {name: [] for name in layers}
    take = lambda name: lambda m, i, o: found[name].append(o[0] if isinstance(o, tuple) else o)  # noqa: E731
    hooks = [network.get_submodule(name).register_forward_hook(take(name)) for name in layers]
    with torch.no_grad():
        network.eval()(shown)
    for hook in hooks:
        hook.remove()
    together = {k: torch.stack(v).mean(0) if len(v) > 1 else v[0] for k, v in found.items()}
    if pictures.n_steps:
        together = {k: v.mean(0) if v.shape[0] == pictures.n_steps else v for k, v in together.items()}
    return {k: v.reshape(len(values), -1).numpy() for k, v in together.items()}


def test_plugins_answer_as_here_where_this_package_is_not(tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (3, 8, 8), dtype=np.uint8)
    paths = [str(tmp_path / f"{k}.png") for k in range(3)]
    for path, picture in zip(paths, pixels, strict=True):
        Image.fromarray(picture).save(path)
    made = networks()
    for name, (network, layers, pictures) in made.items():
        before = {k: v.clone() for k, v in network.state_dict().items()}
        network.train()
        save_brain_score(tmp_path / name, network, identifier=name, layers=layers, pictures=pictures, bibtex="@a{b}")
        assert network.training
        assert all(torch.equal(v, network.state_dict()[k]) for k, v in before.items())
        for file in (tmp_path / name).glob("*.py"):
            assert "neurosim" not in file.read_text()
    given = json.dumps({"folders": {str(tmp_path / k): v[1] for k, v in made.items()}, "paths": paths})
    command = [sys.executable, "-I", "-c", RUN]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stderr[-2000:]
    for name, (network, layers, pictures) in made.items():
        found = np.load(tmp_path / name / "found.npz")
        asked = wanted(network, layers, pictures, pixels / 255)
        for layer in layers:
            np.testing.assert_allclose(found[layer], asked[layer], rtol=1e-4, atol=1e-5)
            assert found[layer].std() > 0


class Tied(nn.Module):
    """One layer under two names."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(64, 64)
        self.second = self.first

    def forward(self, x):
        return self.second(self.first(x.flatten(1)).relu())


def plugin(folder):
    spec = importlib.util.spec_from_file_location(folder.name, folder / "model.py")
    model = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(model)
    return model


def test_a_layer_is_heard_before_what_follows_changes_it_in_place(tmp_path):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(144, 3)).eval()
    grey, values = Pictures((1, 8, 8), (0.0,), (1.0,)), torch.rand(2, 1, 8, 8)
    save_brain_score(tmp_path / "f", net, identifier="x", layers=["0", "1"], pictures=grey)
    found = plugin(tmp_path / "f").get_activations(values.numpy(), ["0", "1"])
    with torch.no_grad():
        wanted = net[0](values)
    np.testing.assert_allclose(found["0"], wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found["1"], wanted.relu(), rtol=1e-4, atol=1e-5)


def test_weights_of_two_names_are_written_once(tmp_path):
    torch.manual_seed(0)
    net, values = nn.Sequential(Tied(), nn.Linear(64, 3)), torch.rand(2, 1, 8, 8)
    save_brain_score(tmp_path / "f", net, identifier="x", layers=["1"], pictures=Pictures((1, 8, 8), (0.0,), (1.0,)))
    with torch.no_grad():
        wanted = net(values)
    model = plugin(tmp_path / "f")
    np.testing.assert_allclose(model.get_activations(values.numpy(), ["1"])["1"], wanted, rtol=1e-4, atol=1e-5)
    assert len(model.WEIGHTS) == 4


class Choosing(nn.Module):
    """Runs other operations on other pictures."""

    def __init__(self):
        super().__init__()
        self.weights = nn.Linear(64, 2)

    def forward(self, x):
        return self.weights(x.flatten(1) if float(x[0, 0, 0, 0]) > 0.5 else -x.flatten(1))


def test_what_cannot_be_a_plugin_is_refused_in_one_line(tmp_path):
    grey = Pictures((1, 8, 8), (0.0,), (1.0,))
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    (tmp_path / "there").mkdir()
    for words, call in {
        "is there already": lambda: save_brain_score(tmp_path / "there", net, identifier="a", pictures=grey),
        "letters, digits": lambda: save_brain_score(tmp_path / "x", net, identifier="a'; import os", pictures=grey),
        "is asked as network": lambda: save_brain_score(tmp_path / "x", 3, identifier="a"),
        "no layer": lambda: save_brain_score(tmp_path / "x", net, identifier="a", layers=["conv"], pictures=grey),
        "is no fixed series of operations": lambda: save_brain_score(tmp_path / "x", net, identifier="a"),
        "no fixed series|other operations": lambda: save_brain_score(
            tmp_path / "x", Choosing(), identifier="a", pictures=grey
        ),
        "in a batch otherwise than to it alone": lambda: save_brain_score(
            tmp_path / "x",
            nn.Sequential(nn.Flatten(), nn.Softmax(0)),
            identifier="a",
            layers=["1"],
            pictures=grey,
        ),
        "for each of 1 channels": lambda: Pictures((1, 8, 8)),
        "1 or 3 channels": lambda: Pictures((2, 8, 8), (0.0,) * 2, (1.0,) * 2),
        "and whole steps asked": lambda: Pictures(n_steps=-1),
    }.items():
        with pytest.raises(InputError, match=words) as caught:
            call()
        assert "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["there"]
