"""What holds for every registered measure of alignment, present and future."""

from dataclasses import asdict

import numpy as np
import pytest

from neurosim.registry import options_of
from neurosim.schema import InputError, as_responses
from neurosim.similarity.measure import MEASURES

SIZES = {"stimulus": 24, "trial": 6, "time": 40, "unit": 4}
ALL = pytest.mark.parametrize("name", MEASURES)


def responses(name, seed=0):
    """Responses that vary smoothly over time where they have time."""
    dims = MEASURES[name].dims
    rng = np.random.default_rng(seed)
    values = rng.normal(size=[SIZES[d] for d in dims])
    if "time" in dims:
        t = np.arange(SIZES["time"])
        waves = np.stack([np.sin(w * t) for w in rng.uniform(0.2, 1.2, SIZES["unit"])], axis=-1)
        values = waves + 0.1 * values
    options = {"time_step": 0.01} if "time" in dims else {}
    return as_responses(values, dims=dims, **options)


def changed(x, matrix):
    return x.copy(data=x.values @ matrix)


@ALL
def test_a_subject_is_most_like_itself(name):
    measure, x, y = MEASURES[name], responses(name), responses(name, 1)
    same, other = measure.function(x, x), measure.function(x, y)
    assert same == pytest.approx(0 if measure.is_distance else 1, abs=1e-4)
    assert (other > same) if measure.is_distance else (other < same)
    if measure.symmetric:
        assert measure.function(y, x) == pytest.approx(other, abs=1e-6)


@ALL
def test_what_it_ignores_changes_nothing_and_more_does(name):
    measure, x, y = MEASURES[name], responses(name), responses(name, 1)
    rng, n = np.random.default_rng(2), SIZES["unit"]
    changes = {
        "permutation": np.eye(n)[rng.permutation(n)],
        "rotation": np.linalg.qr(rng.normal(size=(n, n)))[0],
        "linear": rng.normal(size=(n, n)) + 2 * np.eye(n),
    }
    wanted = measure.function(x, y)
    ignored = list(changes).index(measure.ignores)
    for place, matrix in enumerate(changes.values()):
        found = measure.function(changed(x, matrix), y)
        if place <= ignored:
            assert found == pytest.approx(wanted, abs=2e-3 if "time" in measure.dims else 1e-6)
        elif "time" not in measure.dims:
            assert abs(found - wanted) > 1e-4


@ALL
def test_stimuli_are_matched_by_label_or_need_not_be(name):
    measure, x, y = MEASURES[name], responses(name), responses(name, 1)
    wanted = measure.function(x, y)
    assert measure.function(x, y.isel(stimulus=slice(None, None, -1))) == pytest.approx(wanted, abs=1e-6)
    strangers = y.assign_coords(stimulus=[f"other_{i}" for i in range(SIZES["stimulus"])])
    if measure.same_stimuli:
        with pytest.raises(InputError) as caught:
            measure.function(x, strangers)
        assert "\n" not in str(caught.value)
    else:
        assert measure.function(x, strangers) == pytest.approx(wanted)


@ALL
def test_responses_of_other_dims_and_what_is_no_number_are_refused_in_one_line(name):
    measure, x = MEASURES[name], responses(name)
    for broken in (x.isel(unit=0, drop=True), x.astype(str), x.where(x.unit != x.unit[0]), x.isel(stimulus=slice(0))):
        with pytest.raises(InputError) as caught:
            measure.function(broken, x)
        assert "\n" not in str(caught.value)


@ALL
def test_its_options_are_a_record_and_mean_what_the_function_means_by_them(name):
    measure, x, y = MEASURES[name], responses(name), responses(name, 1)
    wanted = measure.function(x, y)
    assert measure.function(x, y, **asdict(options_of(measure.options, None, "here"))) == pytest.approx(wanted)
    with pytest.raises(InputError, match="here: no option 'nonsense'"):
        options_of(measure.options, {"nonsense": 1}, "here")


def test_a_time_step_that_the_times_contradict_is_not_believed():
    x = responses("dsa")
    half = x.isel(time=slice(None, None, 2))
    with pytest.raises(InputError, match=r"dsa: the times are 0.02 to 0.02 s apart and time_step is 0.01 s"):
        MEASURES["dsa"].function(half, x)
    with pytest.raises(InputError, match=r"dsa: time steps of 0.02 s and 0.01 s differ"):
        MEASURES["dsa"].function(half.drop_attrs(), x)
