"""Circuits are data: checked when they are made, readable, saved without loss, and refused where a file is hostile."""

import json

import numpy as np
import pytest
import scipy.sparse
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from neurosim import storage
from neurosim.biophysics import ConductanceParameters, ExponentialParameters, LIFParameters
from neurosim.biophysics.circuit import Circuit, Readout
from neurosim.biophysics.circuit_files import load_circuit, save_circuit
from neurosim.biophysics.custom import CustomNeuron
from neurosim.biophysics.inputs import Input
from neurosim.biophysics.models import NEURONS, SYNAPSES
from neurosim.biophysics.named_circuits import build_circuit
from neurosim.biophysics.populations import Population
from neurosim.biophysics.projections import Projection
from neurosim.biophysics.simulation import choose_category, simulate
from neurosim.parameters import DiscreteLIFParameters
from neurosim.schema import InputError, as_responses, as_stimuli
from neurosim.storage import StorageError


def small(projection=None, *, dt=1e-3, step=1e-3, neuron=None, **fields):
    population = Population("a", 1, neuron or DiscreteLIFParameters(), **fields)
    projection = projection or Projection("input", "a", np.ones((2, 1)))
    return Circuit("c", Input(2), (population,), (projection,), dt=dt, step=step)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Population("p", 2, DiscreteLIFParameters(), np.zeros(3)), "drive of shape"),
        (lambda: Population("p", 1, DiscreteLIFParameters(), np.array([np.nan])), "finite drive"),
        (lambda: Population("p", 2, LIFParameters(), varying={"capacitance": np.ones(3)}), "2 finite numbers"),
        (lambda: Population("p", 1, LIFParameters(), noise=2.0), "noise = 2.0 is outside"),
        (lambda: Population("p", 1, DiscreteLIFParameters(), synapses=ExponentialParameters()), "climb first"),
        (lambda: Input(3, "spike"), "known: spikes, poisson, current"),
        (lambda: Input(0), "size >= 1"),
        (lambda: Input(3, "current", duration="long"), "are numbers"),
        (lambda: Input(3, duration=0.2), "duration is read where kind is poisson or current, found 'spikes'"),
        (lambda: Input(3, "current", max_rate=9.0), "max_rate is read where kind is poisson, found 'current'"),
        (lambda: small(Projection("inputs", "a", np.ones((2, 1)))), "Did you mean 'input'"),
        (lambda: small(Projection("input", "a", np.full((2, 1), np.nan))), "2 not finite"),
        (lambda: small(Projection("input", "a", np.ones((1, 1)))), r"shape \(2, 1\)"),
        (lambda: small(Projection("input", "a", np.ones((2, 1)), delay=-1e-3)), "delay of -0.001"),
        (lambda: small(Projection("a", "input", np.ones((1, 2)))), "a->input"),
        (lambda: small(dt=2e-3), "not in 0"),
        (lambda: small(dt=0.3e-3), "not a multiple"),
        (lambda: small(dt=0.5e-3), "must agree"),
        (lambda: small(neuron=LIFParameters(capacitance=5e-12)), "above the shortest time constant of 'a'"),
        (
            lambda: small(neuron=LIFParameters(), synapses=ConductanceParameters(tau_inh=5e-4)),
            "tau_inh = 0.0005 s; take a shorter step",
        ),
        (lambda: simulate(small(varying={"thresh": np.ones(1)}), silent(2)), "Did you mean 'threshold'"),
    ],
)
def test_circuits_that_make_no_sense_are_refused_in_one_line(make, words):
    with pytest.raises(InputError, match=words) as error:
        make()
    assert "\n" not in str(error.value)


def silent(n_inputs, n_steps=3):
    return as_stimuli(np.zeros((1, n_steps, n_inputs)), dims=("stimulus", "time", "unit"), time_step=1e-3)


def circuits():
    yield build_circuit("gabor_adex", 16)
    rng = np.random.default_rng(0)
    sent = [synapse for synapse in SYNAPSES.values() if not synapse.sends]
    for neuron in NEURONS.values():
        for synapse in [SYNAPSES["delta"]] if neuron.is_discrete else sent:
            dt, received = 1e-3 if neuron.is_discrete else 1e-4, synapse.parameters()
            noise = 0.0 if neuron.is_random else 1e-3
            varying = {} if neuron.is_discrete else {"g_leak": np.full(2, 9e-9)}
            populations = (
                Population("a", 3, neuron.parameters(), rng.normal(size=3) * 1e-10, received, noise),
                Population("b", 2, neuron.parameters(), 5e-4, received, varying=varying),
            )
            sparse = scipy.sparse.random_array((3, 2), density=0.5, rng=rng)
            start, reads = ("a", "spikes") if neuron.sends_spikes else ("input", "largest_membrane")
            sparse = sparse if neuron.sends_spikes else scipy.sparse.random_array((4, 2), density=0.5, rng=rng)
            weights = rng.normal(size=(4, 3))
            weights = np.abs(weights) if synapse.has_one_sign else weights
            projections = (Projection("input", "a", weights, 2e-3), Projection(start, "b", sparse))
            readout = Readout("b", rng.normal(size=(2, 2)), np.zeros(2), reads)
            yield Circuit("c", Input(4, "poisson", 0.2), populations, projections, dt, 1e-3, readout, "exact")


@pytest.mark.parametrize("circuit", circuits(), ids=lambda c: "-".join(str(c).split()[-9:-5]))
def test_a_circuit_survives_its_file_bit_for_bit(circuit, tmp_path):
    again = load_circuit(save_circuit(tmp_path / "c.nc", circuit))
    assert str(again) == str(circuit)
    assert circuit.readout is None or again.readout.reads == circuit.readout.reads
    for before, after in zip(circuit.populations, again.populations, strict=True):
        assert (before.parameters, before.synapses, before.noise) == (after.parameters, after.synapses, after.noise)
        np.testing.assert_array_equal(before.drive, after.drive)
        assert before.varying.keys() == after.varying.keys()
    for before, after in zip(circuit.projections, again.projections, strict=True):
        assert isinstance(before.weights, np.ndarray) == isinstance(after.weights, np.ndarray)
        assert before.delay == after.delay
        for a, b in zip(before.synapses(), after.synapses(), strict=True):
            np.testing.assert_array_equal(a, b)
    save_circuit(tmp_path / "d.nc", again)
    assert storage.sha256(tmp_path / "c.nc") == storage.sha256(tmp_path / "d.nc")


def edited(tmp_path, change):
    save_circuit(tmp_path / "c.nc", small())
    data = storage.read_dataset(tmp_path / "c.nc")
    about = json.loads(data.attrs["circuit"])
    change(about)
    storage.write_dataset(tmp_path / "c.nc", data.assign_attrs(circuit=json.dumps(about)))
    return tmp_path / "c.nc"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a["populations"][0].update(neuron="liff"), "unknown neuron 'liff'"),
        (lambda a: a["populations"][0]["parameters"].update(equations="dv/dt = 1/ms"), "no parameter 'equations'"),
        (lambda a: a["populations"][0]["parameters"].update(tau_mem=-1.0), "tau_mem = -1.0 is outside"),
        (lambda a: a["populations"][0]["parameters"].update(tau_mem="exp(1)"), "tau_mem = 'exp.1.' is outside"),
        (lambda a: a["projections"][0].update(weights={"shape": [2, 1], "dense": "nowhere"}), "not a circuit file"),
        (lambda a: a.pop("populations"), "not a circuit file"),
        (lambda a: a["inputs"][0].update(code="x"), "not a circuit file"),
    ],
)
def test_files_choose_models_by_name_and_give_numbers_and_nothing_else(change, words, tmp_path):
    with pytest.raises(InputError, match=words):
        load_circuit(edited(tmp_path, change))


def test_other_and_damaged_files_are_refused(tmp_path):
    storage.write_dataset(tmp_path / "other.nc", xr.Dataset({"x": ("y", [1.0])}))
    with pytest.raises(InputError, match="not a circuit file"):
        load_circuit(tmp_path / "other.nc")
    path = save_circuit(tmp_path / "c.nc", small())
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(StorageError):
        load_circuit(path)


def test_the_readout_weighs_mean_spikes():
    readout = Readout("a", np.array([[1.0, 0.0, 0.4]]), np.array([0.0, 0.5, 0.0]))
    circuit = Circuit("c", Input(1), (Population("a", 1, DiscreteLIFParameters()),), (), 1e-3, 1e-3, readout)
    spikes = as_responses([[[1.0], [1.0]], [[0.0], [0.0]]], coords={"layer": ("unit", ["a"])}, quantity="spike_count")
    assert choose_category(circuit, spikes).tolist() == [0, 1]


FREE = {"tau": 10e-3}


def test_free_equations_from_python_equal_the_built_in_neuron():
    """The same leaky membrane, with the same noise, fires at the same times on every engine."""
    rng = np.random.default_rng(0)
    spikes = as_stimuli((rng.random((2, 60, 5)) < 0.3) * 1.0, dims=("stimulus", "time", "unit"), time_step=1e-3)
    lif = LIFParameters(refractory=0.0)
    numbers = {"c": lif.capacitance, "g": lif.g_leak, "rest": lif.e_leak}
    free = CustomNeuron(
        "dv/dt = (g*(rest - v) + i_syn - g_syn*v + drive) / c",
        "v > -50e-3",
        f"v = {lif.e_leak}",
        numbers,
        {"v": lif.e_leak},
    )
    weights = (rng.normal(size=(5, 4)) + 0.5) * 2e-8
    counts = []
    for neuron in (lif, free):
        population = Population("a", 4, neuron, 5e-11, ConductanceParameters(), noise=1e-3)
        circuit = Circuit("c", Input(5), (population,), (Projection("input", "a", weights),), dt=1e-4, step=1e-3)
        counts += [simulate(circuit, spikes, engine=engine, progress=False).values for engine in ("brian2", "torch")]
    assert counts[0].sum() > 20
    for other in counts[1:]:
        np.testing.assert_array_equal(counts[0], other)


@pytest.mark.parametrize(
    "formula",
    [
        "__import__('os').system('true')",
        "v.__class__",
        "(lambda: v)()",
        "[v for v in v]",
        "v[0]",
        "open(v)",
        "exp('x')",
        'exp("x")',
        "v if v else v",
        "v ** (v)",
        "v ** 99999999",
        "f'{v}'",
        "unknown + v",
        "exp(v, out=v)",
        "v\nimport os",
        "v; v",
        "(" * 500 + "v" + ")" * 500,
        "True + v",
        "v @ v",
        "v << 3",
        "1e5j * v",
        "v := 3",
        "*v",
    ],
)
def test_the_guard_lets_no_code_through(formula):
    with pytest.raises(InputError):
        CustomNeuron(f"dv/dt = {formula}", "v > 1", "", FREE)
    with pytest.raises(InputError):
        CustomNeuron("dv/dt = -v/tau", formula, "", FREE)
    with pytest.raises(InputError):
        CustomNeuron("dv/dt = -v/tau", "v > 1", f"v = {formula}", FREE)


@given(st.text(max_size=40))
def test_the_guard_refuses_or_accepts_any_text_without_running_it(text):
    try:
        CustomNeuron(f"dv/dt = {text}", "v > 1", "", FREE)
    except InputError:
        return
    assert set(text) <= set(
        "abcdefghijklmnopqrstuvwxyz0123456789.+-*/()<>=!_ ,&|~%^\t\x0b\x0c\r\x1c\x1d\x1e\x1f\x85\u2028\u2029\xa0E"
    )


@pytest.mark.parametrize(
    ("equations", "words"),
    [
        ("v = 1", "dv/dt"),
        ("dv/dt = -v/tau\nwhatever", "cannot read the line"),
        ("dv/dt = -v/tau\nlastspike = 3", "meaning of its own"),
        ("dv/dt = -v/tau\ne = 3", "meaning of its own"),
    ],
)
def test_equations_that_are_none_are_refused(equations, words):
    with pytest.raises(InputError, match=words):
        CustomNeuron(equations, "v > 1", "", FREE)


def test_a_matrix_that_names_a_pair_twice_adds_up_and_stays_as_it_was():
    given = scipy.sparse.csr_array(([1.0, 2.0, 3.0], [1, 0, 0], [0, 3]), shape=(1, 2))
    wire = Projection("input", "a", given)
    assert wire.weights.toarray().tolist() == [[5.0, 1.0]]
    assert [getattr(given, k).tolist() for k in ("data", "indices", "indptr")] == [[1, 2, 3], [1, 0, 0], [0, 3]]
