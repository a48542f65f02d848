"""Archives of numpy: responses with their labels, or a table of spikes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.arrays import listed
from neurosim.recordings.columns import seconds
from neurosim.recordings.reader import Reader
from neurosim.recordings.sweeps import sweeps_of
from neurosim.recordings.timing import TIMES, said_step
from neurosim.registry import NoOptions
from neurosim.schema import STIMULUS, TRIAL, InputError, as_responses, suggest

if TYPE_CHECKING:
    import pandas as pd

ALONG = {
    "unit": "unit",
    "layer": "unit",
    "area": "unit",
    "subject": "unit",
    "cell_type": "unit",
    "category": "stimulus",
}


OF_ALL = ("responses", "dims", "stimulus", "time_step", "trial", "time", "measured", "quantity", "units")


def read_responses(path: Path, _options: NoOptions) -> xr.DataArray:
    """Read the array ``responses`` with the labels that stand beside it."""
    with storage.readable(path, "npz of responses"):
        content = storage.read_npz(path)
        _check_known(content, path.name)
        return responses_of(content, path.name)


def read_spikes(path: Path) -> pd.DataFrame:
    """Read the arrays of an archive as the columns of a table."""
    import pandas as pd

    arrays = storage.read_npz(path)
    lengths = {len(a) if a.ndim == 1 else -1 for a in arrays.values()}
    if len(lengths) != 1 or -1 in lengths:
        raise InputError(f"{path.name}: a table of spikes has arrays of one dimension and length, found {lengths}.")
    return pd.DataFrame(arrays)


def read_sweeps(path: Path) -> dict[str, xr.Dataset]:
    """Read the protocols of an archive of current clamp."""
    with storage.readable(path, "npz of sweeps"):
        return sweeps_of(storage.read_npz(path), path.name)


def responses_of(content: dict[str, np.ndarray], name: str) -> xr.DataArray:
    """Return the array ``responses`` with the labels that stand beside it by name."""
    if "responses" not in content:
        raise InputError(f"{name}: no array called 'responses'; it holds {', '.join(content) or 'nothing'}.")
    dims = tuple(str(d) for d in listed(content["dims"], name)) if "dims" in content else None
    stimuli = [str(s) for s in listed(content["stimulus"], name)] if "stimulus" in content else None
    step = said_step(content["time_step"], name) if "time_step" in content else None
    responses = as_responses(
        content["responses"],
        dims=dims,
        stimuli=stimuli,
        coords={"measured": ((STIMULUS, TRIAL), content["measured"])} if "measured" in content else None,
        quantity=_word(content["quantity"], "quantity", name) if "quantity" in content else "activation",
        time_step=step,
    )
    if "units" in content and _word(content["units"], "units", name) != responses.attrs["units"]:
        raise InputError(
            f"{name}: {responses.attrs['quantity']} is in {responses.attrs['units']!r}, found units "
            f"{_word(content['units'], 'units', name)!r}; convert the values."
        )
    coords = {k: (d, np.array([str(v) for v in listed(content[k], name)])) for k, d in ALONG.items() if k in content}
    if "trial" in content:
        numbers = content["trial"].dtype.kind in "iuf"
        coords["trial"] = ("trial", content["trial"] if numbers else np.array(listed(content["trial"], name), str))
    if "time" in content:
        coords["time"] = ("time", seconds(content["time"], name, TIMES, samples=step is None))
    for label, (dim, values) in coords.items():
        if values.shape != (responses.sizes.get(dim),):
            raise InputError(
                f"{name}: the array {label!r} has shape {values.shape}, the responses {dict(responses.sizes)}; give "
                f"one value for each {dim}, or drop it."
            )
    return responses.assign_coords(coords)


def _check_known(content: dict[str, np.ndarray], name: str) -> None:
    """Refuse arrays that are not known: what they say of the responses would be lost."""
    known = (*OF_ALL, *ALONG)
    strange = [k for k in content if k not in known]
    if strange and "responses" in content:
        raise InputError(
            f"{name}: unknown arrays {', '.join(strange)}; known: {', '.join(known)}. Rename them or leave them out."
            f"{suggest(strange[0], known)}"
        )


def _word(array: np.ndarray, what: str, name: str) -> str:
    """Return the one word that an array holds."""
    words = listed(np.ravel(array), name)
    if len(words) != 1:
        raise InputError(f"{name}: one {what} asked, found {len(words)}.")
    return str(words[0])


def example(path: Path) -> NoOptions:
    """Write three stimuli and two units."""
    np.savez(path, responses=np.arange(6.0).reshape(3, 2), stimulus=["a", "b", "c"], unit=["p", "q"])
    return NoOptions()


NPZ = Reader(
    name="npz",
    caption="arrays of numpy by name: responses and their labels, columns of a table of spikes, or sweeps",
    endings=(".npz",),
    responses=read_responses,
    spikes=read_spikes,
    sweeps=read_sweeps,
    citation="https://doi.org/10.1038/s41586-020-2649-2",
    example=example,
)
