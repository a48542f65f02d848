"""Every architecture is recorded as plain hooks hear it, by every default layer, and is left as it was found."""

import numpy as np
import pytest
import torch

from neurosim import networks as sp
from neurosim.networks.architecture import build_network
from neurosim.networks.recording import iterate_layers, layer_label, predict, record_neurons, record_responses
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.schema import as_stimuli

IMAGES, ROWS, TRAINS = (8, 8), (12, 5), (12, 64)
PICTURES = (3, 64, 64)
CASES = {
    "MLP": (sp.MLPSpecification((12,)), IMAGES),
    "EquilibriumMLP": (sp.EquilibriumMLPSpecification((12, 9), 10), IMAGES),
    "ConvNet": (sp.ConvNetSpecification((4, 6), 8), IMAGES),
    "RateRNN": (sp.RateRNNSpecification(9), IMAGES),
    "LeakyRNN": (sp.LeakyRNNSpecification(9), ROWS),
    "GRU": (sp.GRUSpecification(9, is_sequence=True), ROWS),
    "LSTM": (sp.LSTMSpecification(9, is_sequence=True), ROWS),
    "Transformer": (sp.TransformerSpecification(8, 2, 2, 12), ROWS),
    "Autoencoder": (sp.AutoencoderSpecification((4,), 5), IMAGES),
    "VAE": (sp.VAESpecification((4,), 5), IMAGES),
    "SEWResNet": (sp.SEWResNetSpecification((4, 6), 1), IMAGES),
    "Spikformer": (sp.SpikformerSpecification(8, 2, 1, 12, 1), IMAGES),
    "LiquidStateMachine": (sp.LiquidStateMachineSpecification((2, 2, 3)), ROWS),
    "SpikeTimeMLP": (sp.SpikeTimeMLPSpecification((12,)), IMAGES),
    "SpikingConvNet": (sp.SpikingConvNetSpecification((4, 6)), IMAGES),
    "SpikingMLP": (sp.SpikingMLPSpecification((12,)), TRAINS),
    "SpikingRNN": (sp.SpikingRNNSpecification((9, 7)), ROWS),
    "EfficientNetLite0": (sp.EfficientNetLite0Specification("random"), PICTURES),
    "EfficientNetLite1": (sp.EfficientNetLite1Specification("random"), PICTURES),
    "EfficientNetLite2": (sp.EfficientNetLite2Specification("random"), PICTURES),
    "Vision": (sp.VisionSpecification("resnet18"), PICTURES),
}


def test_every_architecture_is_here():
    assert set(CASES) == set(sp.ARCHITECTURES)


def made(name, n):
    specification, shape = CASES[name]
    torch.manual_seed(0)
    n_outputs = sp.architecture_of(specification).n_outputs or 3
    network = build_network(specification, (64,) if shape == TRAINS else shape, n_outputs)
    names = {2: ("y", "x"), 3: ("channel", "y", "x")}[len(shape)]
    dims, step = (("time", "unit"), {"time_step": 1e-3}) if shape in (ROWS, TRAINS) else (names, {})
    values = np.random.default_rng(0).random((n, *shape)).astype(np.float32) * (3 if step else 1)
    return network, as_stimuli(values, dims=("stimulus", *dims), **step)


def heard(network, stimuli):
    """Return what each recorded module answers to all stimuli at once, (stimulus, [time,] unit), by plain hooks."""
    found, modules = {}, dict(network.named_modules())

    def keep(name):
        def hook(_module, _inputs, output):
            found[name] = (output[0] if isinstance(output, tuple) else output).detach().clone()

        return modules[name].register_forward_hook(hook)

    handles = [keep(name) for name in network.recorded]
    shown = torch.from_numpy(stimuli.values)
    network.eval()
    with torch.no_grad():
        network(shown.transpose(0, 1) if "time" in stimuli.dims else shown)
    for handle in handles:
        handle.remove()
    network.train()
    timed = {n for n in found if getattr(modules[n], "time_first", False)}
    return {n: (t.transpose(0, 1).flatten(2) if n in timed else t.flatten(1)).numpy() for n, t in found.items()}


def state_of(network):
    first = next(network.children())
    first.eval()  # part of the network was in evaluation
    next(network.parameters()).requires_grad_(False)
    return {
        "weights": {k: v.clone() for k, v in network.state_dict().items()},
        "flags": [m.training for m in network.modules()],
        "frozen": [p.requires_grad for p in network.parameters()],
        "kept": [id(p) for p in network.parameters()] + [p.data_ptr() for p in network.parameters()],
        "hooks": [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in network.modules()],
    }


def assert_as_found(network, before):
    after = network.state_dict()
    assert list(after) == list(before["weights"])
    assert all(torch.equal(v, before["weights"][k]) and v.dtype == before["weights"][k].dtype for k, v in after.items())
    assert [m.training for m in network.modules()] == before["flags"]
    assert [p.requires_grad for p in network.parameters()] == before["frozen"]
    assert [id(p) for p in network.parameters()] + [p.data_ptr() for p in network.parameters()] == before["kept"]
    assert [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in network.modules()] == before["hooks"]


@pytest.mark.parametrize("n", [12, 5])  # as many as there are steps; and batches that are not full
@pytest.mark.parametrize("name", list(CASES))
def test_recorded_as_heard_and_left_as_found(name, n):
    n = 3 if CASES[name][1] == PICTURES else n
    network, stimuli = made(name, n)
    expected = heard(network, stimuli)
    before = state_of(network)
    for layer in network.recorded:
        options = {"layers": [layer], "batch_size": 2 if n == 3 else 4, "progress": False, "device": "cpu"}
        if layer != network.recorded[0] and n != 5:
            continue
        found = record_responses(network, stimuli, **options)
        assert set(found.layer.values) == {layer_label(layer)}
        np.testing.assert_allclose(found.values, expected[layer], rtol=1e-4, atol=1e-5)
    if n == 3:
        every = dict(iterate_layers(network, stimuli, progress=False, device="cpu"))
        for layer, values in every.items():
            np.testing.assert_allclose(values, expected[layer], rtol=1e-4, atol=1e-5)
        assert list(every) == list(network.recorded)
    assert_as_found(network, before)
    record_responses(network, stimuli, layers=[network.recorded[0]], double=True, progress=False, device="cpu")
    assert_as_found(network, before)
    if name not in ("VAE", "Autoencoder", "LeakyRNN"):  # these answer with no logits (batch, category)
        predict(network, stimuli, double=True, device="cpu")
        assert_as_found(network, before)
    spiking = [k for k, m in network.named_modules() if isinstance(m, SpikingLayer)]
    if spiking:
        record_neurons(network, stimuli, spiking, device="cpu")
        assert_as_found(network, before)
