"""What a refusal advises leads to what was meant, not past it."""

import numpy as np
import pytest
import xarray as xr
from scipy.io import wavfile

from neurosim import (
    as_rdm,
    as_responses,
    as_stimuli,
    as_sweeps,
    compare_subjects,
    load_responses,
    load_stimuli,
    storage,
    study,
)
from neurosim.schema import InputError, same_stimuli
from neurosim.stimuli import mel_spectrogram

RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=(12, 5))
COUNTED = as_stimuli(np.zeros((12, 2, 2)), ids=[str(k) for k in range(12)])


def named(names):
    return xr.DataArray(VALUES, dims=("stimulus", "unit"), coords={"stimulus": names})


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float64])
def test_white_of_sixteen_bits_is_that_of_sixteen_bits(dtype):
    pixels = (RNG.random((3, 8, 8, 3)) * 65535).astype(dtype)
    with pytest.raises(InputError, match="pass scale=65535 "):
        as_stimuli(pixels)
    with pytest.raises(InputError, match=r"scale = 255 is the value of white, and pictures reach 65.*pass scale=65535"):
        as_stimuli(pixels, scale=255)
    assert 0.9 < float(as_stimuli(pixels, scale=65535).max()) <= 1
    assert float(as_stimuli(pixels, scale=1).max()) == pixels.max()


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([f"{k:02d}" for k in range(12)], "differ by zeros in front of numbers"),
        ([f"{k:02d}.png" for k in range(12)], "differ by zeros in front of numbers"),
        (list(range(1, 13)), "The first counts from one less than the second"),
        ([f"{k:03d}.jpg" for k in range(1, 13)], "The first counts from one less than the second"),
        ([*range(11), 12], r"Select the 11 common ones"),
    ],
)
def test_names_of_the_same_numbers_are_not_matched_in_part(names, words):
    with pytest.raises(InputError, match=words):
        as_responses(named(names), stimuli=COUNTED)


def test_names_that_count_from_one_on_the_first_side_are_told_too():
    ours = as_responses(VALUES, stimuli=[f"img_{k}" for k in range(1, 13)])
    with pytest.raises(InputError, match="The second counts from one less than the first"):
        same_stimuli(ours, as_responses(VALUES, stimuli=[f"img_{k}" for k in range(12)]), "here")


def test_the_array_of_an_archive_that_holds_objects_is_named(tmp_path):
    names = np.array([f"a{k}" for k in range(12)], dtype=object)
    np.savez(tmp_path / "o.npz", responses=VALUES, stimulus=names)
    with pytest.raises(storage.StorageError, match=r"'stimulus' holds Python objects.*as text, np.array"):
        load_responses(tmp_path / "o.npz")
    np.savez(tmp_path / "o.npz", responses=VALUES, stimulus=np.array(names, dtype=str))
    assert load_responses(tmp_path / "o.npz").stimulus.values.tolist() == names.tolist()


def test_a_folder_of_sounds_says_how_they_are_read(tmp_path):
    wavfile.write(tmp_path / "a.wav", 16000, (RNG.normal(size=800) * 3000).astype(np.int16))
    with pytest.raises(
        InputError, match=r"its 1 sounds are read by scipy.io.wavfile.read .*cochlea_spikes\(sounds, rate\)"
    ):
        load_stimuli(tmp_path)
    rate, samples = wavfile.read(tmp_path / "a.wav")
    assert mel_spectrogram(samples / 32768, rate).shape[1] == 40


def test_rdms_are_no_responses():
    rdm = as_rdm(1 - np.eye(5), stimuli=list("abcde"))
    with pytest.raises(InputError, match=r"responses \(stimulus, unit\) asked, found an RDM .*ns.infer"):
        as_responses(rdm)


def test_few_stimuli_and_one_brain_are_not_sent_in_a_circle(tmp_path):
    shown = as_stimuli(RNG.random((5, 4, 4)), ids=list("abcde"))
    brain = as_responses(VALUES[:5], stimuli=list("abcde"))
    given = (shown, {"f": VALUES[:5]}, {"V4": brain})
    with pytest.raises(
        InputError, match=r"^study '36': analyses.rsa: .*where the brains have several subjects; compare_rdms"
    ):
        compare_subjects(*given, out=tmp_path / "36", jobs=1)
    with pytest.raises(InputError, match=r"resample = \['stimulus'\] of 6 or more"):
        compare_subjects(*given, out=tmp_path / "x", jobs=1, analyses={"rsa": study.RSA(resample=["subject"])})


@pytest.mark.parametrize("step", [-1e-4, 0, float("nan"), 0.1, "1e-4"])
def test_sweeps_have_a_step_in_seconds(step):
    with pytest.raises(InputError, match=r"as_sweeps: time_step = .*; s between samples asked, above 0"):
        as_sweeps(np.zeros(4), np.full(4, -70e-3), time_step=step)
