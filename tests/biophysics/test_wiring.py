"""Connection rules draw what they say: degrees exactly, probabilities and distances by their laws, always the same."""

import tracemalloc
from itertools import combinations

import numpy as np
import pytest
import scipy.spatial.distance
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

import neurosim as ns
from neurosim.biophysics import (
    CONNECTION_RULES,
    DISTRIBUTIONS,
    AllToAll,
    ExponentialDistance,
    FixedIndegree,
    FixedOutdegree,
    FixedProbability,
    FixedTotal,
    FromTable,
    GaussianDistance,
    Input,
    LIFParameters,
    Lognormal,
    Normal,
    OneToOne,
    Population,
    Ring,
    Truncated,
    Uniform,
    connect,
    grid_positions,
    random_positions,
    ring_positions,
)
from neurosim.biophysics.distances import _gap, distance
from neurosim.refusals import InputError

RULES = list(CONNECTION_RULES.values())
RANDOM = [
    "exponential_distance",
    "fixed_indegree",
    "fixed_outdegree",
    "fixed_probability",
    "fixed_total",
    "gaussian_distance",
]
WORLD = (1e-3, 1e-3)


def cells(name="a", n=30, positions=None):
    return Population(name, n, LIFParameters(), positions=positions)


def placed(name="a", n=30, seed=0):
    return cells(name, n, random_positions(n, WORLD, rng=seed))


def joined(rule, source=None, target=None, **options):
    options = {"weight": 1.0} | options
    source = cells() if source is None else source
    return connect(rule, source, source if target is None else target, **options).weights.toarray()


def bytes_of(projection):
    weights = projection.weights
    return b"".join(part.tobytes() for part in (weights.data, weights.indices, weights.indptr))


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.name)
def test_a_rule_draws_the_same_bytes_for_a_seed_whatever_was_drawn_before(rule):
    a, b = placed("a"), placed("b", seed=1)
    first = connect(rule.example, a, b, weight=Lognormal(1e-3, 1e-3), rng=5)
    connect(FixedProbability(0.3), b, a, weight=1.0, rng=5)
    assert bytes_of(connect(rule.example, a, b, weight=Lognormal(1e-3, 1e-3), rng=5)) == bytes_of(first)
    other = connect(rule.example, a, b, weight=2.0, rng=5).weights
    np.testing.assert_array_equal(other.indices, first.weights.indices)
    assert (other.data == 2.0).all()


@pytest.mark.parametrize("name", RANDOM)
def test_other_seeds_and_other_populations_have_other_synapses(name):
    rule, a = CONNECTION_RULES[name].example, placed()
    drawn = [joined(rule, a, placed(target, seed=0), rng=seed) for target, seed in (("a", 0), ("a", 1), ("b", 0))]
    assert not any(np.array_equal(x, y) for x, y in combinations(drawn, 2))


@pytest.mark.parametrize("skips", [False, True])
@pytest.mark.parametrize("multapses", [False, True])
def test_degrees_are_exact(skips, multapses):
    a = cells(n=25)
    options = {"self_connections": not skips, "rng": 3}
    indegree = joined(FixedIndegree(7, multapses), a, **options)
    outdegree = joined(FixedOutdegree(24, multapses), a, **options)
    total = joined(FixedTotal(311, multapses), a, **options)
    assert (indegree.sum(0) == 7).all()
    assert (outdegree.sum(1) == 24).all()
    assert total.sum() == 311
    for drawn in (indegree, outdegree, total):
        assert bool(np.trace(drawn) == 0) >= skips
        assert (drawn.max() > 1) == multapses


def test_a_full_draw_is_all_pairs():
    a, all_pairs = cells(n=9), np.ones((9, 9))
    for rule in (FixedIndegree(9), FixedOutdegree(9), FixedTotal(81), FixedProbability(1.0), AllToAll()):
        np.testing.assert_array_equal(joined(rule, a), all_pairs)
    for rule in (FixedIndegree(8), FixedOutdegree(8), FixedTotal(72), FixedProbability(1.0), AllToAll()):
        np.testing.assert_array_equal(joined(rule, a, self_connections=False), all_pairs - np.eye(9))


def test_every_pair_has_its_probability_independently():
    a, b = cells("a", 200), cells("b", 150)
    drawn = np.stack([joined(FixedProbability(0.2), a, b, rng=seed) for seed in range(20)])
    z = (drawn.sum((1, 2)) - 6000) / np.sqrt(30000 * 0.2 * 0.8)
    assert scipy.stats.kstest(z, "norm").pvalue > 1e-3
    by_target = np.bincount(drawn.sum(1).astype(int).ravel(), minlength=201) / (20 * 150)
    law = scipy.stats.binom(200, 0.2).pmf(np.arange(201))
    assert np.abs(np.cumsum(by_target) - np.cumsum(law)).max() < 1.95 / np.sqrt(20 * 150)
    assert abs(np.corrcoef(drawn[:, 0, :-1].ravel(), drawn[:, 0, 1:].ravel())[0, 1]) < 4 / np.sqrt(20 * 149)


@pytest.mark.parametrize("rule", [FixedTotal(2), FixedIndegree(1), FixedOutdegree(1)])
def test_every_set_of_synapses_is_as_likely_as_any_other(rule):
    a, b = cells("a", 2), cells("b", 2)
    sets = [joined(rule, a, b, rng=seed).astype(int).tobytes() for seed in range(1500)]
    counts = np.array([sets.count(one) for one in set(sets)])
    assert len(counts) == (6 if isinstance(rule, FixedTotal) else 4)
    assert scipy.stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize("torus", [None, WORLD])
@pytest.mark.parametrize(
    ("rule", "law"),
    [
        (GaussianDistance(0.8, 2e-4), lambda d: 0.8 * np.exp(-(d**2) / (2 * 2e-4**2))),
        (ExponentialDistance(0.6, 1.5e-4), lambda d: 0.6 * np.exp(-d / 1.5e-4)),
    ],
    ids=["gaussian", "exponential"],
)
def test_synapses_thin_out_with_the_distance_by_the_law(rule, law, torus):
    a, b = placed("a", 1100), placed("b", 1000, seed=1)  # so many that they are drawn by cells
    drawn = joined(type(rule)(*[getattr(rule, f) for f in list(rule.__dataclass_fields__)[:2]], torus), a, b)
    shifts = [(0, 0)] if torus is None else [(i * 1e-3, j * 1e-3) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    apart = np.min([np.hypot(*np.moveaxis(a.positions[:, None] - b.positions + s, -1, 0)) for s in shifts], axis=0)
    bins = np.digitize(apart, np.linspace(0, 5e-4, 11))
    for k in range(12):
        p = law(apart[bins == k])
        if len(p):
            assert abs(drawn[bins == k].sum() - p.sum()) < 4 * np.sqrt((p * (1 - p)).sum()) + 1


@given(st.lists(st.tuples(*[st.floats(0, 1)] * 4), min_size=1, max_size=5), st.floats(1.0, 3.0))
def test_the_way_round_a_torus_is_the_shortest_of_all_its_images(pairs, size):
    a, b = np.array(pairs)[:, :2], np.array(pairs)[:, 2:]
    images = [np.linalg.norm(a - b + size * np.array([i, j]), axis=1) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    np.testing.assert_allclose(distance(a, b, (size, size)), np.min(images, axis=0), atol=1e-12)


@given(st.integers(0, 10**6), st.booleans())
def test_no_pair_of_two_boxes_is_nearer_than_their_gap(seed, closed):
    rng = np.random.default_rng(seed)
    a, b = (rng.random(2) * 0.7 + rng.random((4, 2)) * 0.3 for _ in range(2))
    torus = (1.0, 1.2) if closed else None
    nearest = distance(a[:, None], b[None], torus).min()
    assert _gap(a, b, torus) <= nearest + 1e-12
    assert _gap(a[:1], b[:1], torus) == pytest.approx(distance(a[0], b[0], torus))


def test_the_same_network_runs_on_two_engines():
    a = cells("a", 12)
    wires = (
        connect(FixedIndegree(5), Input(6), a, weight=Normal(6e-3, 1e-3), rng=1),
        connect(FixedProbability(0.3), a, a, weight=Normal(1e-3, 1e-4), delay=Uniform(1e-3, 3e-3), dt=5e-4, rng=2),
    )
    circuit = ns.biophysics.Circuit("c", Input(6), (a,), wires, dt=5e-4, step=1e-3)
    shown = (np.random.default_rng(0).random((2, 40, 6)) < 0.2).astype(float)
    stimuli = ns.as_stimuli(shown, dims=("stimulus", "time", "unit"), time_step=1e-3)
    one, other = (ns.simulate(circuit, stimuli, engine=engine, progress=False) for engine in ("brian2", "torch"))
    np.testing.assert_array_equal(one.values, other.values)
    assert one.sum() > 20


def test_rules_without_chance():
    a, b = cells("a", 5), cells("b", 5)
    np.testing.assert_array_equal(joined(OneToOne(), a, b), np.eye(5))
    np.testing.assert_array_equal(joined(Ring(1), a, b)[0], [0, 1, 0, 0, 1])
    np.testing.assert_array_equal(joined(Ring(2), a, b), np.ones((5, 5)) - np.eye(5))
    np.testing.assert_array_equal(joined(AllToAll(), Input(3), b), np.ones((3, 5)))


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6), st.floats(0.1, 9.0)), min_size=1, max_size=30))
def test_a_table_is_what_it_lists_and_what_is_there_twice_adds_up(rows):
    sources, targets, values = (np.array(x) for x in zip(*rows, strict=True))
    a, b = cells("a", 5), cells("b", 7)
    expected = np.zeros((5, 7))
    np.add.at(expected, (sources, targets), values)
    table = FromTable(sources, targets, multapses=True)
    np.testing.assert_allclose(joined(table, a, b, weight=values), expected)
    if len({(s, t) for s, t, _ in rows}) < len(rows):
        with pytest.raises(InputError, match=r"the table joins \d and \d . times"):
            joined(FromTable(sources, targets), a, b, weight=values)


def test_delays_are_drawn_in_steps_and_do_not_change_what_else_is_drawn():
    a, b = cells("a", 60), cells("b", 60)
    options = {"weight": Normal(2.0, 0.5), "rng": 4}
    plain = connect(FixedProbability(0.5), a, b, **options)
    late = connect(FixedProbability(0.5), a, b, delay=Uniform(0.0, 4e-3), dt=1e-3, **options)
    assert bytes_of(late) == bytes_of(plain)
    steps, counts = np.unique(np.rint(late.delays() / 1e-3), return_counts=True)
    np.testing.assert_array_equal(steps, [1, 2, 3, 4])
    share = np.array([1.5, 1, 1, 0.5]) / 4
    assert scipy.stats.chisquare(counts, share * counts.sum()).pvalue > 1e-3
    listed = connect(FromTable([1, 0], [2, 3]), a, b, weight=[5.0, 6.0], delay=[2e-3, 1e-3])
    assert [x.tolist() for x in (*listed.synapses(), listed.delays())] == [[0, 1], [3, 2], [6, 5], [1e-3, 2e-3]]


def test_synapses_of_one_pair_add_weights_drawn_for_each():
    a, b = cells("a", 3), cells("b", 400)
    drawn = joined(FixedIndegree(50, multapses=True), a, b, weight=Normal(2.0, 0.5))
    received = drawn.sum(0)
    assert scipy.stats.kstest((received - 100) / np.sqrt(50 * 0.25), "norm").pvalue > 1e-3


@pytest.mark.parametrize(
    ("spread", "law"),
    [
        (Normal(-2.0, 0.5), scipy.stats.norm(-2, 0.5)),
        (Uniform(1.0, 4.0), scipy.stats.uniform(1, 3)),
        (Truncated(Normal(1.0, 1.0), 0.5, 2.0), scipy.stats.truncnorm(-0.5, 1, 1, 1)),
        (Truncated(Lognormal(2.0, 1.0), low=1.0), None),
    ],
)
def test_weights_follow_their_distribution(spread, law):
    values = connect(AllToAll(), cells(n=60), cells(n=60), weight=spread).values
    if law is not None:
        assert scipy.stats.kstest(values, law.cdf).pvalue > 1e-3
    else:
        assert values.min() >= 1


@pytest.mark.parametrize("mean", [2.0, -2.0])
def test_a_lognormal_has_the_mean_and_spread_of_the_values(mean):
    values = connect(AllToAll(), cells(n=300), cells(n=300), weight=Lognormal(mean, 1.0)).values
    assert values.mean() == pytest.approx(mean, abs=4 / 300)
    assert values.std() == pytest.approx(1.0, rel=0.05)
    assert (np.sign(values) == np.sign(mean)).all()
    logs = np.log(np.abs(values))
    assert abs(scipy.stats.skew(logs)) < 0.05


@pytest.mark.parametrize("found", DISTRIBUTIONS.values(), ids=lambda d: d.name)
def test_every_distribution_gives_weights(found):
    assert (connect(AllToAll(), cells(), cells(), weight=found.example()).values > 0).all()


def test_a_draw_never_holds_all_pairs():
    a = placed(n=10_000)
    for rule in (FixedIndegree(40), FixedProbability(4e-3), FixedTotal(400_000), GaussianDistance(5e-3, 4e-4, WORLD)):
        tracemalloc.start()
        connect(rule, a, a, weight=1.0)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 80e6  # as many bytes as 0.8 of the pairs


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: FixedProbability(0), "p = 0.0 is outside"),
        (lambda: FixedProbability(1.2), "p = 1.2 is outside"),
        (lambda: FixedIndegree(2.5), "n a whole one"),
        (lambda: FixedIndegree(0), "n = 0 is outside"),
        (lambda: Ring(0), "n = 0 is outside"),
        (lambda: GaussianDistance(0.5, 0.0), "width = 0.0 is outside"),
        (lambda: ExponentialDistance(0.5, 1e-4, torus=(1e-3,)), "2 or 3 axes"),
        (lambda: FromTable([0.5], [1]), "numbers of neurons, from 0 on, found 0.5"),
        (lambda: FromTable([0, 1], [1]), "as many sources as targets asked, at least one, found 2 and 1"),
        (lambda: Normal(1.0, 0.0), "std = 0.0 is outside"),
        (lambda: Lognormal(0.0, 1.0), "a mean above 0"),
        (lambda: Uniform(2.0, 1.0), "low below high asked, found 2 and 1"),
        (lambda: Truncated(3.0), "the record of a distribution"),
        (lambda: joined(FixedIndegree(31)), "31 different neurons asked for each, found 30"),
        (lambda: joined(FixedOutdegree(30), self_connections=False), "found 29 that there are"),
        (lambda: joined(FixedIndegree(1), cells(n=1), self_connections=False), "found 0 that there are"),
        (lambda: joined(FixedTotal(901)), "901 synapses asked, found 900 pairs"),
        (lambda: joined(FixedProbability(1e-9)), "draws no synapse between 30 and 30 neurons"),
        (lambda: joined(OneToOne(), self_connections=False), "draws no synapse"),
        (lambda: joined(OneToOne(), cells(), cells("b", 29)), "found 30 and 29"),
        (lambda: joined(Ring(15)), "15 neighbours on each side asked, found a ring of 30"),
        (lambda: joined(GaussianDistance(0.5, 1e-4)), "found no positions of the source"),
        (lambda: joined(GaussianDistance(0.5, 1e-4), placed(), cells("b")), "found no positions of the target"),
        (lambda: joined(GaussianDistance(0.5, 1e-4, (1e-3,) * 3), placed()), "as many axes asked, found 2, 2, 3"),
        (lambda: joined(GaussianDistance(0.5, 1e-4, (5e-4, 1e-3)), placed()), "more than the torus"),
        (lambda: joined(FromTable([0], [30])), "neuron 30 among its targets, of which there are 30"),
        (lambda: joined(FromTable([4], [4]), self_connections=False), "joins neuron 4 with itself"),
        (lambda: joined(FromTable([0], [1]), weight=[1.0, 2.0]), "each of the 1 rows"),
        (lambda: joined(AllToAll(), weight=[1.0, 2.0]), "one finite number, or the record of a distribution"),
        (lambda: joined(AllToAll(), weight="strong"), "a number or the record of a distribution"),
        (lambda: joined(AllToAll(), weight=0.0), "900 weights are 0"),
        (lambda: joined(AllToAll(), weight=np.inf), "one finite number"),
        (lambda: joined(FromTable([0, 0], [1, 1], multapses=True), weight=[1.0, -1.0]), "1 weights are 0"),
        (lambda: joined(AllToAll(), weight=Truncated(Normal(0.0, 1.0), low=40.0)), "still lie outside 40..inf"),
        (lambda: joined(AllToAll(), delay=Uniform(0.0, 1e-3)), "give dt, the step of the circuit"),
        (lambda: joined(AllToAll(), delay=Normal(0.0, 1e-3), dt=1e-4), "delays from 0 on asked"),
        (lambda: joined(AllToAll(), delay=[1e-3]), "delay: one finite number, or the record"),
        (lambda: joined(FixedTotal(2000, multapses=True), delay=Uniform(0.0, 1.0), dt=0.1), "a pair have one delay"),
        (lambda: joined("all_to_all"), "the record of a connection rule asked"),
        (lambda: connect(AllToAll(), cells(), Input(3), weight=1.0), "a Population as target asked"),
        (lambda: joined(AllToAll(), cells(), cells("a", 4)), "one name for two sizes"),
        (lambda: cells(positions=np.zeros((30, 4))), r"shape \(30, 2\) or \(30, 3\) asked"),
        (lambda: cells(n=1, positions=[[np.nan, 0.0]]), "finite numbers"),
        (lambda: grid_positions((2, 2.5), 1.0), "whole numbers"),
        (lambda: grid_positions((2,), 1.0), "two or three numbers above 0"),
        (lambda: grid_positions((2, 2), 0.0), "spacing above 0"),
        (lambda: ring_positions(0, 1.0), "at least one neuron"),
        (lambda: random_positions(3, (1.0, -1.0)), "two or three numbers above 0"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line(make, words):
    with pytest.raises(InputError, match=words) as error:
        make()
    assert "\n" not in str(error.value)


def test_a_circuit_with_places_is_saved_without_loss_and_keeps_them_on_every_rung(tmp_path):
    flat, deep = cells("flat", 6, grid_positions((3, 2), 1e-4)), cells("deep", 4, random_positions(4, (1e-3,) * 3))
    wire = connect(FixedIndegree(2), flat, deep, weight=Normal(2e-3, 1e-4), delay=1e-3)
    circuit = ns.biophysics.Circuit("c", Input(2), (flat, deep), (wire,), dt=1e-4, step=1e-3)
    loaded = ns.biophysics.load_circuit(ns.biophysics.save_circuit(tmp_path / "c.nc", circuit))
    for before, after in zip(circuit.populations, loaded.populations, strict=True):
        np.testing.assert_array_equal(after.positions, before.positions)
    assert bytes_of(loaded.projections[0]) == bytes_of(wire)

    discrete = Population("d", 6, ns.parameters.DiscreteLIFParameters(), positions=flat.positions)
    twin = ns.biophysics.Circuit(
        "t", Input(2), (discrete,), (connect(AllToAll(), Input(2), discrete, weight=0.5),), 1e-3, 1e-3
    )
    climbed = ns.biophysics.climb(twin, "currents")
    np.testing.assert_array_equal(climbed.populations[0].positions, flat.positions)


def test_places_of_the_builders():
    grid = grid_positions((4, 3), 0.5)
    assert len(np.unique(grid, axis=0)) == 12
    assert scipy.spatial.distance.pdist(grid).min() == pytest.approx(0.5)
    ring = ring_positions(7, 2.0)
    np.testing.assert_allclose(np.linalg.norm(ring, axis=1), 2.0)
    np.testing.assert_allclose(np.linalg.norm(ring - np.roll(ring, 1, axis=0), axis=1), 4 * np.sin(np.pi / 7))
    box = random_positions(2000, (2.0, 1.0, 0.5), rng=4)
    for axis, size in enumerate((2.0, 1.0, 0.5)):
        assert scipy.stats.kstest(box[:, axis] / size, "uniform").pvalue > 1e-3
