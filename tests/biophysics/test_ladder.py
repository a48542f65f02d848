"""Each rung changes one thing and its limit is the rung below; calibration and retuning keep their promises."""

import logging
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from neurosim.biophysics import ConductanceParameters
from neurosim.biophysics.calibration import calibrate
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.homeostasis import homeostasis
from neurosim.biophysics.inputs import Input
from neurosim.biophysics.ladder import RUNGS, Ladder, climb
from neurosim.biophysics.learned_numbers import LearnedNumbers
from neurosim.biophysics.populations import Population
from neurosim.biophysics.presentation import check_stimuli, make_chunk
from neurosim.biophysics.projections import Projection
from neurosim.biophysics.retuning import RetuningOptions, retune
from neurosim.biophysics.simulation import choose_category, simulate
from neurosim.biophysics.torch_engine import import_torch
from neurosim.bridge import to_circuit
from neurosim.networks.recording import record_responses
from neurosim.parameters import DiscreteLIFParameters, DiscreteSynapticParameters
from neurosim.responses.spike_matching import count_pairs
from neurosim.schema import InputError, as_stimuli
from neurosim.stimuli.encoders import encode_rate

run = partial(simulate, engine="torch", progress=False)


def twin(reset="zero", parameters=None, n_time=40):
    """A feed-forward twin with biases, and input spikes for it."""
    rng = np.random.default_rng(3)
    neuron = parameters or DiscreteLIFParameters(tau_mem=8e-3, reset=reset)
    populations = (
        Population("a", 20, neuron, rng.normal(size=20) * 0.05, varying={"threshold": rng.uniform(0.8, 1.2, 20)}),
        Population("b", 8, neuron, rng.normal(size=8) * 0.05),
    )
    projections = (
        Projection("input", "a", rng.normal(size=(12, 20)) * 0.25 + 0.05),
        Projection("a", "b", rng.normal(size=(20, 8)) * 0.3 + 0.1),
    )
    spikes = as_stimuli((rng.random((6, n_time, 12)) < 0.3) * 1.0, dims=("stimulus", "time", "unit"), time_step=1e-3)
    return Circuit("twin", Input(12), populations, projections, 1e-3, 1e-3), spikes


def moved(a, b):
    """Share of spikes that have no partner within a step in the other."""
    pairs = count_pairs(a.values, b.values, 1).sum()
    return 1 - 2 * pairs / float(a.values.sum() + b.values.sum())


@pytest.mark.parametrize("reset", ["subtract", "zero", "immediate"])
def test_continuous_neurons_spike_as_the_discrete_ones(reset):
    """One time step a step: exponential decay between steps is the discrete recursion, spike for spike."""
    circuit, spikes = twin(reset)
    first, second = run(circuit, spikes), run(climb(circuit, "continuous"), spikes)
    assert first.sum() > 300
    np.testing.assert_array_equal(first.values, second.values)


def test_continuous_synaptic_neurons_spike_as_the_discrete_ones():
    """The synaptic current of snnTorch's Synaptic is the exponential synapse; exact without biases."""
    circuit, spikes = twin(parameters=DiscreteSynapticParameters(tau_mem=8e-3, tau_syn=3e-3))
    for p in circuit.populations:
        circuit = circuit.with_population(p.name, drive=0.0)
    first, second = run(circuit, spikes), run(climb(circuit, "continuous"), spikes)
    assert first.sum() > 100
    np.testing.assert_array_equal(first.values, second.values)


def test_finer_steps_converge():
    circuit, spikes = twin()
    counts = [run(climb(circuit, "fine", ladder=Ladder(dt=dt)), spikes).sum("time") for dt in (5e-4, 1e-4, 2e-5, 1e-5)]
    gaps = [float(np.abs(c - counts[-1]).mean()) for c in counts[:-1]]
    assert gaps[2] < 0.01 < gaps[0]
    assert gaps[0] > gaps[1] > gaps[2]


def test_ever_shorter_synaptic_currents_become_jumps():
    """With the reset that keeps what exceeds the threshold; a reset to rest drops what a jump brings beyond it."""
    circuit, spikes = twin("subtract")
    jumps = run(climb(circuit, "fine", ladder=Ladder(dt=2e-5)), spikes)
    shares = [
        moved(jumps, run(climb(circuit, "currents", ladder=Ladder(dt=2e-5, tau_syn=tau)), spikes))
        for tau in (2e-3, 2e-4, 2e-5)
    ]
    assert shares[0] > shares[1] > shares[2]
    assert shares[2] < 0.05


def test_ever_further_reversal_potentials_turn_conductances_into_currents():
    circuit, spikes = twin()
    currents = run(climb(circuit, "currents", ladder=Ladder(dt=2e-4)), spikes)
    shares = []
    for far in (0.1, 10.0, 1e4):
        kept = ConductanceParameters(e_exc=far, e_inh=-far - 0.12)
        shares.append(
            moved(currents, run(climb(circuit, "conductance", ladder=Ladder(dt=2e-4, conductance=kept)), spikes))
        )
    assert shares[0] > shares[1] >= shares[2]
    assert shares[2] < 0.01


def test_no_refractory_period_no_delay_and_no_noise_change_nothing():
    circuit, spikes = twin()
    below = run(climb(circuit, "conductance"), spikes)
    still = run(climb(circuit, "noise", ladder=Ladder(refractory=0.0, delay=0.0, noise=0.0)), spikes)
    np.testing.assert_array_equal(below.values, still.values)
    little = run(climb(circuit, "noise", ladder=Ladder(refractory=0.0, delay=0.0, noise=1e-8)), spikes)
    assert moved(below, little) < 0.01


def test_a_sharp_upstroke_without_adaptation_is_the_rung_below():
    circuit, spikes = twin()
    shares = []
    for delta_t, a, b in ((2e-3, 2e-9, 20e-12), (1e-4, 0.0, 0.0), (1e-6, 0.0, 0.0)):
        ladder = Ladder(dt=5e-5, noise=0.0, delta_t=delta_t, a=a, b=b)
        below, above = (run(climb(circuit, rung, ladder=ladder).adjusted("a", 4.0).adjusted("b", 4.0), spikes)
                        for rung in ("noise", "adex"))  # fmt: skip
        shares.append(moved(below, above))
    assert shares[0] > shares[1] > shares[2]
    assert shares[2] < 0.05


@pytest.mark.parametrize("rung", RUNGS)
def test_on_every_rung_brian2_and_torch_give_the_same_spikes(rung):
    """Noise included: both get the same numbers. Gains keep the higher rungs firing."""
    circuit, spikes = twin()
    climbed = climb(circuit, rung)
    if rung in list(RUNGS)[list(RUNGS).index("refractory") :]:
        climbed = climbed.adjusted("a", 6.0).adjusted("b", 6.0)
    first, second = run(climbed, spikes[:3]), simulate(climbed, spikes[:3], engine="brian2", progress=False)
    assert first.groupby("layer").sum(...).values.min() > 10
    np.testing.assert_array_equal(first.values, second.values)


def test_graded_input_climbs_too():
    """The input of a step becomes a current: the continuous circuit still spikes identically."""
    circuit, _ = twin()
    circuit = replace(circuit, inputs=Input(12, "current", 50e-3))
    shown = as_stimuli(np.random.default_rng(0).random((5, 12)))
    first, second = run(circuit, shown), run(climb(circuit, "continuous"), shown)
    assert first.sum() > 100
    np.testing.assert_array_equal(first.values, second.values)
    assert run(climb(circuit, "conductance"), shown).sum() > 20


def test_the_ladder_knows_its_rungs_and_what_has_none():
    circuit, _ = twin()
    assert climb(circuit, "exact") is circuit
    assert [climb(circuit, rung).rung for rung in RUNGS] == list(RUNGS)
    with pytest.raises(InputError, match="Did you mean 'conductance'"):
        climb(circuit, "conductances")
    with pytest.raises(InputError, match="above 'fine'"):
        climb(climb(circuit, "adex"), "fine")
    with pytest.raises(InputError, match="need a leak"):
        climb(twin(parameters=DiscreteLIFParameters(tau_mem=np.inf))[0], "continuous")
    with pytest.raises(InputError, match="need a leak"):
        climb(twin("none")[0], "continuous")
    with pytest.raises(InputError, match=r"keeps the reset .subtract., which AdEx"):
        climb(twin("subtract")[0], "adex", ladder=Ladder(reset="keep"))


@pytest.fixture(scope="module")
def trained(spiking_mlp):
    network, task = spiking_mlp
    encode = partial(encode_rate, n_steps=15)
    calibration = encode(task.train[:40])
    expected = record_responses(network, calibration, double=True, progress=False)
    return to_circuit(network), network, task, encode, calibration, expected


@pytest.mark.parametrize("rung", ["refractory", "adex", "hodgkin_huxley"])
def test_calibration_brings_every_layer_back_into_the_band(rung, trained):
    circuit, _, _, _, calibration, expected = trained
    climbed = climb(circuit, rung)
    calibrated, report = calibrate(climbed, calibration, expected, match="rates", progress=False)
    assert (report.rate_ratio_before < 0.8).any()
    assert report.in_band.all()
    wanted = expected.sum("time")
    before, after = (np.abs(run(c, calibration).sum("time") - wanted).mean() for c in (climbed, calibrated))
    assert after < 0.8 * before
    assert report.attrs["n_calibration_stimuli"] == 40


def test_calibration_leaves_alone_what_is_exact(trained):
    circuit, _, _, _, calibration, expected = trained
    _, report = calibrate(climb(circuit, "continuous"), calibration, expected, progress=False)
    assert report.gain.values.tolist() == [1, 1, 1]
    assert report.bias.values.tolist() == [0, 0, 0]


def test_a_layer_outside_the_band_is_warned_about(trained, caplog):
    circuit, _, _, _, calibration, expected = trained
    climbed = climb(circuit, "refractory", ladder=Ladder(refractory=20e-3))
    with caplog.at_level(logging.WARNING):
        _, report = calibrate(climbed, calibration, expected, match="rates", progress=False)
    assert not report.in_band.all()
    assert "outside 0.5..2" in caplog.text


def accuracy(circuit, task, shown):
    return float(
        (np.asarray(task.categories)[choose_category(circuit, run(circuit, shown))] == shown.category.values).mean()
    )


def test_retuning_brings_the_task_back(trained):
    """On images that were never used for it; gains, biases and thresholds alone, then with weights."""
    circuit, network, task, encode, calibration, expected = trained
    calibrated, _ = calibrate(climb(circuit, "refractory"), calibration, expected, match="rates", progress=False)
    tested, shown = encode(task.test), encode(task.train[:384], rng=7)
    before = accuracy(calibrated, task, tested)
    options = RetuningOptions(("gain", "bias", "threshold", "weights"), epochs=2, learning_rate=0.05)
    teacher = partial(record_responses, network, progress=False)
    tuned, history = retune(calibrated, shown, task.categories, options, teacher=teacher, rng=1, progress=False)
    after = accuracy(tuned, task, tested)
    assert after > before + 0.1
    assert history.loss[-1] < history.loss[0]
    short = replace(options, epochs=1)
    one, other = (retune(calibrated, shown[:64], task.categories, short, rng=1, progress=False)[0] for _ in range(2))
    np.testing.assert_array_equal(one.projections[0].weights, other.projections[0].weights)
    for before_q, after_q in zip(calibrated.projections, tuned.projections, strict=True):
        assert ((before_q.weights == 0) == (after_q.weights == 0)).all()


def test_the_tuned_circuit_is_the_one_that_was_trained(trained):
    """What training saw in float32 and what the finished circuit does in float64 and in Brian2 agree."""
    circuit, _, task, encode, calibration, expected = trained
    calibrated, _ = calibrate(climb(circuit, "adex", ladder=Ladder(noise=0.0)), calibration, expected, progress=False)
    options = RetuningOptions(("gain", "bias", "threshold"), epochs=1)
    tuned, _ = retune(calibrated, encode(task.train[:64]), task.categories, options, progress=False)
    shown = encode(task.train[64:80])
    np.testing.assert_array_equal(run(tuned, shown).values, simulate(tuned, shown, progress=False).values)
    assert "v_t" in tuned.populations[0].varying


@pytest.mark.parametrize("kind", ["spikes", "current"])
def test_what_is_learned_ends_up_in_the_circuit(kind):
    """Counts while learning (float32) are those of the finished circuit, for any learned numbers."""
    circuit, spikes = twin("zero")
    if kind == "current":
        circuit = replace(circuit, inputs=Input(12, "current", 40e-3))
    circuit = climb(circuit, "refractory").adjusted("a", 4.0).adjusted("b", 6.0)
    learned = LearnedNumbers(import_torch(), circuit, ("gain", "bias", "threshold", "weights"), "cpu")
    for parameter in learned.parameters():
        parameter.data.normal_(std=0.3, generator=import_torch().Generator().manual_seed(1))
    shown = spikes if kind == "spikes" else as_stimuli(np.random.default_rng(0).random((6, 12)))
    checked = check_stimuli(circuit, shown)
    chunk = make_chunk(circuit, checked, [(i, 0) for i in range(6)], 400, 0)
    counts = {name: c.detach().numpy() for name, c in learned.counts(chunk).items()}
    found = run(learned.circuit(), shown).sum("time")
    for name, count in counts.items():
        finished = found.values[:, found.layer.values == name]
        assert finished.sum() > 30
        assert np.abs(count - finished).sum() <= 0.02 * finished.sum()


def test_homeostasis_brings_rates_back_without_knowing_the_task(trained):
    circuit, _, _, _, calibration, expected = trained
    climbed = climb(circuit, "refractory")
    _, report = homeostasis(climbed, calibration, expected, rounds=8, progress=False)
    assert (report.after < 0.8 * report.before).all()


def test_calibration_and_retuning_refuse_what_makes_no_sense(trained):
    circuit, _, task, _, calibration, expected = trained
    climbed = climb(circuit, "conductance")
    silent = expected.copy(data=np.zeros_like(expected.values))
    for call, words in (
        (lambda: calibrate(circuit, calibration, expected), "nothing is to be calibrated"),
        (lambda: calibrate(climbed, calibration, expected[:5]), "different stimuli"),
        (lambda: calibrate(climbed, calibration, silent), "'hidden1' of the trained network is silent"),
        (lambda: calibrate(climbed, calibration, expected[..., 5:]), "units of layer 'hidden1'"),
        (lambda: retune(circuit, calibration, task.categories), "climb first"),
        (lambda: retune(climbed, calibration.drop_vars("category"), task.categories), "no 'category'"),
        (lambda: retune(climbed, calibration, task.categories[:9]), "9 categories are given, 10 neurons"),
        (lambda: retune(climbed, calibration, tuple("abcdefghij")), "is none of"),
        (lambda: RetuningOptions(("gains",)), "Did you mean 'gain'"),
        (lambda: RetuningOptions(epochs=0), "epochs"),
        (lambda: homeostasis(circuit, calibration, expected), "climb first"),
        (lambda: homeostasis(climbed, calibration, expected[..., 1:]), "61 units, the circuit 62"),
    ):
        with pytest.raises(InputError, match=words):
            call()
