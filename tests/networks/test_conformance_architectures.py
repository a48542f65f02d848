"""What the record of an architecture says is so: what it refuses fails, what it does not refuse builds and learns."""

import subprocess
import sys
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import nn

import neurosim as ns
from neurosim.networks import ARCHITECTURES, Architecture, architecture_of
from neurosim.networks.architecture import KINDS, SPOKEN, kind_of
from neurosim.networks.objectives import Reconstruction
from neurosim.networks.optimization import TrainingOptions
from neurosim.schema import InputError, as_stimuli
from neurosim.stimuli.encoders import encode_rate
from neurosim.tasks.classification import classification_task
from tests import forks
from tests.test_registry import installed

STIMULI = {
    "gray": {"y": 8, "x": 8},
    "colour": {"channel": 3, "y": 32, "x": 32},
    "vector": {"unit": 6},
    "sequence": {"time": 7, "unit": 5},
    "words": {"time": 7},
    "events": {"time": 5, "channel": 2, "y": 8, "x": 8},
}
EXAMPLES = [(name, k) for name, a in ARCHITECTURES.items() for k in range(len(a.examples))]


def stimuli_of(kind, n=8):
    sizes, rng = STIMULI[kind], np.random.default_rng(0)
    shape = (n, *sizes.values())
    values = rng.integers(1, 30, shape) if kind == "words" else rng.random(shape).astype(np.float32)
    step = {"time_step": 1e-3} if "time" in sizes else {}
    return as_stimuli(values, dims=("stimulus", *sizes), coords={"category": list("abababab")[:n]}, **step)


def learned(architecture, specification, kind):
    """Let the network of a specification learn for one epoch what its architecture learns, and record it."""
    network = ns.build_network(specification, tuple(STIMULI[kind].values()), architecture.n_outputs or 2)
    stimuli = stimuli_of(kind)
    if architecture.encoding is not None and "time" not in stimuli.dims:
        how = architecture.encoding(specification)
        stimuli = encode_rate(stimuli, n_steps=how.n_steps, time_step=how.time_step, rng=0)
    task = classification_task(stimuli, test_fraction=0.25)
    if architecture.learns and architecture.learns[0] != "targets":
        reconstructs = architecture.learns[0] == "reconstruction"
        task = task.reconstruction() if reconstructs else task
        objective = Reconstruction() if reconstructs else None
        history = ns.train(network, task, TrainingOptions(1, 8), objective=objective, progress=False)
        assert np.isfinite(history.loss).all()
    else:
        inputs = torch.from_numpy(stimuli.values)
        outputs = network(inputs.transpose(0, 1) if "time" in stimuli.dims else inputs)
        assert outputs.shape[-1] == (architecture.n_outputs or 2) and outputs.ndim == 2 + bool(architecture.learns)
        outputs.square().sum().backward()
    found = ns.record_responses(network, stimuli, layers=network.recorded[:1], progress=False)
    assert found.sizes["stimulus"] == 8 and np.isfinite(found.values).all()


def test_every_kind_of_stimulus_is_spoken_of_and_tried():
    assert set(STIMULI) == set(SPOKEN) == set(KINDS.values())
    assert all(kind_of(sizes) == kind for kind, sizes in STIMULI.items())


@pytest.mark.parametrize(("name", "k"), EXAMPLES)
@pytest.mark.parametrize("kind", STIMULI)
def test_what_is_not_refused_builds_learns_and_is_recorded(name, k, kind):
    architecture = ARCHITECTURES[name]
    specification, sizes = architecture.examples[k], STIMULI[kind]
    learns = architecture.learns[0] if architecture.learns else None
    if architecture.refusal(specification, sizes, learns) is None:
        torch.manual_seed(0)
        learned(architecture, specification, kind)
    else:
        with pytest.raises(Exception):  # noqa: B017 whatever torch says of it
            learned(architecture, specification, kind)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_records_are_whole(name):
    architecture = ARCHITECTURES[name]
    assert architecture.examples and architecture.caption.endswith(".")
    assert architecture_of(architecture.specification()) is architecture
    taken = {k for k, s in STIMULI.items() if any(architecture.refusal(e, s) is None for e in architecture.examples)}
    assert taken == set(architecture.takes)
    others = {"categories", "targets", "reconstruction"} - set(architecture.learns)
    sizes = STIMULI[architecture.takes[0]]
    for learning in others:
        assert "learn" in (reason := architecture.refusal(architecture.examples[0], sizes, learning)) or "not" in reason
    for example in architecture.examples:
        network = ns.build_network(example, tuple(sizes.values()), architecture.n_outputs or 3)
        known = dict(network.named_modules())
        assert isinstance(network, nn.Module) and all(layer in known for layer in network.recorded)


def test_sizes_that_do_not_fit_are_refused_before_anything_is_built():
    for name, sizes, words in (
        ("ConvNet", {"y": 3, "x": 3}, "too small for that many poolings"),
        ("SpikingConvNet", {"y": 8, "x": 12}, "square images asked, found 8 x 12"),
        ("VAE", {"y": 10, "x": 10}, "cannot be halved 2 times"),
        ("Vision", {"channel": 1, "y": 64, "x": 64}, "3 channels asked, found 1"),
        ("EfficientNetLite0", {"channel": 3, "y": 31, "x": 64}, "at least 32 pixels"),
        ("Transformer", {"time": 512, "unit": 3}, "at most 511 steps"),
    ):
        reason = ARCHITECTURES[name].refusal(ARCHITECTURES[name].specification(), sizes)
        assert words in reason and reason.endswith(".") and "\n" not in reason
    inception = ns.networks.VisionSpecification("inception_v3")
    assert "at least 75 pixels" in ARCHITECTURES["Vision"].refusal(inception, {"channel": 3, "y": 64, "x": 64})
    efficient = ns.networks.EfficientNetLite0Specification("random")
    with pytest.raises(InputError, match="has 1000 outputs, 10 asked; replace_head"):
        ns.build_network(efficient, (3, 224, 224), 10)


def test_twins_are_refused_by_the_record():
    spiking = ARCHITECTURES["SpikingMLP"]
    assert spiking.twin_refusal(spiking.specification()) is None
    adaptive = spiking.specification(neuron=ns.networks.NeuronSpecification("adaptive"))
    assert "adaptive thresholds have no twin" in spiking.twin_refusal(adaptive)


def test_records_load_without_torch():
    code = (
        "import sys; from neurosim.networks.architecture import ARCHITECTURES; list(ARCHITECTURES);"
        "print([m for m in ('torch', 'snntorch', 'brian2', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"specification": dict}, "frozen dataclass"),
        ({"citation": "Anybody (2020)"}, "no DOI"),
        ({"takes": ("smells",)}, "takes 'smells'; known: gray"),
        ({"learns": ("everything",)}, "learns 'everything'"),
    ],
)
def test_records_that_lack_something_are_refused(change, words):
    with pytest.raises(InputError, match=words):
        replace(ARCHITECTURES["MLP"], **change)


@dataclass(frozen=True)
class LinearSpecification:
    """A stranger's parameters."""

    bias: bool = True


class Linear(nn.Module):
    """A stranger's network."""

    def __init__(self, specification, image_shape, n_categories):
        super().__init__()
        self.readout = nn.Linear(int(np.prod(image_shape)), n_categories, bias=specification.bias)
        self.recorded = ("readout",)

    def forward(self, images):
        return self.readout(images.flatten(1))


def stranger():
    return Architecture(
        name="Linear",
        specification=LinearSpecification,
        build=Linear,
        takes=("gray", "vector"),
        learns=("categories",),
        caption="One layer of weights.",
        citation="Widrow B, Hoff ME (1960), https://doi.org/10.21236/AD0241531",
        examples=(LinearSpecification(),),
    )


def test_a_strangers_architecture_is_built_trained_and_recorded():
    with pytest.raises(InputError, match=r"a specification of .* asked"):
        ns.build_network(LinearSpecification(), (8, 8), 2)
    with ARCHITECTURES.added(stranger()) as architecture:
        learned(architecture, LinearSpecification(False), "gray")
        assert "not colour" in architecture.refusal(LinearSpecification(), STIMULI["colour"], "categories")
    assert "Linear" not in ARCHITECTURES


def test_an_installed_package_brings_an_architecture(tmp_path):
    installed(
        tmp_path,
        "more_networks",
        "from tests.networks.test_conformance_architectures import stranger\nLINEAR = stranger()\n",
    )
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r});"
        "from neurosim.networks import ARCHITECTURES, build_network;"
        "print(build_network(ARCHITECTURES['Linear'].specification(), (8, 8), 3))"
    )
    done = subprocess.run(forks.command("-c", code), capture_output=True, text=True, check=False)
    assert "out_features=3" in done.stdout, done.stderr
