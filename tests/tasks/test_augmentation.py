"""Augmentation changes what it says and nothing else; tasks of few stimuli, validation sets and bad stimuli."""

import numpy as np
import pytest

from neurosim.schema import InputError, as_stimuli
from neurosim.stimuli.images import load_digits
from neurosim.tasks.augmentation import (
    chained,
    dropped_words,
    pixel_noise,
    random_crops,
    random_flips,
    random_shifts,
    random_turns,
)
from neurosim.tasks.classification import classification_task


@pytest.fixture
def images():
    return np.random.default_rng(0).random((12, 3, 9, 9)).astype(np.float32)


def test_crops_move_images_by_whole_pixels(images):
    moved = random_crops(2)(images, np.random.default_rng(1))
    wide = np.pad(images, [(0, 0), (0, 0), (2, 2), (2, 2)])
    for image, whole in zip(moved, wide, strict=True):
        assert any(np.array_equal(image, whole[:, i : i + 9, j : j + 9]) for i in range(5) for j in range(5))
    assert not np.array_equal(moved, images)


def test_flips_are_their_own_inverse(images):
    always = random_flips(1.0)
    np.testing.assert_array_equal(always(always(images, np.random.default_rng(0)), np.random.default_rng(0)), images)
    np.testing.assert_array_equal(always(images, np.random.default_rng(0)), images[..., ::-1])


def test_no_turn_is_the_identity_and_a_disc_survives_every_turn(images):
    rng = np.random.default_rng(0)
    np.testing.assert_allclose(random_turns(0.0)(images, rng), images, atol=1e-5)
    y, x = np.mgrid[-20:21, -20:21]
    disc = np.exp(-(y**2 + x**2) / 60).astype(np.float32)[None].repeat(5, 0)
    np.testing.assert_allclose(random_turns(180)(disc, rng), disc, atol=0.02)


def test_noise_has_its_size_and_words_are_dropped_at_their_rate():
    rng = np.random.default_rng(0)
    noise = pixel_noise(0.3)(np.zeros((100, 50, 50), dtype=np.float32), rng)
    assert abs(noise.std() - 0.3) < 0.003 and abs(noise.mean()) < 0.003
    words = np.tile([0.0, 5, 6, 7], (20000, 1))
    dropped = dropped_words(0.25)(words, rng)
    assert (dropped[:, 0] == 0).all() and abs((dropped[:, 1:] == 1).mean() - 0.25) < 0.01


def test_shifts_move_time_and_chains_apply_in_order():
    rng = np.random.default_rng(0)
    sequences = np.arange(10, dtype=float)[None, :, None].repeat(30, 0) + 1
    moved = random_shifts(3)(sequences, rng)[:, :, 0]
    assert moved.shape == (30, 10) and all(set(row[row > 0]) <= set(range(1, 11)) for row in moved)
    steps = np.diff(moved, axis=1)[(moved[:, 1:] > 0) & (moved[:, :-1] > 0)]
    assert (steps == 1).all()
    double = chained(lambda x, rng: x + 1, lambda x, rng: x * 2)
    assert double(np.ones(1), rng) == 4


def test_scarce_data_and_validation_share_nothing():
    task = classification_task(load_digits(), n_per_category=7, validation_fraction=0.1, rng=3)
    assert task.train.sizes["stimulus"] == 70
    sets = [set(s.stimulus.values) for s in (task.train, task.validation, task.test)]
    assert not (sets[0] & sets[1] or sets[0] & sets[2] or sets[1] & sets[2])
    images, labels = zip(*task.validation_batches(50, 0), strict=True)
    assert sum(map(len, labels)) == task.validation.sizes["stimulus"] == sum(map(len, images))


def test_an_epoch_can_be_entered_anywhere():
    task = classification_task(load_digits()).with_augmentation(pixel_noise(0.1), mixup=0.3)
    whole = list(task.batches(2, 100, seed=1))
    for (a, b), (c, d) in zip(task.batches(2, 100, seed=1, start=4), whole[4:], strict=True):
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, d)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda d: classification_task(d.where(d.stimulus != "digit_0003")), "'digit_0003' holds values that are NaN"),
        (lambda d: classification_task(d, n_per_category=10**6), "1000000 stimuli of '0' asked"),
        (lambda d: classification_task(d[d.category == "1"]), "at least two categories"),
        (lambda d: classification_task(d[d.category != "1"][:99], test=d[300:]), "no training stimuli of category '1'"),
        (lambda d: classification_task(d, test_fraction=1.5), "share between 0 and 1"),
        (lambda d: classification_task(d).with_augmentation(mixup=-1), "mixup = -1"),
        (lambda d: classification_task(d[:0]), "there are no stimuli"),
        (lambda d: random_crops(0), "at least 1 pixel"),
    ],
)
def test_bad_stimuli_are_one_line(make, message):
    with pytest.raises(InputError, match=message):
        make(load_digits())


def test_labels_are_those_of_the_stimuli_whatever_their_order():
    values = np.arange(40, dtype=float).reshape(20, 2)
    stimuli = as_stimuli(values, coords={"category": ["z", "a", "m", "a"] * 5})
    task = classification_task(stimuli, test_fraction=0.2)
    of = {v.tobytes(): c for v, c in zip(values.astype(np.float32), stimuli.category.values, strict=True)}
    for inputs, labels in task.batches(0, 4, 0):
        assert [task.categories[k] for k in labels] == [of[x.tobytes()] for x in inputs]
