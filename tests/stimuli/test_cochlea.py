"""The ear is as wide, as loud and as random as theory says, whoever else designs its filters."""

from pathlib import Path

import numpy as np
import pytest
import scipy.signal
from scipy.special import gamma
from scipy.stats import poisson

from neurosim.schema import InputError
from neurosim.stimuli.cochlea import Cochlea, cochlea_spikes, erb, erb_number, gammatone_filters
from neurosim.stimuli.event_set import load_events
from neurosim.stimuli.sounds import mel_spectrogram, spoken_digit_sounds, spoken_digits_file

RATE = 16000.0


def tone(frequency, duration=1.0, level=1.0):
    return level * np.sin(2 * np.pi * frequency * np.arange(round(duration * RATE)) / RATE)


@pytest.mark.parametrize("centre", [600.0, 1000.0, 4000.0])
def test_filters_are_those_of_scipy_and_as_wide_as_those_of_the_ear(centre):
    sections = gammatone_filters(np.array([centre]), RATE)[0]
    at = np.linspace(0, RATE / 2, 40001)
    _, response = scipy.signal.sosfreqz(sections, at, fs=RATE)
    _, peer = scipy.signal.freqz(*scipy.signal.gammatone(centre, "iir", fs=RATE), at, fs=RATE)
    assert np.abs(response - peer).max() < 1e-4
    power = np.abs(response) ** 2
    assert np.isclose(power.mean() * RATE / 2 / power.max(), erb(centre), rtol=0.012)
    assert np.isclose(np.abs(response[np.searchsorted(at, centre)]), 1, atol=1e-3)


def test_centres_are_equally_far_apart_in_bandwidths():
    ear = Cochlea(n_units=20, low=80.0, high=5000.0)
    assert np.allclose(np.diff(erb_number(ear.centres)), np.diff(erb_number(ear.centres))[0])
    assert np.allclose(ear.centres[[0, -1]], [80, 5000])
    f = np.linspace(100, 5000, 500)
    assert np.allclose(np.gradient(erb_number(f), f)[1:-1] * erb(f)[1:-1], 1, rtol=0.005)


def test_a_full_tone_fires_a_fibre_at_the_rate_of_its_hair_cell():
    ear = Cochlea(n_units=1, low=997.0, high=997.0, compression=0.3, peak_rate=300.0)
    n = len(cochlea_spikes([tone(997.0, 4.0)], RATE, ear).times)
    mean = gamma(0.65) / (2 * np.sqrt(np.pi) * gamma(1.15))  # of max(0, sin) ** 0.3
    assert n == pytest.approx(4 * 300 * mean, rel=0.01)
    quiet = cochlea_spikes([tone(997.0, 4.0, level=0.01)], RATE, ear)
    assert len(quiet.times) == pytest.approx(n * 0.01**0.3, rel=0.01)


def test_fibres_without_chance_fire_whenever_the_integral_of_their_rate_has_grown_by_one():
    ear = Cochlea(n_units=1, low=500.0, high=500.0, compression=1e-9, tau=1e-6, peak_rate=100.0)
    times = cochlea_spikes([np.r_[1.0, np.zeros(8000)] + tone(500.0, 8001 / RATE)], RATE, ear).times
    assert np.abs(np.diff(times) * 1e-6 - 0.02).max() <= 1e-3


def test_fibres_that_fire_at_random_are_poisson_and_their_own():
    sounds = [tone(1000.0, 0.5)] * 3 + [tone(1000.0, 0.25)]
    ear = Cochlea(n_units=30, low=900.0, high=1100.0, poisson=True)
    plain = cochlea_spikes(sounds, RATE, Cochlea(n_units=30, low=900.0, high=1100.0))
    found = cochlea_spikes(sounds, RATE, ear, rng=5)
    counts = np.diff(found.starts)
    expected = np.diff(plain.starts) + 15  # half a spike a fibre is under way
    assert ((poisson.sf(counts, expected) > 1e-4) & (poisson.cdf(counts, expected) > 1e-4)).all()
    assert len(set(counts[:3].tolist())) > 1
    assert found.digest == cochlea_spikes(sounds, RATE, ear, rng=5).digest
    assert found.digest != cochlea_spikes(sounds, RATE, ear, rng=6).digest


def test_a_sound_is_heard_alike_among_others():
    rng = np.random.default_rng(0)
    sounds = [rng.standard_normal(n) * 0.1 for n in (900, 300, 500)]
    together = cochlea_spikes(sounds, RATE, Cochlea(n_units=6), ids=list("abc"), labels={"category": list("xyx")})
    for k, sound in enumerate(sounds):
        alone = cochlea_spikes([sound], RATE, Cochlea(n_units=6))
        own = together.recording(k)
        assert np.array_equal(own.times, alone.times) and np.array_equal(own.places["unit"], alone.addresses)
    assert together.where("category", ["x"]).tolist() == [0, 2]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Cochlea(n_units=0), "one unit or more"),
        (lambda: Cochlea(poisson="no"), "poisson = 'no'; True or False is asked"),
        (lambda: Cochlea(high="3k"), "high = '3k'; a number is asked"),
        (lambda: cochlea_spikes([tone(100.0)], RATE, 64), r"a Cochlea\(...\) is asked, found int"),
        (lambda: cochlea_spikes([tone(100.0, level=3e4)], RATE), "full scale 1 are asked, sound 0 reaches 30000"),
        (lambda: Cochlea(tau=5.0), r"tau = 5.0 is outside 0..1 \(SI units\)"),
        (lambda: cochlea_spikes([tone(100.0)], 4000.0), "filters up to 3400 Hz of sounds of 4000.0"),
        (lambda: cochlea_spikes([np.zeros((2, 2))], RATE), r"sound 0 has the shape \(2, 2\)"),
        (lambda: cochlea_spikes([np.array([0.0, np.nan])], RATE), "finite samples asked, 1 of 2 of sound 0 are NaN"),
    ],
)
def test_what_cannot_be_heard_is_refused(make, words):
    with pytest.raises(InputError, match=words):
        make()


def test_the_spoken_digits_of_the_data_folder_are_heard(data_folder, monkeypatch):
    sounds, ids, labels = spoken_digit_sounds("test", spoken_digits_file())
    few = sounds[:4], ids[:4], {k: v[:4] for k, v in labels.items()}
    monkeypatch.setattr("neurosim.stimuli.event_sets.spoken_digits.spoken_digit_sounds", lambda *_: few)
    found = load_events("spoken_digits", "test")
    assert found.ids.tolist() == ids[:4] and found.labels["speaker"].tolist() == labels["speaker"][:4].tolist()
    assert (np.diff(found.starts) > 300).all()


@pytest.mark.parametrize(("dtype", "full"), [("int16", 32768), ("uint8", 128), ("int32", 2147483648)])
def test_whole_numbers_are_no_sound_of_full_scale_1(dtype, full):
    with pytest.raises(InputError, match=f"full scale 1 are asked, found {dtype}; .*divide by {full}"):
        cochlea_spikes([np.ones(800, dtype)], 16000.0)


def test_silence_of_unsigned_samples_as_the_refusal_says_it_is_silent():
    silence = np.full(1600, 128, np.uint8)
    with pytest.raises(InputError, match="take 128 off, which is silence, and divide by 128"):
        cochlea_spikes([silence], 16000.0)
    assert len(cochlea_spikes([(silence - 128.0) / 128], 16000.0).times) == 0
    with pytest.raises(InputError, match="finite samples asked, 2 of 800 of sound 0 are NaN or inf"):
        cochlea_spikes([np.r_[np.zeros(798), np.nan, np.inf]], 16000.0)


@pytest.mark.parametrize("rate", ["8k", np.inf, np.nan, None, [16000, 8000], np.ones(2)])
def test_a_sampling_rate_is_a_finite_number(rate):
    with pytest.raises(InputError, match=r"sampling_rate = .*; a finite number of Hz"):
        cochlea_spikes([np.ones(800)], rate)


@pytest.mark.parametrize("sounds", ["a.wav", ["a.wav"], [Path("a.wav")]])
def test_a_path_of_a_sound_is_told_who_reads_it(sounds):
    with pytest.raises(InputError, match=r"found the path 'a.wav'; scipy.io.wavfile.read\(path\)"):
        cochlea_spikes(sounds, 16000)


TONE = np.sin(2 * np.pi * 1000 * np.arange(3200) / 16000)


@pytest.mark.parametrize(
    ("sound", "words"),
    [
        ((TONE * 32767).astype(np.int16), "found int16; divide by 32768"),
        (TONE * 32767, "reaches 32767; divide by the largest number"),
        (np.stack([TONE, TONE], 1), r"shape \(3200, 2\); of two channels the mean over both is one, samples.mean\(1\)"),
        (np.append(TONE, np.nan), "1 of 3201 of .* are NaN or inf"),
        (np.zeros(0), "samples .time,. asked"),
        ("tone.wav", "scipy.io.wavfile.read"),
    ],
)
def test_one_door_takes_a_sound_for_spectrograms_and_for_the_ear(sound, words):
    with pytest.raises(InputError, match=f"^mel_spectrogram: .*{words}"):
        mel_spectrogram(sound, 16000.0)
    with pytest.raises(InputError, match=f"^cochlea_spikes: .*{words}"):
        cochlea_spikes([sound], 16000.0)


def test_channels_are_no_sounds_and_silence_is_told(caplog):
    with pytest.raises(InputError, match=r"3200 sounds of 2 samples; one sound of 2 channels is \[samples.mean\(1\)\]"):
        cochlea_spikes(np.stack([TONE, TONE], 1), 16000.0)
    found = cochlea_spikes([TONE, TONE[:80], np.zeros(3200)], 16000.0)
    assert len(found) == 3
    assert "2 of 3 sounds evoke no spike; the first, sound 1, lasts 0.005 s and reaches 1" in caplog.text
