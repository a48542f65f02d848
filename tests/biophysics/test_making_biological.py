"""A network made biological in one call: what is matched, learned where synapses are sparse and late, and told."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse

from neurosim.biophysics.calibration import _sent_back, calibrate, layer_counts, likeness_of
from neurosim.biophysics.circuit import Circuit, Readout
from neurosim.biophysics.inputs import Input
from neurosim.biophysics.ladder import Ladder, climb
from neurosim.biophysics.learned_numbers import LearnedNumbers
from neurosim.biophysics.making_biological import _split, make_biological, share_kept
from neurosim.biophysics.matching import MATCHES, choose_deciding, correlations, slopes
from neurosim.biophysics.neurons.hodgkin_huxley import HodgkinHuxleyParameters
from neurosim.biophysics.populations import Population
from neurosim.biophysics.presentation import check_stimuli, make_chunk
from neurosim.biophysics.projections import Projection
from neurosim.biophysics.reading import _fitted, _losses, read_as_trained
from neurosim.biophysics.retuning import RetuningOptions, _parts, held_back, retune
from neurosim.biophysics.retuning_cost import Clock, bytes_kept, copies_at_once
from neurosim.biophysics.simulation import choose_category, simulate
from neurosim.biophysics.torch_engine import import_torch
from neurosim.parameters import DiscreteLIFParameters
from neurosim.schema import InputError, as_responses, as_stimuli

CELLS = DiscreteLIFParameters(tau_mem=8e-3, reset="zero")
ONE_EPOCH = RetuningOptions(epochs=1)
LAYERS = {"layer": ("unit", ["a"] * 6 + ["b"] * 2)}
COUNTS = np.random.default_rng(0).poisson(4.0, (3, 50, 4)).astype(float)


OF = ["even", "odd"]


def two_groups(n=60, n_time=20):
    """Spikes of two categories, of which each makes half of the inputs fire often."""
    rng = np.random.default_rng(1)
    often = np.where(np.arange(n)[:, None] % 2 == np.arange(8) % 2, 0.5, 0.15)
    values = (rng.random((n, n_time, 8)) < often[:, None]) * 1.0
    shown = as_stimuli(values, dims=("stimulus", "time", "unit"), time_step=1e-3)
    return shown.assign_coords(category=("stimulus", [("even", "odd")[k % 2] for k in range(n)]))


def network():
    """A network of two layers that tells the two apart."""
    rng = np.random.default_rng(2)
    first = np.where(np.arange(8)[:, None] % 2 == np.arange(6) % 2, 0.4, -0.2) + rng.normal(size=(8, 6)) * 0.05
    second = np.where(np.arange(6)[:, None] % 2 == np.arange(2), 0.6, -0.3)
    populations = (Population("a", 6, CELLS), Population("b", 2, CELLS))
    wires = (Projection("input", "a", first), Projection("a", "b", second))
    return Circuit("two", Input(8), populations, wires, 1e-3, 1e-3)


def test_correlations_and_slopes_are_those_of_numpy():
    wanted, found = COUNTS[0], COUNTS[1]
    for i in range(4):
        assert correlations(found, wanted)[i] == pytest.approx(np.corrcoef(found[:, i], wanted[:, i])[0, 1])
        expected = np.clip(np.polyfit(found[:, i], wanted[:, i], 1)[0], 0.2, 5.0)
        assert slopes(found, wanted)[i] == pytest.approx(expected)
    assert correlations(np.ones((5, 1)), wanted[:5, :1]).tolist() == [0.0]
    assert slopes(np.ones((5, 1)), wanted[:5, :1]).tolist() == [1.0]


def test_correlation_takes_counts_up_to_one_scale_and_rates_do_not():
    """Half the counts of every neuron are right up to a scale; of the rates only the same are."""
    wanted = COUNTS[0]
    found = np.stack([0.447 * wanted, np.roll(wanted, 1, axis=0)])
    assert MATCHES["correlation"].cost(found, wanted).argmin(0).tolist() == [0] * 4
    same = np.stack([0.447 * wanted, wanted])
    assert MATCHES["rates"].cost(same, wanted).argmin(0).tolist() == [1] * 4


def test_deciding_neurons_are_chosen_for_the_choice():
    """Each neuron has one candidate that answers as trained and two that do not; together they name what was named."""
    wanted = COUNTS[0]
    found = np.stack([wanted[::-1], np.zeros_like(wanted), wanted])
    chosen = choose_deciding(found, wanted, np.zeros(4, dtype=int))
    now = np.stack([found[c, :, i] for i, c in enumerate(chosen)], axis=1)
    before = (found[0].argmax(1) == wanted.argmax(1)).mean()
    assert (now.argmax(1) == wanted.argmax(1)).mean() > max(before, 0.9)


def test_neurons_that_hear_each_other_and_later_ones_are_calibrated():
    """What is exact stays: with one step a step, and the trained spikes in the place of what comes back."""
    circuit = network()
    rng = np.random.default_rng(4)
    back = (Projection("a", "a", rng.normal(size=(6, 6)) * 0.1), Projection("b", "a", rng.normal(size=(2, 6)) * 0.1))
    circuit = replace(circuit, projections=(*circuit.projections, *back))
    shown = two_groups(20)
    expected = simulate(circuit, shown, engine="torch", progress=False)
    _, report = calibrate(climb(circuit, "continuous"), shown, expected, progress=False)
    assert report.gain.values.tolist() == [1, 1] and report.bias.values.tolist() == [0, 0]
    np.testing.assert_allclose(report.correlation, 1)


def test_what_is_told_of_neurons_that_hear_each_other_is_what_they_do():
    """Rates and correlations of the report are those of a run of the calibrated circuit, feedback and all."""
    circuit, shown = network(), two_groups(30)
    back = Projection("a", "a", np.random.default_rng(4).normal(size=(6, 6)) * 0.3)
    circuit = replace(circuit, projections=(*circuit.projections, back))
    expected = simulate(circuit, shown, engine="torch", progress=False)
    climbed = climb(circuit, "refractory", ladder=Ladder(dt=5e-4))
    calibrated, report = calibrate(climbed, shown, expected, progress=False)
    found, wanted = (
        layer_counts(circuit, shown, one, "test")
        for one in (simulate(calibrated, shown, engine="torch", progress=False), expected)
    )
    likeness = np.array([likeness_of(found[name], wanted[name]) for name in "ab"])
    np.testing.assert_allclose(np.stack([report.rate_ratio, report.correlation], 1), likeness, rtol=1e-6)
    assert (report.rate_ratio < 0.99).all()


def test_what_a_neuron_sends_is_scaled_wherever_it_goes():
    circuit = replace(network(), readout=Readout("a", np.ones((6, 3)), np.zeros(3)))
    factor = np.arange(1.0, 7)
    sparse = scipy.sparse.csr_array(np.triu(np.ones((6, 2))))
    circuit = replace(circuit, projections=(circuit.projections[0], Projection("a", "b", sparse, sparse * 1e-3)))
    scaled = circuit.relayed("a", factor)
    np.testing.assert_array_equal(scaled.projections[1].weights.toarray(), sparse.toarray() * factor[:, None])
    np.testing.assert_array_equal(scaled.projections[1].delays(), circuit.projections[1].delays())
    np.testing.assert_array_equal(scaled.readout.weights, factor[:, None] * np.ones(3))
    assert scaled.projections[0] is circuit.projections[0]


def test_channels_are_as_dense_as_in_their_paper_and_the_membrane_stays():
    climbed = climb(network(), "hodgkin_huxley").populations[0].parameters
    below, published = climb(network(), "adex").populations[0].parameters, HodgkinHuxleyParameters()
    assert (climbed.capacitance, climbed.g_leak) == (below.capacitance, below.g_leak)
    for name in ("g_na", "g_k"):
        density = getattr(published, name) / published.capacitance
        assert getattr(climbed, name) / climbed.capacitance == pytest.approx(density)


@pytest.mark.parametrize("rung", ["fine", "conductance"])
def test_sparse_late_synapses_are_learned_as_dense_ones_are(rung):
    """Weights in the places of sparse ones, with a delay each: counts and gradients are those of a dense matrix."""
    circuit = climb(network(), rung, ladder=Ladder(dt=5e-4)).adjusted("a", 2.0).adjusted("b", 2.0)
    rng, torch = np.random.default_rng(3), import_torch()
    late = rng.integers(1, 4, (6, 2)) * 1e-3
    found = []
    for kind in (np.asarray, scipy.sparse.csr_array):
        wires = (circuit.projections[0], Projection("a", "b", kind(circuit.projections[1].weights), kind(late)))
        learned = LearnedNumbers(torch, replace(circuit, projections=wires), ("weights",), "cpu")
        shown = two_groups(6)
        checked = check_stimuli(circuit, shown)
        chunk = make_chunk(circuit, checked, [(i, 0) for i in range(6)], 20 * circuit.substeps, 0)
        counts = learned.counts(chunk)["b"]
        (counts * torch.arange(1.0, 3)).sum().backward()
        finished = learned.circuit().projections[1]
        assert scipy.sparse.issparse(finished.weights) == (kind is not np.asarray)
        found.append((counts.detach().numpy(), learned.weights[1].grad.numpy().ravel(), finished.synapses()[2]))
    assert found[0][0].sum() > 10 and np.abs(found[0][1]).max() > 0
    for dense, sparse in zip(*found, strict=True):
        np.testing.assert_allclose(sparse, dense, rtol=1e-3, atol=1e-6)


def test_a_share_that_is_held_back_ends_retuning_and_keeps_the_best():
    circuit, shown = climb(network(), "currents", ladder=Ladder(dt=1e-3)), two_groups()
    options = RetuningOptions(("bias",), epochs=30, learning_rate=5.0, validation=0.3, patience=2)
    tuned, history = retune(circuit, shown, ["even", "odd"], options, progress=False)
    assert history.sizes["epoch"] < 30
    best = max([history.attrs["validation_accuracy_before"], *history.validation_accuracy.values])
    held, learnt = held_back(60, 0.3, 0)
    assert sorted([*held, *learnt]) == list(range(60)) and len(held) == 18
    answers = simulate(tuned, shown[held], engine="torch", progress=False).sum("time")
    last = answers.values[:, answers.layer.values == "b"].argmax(1)
    assert np.mean(last == held % 2) == pytest.approx(best, abs=0.06)


def test_one_call_makes_a_network_biological_and_tells_what_it_did():
    options = RetuningOptions(("gain", "bias"), epochs=2, validation=0.3)
    made = make_biological(network(), "adex", two_groups(), ["even", "odd"], options=options, progress=False)
    report = made.report
    assert report.stage.values.tolist() == ["climbed", "calibrated", "retuned"]
    assert [report.attrs[f"n_{kind}"] for kind in ("reported", "chosen", "learnt")] == [9, 9, 42]
    assert report.share_kept.sel(stage="calibrated") >= 0.8
    assert (report.correlation.sel(stage="calibrated") > report.correlation.sel(stage="climbed")).any()
    right = np.rint(9 * report.accuracy.values).astype(int)
    spreads = [np.std(np.arange(9) < n) / np.sqrt(9) for n in right]
    np.testing.assert_allclose(report.standard_error, spreads, atol=1e-12)
    assert float(report.accuracy_chosen.sel(stage=made.stage)) == report.accuracy_chosen.max()
    assert made.history.attrs["validation_accuracy_before"] == report.accuracy_chosen.sel(stage="calibrated")
    assert made.circuit.rung == made.calibrated.rung == "adex"
    table = repr(made)
    assert "calibrated" in table and f"{made.history.sizes['epoch']} epochs on 42" in table


def test_stimuli_that_report_choose_nothing():
    """Other categories of the stimuli that report change what is told of them, and nothing that is made."""
    circuit, shown = network(), two_groups(40)
    options = RetuningOptions(("bias",), epochs=2, batch_size=16, validation=0.3)
    reported = _split(shown, 0.3, 0).reported
    labels = shown.category.values.copy()
    labels[reported[:4]] = np.where(labels[reported[:4]] == "odd", "even", "odd")
    makes = [
        make_biological(circuit, "currents", x, OF, ladder=Ladder(dt=1e-3), options=options, progress=False)
        for x in (shown, shown.assign_coords(category=("stimulus", labels)))
    ]
    first, second = (made.circuit for made in makes)
    assert first == second and not (makes[0].report.accuracy == makes[1].report.accuracy).all()
    np.testing.assert_array_equal(makes[0].report.accuracy_chosen, makes[1].report.accuracy_chosen)


def test_what_is_returned_is_the_best_stage_and_chance_is_told(caplog):
    """A rate of learning that ruins the circuit leaves it as it was; labels without meaning are at chance."""
    shown = two_groups(80)
    ruins = RetuningOptions(("bias", "weights"), epochs=1, batch_size=16, learning_rate=9.0, validation=0.3)
    made = make_biological(network(), "currents", shown, OF, ladder=Ladder(dt=1e-3), options=ruins, progress=False)
    chosen = made.report.accuracy_chosen
    assert float(chosen.sel(stage=made.stage)) == chosen.max() and "within its error" not in caplog.text
    drawn = shown.assign_coords(category=("stimulus", np.random.default_rng(3).permutation(shown.category.values)))
    make_biological(network(), "fine", drawn, OF, options=None, progress=False)
    assert "%) within its error; show more" in caplog.text and "longer step" in caplog.text


def test_a_batch_in_parts_has_the_gradient_of_the_batch():
    """Parts of a batch, noise and all, add up to its gradient; so memory bounds parts, and no result."""
    circuit = climb(network(), "noise", ladder=Ladder(dt=5e-4)).adjusted("a", 2.0).adjusted("b", 2.0)
    options, found = RetuningOptions(batch_size=7, fidelity=0.5), []
    shown = two_groups(7, n_time=8)
    wanted = {"a": np.ones((7, 6)), "b": np.arange(14.0).reshape(7, 2)}
    for at_once in (7, 3):
        learned = LearnedNumbers(import_torch(), circuit, ("bias", "weights"), "cpu")
        parts = list(_parts(learned, shown, wanted, OF, options, 0, 0, at_once))
        assert [part.is_last for part in parts] == [False] * (len(parts) - 1) + [True]
        for part in parts:
            (part.loss * part.share).backward()
        found.append(np.concatenate([p.grad.numpy().ravel() for p in learned.parameters()]))
    assert np.abs(found[0]).max() > 0
    np.testing.assert_allclose(found[1], found[0], rtol=1e-3, atol=1e-6)


def test_memory_of_a_gradient_is_foretold_and_too_much_of_it_refused():
    """What two steps keep, times the steps and copies, is what all keep."""
    circuit = climb(network(), "adex", ladder=Ladder(dt=5e-4))
    learned, shown = LearnedNumbers(import_torch(), circuit, ("weights",), "cpu"), two_groups(6)
    checked = check_stimuli(circuit, shown)
    short, whole = (make_chunk(circuit, checked, [(i, 0) for i in range(6)], n, 0) for n in (8, 40))
    kept = bytes_kept(learned, whole, 40)
    assert copies_at_once(learned, short, 40, memory=kept) in (5, 6, 7)
    with pytest.raises(InputError, match=r"gradient of one stimulus of 'two' needs .* show shorter stimuli"):
        copies_at_once(learned, short, 40, memory=kept // 12)


def test_time_is_told_where_it_is_long(caplog):
    clock = Clock("two", 4)
    clock.begun -= 200
    clock.tick()
    assert "about 13 minutes" in caplog.text
    caplog.clear()
    clock.tick()
    Clock("two", 1000).tick()
    assert not caplog.text


def test_categories_are_words_and_stimuli_stand_in_any_order_of_dims():
    circuit, shown = network(), two_groups(24)
    numbered = shown.assign_coords(category=("stimulus", (shown.category.values == "odd").astype(int)))
    told = make_biological(circuit, "fine", shown, OF, options=None, progress=False).report
    again = make_biological(circuit, "fine", numbered.transpose(..., "stimulus"), [0, 1], options=None, progress=False)
    np.testing.assert_array_equal(told.accuracy, again.report.accuracy)
    np.testing.assert_array_equal(told.rate_ratio, again.report.rate_ratio)


def test_making_biological_refuses_what_makes_no_sense():
    circuit, shown = network(), two_groups(24)
    for call, words in (
        (lambda: make_biological(circuit, "exact", shown, ["even", "odd"]), "a rung above 'exact'"),
        (lambda: make_biological(climb(circuit, "fine"), "adex", shown, ["even", "odd"]), "a translated network"),
        (lambda: make_biological(circuit, "adex", shown[:9], ["even", "odd"]), "20 stimuli or more"),
        (lambda: make_biological(circuit, "adex", shown, ["odd", "even"]), "right about none"),
        (lambda: make_biological(circuit, "adex", shown, ["even", "odd"], options="often"), "'usual' or None"),
        (lambda: make_biological(object(), "adex", shown, ["even", "odd"]), "a circuit asked, found object"),
        (lambda: make_biological(circuit, "adex", shown, "ab"), "a list of the names .* found 'ab'"),
        (lambda: make_biological(circuit, "adex", shown, ["even"]), "1 categories are given, 2 neurons"),
        (lambda: make_biological(circuit, "adex", shown, ["even", "even"]), "a name twice"),
        (lambda: make_biological(circuit, "adex", shown, ["even", "odds"]), "'odd' is none of .* mean 'odds'"),
        (lambda: make_biological(circuit, "adex", shown.drop_vars("category"), ["even", "odd"]), "no 'category' label"),
        (
            lambda: make_biological(circuit, "adex", shown.assign_coords(category=("stimulus", ["odd"] * 24)), OF),
            "all stimuli are of one category",
        ),
        (
            lambda: make_biological(circuit, "adex", shown, ["even", "odd"], options=RetuningOptions()),
            "hold stimuli back",
        ),
        (lambda: calibrate(climb(circuit, "fine"), shown, shown, match="rate"), "Did you mean 'rates'"),
        (lambda: RetuningOptions(validation=0.9), "validation in 0..0.5"),
    ):
        with pytest.raises(InputError, match=words):
            call()


def answers_of(counts):
    """Spikes whose counts of the last population are those given, a step for each."""
    n_time = int(counts.max())
    values = (np.arange(n_time)[None, :, None] < counts[:, None, :]) * 1.0
    return as_responses(np.concatenate([np.zeros((*values.shape[:2], 6)), values], -1), coords=LAYERS)


def test_a_readout_tells_what_ties_of_few_spikes_do_not():
    """The first neuron always fires once, the second where it names: a tie, which the first one wins."""
    fires = np.random.default_rng(5).integers(0, 2, 60)
    trained, expected = network(), answers_of(np.stack([8 * (1 - fires), 8 * fires], 1))
    few = answers_of(np.stack([np.ones(60, int), fires], 1))
    assert not choose_category(trained, few).any()
    np.testing.assert_array_equal(choose_category(read_as_trained(trained, trained, expected, few), few), fires)


def test_a_readout_reads_those_who_drive_where_these_who_name_do_not_tell():
    """The last neurons say nothing, those before them fire as trained: they are read, by the weights they have."""
    trained, rng = network(), np.random.default_rng(9)
    expected = simulate(trained, two_groups(40), engine="torch", progress=False)
    values = expected.values.copy()
    values[..., 6:] = rng.permutation(values[..., 6:])
    named = choose_category(trained, expected)
    read = read_as_trained(trained, trained, expected, expected.copy(data=values))
    assert read.readout.source == "a"
    assert (choose_category(read, expected.copy(data=values)) == named).mean() > 0.9
    drive = trained.projections[1].weights
    near = np.corrcoef((read.readout.weights[:, 0] - read.readout.weights[:, 1]), drive[:, 0] - drive[:, 1])[0, 1]
    assert near > 0.5


def test_a_readout_without_evidence_stays_that_of_the_trained_network():
    """Answers that say nothing of what was named are worth no change: cross-validation takes the strongest penalty."""
    trained, rng = network(), np.random.default_rng(6)
    expected, noise = (answers_of(rng.poisson(3.0, (40, 2))) for _ in range(2))
    read = read_as_trained(trained, trained, expected, noise).readout
    likely = read.weights[0, 0] + read.weights[1, 1] - read.weights[0, 1] - read.weights[1, 0]
    assert abs(likely) < 0.5 and read.source == "b"


def test_a_readout_of_membranes_stays_as_it_is():
    trained = replace(network(), readout=Readout("b", np.eye(2), np.zeros(2), "last_membrane"))
    answers = answers_of(np.ones((4, 2), int))
    assert read_as_trained(trained, trained, answers, answers) is trained


def test_the_share_that_is_kept_and_its_error_are_those_of_a_bootstrap():
    rng = np.random.default_rng(7)
    before = (rng.random(400) < 0.8) * 1.0
    now = np.where(rng.random(400) < 0.1, 0.0, before)
    share, error = share_kept(now, before)
    drawn = rng.integers(0, 400, (4000, 400))
    shares = now[drawn].mean(1) / before[drawn].mean(1)
    assert share == pytest.approx(now.sum() / before.sum()) and error == pytest.approx(shares.std(), rel=0.06)
    assert share_kept(before, before) == (1.0, 0.0)


def test_what_comes_back_is_replayed_with_the_input_of_the_next_step():
    """Trained spikes of step k reach a finer circuit when input k + 1 does."""
    circuit = climb(network(), "fine", ladder=Ladder(dt=2.5e-4))
    circuit = replace(circuit, projections=(*circuit.projections, Projection("a", "a", np.eye(6))))
    spikes = as_responses(np.random.default_rng(8).integers(0, 2, (3, 5, 8)) * 1.0, coords=LAYERS)
    steps = _sent_back(circuit, spikes, np.arange(3), "cpu")["a"].numpy()
    assert steps.shape == (20, 3, 6)
    np.testing.assert_array_equal(steps[4::4], spikes.values.transpose(1, 0, 2)[:-1, :, :6] > 0)
    assert steps.sum() == steps[4::4].sum()


@pytest.mark.parametrize("bias", [0.0, 0.43])
def test_what_is_learned_is_read_as_categories_are_chosen(bias):
    """With a readout that has a bias, the largest logit of retuning is the category that is chosen."""
    circuit = replace(
        climb(network(), "currents", ladder=Ladder(dt=1e-3)), readout=Readout("b", np.eye(2), [bias, 0.0])
    )
    shown = two_groups(20)
    learned = LearnedNumbers(import_torch(), circuit, ("bias",), "cpu")
    chunk = make_chunk(circuit, check_stimuli(circuit, shown), [(i, 0) for i in range(20)], 20, 0)
    logits = learned.logits(learned.counts(chunk), 20).detach().numpy().argmax(1)
    answers = simulate(circuit, shown, engine="torch", progress=False)
    np.testing.assert_array_equal(logits, choose_category(circuit, answers))
    assert len(np.unique(logits)) == 2


def test_a_readout_is_drawn_towards_the_weights_and_the_bias_of_the_trained_one_and_its_gradient_is_right():
    rng = np.random.default_rng(0)
    given, wanted = rng.random((40, 3)), rng.dirichlet(np.ones(2), 40)
    before = Readout("cells", rng.normal(size=(3, 2)), np.array([0.7, -0.4]))
    weights, bias = _fitted(given, wanted, before, 1e9)
    scale = bias / before.bias
    np.testing.assert_allclose(scale[0], scale[1], rtol=1e-4)
    np.testing.assert_allclose(weights, scale[0] * before.weights, rtol=1e-4)
    free, near = (_losses(_fitted(given, wanted, before, p), given, wanted).sum() for p in (1e-6, 1e9))
    plain = scipy.optimize.minimize(
        lambda x: _losses((x[:6].reshape(3, 2), x[6:]), given, wanted).sum(), np.zeros(8), method="BFGS"
    )
    assert free < near and abs(free - plain.fun) < 1e-3 * plain.fun
