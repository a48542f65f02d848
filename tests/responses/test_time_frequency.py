"""Power and coherence equal those of other tools and of theory; missing trials do not enter."""

import numpy as np
import pytest
import xarray as xr
from scipy import signal

import neurosim as ns
from neurosim.responses.coherences import coherence
from neurosim.responses.tapers import tapered
from neurosim.responses.time_frequency import spectrogram
from neurosim.schema import InputError

RATE = 1000.0


def fields(values, start=0.0):
    found = ns.as_responses(
        values, dims=("stimulus", "trial", "time", "unit"), time_step=1 / RATE, quantity="electric_potential"
    )
    return found.assign_coords(time=found.time + start)


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).normal(size=(3, 4, 256, 2))


def test_power_is_the_mean_of_periodograms_of_scipy(noise):
    found = spectrogram(fields(noise), bandwidth=24.0, window=0.128, step=0.064, frequencies=(0, 500))
    windows = tapered(fields(noise), "here", bandwidth=24.0, window=0.128, step=0.064, frequencies=(0, 500))[1]
    for at, start in enumerate((0, 64, 128)):
        part = noise[:, :, start : start + 128]
        each = [signal.periodogram(part, RATE, window=taper, detrend="constant", axis=2)[1] for taper in windows.tapers]
        wanted = xr.DataArray(np.mean(each, 0), dims=("stimulus", "trial", "frequency", "unit"))
        np.testing.assert_allclose(found.isel(time=at).transpose(*wanted.dims), wanted, rtol=1e-10)
    np.testing.assert_allclose(found.time, np.array([63.5, 127.5, 191.5]) / RATE)
    assert found.attrs["n_tapers"] == 2 and found.attrs["time_step"] == 0.064


@pytest.mark.oracle
def test_power_is_that_of_elephant():
    spectral = pytest.importorskip("elephant.spectral")
    x = np.random.default_rng(1).normal(size=500)
    x -= x.mean()
    frequency, power = spectral.multitaper_psd(x[None], fs=RATE, nw=4)
    found = spectrogram(fields(x[None, None, :, None]), bandwidth=16.0)
    np.testing.assert_allclose(
        found.values.ravel(), power[0][np.isin(frequency, found.frequency)], rtol=0.03
    )  # its tapers lack a sample
    assert found.attrs["n_tapers"] == 7


@pytest.mark.oracle
def test_power_of_a_file_of_mne_is_near_what_mne_says_which_weights_tapers(tmp_path):
    """By their concentration, all of which are near 1."""
    mne = pytest.importorskip("mne")
    info = mne.create_info(["Cz", "Pz"], RATE, "eeg")
    values = 1e-5 * np.random.default_rng(2).normal(size=(6, 2, 500))
    events = np.c_[np.arange(6) * 1000, np.zeros(6, dtype=int), [1, 1, 1, 2, 2, 2]]
    epochs = mne.EpochsArray(values, info, events, event_id={"face": 1, "house": 2}, verbose=False)
    epochs.save(tmp_path / "a-epo.fif", fmt="double", verbose=False)
    found = spectrogram(ns.recordings.load_epochs(tmp_path / "a-epo.fif", picks="eeg"), bandwidth=16.0)
    psd = epochs.compute_psd("multitaper", bandwidth=16.0, normalization="full", verbose=False)
    wanted = psd.get_data()[:, :, np.isin(psd.freqs, found.frequency)]
    own = found.transpose("stimulus", "trial", "unit", "frequency")
    assert own.stimulus.values.tolist() == ["face", "house"] and own.attrs["units"] == "(V)^2/Hz"
    assert np.corrcoef(own.values.reshape(6, -1).ravel(), wanted.reshape(6, -1).ravel())[0, 1] > 0.99
    assert abs(own.values.mean() / wanted.mean() - 1) < 0.01


def test_white_noise_has_the_floor_that_is_said():
    values = np.random.default_rng(3).normal(scale=3e-6, size=(1, 300, 200, 1))
    power = spectrogram(fields(values), bandwidth=25.0)
    floor = 2 * 9e-12 / RATE
    assert abs(float(power.mean()) / floor - 1) < 0.01
    spread = power.std("trial") / power.mean("trial")
    assert abs(float(spread.mean()) * np.sqrt(power.attrs["n_tapers"]) - 1) < 0.05


def test_a_burst_is_found_at_its_time_and_frequency():
    time = np.arange(800) / RATE - 0.3
    wave = np.where(np.abs(time - 0.2) < 0.08, np.sin(2 * np.pi * 60 * time), 0.0)
    power = spectrogram(fields(wave[None, None, :, None], -0.3), bandwidth=20.0, window=0.1, step=0.02)
    peak = power.isel(stimulus=0, trial=0, unit=0).stack(at=("frequency", "time")).idxmax("at").item()
    assert abs(peak[0] - 60) <= 10 and abs(peak[1] - 0.2) <= 0.03


def test_rdms_over_frequency_know_which_band_tells_stimuli_apart():
    rng = np.random.default_rng(4)
    time = np.arange(200) / RATE
    gain = rng.uniform(0, 2, size=(6, 1, 1, 5))
    phase = rng.uniform(0, 2 * np.pi, size=(6, 8, 1, 5))
    wave = gain * np.sin(2 * np.pi * 50 * time[:, None] + phase)
    power = spectrogram(fields(wave + rng.normal(size=(6, 8, 200, 5))), bandwidth=15.0)
    power[:, 0, 0] = np.nan  # a trial that was not measured
    rdms = ns.compute_rdm(power, "crossnobis")
    model = ns.compute_rdm(xr.DataArray((gain**2)[:, 0, 0], dims=("stimulus", "unit")), "euclidean")
    found = ns.infer({"gain": model}, rdms, method="corr", resample=("stimulus",), progress=False)
    best = found.score.isel(model=0).idxmax("frequency").item()
    assert rdms.dims[0] == "frequency" and abs(best - 50) <= 7.5


@pytest.mark.oracle
def test_coherence_is_that_of_elephant():
    spectral = pytest.importorskip("elephant.spectral")
    rng = np.random.default_rng(5)
    x = rng.normal(size=(400, 2)) + rng.normal(size=(400, 1))
    x -= x.mean(0)
    frequency, squared, phase = spectral.multitaper_coherence(x[:, 0], x[:, 1], n_segments=1, nw=4, fs=RATE)
    found = coherence(fields(x[None, None]), bandwidth=20.0, evoked=True).isel(stimulus=0, unit=0, unit_other=1)
    at = np.isin(np.round(frequency, 6), np.round(found.frequency, 6))
    n = 7
    assert (found.n == n).all()
    np.testing.assert_allclose(found.coherence, (n * squared[at] - 1) / (n - 1), atol=0.01)  # its tapers lack a sample
    assert float(np.abs(np.angle(np.exp(1j * (found.phase + phase[at])))).max()) < 0.1  # where it says -


@pytest.mark.parametrize("evoked", [True, False])
def test_units_that_have_nothing_to_do_with_each_other(evoked):
    """The mean is 0 and p values are even; with `evoked` false, an answer that both repeat changes nothing."""
    rng = np.random.default_rng(6)
    x = rng.normal(size=(150, 5, 100, 2)) + (0 if evoked else 3 * rng.normal(size=(150, 1, 100, 1)))
    every = coherence(fields(x), bandwidth=40.0, evoked=evoked)
    itself = np.broadcast_to(np.eye(2, dtype=bool), every.p_value.shape)
    np.testing.assert_array_equal(np.isnan(every.p_value), itself)
    assert every.phase.attrs["units"] == "rad"
    found = every.isel(unit=0, unit_other=1)
    apart = found.isel(frequency=slice(None, None, 4))  # a bandwidth
    assert (found.n == 3 * (5 if evoked else 4)).all()
    assert abs(float(apart.coherence.mean())) < 4 * float(apart.coherence.std()) / np.sqrt(apart.coherence.size)
    for alpha in (0.05, 0.5):
        share = float((apart.p_value < alpha).mean())
        assert abs(share - alpha) < 4 * np.sqrt(alpha * (1 - alpha) / apart.p_value.size)


def test_coherence_of_a_common_source_is_as_derived():
    """Signal of power s beside noise of power 1 in both gives s^2 / (1 + s)^2; a delay is a phase."""
    rng = np.random.default_rng(7)
    source = rng.normal(size=(20, 40, 203, 1)) * np.sqrt(2.0)
    x = np.concatenate([source[:, :, 3:], source[:, :, :-3]], -1) + rng.normal(size=(20, 40, 200, 2))
    found = coherence(fields(x), bandwidth=15.0, frequencies=(20, 100)).isel(unit=0, unit_other=1)
    assert abs(float(found.coherence.mean()) - 4 / 9) < 0.03
    expected = 2 * np.pi * found.frequency * 3 / RATE
    assert float(np.abs(np.angle(np.exp(1j * (found.phase - expected)))).mean()) < 0.1


def test_missing_trials_are_as_if_they_were_not_there(noise):
    lost = noise.copy()
    lost[1, 2, :, 1] = np.nan
    found, whole = (coherence(fields(x), bandwidth=20.0) for x in (lost, noise))
    fewer = coherence(fields(noise[1:2][:, [0, 1, 3]]), bandwidth=20.0)
    for name in ("coherence", "phase", "p_value"):
        pair = {"unit": 0, "unit_other": 1}
        np.testing.assert_allclose(found[name][{"stimulus": 1, **pair}], fewer[name][{"stimulus": 0, **pair}])
        np.testing.assert_allclose(found[name][{"stimulus": [0, 2]}], whole[name][{"stimulus": [0, 2]}])
    power = spectrogram(fields(lost), bandwidth=20.0)
    assert bool(power.isel(stimulus=1, trial=2, unit=1).isnull().all()) and int(power.isnull().sum()) == len(
        power.frequency
    )


def test_bad_requests_are_one_line(noise):
    x = fields(noise)
    for call, message in (
        (lambda: spectrogram(x.isel(time=0, drop=True), bandwidth=9), "no 'time' dim"),
        (lambda: spectrogram(x.assign_coords(frequency=("stimulus", [1, 2, 3])), bandwidth=20), "frequency_shown"),
        (lambda: coherence(x.assign_coords(phase=("stimulus", [1, 2, 3])), bandwidth=20), "phase_shown"),
        (lambda: spectrogram(x, bandwidth=5.0), "7.8125 Hz or more"),
        (lambda: spectrogram(x, bandwidth=20, window=0.3), "longer than the responses"),
        (lambda: spectrogram(x, bandwidth=20, window=0.1005), "not a multiple"),
        (lambda: spectrogram(x, bandwidth=20, frequencies=(20, 600)), "half the sampling rate"),
        (lambda: spectrogram(x, bandwidth=20, frequencies=(20, 21)), "3.90625 Hz apart"),
        (lambda: coherence(x.isel(trial=[0]), bandwidth=20), "evoked=True"),
        (lambda: coherence(x.isel(trial=[0]), bandwidth=8, evoked=True), "1 independent pairs"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
