"""Responses on disk are those in memory, spikes cost one bit, and what is asked for is all that is read."""

import numpy as np
import pytest
import torch
from torch import nn

from neurosim.networks import ConvNetSpecification, SpikingConvNetSpecification
from neurosim.networks.architecture import build_network
from neurosim.networks.perturbation import perturbed
from neurosim.networks.recording import record_responses
from neurosim.networks.streaming import open_streamed
from neurosim.schema import InputError, Perturbation
from neurosim.stimuli.images import iterate_image_folder, load_digits
from neurosim.storage import StorageError, write_bytes


@pytest.mark.parametrize(
    "specification", [ConvNetSpecification((4, 6)), SpikingConvNetSpecification((3, 5), n_steps=9)]
)
def test_streamed_responses_are_those_in_memory(tmp_path, specification):
    torch.manual_seed(0)
    network, digits = build_network(specification, (8, 8), 10), load_digits()[:50]
    held = record_responses(network, digits, batch_size=16, progress=False)
    streamed = record_responses(network, digits, out=tmp_path / "r.nc", batch_size=16, progress=False)
    assert streamed.dims == held.dims and streamed.attrs == held.attrs
    np.testing.assert_array_equal(streamed.values, held.values)
    for name, label in held.coords.items():
        np.testing.assert_array_equal(streamed[name].values, label.values)
    part = {"stimulus": [3, 40], "unit": slice(5, 9)}
    np.testing.assert_array_equal(open_streamed(tmp_path / "r.nc").isel(part).values, held.isel(part).values)


def test_spikes_take_one_bit_each(tmp_path):
    torch.manual_seed(0)
    network, digits = build_network(SpikingConvNetSpecification((8, 8), n_steps=40), (8, 8), 10), load_digits()[:100]
    held = record_responses(network, digits, out=tmp_path / "r.nc", progress=False)
    assert (tmp_path / "r.nc").stat().st_size < held.size / 8 + 100_000


def test_more_than_memory_is_refused_before_it_is_computed():
    network = build_network(ConvNetSpecification((4, 6)), (8, 8), 10)
    with pytest.raises(InputError, match=r"pass out='responses\.nc'"):
        record_responses(network, load_digits(), memory=1000, progress=False)


def test_other_files_and_broken_answers_are_refused(tmp_path):
    write_bytes(tmp_path / "x.nc", b"nothing")
    with pytest.raises(StorageError):
        open_streamed(tmp_path / "x.nc")
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    with torch.no_grad():
        network[1].weight.fill_(torch.inf)
    with pytest.raises(InputError, match="NaN or infinite"):
        record_responses(network, load_digits()[:5], out=tmp_path / "y.nc", progress=False)
    assert not (tmp_path / "y.nc").exists()


def test_layers_are_named_with_wildcards():
    network = build_network(ConvNetSpecification((4, 6)), (8, 8), 10)
    found = record_responses(network, load_digits()[:3], layers=["conv*", "readout"], progress=False)
    assert list(dict.fromkeys(found.layer.values)) == ["conv1", "conv2", "readout"]
    inside = record_responses(network, load_digits()[:3], layers=["*.conv2.*"], progress=False)
    assert list(dict.fromkeys(inside.layer.values)) == [f"conv2.{k}" for k in range(4)]


def test_clamped_units_send_what_they_are_told():
    network = build_network(ConvNetSpecification((4, 6)), (8, 8), 10)
    with perturbed(network, Perturbation("clamp", "hidden", [2, 5], amount=0.7)):
        found = record_responses(network, load_digits()[:4], layers=["hidden"], progress=False)
    np.testing.assert_allclose(found.values[:, [2, 5]], 0.7, rtol=1e-6)
    again = record_responses(network, load_digits()[:4], layers=["hidden"], progress=False)
    assert not np.allclose(again.values[:, [2, 5]], 0.7)


def test_pictures_of_any_size_are_streamed_cropped_from_the_middle(tmp_path):
    from PIL import Image

    for category, size in (("cat", (40, 30)), ("dog", (30, 64))):
        (tmp_path / category).mkdir()
        picture = np.zeros((*size, 3), dtype=np.uint8)
        picture[size[0] // 2 - 6 : size[0] // 2 + 6, size[1] // 2 - 6 : size[1] // 2 + 6] = 255
        Image.fromarray(picture).save(tmp_path / category / "a.png")
    batches = list(iterate_image_folder(tmp_path, size=30, crop=10, batch_size=1, progress=False))
    assert [str(b.category.values[0]) for b in batches] == ["cat", "dog"]
    assert all(b.shape == (1, 3, 10, 10) and float(b.mean()) > 0.99 for b in batches)
    with pytest.raises(InputError, match="crop of at most"):
        next(iterate_image_folder(tmp_path, size=10, crop=20))
