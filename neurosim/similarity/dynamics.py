"""Dynamics: how differently two systems move, whatever units show it."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neurosim.arrays import plain
from neurosim.refusals import check_known, check_number
from neurosim.runtime import as_rng
from neurosim.schema import InputError, check_responses, step_of
from neurosim.similarity.kernels import dynamics as kernels


def dsa(
    a: xr.DataArray,
    b: xr.DataArray,
    *,
    n_delays: int = 10,
    rank: int = 10,
    method: str = "eigenvalues",
    n_restarts: int = 5,
    rng: np.random.Generator | int | None = 0,
) -> float:
    """Return how much two systems differ in their dynamics (https://arxiv.org/abs/2306.10168).

    Each is embedded in delays and stepped forward by one linear operator. Two systems are alike if their operators are,
    up to a change of coordinates.

    Parameters
    ----------
    a, b : responses (stimulus, time, unit) with the same time step; units and stimuli may differ.
    n_delays : time steps in the embedding.
    rank : dimensions of the operator.
    method : "eigenvalues": mean distance of eigenvalues (not singular values) under their best pairing; "angle": least
        angle of the operators over orthogonal changes of coordinates, rad, the best of several starts. Operators act on
        principal components of variance 1, so the units of the responses make no difference.
    n_restarts, rng : random starts of "angle" besides the identity and a reflection, and their seed or generator.

    Returns
    -------
    a distance, 0 for the same dynamics.

    Raises
    ------
    InputError : different time steps, a time step that the times contradict, responses that do not vary, too few time
        points or units for the embedding, or that move in fewer dimensions than `rank`, or numbers that are no counts.

    Examples
    --------
    >>> t = np.arange(60.0)
    >>> slow, fast = (np.stack([np.cos(w * t), np.sin(w * t)], axis=1)[None] for w in (0.2, 1.0))
    >>> ns.similarity.dsa(slow, slow, n_delays=1, rank=2) < 1e-6 < ns.similarity.dsa(slow, fast, n_delays=1, rank=2)
    True
    """
    check_known(method, ("eigenvalues", "angle"), "dsa: no method")
    for name, value, low in (("n_delays", n_delays, 1), ("rank", rank, 1), ("n_restarts", n_restarts, 0)):
        check_number(value, "dsa", name, low, whole=True)
    steps = [step for x in (a, b) if (step := _step(x)) is not None]
    if len(steps) == 2 and not np.isclose(steps[0], steps[1]):
        raise InputError(f"dsa: time steps of {steps[0]:g} s and {steps[1]:g} s differ; rebin one of the two.")
    operators = []
    for x in (a, b):
        values = _trajectories(x)
        if values.shape[1] < n_delays + 2 or n_delays * values.shape[2] < rank:
            raise InputError(
                f"dsa: {values.shape[1]} time points and {values.shape[2]} units are too few for {n_delays} delays "
                f"and rank {rank}; lower n_delays or rank."
            )
        operator = kernels.dynamics_matrix(values, n_delays, rank)
        if len(operator) < rank:
            raise InputError(
                f"dsa: the embedded responses move in {len(operator)} dimensions, rank {rank} asked; lower rank."
            )
        operators.append(operator)
    if method == "eigenvalues":
        return kernels.eigenvalue_distance(*operators)
    generator, size = as_rng(rng, "dsa"), len(operators[0])
    mirror = np.eye(size)
    mirror[0, 0] = -1
    starts = [np.eye(size), mirror] + [np.linalg.qr(generator.normal(size=(size, size)))[0] for _ in range(n_restarts)]
    return kernels.conjugacy_angle(operators[0], operators[1], starts)


def _step(x: object) -> float | None:
    """Return the time step in s that labelled responses have, in their attrs or in their times."""
    if not isinstance(x, xr.DataArray) or "time" not in x.dims:
        return None
    if x.attrs.get("time_step") is None:
        if x.sizes["time"] < 2 or "time" not in x.coords or x["time"].dtype.kind not in "iuf":
            return None
        x = x.assign_attrs(time_step=float(np.diff(x["time"].values).mean()))
    return step_of(x, "dsa")


def _trajectories(x: object) -> np.ndarray:
    if isinstance(x, xr.DataArray) and set(x.dims) != {"stimulus", "time", "unit"}:
        raise InputError(f"dsa: needs responses (stimulus, time, unit), found {tuple(x.dims)}; average or select.")
    values = check_responses(x, "dsa").values if isinstance(x, xr.DataArray) else plain(x, "dsa").astype(float)
    if not values.size or values.ndim != 3 or not np.isfinite(values).all():
        raise InputError(f"dsa: needs finite responses (stimulus, time, unit), found shape {values.shape}.")
    if (values == values[:1, :1]).all():
        raise InputError("dsa: the responses do not vary over stimuli and time, so they have no dynamics.")
    found: np.ndarray = values - values.mean((0, 1))
    return found
