"""Power analysis: more data give more power, equal models are told apart at the level of the test and no more."""

import numpy as np
import pytest
from scipy.stats import binom

from neurosim.power import ExperimentDesign, power_analysis
from neurosim.recordings.synthetic import BrainOptions, synthetic_brain
from neurosim.responses.reliability import signal_to_noise
from neurosim.responses.variability import fano_factor, noise_correlation
from neurosim.schema import InputError, as_stimuli


def features(seed, n=24):
    return as_stimuli(np.random.default_rng(seed).normal(size=(n, 12)), dims=("stimulus", "unit"))


def test_power_grows_with_subjects_and_stimuli_and_the_right_model_wins():
    rival = features(0).copy(data=0.8 * features(0).values + 0.6 * features(1).values)
    found = power_analysis(
        features(0), rival, design=ExperimentDesign((3, 12), (10, 24), (30,)), n_simulations=30, progress=False
    )
    assert float(found.power[1, 1, 0]) > float(found.power[0, 0, 0]) + 0.3
    assert float(found.wrong.max()) < 0.1
    assert (found.score.sel(model="model") > found.score.sel(model="rival")).all()
    assert (found.interval.sel(bound="low") <= found.power).all()


def test_models_of_equal_merit_are_seldom_told_apart():
    design = ExperimentDesign(n_subjects=(8,))
    found = power_analysis(features(0), features(1), mixture=0.5, design=design, n_simulations=60, progress=False)
    alarms = round(60 * float(found.power.sum() + found.wrong.sum()))
    assert alarms <= binom.ppf(0.999, 60, 0.1)


def test_a_synthetic_brain_has_the_noise_and_the_counts_that_were_asked_for():
    quiet = synthetic_brain(
        {"V1": features(0, 60), "IT": features(1, 60)},
        BrainOptions(n_subjects=2, n_units=40, n_trials=30, noise_correlation=0.2),
    )
    assert quiet.sizes["unit"] == 160
    assert sorted(set(quiet.area.values)) == ["IT", "V1"]
    one = quiet.isel(unit=np.flatnonzero((quiet.subject.values == "subject_1") & (quiet.area.values == "V1")))
    apart = noise_correlation(one).values[np.triu_indices(40, 1)]
    assert apart.mean() == pytest.approx(0.2, abs=0.02)
    assert float(signal_to_noise(one).signal_to_noise.mean()) == pytest.approx(1.0, abs=0.1)
    spikes = synthetic_brain(features(0, 60), BrainOptions(trial_noise=0.0, n_trials=20, mean_count=5.0, n_subjects=1))
    assert float(spikes.mean()) == pytest.approx(5.0, rel=0.05)
    assert float(fano_factor(spikes).mean()) == pytest.approx(1.0, abs=0.05)
    with pytest.raises(InputError, match="at most 24 stimuli"):
        power_analysis(features(0), features(1), design=ExperimentDesign(n_stimuli=(30,)))


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: ExperimentDesign(n_subjects=(1,)), "ExperimentDesign: n_subjects are whole numbers of 2 or more"),
        (lambda: ExperimentDesign(n_units=()), "n_units are whole numbers of 1 or more"),
        (lambda: power_analysis(features(0), features(1), mixture=2), "a mixture of 0 to 1 .* found 24, 2 and 200"),
        (
            lambda: power_analysis(features(0), features(1), brain={"n_trials": 3}),
            "brain is a BrainOptions, found a dict",
        ),
        (lambda: power_analysis(features(0), features(1), metric="crosnobis"), "power_analysis: unknown metric"),
        (lambda: power_analysis(features(0), features(1), method="tau_b"), "power_analysis: no inference for method"),
        (lambda: power_analysis(features(0), features(1), rng="x"), "power_analysis: rng is a seed"),
        (lambda: power_analysis(features(0), features(1), n_simulations=0), "at least 1 simulation"),
    ],
)
def test_what_no_experiment_can_have_is_refused(act, words):
    with pytest.raises(InputError, match=words):
        act()


def test_a_generator_draws_the_seed_of_all_experiments():
    design = ExperimentDesign((3,), n_units=(5,))
    found = [
        power_analysis(features(0), features(1), design=design, n_simulations=2, rng=rng, progress=False)
        for rng in (np.random.default_rng(1), np.random.default_rng(1), np.random.default_rng(2))
    ]
    assert found[0].identical(found[1])
    assert found[0].attrs["seed"] != found[2].attrs["seed"]


def test_the_brain_of_a_power_analysis_is_the_one_that_was_asked_for():
    silent, loud = (
        power_analysis(
            features(0),
            features(1),
            design=ExperimentDesign((4,)),
            n_simulations=4,
            brain=BrainOptions(trial_noise=n),
            progress=False,
        )
        for n in (0.1, 20.0)
    )
    assert float(silent.ceiling.mean()) > float(loud.ceiling.mean()) + 0.3
    assert (loud.attrs["trial_noise"], loud.attrs["n_trials"], loud.attrs["seed"]) == (20.0, 4, 0)
