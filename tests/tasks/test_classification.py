"""A task never shows test images in training and repeats itself by seed."""

import numpy as np
import pandas as pd
import pytest

from neurosim.schema import InputError, as_stimuli
from neurosim.stimuli.images import load_digits
from neurosim.tasks.classification import classification_task


def test_no_stimulus_is_in_both_sets():
    task = classification_task(load_digits(), rng=2)
    assert not set(task.train.stimulus.values) & set(task.test.stimulus.values)
    assert task.train.sizes["stimulus"] + task.test.sizes["stimulus"] == 1797
    digits = load_digits()
    with pytest.raises(InputError, match="in both sets"):
        classification_task(digits, test=digits[:5])


def test_an_epoch_shows_every_image_once_with_its_label():
    task = classification_task(load_digits(), rng=2)
    batches = list(task.batches(0, 100, seed=1))
    assert len(batches) == task.n_batches(100)
    images = np.concatenate([x for x, _ in batches]).reshape(-1, 64)
    labels = np.concatenate([y for _, y in batches])
    wanted = {(t.tobytes(), str(c)) for t, c in zip(task.train.values, task.train.category.values, strict=True)}
    assert {(i.tobytes(), task.categories[y]) for i, y in zip(images, labels, strict=True)} == wanted


def test_batches_repeat_by_seed_and_differ_by_epoch():
    task = classification_task(load_digits(), rng=2)
    first, again, later = (next(task.batches(e, 32, seed=1))[1] for e in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, later)


def test_labels_are_needed():
    with pytest.raises(InputError, match="no 'category'"):
        classification_task(as_stimuli(np.zeros((4, 2, 2))))


@pytest.mark.parametrize("nothing", [None, np.nan, pd.NA, pd.NaT, np.datetime64("NaT")])
def test_a_stimulus_without_a_category_is_refused(nothing):
    labels = np.array(["a", "b", nothing, "a", "b", "a"], dtype=object)
    stimuli = as_stimuli(np.zeros((6, 2, 2))).assign_coords(category=("stimulus", labels))
    with pytest.raises(InputError, match="has no category"):
        classification_task(stimuli)
