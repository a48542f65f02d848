"""Trials: perfect answers are right, wrong ones are not, tables say what was shown, networks learn them."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from neurosim.networks import LeakyRNNSpecification
from neurosim.networks.architecture import build_network
from neurosim.networks.optimization import TrainingOptions
from neurosim.networks.recording import record_responses
from neurosim.networks.training import train
from neurosim.runtime import torch_seeded
from neurosim.schema import InputError
from neurosim.tasks.cognition import cognitive_task, psychometric
from neurosim.tasks.neurogym import from_neurogym
from neurosim.tasks.task import TASKS
from neurosim.tasks.yang import RULES, yang_task

ALL = {name: lambda name=name: cognitive_task(name) for name in TASKS} | {
    rule: lambda rule=rule: yang_task([rule], n_ring=16) for rule in RULES
}


@pytest.mark.parametrize("name", list(ALL))
def test_the_targets_are_right_and_other_answers_are_not(name):
    task = ALL[name]()
    trials = task.trials(60, rng=3)
    assert (task.score(trials.targets.values, trials) == 1).all()
    silent = np.zeros_like(trials.targets.values)
    assert task.score(silent, trials).mean() < 0.1
    shifted = np.roll(trials.targets.values, 1, axis=0)
    assert task.score(shifted, trials).mean() < 0.7


@pytest.mark.parametrize("name", list(ALL))
def test_trials_repeat_by_seed_and_carry_their_table(name):
    task = ALL[name]()
    first, again, other = task.trials(8, rng=1), task.trials(8, rng=1), task.trials(8, rng=2)
    assert first.identical(again) and not first.inputs.equals(other.inputs)
    assert {"choice", "go"} <= set(first.coords)
    assert np.isfinite(first.inputs.values).all() and (first.weights >= 0).all()
    batches = [next(task.batches(0, 8, 5)), next(task.batches(0, 8, 5)), next(task.batches(1, 8, 5))]
    np.testing.assert_array_equal(batches[0][0], batches[1][0])
    assert batches[0][0].shape != batches[2][0].shape or not np.array_equal(batches[0][0], batches[2][0])
    late = next(iter(task.batches(0, 8, 5, start=3)))
    np.testing.assert_array_equal(late[0], list(replace(task, n_batches_an_epoch=4).batches(0, 8, 5))[3][0])


def test_what_is_shown_is_what_the_table_says():
    task = cognitive_task("context_decision", noise=0.0)
    trials = task.trials(40)
    shown = trials.inputs.isel(time=int(0.5 / task.dt))
    np.testing.assert_allclose(shown.sel(unit="motion"), trials.motion_coherence, rtol=1e-6)
    np.testing.assert_array_equal(shown.sel(unit="attend motion") == 1, trials.context == "motion")
    assert ((trials.relevant_coherence > 0) == (trials.choice == 1)).all()


def test_anti_rules_ask_for_the_opposite_and_decisions_for_the_stronger():
    trials = yang_task(["delayanti"]).trials(30)
    apart = (trials.choice - trials.direction_deg) % 360
    np.testing.assert_allclose(apart, 180)
    trials = yang_task(["contextdm2"]).trials(200)
    first = np.isclose(trials.choice, trials.direction_deg)
    np.testing.assert_array_equal(first, trials.coherence_2 > 0)
    assert (np.sign(trials.coherence_1) != np.sign(trials.coherence_2)).any()


def test_inputs_are_stimuli_and_responses_carry_the_table():
    task = cognitive_task("perceptual_decision")
    trials = task.trials(20)
    network = build_network(LeakyRNNSpecification(10), task.image_shape, len(task.outputs))
    responses = record_responses(network, trials.inputs, progress=False)
    assert responses.dims == ("stimulus", "time", "unit") and "coherence" in responses.coords
    assert float(responses.attrs["time_step"]) == task.dt
    assert responses.groupby("choice").mean().sizes["choice"] == 2


def test_a_network_learns_to_decide_and_its_psychometric_curve_rises():
    task = replace(cognitive_task("perceptual_decision"), n_batches_an_epoch=150, n_test=300)
    with torch_seeded(0):
        network = build_network(LeakyRNNSpecification(40, identity=0.5), task.image_shape, len(task.outputs))
    history = train(network, task, TrainingOptions(2, 64, 1e-2), progress=False)
    assert float(history.test_accuracy) > 0.75
    trials = task.trials(400, rng=9)
    outputs = _outputs(network, trials)
    curve = psychometric(task.chosen(outputs, trials), "coherence")
    assert curve["mean"].values[0] < 0.1 and curve["mean"].values[-1] > 0.9
    assert (curve.interval.sel(bound="low") <= curve["mean"]).all() and (curve.interval.sel(bound="high") > 0).all()
    assert (np.ptp(curve.interval.values, axis=1) > 0).all()
    assert (curve.n.sum() == 400) and (curve.standard_error >= 0).all()


def _outputs(network, trials):
    network.eval()
    with torch.no_grad():
        return network(torch.from_numpy(trials.inputs.values).transpose(0, 1)).transpose(0, 1).numpy()


class Gym:
    """What NeuroGym environments look like from outside: a fixation period, a stimulus, a decision."""

    dt, action_space = 100, SimpleNamespace(n=3)

    def seed(self, seed):
        self.rng = np.random.RandomState(seed)

    def new_trial(self):
        side, n = self.rng.randint(2), 5 + self.rng.randint(3)
        self.ob = np.zeros((n + 2, 3))
        self.ob[:n, 0], self.ob[2:n, 1 + side] = 1, 1
        self.gt = np.r_[np.zeros(n, dtype=int), np.full(2, 1 + side)]
        self.start_t, self.end_t = (
            {"stimulus": 200, "decision": 100 * n},
            {"stimulus": 100 * n, "decision": 100 * n + 200},
        )
        return {"side": side, "ground_truth": side, "note": "left" if side else "right", "junk": object()}


def test_neurogym_environments_keep_their_table_and_repeat():
    task = from_neurogym(Gym())
    trials = task.trials(12, rng=4)
    assert trials.identical(from_neurogym(Gym()).trials(12, rng=4))
    assert {"side", "note", "stimulus_start", "decision_end"} <= set(trials.coords) and "junk" not in trials.coords
    np.testing.assert_allclose(trials.decision_end - trials.decision_start, 0.2)
    assert (task.score(trials.targets.values, trials) == 1).all() and task.dt == 0.1
    assert (task.score(np.roll(trials.targets.values, 1, axis=2), trials) == 0).all()
    with pytest.raises(InputError, match="no new_trial"):
        from_neurogym(object())
    with pytest.raises(InputError, match="pass n_outputs"):
        from_neurogym(SimpleNamespace(new_trial=lambda: None))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cognitive_task("decision"), "no task 'decision'"),
        (lambda: cognitive_task("go_nogo", delai=0.2), "Did you mean 'delay'"),
        (lambda: cognitive_task("go_nogo", dt=20), "outside 1e-4"),
        (lambda: yang_task(["fdgoo"]), "Did you mean 'fdgo'"),
        (lambda: cognitive_task("go_nogo").trials(0), "at least one"),
        (lambda: cognitive_task("go_nogo").score(np.zeros((2, 3, 4)), cognitive_task("go_nogo").trials(2)), "of shape"),
    ],
)
def test_bad_requests_are_one_line(make, message):
    with pytest.raises(InputError, match=message):
        make()
    task = cognitive_task("go_nogo")
    with pytest.raises(InputError, match=r"no condition 'cues'.*Did you mean 'cue'"):
        psychometric(task.score(task.trials(4).targets.values, task.trials(4)), "cues")
