"""Labelled time series of the UCR and UEA archives: text files ending in .ts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.schema import InputError, as_stimuli


def load_time_series(path: str | Path, *, time_step: float = 1.0, pad: bool = False) -> xr.DataArray:
    r"""Return the labelled time series of a ``.ts`` file (https://arxiv.org/abs/1811.00075).

    Parameters
    ----------
    path : file with a header of ``@`` lines and one case a line after ``@data``: dimensions separated by ``:``, values
        by commas, the label last.
    time_step : seconds between two samples; the files do not say. pad : fill shorter cases with 0 at the end.

    Returns
    -------
    stimuli (stimulus, time, unit), with ``category`` where the file has labels, and ``n_samples``.

    Raises
    ------
    StorageError : missing, or not of this format; the line is named.
    InputError : missing values, time stamps, or cases of different lengths without `pad`.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as place:
    ...     _ = Path(place, "x.ts").write_text("@classLabel true a b\n@data\n1,2,3:a\n4,5,6:b\n")
    ...     found = ns.stimuli.load_time_series(Path(place, "x.ts"))
    >>> found.shape, found.category.values.tolist()
    ((2, 3, 1), ['a', 'b'])
    """
    path = storage.as_path(path, "load_time_series")
    head, _, body = storage.read_text(path).partition("@data")
    lines = [line.strip() for line in body.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise storage.StorageError(f"load_time_series: {path.name} has no '@data' with cases after it.")
    keys = {k.lower(): v for k, _, v in (line[1:].partition(" ") for line in head.splitlines() if line.startswith("@"))}
    if keys.get("timestamps", "false").strip().lower() == "true":
        raise InputError(f"load_time_series: {path.name} holds time stamps; evenly sampled series are asked.")
    labelled = keys.get("classlabel", "true").strip().lower().startswith("true")
    cases, labels = [], []
    for number, line in enumerate(lines, start=1):
        parts = line.split(":")
        if labelled:
            labels.append(parts.pop().strip())
        cases.append(_case(parts, f"{path.name}, case {number}"))
    n_units, lengths = {len(c) for c in cases}, [c.shape[1] for c in cases]
    if len(n_units) > 1:
        raise storage.StorageError(f"load_time_series: {path.name} has cases of {sorted(n_units)} dimensions.")
    if len(set(lengths)) > 1 and not pad:
        raise InputError(
            f"load_time_series: {path.name} has cases of {min(lengths)} to {max(lengths)} samples; pass pad=True."
        )
    values = np.zeros((len(cases), max(lengths), n_units.pop()), dtype=np.float32)
    for row, case in zip(values, cases, strict=True):
        row[: case.shape[1]] = case.T
    coords = {"n_samples": lengths} | ({"category": labels} if labelled else {})
    ids = [f"{path.stem}_{k:05d}" for k in range(len(cases))]
    return as_stimuli(values, dims=("stimulus", "time", "unit"), ids=ids, coords=coords, time_step=time_step)


def _case(parts: list[str], where: str) -> np.ndarray:
    """Return one case as (dimension, time)."""
    if any("?" in part or "nan" in part.lower() for part in parts):
        raise InputError(f"load_time_series: {where} has missing values; fill them first.")
    try:
        rows = [np.array([float(v) for v in part.split(",")]) for part in parts]
        case = np.stack(rows)
    except ValueError as error:
        raise storage.StorageError(f"load_time_series: {where} is not numbers of equal lengths.") from error
    if not np.isfinite(case).all():
        raise InputError(f"load_time_series: {where} has values that are no finite numbers.")
    return case
