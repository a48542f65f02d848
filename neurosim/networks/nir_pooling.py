"""Average pooling as nodes of a NIR graph: windows where all are of one size, else the weights of every place."""

from __future__ import annotations

from typing import Any

import nir
import numpy as np
import torch
from torch import nn

from neurosim.schema import InputError

Shape = tuple[int, ...]
POOLS = (nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d)


def pooling_node(name: str, module: nn.Module, shape: Shape) -> tuple[nir.NIRNode, Shape]:
    """Return the node of a layer of average pooling, and the shape of what it sends.

    Parameters
    ----------
    name : how messages call the layer. module : one of `POOLS`. shape : of a step that arrives.

    Raises
    ------
    InputError : options that NIR does not hold, values of another number of dims.
    """
    n_dims = 1 if isinstance(module, nn.AvgPool1d | nn.AdaptiveAvgPool1d) else 2
    if len(shape) != n_dims + 1:
        dims = "(channel, x)" if n_dims == 1 else "(channel, y, x)"
        raise InputError(f"to_nir: layer {name!r} pools {dims}, found {shape}.")
    after = tuple(module(torch.zeros(1, *shape)).shape[1:])
    if isinstance(module, nn.AvgPool1d | nn.AvgPool2d):
        if module.ceil_mode or not module.count_include_pad or getattr(module, "divisor_override", None) is not None:
            raise InputError(f"to_nir: layer {name!r} pools with options that NIR does not hold.")
        return _windows(shape, module.kernel_size, module.stride, module.padding), after
    if all(n % m == 0 for n, m in zip(shape[1:], after[1:], strict=True)):
        width = tuple(n // m for n, m in zip(shape[1:], after[1:], strict=True))
        return _windows(shape, width, width, 0), after
    n = int(np.prod(shape))
    each = module(torch.eye(n, dtype=torch.float64).reshape(n, *shape)).flatten(1)
    return nir.Linear(weight=each.T.numpy().copy()), (each.shape[1],)


def _windows(shape: Shape, kernel: Any, stride: Any, padding: Any) -> nir.NIRNode:
    """Return the mean over windows; NIR pools in two dims, and a convolution of each channel does it in one."""
    if len(shape) == 3:
        return nir.AvgPool2d(*(np.broadcast_to(v, (2,)).copy() for v in (kernel, stride, padding)))
    (width, by, edge), n = (int(np.ravel(v)[0]) for v in (kernel, stride, padding)), shape[0]
    return nir.Conv1d(shape[1], np.full((n, 1, width), 1 / width), by, edge, 1, n, np.zeros(n))
