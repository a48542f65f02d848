"""Model RDMs from labels of stimuli."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from neurosim.arrays import is_missing
from neurosim.rdm_arrays import rdm_between
from neurosim.schema import InputError, stimulus_labels, suggest
from neurosim.similarity.kernels.arrays import upper
from neurosim.similarity.model_kind import MODEL_KINDS, ModelKind


def model_rdm(stimuli: xr.DataArray, label: str | Sequence[str], kind: str = "categorical") -> xr.DataArray:
    """Return the RDM that labels of stimuli say there is (https://doi.org/10.3389/neuro.06.004.2008).

    Parameters
    ----------
    stimuli : stimuli, responses or anything with labels along ``stimulus``.
    label : one of them, or several: levels of a tree for "hierarchical", the coarsest first.
    kind : "categorical" (0 within, 1 between), "numeric" (absolute difference), "orientation" and "direction" (angle
        between, deg), "hierarchical" (levels up to the lowest common ancestor, the mean of both stimuli; of levels, or
        of one label of paths "animal/mammal/dog"), or another of ``MODEL_KINDS``. Of several labels "categorical" is
        the share that differ, "numeric" the Euclidean distance.

    Returns
    -------
    RDM (stimulus, stimulus_other) with the labels of the stimuli.

    Raises
    ------
    InputError : no such label, stimuli without one, texts where numbers are asked, or labels that tell no pair of
        stimuli from another.

    Examples
    --------
    >>> stimuli = ns.as_stimuli(np.zeros((3, 2)), coords={"animal": ["dog", "dog", "cat"], "size": [1, 2, 4]})
    >>> ns.similarity.model_rdm(stimuli, "animal").values.tolist()
    [[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [1.0, 1.0, 0.0]]
    >>> ns.similarity.model_rdm(stimuli, "size", "numeric")[0].values.tolist()
    [0.0, 1.0, 3.0]
    """
    who = "model_rdm"
    chosen = MODEL_KINDS.find(kind, who)
    if not isinstance(stimuli, xr.DataArray) or "stimulus" not in stimuli.dims:
        found = stimuli.dims if isinstance(stimuli, xr.DataArray) else f"a {type(stimuli).__name__}"
        raise InputError(f"{who}: a labelled array with labels along stimulus asked, found {found}.")
    known = stimulus_labels(stimuli)
    names = [label] if isinstance(label, str) else list(label)
    lost = [name for name in names if name not in known]
    if lost or not names:
        first = str(lost[0]) if lost else "none"
        raise InputError(
            f"{who}: no label {first!r} along stimulus. Labels: {', '.join(known) or 'none'}.{suggest(first, known)}"
        )
    values = np.stack([_column(known[name], name, chosen, stimuli) for name in names], axis=1)
    distances = np.asarray(chosen.kernel(values), dtype=float)
    along = stimuli.isel({d: 0 for d in stimuli.dims if d != "stimulus"}, drop=True)
    rdm = rdm_between(along, distances, metric=chosen.name)
    if np.ptp(upper(rdm.values)) == 0:
        raise InputError(
            f"{who}: {chosen.name} of {', '.join(names)} is {upper(rdm.values)[0]:g} between all stimuli; such a model "
            "says nothing of them."
        )
    return rdm


def _column(values: np.ndarray, name: str, kind: ModelKind, stimuli: xr.DataArray) -> np.ndarray:
    """Return one label (K,) as the kind takes it, or name the first stimulus that has none."""
    without = np.array([is_missing(v) or v == "" for v in values.tolist()])
    if without.any():
        ids = stimuli["stimulus"].values if "stimulus" in stimuli.coords else np.arange(len(values))
        raise InputError(
            f"model_rdm: {int(without.sum())} stimuli have no {name!r}, the first is {ids[np.argmax(without)]!s}; "
            "leave them out or name them."
        )
    if kind.takes == "names":
        return values.astype(str)
    if values.dtype.kind not in "iufb" or not np.isfinite(values.astype(float)).all():
        raise InputError(
            f"model_rdm: {kind.name} takes finite numbers, found {name!r} of {values.dtype}; convert them, or "
            "kind='categorical'."
        )
    return np.asarray(values, dtype=float)
