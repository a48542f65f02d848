"""Names are matched by what they say, and what is no name is refused."""

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from neurosim.experiments import perturbation_effect
from neurosim.schema import InputError, Perturbation, as_rdm, as_responses, as_stimuli, as_trials, suggest


def test_counted_names_of_the_same_set_are_matched_by_name():
    shuffled = as_stimuli(np.zeros((4, 8, 8)))[[2, 0, 3, 1]]
    responses = as_responses(np.arange(20.0).reshape(4, 5), stimuli=[f"stimulus_{i:03d}" for i in range(4)])
    found = as_responses(responses, stimuli=shuffled)
    assert found.stimulus.values.tolist() == shuffled.stimulus.values.tolist()
    assert found[:, 0].values.tolist() == [10, 0, 15, 5]
    square = np.abs(np.subtract.outer(np.arange(4.0) ** 2, np.arange(4.0) ** 2))
    rdm = as_rdm(as_rdm(square), stimuli=shuffled)
    assert rdm.values.tolist() == square[np.ix_([2, 0, 3, 1], [2, 0, 3, 1])].tolist()
    assert as_responses(np.arange(20.0).reshape(4, 5), stimuli=shuffled)[:, 0].values.tolist() == [0, 5, 10, 15]


def test_units_are_indices_or_a_mask():
    mask = np.zeros(12, dtype=bool)
    mask[7] = True
    assert Perturbation("silence", "a", mask).chosen(12).tolist() == [7]
    assert Perturbation("silence", "a", [3, 0]).chosen(12).tolist() == [0, 3]
    assert Perturbation("silence", "a", []).chosen(12).tolist() == []
    assert Perturbation("silence", "a", 5).chosen(12).tolist() == [5]


@pytest.mark.parametrize("units", [[0.5], True, "0", "ab", {1, 2}, slice(0, 2), [True, False], [[1], [2, 3]]])
def test_units_that_are_no_indices_are_refused(units):
    with pytest.raises(InputError, match="Perturbation: units = "):
        Perturbation("silence", "a", units).chosen(12)


@pytest.mark.parametrize(
    ("experiments", "words"),
    [({"none": Perturbation("silence", "0")}, "'none' is the name"), ([Perturbation("silence", "0")], "found a list")],
)
def test_experiments_need_names_of_their_own(experiments, words):
    with pytest.raises(InputError, match=words):
        perturbation_effect(nn.Sequential(nn.Linear(4, 6)), experiments, np.ones((5, 4)), progress=False)


def test_what_is_no_text_has_no_nearest_name():
    assert suggest(None, ["corr"]) == ""
    assert suggest("GABOR-ADEX", ["gabor", "gabor_adex"]) == " Did you mean 'gabor_adex'?"
    assert suggest("SPIKINGMPL", ["lif", "spiking_mlp"]) == " Did you mean 'spiking_mlp'?"


@pytest.mark.parametrize(
    "names", [xr.DataArray(["a", "b"]), [b"a", b"b"], np.array([b"a", b"b"]), np.array(["a", "b"]), ("a", "b")]
)
def test_names_are_read_out_of_what_holds_them(names):
    assert as_responses(np.ones((2, 3)), stimuli=names).stimulus.values.tolist() == ["a", "b"]
    assert as_stimuli(np.ones((2, 3)), ids=names).stimulus.values.tolist() == ["a", "b"]
    assert as_trials(np.ones((2, 3)), names).stimulus.values.tolist() == ["a", "b"]


def test_trials_are_gathered_by_the_values_of_their_names():
    found = as_trials(np.ones((4, 3)), xr.DataArray(["a", "b", "a", "b"], dims="trial"))
    assert found.shape == (2, 2, 3)
    of_tensor = as_trials(np.ones((4, 3)), torch.tensor([0, 1, 0, 1]), trials=torch.tensor([1, 1, 0, 0]))
    assert of_tensor.stimulus.values.tolist() == ["0", "1"]
    assert of_tensor.trial.values.tolist() == [0, 1]


@pytest.mark.parametrize("names", [{"a", "b"}, np.array([["a"], ["b"]]), 5, b"ab", np.array("a")])
def test_names_without_an_order_are_refused(names):
    for make in (lambda: as_responses(np.ones((2, 3)), stimuli=names), lambda: as_trials(np.ones((2, 3)), names)):
        with pytest.raises(InputError, match=r"list of names asked|one name each asked"):
            make()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"coords": {"c": xr.DataArray([1, 2], dims="other")}}, r"label 'c' along \{'other': 2\}"),
        ({"coords": {"c": xr.DataArray([1, 2, 3], dims="stimulus")}}, r"label 'c' along \{'stimulus': 3\}"),
        ({"coords": ["c"]}, "coords by name asked, found a list"),
        ({"quantity": ["x"]}, "unknown quantity"),
        ({"quantity": None}, "unknown quantity None"),
        ({"time_step": "10ms"}, "time_step = '10ms'"),
        ({"time_step": [0.1]}, "time_step = "),
    ],
)
def test_options_of_another_kind_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        as_responses(np.ones((2, 4, 3)), **options)


@pytest.mark.parametrize("options", [{"scale": "255"}, {"scale": [255]}, {"scale": True}, {"layout": ["NCHW"]}])
def test_scales_and_layouts_of_another_kind_are_refused(options):
    with pytest.raises(InputError, match=r"as_stimuli: (scale|layout) = "):
        as_stimuli(np.full((2, 3, 8, 8), 7.0), **{"layout": "NCHW", **options})


def test_a_label_along_a_dim_that_is_there_is_kept():
    label = xr.DataArray([1, 2], dims="stimulus")
    assert as_responses(np.ones((2, 3)), coords={"c": label}).c.values.tolist() == [1, 2]
