"""A network of neurons with time constants and what it is shown keep one clock; others take that of what is shown."""

import numpy as np
import pytest
import torch

import neurosim as ns
from neurosim.networks import GRUSpecification, SpikingRNNSpecification, TrainingOptions
from neurosim.schema import InputError

BINS = ns.stimuli.EventBins(4, time_step=10e-3)


def events():
    """Return spikes of three fibres in eight recordings of two categories."""
    rng = np.random.default_rng(0)
    where = {"unit": rng.integers(0, 3, 80)}
    labels = {"category": ["a", "b"] * 4}
    return ns.stimuli.as_events(np.sort(rng.integers(0, 40_000, (8, 10))).ravel(), where, [10] * 8, sensor={"unit": 3},
                                labels=labels)  # fmt: skip


def network(specification, task):
    torch.manual_seed(0)
    return ns.build_network(specification, task.image_shape, 2)


def test_spiking_neurons_of_another_step_are_refused_where_they_learn_and_answer():
    task = ns.tasks.event_task(events(), BINS, test_fraction=0.5)
    fast = network(SpikingRNNSpecification((2,)), task)
    with pytest.raises(InputError, match=r"train: a step of the network lasts 0.001 s and one of the stimuli 0.01 s"):
        ns.train(fast, task, TrainingOptions(epochs=1), progress=False)
    with pytest.raises(InputError, match=r"record_responses: .* make the neurons of dt=0.01"):
        ns.record_responses(fast, ns.stimuli.bin_events(events(), BINS))


def test_neurons_of_that_step_learn_and_answer_in_it():
    task = ns.tasks.event_task(events(), BINS, test_fraction=0.5)
    slow = network(SpikingRNNSpecification((2,), neuron=ns.networks.NeuronSpecification(dt=10e-3)), task)
    assert ns.train(slow, task, TrainingOptions(epochs=1), progress=False).sizes["epoch"] == 1
    found = ns.record_responses(slow, ns.stimuli.bin_events(events(), BINS))
    assert found.attrs["time_step"] == 10e-3


def test_a_network_without_time_constants_answers_in_the_steps_that_it_is_shown():
    task = ns.tasks.event_task(events(), BINS, test_fraction=0.5)
    gated = network(GRUSpecification(5, is_sequence=True), task)
    found = ns.record_responses(gated, ns.stimuli.bin_events(events(), BINS))
    assert found.attrs["time_step"] == 10e-3
