"""Folders of Hugging Face: architectures come back to the last bit, what is hostile is refused, the card is read."""

import json
import resource

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

import neurosim as ns
from neurosim.networks import ARCHITECTURES, load_hugging_face, save_hugging_face
from neurosim.schema import InputError
from neurosim.storage import StorageError
from tests.networks.test_conformance_architectures import STIMULI

MLP = ns.networks.MLPSpecification((6,))
BUILT = {"specification": MLP, "image_shape": (3, 4), "n_categories": 2}


def first_kind(architecture, specification):
    """The first kind of stimulus that this specification takes, as the shape of one."""
    return next(tuple(s.values()) for s in STIMULI.values() if architecture.refusal(specification, s) is None)


def mlp(seed=0):
    torch.manual_seed(seed)
    return ns.build_network(*BUILT.values())


@pytest.fixture
def folder(tmp_path):
    save_hugging_face(tmp_path / "mlp", mlp(), **BUILT)
    return tmp_path / "mlp"


def edited(folder, **changes):
    """Change keys of the configuration; parameters are changed inside."""
    config = json.loads((folder / "config.json").read_text())
    parameters = config["parameters"] | changes.pop("parameters", {})
    (folder / "config.json").write_text(json.dumps(config | {"parameters": parameters} | changes))


@pytest.mark.parametrize("name", list(ARCHITECTURES))
def test_every_architecture_comes_back_to_the_last_bit(name, tmp_path):
    architecture = ARCHITECTURES[name]
    if architecture.requires is not None and not architecture.requires.is_met:
        pytest.skip(f"{architecture.requires.module} is not installed")
    for k, specification in enumerate(architecture.examples):
        shape, n = first_kind(architecture, specification), architecture.n_outputs or 3
        torch.manual_seed(k + 1)
        network = ns.build_network(specification, shape, n)
        with torch.no_grad():
            for weights in network.parameters():  # as a training leaves them, not as they are drawn
                weights.add_(torch.randn_like(weights) * 1e-3)
        built = {"specification": specification, "image_shape": shape, "n_categories": n}
        save_hugging_face(tmp_path / str(k), network, **built)
        before = torch.random.get_rng_state()
        again = load_hugging_face(tmp_path / str(k))
        assert torch.equal(before, torch.random.get_rng_state()) and not again.training
        assert type(again) is type(network)
        wanted, found = network.state_dict(), again.state_dict()
        assert list(wanted) == list(found)
        assert all(torch.equal(wanted[k], found[k]) and wanted[k].dtype == found[k].dtype for k in wanted)
        save_hugging_face(tmp_path / f"{k} again", again, **built)
        for file in ("config.json", "model.safetensors", "README.md"):
            assert (tmp_path / str(k) / file).read_bytes() == (tmp_path / f"{k} again" / file).read_bytes()


def test_answers_are_those_of_the_trained_network_in_double_precision_too(tmp_path):
    for dtype in (torch.float32, torch.float64):
        network = mlp().to(dtype)
        save_hugging_face(tmp_path / str(dtype), network, **BUILT)
        pictures = torch.rand(5, 3, 4, dtype=dtype)
        assert torch.equal(load_hugging_face(tmp_path / str(dtype))(pictures), network.eval()(pictures))


def test_a_network_of_other_numbers_is_refused(tmp_path):
    neuron = ns.networks.NeuronSpecification
    spiking = ns.networks.SpikingMLPSpecification((6,))
    slower = ns.networks.SpikingMLPSpecification((6,), neuron=neuron(tau_mem=20e-3))
    network = ns.build_network(spiking, (12,), 2)
    for wrong, change in (("LIF", {"specification": slower}), ("size mismatch", {"image_shape": (11,)})):
        asked = {"specification": spiking, "image_shape": (12,), "n_categories": 2} | change
        with pytest.raises(InputError, match=f"^save_hugging_face: .* build another network.*{wrong}"):
            save_hugging_face(tmp_path / "x", network, **asked)
    network = mlp()
    network.extra = 3
    with pytest.raises(InputError, match="numbers beside the weights"):
        save_hugging_face(tmp_path / "x", network, **BUILT)
    with pytest.raises(InputError, match="build another network than this"):
        save_hugging_face(tmp_path / "x", torch.nn.Linear(12, 2), **BUILT)
    with pytest.raises(InputError, match=r"float32 or of float64 asked, found torch\.float16"):
        save_hugging_face(tmp_path / "x", mlp().half(), **BUILT)
    assert not (tmp_path / "x").exists()


def test_weights_of_elsewhere_are_not_named(tmp_path):
    lite = ARCHITECTURES["EfficientNetLite0"]
    if not lite.requires.is_met:
        pytest.skip("efficientnet_lite_pytorch is not installed")
    specification = lite.specification("imagenet")
    network = ns.build_network(specification, lite.shape, 1000)
    save_hugging_face(
        tmp_path / "lite", network, specification=specification, image_shape=lite.shape, n_categories=1000
    )
    assert json.loads((tmp_path / "lite/config.json").read_text())["parameters"] == {"weights": "random"}
    edited(tmp_path / "lite", parameters={"weights": "imagenet"})
    with pytest.raises(InputError, match="name weights elsewhere"):
        load_hugging_face(tmp_path / "lite")


HOSTILE = {
    "another library": ({"model_type": "bert"}, "model_type 'bert'"),
    "unknown architecture": ({"architecture": "os.system"}, "unknown architecture 'os.system'"),
    "no name": ({"architecture": ["MLP"]}, "unknown architecture"),
    "unknown parameter": ({"parameters": {"code": "import os"}}, "'code' of MLPSpecification is missing, unknown"),
    "true for a number": ({"parameters": {"hidden": [True]}}, "'hidden' of MLPSpecification"),
    "text for a number": ({"parameters": {"hidden": ["6"]}}, "'hidden' of MLPSpecification"),
    "negative": ({"parameters": {"hidden": [-6]}}, "no MLP can be built from these numbers|more weights|does not fit"),
    "enormous": ({"parameters": {"hidden": [10**9]}}, "1000000000 is above"),
    "large": ({"parameters": {"hidden": [10**7, 10**7]}}, "more weights than model.safetensors holds"),
    "deep": ({"parameters": {"hidden": [6] * 100_000}}, "more weights than model.safetensors holds"),
    "shape": ({"image_shape": [3, "4"]}, "image_shape of one to four"),
    "large shape": ({"image_shape": [10**12, 4]}, "image_shape of one to four"),
    "others": ({"image_shape": [4, 4]}, "does not fit config.json"),
    "type": ({"dtype": "float64"}, "does not fit config.json.*float64"),
    "type unknown": ({"dtype": {"a": 1}}, "dtype"),
    "parameters": ({"parameters": {"hidden": {"__class__": "x"}}}, "'hidden"),
}


@pytest.mark.parametrize("change, said", HOSTILE.values(), ids=HOSTILE)
def test_hostile_configurations_are_refused_in_one_line(folder, change, said):
    edited(folder, **change)
    with pytest.raises(InputError, match=said) as refused:
        load_hugging_face(folder)
    assert str(refused.value).count("\n") == 0


def test_what_is_built_for_a_hostile_configuration_takes_no_memory(folder):
    """A billion weights are said, of which none is there: the process stays as small as it was."""
    edited(folder, parameters={"hidden": [10**7, 100]}, image_shape=[100, 1])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(StorageError, match="more weights"):
        load_hugging_face(folder)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB; the weights would be 4 GB


def test_links_out_of_the_folder_are_refused(folder, tmp_path):
    (folder / "config.json").rename(tmp_path / "config.json")
    (folder / "config.json").symlink_to(tmp_path / "config.json")
    with pytest.raises(StorageError, match="leads out of its folder"):
        load_hugging_face(folder)


def test_damaged_and_missing_files_are_refused(folder):
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[:-3])
    with pytest.raises(StorageError, match="safetensors, truncated"):
        load_hugging_face(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(StorageError, match="no such file"):
        load_hugging_face(folder)
    edited(folder, n_categories=None)
    with pytest.raises(InputError, match="n_categories"):
        load_hugging_face(folder)


def test_other_names_and_types_of_weights_are_refused(folder):
    tensors = load_file(folder / "model.safetensors")
    name = next(iter(tensors))
    for changed in (
        {k: v for k, v in tensors.items() if k != name},
        tensors | {"more": np.zeros(1, np.float32)},
        tensors | {name: tensors[name].astype(np.float16)},
        tensors | {name: tensors[name][:1]},
    ):
        save_file(changed, folder / "model.safetensors")
        with pytest.raises(StorageError, match=r"does not fit config\.json"):
            load_hugging_face(folder)


def test_the_card_and_the_configuration_are_what_hugging_face_reads(tmp_path):
    hub = pytest.importorskip("huggingface_hub")
    title = 'a "quoted": title\n---\n# no head'
    save_hugging_face(tmp_path / "a", mlp(), **BUILT, categories=["cat", "dog: 2"], title=title, licence="cc-by-4.0")
    card = hub.ModelCard.load(tmp_path / "a" / "README.md")
    assert card.data.license == "cc-by-4.0" and card.data.library_name == "neurosim"
    assert "MLP" in card.data.tags and ARCHITECTURES["MLP"].citation in card.text
    assert card.text.lstrip().startswith('# a "quoted": title --- # no head')
    config = json.loads((tmp_path / "a" / "config.json").read_text())
    assert config["id2label"] == {"0": "cat", "1": "dog: 2"} and config["label2id"] == {"cat": 0, "dog: 2": 1}
    save_hugging_face(tmp_path / "b", mlp(), **BUILT)
    assert hub.ModelCard.load(tmp_path / "b" / "README.md").data.license is None


@pytest.mark.parametrize(
    "options, said",
    [
        ({"categories": ["one"]}, "1 categories are named, n_categories = 2"),
        ({"licence": "mit\nevil: yes"}, "licence = "),
        ({"specification": {"hidden": (6,)}}, "a specification of"),
    ],
)
def test_options_that_mean_nothing_are_refused(tmp_path, options, said):
    with pytest.raises(InputError, match=f"^save_hugging_face: .*{said}"):
        save_hugging_face(tmp_path / "x", mlp(), **(BUILT | options))
    (tmp_path / "y").mkdir()
    with pytest.raises(InputError, match="is there already"):
        save_hugging_face(tmp_path / "y", mlp(), **BUILT)
