"""The linear nodes of a NIR graph as sparse matrices: weights, convolutions, pooling, scale, flatten, delay."""

from __future__ import annotations

from dataclasses import dataclass

import nir
import numpy as np
import numpy.typing as npt
import scipy.sparse

from neurosim.biophysics.nir_nodes import ASKER
from neurosim.biophysics.plain_numbers import is_whole
from neurosim.nir_graphs import spread
from neurosim.schema import InputError

LINEAR_NODES = (
    nir.Affine, nir.Linear, nir.Scale, nir.Conv1d, nir.Conv2d, nir.AvgPool2d, nir.SumPool2d, nir.Flatten, nir.Delay,
)  # fmt: skip


def shape_after_node(label: str, node: nir.NIRNode, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of what a node sends when values of `shape` arrive."""
    if isinstance(node, nir.Affine | nir.Linear):
        return (len(_matrix_of(label, node)),)
    if isinstance(node, nir.Flatten):
        return _flattened(label, node, shape)
    if isinstance(node, nir.Conv1d | nir.Conv2d | nir.AvgPool2d | nir.SumPool2d):
        return _window(label, node, shape).shape_after
    return shape


def operator_of(label: str, node: nir.NIRNode, shape: tuple[int, ...]) -> tuple[scipy.sparse.csr_array, np.ndarray]:
    """Return a linear node as a sparse matrix (after, before) of flat values, and its bias."""
    n = int(np.prod(shape))
    if isinstance(node, nir.Affine | nir.Linear):
        weight = _matrix_of(label, node)
        return scipy.sparse.csr_array(weight), _bias_of(label, getattr(node, "bias", None), len(weight))
    if isinstance(node, nir.Scale):
        return scipy.sparse.diags_array(spread(ASKER, label, node.scale, shape), format="csr"), np.zeros(n)
    if not isinstance(node, nir.Conv1d | nir.Conv2d | nir.AvgPool2d | nir.SumPool2d):
        return scipy.sparse.eye_array(n, format="csr"), np.zeros(n)
    return _window(label, node, shape).matrix()


def delays_in_steps(label: str, node: nir.Delay, step: float, shape: tuple[int, ...]) -> np.ndarray:
    """Return how many whole steps the delay of every unit lasts.

    Raises
    ------
    InputError : delays that are no whole number of steps, to a millionth of one.
    """
    delays = spread(ASKER, label, node.delay, shape)
    for delay in np.unique(delays):
        if not is_whole(float(delay) / step):
            raise InputError(
                f"{ASKER}: node {label!r} has a delay of {delay:g} s, which is {delay / step:.6g} steps of {step:g} s; "
                "whole steps are represented, pass another dt."
            )
    return np.rint(delays / step).astype(int)


def _matrix_of(label: str, node: nir.NIRNode) -> np.ndarray:
    weight = np.asarray(node.weight, dtype=float)
    if weight.ndim != 2:
        raise InputError(
            f"{ASKER}: node {label!r} has weights of shape {weight.shape}; (after, before) is represented."
        )
    return weight


def _bias_of(label: str, bias: np.ndarray | None, n: int) -> np.ndarray:
    flat = np.zeros(n) if bias is None else np.asarray(bias, dtype=float).ravel()
    if len(flat) != n:
        raise InputError(f"{ASKER}: node {label!r} has {len(flat)} biases for {n} outputs.")
    return flat


def _flattened(label: str, node: nir.Flatten, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return `shape` with the dims from the first to the last that the node names made one."""
    first, last = (int(d) + len(shape) * (int(d) < 0) for d in (node.start_dim, node.end_dim))
    if len(shape) == 1:
        return shape
    if not 0 <= first <= last < len(shape):
        raise InputError(
            f"{ASKER}: node {label!r} flattens dims {node.start_dim} to {node.end_dim}, values of shape {shape} arrive."
        )
    return (*shape[:first], int(np.prod(shape[first : last + 1])), *shape[last + 1 :])


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

    def matrix(self) -> tuple[scipy.sparse.csr_array, np.ndarray]:
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


def _window(label: str, node: nir.NIRNode, shape: tuple[int, ...]) -> _Window:
    n_dims = 1 if isinstance(node, nir.Conv1d) else 2
    if len(shape) == n_dims:
        shape = (1, *shape)
    if len(shape) != n_dims + 1:
        raise InputError(f"{ASKER}: node {label!r} ({type(node).__name__}) needs {n_dims + 1} dims, found {shape}.")
    stride = _counts(label, "stride", node.stride, n_dims, 1)
    if isinstance(node, nir.AvgPool2d | nir.SumPool2d):
        kernel = _counts(label, "kernel_size", node.kernel_size, 2, 1)
        share = 1.0 if isinstance(node, nir.SumPool2d) else 1 / np.prod(kernel)
        weight, padding = np.full((shape[0], 1, *kernel), share), _counts(label, "padding", node.padding, 2, 0)
        return _fitting(label, _Window(weight, np.zeros(shape[0]), shape, stride, _both(padding), (1, 1), shape[0]))
    weight, groups = np.asarray(node.weight, dtype=float), _counts(label, "groups", node.groups, 1, 1)[0]
    if weight.ndim != n_dims + 2 or len(weight) % groups:
        raise InputError(f"{ASKER}: node {label!r} has weights of shape {weight.shape} in {groups} groups.")
    if weight.shape[1] * groups != shape[0]:
        raise InputError(f"{ASKER}: node {label!r} takes {weight.shape[1] * groups} channels, {shape[0]} arrive.")
    if node.input_shape is not None and tuple(np.ravel(node.input_shape)) != shape[1:]:
        said = tuple(int(n) for n in np.ravel(node.input_shape))
        raise InputError(f"{ASKER}: node {label!r} says input_shape = {said}, values of shape {shape} arrive.")
    dilation = _counts(label, "dilation", node.dilation, n_dims, 1)
    padding_ends = _padding(label, node.padding, weight.shape[2:], dilation, stride)
    bias = _bias_of(label, node.bias, len(weight))
    return _fitting(label, _Window(weight, bias, shape, stride, padding_ends, dilation, groups))


def _fitting(label: str, window: _Window) -> _Window:
    if min(window.sides_after) < 1:
        kernel = window.weight.shape[2:]
        raise InputError(f"{ASKER}: node {label!r} has a window of {kernel}, too large for values of {window.shape}.")
    return window


def _padding(
    label: str, asked: npt.ArrayLike, kernel: tuple[int, ...], dilation: tuple[int, ...], stride: tuple[int, ...]
) -> tuple[tuple[int, int], ...]:
    """Return the zeros before and after each dim; "same" puts the odd one of an even kernel after, as torch does."""
    if not isinstance(asked, str):
        return _both(_counts(label, "padding", asked, len(kernel), 0))
    if asked not in ("same", "valid") or (asked == "same" and set(stride) != {1}):
        raise InputError(f"{ASKER}: node {label!r} has padding {asked!r} with stride {stride}, which is not known.")
    whole = [d * (k - 1) if asked == "same" else 0 for d, k in zip(dilation, kernel, strict=True)]
    return tuple((w // 2, w - w // 2) for w in whole)


def _both(padding: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    return tuple((p, p) for p in padding)


def _counts(label: str, what: str, value: npt.ArrayLike, n: int, least: int) -> tuple[int, ...]:
    """Return whole numbers of at least `least`, one a dim; one number is for all dims."""
    flat = np.atleast_1d(np.asarray(value, dtype=float)).ravel()
    if len(flat) not in (1, n) or (flat != np.floor(flat)).any() or (flat < least).any():
        raise InputError(
            f"{ASKER}: node {label!r} has {what} = {value!r}; {n} whole numbers of at least {least} asked."
        )
    return tuple(int(v) for v in np.broadcast_to(flat, (n,)))
