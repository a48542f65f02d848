"""Networks that others build: each layer equals a record by own hooks, one stimulus at a time, or is refused in a line.

Alone, a stimulus needs no axis to be told from others: its answer is all that was heard, flattened.
"""

import collections
import logging
import random
from collections.abc import Mapping

import numpy as np
import pytest
import snntorch as snn
import torch
from strange_networks import (
    LARGE,
    PICTURES,
    TINY,
    VECTORS,
    WORDS,
    Attends,
    Calls,
    Encodes,
    Fixed,
    InParts,
    Mixes,
    N,
    Named,
    OneByOne,
    Pair,
    Parts,
    Sequences,
    Speaks,
    Twice,
    Wraps,
    columns,
    compiled_inside,
    convnext,
    exported,
    in_copies,
    inception,
    lengths_packed,
    linear,
    models,
    of_transformers,
    pair,
    quantised,
    recurrent,
    statistics,
    swin,
    traced_inside,
    vit,
)
from torch import nn
from torch.nn.utils import parametrizations, prune, weight_norm
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from neurosim.networks.axes import Reading
from neurosim.networks.recording import layer_label, record_responses
from neurosim.schema import InputError, as_stimuli

TRANSFORMER_LAYERS = ["core", "core.layers.0", "core.layers.1", "core.layers.0.linear1"]
CASES = {
    "scripted inside": (lambda: nn.Sequential(torch.jit.script(pair()), nn.Linear(3, 2)), VECTORS, ["0", "1"]),
    "scripted alone": (lambda: torch.jit.script(pair()), VECTORS, ["output"]),
    "traced inside": (traced_inside, VECTORS, ["0", "1"]),
    "compiled": (lambda: torch.compile(pair(), backend="eager"), VECTORS, ["*"]),
    "compiled inside": (compiled_inside, VECTORS, ["0._orig_mod.1", "1"]),
    "one module, two names": (Twice, VECTORS, ["one", "last"]),
    "encoder": (lambda: Encodes(False), VECTORS, [*TRANSFORMER_LAYERS, "core.layers.1.self_attn"]),
    "encoder, padding mask": (lambda: Encodes(True), VECTORS, TRANSFORMER_LAYERS),
    "attention": (lambda: Attends(True), VECTORS, ["core", "core:1"]),
    "attention, tokens first": (lambda: Attends(False), VECTORS, ["core"]),
    "attention, masked": (lambda: Attends(True, True), VECTORS, ["core", "core:1"]),
    "quantised": (lambda: quantised(pair(), nn.Linear), VECTORS, ["*"]),
    "quantised LSTM": (lambda: quantised(recurrent(), nn.LSTM), VECTORS, ["core"]),
    "data parallel": (lambda: nn.DataParallel(pair()), VECTORS, ["module.0", "module.1", "output"]),
    "bfloat16": (lambda: pair().bfloat16(), VECTORS, ["*"]),
    "float16": (lambda: pair().half(), VECTORS, ["*"]),
    "float64": (lambda: pair().double(), VECTORS, ["*"]),
    "dataclass": (lambda: Calls(lambda y: Parts(y, -y)), VECTORS, ["form:up", "form:down", "core", "core.inner"]),
    "named tuple": (lambda: Calls(lambda y: Pair(y, -y)), VECTORS, ["form:down"]),
    "nested": (lambda: Calls(lambda y: {"a": {"n": None, "b": [y, -y]}}), VECTORS, ["form:a:b:1"]),
    "sparse": (lambda: Calls(lambda y: y.relu().to_sparse()), VECTORS, ["form"]),
    "tuple with None": (lambda: Calls(lambda y: (None, y)), VECTORS, ["form:1"]),
    "weight norm": (lambda: nn.Sequential(parametrizations.weight_norm(linear()), nn.ReLU()), VECTORS, ["0", "1"]),
    "weight norm of old": (lambda: nn.Sequential(weight_norm(linear()), nn.ReLU()), VECTORS, ["0", "1"]),
    "spectral norm": (lambda: nn.Sequential(parametrizations.spectral_norm(linear()), nn.ReLU()), VECTORS, ["0", "1"]),
    "pruned": (lambda: nn.Sequential(prune.random_unstructured(linear(), "weight", 0.5)), VECTORS, ["0"]),
    "lazy": (lambda: nn.Sequential(nn.LazyLinear(6), nn.ReLU()), VECTORS, ["*"]),
    "LSTM of projections": (lambda: recurrent(proj_size=3, num_layers=2, bidirectional=True), VECTORS, ["core"]),
    "LSTM, time first": (lambda: recurrent(give=columns, batch_first=False, bidirectional=True), VECTORS, ["core"]),
    "LSTM, last state": (lambda: recurrent(proj_size=3), VECTORS, ["core:1:0"]),
    "GRU, packed": (lambda: Wraps(nn.GRU(8, 6, batch_first=True), lengths_packed), VECTORS, ["core"]),
    "snnTorch with its own state": (lambda: Sequences(True), VECTORS, ["linear", "leaky"]),
    "snnTorch": (lambda: Sequences(False), VECTORS, ["linear", "leaky"]),
    "ResNet-18": (lambda: models().resnet18(num_classes=3), PICTURES, ["layer1*", "layer4.1*", "bn1", "fc"]),
    "Inception": (inception, LARGE, ["Mixed_5b", "Mixed_6a", "Conv2d_1a_3x3.bn", "output"]),
    "ViT": (vit, PICTURES, ["*"]),
    "Swin": (swin, PICTURES, ["*"]),
    "ConvNeXt": (convnext, PICTURES, ["*"]),
    "EfficientNet": (
        lambda: models().efficientnet_b0(num_classes=3),
        PICTURES[:3],
        ["features.?", "features.2.*"],
    ),
    "ViT of transformers": (lambda: of_transformers("ViTModel", {"image_size": 32, **TINY}), PICTURES, ["*"]),
    "BERT": (lambda: of_transformers("BertModel", {"vocab_size": 50, **TINY}), WORDS, ["*"]),
    "T5": (Speaks, WORDS, ["output", "t5:last_hidden_state", "*.layer_norm", "t5.decoder.block.1:0"]),
}
COARSE = {"bfloat16": 2e-2, "float16": 2e-3, "quantised": 2e-2, "quantised LSTM": 2e-2}  # answers depend on the batch


def part(output, path, module):
    for key in path:
        if isinstance(output, Mapping):
            output = output[key]
        else:
            output = getattr(output, key) if hasattr(output, key) else output[int(key)]
    while isinstance(output, Mapping | list | tuple) and not isinstance(output, PackedSequence):
        output = next(iter(output.values())) if isinstance(output, Mapping) else output[0]
    if isinstance(output, PackedSequence):
        output = pad_packed_sequence(output, batch_first=module.batch_first)[0]
    if output.is_nested:
        output = output.to_padded_tensor(0.0)
    output = output.to_dense() if output.is_sparse else output
    return output.detach().double().flatten().numpy().copy()


def heard_alone(network, values, names):
    """Return, by name, what each stimulus gets alone: (stimulus, call, unit)."""
    calls, found = collections.defaultdict(list), collections.defaultdict(list)
    modules = dict(network.named_modules())
    dtypes = {p.dtype for p in network.parameters() if p.is_floating_point()}

    def keep(name, path):
        def hook(module, _inputs, output):
            if module is modules[name]:
                calls[":".join([name, *path])].append(part(output, path, module))

        if isinstance(modules[name], torch.jit.RecursiveScriptModule):  # takes no hooks of its own
            return nn.modules.module.register_module_forward_hook(hook)
        return modules[name].register_forward_hook(hook)

    handles = [keep(n, p) for n, p in names]
    network.eval()
    with torch.no_grad():
        for value in torch.from_numpy(values):
            calls.clear()
            for module in modules.values():
                if isinstance(module, snn.Leaky):
                    module.reset_mem()
            network(value[None].to(next(iter(dtypes))) if value.is_floating_point() and dtypes else value[None])
            for name, answers in calls.items():
                found[name].append(np.stack(answers))
    for handle in handles:
        handle.remove()
    return {name: np.stack(answers) for name, answers in found.items()}


def state_of(network):
    modules = list(network.modules())
    tensors = [t for m in modules for t in (*m._parameters.values(), *m._buffers.values()) if t is not None]
    hooks = [(len(m._forward_hooks), len(m._forward_pre_hooks)) for m in modules]
    every = nn.modules.module
    return (
        [
            (t.dtype, t.device, t.requires_grad, t.shape, t.detach().numpy(force=True).tobytes())
            for t in map(plain, tensors)
        ],
        [id(t) for t in tensors],
        [m.training for m in modules],
        [*hooks, len(every._global_forward_hooks), len(every._global_forward_pre_hooks)],
        torch.random.get_rng_state().numpy().tobytes(),
        np.random.get_state()[1].tobytes(),  # noqa: NPY002
        random.getstate(),
        torch.is_grad_enabled(),
    )


def plain(tensor):
    return tensor.view(torch.int16) if tensor.dtype == torch.bfloat16 else tensor


@pytest.mark.parametrize("name", list(CASES))
def test_a_stranger_is_recorded_as_it_is_heard_alone(name):
    make, values, layers = CASES[name]
    torch.manual_seed(0)
    network = make()
    if name == "lazy":
        network(torch.from_numpy(values))
    network.train(name not in ("encoder", "encoder, padding mask"))
    stimuli = as_stimuli(values, dims=None if values.ndim == 4 else ("stimulus", "unit"))
    before = state_of(network)
    found = {
        size: record_responses(network, stimuli, layers=layers, batch_size=size, device="cpu", progress=False)
        for size in {1, 3, len(values)}
    }
    assert state_of(network) == before
    inner = getattr(network, "_orig_mod", network)
    labels = list(dict.fromkeys(found[1].layer.values))
    names = {label: asked(inner, str(label)) for label in labels}
    expected = heard_alone(inner, values, list(dict.fromkeys((n, p) for n, p, _ in names.values())))
    assert len(labels) >= len([n for n in layers if "*" not in n])
    for label, (module, path, call) in names.items():
        heard = expected[":".join([module, *path])]
        heard = heard if "time" in found[1].dims else heard[:, call - 1]
        for size, responses in found.items():
            bound = 1e-5 if size == 1 else COARSE.get(name, 1e-5)
            got = responses.sel(unit=responses.layer == label).values.reshape(len(values), -1)
            np.testing.assert_allclose(
                got, heard.reshape(len(values), -1), rtol=bound, atol=bound, err_msg=f"{label} by {size}"
            )


def asked(network, label):
    """Return module name, path and call of a label of results."""
    full, *path = label.split(":")
    full, _, call = full.partition("#")
    by_label = {**{layer_label(n): n for n, _ in network.named_modules() if n}, "output": ""}
    by_label |= {n: n for n, _ in network.named_modules() if n}
    return by_label[full], tuple(path), int(call or 1)


REFUSED = {
    "inside a scripted module": (lambda: nn.Sequential(torch.jit.script(pair())), ["0.1"], "calls no hooks"),
    "a scripted network": (lambda: torch.jit.script(pair()), None, "calls no hooks"),
    "frozen": (lambda: torch.jit.freeze(torch.jit.script(pair().eval())), ["output"], "frozen or exported"),
    "on several devices": (in_copies, ["output"], "runs in copies on several devices"),
    "exported": (exported, ["output"], "frozen or exported"),
    "a function": (lambda: torch.relu, ["output"], "a torch.nn.Module is asked"),
    "fixed batch, early": (lambda: Fixed(False), ["core"], "does not take stimuli"),
    "fixed batch, late": (lambda: Fixed(True), ["core"], "does not take stimuli"),
    "fixed batch, traced": (lambda: torch.jit.trace(Fixed(True), torch.rand(8, 40)), ["output"], "does not take stim"),
    "statistics of the batch": (lambda: Mixes(statistics()), ["core"], "depends on the others in its batch"),
    "another order": (lambda: Mixes(linear(), lambda x: x.flip(0)), ["core"], "or their order"),
    "sorted": (lambda: Mixes(linear(), lambda x: x[x[:, 0].argsort()]), ["core"], "or their order"),
    "in parts": (InParts, ["core"], r"called \[1, 2\] times for \[2, 3\] stimuli"),
    "one by one": (OneByOne, ["core"], r"called \[2, 3\] times for \[2, 3\] stimuli"),
    "summed": (lambda: Wraps(linear(), take=lambda y: y.sum(0)), ["output"], "no axis"),
    "auxiliary": (lambda: inception().eval(), ["AuxLogits.fc"], "never reached"),
    "tokens and stimuli": (lambda: Wraps(nn.Linear(8, 6), lambda x: x.reshape(-1, 8)), ["core"], "no axis"),
    "keywords only": (Named, ["inner"], "does not take stimuli"),
    "two inputs": (lambda: nn.Bilinear(40, 40, 2), ["output"], "does not take stimuli"),
    "used functionally": (lambda: Attends(True), ["core.out_proj"], "never reached"),
    "nothing": (lambda: Calls(lambda y: None), ["form"], "answers with NoneType"),
    "a dataclass": (lambda: Calls(lambda y: Parts(y, -y)), ["form"], "ask for one: form:up, form:down"),
    "numpy": (lambda: Calls(lambda y: y.numpy()), ["form"], "answers with ndarray"),
    "quantised in float64": (lambda: quantised(pair(), nn.Linear), ["0"], "does not take stimuli"),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_a_stranger_that_cannot_be_recorded_is_refused_in_a_line(name):
    make, layers, message = REFUSED[name]
    torch.manual_seed(0)
    network = make()
    before = state_of(network) if name not in ("a function", "frozen") else None
    stimuli = as_stimuli(LARGE[:2]) if name == "auxiliary" else as_stimuli(VECTORS, dims=("stimulus", "unit"))
    with pytest.raises(InputError, match=message) as caught:
        record_responses(network, stimuli, layers=layers, batch_size=3, double="float64" in name, progress=False)
    assert "\n" not in str(caught.value)
    assert before is None or state_of(network) == before


def test_what_depends_on_the_batch_is_recorded_alone_and_left_out_where_it_was_not_asked_for(caplog):
    stimuli = as_stimuli(VECTORS, dims=("stimulus", "unit"))
    network = nn.Sequential(linear(), Mixes(nn.Identity(), lambda x: x.flip(0)))
    options = {"device": "cpu", "progress": False}
    alone = record_responses(network, stimuli, layers=["1"], batch_size=1, **options)
    expected = network[0](torch.from_numpy(VECTORS)).detach()
    np.testing.assert_allclose(alone, expected, rtol=1e-5, atol=1e-6)
    with caplog.at_level(logging.WARNING):
        found = record_responses(network, stimuli, layers=["*"], batch_size=3, **options)
    assert set(found.layer.values) == {"0"}
    assert "depend on the batch: 1, 1.core" in caplog.text


def test_chance_is_told_from_a_mixed_batch(caplog):
    network = nn.Sequential(linear(), Wraps(nn.Identity(), lambda x: x + torch.randn_like(x)))
    stimuli = as_stimuli(VECTORS, dims=("stimulus", "unit"))
    with caplog.at_level(logging.WARNING):
        torch.manual_seed(3)
        found = record_responses(network, stimuli, layers=["1", "0"], batch_size=3, device="cpu", progress=False)
    assert "1 answers otherwise when the same stimuli are shown again" in caplog.text
    torch.manual_seed(3)  # showing a few stimuli first used up no random number
    plain = network[0](torch.from_numpy(VECTORS)).detach()
    expected = plain + torch.cat([torch.randn(3, 6), torch.randn(2, 6)])
    np.testing.assert_allclose(found.sel(unit=found.layer == "1"), expected, rtol=1e-5, atol=1e-6)


def test_an_encoder_answers_as_it_does_on_its_fast_path_with_nothing_listening():
    torch.manual_seed(0)
    network = Encodes(True).eval()
    with torch.no_grad():
        bare = network(torch.from_numpy(VECTORS))
    assert float(bare[:, 4].abs().max()) == 0  # padded by the fast path
    stimuli = as_stimuli(VECTORS, dims=("stimulus", "unit"))
    found = record_responses(network, stimuli, layers=["output", "core.layers.0.norm1"], device="cpu", progress=False)
    np.testing.assert_allclose(found.sel(unit=found.layer == "output"), bare.flatten(1), rtol=1e-5, atol=1e-6)


def test_channels_are_known_from_the_numbers_of_channels_or_asked_for():
    torch.manual_seed(0)
    network, stimuli = of_transformers("ViTModel", {"image_size": 32, "patch_size": 8, **TINY}), as_stimuli(PICTURES)
    name, options = "embeddings.patch_embeddings", {"device": "cpu", "progress": False, "reading": Reading(pool="mean")}
    with pytest.raises(InputError, match="first or last"):  # a convolution inside, but channels are put last
        record_responses(network, stimuli, layers=[name], **options)
    told = options | {"reading": Reading(pool="mean", channels="last")}
    found = record_responses(network, stimuli, layers=[name], **told)
    tokens = network.embeddings.patch_embeddings(torch.from_numpy(PICTURES)).detach()
    assert tokens.shape == (N, 16, 8)
    np.testing.assert_allclose(found, tokens.mean(1), rtol=1e-5, atol=1e-6)
    wave = Wraps(nn.Conv1d(1, 3, 5), lambda x: x[:, None])
    vectors = as_stimuli(VECTORS, dims=("stimulus", "unit"))
    with pytest.raises(InputError, match="channels first"):  # places of a convolution are no tokens
        record_responses(wave, vectors, layers=["core"], reading=Reading(tokens=0), device="cpu", progress=False)
    pooled = record_responses(wave, vectors, layers=["core"], **options)
    np.testing.assert_allclose(pooled, wave(torch.from_numpy(VECTORS)).detach().mean(2), rtol=1e-5, atol=1e-6)


def test_an_encoder_of_transformers_has_no_operations_by_name_and_says_why():
    network = of_transformers("BertModel", {"vocab_size": 50, **TINY})
    with pytest.raises(InputError, match=r"If an operation is meant: .* cannot be traced: ") as caught:
        record_responses(network, as_stimuli(WORDS, dims=("stimulus", "unit")), layers=["add"], progress=False)
    assert "\n" not in str(caught.value)
