"""What is read chunk by chunk gives what it gives in memory, and stays lazy until it is used."""

import subprocess
import sys
import time

import numpy as np
import pytest
import xarray as xr

import neurosim as ns
from neurosim.responses.rates import _convolved
from neurosim.schema import InputError
from neurosim.storage import write_dataset


def counts(lost):
    rng = np.random.default_rng(3)
    values = rng.poisson(0.2, (5, 4, 60, 6)).astype(float)
    if lost:
        values[2, 1, :, 3], values[0, 3] = np.nan, np.nan
    labels = {"area": ("unit", list("aabbcc"))}
    dims = ("stimulus", "trial", "time", "unit")
    return ns.as_responses(values, dims=dims, coords=labels, quantity="spike_count", time_step=1e-3)


STEPS = {
    "average_trials": ns.responses.average_trials,
    "rebin": lambda r: ns.responses.rebin(r, 7e-3),
    "mean": lambda r: ns.responses.rebin(r.assign_attrs(quantity="firing_rate"), 7e-3),
    "rate": ns.responses.firing_rate,
    "best": lambda r: ns.responses.firing_rate(r, bandwidth="best"),
    "adaptive": lambda r: ns.responses.firing_rate(r, adaptive=True),
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("lost", [False, True])
def test_a_step_of_chunks_is_that_of_the_whole(step, lost):
    whole = counts(lost)
    found = STEPS[step](whole.chunk(stimulus=2, trial=3, time=25, unit=4))
    wanted = STEPS[step](whole)
    assert found.chunks is not None and wanted.chunks is None
    xr.testing.assert_allclose(found.compute(), wanted, rtol=1e-13)
    assert found.dims == wanted.dims and found.attrs == wanted.attrs
    assert np.array_equal(np.isnan(found.values), np.isnan(wanted.values))
    if found.shape == whole.shape:
        np.testing.assert_array_equal(np.isnan(wanted.values), np.isnan(whole.values))


@pytest.mark.parametrize(("metric", "lost"), [("correlation", False), ("poisson", True), ("crossnobis", True)])
def test_rdms_of_chunks_are_those_of_the_whole(metric, lost, monkeypatch):
    whole = counts(lost) + np.random.default_rng(1).random((5, 4, 60, 6))
    wanted = ns.compute_rdm(whole, metric)
    monkeypatch.setattr("neurosim.similarity.rdms.BLOCK_BYTES", 1)
    monkeypatch.setattr("neurosim.similarity.kernels.arrays.LAZY_BYTES", 2**14)
    found = ns.compute_rdm(whole.chunk(stimulus=2, unit=4), metric)
    np.testing.assert_allclose(found.values, wanted.values, rtol=1e-10, atol=1e-13)


def test_a_chunk_that_is_not_finite_is_found():
    values = counts(False).values
    values[4, 3, 59, 5] = np.inf
    with pytest.raises(InputError, match=r"stimulus=4, trial=3, time=59, unit=5"):
        ns.responses.average_trials(counts(False).copy(data=values).chunk(stimulus=2, unit=4))


@pytest.mark.parametrize("ending", ["nc", "zarr"])
def test_files_are_cut_along_their_own_chunks(tmp_path, ending, monkeypatch):
    monkeypatch.setattr("neurosim.recordings.readers.netcdf.CHUNK_BYTES", 2000)
    whole, path = counts(False).drop_vars("area").rename("responses"), tmp_path / f"x.{ending}"
    if ending == "nc":
        write_dataset(path, whole)
    else:
        chunks = {"responses": {"chunks": (2, 2, 30, 2)}}
        whole.to_dataset().to_zarr(path, encoding=chunks, consolidated=False)
    lazy = ns.load_responses(path, lazy=True)
    assert lazy.chunks is not None and max(lazy.data.chunksize) < whole.size
    assert all(len({*cut[:-1]}) < 2 and cut[-1] <= cut[0] for cut in lazy.chunks)
    rates = ns.responses.firing_rate(lazy)
    np.testing.assert_array_equal(rates.values, ns.responses.firing_rate(whole).values)
    rates.to_dataset(name="rates").to_zarr(tmp_path / "rates.zarr", consolidated=False)


@pytest.mark.parametrize(("n", "width"), [(1, 3), (50, 1), (200, 41), (333, 160), (30, 90)])
def test_a_convolution_is_that_of_scipy(n, width):
    fftconvolve = pytest.importorskip("scipy.signal").fftconvolve
    rng = np.random.default_rng(n)
    trains, weights = rng.poisson(0.1, (3, 2, n)).astype(float), rng.random(width)
    np.testing.assert_allclose(
        _convolved(trains, weights), fftconvolve(trains, weights[None, None], axes=-1), atol=1e-14
    )


def test_rates_of_chunks_load_nothing_that_takes_the_memory_they_save():
    code = (
        "import sys, neurosim as ns; ns.responses.firing_rate, ns.responses.rebin, ns.compute_rdm; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"scipy.stats", "scipy.signal", "sklearn", "torch"} & set(done.stdout.split())


def test_trials_are_gathered_in_their_order_and_at_once():
    rng = np.random.default_rng(0)
    shown = rng.integers(0, 7, 90)
    found = ns.as_trials(np.arange(90.0)[:, None], shown)
    for stimulus in dict.fromkeys(shown.tolist()):
        own = np.flatnonzero(shown == stimulus)
        there = found.sel(stimulus=str(stimulus)).values[:, 0]
        assert np.array_equal(there[: len(own)], own) and np.isnan(there[len(own) :]).all()
    assert found.stimulus.values.tolist() == [str(s) for s in dict.fromkeys(shown.tolist())]
    with pytest.raises(InputError, match="trial 2 has stimulus 'a' twice"):
        ns.as_trials(np.ones((4, 1)), list("abaa"), trials=[1, 1, 2, 2])
    start = time.process_time()
    assert ns.as_trials(np.ones((60_000, 1)), np.arange(60_000) % 30_000).shape == (30_000, 2, 1)
    assert time.process_time() - start < 2  # one comparison of all with all takes minutes
