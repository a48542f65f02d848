"""RDMs of what people judge: which of three is the odd one out, and what they put near what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from neurosim.arrays import is_missing, is_table, listed
from neurosim.schema import InputError, as_rdm
from neurosim.similarity.kernels.judgements import Arranged, shares_of_triplets, weighted_distances

FEWEST = 3


def triplet_rdm(triplets: object, *, stimuli: Sequence[str] | xr.DataArray | None = None) -> xr.DataArray:
    """Return how often two stimuli are not the pair that is chosen as most alike, of the triplets that hold both.

    (https://doi.org/10.1038/s41562-020-00951-3)

    Each entry is the share of its own triplets, so pairs may be shown unequally often, and it is unbiased for the third
    stimuli that were shown with it.
    Calibrated in 1,000 simulated experiments: null mean 0.03, recovery 0.99.

    Parameters
    ----------
    triplets : (judgement, 3), an array or table of names or whole numbers: in each row three different stimuli, the odd
        one out last.
    stimuli : stimuli, or their names, in the order of the RDM; by default those that were judged, in the order of their
        names (numbers as numbers).

    Returns
    -------
    RDM (stimulus, stimulus_other) from 0 (always chosen) to 1 (never). Pairs that no triplet holds are NaN; a
        coordinate ``n_judgements`` (stimulus, stimulus_other) counts the triplets of each.

    Raises
    ------
    InputError : no triplets of three different stimuli, names that are missing, or none of the `stimuli`.

    Examples
    --------
    >>> judged = [["dog", "cat", "car"], ["dog", "cat", "bus"], ["car", "bus", "dog"], ["car", "dog", "cat"]]
    >>> round(ns.similarity.triplet_rdm(judged).sel(stimulus="dog", stimulus_other="cat").item(), 6)
    0.333333
    """
    who = "triplet_rdm"
    rows = _triplets(triplets, who)
    names = _names(rows.ravel().tolist(), stimuli, who)
    place = {name: k for k, name in enumerate(names)}
    index = np.array([[place[str(v)] for v in row] for row in rows.tolist()])
    ordered = np.sort(index, axis=1)
    twice = (ordered[:, 1:] == ordered[:, :-1]).any(1)
    if twice.any():
        raise InputError(f"{who}: triplet {int(np.argmax(twice))} holds a stimulus twice: {rows[np.argmax(twice)]}.")
    values, counts = shares_of_triplets(index, len(names))
    rdm = as_rdm(
        np.nan_to_num(values), stimuli=stimuli if isinstance(stimuli, xr.DataArray) else names, metric="triplets"
    )
    return rdm.copy(data=values).assign_coords(n_judgements=(("stimulus", "stimulus_other"), counts))


def arrangement_rdm(
    arrangements: Sequence[xr.DataArray] | Mapping[Any, xr.DataArray], *, stimuli: Sequence[str] | None = None
) -> xr.DataArray:
    """Return the distances of stimuli that were arranged in a plane, whole or a few at a time.

    (https://doi.org/10.3389/fpsyg.2012.00245)

    Every arrangement has a scale of its own. It is scaled to the mean of all, a mean in which a distance weighs by its
    square on the screen, as small ones are placed less exactly; both in turn until nothing changes.

    Parameters
    ----------
    arrangements : places (stimulus, axis) of some or all stimuli each, with their names along ``stimulus``, in any
        unit that is that of all, such as the width of the screen.
    stimuli : names in the order of the RDM; by default in the order in which they come.

    Returns
    -------
    RDM (stimulus, stimulus_other) whose root mean square is 1. Pairs that were never arranged together are NaN.

    Raises
    ------
    InputError : no arrangement, places without names or that are not finite, all stimuli in one place, or arrangements
        that share no pair with the others, so that their scales cannot be compared.

    Examples
    --------
    >>> import xarray as xr
    >>> places = xr.DataArray([[0.0, 0], [3, 0], [0, 4]], dims=("stimulus", "axis"), coords={"stimulus": list("abc")})
    >>> found = ns.similarity.arrangement_rdm([places, places[::-1] / 2])
    >>> (found / found[0, 1]).values.round(6)[1].tolist()
    [1.0, 0.0, 1.666667]
    """
    who = "arrangement_rdm"
    given = list(arrangements.values()) if isinstance(arrangements, Mapping) else arrangements
    if not isinstance(given, list | tuple) or not given:
        raise InputError(f"{who}: a list of places (stimulus, axis) asked, found a {type(arrangements).__name__}.")
    checked = [_arrangement(places, i, who) for i, places in enumerate(given)]
    seen = list(dict.fromkeys(str(s) for places in checked for s in places["stimulus"].values))
    names = seen if stimuli is None else _names(seen, stimuli, who)
    if len(names) < FEWEST:
        raise InputError(f"{who}: {FEWEST} stimuli or more asked, found {len(names)}.")
    place = {name: k for k, name in enumerate(names)}
    arranged = [_distances(places, place) for places in checked]
    _check_connected(arranged, len(names), who)
    values = weighted_distances(arranged, len(names))
    rdm = as_rdm(np.nan_to_num(values), stimuli=names, metric="arrangement")
    return rdm.copy(data=values)


def _triplets(given: Any, who: str) -> np.ndarray:
    """Return names (judgement, 3) of an array or table."""
    values = given.to_numpy() if is_table(given) else given.values if isinstance(given, xr.DataArray) else given
    try:
        rows = np.asarray(values)
    except ValueError:
        raise InputError(f"{who}: three stimuli in each row asked, the odd one last; rows differ in length.") from None
    if rows.ndim != 2 or rows.shape[1] != 3 or not len(rows):
        raise InputError(f"{who}: triplets (judgement, 3) asked, the odd one last; found shape {rows.shape}.")
    whole = rows.dtype.kind in "iuUSO" or (rows.dtype.kind == "f" and bool((rows == np.floor(rows)).all()))
    brought = np.asarray(values, dtype=object) if rows.dtype.kind in "USO" else rows[:0]  # names hide a NaN as 'nan'
    if not whole or any(is_missing(v) or v == "" or isinstance(v, float | complex) for v in brought.ravel().tolist()):
        raise InputError(f"{who}: names or whole numbers of stimuli asked, found {rows.dtype} or missing ones.")
    if rows.dtype.kind == "f":
        rows = rows.astype(int)
    return np.array([listed(row, who) for row in rows.tolist()], dtype=object)


def _names(found: list[Any], stimuli: Any, who: str) -> list[str]:
    """Return the names in the order asked for; all that were found are among them."""
    if stimuli is None:
        numbers = all(isinstance(v, int) for v in found)
        return [str(v) for v in (sorted(set(found)) if numbers else sorted({str(v) for v in found}))]
    given = (
        stimuli["stimulus"].values if isinstance(stimuli, xr.DataArray) and "stimulus" in stimuli.coords else stimuli
    )
    names = [str(v) for v in listed(given, who)]
    strange = sorted({str(v) for v in found} - set(names))
    if strange or len(set(names)) < len(names):
        fault = f"judged {strange[:3]} are none of them" if strange else "names repeat"
        raise InputError(f"{who}: {len(names)} stimuli are given and {fault}; name each stimulus once.")
    return names


def _arrangement(places: Any, number: int, who: str) -> xr.DataArray:
    if not isinstance(places, xr.DataArray) or set(places.dims) != {"stimulus", "axis"}:
        found = places.dims if isinstance(places, xr.DataArray) else f"a {type(places).__name__}"
        raise InputError(f"{who}: arrangement {number} is to have dims (stimulus, axis), found {found}.")
    if "stimulus" not in places.coords or len(set(places["stimulus"].values.tolist())) < places.sizes["stimulus"]:
        raise InputError(f"{who}: arrangement {number} has no names of its stimuli, each once; assign them.")
    if places.dtype.kind not in "iuf" or not np.isfinite(places.values).all():
        raise InputError(f"{who}: the places of arrangement {number} are not finite numbers; leave those stimuli out.")
    if places.sizes["stimulus"] < 2 or not np.ptp(places.transpose("axis", ...).values, axis=1).any():
        raise InputError(f"{who}: all stimuli of arrangement {number} are in one place; leave it out.")
    return places.transpose("stimulus", "axis").astype(float)


def _distances(places: xr.DataArray, place: dict[str, int]) -> Arranged:
    """Return the pairs of an arrangement and how far apart they were put."""
    index = np.array([place[str(s)] for s in places["stimulus"].values])
    rows, columns = np.triu_indices(len(index), 1)
    apart = np.linalg.norm(places.values[rows] - places.values[columns], axis=1)
    low, high = np.minimum(index[rows], index[columns]), np.maximum(index[rows], index[columns])
    return low, high, apart


def _check_connected(arranged: list[Arranged], n: int, who: str) -> None:
    """Refuse arrangements of which some share no pair with the others."""
    pairs = [set((low * n + high)[apart > 0].tolist()) for low, high, apart in arranged]
    together, waiting = {0}, [0]
    while waiting:
        now = waiting.pop()
        near = [k for k in range(len(pairs)) if k not in together and pairs[k] & pairs[now]]
        together |= set(near)
        waiting += near
    apart = [k for k in range(len(pairs)) if k not in together]
    if apart:
        raise InputError(
            f"{who}: arrangement {apart[0]} shares no pair of stimuli with the first and those that go with it, so "
            "their scales cannot be compared; leave it out."
        )
