"""Covariances and precisions as users bring them: matched by label, proven symmetric and positive definite, once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from neurosim.arrays import column_names, is_count, is_table, match_names, plain, row_names
from neurosim.schema import InputError
from neurosim.similarity.kernels.arrays import Array, array_namespace, is_torch_array
from neurosim.similarity.kernels.inner_products import noise_factor

ASYMMETRY = 1e-5


@dataclass(frozen=True)
class Asked:
    """Which matrix is asked for: by whom, what it is, of which things, and what to do where it is none.

    `dim` is that of the things, such as "unit", `n` their number, `names` those they have, if any. With `diagonal` a
    vector (n,) stands for a diagonal matrix.
    """

    who: str
    what: str
    dim: str
    n: int
    names: list[str] | None
    cure: str
    diagonal: bool = False

    def refused(self, fault: str) -> InputError:
        """Return the error that says what is wrong with it, in one line."""
        return InputError(f"{self.who}: {self.what} {fault}; {self.cure}.")


def names_along(array: xr.DataArray, dim: str) -> list[str] | None:
    """Return the names that `array` has along `dim`, or None."""
    return [str(n) for n in array[dim].values] if dim in array.coords else None


def precision_factor(precision: Any, responses: Any, who: str) -> Array:
    """Return the factor (unit,) or (unit, unit) of a noise precision, for the units of labelled responses or a tensor.

    For a tensor it is one, of the same dtype and device; else an array.

    Raises
    ------
    InputError : not a precision of these units: another shape, other names, not finite, symmetric, positive definite.
    """
    tensor = is_torch_array(responses)
    n, names = (responses.shape[-1], None) if tensor else (responses.sizes["unit"], names_along(responses, "unit"))
    cure = "estimate it from these units with noise_precision(...), which shrinks it"
    asked = Asked(who, "the precision", "unit", n, names, cure, diagonal=True)
    return _checked(_converted(precision, asked, responses if tensor else None), asked)[1]


def stimulus_covariance(sigma_k: Any, rdms: Any, who: str) -> Array:
    """Return a covariance between the stimuli of labelled RDMs, in their order, or for a tensor of RDMs.

    Raises
    ------
    InputError : not a covariance of these stimuli: another shape, other names, not symmetric and positive definite.
    """
    tensor = is_torch_array(rdms)
    n, names = (rdms.shape[-1], None) if tensor else (rdms.sizes["stimulus"], names_along(rdms, "stimulus"))
    cure = (
        f"give the positive definite covariance of {n} x {n} stimuli, with a little on its diagonal if it is singular"
    )
    asked = Asked(who, "sigma_k", "stimulus", n, names, cure)
    return _checked(_converted(sigma_k, asked, rdms if tensor else None), asked)[0]


def _converted(given: object, asked: Asked, like: Array | None) -> Array:
    """Return `given` as an array in the order of what is asked, or as a tensor `like` another."""
    if like is not None and is_torch_array(given):
        if given.is_complex():
            raise asked.refused(f"is complex ({given.dtype})")
        return given.to(device=like.device, dtype=like.dtype)
    values = _in_order(given, asked)
    return values if like is None else like.new_tensor(values)


def _in_order(given: Any, asked: Asked) -> np.ndarray:
    """Return the numbers of `given` with both sides in the order of what is asked, matched by label."""
    where = f"{asked.who}, {asked.what}"
    if isinstance(given, xr.DataArray):
        sides = (asked.dim, f"{asked.dim}_other")[: given.ndim]
        if set(given.dims) != set(sides):
            raise asked.refused(f"has dims {tuple(given.dims)} where {asked.dim} and {asked.dim}_other are asked")
        given = given.transpose(*sides)
        labels = [names_along(given, side) for side in sides]
    elif is_table(given):
        labels = [row_names(given, where), column_names(given, where)][: given.ndim]
    else:
        labels = []
    values = np.asarray(plain(given, where), dtype=float)
    if values.shape not in _shapes(asked):
        raise asked.refused(_shape(values, asked))
    known = [names for names in labels if names is not None]
    if len(known) < len(labels) and known:
        raise asked.refused(f"is labelled along one of its dims only, so the order of the other ({asked.n}) is unknown")
    if not known:
        return values
    wanted = asked.names or (sorted(known[0], key=int) if is_count(known[0]) else known[0])
    return values[np.ix_(*(_places(wanted, names, asked) for names in known))]


def _places(wanted: list[str], found: list[str], asked: Asked) -> list[int]:
    if wanted == found:
        return list(range(len(found)))
    if len(set(found)) < len(found) or len(set(wanted)) < len(wanted):
        raise asked.refused(f"has names along {asked.dim} that repeat, in another order")
    if asked.dim == "unit" and set(wanted) != set(found):
        raise asked.refused("is of other units than the responses, or not the same on both sides")
    return match_names(wanted, found, f"{asked.who}, {asked.what}")


def _checked(values: Array, asked: Asked) -> tuple[Array, Array]:
    """Return the matrix, made exactly symmetric, and its factor."""
    xp = array_namespace(values)
    if tuple(values.shape) not in _shapes(asked):
        raise asked.refused(_shape(values, asked))
    if not bool(xp.all(xp.isfinite(values))):
        raise asked.refused("holds NaN or infinite values, it is to be finite and positive")
    if values.ndim == 1:
        if not bool(xp.all(values > 0)):
            raise asked.refused("is to be finite and positive, and is not above 0 everywhere")
        return values, noise_factor(values)
    if not bool(xp.all(values == values.mT)):
        if bool(xp.max(xp.abs(values - values.mT)) > ASYMMETRY * xp.max(xp.abs(values))):
            raise asked.refused("is not symmetric (average it with its transpose if that is meant)")
        values = (values + values.mT) / 2
    try:
        return values, noise_factor(values)
    except (np.linalg.LinAlgError, RuntimeError):  # that of torch is a RuntimeError
        raise asked.refused("is not positive definite") from None


def _shapes(asked: Asked) -> tuple[tuple[int, ...], ...]:
    return ((asked.n, asked.n), (asked.n,)) if asked.diagonal else ((asked.n, asked.n),)


def _shape(values: Array, asked: Asked) -> str:
    things = "stimuli" if asked.dim == "stimulus" else f"{asked.dim}s"
    return f"has shape {tuple(values.shape)} for {asked.n} {things}"
