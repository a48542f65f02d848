"""Stimuli are read by their labels: dims in another order, as NHWC pictures from a file have them, change nothing."""

import numpy as np
import pytest
import torch
from torch import nn

import neurosim as ns

PIXELS = np.random.default_rng(0).random((6, 5, 5))
STIMULI = ns.as_stimuli(PIXELS, coords={"category": list("ab" * 3)})
ORDERS = [("stimulus", "x", "y"), ("y", "x", "stimulus"), ("x", "stimulus", "y")]


@pytest.mark.parametrize("dims", ORDERS)
def test_pictures_in_another_order_of_dims_are_the_same_pictures(dims):
    torch.manual_seed(0)
    network, other = nn.Sequential(nn.Flatten(), nn.Linear(25, 3)), STIMULI.transpose(*dims)
    explained = [ns.networks.explain(network, s, "saliency", target=0, progress=False) for s in (STIMULI, other)]
    np.testing.assert_array_equal(explained[0].transpose(*explained[1].dims), explained[1])
    np.testing.assert_array_equal(explained[1].values[0].ravel(), network[1].weight[0].abs().detach().numpy())
    whole = (STIMULI > 0.5).astype(float)
    spikes = ns.stimuli.encode_rate(whole.transpose(*dims), n_steps=1, max_probability=1.0)
    np.testing.assert_array_equal(spikes.values[:, 0], (PIXELS > 0.5).reshape(6, -1))
    tasks = [ns.tasks.classification_task(s) for s in (STIMULI, other)]
    for found, wanted in zip(*(list(t.batches(0, 2, 0)) for t in tasks), strict=True):
        np.testing.assert_array_equal(found[0], wanted[0])


def test_channels_last_in_a_labelled_array_come_first():
    colours = np.random.default_rng(1).random((4, 6, 7, 3))
    given = ns.as_stimuli(colours, dims=("stimulus", "y", "x", "channel"))
    assert given.dims == ("stimulus", "channel", "y", "x")
    again = ns.as_stimuli(given.transpose("stimulus", "y", "x", "channel"))
    np.testing.assert_array_equal(again.values, colours.transpose(0, 3, 1, 2))


def test_a_stimulus_without_a_category_is_no_category_of_its_own():
    unnamed = STIMULI.assign_coords(category=("stimulus", [1.0, np.nan, 1.0, 2.0, 2.0, 1.0]))
    with pytest.raises(ns.InputError, match="has no category"):
        ns.tasks.classification_task(unnamed)


@pytest.mark.parametrize(
    "options",
    [
        {"max_probability": 3.0},
        {"max_probability": np.nan},
        {"max_probability": -1.0},
        {"n_steps": 0},
        {"n_steps": 5.5},
        {"n_steps": -1},
    ],
)
def test_rates_that_no_step_can_hold_are_refused(options):
    with pytest.raises(ns.InputError, match=f"encode_rate: {next(iter(options))} = "):
        ns.stimuli.encode_rate(STIMULI, **{"n_steps": 3, **options})
