"""Networks as plugins of Brain-Score (https://doi.org/10.1101/407007): folders that need torch and no neurosim."""

from __future__ import annotations

import contextlib
import copy
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.graph import CodeGen
from torch.utils._pytree import tree_leaves

from neurosim import storage
from neurosim.networks.flags import check_module
from neurosim.networks.naming import layer_names
from neurosim.networks.plugin_text import INIT, MODEL, TEST
from neurosim.networks.spiking.layers import AUTOGRAD, SpikingLayer
from neurosim.networks.stepwise import reset_neurons
from neurosim.refusals import asked_by
from neurosim.schema import InputError

WHO = "save_brain_score"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,99}")
CHECKS = "aten._assert_tensor_metadata"


@dataclass(frozen=True)
class Pictures:
    """How pictures reach a network.

    Parameters
    ----------
    shape : (channel, y, x), to which pictures are resized; 1 channel is grey, 3 are red, green and blue.
    mean, std : by channel; a picture of 0 to 1 is shown less the mean, in units of the standard deviation.
    n_steps : a network over time, (time, batch, channel, y, x), is shown the picture in so many steps, and layers
        answer with their mean over time; None for one without time.

    Raises
    ------
    InputError : other shapes, another number of means or positive deviations than of channels, less than one step.

    Examples
    --------
    >>> ns.networks.Pictures(shape=(1, 28, 28), mean=(0.5,), std=(0.5,), n_steps=10).n_steps
    10
    """

    shape: tuple[int, int, int] = (3, 224, 224)
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    n_steps: int | None = None

    def __post_init__(self) -> None:
        whole = [v for v in (*self.shape, self.n_steps or 1) if isinstance(v, int | np.integer) and v >= 1]
        if len(whole) != 4 or self.shape[0] not in (1, 3):
            raise InputError(
                f"Pictures: shape (1 or 3 channels, y, x) and whole steps asked, found {self.shape} and {self.n_steps}."
            )
        if {len(self.mean), len(self.std)} != {self.shape[0]} or not min(self.std) > 0:
            raise InputError(f"Pictures: a mean and a positive std for each of {self.shape[0]} channels asked.")


def save_brain_score(
    folder: str | Path,
    network: nn.Module,
    *,
    identifier: str,
    layers: Sequence[str] | None = None,
    pictures: Pictures | None = None,
    bibtex: str = "",
) -> None:
    """Write a network as a plugin folder of Brain-Score, which runs where this package is not installed.

    The folder holds ``__init__.py``, which registers the model, ``model.py`` with the operations that torch ran for one
    picture, ``weights.safetensors``, ``requirements.txt`` and ``test.py``; copied into ``brainscore_vision/models`` it
    is scored. What it answers is compared with the network on other numbers before it is written.

    Parameters
    ----------
    folder : to be made; its name is that of the plugin.
    network : any module that runs the same operations on every picture, ours and those of snnTorch and torchvision; it
        is left as it was.
    identifier : of the model. layers : names as for :func:`record_responses`; by default those that it records.
    pictures : how they are scaled, and whether they are shown over time; as torchvision does by default.
    bibtex : how to cite the model.

    Raises
    ------
    InputError : a folder that is there, no module, unknown layers, a network that is no fixed series of operations or
        answers to a picture in a batch otherwise than to it alone.
    StorageError : nothing can be written there.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from torch import nn
    >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 3))
    >>> grey = ns.networks.Pictures(shape=(1, 8, 8), mean=(0.0,), std=(1.0,))
    >>> with tempfile.TemporaryDirectory() as place:
    ...     ns.networks.save_brain_score(Path(place, "tiny"), net, identifier="tiny", layers=["0", "3"], pictures=grey)
    ...     sorted(p.name for p in Path(place, "tiny").iterdir())
    ['__init__.py', 'model.py', 'requirements.txt', 'test.py', 'weights.safetensors']
    """
    folder, pictures = storage.as_path(folder, WHO), pictures or Pictures()
    network = check_module(WHO, network)
    _check(folder, identifier, pictures, bibtex)
    with asked_by(WHO):
        chosen = layer_names(network, layers)
    heard = _Heard(_apart(network), chosen, pictures.n_steps)
    generator = torch.Generator().manual_seed(0)
    seen, other = (_shown(torch.rand(1, *pictures.shape, generator=generator), pictures) for _ in range(2))
    graph, weights = _graph_of(heard, seen, network)
    _compare(graph, weights, heard, other, chosen, network)
    _compare_batch(heard, seen, other, chosen, network)
    constants = {n.target: getattr(graph, str(n.target)) for n in graph.graph.nodes if n.op == "get_attr"}
    code = graph.graph.python_code("self").src.strip().replace("def forward(", "def _graph(", 1)
    text = MODEL.format(
        name=repr(identifier),
        layers=repr(chosen),
        shape=repr(tuple(map(int, pictures.shape))),
        mean=repr(list(map(float, pictures.mean))),
        std=repr(list(map(float, pictures.std))),
        n_steps=repr(pictures.n_steps),
        weights=repr(list(weights)),
        constants=repr(list(map(str, constants))),
        bibtex=repr(bibtex),
        graph=code + "\n",
    )
    held = weights | {f"constant.{k}": v for k, v in constants.items()}
    release = ".".join(torch.__version__.split(".")[:2])
    with storage.atomic_folder(folder) as place:
        storage.write_text(place / "__init__.py", INIT.format(name=identifier))
        storage.write_text(place / "model.py", text)
        storage.write_text(place / "test.py", TEST.format(name=repr(identifier)))
        storage.write_text(place / "requirements.txt", f"torch>={release}\nsafetensors\nnumpy\npillow\n")
        storage.write_weights(place / "weights.safetensors", {k: _numbers(v) for k, v in held.items()})


class _Heard(nn.Module):
    """A network that answers with what some of its layers do, averaged over time."""

    def __init__(self, network: nn.Module, layers: list[str], n_steps: int | None) -> None:
        super().__init__()
        self.network, self.layers, self.n_steps = network, layers, n_steps

    def forward(self, shown: Tensor) -> list[Tensor]:
        found: dict[str, list[Tensor]] = {name: [] for name in self.layers}

        def listen(name: str) -> Any:
            return lambda _module, _given, answer: found[name].append(_tensor_of(answer, name).clone())

        with contextlib.ExitStack() as hooks:
            for name in self.layers:
                hooks.callback(self.network.get_submodule(name).register_forward_hook(listen(name)).remove)
            reset_neurons(self.network)
            self.network(shown)
        n_shown = shown.shape[0 if self.n_steps is None else 1]
        return [self._over_time(name, answers, n_shown) for name, answers in found.items()]

    def _over_time(self, name: str, answers: list[Tensor], n_shown: int) -> Tensor:
        if not answers:
            raise InputError(f"{WHO}: layer {name!r} is not reached; leave it out.")
        if len(answers) > 1:
            return torch.stack(answers).mean(0)
        over_time = self.n_steps is not None and answers[0].ndim > 1 and answers[0].shape[:2] == (self.n_steps, n_shown)
        return answers[0].mean(0) if over_time else answers[0]


def _tensor_of(answer: object, name: str) -> Tensor:
    first = answer[0] if isinstance(answer, tuple | list) and answer else answer
    if not isinstance(first, Tensor):
        raise InputError(f"{WHO}: layer {name!r} answers with a {type(first).__name__}; a tensor asked.")
    return first


def _check(folder: Path, identifier: object, pictures: object, bibtex: object) -> None:
    if folder.exists():
        raise InputError(f"{WHO}: {folder} is there already; name a new folder.")
    if not isinstance(identifier, str) or not NAME.fullmatch(identifier):
        raise InputError(f"{WHO}: identifier = {str(identifier)[:60]!r}; letters, digits, - and _ asked.")
    if not isinstance(bibtex, str):
        raise InputError(f"{WHO}: bibtex is a text, found a {type(bibtex).__name__}.")
    if not isinstance(pictures, Pictures):
        raise InputError(f"{WHO}: pictures are a Pictures, found a {type(pictures).__name__}.")


def _apart(network: nn.Module) -> nn.Module:
    """Return a copy of a network on the CPU, for evaluation, whose spiking layers run step by step."""
    try:
        copied = copy.deepcopy(network).to("cpu", torch.float32).eval()
    except Exception as error:
        raise InputError(f"{WHO}: the network cannot be copied ({_line(error)}).") from error
    for module in copied.modules():
        if isinstance(module, SpikingLayer):
            module.engine = AUTOGRAD
    return copied


def _shown(picture: Tensor, pictures: Pictures) -> Tensor:
    return picture if pictures.n_steps is None else picture.expand(pictures.n_steps, *picture.shape)


def _graph_of(heard: _Heard, shown: Tensor, network: nn.Module) -> tuple[GraphModule, dict[str, Tensor]]:
    """Return the operations that run for one picture, and the weights that they take, by name."""
    try:
        with torch.no_grad(), warnings.catch_warnings(), torch.random.fork_rng([]):
            warnings.simplefilter("ignore")
            held = heard.state_dict(keep_vars=True)
            first = {id(v): k for k, v in reversed(held.items())}  # a tensor that has several names goes by one
            weights = {k: v.detach() for k, v in held.items() if first[id(v)] == k}

            def run(held: list[Tensor], picture: Tensor) -> list[Tensor]:
                named = dict(zip(weights, held, strict=True))
                return list(tree_leaves(torch.func.functional_call(heard, named, (picture,))))

            graph = make_fx(run)(list(weights.values()), shown)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{WHO}: {type(network).__name__} is no fixed series of operations on pictures of shape "
            f"{tuple(shown.shape)} ({_line(error)})."
        ) from error
    for node in list(graph.graph.nodes):
        if str(node.target).startswith(CHECKS):
            graph.graph.erase_node(node)
    graph.graph.eliminate_dead_code()
    graph.graph.set_codegen(CodeGen())
    graph.recompile()
    return graph, weights


def _compare(
    graph: GraphModule, weights: dict[str, Tensor], heard: _Heard, shown: Tensor, layers: list[str], network: nn.Module
) -> None:
    """Refuse a network that runs other operations on other numbers."""
    with torch.no_grad(), torch.random.fork_rng([]):
        torch.manual_seed(0)
        wanted = heard(shown)
        torch.manual_seed(0)
        found = graph(*weights.values(), shown)
    for name, one, other in zip(layers, wanted, found, strict=True):
        if not _close(one, other):
            raise InputError(
                f"{WHO}: layer {name!r} of {type(network).__name__} runs other operations on other pictures; a plugin "
                "holds one series of them."
            )


def _compare_batch(heard: _Heard, one: Tensor, other: Tensor, layers: list[str], network: nn.Module) -> None:
    """Refuse a network that mixes the pictures of a batch; one that draws random numbers cannot be told."""
    with torch.no_grad(), torch.random.fork_rng([]):
        alone = []
        for seed in (0, 1):
            torch.manual_seed(seed)
            alone.append(heard(one))
        if any(not _close(a, b) for a, b in zip(*alone, strict=True)):
            return
        try:
            both = heard(torch.cat([one, other], dim=0 if heard.n_steps is None else 1))
        except RuntimeError:
            return  # it takes one picture at a time, as the plugin gives it
        for name, a, b, found in zip(layers, alone[0], heard(other), both, strict=True):
            if not _close(torch.cat([a, b]), found):
                raise InputError(
                    f"{WHO}: layer {name!r} of {type(network).__name__} answers to a picture in a batch otherwise than "
                    "to it alone; a plugin shows pictures alone."
                )


def _close(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.allclose(one, other, rtol=1e-4, atol=1e-5, equal_nan=True)


def _numbers(tensor: Tensor) -> np.ndarray:
    held = tensor.detach()
    return np.asarray((held.float() if held.dtype == torch.bfloat16 else held).contiguous().numpy())


def _line(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
