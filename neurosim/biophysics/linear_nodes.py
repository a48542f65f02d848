"""The linear nodes of a NIR graph as sparse matrices: weights, convolutions, pooling, scale, flatten, delay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import nir
import numpy as np
import scipy.sparse

from neurosim.schema import InputError

LINEAR_NODES = (
    nir.Affine, nir.Linear, nir.Scale, nir.Conv1d, nir.Conv2d, nir.AvgPool2d, nir.SumPool2d, nir.Flatten, nir.Delay,
)  # fmt: skip


def shape_after_node(label: str, node: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of what a node sends when values of `shape` arrive."""
    if isinstance(node, nir.Affine | nir.Linear):
        return (int(np.asarray(node.weight).shape[0]),)
    if isinstance(node, nir.Flatten):
        return (int(np.prod(shape)),)
    if isinstance(node, nir.Conv1d | nir.Conv2d | nir.AvgPool2d | nir.SumPool2d):
        return _window(label, node, shape).shape_after
    return shape


def operator_of(label: str, node: Any, shape: tuple[int, ...]) -> tuple[Any, np.ndarray]:
    """Return a linear node as a sparse matrix (after, before) of flat values, and its bias."""
    n = int(np.prod(shape))
    if isinstance(node, nir.Affine | nir.Linear):
        weight = np.asarray(node.weight, dtype=float)
        return scipy.sparse.csr_array(weight), np.asarray(getattr(node, "bias", np.zeros(len(weight))), dtype=float)
    if isinstance(node, nir.Scale):
        return scipy.sparse.diags_array(spread(label, node.scale, shape), format="csr"), np.zeros(n)
    if isinstance(node, nir.Delay):
        if len(np.unique(np.asarray(node.delay))) > 1:
            raise InputError(f"to_circuit: node {label!r} has delays that differ; one a projection is represented.")
        return scipy.sparse.eye_array(n, format="csr"), np.zeros(n)
    if isinstance(node, nir.Flatten):
        return scipy.sparse.eye_array(n, format="csr"), np.zeros(n)
    return _window(label, node, shape).matrix()


@dataclass(frozen=True)
class _Window:
    """A convolution or pooling over one or two dims of (channel, [y,] x), as a sparse matrix."""

    weight: np.ndarray
    bias: np.ndarray
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    groups: int

    @property
    def sides_after(self) -> tuple[int, ...]:
        kernel = self.weight.shape[2:]
        return tuple(
            (n + sum(p) - d * (k - 1) - 1) // s + 1
            for n, p, d, k, s in zip(self.shape[1:], self.padding, self.dilation, kernel, self.stride, strict=True)
        )

    @property
    def shape_after(self) -> tuple[int, ...]:
        return (self.weight.shape[0], *self.sides_after)

    def matrix(self) -> tuple[Any, np.ndarray]:
        """Return the matrix (after, before) and the bias of every value after."""
        after = self.sides_after
        rows, columns, values = [], [], []
        n_out, n_in = self.weight.shape[0] // self.groups, self.weight.shape[1]
        places = np.indices(after).reshape(len(after), -1)
        flat_after = np.arange(places.shape[1])
        for offset in np.ndindex(*self.weight.shape[2:]):
            at = [p * s - pad[0] + o * d for p, s, pad, o, d in
                  zip(places, self.stride, self.padding, offset, self.dilation, strict=True)]  # fmt: skip
            inside = np.all([(a >= 0) & (a < n) for a, n in zip(at, self.shape[1:], strict=True)], axis=0)
            flat_before = np.ravel_multi_index([a[inside] for a in at], self.shape[1:])
            for g in range(self.groups):
                out, into = np.meshgrid(np.arange(n_out) + g * n_out, np.arange(n_in), indexing="ij")
                weight = self.weight[(slice(g * n_out, (g + 1) * n_out), slice(None), *offset)]
                rows.append((out[..., None] * len(flat_after) + flat_after[inside]).ravel())
                step = int(np.prod(self.shape[1:]))
                columns.append(((into + g * n_in)[..., None] * step + flat_before).ravel())
                values.append(np.broadcast_to(weight[..., None], (n_out, n_in, inside.sum())).ravel())
        size = (int(np.prod(self.shape_after)), int(np.prod(self.shape)))
        entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
        matrix = scipy.sparse.csr_array(scipy.sparse.coo_array(entries, shape=size))
        return matrix, np.repeat(self.bias, len(flat_after))


def _window(label: str, node: Any, shape: tuple[int, ...]) -> _Window:
    n_dims = 1 if isinstance(node, nir.Conv1d) else 2
    if len(shape) == n_dims:
        shape = (1, *shape)
    if len(shape) != n_dims + 1:
        raise InputError(f"to_circuit: node {label!r} ({type(node).__name__}) needs {n_dims + 1} dims, found {shape}.")
    if isinstance(node, nir.AvgPool2d | nir.SumPool2d):
        kernel = _pair(node.kernel_size, 2)
        share = 1.0 if isinstance(node, nir.SumPool2d) else 1 / np.prod(kernel)
        stride = _pair(node.stride, 2)
        weight = np.full((shape[0], 1, *kernel), share)
        return _Window(weight, np.zeros(shape[0]), shape, stride, _both(_pair(node.padding, 2)), (1, 1), shape[0])
    weight = np.asarray(node.weight, dtype=float)
    groups = int(node.groups)
    if weight.shape[1] * groups != shape[0]:
        raise InputError(f"to_circuit: node {label!r} takes {weight.shape[1] * groups} channels, {shape[0]} arrive.")
    dilation, stride = _pair(node.dilation, n_dims), _pair(node.stride, n_dims)
    padding = _padding(label, node.padding, weight.shape[2:], dilation, stride)
    bias = np.zeros(len(weight)) if node.bias is None else np.asarray(node.bias, dtype=float).ravel()
    return _Window(weight, bias, shape, stride, padding, dilation, groups)


def _padding(
    label: str, asked: Any, kernel: tuple[int, ...], dilation: tuple[int, ...], stride: tuple[int, ...]
) -> tuple[tuple[int, int], ...]:
    """Return the zeros before and after each dim; "same" puts the odd one of an even kernel after, as torch does."""
    if not isinstance(asked, str):
        return _both(_pair(asked, len(kernel)))
    if asked not in ("same", "valid") or (asked == "same" and set(stride) != {1}):
        raise InputError(f"to_circuit: node {label!r} has padding {asked!r} with stride {stride}, which is not known.")
    whole = [d * (k - 1) if asked == "same" else 0 for d, k in zip(dilation, kernel, strict=True)]
    return tuple((w // 2, w - w // 2) for w in whole)


def _both(padding: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    return tuple((p, p) for p in padding)


def _pair(value: Any, n: int) -> tuple[int, ...]:
    flat = [int(v) for v in np.atleast_1d(np.asarray(value)).ravel()]
    return tuple(flat * n) if len(flat) == 1 else tuple(flat)


def spread(label: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return a number a neuron of a node of `shape`: one for all, one each, or one a channel, which comes first."""
    flat, size = np.asarray(value, dtype=float).ravel(), int(np.prod(shape))
    if len(flat) in (1, size):
        return np.broadcast_to(flat, (size,)).copy()
    if len(shape) > 1 and len(flat) == shape[0]:
        return np.repeat(flat, size // len(flat))
    raise InputError(
        f"to_circuit: node {label!r}: {len(flat)} numbers cannot be given to {size} neurons of shape {shape}."
    )
