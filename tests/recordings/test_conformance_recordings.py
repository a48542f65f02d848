"""Whatever is brought to a function of recordings, it answers or refuses it in one line; no raw error of a library."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import neurosim as ns

EVENTS = pd.DataFrame({"start_time": [1.0, 2.0], "stimulus": ["a", "b"]})
SERIES = xr.DataArray(np.zeros(100), dims="time", coords={"time": np.arange(100) * 0.1})
SPIKES = pd.DataFrame({"stimulus": ["a"], "unit": [1], "time": [0.5]})
RESPONSES = ns.as_responses(np.ones((2, 3, 2)), time_step=0.1)
FEATURES = np.arange(12.0).reshape(4, 3) ** 2


def brain(rng=0, **options):
    few = ns.recordings.BrainOptions(**{"n_subjects": 1, "n_units": 2, **options})
    return ns.recordings.synthetic_brain(FEATURES, few, rng=rng)


CALLS = {
    "neo_spikes": ns.recordings.neo_spikes,
    "neo_events": ns.recordings.neo_events,
    "neo_series": ns.recordings.neo_series,
    "align_spikes": lambda x: ns.recordings.align_spikes(x, EVENTS),
    "align_spikes events": lambda x: ns.recordings.align_spikes({"u": [1.1]}, x),
    "align_spikes by": lambda x: ns.recordings.align_spikes({"u": [1.1]}, EVENTS, by=x),
    "align_spikes window": lambda x: ns.recordings.align_spikes({"u": [1.1]}, EVENTS, window=x),
    "align_series": lambda x: ns.recordings.align_series(x, EVENTS),
    "align_series events": lambda x: ns.recordings.align_series(SERIES, x),
    "align_series window": lambda x: ns.recordings.align_series(SERIES, EVENTS, window=x),
    "bin_spikes": ns.recordings.bin_spikes,
    "synthetic_brain areas": lambda x: ns.recordings.synthetic_brain({"a": x}),
    "synthetic_brain n_subjects": lambda x: brain(n_subjects=x),
    "synthetic_brain trial_noise": lambda x: brain(trial_noise=x),
    "synthetic_brain rng": lambda x: brain(rng=x),
    "synthetic_brain options": lambda x: ns.recordings.synthetic_brain(FEATURES, x),
    "save_nwb": lambda x: ns.recordings.save_nwb("x.nwb", x, description="x"),
    "save_nwb description": lambda x: ns.recordings.save_nwb("x.nwb", RESPONSES, description=x),
    "save_nwb path": lambda x: ns.recordings.save_nwb(x, RESPONSES, description="x"),
    "save_assembly": lambda x: ns.recordings.save_assembly("x.nc", x, identifier="a", stimulus_set="b"),
    "save_assembly path": lambda x: ns.recordings.save_assembly(x, RESPONSES, identifier="a", stimulus_set="b"),
    "save_assembly identifier": lambda x: ns.recordings.save_assembly(
        "x.nc", RESPONSES, identifier=x, stimulus_set="b"
    ),
    "load_epochs": ns.recordings.load_epochs,
    "load_epochs picks": lambda x: ns.recordings.load_epochs("x-epo.fif", picks=x),
    "load_dataset": ns.load_dataset,
    "load_neo reader": lambda x: ns.recordings.load_neo(__file__, reader=x),
}
TABLES = ("synthetic_brain areas", "save_assembly")  # take a table of features, of responses
THINGS = {
    "cube": np.zeros((2, 3, 4)),
    "complex": np.zeros((2, 3)) + 1j,
    "objects": np.array([[{}, 1], [None, 2]], dtype=object),
    "list": ["a", 1],
    "dict": {},
    "number": 0.5j,
    "table": pd.DataFrame({"a": [1, 2]}),
    "dataset": xr.Dataset(),
    "function": len,
    "nan": np.full((2, 3), np.nan),
}


@pytest.mark.parametrize(
    ("name", "thing"),
    [(n, t) for n in CALLS for t in THINGS if t != "table" or n not in TABLES],
)
def test_what_has_no_meaning_is_refused_in_one_line(name, thing, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ns.InputError) as caught:
        CALLS[name](THINGS[thing])
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("time_bin", [np.ones((2, 2)), "a", {}, -1.0, np.nan, 1e-9])
def test_bins_that_have_no_width_are_refused_in_one_line(time_bin):
    for ask in (
        lambda: ns.recordings.bin_spikes(SPIKES, time_bin=time_bin),
        lambda: ns.recordings.align_spikes({"u": [1.1]}, EVENTS, time_bin=time_bin),
    ):
        with pytest.raises(ns.InputError, match="a time_bin of at least") as caught:
            ask()
        assert "\n" not in str(caught.value)
