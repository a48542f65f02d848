"""Series as labels of trials, and what is done with such labels: trials chosen, and what runs with them taken off."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import neurosim as ns
from neurosim.schema import InputError

RNG = np.random.default_rng(0)
CLOCK = 5.0 + np.arange(4000) * 0.02  # to 85 s
SPEED = xr.DataArray(
    np.abs(np.cumsum(RNG.normal(size=4000))), dims="time", coords={"time": CLOCK}, attrs={"units": "cm/s"}
)
EVENTS = pd.DataFrame({"start_time": 6 + 3 * np.arange(25.0), "stimulus": list("abcde") * 5})
FIRED = ns.recordings.align_spikes({"u": RNG.uniform(5, 85, 900), "v": RNG.uniform(5, 85, 400)}, EVENTS)
OFF = ns.recordings.label_trials


@pytest.mark.parametrize("statistic", ["mean", "median", "min", "max", "std", "range"])
def test_labels_are_the_statistics_of_the_samples_in_the_window(statistic):
    """As pandas says them, one event after another."""
    found = ns.recordings.label_trials(FIRED, {"running": SPEED}, window=(-0.1, 0.3), statistic=statistic)["running"]
    table = SPEED.to_series()
    for s, t in np.ndindex(found.shape):
        onset = float(FIRED.onset[s, t])
        own = table[(table.index >= onset - 0.1 - 1e-9) & (table.index < onset + 0.3 - 1e-9)]
        assert len(own) == 20
        expected = own.max() - own.min() if statistic == "range" else getattr(own, statistic)()
        expected = own.std(ddof=0) if statistic == "std" else expected
        assert float(found[s, t]) == pytest.approx(expected, abs=1e-9)
    assert found.attrs["units"] == "cm/s" and found.attrs["statistic"] == statistic


def test_what_is_not_known_is_nan():
    """Blinks, dropped frames, and a camera that starts late and stops early."""
    pupil = SPEED.copy(deep=True)
    pupil[(CLOCK > 12.05) & (CLOCK < 12.1)] = np.nan  # in the third trial
    lost = (CLOCK > 15.1) & (CLOCK < 15.2)  # in the fourth
    pupil = pupil[~lost & (CLOCK > 6.01) & (CLOCK < 77.9)]
    found = ns.recordings.label_trials(FIRED, {"pupil": pupil})["pupil"]
    onset = FIRED.onset.values
    np.testing.assert_array_equal(np.isnan(found.values), np.isin(onset, [6.0, 12.0, 15.0, 78.0]))


def test_every_unit_of_a_series_is_a_label():
    eye = xr.concat([SPEED, -SPEED], "unit").transpose("time", "unit").assign_coords(unit=["x", "y"])
    found = ns.recordings.label_trials(FIRED, {"eye": eye, "running": SPEED})
    np.testing.assert_array_equal(found["eye_x"], found["running"])
    np.testing.assert_array_equal(found["eye_y"], -found["running"])


def test_only_still_trials_are_kept_and_the_others_are_not_measured():
    found = ns.recordings.label_trials(FIRED, {"running": SPEED})
    still = found["running"] < float(found["running"].median())
    kept = ns.responses.average_trials(found.where(still))
    for s in range(5):
        np.testing.assert_allclose(kept.values[s], FIRED.values[s][still.values[s]].mean(0), rtol=1e-6)


@settings(deadline=None, max_examples=25)
@given(st.floats(-3, 3), st.floats(-3, 3), st.integers(0, 2**31))
def test_what_runs_with_labels_is_taken_off_exactly(first, second, seed):
    """Whatever the slopes, and however trials are missing: what is left is as if all labels had their mean."""
    rng = np.random.default_rng(seed)
    signal, a, b = rng.normal(size=(6, 1, 3)), rng.normal(size=(6, 8)) + np.arange(6)[:, None], rng.normal(size=(6, 8))
    x = signal + first * a[..., None] + second * b[..., None]
    x[rng.random((6, 8, 3)) < 0.2] = np.nan
    there = np.isfinite(x).any(-1)
    labels = {"a": (("stimulus", "trial"), a), "b": (("stimulus", "trial"), b)}
    responses = ns.as_responses(np.where(np.isnan(x), 0, x), dims=("stimulus", "trial", "unit"), coords=labels)
    responses = responses.copy(data=x)
    found = ns.responses.regress_out(responses, ["a", "b"])
    expected = np.where(np.isnan(x), np.nan, signal + first * a[there].mean() + second * b[there].mean())
    np.testing.assert_allclose(found.values, expected, atol=1e-8)


def test_slopes_are_those_of_least_squares_with_a_constant_of_every_stimulus():
    """As numpy solves it with a column a stimulus; and noise correlations of what both units run with vanish."""
    rng = np.random.default_rng(1)
    speed = rng.gamma(2, size=(5, 40))
    x = rng.normal(size=(5, 1, 2)) + speed[..., None] * [2.0, 3.0] + rng.normal(size=(5, 40, 2))
    responses = ns.as_responses(
        x, dims=("stimulus", "trial", "unit"), coords={"running": (("stimulus", "trial"), speed)}
    )
    found = ns.responses.regress_out(responses, "running")
    design = np.column_stack([speed.ravel(), np.repeat(np.eye(5), 40, axis=0)])
    slopes = np.linalg.lstsq(design, x.reshape(200, 2), rcond=None)[0][0]
    np.testing.assert_allclose(found.values, x - (speed - speed.mean())[..., None] * slopes, atol=1e-9)
    assert ns.responses.noise_correlation(responses).values[0, 1] > 0.5
    assert abs(ns.responses.noise_correlation(found).values[0, 1]) < 0.2


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: OFF(FIRED.drop_vars("onset"), {"r": SPEED}), "with their 'onset'"),
        (lambda: OFF(FIRED, SPEED), "by the name of their label"),
        (lambda: OFF(FIRED, {"r": SPEED.drop_vars("time")}), "has no 'time' coordinate"),
        (lambda: OFF(FIRED, {"r": SPEED.values}), "is a DataArray"),
        (lambda: OFF(FIRED, {"r": SPEED[::-1]}), "in the order of time"),
        (lambda: OFF(FIRED, {"onset": SPEED}), "a label 'onset' is there already"),
        (lambda: OFF(FIRED, {"r": SPEED}, window=(0.2, 0.2)), "a window"),
        (lambda: OFF(FIRED, {"r": SPEED}, statistic="maximum"), "no statistic 'maximum'. Known: mean"),
        (lambda: OFF(FIRED, {"r": SPEED.assign_coords(time=CLOCK * 1000)}), "is it on the clock of the session"),
        (lambda: ns.responses.regress_out(FIRED, "running"), "no label 'running'"),
        (lambda: ns.responses.regress_out(FIRED, "onset"), None),
        (
            lambda: ns.responses.regress_out(FIRED.assign_coords(r=(("stimulus", "trial"), np.ones((5, 5)))), "r"),
            "vary from trial to trial",
        ),
    ],
)
def test_what_cannot_be_known_is_asked_for(call, words):
    if words is None:  # time in the session is a label like any other
        assert call().shape == FIRED.shape
        return
    with pytest.raises(InputError, match=words) as refused:
        call()
    assert "\n" not in str(refused.value)
