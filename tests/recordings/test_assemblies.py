"""Assemblies as Brain-Score keeps them: repetitions are trials, neuroids units, bins ms; written, they come back."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import neurosim as ns
from neurosim import storage
from neurosim.recordings import save_assembly
from neurosim.recordings.assemblies import from_assembly
from neurosim.schema import InputError

SHOWN = ["b", "a", "b", "c", "a", "b"]
REPETITION = [0, 0, 1, 0, 1, 2]


def assembly(shape=(6, 3), **labels):
    """Values that say their presentation and neuroid."""
    values = np.arange(float(np.prod(shape))).reshape(shape)
    along = {"stimulus_id": SHOWN, "repetition": REPETITION, "object": [s.upper() for s in SHOWN], "day": range(6)}
    along |= labels
    coords = {k: ("presentation", list(v)) for k, v in along.items() if v is not None}
    coords |= {"neuroid_id": ("neuroid", ["n2", "n1", "n3"]), "region": ("neuroid", ["V4", "IT", "IT"])}
    if len(shape) == 3:
        coords |= {"time_bin_start": ("time_bin", [70, 90]), "time_bin_end": ("time_bin", [90, 110])}
    return xr.DataArray(values, dims=("presentation", "neuroid", "time_bin")[: len(shape)], coords=coords, name="data")


def test_repetitions_are_trials_and_unequal_ones_are_missing(tmp_path):
    storage.write_dataset(tmp_path / "x.nc", assembly())
    found = ns.load_responses(tmp_path / "x.nc")
    assert found.dims == ("stimulus", "trial", "unit")
    assert found["stimulus"].values.tolist() == ["a", "b", "c"]
    first = found.sel(unit="n2").values.tolist()
    np.testing.assert_array_equal(first, [[3, 12, np.nan], [0, 6, 15], [9, np.nan, np.nan]])
    assert found["area"].values.tolist() == ["V4", "IT", "IT"]
    assert found["object"].values.tolist() == ["A", "B", "C"]
    assert "day" not in found.coords


@pytest.mark.parametrize("order", [("presentation", "neuroid"), ("neuroid", "presentation")])
def test_an_index_of_many_levels_is_the_same_as_labels(order):
    plain = assembly()
    levels = pd.MultiIndex.from_arrays([SHOWN, REPETITION], names=["stimulus_id", "repetition"])
    held = plain.drop_vars(["stimulus_id", "repetition"])
    deep = held.assign_coords(xr.Coordinates.from_pandas_multiindex(levels, "presentation")).transpose(*order)
    xr.testing.assert_identical(from_assembly(deep, "x"), from_assembly(plain, "x"))


def test_presentations_that_no_repetition_tells_apart_are_counted():
    counted = from_assembly(assembly(), "x")
    for repetition in (None, [0] * 6):
        xr.testing.assert_identical(from_assembly(assembly(repetition=repetition), "x"), counted)


def test_bins_are_milliseconds():
    found = from_assembly(assembly((6, 3, 2)), "x")
    assert found.dims == ("stimulus", "trial", "time", "unit")
    np.testing.assert_allclose(found["time"], [0.07, 0.09])
    assert found.attrs["time_step"] == pytest.approx(0.02)
    assert found.sel(stimulus="c", unit="n1").isel(trial=0).values.tolist() == [20, 21]
    one = from_assembly(assembly((6, 3, 2)).isel(time_bin=[0]), "x")
    assert one.dims == ("stimulus", "trial", "unit")


def test_activations_of_models_are_assemblies_too():
    held = xr.DataArray(
        np.arange(8.0).reshape(2, 4), dims=("stimulus_path", "neuroid"),
        coords={
            "stimulus_path": ["p", "q"], "neuroid_id": ("neuroid", [0, 1, 0, 1]),
            "layer": ("neuroid", ["f1", "f1", "f2", "f2"]),
        },
    )  # fmt: skip
    found = from_assembly(held, "x")
    assert found["unit"].values.tolist() == ["f1.0", "f1.1", "f2.0", "f2.1"]
    assert found.values.tolist() == held.values.tolist()
    with pytest.raises(InputError, match="neuroid_id '0' is there twice"):
        from_assembly(held.drop_vars("layer"), "x")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a.drop_vars("stimulus_id"), "no stimulus_id or image_id or stimulus_path along presentation"),
        (lambda a: a.drop_vars("neuroid_id"), "no neuroid_id along neuroid"),
        (lambda a: a.rename(neuroid="choice"), r"asked, found \('presentation', 'choice', 'time_bin'\)"),
        (lambda a: a.drop_vars("time_bin_start"), r"no time_bin_start \(ms\)"),
        (lambda a: a.assign_coords(time_bin_start=("time_bin", [90, 70])), "do not follow each other"),
        (lambda a: a.assign_coords(time_bin_end=("time_bin", [170, 190])), "bins of 100 ms begin every 20 ms"),
        (lambda a: a.assign_coords(time_bin_end=("time_bin", [80, 100])), "bins of 10 ms begin every 20 ms"),
    ],
)
def test_what_an_assembly_lacks_is_said(change, words):
    with pytest.raises(InputError, match=words):
        from_assembly(change(assembly((6, 3, 2))), "x")


@pytest.mark.parametrize(
    "dims", [("stimulus", "unit"), ("stimulus", "trial", "unit"), ("stimulus", "trial", "time", "unit")]
)
def test_what_is_written_comes_back(tmp_path, dims):
    rng = np.random.default_rng(0)
    values = rng.normal(size=[{"stimulus": 3, "trial": 2, "time": 4, "unit": 5}[d] for d in dims])
    if "trial" in dims:
        values[1, 1], values[2, 0, ..., 3] = np.nan, np.nan
    coords = {"unit": list("vwxyz"), "area": ("unit", ["V1"] * 2 + ["V4"] * 3), "depth": ("unit", np.arange(5.0))}
    coords |= {"category": ("stimulus", ["x", "y", "x"]), "trial": [3, 7]} if "trial" in dims else {}
    step = 0.02 if "time" in dims else None
    asked = ns.as_responses(values, dims=dims, stimuli=list("abc"), coords=coords, time_step=step)
    save_assembly(tmp_path / "x.nc", asked, identifier="mine", stimulus_set="letters")
    found = ns.load_responses(tmp_path / "x.nc")
    np.testing.assert_array_equal(found.values, asked.values)
    assert set(asked.coords) - {"time"} <= set(found.coords)
    for key in ("area", "depth", "unit"):
        assert found[key].values.tolist() == asked[key].values.tolist()
    assert (found.attrs["identifier"], found.attrs["stimulus_set_identifier"]) == ("mine", "letters")
    raw = storage.read_dataset(tmp_path / "x.nc")
    assert raw.attrs["stimulus_set_identifier"] == "letters"
    assert raw["data"].dims[:2] == ("presentation", "neuroid")
    assert raw.sizes["presentation"] == (5 if "trial" in dims else 3)
    if "time" in dims:
        np.testing.assert_allclose(raw["time_bin_end"], [20, 40, 60, 80])
    with pytest.raises(InputError, match="identifier is a text, found 3"):
        save_assembly(tmp_path / "x.nc", asked, identifier=3, stimulus_set="letters")


def test_trials_keep_their_names(tmp_path):
    values = np.arange(12.0).reshape(2, 3, 2)
    for names in ([7, 3, 5], ["w", "u", "v"]):
        asked = ns.as_responses(values, dims=("stimulus", "trial", "unit"), stimuli=list("ab"), coords={"trial": names})
        save_assembly(tmp_path / f"{names[0]}.nc", asked, identifier="mine", stimulus_set="letters")
        found = ns.load_responses(tmp_path / f"{names[0]}.nc")
        assert found["trial"].values.tolist() == sorted(names)
        np.testing.assert_array_equal(found.sel(trial=names).values, values)


@pytest.mark.parametrize(
    ("dims", "name"),
    [("stimulus", "stimulus_id"), ("stimulus", "repetition"), ("unit", "neuroid_id"), ("unit", "region")],
)
def test_labels_with_names_of_brainio_are_refused(tmp_path, dims, name):
    asked = ns.as_responses(np.ones((2, 2)), stimuli=list("ab"), coords={"area": ("unit", ["V1", "V4"])})
    held = asked.assign_coords({name: (dims, ["t", "s"])})
    with pytest.raises(InputError, match=f"the label '{name}' has a name that BrainIO gives to something else"):
        save_assembly(tmp_path / "x.nc", held, identifier="mine", stimulus_set="letters")
