"""Recordings that stay events until they are shown: the same bytes whoever reads, and wherever a training goes on."""

import numpy as np
import pytest
from torch import nn

from neurosim import lessons
from neurosim.event_arrays import EventBins, as_events
from neurosim.lessons import build_task
from neurosim.networks import training
from neurosim.networks.computing import Runtime
from neurosim.networks.evaluation import evaluate
from neurosim.networks.feeding import Feeder
from neurosim.networks.optimization import TrainingOptions
from neurosim.networks.recording import record_responses
from neurosim.networks.training import Checkpoint, train, weights_of
from neurosim.runtime import torch_seeded
from neurosim.schema import InputError
from neurosim.stimuli.event_set import bin_events
from neurosim.tasks.augmentation import chained
from neurosim.tasks.event_changes import event_drops, event_flips, event_jitter, event_shifts
from neurosim.tasks.events import event_task
from neurosim.tasks.lazy import LazyTask
from tests.stimuli.test_events import WRITERS

CAMERA, EAR = {"channel": 2, "y": 6, "x": 8}, {"unit": 12}
FIRST = {"speaker": ["1"]}
BINS = EventBins(4, time_step=25e-6)
CHANGE = chained(event_jitter(5e-6), event_drops(0.2), event_shifts(1, 10e-6))


def recordings(n=24, sensor=EAR, seed=0, prefix="r"):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(5, 40, n)
    times = np.concatenate([np.sort(rng.integers(0, 100, k)) for k in sizes])
    places = {d: rng.integers(0, size, sizes.sum()) for d, size in sensor.items()}
    labels = {"category": ["a", "b", "c"] * (n // 3), "speaker": np.repeat(["1", "2", "3", "4"], n // 4)}
    return as_events(times, places, sizes, sensor=sensor, ids=[f"{prefix}{k}" for k in range(n)], labels=labels)


def bytes_of(task, epoch=1, workers=0, start=0):
    feeder = Feeder(task, 5, 7, runtime=Runtime(workers=workers))
    return [(p.inputs.numpy().tobytes(), p.targets[0].tolist()) for p in feeder.batches("train", epoch, start)]


class Counts(nn.Module):
    def __init__(self, n=12):
        super().__init__()
        with torch_seeded(0):
            self.readout = nn.Linear(n, 3)

    def forward(self, x):
        return self.readout(x.flatten(2).sum(0))


def test_bytes_are_the_same_whoever_reads_and_wherever_reading_starts():
    task = event_task(recordings(), BINS, change=CHANGE)
    whole = bytes_of(task)
    assert whole == bytes_of(task, workers=2) and whole[2:] == bytes_of(task, start=2)
    first, again, other = (task.sample("train", int(task.parts["train"][0]), epoch, 7)[0] for epoch in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    direct = [(np.moveaxis(x, 0, 1).tobytes(), y.tolist()) for x, y in task.batches(1, 5, 7)]
    assert direct == whole


@pytest.mark.parametrize("bins", [BINS, EventBins(4, n_events=7, downsample=2, merged=True, binary=True)])
def test_test_stimuli_are_the_recordings_in_bins(bins):
    events = recordings(sensor=CAMERA)
    task = event_task(events, bins, test={"speaker": ["2", "3"]}, change=event_flips())
    held = events.where("speaker", ["2", "3"])
    assert task.parts["test"].tolist() == held.tolist() and not set(held) & set(task.parts["train"])
    wanted = bin_events(events.chosen(held), bins)
    found = np.concatenate([x for x, _ in task.test_batches(5, 1)])
    assert np.array_equal(found, wanted.values) and task.image_shape == wanted.shape[1:]
    names = np.concatenate([y for _, y in task.test_batches(5, 1)])
    assert [task.categories[k] for k in names] == wanted.category.values.tolist()
    assert task.is_sequence and task.n_test == len(held)


def test_a_training_that_was_cut_off_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    def run(network, task=None, **asked):
        task = task or event_task(recordings(), BINS, change=CHANGE)
        return train(network, task, TrainingOptions(2, 5, 1e-2), device="cpu", progress=False, **asked)

    whole, resumed, path, plain = Counts(), Counts(), tmp_path / "run.safetensors", training.save_checkpoint

    def save(*arguments):
        plain(*arguments)
        raise KeyboardInterrupt

    history = run(whole)
    monkeypatch.setattr(training, "save_checkpoint", save)
    with pytest.raises(KeyboardInterrupt):
        run(Counts(), checkpoint=Checkpoint(path, every=2))
    monkeypatch.setattr(training, "save_checkpoint", plain)
    for other in (
        event_task(recordings(seed=1), BINS, change=CHANGE),
        event_task(recordings(), EventBins(4, time_step=24e-6), change=CHANGE),
        event_task(recordings(), BINS, change=event_jitter(5e-6)),
    ):
        with pytest.raises(InputError, match="it differs in task"):
            run(Counts(), other, checkpoint=Checkpoint(path, every=2))
    assert history.identical(run(resumed, checkpoint=Checkpoint(path, every=2)))
    assert all(np.array_equal(v, weights_of(resumed)[k]) for k, v in weights_of(whole).items())
    task = event_task(recordings(), BINS)
    found = evaluate(whole, task, device="cpu")
    assert found.attrs["n_test"] == task.n_test == int(found.confusion.sum())
    recorded = record_responses(whole, task, layers=["readout"], progress=False)
    assert recorded.stimulus.values.tolist() == task.ids[task.parts["test"]].tolist()


def test_changes_of_events_do_what_they_say():
    events, rng = recordings(sensor=CAMERA).recording(3), np.random.default_rng(2)
    n = len(events.times)
    jittered = event_jitter(20e-6)(events, rng)
    assert (np.diff(jittered.times) >= 0).all() and jittered.times.min() >= 0 and len(jittered.times) == n
    assert sorted(jittered.places["x"]) == sorted(events.places["x"])
    dropped = event_drops(0.5)(events, rng)
    assert 0 < len(dropped.times) < n and set(dropped.times) <= set(events.times)
    flipped = event_flips(1.0)(events, rng)
    assert np.array_equal(7 - flipped.places["x"], events.places["x"]) and flipped.places["y"] is events.places["y"]
    assert event_flips(1e-9)(events, rng) is events
    moved = [event_shifts(2, 30e-6)(events, rng) for _ in range(40)]
    for one in moved:
        assert all(((p >= 0) & (p < CAMERA[d])).all() for d, p in one.places.items()) and (one.times >= 0).all()
    assert {int(m.times[-1] - events.times[-1]) for m in moved} & set(range(1, 31))
    unit = event_shifts(3)(recordings().recording(0), np.random.default_rng(1))
    assert np.array_equal(unit.times[: len(unit.times)], unit.times) and set(unit.places) == {"unit"}


def nameless():
    return as_events([1, 1], {"unit": [0, 0]}, [1, 1], sensor=EAR, labels={"category": np.array([1.0, np.nan])})


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda e: event_task(np.ones((3, 4)), BINS),
            "recordings of events asked, as load_events gives them; found nda",
        ),
        (lambda e: event_task(as_events([1], {"unit": [0]}, [1], sensor=EAR), BINS), "no label 'category'"),
        (lambda e: event_task(e, BINS, test=recordings(sensor=CAMERA)), "the sensor of test is"),
        (lambda e: event_task(e, BINS, test=recordings()), "24 recordings are in two sets, such as 'r0'"),
        (lambda e: event_task(e, BINS, test={"speaker": ["9"]}), "no recording has the speaker '9'"),
        (lambda e: event_task(e, BINS, test={"speaker": "12"}), "values of 'speaker' are a list"),
        (lambda e: event_task(e, BINS, test={"speaker": "1"}, validation=e), "values of 'speaker' are a list"),
        (
            lambda e: event_task(e, BINS, test={"speaker": ["1"]}, validation={"speaker": ["1", "2"]}),
            "6 recordings are in",
        ),
        (lambda e: event_task(e, BINS, test={}), "one label with its values"),
        (lambda e: event_task(e, BINS, test={"category": ["c"]}), "without any: ['c']".replace("[", r"\[")),
        (lambda e: event_task(e, EventBins(3, n_events=2, merged=True)), "merged is for sensors with"),
        (lambda e: event_task(e, BINS, test_fraction=2), "event_task: test_fraction = 2"),
        (lambda e: event_task(e, None), "steps as EventBins.* are asked, found NoneType"),
        (lambda e: bin_events(e, 10), "bin_events: steps as EventBins.* are asked, found int"),
        (lambda e: event_task(e, BINS, change=0.1), "change = 0.1; a function such as event_jitter"),
        (lambda e: nameless(), "recording 'recording_00001' has no category"),
        (lambda e: event_shifts(duration="1"), "whole places or a duration above 0"),
        (lambda e: event_jitter(0), "event_jitter: sd = 0 is outside"),
        (lambda e: event_drops(2), "event_drops: probability = 2"),
        (lambda e: event_shifts(), "whole places or a duration above 0"),
        (lambda e: event_flips()(e.recording(0), np.random.default_rng(0)), "a sensor with x is asked"),
    ],
)
def test_what_cannot_be_learned_is_refused(make, words):
    with pytest.raises(InputError, match=words):
        make(recordings())


def test_test_recordings_may_stand_in_a_set_of_their_own():
    task = event_task(recordings(), BINS, test=recordings(12, seed=4, prefix="held"), validation_fraction=0.25)
    assert task.ids[task.parts["test"]].tolist() == [f"held{k}" for k in range(12)]
    assert len(task.parts["train"]) + len(task.parts["validation"]) == 24
    official = event_task(recordings(), BINS, test={"speaker": ["1"]}, validation=recordings(12, prefix="watched"))
    watched = np.concatenate([x for x, _ in official.validation_batches(5, 1)])
    assert np.array_equal(watched, bin_events(recordings(12), BINS).values) and len(official.parts["train"]) == 18
    shown = np.concatenate([x for x, _ in task.test_batches(5, 1)])
    assert np.array_equal(shown, bin_events(recordings(12, seed=4, prefix="held"), BINS).values)


@pytest.mark.parametrize("name", ["shd", "cifar10_dvs"])
def test_a_source_of_events_is_learned_in_steps_that_are_held_or_made(tmp_path, monkeypatch, name):
    WRITERS[name](tmp_path)
    options = {"set": name, "path": tmp_path, "n_steps": 5, "downsample": 4}
    if name == "cifar10_dvs":
        for path in tmp_path.glob("*/*.aedat"):
            path.with_stem(f"{path.stem}_again").write_bytes(path.read_bytes())
    held = build_task("events", options, rng=3)
    monkeypatch.setattr(lessons, "HELD", 0)
    made = build_task("events", options, rng=3)
    assert isinstance(made, LazyTask) and made.categories == held.categories
    for part, wanted in (("train", held.train), ("test", held.test)):
        assert made.ids[made.parts[part]].tolist() == wanted.stimulus.values.tolist()
    shown = np.concatenate([x for x, _ in made.test_batches(4, 1)])
    assert np.array_equal(shown, held.test.values) and len(made.some("test", 2)) == 2
    if name == "shd":
        assert held.test.stimulus.values.tolist() == [f"shd_test_0000{k}" for k in range(3)]


def test_steps_longer_than_all_recordings_are_refused():
    """10 for 10 ms: every event would fall into the first step, and the others stay empty."""
    last = recordings().times.max() * 1e-6
    for made in (event_task, bin_events):
        with pytest.raises(InputError, match=r"the first of 4 steps of time_step = 10 s holds all events, .* 10e-3"):
            made(recordings(), EventBins(4, time_step=10))
    assert bin_events(recordings(), EventBins(1, time_step=10)).sizes["time"] == 1
    assert bin_events(recordings(), EventBins(2, time_step=float(last))).sum() > 0
