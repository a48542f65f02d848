"""Table 1: the published sets by name: how large they are, what was recorded, and the best score that a model can have.

Ceilings: of RDMs of several subjects the lowest and highest of a group (Spearman, as `infer` gives them), of responses
with trials the correlation that the true mean would have with them (median unit, as `signal_to_noise` gives it).

Run: NEUROSIM_DATA=... python analyses/data_sets/table1_data_sets.py (half a minute)
"""

import sys
from pathlib import Path
from typing import Any

import xarray as xr

import neurosim as ns
from neurosim import storage
from neurosim.recordings.published import DATASETS, DataSet, data_file
from neurosim.runtime import track

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import called

HERE = Path(__file__).resolve().parent


def row(data_set: DataSet) -> dict[str, Any]:
    """Return what is told of one set: megabytes of its files, and of each recording its sizes and its ceiling."""
    found = ns.load_dataset(data_set.name)
    files = [path for file in data_set.files if (path := data_file(data_set, file.name)) is not None]
    arrays: dict[str, Any] = {**found.responses, **found.rdms, **found.sweeps}
    shown = {} if found.stimuli is None else {str(k): n for k, n in found.stimuli.sizes.items()}
    recorded = {name: {str(k): n for k, n in array.sizes.items()} for name, array in arrays.items()}
    return {
        "megabytes": round(sum(path.stat().st_size for path in files) / 1e6, 1),
        "stimuli": shown,
        "recordings": {name: {"sizes": sizes, "ceiling": ceiling(arrays[name])} for name, sizes in recorded.items()},
    }


def ceiling(recorded: xr.DataArray | xr.Dataset) -> list[float]:
    """Return the lower and upper ceiling of RDMs of subjects, the median one of units with trials, or nothing."""
    if isinstance(recorded, xr.DataArray) and {"subject", "stimulus_other"} <= set(recorded.dims):
        inferred = ns.infer({"mean": recorded.mean("subject", keep_attrs=True)}, recorded, resample="subject")
        return [round(float(value), 3) for value in inferred.ceiling]
    if isinstance(recorded, xr.DataArray) and "trial" in recorded.dims:
        still = ns.responses.over_time(recorded) if "time" in recorded.dims else recorded
        return [round(float(ns.responses.signal_to_noise(still).ceiling.median()), 3)]
    return []


def main() -> None:
    """Write the table."""
    rows = {name: row(data_set) for name, data_set in track(list(DATASETS.items()), "data sets")}
    storage.write_json(HERE / "table1_data_sets.json", {"data_sets": rows}, sort_keys=False)


if __name__ == "__main__":
    with called(__doc__) as given:
        main()
