"""What the record of a learning rule says is so: what it takes learns and resumes to the bit, the rest is refused."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

import neurosim as ns
from neurosim.networks import ARCHITECTURES, LEARNING_RULES, Checkpoint, LearningRule, Runtime, TrainingOptions, Watch
from neurosim.networks.learning_rule import asked_rule
from neurosim.networks.training import train, weights_of
from neurosim.schema import InputError, as_stimuli
from neurosim.stimuli.encoders import bernoulli_spikes
from neurosim.study.subjects import network
from neurosim.tasks.classification import classification_task

OPTIONS = TrainingOptions(2, 4, 1e-2)
CASES = {
    "backpropagation": [{}],
    "feedback_alignment": [{}, {"direct": True}, {"feedback": "sign"}, {"feedback": "adaptive", "decay": 1e-3}],
    "predictive_coding": [{}, {"prediction": "fixed"}],
    "equilibrium_propagation": [{}, {"two_sided": False}],
    "eventprop": [{}],
    "reward_stdp": [{"reward": "loss"}, {"reward": "loss", "baseline": 0.5}],
    "eprop": [{}, {"feedback": "random"}, {"feedback": "adaptive", "decay": 1e-3}, {"rate": 5.0, "rate_weight": 0.1}],
}
ALL = [(name, options) for name, several in CASES.items() for options in several]


def task_for(architecture):
    """A task of eight stimuli of a kind that an architecture takes."""
    rng = np.random.default_rng(0)
    if "vector" not in ARCHITECTURES[architecture].takes and "gray" not in ARCHITECTURES[architecture].takes:
        stimuli = as_stimuli(
            3 * rng.random((10, 8, 5), dtype=np.float32),
            dims=("stimulus", "time", "unit"),
            coords={"category": list("abababbaab")},
            time_step=1e-3,
        )
        return classification_task(stimuli)
    images = rng.random((10, 8, 8), dtype=np.float32)
    stimuli = as_stimuli(images, dims=("stimulus", "y", "x"), coords={"category": list("abababbaab")})
    task = classification_task(stimuli)
    if ARCHITECTURES[architecture].encoding is not None:
        return task.with_encoder(partial(bernoulli_spikes, n_steps=6))
    return task


def network_for(architecture):
    one = ARCHITECTURES[architecture].examples[1 if architecture == "SpikingRNN" else 0]  # of one layer
    torch.manual_seed(0)
    return ns.build_network(one, task_for(architecture).image_shape, 2)


def home_of(rule):
    return LEARNING_RULES[rule].architectures[0] if LEARNING_RULES[rule].architectures else "MLP"


def test_every_rule_is_here():
    assert set(CASES) == set(LEARNING_RULES)
    for rule in LEARNING_RULES.values():
        assert set(rule.architectures) <= set(ARCHITECTURES)
        assert rule.caption.endswith(".") and not rule.takes.endswith(".")
        assert rule.refusal("GRU") is None or "not GRU" in rule.refusal("GRU")


@pytest.mark.parametrize(("name", "options"), ALL, ids=str)
def test_a_rule_changes_weights_repeats_itself_and_goes_on_to_the_same_bits(name, options, tmp_path):
    rule, home = asked_rule(name, options).options, home_of(name)
    task, network = task_for(home), network_for(home)
    before, answers = weights_of(network), network.eval()(torch.zeros(task_inputs(task)))
    history = train(network, task, OPTIONS, rule=rule, rng=3, progress=False)
    assert np.isfinite(history.loss).all() and answers.shape == (1, 2)
    changed = [n for n, value in weights_of(network).items() if (value != before[n]).any()]
    learned = [n for n in before if name != "reward_stdp" or "weight" in n]  # biases have no pairs of spikes
    assert len(set(changed) & set(learned)) >= len(learned) - 1

    class Killed(Exception):  # noqa: N818
        pass

    class Killer:
        def __call__(self, moment):
            return False

        def after_batch(self, moment):
            if (moment.epoch, moment.batch) == (1, 1):
                raise Killed

    path, stopped = Checkpoint(tmp_path / "run.safetensors", every=1), network_for(home)
    with pytest.raises(Killed):
        train(
            stopped, task, OPTIONS, rule=rule, rng=3, checkpoint=path, watch=Watch(callbacks=[Killer()]), progress=False
        )
    resumed = network_for(home)
    again = train(resumed, task, OPTIONS, rule=rule, rng=3, checkpoint=path, progress=False)
    assert history.identical(again)
    for key, value in weights_of(network).items():
        np.testing.assert_array_equal(value, weights_of(resumed)[key])


def task_inputs(task):
    first = next(task.batches(0, 1, 0))[0]
    return (first.shape[1], 1, *first.shape[2:]) if task.is_sequence else first.shape


@pytest.mark.parametrize("name", [n for n in LEARNING_RULES if n != "backpropagation"])
def test_a_rule_learns_the_architectures_that_it_names_and_no_others(name):
    for architecture, record in ARCHITECTURES.items():
        if record.requires is not None or "categories" not in record.learns:
            continue
        network, task = network_for(architecture), task_for(architecture)
        if LEARNING_RULES[name].refusal(architecture) is None:
            angles = ns.networks.gradient_angles(network, task, name, batch_size=8)
            assert angles.sizes["parameter"] == len(list(network.parameters()))
        else:
            with pytest.raises(InputError, match=f"rule '{name}'"):
                ns.networks.gradient_angles(network, task, name, batch_size=8)


def test_a_checkpoint_of_another_rule_is_refused(tmp_path):
    path = tmp_path / "run.safetensors"
    task = task_for("MLP")
    train(network_for("MLP"), task, OPTIONS, rule="feedback_alignment", checkpoint=path, progress=False)
    with pytest.raises(InputError, match="differs in rule"):
        other = ns.networks.FeedbackAlignment(scale=2.0)
        train(network_for("MLP"), task, OPTIONS, rule=other, checkpoint=path, progress=False)


@pytest.mark.parametrize(
    ("given", "options", "words"),
    [
        ("epropp", TrainingOptions(), "unknown learning rule 'epropp'.* Did you mean 'eprop'"),
        (3, TrainingOptions(), "rule= is a name or the options of a rule, found 3"),
        ("feedback_alignment", TrainingOptions(precision="bfloat16"), "float32, not with precision 'bfloat16'"),
        ("feedback_alignment", TrainingOptions(truncate=3), "not with truncate = 3"),
        ("eprop", TrainingOptions(), "rule 'eprop' takes one nn.Linear.*; MLP has 0 layers of spiking neurons"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(given, options, words):
    with pytest.raises(InputError, match=words) as refused:
        train(network_for("MLP"), task_for("MLP"), options, rule=given, progress=False)
    assert "\n" not in str(refused.value)


def test_compiled_networks_learn_by_backpropagation():
    with pytest.raises(InputError, match="not with compile"):
        runtime = Runtime(compile="eager")
        train(network_for("MLP"), task_for("MLP"), OPTIONS, rule="feedback_alignment", runtime=runtime, progress=False)


def test_options_by_name_are_those_of_the_rule():
    with pytest.raises(InputError, match=r"rule 'eprop': no option 'feedbac'.*Did you mean 'feedback'"):
        asked_rule("eprop", {"feedbac": "random"})


def test_a_rule_of_ones_own_learns():
    """The rule of the sign of the gradient, as a record that is added."""

    @dataclass(frozen=True)
    class Signs:
        size: float = 1.0

    class AtWork:
        def __init__(self, network, options, seed):
            self.network, self.options, self.state = network, options, nn.Module()

        def learn(self, portion, objective, place, weight):
            outputs = self.network(portion.inputs)
            losses = objective.losses(outputs, portion.targets)
            (losses.sum() * weight).backward()
            for p in self.network.parameters():
                p.grad = self.options.size * p.grad.sign()
            return outputs, losses.detach()

    record = LearningRule("signs", Signs, AtWork, "any module", "Signs.", "Nobody, https://doi.org/10.1000/1", ("MLP",))
    with LEARNING_RULES.added(record):
        network = network_for("MLP")
        before = weights_of(network)
        sgd = TrainingOptions(1, 8, 0.5, optimizer=torch.optim.SGD, schedule="constant", clip=1e9)
        train(network, task_for("MLP"), sgd, rule=Signs(), progress=False)
        step = np.abs(weights_of(network)["readout.bias"] - before["readout.bias"])
        np.testing.assert_allclose(step, 0.5, rtol=1e-6)


def test_a_study_names_a_rule_and_its_options():
    training = ns.study.Training(task="digits", rule="feedback_alignment", rule_options={"direct": True})
    network.check_rule(training, "MLP", "net.training")
    row = ns.study.NetworkSubject(architecture="MLP", training=training)
    assert any("ncomms13276" in citation for _, citation in network.cite(row))
    for wrong, words in (
        ({"rule": "epropp"}, "Did you mean 'eprop'"),
        ({"rule": "eprop"}, "rule eprop learns SpikingRNN, not MLP"),
        ({"rule": "feedback_alignment", "rule_options": {"dirct": True}}, "rule_options"),
    ):
        with pytest.raises(InputError, match=words):
            network.check_rule(ns.study.Training(task="digits", **wrong), "MLP", "net.training")
