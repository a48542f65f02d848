"""Sentences, sounds, events and time series become stimuli with labels; files that are not those are refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurosim import storage
from neurosim.schema import InputError, as_stimuli
from neurosim.stimuli.events import encode_delta, load_nmnist, saccades
from neurosim.stimuli.images import load_digits
from neurosim.stimuli.sentences import SETS, as_words, load_sentences, split_words, vocabulary
from neurosim.stimuli.sounds import load_spoken_digits, mel_spectrogram
from neurosim.stimuli.time_series import load_time_series

SIZES = {"mr": 10662, "subj": 10000, "customer_reviews": 3775}


@pytest.mark.data
@pytest.mark.parametrize("name", list(SETS))
def test_sentence_sets_have_their_published_sizes(data_folder, name):
    split = "all" if name in SIZES else "test"
    stimuli = load_sentences(name, split)
    size = {"sst2": 1821, "sst5": 2210, "trec": 500} | SIZES
    assert stimuli.sizes["stimulus"] == size[name] and stimuli.values.max() < 20002
    assert (stimuli.values[:, -1] > 0).mean() > 0.99 and len(np.unique(stimuli.category)) > 1


@pytest.mark.data
def test_official_splits_share_no_sentence(data_folder):
    train, test = (set(load_sentences("trec", s)["stimulus"].values) for s in ("train", "test"))
    assert not train & test


def test_words_are_numbered_by_frequency_and_read_back():
    words = vocabulary(["a good film", "a bad film", "a film"])
    assert words[:2] == ["a", "film"]
    stimuli = as_words(["a dull film", ""], words, n_words=5)
    names = ["", "?", *stimuli.attrs["vocabulary"].split(" ")]
    assert [names[k] for k in stimuli.values[0]] == ["", "", "a", "?", "film"]
    assert (stimuli.values[1] == 0).all()


@given(st.lists(st.text(max_size=30), max_size=5))
def test_any_text_can_be_read(texts):
    stimuli = as_words(["x", *texts], vocabulary(texts), n_words=4)
    assert stimuli.shape == (len(texts) + 1, 4) and all(" " not in w for t in texts for w in split_words(t))


def test_a_tone_lights_up_the_band_it_lies_in():
    rate, best = 8000.0, []
    for frequency in (300.0, 1000.0, 2500.0):
        bands = mel_spectrogram(np.sin(2 * np.pi * frequency * np.arange(4000) / rate), rate)
        assert bands.shape[1] == 40 and np.isfinite(bands).all()
        best.append(int(bands.mean(0).argmax()))
    centres = 700 * (10 ** (np.linspace(*(2595 * np.log10(1 + np.array([50, 4000]) / 700)), 42)[1:-1] / 2595) - 1)
    np.testing.assert_allclose(centres[best], [300, 1000, 2500], rtol=0.08)
    quiet, loud = (mel_spectrogram(a * np.sin(np.arange(4000)), rate).max() for a in (0.1, 1.0))
    assert loud - quiet == pytest.approx(2 * np.log(10), rel=1e-3)
    assert mel_spectrogram(np.ones(3), rate).shape == (1, 40)


@pytest.mark.data
def test_spoken_digits_have_the_official_split(data_folder):
    train, test = load_spoken_digits("train"), load_spoken_digits("test")
    assert (train.sizes["stimulus"], test.sizes["stimulus"]) == (2700, 300)
    assert not set(train.stimulus.values) & set(test.stimulus.values)
    assert {len(g) for _, g in test.groupby("speaker")} == {50}


@pytest.mark.data
def test_events_of_nmnist_are_all_there(data_folder):
    counts = load_nmnist(n_steps=10, binary=False)
    packed = storage.read_npz(data_folder / "nmnist" / "nmnist_1000_train.npz")
    np.testing.assert_array_equal(counts.sum(("time", "channel", "y", "x")), packed["n_events"])
    assert set(np.unique(load_nmnist(n_steps=5)[:5])) == {0, 1}


def test_the_sum_of_events_follows_the_stimulus():
    rng = np.random.default_rng(0)
    steps = rng.uniform(-0.09, 0.09, (3, 200, 2))
    movie = as_stimuli(np.cumsum(steps, axis=1), dims=("stimulus", "time", "unit"), time_step=1e-3)
    events = encode_delta(movie, threshold=0.1).values.reshape(3, 200, 2, 2).astype(float)
    followed = movie.values[:, :1] + 0.1 * np.cumsum(events[:, :, 1] - events[:, :, 0], axis=1)
    assert np.abs(followed - movie.values).max() < 0.2 and events.sum() > 0
    assert (encode_delta(as_stimuli(np.ones((2, 5, 3)), dims=("stimulus", "time", "unit")), threshold=0.1) == 0).all()


def test_saccades_show_the_image_and_become_events():
    digits = load_digits()[:4]
    movie = saccades(digits, n_steps=10, amplitude=2)
    assert movie.dims == ("stimulus", "time", "y", "x")
    np.testing.assert_array_equal(movie.isel(time=0), digits)
    events = encode_delta(movie, threshold=0.2)
    assert events.sizes["unit"] == 2 * 64 and (events.sum(("time", "unit")) > 0).all()


SERIES = """# a comment
@problemName Small
@timeStamps false
@univariate false
@classLabel true up down
@data
1,2,3:4,5,6:up
0.5,0,-1e-3:1,1,1:down
"""


def test_series_of_the_uea_format_are_read(tmp_path):
    path = tmp_path / "Small_TRAIN.ts"
    path.write_text(SERIES)
    found = load_time_series(path, time_step=0.1)
    assert found.dims == ("stimulus", "time", "unit") and found.shape == (2, 3, 2)
    np.testing.assert_allclose(found.values[1, :, 0], [0.5, 0, -1e-3])
    assert found.category.values.tolist() == ["up", "down"] and float(found.time[1]) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("1,2,3:", "1,?,3:"), "case 1 has missing values"),
        (("1,2,3:4,5,6", "1,2:4,5"), "2 to 3 samples; pass pad=True"),
        (("1,2,3:", ""), "cases of \\[1, 2\\] dimensions"),
        (("1,2,3:", "1,x,3:"), "not numbers"),
        (("1,2,3:", "1,inf,3:"), "no finite numbers"),
        (("@data", "@dato"), "no '@data'"),
        (("@timeStamps false", "@timeStamps true"), "time stamps"),
    ],
)
def test_bad_series_are_refused(tmp_path, change, message):
    path = tmp_path / "bad.ts"
    path.write_text(SERIES.replace(*change))
    with pytest.raises(InputError, match=message):
        load_time_series(path)


def test_shorter_series_are_filled_on_request(tmp_path):
    path = tmp_path / "short.ts"
    path.write_text(SERIES.replace("1,2,3:4,5,6", "1,2:4,5"))
    found = load_time_series(path, pad=True)
    assert found.n_samples.values.tolist() == [2, 3] and (found.values[0, 2] == 0).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: load_sentences("imdb"), "no set 'imdb'"),
        (lambda: load_sentences("mr", "test"), "it has all"),
        (lambda: load_spoken_digits("dev"), "known: train, test"),
        (lambda: mel_spectrogram(np.zeros((2, 2)), 8000.0), "of two channels the mean"),
        (lambda: encode_delta(load_digits()[:2], threshold=0.1), "set in motion by saccades"),
    ],
)
def test_bad_requests_are_one_line(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_missing_files_say_where_they_belong(tmp_path, monkeypatch):
    monkeypatch.setenv(storage.DATA_FOLDER_VARIABLE, str(tmp_path))
    for load in (lambda: load_sentences("mr"), load_spoken_digits, load_nmnist):
        with pytest.raises(storage.StorageError, match="of the data folder"):
            load()
    (tmp_path / "sentences").mkdir()
    (tmp_path / "sentences" / "rt-polarity.all").write_text("good film\n")
    with pytest.raises(storage.StorageError, match="'label sentence' on every line"):
        load_sentences("mr")
