"""Networks as folders of Hugging Face: weights as safetensors, ``config.json`` and a card; nothing in them is code.

The configuration says which architecture of this package it is, and with which numbers. What is read is built without
memory first, and must have the names, shapes and types of the weights that are there.
"""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn.modules import module as torch_module

from neurosim import storage
from neurosim.networks.architecture import ARCHITECTURES, Specification, architecture_of, build_network
from neurosim.networks.fingerprints import fingerprint_of_network
from neurosim.networks.flags import check_module
from neurosim.networks.training import load_weights, weights_of
from neurosim.refusals import InputError, asked_by
from neurosim.runtime import forked_random
from neurosim.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

SAVE, LOAD = "save_hugging_face", "load_hugging_face"
CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"
KIND = "neurosim"  # its model_type
NEEDS = ("model_type", "architecture", "parameters", "image_shape", "n_categories", "dtype")
LICENCE = re.compile(r"[a-z0-9][a-z0-9.\-]{0,60}")
DTYPES = {"float32": torch.float32, "float64": torch.float64}
LARGEST = 10**7  # of whole numbers in a configuration


def save_hugging_face(
    folder: str | Path,
    network: nn.Module,
    *,
    specification: Specification,
    image_shape: tuple[int, ...],
    n_categories: int,
    categories: Sequence[str] = (),
    title: str = "",
    licence: str = "",
) -> None:
    """Write a network as a folder of Hugging Face that holds no code: weights, configuration, card.

    ``model.safetensors``, ``config.json`` and ``README.md``, a card whose head is YAML; a folder for
    ``huggingface_hub.upload_folder``, which this package does not need. Networks of one's own classes are code and have
    no such folder: :func:`save_brain_score` writes the operations that they run.

    Parameters
    ----------
    folder : to be made. network : as :func:`build_network` made it, trained since or not; float32 or float64.
    specification, image_shape, n_categories : what it was built from; a network that these do not build is refused.
    categories : names of what it tells apart, in their order (``id2label``).
    title : of the card; by default the name of the architecture.
    licence : as Hugging Face writes it, "mit" or "cc-by-4.0"; by default the card names none.

    Raises
    ------
    InputError : a folder that is there, a network of another specification, shape, class or type, another number of
        categories than of outputs. StorageError : nothing can be written there.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> what = {"specification": ns.networks.MLPSpecification((8,)), "image_shape": (4, 4), "n_categories": 2}
    >>> with tempfile.TemporaryDirectory() as place:
    ...     ns.networks.save_hugging_face(Path(place, "mine"), ns.build_network(*what.values()), **what, licence="mit")
    ...     sorted(p.name for p in Path(place, "mine").iterdir())
    ['README.md', 'config.json', 'model.safetensors']
    """
    folder, network = storage.as_path(folder, SAVE), check_module(SAVE, network)
    if folder.exists():
        raise InputError(f"{SAVE}: {folder} is there already; name a new folder.")
    if licence and not LICENCE.fullmatch(licence):
        raise InputError(f'{SAVE}: licence = {licence[:60]!r}; a name such as "mit" or "cc-by-4.0" asked.')
    names = [str(name) for name in categories]
    if names and len(names) != n_categories:
        raise InputError(f"{SAVE}: {len(names)} categories are named, n_categories = {n_categories}.")
    architecture = architecture_of(specification, SAVE)
    dtype = _dtype_of(network)
    config: dict[str, Any] = {
        "architecture": architecture.name,
        "dtype": dtype,
        "image_shape": [int(n) for n in image_shape],
        "library": {"neurosim": __version__},
        "model_type": KIND,
        "n_categories": int(n_categories),
        "parameters": _plain(_without_files(specification)),
    }
    _check_same(network, config)
    config |= {"id2label": dict(enumerate(names)), "label2id": {n: k for k, n in enumerate(names)}} if names else {}
    with storage.atomic_folder(folder) as place:
        storage.write_weights(place / WEIGHTS, weights_of(network))
        storage.write_json(place / CONFIG, config)
        storage.write_text(place / CARD, _card(config, title or architecture.name, licence))


def load_hugging_face(folder: str | Path) -> nn.Module:
    """Return the network in a folder that :func:`save_hugging_face` wrote, its weights the same to the last bit.

    No code of the folder is run and nothing is fetched. Links are followed inside the folder alone: of a download,
    name the folder that ``local_dir`` of huggingface_hub made, not its cache. An encoder of text that others trained is
    read by :class:`PretrainedEncoder`.

    Parameters
    ----------
    folder : with ``config.json`` and ``model.safetensors``.

    Returns
    -------
    the network, for evaluation; what is drawn in building it is not taken from the random numbers of torch.

    Raises
    ------
    InputError : a network of another library, an unknown architecture or parameter, one that is out of range.
    StorageError : a file is missing or damaged, leads out of the folder, or holds other weights than the configuration
        says.

    Examples
    --------
    >>> ns.networks.load_hugging_face("nowhere")
    Traceback (most recent call last):
    neurosim.storage.StorageError: nowhere/config.json: no such file.
    """
    folder = storage.as_path(folder, LOAD)
    files = {name: folder / name for name in (CONFIG, WEIGHTS)}
    for name in files:
        storage.inside(folder, name)
    config = storage.read_json_object(files[CONFIG])
    if config.get("model_type") != KIND:
        raise InputError(
            f"{LOAD}: {files[CONFIG]} is of model_type {str(config.get('model_type'))[:40]!r}; {KIND!r} asked, as "
            f"{SAVE} writes it."
        )
    config = storage.read_json_object(files[CONFIG], NEEDS)
    build = _builder(config)
    tensors = storage.read_weights(files[WEIGHTS])
    with _no_more_than(tensors), torch.device("meta"):
        empty = build()
    _check_weights(empty, tensors, config["dtype"])
    network = build()
    load_weights(network, tensors)
    return network.eval()


# --- what a configuration says ------------------------------------------------------------------------------------


def _builder(config: Mapping[str, Any]) -> Callable[[], nn.Module]:
    """Return what builds the network of a configuration, all of which is checked."""
    architecture = ARCHITECTURES.find(config["architecture"], LOAD)
    dtype, shape, n = config["dtype"], config["image_shape"], config["n_categories"]
    if dtype not in tuple(DTYPES):
        raise InputError(f"{LOAD}: dtype {str(dtype)[:40]!r}; {' or '.join(DTYPES)} asked.")
    if not isinstance(shape, list) or not 1 <= len(shape) <= 4 or not all(map(_is_size, [*shape, n])):
        raise InputError(
            f"{LOAD}: image_shape of one to four positive whole numbers and n_categories of one asked, found "
            f"{str(shape)[:60]} and {str(n)[:20]}."
        )
    specification = _record(architecture.specification, config["parameters"])
    if specification != _without_files(specification):
        raise InputError(f"{LOAD}: its parameters name weights elsewhere; those of a folder are in {WEIGHTS}.")

    def build() -> nn.Module:
        try:
            with forked_random(), asked_by(LOAD, "build_network"):
                return build_network(specification, tuple(shape), n).to(DTYPES[dtype])
        except InputError:
            raise
        except Exception as error:  # whatever numbers that fit no network let torch say
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise InputError(f"{LOAD}: no {architecture.name} can be built from these numbers ({reason}).") from error

    return build


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= LARGEST


def _record(kind: type[Specification], values: object) -> Specification:
    """Return the record of plain values, which must say of it all that there is and nothing else."""
    from pydantic import TypeAdapter, ValidationError

    if not isinstance(values, dict):
        raise InputError(f"{LOAD}: parameters by name asked, found a {type(values).__name__}.")
    if large := next((n for n in _numbers(values) if isinstance(n, int) and abs(n) > LARGEST), None):
        raise InputError(f"{LOAD}: the parameter {large} is above {LARGEST}.")
    try:
        record: Specification = TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(f"{LOAD}: parameter {where!r} of {kind.__name__}: {first['msg'][:200]}.") from None
    made = _plain(record)
    if not _says_the_same(values, made):
        odd = sorted(k for k in values.keys() | made.keys() if not _says_the_same(values.get(k), made.get(k)))
        raise InputError(
            f"{LOAD}: the parameter {odd[0]!r} of {kind.__name__} is missing, unknown or of another type; known: "
            f"{', '.join(made)}."
        )
    return record


def _plain(specification: Specification) -> dict[str, Any]:
    from pydantic import TypeAdapter

    values: dict[str, Any] = _finite(TypeAdapter(type(specification)).dump_python(specification, mode="json"))
    return values


def _finite(value: Any) -> Any:
    """Return plain values with infinity as text, for which JSON has no number."""
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list):
        return list(map(_finite, value))
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _says_the_same(found: object, made: object) -> bool:
    """Whether plain values are the same; a whole number may stand for one with a point, true and false for none."""
    if isinstance(found, dict) and isinstance(made, dict):
        return found.keys() == made.keys() and all(_says_the_same(found[k], made[k]) for k in made)
    if isinstance(found, list) and isinstance(made, list):
        return len(found) == len(made) and all(map(_says_the_same, found, made))
    return isinstance(found, bool) == isinstance(made, bool) and found == made


def _numbers(value: object) -> Iterator[object]:
    """Yield what stands in plain values, at all depths."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        yield each
        yield from _numbers(each)


def _without_files(specification: Any) -> Any:
    """Return a specification that names no weights elsewhere."""
    if "weights" not in {f.name for f in fields(specification)}:
        return specification
    return replace(specification, weights="random" if specification.weights in ("imagenet", "random") else None)


# --- whether network, configuration and weights are of each other ---------------------------------------------------


def _dtype_of(network: nn.Module) -> str:
    found = {v.dtype for v in network.state_dict().values() if v.is_floating_point()}
    for name, dtype in DTYPES.items():
        if found <= {dtype}:
            return name
    raise InputError(f"{SAVE}: weights of float32 or of float64 asked, found {', '.join(sorted(map(str, found)))}.")


def _check_same(network: nn.Module, config: Mapping[str, Any]) -> None:
    """Refuse a network that the configuration does not build: in modules, numbers besides weights, or code."""
    with asked_by(SAVE, LOAD):
        twin = _builder(config)()
    who = f"{SAVE}: the specification, image_shape and n_categories build another network than this"
    try:
        load_weights(twin, weights_of(network))
    except InputError as error:
        raise InputError(f"{who} ({str(error).partition('fit ')[2][:200]}).") from error
    one, other = ([f"{n}: {type(m).__name__}({m.extra_repr()})" for n, m in x.named_modules()] for x in (network, twin))
    if one != other:
        odd = next((a for a, b in zip(one, other, strict=False) if a != b), "the number of its modules")
        raise InputError(f"{who} (it has {odd[:200]}).")
    if fingerprint_of_network(network, lambda: None) != fingerprint_of_network(twin, lambda: None):
        raise InputError(f"{who} (numbers beside the weights, or code, differ).")


@contextmanager
def _no_more_than(tensors: Mapping[str, np.ndarray]) -> Iterator[None]:
    """Stop the building of a network, in this thread, once it has more parameters than there are weights."""
    most, mine, n_found = sum(v.size for v in tensors.values()), threading.get_ident(), 0

    def count(_module: nn.Module, _name: str, parameter: nn.Parameter | None) -> None:
        nonlocal n_found
        if threading.get_ident() == mine and parameter is not None:
            n_found += parameter.numel()
            if n_found > 4 * most + 64:  # some are made anew while a network is built
                raise storage.StorageError(f"{LOAD}: {CONFIG} says of more weights than {WEIGHTS} holds ({most}).")

    handle = torch_module.register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()


def _check_weights(empty: nn.Module, tensors: Mapping[str, np.ndarray], dtype: str) -> None:
    """Refuse weights of other names, shapes or types than those of a network, before memory is taken for it."""
    asked = {k: (tuple(v.shape), str(v.dtype).removeprefix("torch.")) for k, v in empty.state_dict().items()}
    found = {k: (v.shape, str(v.dtype)) for k, v in tensors.items()}
    odd = sorted(k for k in asked.keys() | found.keys() if asked.get(k) != found.get(k))
    if odd:
        there, wanted = (side.get(odd[0], "nothing") for side in (found, asked))
        raise storage.StorageError(
            f"{LOAD}: {WEIGHTS} does not fit {CONFIG}, {len(odd)} names differ: {odd[0][:80]!r} is {there}, {wanted} "
            f"asked (dtype {dtype})."
        )


# --- the card -----------------------------------------------------------------------------------------------------


def _card(config: Mapping[str, Any], title: str, licence: str) -> str:
    """Return the card: a head of YAML, which takes what JSON takes, and what the network is."""
    architecture = ARCHITECTURES[config["architecture"]]
    head: dict[str, Any] = {"library_name": KIND, "tags": ["neuroscience", architecture.name]}
    head |= {"license": licence} if licence else {}
    head["tags"] += ["spiking-neural-network"] if architecture.is_spiking else []
    lines = [f"{key}: {json.dumps(value)}" for key, value in head.items()]
    numbers = [f"| {key} | `{json.dumps(value)}` |" for key, value in config["parameters"].items()]
    shape = " x ".join(map(str, config["image_shape"]))
    return "\n".join(
        [
            "---",
            *lines,
            "---",
            "",
            f"# {' '.join(title.split())}",
            "",
            f"{architecture.caption} Takes stimuli of {shape}, has {config['n_categories']} outputs. Written by "
            f"neurosim {__version__}; the folder holds weights and numbers, no code.",
            "",
            "```python",
            "import neurosim as ns",
            "",
            'network = ns.networks.load_hugging_face("FOLDER")  # for evaluation',
            "```",
            "",
            f"| parameter of {architecture.name} | value |",
            "|---|---|",
            *numbers,
            "",
            "## Citation",
            "",
            architecture.citation,
            "",
        ]
    )
