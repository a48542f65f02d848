"""What a training depends on, as short digests that a checkpoint keeps: data, labels, augmentation, objective."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import types
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

DEPTH, SIZE = 8, 256


def fingerprint_of_task(task: Any) -> str:
    """Return a digest of all batches of the first epoch, of the validation set and of the test set.

    Whatever changes what the network is shown changes it: stimuli, labels, split, encoder, augmentation. The random
    state of torch is fixed meanwhile and left as it was.
    """
    digest = hashlib.sha256()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for name, batches in (
            ("train", task.batches(0, SIZE, 0)),
            ("validation", task.validation_batches(SIZE, 0)),
            ("test", task.test_batches(SIZE, 0)),
        ):
            digest.update(name.encode())
            for inputs, targets in batches:
                for part in (inputs, *(targets if isinstance(targets, tuple) else (targets,))):
                    _add(digest, np.asarray(part))
    return digest.hexdigest()[:16]


def fingerprint_of(value: Any) -> str:
    """Return a digest of an object: of its type and fields, the bytes of its arrays and the code of its functions."""
    return hashlib.sha256(_described(value, DEPTH).encode()).hexdigest()[:16]


def _described(value: Any, depth: int) -> str:
    if value is None or isinstance(value, bool | int | float | complex | str | bytes) or depth == 0:
        return f"{type(value).__qualname__} {value if depth else ''}"
    if isinstance(value, torch.Tensor):
        return _described(value.detach().cpu().numpy(), depth)
    if isinstance(value, np.ndarray | np.generic):
        digest = hashlib.sha256()
        _add(digest, np.asarray(value))
        return digest.hexdigest()
    return f"{type(value).__module__}.{type(value).__qualname__} {_parts(value, depth - 1)}"


def _parts(value: Any, depth: int) -> str:
    """Return what an object that is no plain value and no array is made of."""
    inner: Any
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, Mapping):
        inner = [part for pair in value.items() for part in pair]
    elif isinstance(value, set | frozenset):
        return str(sorted(_described(part, depth) for part in value))
    elif isinstance(value, list | tuple):
        inner = list(value)
    elif isinstance(value, types.FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        inner = [value.__module__, value.__qualname__, value.__code__, value.__defaults__, value.__kwdefaults__, *cells]
    elif isinstance(value, types.CodeType):
        inner = [value.co_code, value.co_names, value.co_consts]
    elif isinstance(value, types.MethodType):
        inner = [value.__self__, value.__func__]
    elif isinstance(value, functools.partial):
        inner = [value.func, value.args, value.keywords]
    elif isinstance(value, nn.Module):
        inner = [str(value), *value.state_dict().items()]
    elif dataclasses.is_dataclass(value):
        inner = [(f.name, getattr(value, f.name)) for f in dataclasses.fields(value)]
    elif hasattr(value, "__dict__"):
        inner = [part for pair in sorted(vars(value).items()) for part in pair]
    else:
        inner = [str(getattr(value, "__qualname__", ""))]
    return str([_described(part, depth) for part in inner])


def _add(digest: Any, array: np.ndarray) -> None:
    digest.update(f"{array.dtype} {array.shape}".encode())
    digest.update(np.ascontiguousarray(array).tobytes() if array.dtype != object else repr(array.tolist()).encode())
