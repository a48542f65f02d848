"""What a training depends on, as short digests that a checkpoint keeps: data, labels, augmentation, objective."""

from __future__ import annotations

import dataclasses
import dis
import functools
import hashlib
import itertools
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import snntorch as snn
import torch
from torch import nn

from neurosim.runtime import forked_random

DEPTH, SIZE, FEW = 8, 256, 16
PLAIN = (type(None), bool, int, float, complex, str, bytes, torch.dtype, np.ndarray, np.generic)
LIBRARIES = ("torch", "snntorch", "neurosim", "builtins", "abc", "typing")
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
MODULES = (types.ModuleType, type)
STATE = ("mem", "spk", "syn", "syn_exc", "syn_inh")


def fingerprint_of_task(task: Any) -> str:
    """Return a digest of all batches of the first epoch, of the validation set and of the test set.

    Whatever changes what the network is shown changes it: stimuli, labels, split, encoder, augmentation. The random
    state of torch is fixed meanwhile and left as it was. Data that are not held in memory are known by what they say of
    themselves (``identity``: names, sizes, lengths, transforms) and by the first batch of training and test.
    """
    digest = hashlib.sha256()
    said = getattr(task, "identity", None)
    if said is not None:
        digest.update(fingerprint_of(said()).encode())
        for batches in (task.batches(0, FEW, 0), task.test_batches(FEW, 0)):
            for inputs, targets in itertools.islice(batches, 1):
                _add(digest, np.asarray(inputs))
                _add(digest, np.asarray(targets))
        return digest.hexdigest()[:16]
    with forked_random():
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


def fingerprint_of(value: object) -> str:
    """Return a digest of an object: of its type and fields, the bytes of its arrays and the code of its functions."""
    return hashlib.sha256(_described(value, DEPTH).encode()).hexdigest()[:16]


def fingerprint_of_network(network: nn.Module, learn: Callable[[], Any]) -> str:
    """Return a digest of what a network computes besides its weights, the same before and after it is trained.

    It holds the plain attributes of every module, the values of its buffers and the code of its class, if that is of no
    library, with the functions and constants that this code names. Left out are weights, statistics of batch
    normalisations, states of neurons, and what else is changed by ``learn``, which lets the network see one batch as
    in training; buffers and attributes are put back afterwards.
    """
    modules = [m for m in network.modules() if not isinstance(m, torch.jit.ScriptModule)]
    buffers = [(m, n, b, b.detach().clone()) for m in modules for n, b in m.named_buffers(recurse=False)]
    attributes = [(m, n, v) for m in modules for n, v in _own(m).items() if isinstance(v, PLAIN)]
    before, objects = _parts_of(network), _tensors_of(network)
    try:
        with forked_random(), torch.no_grad():
            learn()
    except Exception:  # whatever somebody's code raises, training will say
        pass
    after = _parts_of(network)
    kept = {name: tensor is objects.get(name, tensor) for name, tensor in _tensors_of(network).items()}
    with torch.no_grad():
        for module, name, buffer, value in buffers:
            module._buffers[name] = buffer.copy_(value) if buffer.shape == value.shape else value
    for module, name, plain in attributes:
        if vars(module).get(name) is not plain:
            vars(module)[name] = plain
    return fingerprint_of(sorted(f"{k} {v}" for k, v in before.items() if after.get(k) == v and kept.get(k, True)))


def _parts_of(network: nn.Module) -> dict[str, str]:
    """Return the digest of each attribute and buffer of each module, and of the code of its class, by name."""
    found = {}
    for name, module in network.named_modules():
        if "_orig_mod" in module._modules:  # compiled, which says nothing of what is computed
            continue
        left_out: tuple[str, ...] = STATE if isinstance(module, snn.SpikingNeuron) else ()
        left_out = STATISTICS if isinstance(module, nn.modules.batchnorm._NormBase) else left_out
        for key, value in (_own(module) | dict(module.named_buffers(recurse=False))).items():
            if key not in left_out:
                found[f"{name}.{key}"] = fingerprint_of(_reduced(value, DEPTH - 2))
        methods = _methods(type(module))
        found[f"{name}()"] = fingerprint_of([_reduced(f, 2) for f in methods])
        functions = [v for v in _own(module).values() if isinstance(v, types.FunctionType)]
        for key, value in globals_named_by([*methods, *functions]).items():
            found[f"{name}() {key}"] = fingerprint_of(_reduced(value, DEPTH - 2))
    return found


def _tensors_of(network: nn.Module) -> dict[str, torch.Tensor]:
    """Return the tensors that modules hold as attributes or buffers, by name; one put anew by a pass is a state."""
    return {
        f"{name}.{key}": value
        for name, module in network.named_modules()
        for key, value in (_own(module) | dict(module.named_buffers(recurse=False))).items()
        if isinstance(value, torch.Tensor)
    }


def _own(module: nn.Module) -> dict[str, Any]:
    return {k: v for k, v in vars(module).items() if k not in BARE}


BARE = frozenset(vars(nn.Module()))


def _methods(kind: type) -> list[types.FunctionType]:
    """Return the functions of a class that somebody wrote, but not how it is made."""
    own = [k for k in kind.__mro__ if k.__module__.split(".")[0] not in LIBRARIES]
    parts = [getattr(v, "__func__", getattr(v, "fget", v)) for k in own for n, v in vars(k).items() if n != "__init__"]
    return [part for part in parts if isinstance(part, types.FunctionType)]


def globals_named_by(functions: Sequence[types.FunctionType]) -> dict[str, Any]:
    """Return the globals that functions name, and those that functions among these name in turn, by module and name.

    Functions are somebody's own; of libraries none is looked into. Modules and classes are left out, but what is named
    of a module of somebody's is there.
    """
    found: dict[str, Any] = {}
    waiting, seen = list(functions), set()
    while waiting:
        function = waiting.pop()
        if function in seen:
            continue
        seen.add(function)
        cells = [c.cell_contents for c in function.__closure__ or () if _is_filled(c)]
        waiting += [c for c in cells if isinstance(c, types.FunctionType)]
        if not _is_own(function.__code__.co_filename, function.__module__):
            continue
        for key, value in _named_in(function.__code__, function.__globals__, function.__module__):
            if isinstance(value, types.FunctionType):
                waiting.append(value)
                if not _is_own(value.__code__.co_filename, value.__module__):
                    continue
            found[key] = value
    return found


def _named_in(code: types.CodeType, space: Mapping[str, Any], module: str) -> Iterator[tuple[str, Any]]:
    """Yield (name with its module, value) of the globals that code names, also inside functions that it makes."""
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME") and instruction.argval in space:
            value = space[instruction.argval]
            if not isinstance(value, MODULES):
                yield f"{module}.{instruction.argval}", value
            elif isinstance(value, types.ModuleType) and _is_own(getattr(value, "__file__", None), value.__name__):
                named = {n: vars(value)[n] for n in code.co_names if n in vars(value)}
                yield from ((f"{value.__name__}.{n}", v) for n, v in named.items() if not isinstance(v, MODULES))
        if isinstance(instruction.argval, types.CodeType):
            yield from _named_in(instruction.argval, space, module)


def _is_own(file: str | None, module: str | None) -> bool:
    """Whether code is somebody's own, neither of a library nor of Python."""
    root = (module or "").split(".")[0]
    if file is None or root in LIBRARIES or root in sys.stdlib_module_names - {"__main__"}:
        return False
    return not {"site-packages", "dist-packages"} & set(Path(file).parts)


def _reduced(value: object, depth: int) -> Any:
    """Return the plain values and the code in something; of weights, other objects and modules their type alone."""
    if isinstance(value, torch.Tensor | torch.dtype):
        return _constant(value) if isinstance(value, torch.Tensor) else str(value)
    if depth == 0 and not isinstance(value, PLAIN):
        return type(value).__qualname__
    inner: list[Any] | None = None
    if isinstance(value, Mapping):
        return [[_reduced(k, depth - 1), _reduced(v, depth - 1)] for k, v in value.items()]
    if isinstance(value, set | frozenset):
        return sorted(str(_reduced(v, depth - 1)) for v in value)
    if isinstance(value, list | tuple):
        inner = list(value)
    elif isinstance(value, types.FunctionType):
        cells = [c.cell_contents for c in value.__closure__ or () if _is_filled(c)]
        inner = [value.__qualname__, value.__code__, value.__defaults__, value.__kwdefaults__, *cells]
    elif isinstance(value, types.CodeType):
        inner = [value.co_code, value.co_names, value.co_consts]
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        inner = [type(value).__qualname__, *[getattr(value, f.name) for f in dataclasses.fields(value)]]
    if inner is not None:
        return [_reduced(v, depth - 1) for v in inner]
    named = value if isinstance(value, types.MethodType | type) else type(value)
    return value if isinstance(value, PLAIN) else named.__qualname__


def _constant(value: torch.Tensor) -> Any:
    """Return the values of a tensor that nothing learns, of others the shape."""
    is_plain = not (value.requires_grad or value.is_meta or value.is_quantized or value.is_complex())
    if not is_plain or value.layout != torch.strided or isinstance(value, nn.Parameter):
        return [str(value.dtype), list(value.shape)]
    return (value.double() if value.is_floating_point() else value).detach().cpu().numpy()


def _is_filled(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False


def _described(value: object, depth: int) -> str:
    if value is None or isinstance(value, bool | int | float | complex | str | bytes) or depth == 0:
        return f"{type(value).__qualname__} {value if depth else ''}"
    if isinstance(value, torch.Tensor):
        return _described(value.detach().cpu().numpy(), depth)
    if isinstance(value, np.ndarray | np.generic):
        digest = hashlib.sha256()
        _add(digest, np.asarray(value))
        return digest.hexdigest()
    return f"{type(value).__module__}.{type(value).__qualname__} {_parts(value, depth - 1)}"


def _parts(value: object, depth: int) -> str:
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
        plain = [(n, k, v) for n, m in value.named_modules() for k, v in _own(m).items() if isinstance(v, PLAIN)]
        inner = [str(value), *value.state_dict().items(), *sorted(plain, key=str)]
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
