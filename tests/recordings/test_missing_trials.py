"""Files keep which trials of a unit were not measured."""

import numpy as np
import pytest

import neurosim as ns
from neurosim import storage


@pytest.mark.parametrize("ending", ["nc", "npz"])
def test_a_trial_that_was_not_measured_stays_so(tmp_path, ending):
    values = np.arange(12.0).reshape(3, 2, 2)
    values[1, 1, 0] = np.nan
    path = tmp_path / f"x.{ending}"
    if ending == "nc":
        storage.write_dataset(path, ns.as_responses(values, dims=("stimulus", "trial", "unit")).rename("responses"))
    else:
        np.savez(path, responses=values, dims=["stimulus", "trial", "unit"])
    np.testing.assert_array_equal(ns.load_responses(path).values, values)


def test_values_without_trials_are_not_missing(tmp_path):
    np.savez(tmp_path / "x.npz", responses=[[1.0, np.nan], [2.0, 3.0]])
    with pytest.raises(ns.InputError, match="NaN"):
        ns.load_responses(tmp_path / "x.npz")
