"""Numbers, arrays and files that come in from elsewhere: taken whatever their type, or refused in one line."""

import json
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurosim import storage
from neurosim.biophysics import (
    AdExParameters,
    AllToAll,
    ExponentialConductanceParameters,
    GIFParameters,
    LIFParameters,
    PairSTDPParameters,
    Poisson,
    connect,
    learn,
    to_brian2,
)
from neurosim.biophysics.calibration import calibrate
from neurosim.biophysics.circuit import Circuit, Readout
from neurosim.biophysics.circuit_files import load_circuit, save_circuit
from neurosim.biophysics.circuit_perturbation import perturb_circuit
from neurosim.biophysics.fitting.detection import detect_spikes
from neurosim.biophysics.fitting.driven import fit_driven
from neurosim.biophysics.fitting.electrode import compensate, estimate_electrode
from neurosim.biophysics.fitting.neuron import fit_neuron
from neurosim.biophysics.fitting.receptive_field import PoissonModel, fit_poisson, spike_triggered_average
from neurosim.biophysics.homeostasis import homeostasis
from neurosim.biophysics.inputs import Input
from neurosim.biophysics.ladder import Ladder
from neurosim.biophysics.populations import Population
from neurosim.biophysics.projections import Projection
from neurosim.biophysics.retuning import retune
from neurosim.biophysics.simulation import Execution, Monitors, choose_category, simulate
from neurosim.parameters import DiscreteLIFParameters
from neurosim.schema import InputError, Perturbation, as_responses, as_stimuli
from neurosim.storage import StorageError


def small(neuron=None, **fields):
    population = Population("a", 2, neuron or LIFParameters(), **fields)
    return Circuit("c", Input(2), (population,), (Projection("input", "a", np.full((2, 2), 8e-3)),), 1e-3, 1e-3)


SHOWN = as_stimuli(np.ones((2, 12, 2)), dims=("stimulus", "time", "unit"), time_step=1e-3)


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.array, torch.tensor, lambda x: x])
def test_numbers_of_every_type_make_the_same_circuit(kind):
    wanted = simulate(small(), SHOWN, monitors=Monitors(tail=4e-3), trials=2, engine="torch", progress=False)
    population = Population("a", np.int64(2), LIFParameters(), kind(0.0), noise=kind(0.0))
    wire = Projection("input", "a", torch.full((2, 2), 8e-3, dtype=torch.float64), kind(0.0))
    circuit = Circuit("c", Input(np.int32(2)), (population,), [wire], kind(1e-3), kind(1e-3))
    found = simulate(
        circuit,
        SHOWN,
        monitors=Monitors(tail=kind(4e-3)),
        trials=np.int8(2),
        rng=np.int64(0),
        engine="torch",
        progress=False,
    )
    np.testing.assert_array_equal(found.values, wanted.values)
    assert wanted.sum() > 0
    late = Projection("input", "a", [[1.0]], kind(2e-3))
    assert type(late.delay) is float and abs(late.delay - 2e-3) < 1e-9


def one_step(delay):
    circuit = small(DiscreteLIFParameters())
    wire = Projection("input", "a", np.full((2, 2), 2.0), delay)
    return Circuit("c", circuit.inputs, circuit.populations, (wire,), 1e-3, 1e-3)


def test_a_delay_of_any_numeric_type_delays():
    shown = SHOWN * (np.arange(12) == 1)[None, :, None]
    for delay in (np.float32(3e-3), np.array(3e-3), np.float64(3e-3), 3e-3):
        found = simulate(one_step(delay), shown.assign_attrs(time_step=1e-3), engine="torch", progress=False)
        assert np.flatnonzero(found.values[0, :, 0])[0] == 4


@pytest.mark.parametrize("steps", [2.51, 1.4, 1.9999, 1e3 + 0.01])
def test_delays_of_no_whole_steps_are_refused(steps):
    with pytest.raises(InputError, match=r"input->a has a delay of .* a whole number of steps is asked"):
        one_step(steps * 1e-3)


def test_currents_that_would_come_late_are_refused():
    circuit = one_step(3e-3)
    with pytest.raises(InputError, match="input->a has a delay, but currents of the input act at once"):
        Circuit("c", Input(2, "current"), circuit.populations, circuit.projections, 1e-3, 1e-3)


BARE = np.ones((2, 12, 2))
SPIKES = as_responses(BARE, quantity="spike_count", time_step=1e-3)
SERIES = as_stimuli(np.random.default_rng(0).normal(size=(2, 40)), dims=("stimulus", "time"), time_step=1e-3)
MODEL = PoissonModel(np.ones(3), np.empty(0), 1.0, 1e-3, 0.0)
REFUSED = {
    "calibrate": (lambda: calibrate(small(), BARE, BARE), "labelled array"),
    "calibrate expected": (lambda: calibrate(small(), SHOWN, BARE), "labelled array"),
    "calibrate layers": (lambda: calibrate(small(), SHOWN, SPIKES), "with 'layer' along unit"),
    "homeostasis": (lambda: homeostasis(small(), BARE, BARE), "labelled array"),
    "homeostasis layers": (lambda: homeostasis(small(), SHOWN, SPIKES), "with 'layer' along unit"),
    "retune": (lambda: retune(small(), BARE, ["x", "y"]), "labelled array"),
    "fit_poisson": (lambda: fit_poisson(BARE[..., 0], BARE), r"\(stimulus, time\) with a time_step"),
    "fit_driven": (lambda: fit_driven(BARE[..., 0], BARE), r"\(stimulus, time\) with a time_step"),
    "sta": (lambda: spike_triggered_average(BARE[..., 0], BARE), r"\(stimulus, time\) with a time_step"),
    "poisson rate": (lambda: MODEL.rate(BARE[..., 0]), r"\(stimulus, time\) with a time_step"),
    "poisson step": (lambda: MODEL.rate(SERIES.assign_attrs(time_step=2e-3)), "every 0.001 s asked"),
    "poisson draw": (lambda: MODEL.simulate(SERIES.assign_attrs(time_step=2e-3)), "every 0.001 s asked"),
    "detect": (lambda: detect_spikes(BARE), "see as_sweeps"),
    "electrode": (lambda: estimate_electrode(BARE), "see as_sweeps"),
    "compensate": (lambda: compensate(BARE, None), "see as_sweeps"),
    "fit_neuron": (lambda: fit_neuron(BARE), "see as_sweeps"),
    "category": (lambda: choose_category(small(), BARE), "with 'layer'"),
    "complex": (lambda: Projection("a", "b", [[1j]]), "real numbers"),
    "complex sparse": (lambda: Projection("a", "b", scipy.sparse.csr_array(np.array([[1j]]))), "real numbers"),
    "words": (lambda: Projection("a", "b", [["x"]]), "real numbers"),
    "complex drive": (lambda: Population("a", 1, LIFParameters(), [1j]), "real numbers"),
    "size": (lambda: Population("a", 1.5, LIFParameters()), "a whole one"),
    "no record": (lambda: Population("a", 1, {"tau": 1}), "records of neuron"),
    "trials": (lambda: simulate(small(), SHOWN, trials=1.5), "a whole one|whole"),
    "rng": (lambda: simulate(small(), SHOWN, rng="a"), "rng"),
    "tail": (lambda: simulate(small(), SHOWN, monitors=Monitors(tail=[1e-3])), "tail"),
    "bins": (lambda: simulate(small(), SHOWN, monitors=Monitors(time_bin=np.nan)), "multiple"),
    "memory": (lambda: Execution(memory="1 GB"), "memory"),
    "readout": (lambda: Readout("a", [[1.0, 2.0]], [0.0]), "a finite bias a category"),
    "readout of input": (
        lambda: replace(small(), readout=Readout("input", [[1.0]], [0.0])),
        "no population 'input'",
    ),
    "single": (lambda: simulate(small(), SHOWN, engine="brian2", execution=Execution(single=True)), "is for 'torch'"),
    "threads": (lambda: simulate(small(), SHOWN, engine="torch", execution=Execution(threads=2)), "'cpp_standalone'"),
    "device": (lambda: simulate(small(), SHOWN, engine="cython", execution=Execution("cuda")), "is for 'torch'"),
    "varying word": (lambda: small(varying={"reset": ["value"] * 2}), "real numbers"),
    "varying reset": (lambda: small(varying={"reset": [1.0, 2.0]}), "cannot vary"),
    "varying dt": (lambda: small(DiscreteLIFParameters(), varying={"dt": [1e-3, 2e-3]}), "cannot vary"),
    "varying range": (lambda: small(varying={"g_leak": [1e-8, -1e-8]}), "g_leak = -1e-08 is outside"),
    "varying threshold": (lambda: small(varying={"v_threshold": [-50e-3, -80e-3]}), "reset"),
    "varying tau": (lambda: small(varying={"capacitance": [1e-10, 5e-12]}), "shortest time constant"),
    "varying unread": (
        lambda: simulate(small(AdExParameters(), varying={"dt_per_capacitance": [1.0, 2.0]}), SHOWN),
        "'dt_per_capacitance' is read by no formula",
    ),
    "noise without noise": (lambda: simulate(small(varying={"noise_scale": [1e-3, 0.0]}), SHOWN), "'noise_scale'"),
    "ladder": (lambda: Ladder(reset="vlaue"), "known: value, keep"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_taken_is_refused_in_one_line(what):
    make, words = REFUSED[what]
    with pytest.raises(InputError, match=words) as error:
        make()
    assert "\n" not in str(error.value)


def test_amounts_in_rheobases_are_those_of_each_neuron():
    """g_leak (threshold - e_leak), by hand: 10 nS x 20 mV and 20 nS x 30 mV; 2 nS x 15 mV for the GIF neuron."""
    varied = small(varying={"v_threshold": [-50e-3, -40e-3], "g_leak": [1e-8, 2e-8]})
    found = perturb_circuit(varied, Perturbation("stimulate", "a", amount=2.0)).populations[0].drive
    np.testing.assert_allclose(found, [4e-10, 12e-10])
    noisy = perturb_circuit(varied, Perturbation("noise", "a", amount=0.1)).populations[0]
    np.testing.assert_allclose(noisy.varying["noise_scale"] / np.sqrt(1 - np.exp([-0.2, -0.4])), [2e-3, 3e-3])
    escaping = perturb_circuit(small(GIFParameters()), Perturbation("stimulate", "a")).populations[0].drive
    np.testing.assert_allclose(escaping, 3e-11)


def test_homeostasis_finds_layers_by_their_name():
    """Wanted rates are given by another order of layers; only the label tells which are whose."""
    populations = tuple(Population(name, 1, LIFParameters(refractory=0.0), 4e-10) for name in ("a", "b"))
    circuit = Circuit("c", Input(2), populations, (), 1e-4, 1e-3)
    wanted = as_responses(
        np.repeat([[[1.0, 0.0]]], 12, axis=1), stimuli=SHOWN[:1], time_step=1e-3, quantity="spike_count",
        coords={"layer": ("unit", ["b", "a"])},
    )  # fmt: skip
    moved, _ = homeostasis(circuit, SHOWN[:1], wanted, rounds=1, device="cpu", progress=False)
    assert moved.population("b").drive[0] > 4e-10 > moved.population("a").drive[0]


def test_names_with_slashes_are_watched_whole_and_by_unit():
    population = Population("block/lif", 2, LIFParameters(), [0.0, 1e-10])
    circuit = Circuit("c", Input(2), (population,), (), 1e-4, 1e-3)
    whole, one = (
        simulate(circuit, SHOWN, monitors=Monitors(membrane=[name]), engine="torch", progress=False).membrane_potential
        for name in ("block/lif", "block/lif/1")
    )
    np.testing.assert_array_equal(whole.values[..., [1]], one.values)


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-5, 5) | st.just(10**30) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)


def leaves(value, path=()):
    """Every place in a tree of dicts and lists."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from leaves(inner, (*path, key))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("circuits") / "c.nc"
    save_circuit(path, small(AdExParameters(), varying={"g_leak": [1e-8, 2e-8]}))
    return path, storage.read_dataset(path).load()


@given(st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_with_any_value_in_any_place_is_a_circuit_or_refused_in_one_line(saved, data):
    path, dataset = saved
    about = json.loads(dataset.attrs["circuit"])
    place = data.draw(st.sampled_from(list(leaves(about))))
    inside = about
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = data.draw(VALUES)
    storage.write_dataset(path.with_name("hostile.nc"), dataset.assign_attrs(circuit=json.dumps(about)))
    try:
        circuit = load_circuit(path.with_name("hostile.nc"))
    except (InputError, StorageError) as error:
        assert "\n" not in str(error)
        return
    assert isinstance(circuit, Circuit) and circuit.sizes


def test_a_file_of_a_later_version_is_refused_whatever_it_holds(saved):
    path, dataset = saved
    later = json.dumps(json.loads(dataset.attrs["circuit"]) | {"schema_version": 99})
    storage.write_dataset(path.with_name("later.nc"), dataset.assign_attrs(circuit=later))
    with pytest.raises(InputError, match="schema_version 99, known: 1 to"):
        load_circuit(path.with_name("later.nc"))


@pytest.mark.parametrize("text", ["[" * 20_000 + "]" * 20_000, "null", "3", "{}", '{"schema_version": 2}'])
def test_texts_that_are_no_circuit_are_refused(saved, text):
    path, dataset = saved
    storage.write_dataset(path.with_name("hostile.nc"), dataset.assign_attrs(circuit=text))
    with pytest.raises(InputError, match="not a circuit file") as error:
        load_circuit(path.with_name("hostile.nc"))
    assert "\n" not in str(error.value)


# --------------------------------------------------------------------------------------- what newcomers brought
PLAIN = LIFParameters()
AMPA = ExponentialConductanceParameters()
TWO = (Population("a", 2, PLAIN), Population("b", 2, PLAIN))


def joined_to(population, weights=((1e-9,),), **more):
    wire = Projection("input", population.name, np.asarray(weights), **more)
    return Circuit("c", Input(1), (population,), (wire,), dt=1e-4, step=1e-3)


COUNTS = as_responses(np.ones((2, 12, 2)), coords={"layer": ("unit", ["a", "a"])})
FIRING = as_stimuli(np.zeros((2, 12, 3)), dims=("stimulus", "time", "unit"), time_step=1e-3)
ASKING = {
    "to_brian2": to_brian2,
    "learn": learn,
    "calibrate": lambda c, x: calibrate(c, x, COUNTS),
    "homeostasis": lambda c, x: homeostasis(c, x, COUNTS),
    "retune": lambda c, x: retune(c, x, ["x", "y"]),
    "simulate": simulate,
}


@pytest.mark.parametrize("name", ASKING)
def test_whoever_is_called_says_what_is_wrong_with_the_stimuli(name):
    """All of them show the stimuli to the circuit; none says that another function was called."""
    wire = Projection("input", "a", np.full((2, 2), 8e-3), plasticity=PairSTDPParameters(w_max=1e-2))
    circuit = replace(small(), projections=(wire,))
    labels = {"category": ("stimulus", ["x", "y"])}
    for shown, said in ((SHOWN[:, 0], "takes spike trains"), (FIRING, "has 2 inputs"), (0.5 * SHOWN, "are 0 or 1")):
        with pytest.raises(InputError, match=rf"^{name}: .*{said}"):
            ASKING[name](circuit, shown.assign_coords(labels))


NEWCOMERS = {
    "a negative conductance": (
        lambda: joined_to(Population("p", 1, PLAIN, synapses=AMPA), [[-1e-8]]),
        "weights down to -1e-08 S; .* have one reversal potential",
    ),
    "a weight that may become negative": (
        lambda: joined_to(Population("p", 1, PLAIN, synapses=AMPA), plasticity=PairSTDPParameters(2e-9, w_min=-1e-9)),
        "weights down to -1e-09 S",
    ),
    "a negative background": (
        lambda: Population("p", 1, PLAIN, synapses=AMPA, background=Poisson(10.0, -1e-9)),
        "has a weight of 0 or more",
    ),
    "millivolts": (lambda: Population("p", 1, PLAIN, initial={"v": -60}), "-60 V is outside -1 to 1 V"),
    "a start that is none": (lambda: Population("p", 1, PLAIN, initial={"v": np.nan}), "holds what is not finite"),
    "a name of Brian2": (lambda: Population("p", 1, PLAIN, synapses={"xi": AMPA}), "found 'xi'"),
    "a hidden name": (lambda: Population("p", 1, PLAIN, synapses={"_x": AMPA}), "found '_x'"),
    "nobody": (lambda: Population("p", 0, PLAIN), r"1 to 1e\+09 neurons asked, found 0"),
    "too many": (lambda: Population("p", 10**15, PLAIN), r"1 to 1e\+09 neurons asked"),
    "a delay that is none": (
        lambda: Projection("input", "p", [[1e-9, 1e-9]], delay=[[np.nan, 1e-3]]), "delays hold what is not finite"
    ),
    "micrometres": (
        lambda: Population("p", 2, PLAIN, positions=[[1e2, 1e2], [3e2, 0.0]]), "within 10 m asked, found up to 300"
    ),
    "a receptor that is not there": (
        lambda: connect(AllToAll(), *TWO, weight=1e-3, receptor="zz"),
        "names the receptor 'zz'; 'b' has one without a name",
    ),
    "self-connections of two": (
        lambda: connect(AllToAll(), *TWO, weight=1e-3, self_connections=False),
        "self_connections is read where a population projects to itself",
    ),
    "no stimuli": (
        lambda: simulate(
            joined_to(Population("p", 1, PLAIN)),
            as_stimuli(np.zeros((1, 3, 1)), dims=("stimulus", "time", "unit"), time_step=1e-3)[:0],
        ),
        "is shown nothing",
    ),
    "no time": (
        lambda: simulate(
            joined_to(Population("p", 1, PLAIN)),
            as_stimuli(np.zeros((1, 3, 1)), dims=("stimulus", "time", "unit"), time_step=1e-3)[:, :0],
        ),
        "is shown nothing",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NEWCOMERS)
def test_what_newcomers_brought_is_refused_in_one_line(name):
    make, words = NEWCOMERS[name]
    with pytest.raises(InputError, match=words) as error:
        make()
    assert "\n" not in str(error.value)
