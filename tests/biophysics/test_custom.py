"""Free equations: every formula that the guard takes runs alike on every engine, or is refused."""

import ast
import tempfile
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from neurosim.biophysics import ConductanceParameters, ExponentialParameters
from neurosim.biophysics.brian2_engine import import_brian2, preferences
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.circuit_files import load_circuit, save_circuit
from neurosim.biophysics.circuit_perturbation import perturb_circuit
from neurosim.biophysics.custom import CustomNeuron
from neurosim.biophysics.equations import Equations, _Reading
from neurosim.biophysics.formula_guard import N_ARGUMENTS, check_formula
from neurosim.biophysics.formulas import FUNCTIONS, ArrayFunctions, State, TensorFunctions
from neurosim.biophysics.inputs import Input
from neurosim.biophysics.populations import Population
from neurosim.biophysics.projections import Projection
from neurosim.biophysics.simulation import Monitors, simulate
from neurosim.schema import InputError, Perturbation, as_stimuli

SILENT = as_stimuli(np.zeros((1, 30, 1)), dims=("stimulus", "time", "unit"), time_step=1e-3)


def alone(neuron, drive=2.0):
    return Circuit("alone", Input(1), (Population("n", 1, neuron, drive),), (), 1e-3, 1e-3)


def leaky(name):
    """A membrane that needs 10 ms ln(2 / (2 - 1)) = 6.93 ms, seven steps, from 0 to 1."""
    return CustomNeuron(f"dv/dt = (drive - v) / {name}", "v > 1", "v = 0", {name: 10e-3})


TAKEN = ("double", "new", "ms", "t_in_timesteps", "arrived", "new_v", "rand", "own_drive", "cdef", "L0", "nan")


@pytest.mark.parametrize("name", TAKEN)
def test_names_of_brian2_of_compilers_and_of_engines_are_free(name):
    found = simulate(alone(leaky(name)), SILENT, engine="brian2", progress=False).values[0, :, 0]
    assert np.flatnonzero(found).tolist() == [6, 13, 20, 27]


def test_a_number_called_like_one_of_the_synapses_keeps_its_value():
    """Reversal potentials of one's own stay what they are next to conductance synapses with others."""
    neuron = CustomNeuron("dv/dt = (e_exc - v) / tau", "v > 9", "v = 0", {"tau": 1e-2, "e_exc": 5.0})
    population = Population("n", 1, neuron, synapses=ConductanceParameters(2e-3, 2e-3, 70.0))
    circuit = Circuit("own", Input(1), (population,), (Projection("input", "n", [[0.0]]),), 1e-3, 1e-3)
    found = simulate(
        circuit, SILENT, engine="brian2", monitors=Monitors(membrane=["n"]), progress=False
    ).membrane_potential
    np.testing.assert_allclose(found.values[0, :, 0], 5 * (1 - np.exp(-np.arange(1, 31) / 10)), rtol=1e-9)


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("v > 1", "where it needs a number"),
        ("1 + (v > 1)", "where it needs a number"),
        ("not v", "where it needs a number"),
        ("exp(v > 1)", "where it needs a number"),
        ("exp + v", "names 'exp'"),
        ("exp()", "with 0 values, it takes 1"),
        ("clip(v)", "with 1 values, it takes 3"),
        ("int(0 < v < 1)", "compares more than two"),
        ("1e400 * v", "not a number up to"),
        ("9" * 400, "not a number up to"),
        ("-" * 900 + "v", "nested more than|cannot be read"),
        ("+".join(["v"] * 900), "nested more than"),
        ("v**4**5", "power"),
        ("lambda", "cannot be read"),
    ],
)
def test_formulas_that_no_engine_can_compute_are_refused_before_any_is_asked(formula, words):
    with pytest.raises(InputError, match=words) as error:
        CustomNeuron(f"dv/dt = {formula}", "v > 1", "", {})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"equations": "dv/dt = (e_leek - v) / tau\ndw/dt = -w"}, "dv/dt: .*'e_leek'.* others are given in numbers=.* "
         "Did you mean 'e_leak'"),
        ({"equations": "dv/dt = x - v\ndw/dt = -w\nx = epx(v)"}, "x: the formula calls 'epx'.* mean 'exp'"),
        ({"threshold": "v > tehta"}, "threshold: the formula names 'tehta'.*Did you mean 'theta'"),
        ({"reset": "v = 0; w += theto"}, "reset: the formula names 'theto'.*Did you mean 'theta'"),
        ({"reset": "ww = 0"}, "assigns 'ww', which is no state of the neuron; states: v, w. Did you mean 'w'"),
    ],
)  # fmt: skip
def test_a_name_that_is_not_known_is_told_with_its_line_and_the_nearest_one(changed, words):
    given = {
        "equations": "dv/dt = (e_leak - v) / tau\ndw/dt = -w",
        "threshold": "v > theta",
        "reset": "v = 0",
    } | changed
    with pytest.raises(InputError, match=f"^CustomNeuron: .*{words}") as error:
        CustomNeuron(**given, numbers={"e_leak": -0.07, "tau": 1e-2, "theta": -0.05})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("dv/dt = -v/tau", "v", "", {"tau": 1.0}), "a condition such as"),
        (("dv/dt = -v/tau", "v > 1", "", {"tau": 10**400}), "tau = .* is not a number"),
        (("dv/dt = -v/tau", "v > 1", "", {"tau": np.inf}), "tau = inf is not a number"),
        (("dv/dt = -v\ndv/dt = v", "v > 1"), "'v' is given twice"),
        (("dv/dt = -v*w\nw = 3", "v > 1", "", {"w": 1.0}), "'w' is given twice"),
        (("dv/dt = a\na = b\nb = a", "v > 1"), "a, b need each other"),
        (("dv/dt = -v\ndrive = 3", "v > 1"), "'drive' has a meaning"),
        (("dv/dt = -\u00b5", "v > 1", "", {"\u00b5": 1.0}), "plain letters"),
        ((None, "v > 1"), "equations is a text"),
        (("dv/dt = -v", "v > 1", "", {}, {}, "long"), "refractory = 'long'"),
    ],
)
def test_neurons_that_no_engine_can_run_are_refused_before_any_is_asked(arguments, words):
    with pytest.raises(InputError, match=words) as error:
        CustomNeuron(*arguments)
    assert "\n" not in str(error.value)


def test_numbers_of_every_type_are_taken():
    neuron = CustomNeuron(
        "dv/dt = (drive - v) / tau", "v > 1", "v = 0", {"tau": np.float32(0.5)}, {"v": np.array(0.25)}, np.float64(0.0)
    )
    assert (neuron.numbers, neuron.initial, neuron.refractory) == ({"tau": 0.5}, {"v": 0.25}, 0.0)


ATOMS = st.sampled_from(["v", "w", "k", "drive", "0", "1", "2.5", "1e-3", "-3"])


def grown(inner):
    unary = st.builds("{}({})".format, st.sampled_from([f for f in FUNCTIONS if f not in (*N_ARGUMENTS, "int")]), inner)
    clipped = st.builds("clip({}, {}, {})".format, inner, inner, inner)
    chosen = st.builds("int({} {} {})".format, inner, st.sampled_from(["<", ">", ">=", "<="]), inner)
    binary = st.builds("({} {} {})".format, inner, st.sampled_from("+-*/"), inner)
    powers = st.builds("({})**{}".format, inner, st.sampled_from(["2", "3", "0.5", "-1"]))
    return unary | clipped | chosen | binary | powers


FORMULAS = st.recursive(ATOMS, grown, max_leaves=6)


@given(FORMULAS, FORMULAS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.filterwarnings("ignore")
def test_whatever_the_guard_takes_runs_alike_or_is_refused_in_one_line(first, second):
    """Equations of any degree, with poles and jumps: on both engines the same spikes, or the same end."""
    ends = []
    for engine in ("brian2", "torch"):
        try:
            neuron = CustomNeuron(f"dv/dt = {first}\ndw/dt = {second}", "v > 1 or w < -9", "v = 0; w += k", {"k": 0.5})
            shown = SILENT.isel(time=slice(3))
            ends.append(simulate(alone(neuron), shown, engine=engine, progress=False).values.ravel().tolist())
        except InputError as error:
            assert "\n" not in str(error)
            ends.append("refused")
    assert ends[0] == ends[1]


PYTHON = {name: getattr(np, name) for name in FUNCTIONS if hasattr(np, name)} | {
    "int": lambda x: np.trunc(np.float64(x)),
    "exprel": lambda x: np.expm1(x) / x,
    "abs": np.abs,
    "clip": lambda x, low, high: np.minimum(np.maximum(x, low), high),
}
VALUES = {"v": 0.3, "w": -0.7, "k": 2.0, "drive": 1.5}


def read(formula, functions, number, *, is_condition=False):
    """The value of a formula, or how far its condition is met, as the walk over its parts computes it."""
    tree = ast.parse(formula, mode="eval").body
    equations = Equations({}, {}, tree, (), (), "auto")
    x = State(**{k if k in ("v", "drive") else f"own_{k}": number(value) for k, value in VALUES.items()})
    reading = _Reading(equations, x, functions, {}, [])
    return reading.distance(tree) if is_condition else reading.read(tree)


@given(FORMULAS)
@settings(max_examples=100, deadline=None)
def test_the_walk_computes_what_python_computes_from_arrays_and_tensors(formula):
    check_formula(formula, {"v", "w", "k", "drive"})
    with np.errstate(all="ignore"):
        try:
            wanted = eval(formula, {**PYTHON, **{k: np.float64(value) for k, value in VALUES.items()}})
        except ZeroDivisionError:
            return
        try:
            found = read(formula, ArrayFunctions(), np.asarray), read(formula, TensorFunctions(torch), as_tensor)
        except InputError:
            return
    np.testing.assert_allclose([float(x) for x in found], float(wanted), rtol=1e-9, atol=1e-12)


def as_tensor(value):
    return torch.tensor(value, dtype=torch.float64)


CONDITIONS = st.recursive(
    st.builds("{} {} {}".format, st.sampled_from(["v", "w", "k", "0.3"]), st.sampled_from(["<", ">", ">=", "<="]),
              st.sampled_from(["v", "drive", "0.3", "-0.7"])),
    lambda inner: st.builds("({}) {} ({})".format, inner, st.sampled_from(["and", "or"]), inner)
    | st.builds("not ({})".format, inner),
    max_leaves=5,
)  # fmt: skip


@given(CONDITIONS)
@settings(max_examples=200, deadline=None)
def test_a_condition_holds_exactly_where_its_distance_is_positive(condition):
    """Also at equality, which every ``not`` turns round."""
    wanted = eval(condition, {}, dict(VALUES))
    assert (float(read(condition, TensorFunctions(torch), as_tensor, is_condition=True)) > 0) is wanted
    assert (float(read(condition, ArrayFunctions(), np.asarray, is_condition=True)) > 0) is wanted


COUPLED = "dv/dt = (v - v**3/3 - w + drive) / tau\ndw/dt = (v + 0.7 - slope*w) / tau_w\nslope = 0.8 * sign(tau)"
NUMBERS = {"tau": 1e-2, "tau_w": 0.125}


def trace_of(neuron, dt):
    """The membrane during 20 ms under a drive of 0.5."""
    circuit = Circuit("alone", Input(1), (Population("n", 1, neuron, 0.5),), (), dt, 1e-3)
    shown, kept = SILENT.isel(time=slice(20)), Monitors(membrane=["n"])
    return simulate(circuit, shown, engine="torch", monitors=kept, progress=False).membrane_potential.values[0, :, 0]


def test_each_method_has_its_order():
    """Ten times finer steps leave a hundredth of the error of rk2, and a tenth of that of exponential Euler."""
    exact = solve_ivp(
        lambda t, y: [(y[0] - y[0] ** 3 / 3 - y[1] + 0.5) / 1e-2, (y[0] + 0.7 - 0.8 * y[1]) / 0.125],
        (0, 20e-3), [-1.0, 0.2], rtol=1e-12, atol=1e-14,
    ).y[0, -1]  # fmt: skip
    start = {"v": -1.0, "w": 0.2}
    errors = {
        method: [
            abs(trace_of(CustomNeuron(COUPLED, "v > 9", "", NUMBERS, start, method=method), dt)[-1] - exact)
            for dt in (1e-3, 1e-4)
        ]
        for method in ("rk2", "rk4")
    }  # fmt: skip
    assert 70 < errors["rk2"][0] / errors["rk2"][1] < 140
    assert errors["rk4"][0] < 1e-3 * errors["rk2"][0] and errors["rk4"][1] < 1e-10
    lines = "dv/dt = (w - v)/tau\ndw/dt = -w/tau_w"
    chain = CustomNeuron(lines, "v > 9", "", NUMBERS, {"w": 1.0}, method="exponential_euler")
    found = [trace_of(chain, dt)[-1] for dt in (1e-3, 1e-4)]
    wanted = (np.exp(-20e-3 / 0.125) - np.exp(-2)) / (1 - 1e-2 / 0.125)
    assert 8 < (found[0] - wanted) / (found[1] - wanted) < 12


@pytest.mark.parametrize("method", ["exponential_euler", "rk2"])
def test_a_plain_brian2_script_has_the_same_membrane_and_spikes(method):
    """The same text given to Brian2, which integrates it by itself."""
    curve = "0" if method == "exponential_euler" else "v**3/3"
    equations = f"dv/dt = (v - {curve} - w + 2.5) / tau\ndw/dt = (v + 0.7 - 0.8*w) / tau_w"
    neuron = CustomNeuron(equations, "v > 1.2", "v = -1; w += 0.3", NUMBERS, {"v": -1.0}, 2e-3, method)
    with private_b2() as b2:
        group = b2.NeuronGroup(
            1, equations.replace("/ tau_w", "/ (tau_w*second) : 1").replace("/ tau\n", "/ (tau*second) : 1\n"),
            threshold="v > 1.2", reset="v = -1; w += 0.3", refractory=2 * b2.ms, method=method, namespace=NUMBERS,
            dt=0.1 * b2.ms,
        )  # fmt: skip
        group.v = -1.0
        state, spikes = b2.StateMonitor(group, "v", record=True, when="end"), b2.SpikeMonitor(group)
        b2.Network(group, state, spikes).run(60 * b2.ms)
        wanted, times = np.array(state.v[0]), np.rint(np.array(spikes.t_) / 1e-4)
    population = Population("n", 1, neuron)
    circuit = Circuit("alone", Input(1), (population,), (), 1e-4, 1e-3)
    silent = as_stimuli(np.zeros((1, 60, 1)), dims=("stimulus", "time", "unit"), time_step=1e-3)
    for engine in ("brian2", "torch"):
        kept = Monitors(membrane=["n"], spike_times=True)
        found = simulate(circuit, silent, engine=engine, monitors=kept, progress=False)
        np.testing.assert_allclose(found.membrane_potential.values[0, :, 0], wanted, rtol=1e-10)
        np.testing.assert_array_equal(np.rint(found.spike_time.values / 1e-4), times)
    assert len(times) > 3


@contextmanager
def private_b2():
    b2 = import_brian2()
    with preferences(b2, "numpy"):
        yield b2


def test_numbers_start_and_noise_differ_between_neurons_and_pass_through_a_file(tmp_path):
    """A neuron a value is what a population of one neuron with that value is."""
    neuron = CustomNeuron(
        "dv/dt = (drive - v) / tau - w\ndw/dt = -w / 0.1 + 0*(w**3 + w**0 + w**-2)",
        "v > 1",
        "v = low",
        {"tau": 1e-2, "low": 0.0},
    )
    taus, starts = np.array([5e-3, 1e-2, 2e-2]), np.array([0.0, 0.5, 0.9])
    together = Population("n", 3, neuron, 1.5, varying={"tau": taus}, initial={"v": starts, "w": 0.2})
    circuit = Circuit("differ", Input(1), (together,), (), 1e-4, 1e-3)
    counts = simulate(circuit, SILENT, engine="torch", progress=False).values
    for k in range(3):
        own = replace(neuron, numbers={"tau": taus[k], "low": 0.0}, initial={"v": starts[k], "w": 0.2})
        alike = Circuit("one", Input(1), (Population("n", 1, own, 1.5),), (), 1e-4, 1e-3)
        np.testing.assert_array_equal(
            simulate(alike, SILENT, engine="torch", progress=False).values[..., 0], counts[..., k]
        )
    noisy = circuit.with_population("n", noise=0.02)
    again = load_circuit(save_circuit(tmp_path / "free.nc", noisy))
    assert again.populations[0].parameters == neuron
    found = [simulate(c, SILENT, engine=e, progress=False).values for c in (noisy, again) for e in ("brian2", "torch")]
    assert all((other == found[0]).all() for other in found) and (found[0] != counts).any()


def test_a_file_with_other_code_than_a_formula_is_refused(tmp_path):
    save_circuit(tmp_path / "free.nc", alone(leaky("tau")))
    data = xr.load_dataset(tmp_path / "free.nc")
    for old, new in (("drive - v", "__import__('os').getcwd()"), ("v > 1", "v.__class__"), ("v = 0", "v = open(v)")):
        changed = data.assign_attrs(circuit=data.attrs["circuit"].replace(old, new))
        changed.to_netcdf(tmp_path / "bad.nc")
        with pytest.raises(InputError, match="the formula"):
            load_circuit(tmp_path / "bad.nc")


def test_unstable_equations_are_named_with_the_time_at_which_they_broke():
    """dv/dt = v^2 / tau from 1 has its pole at tau = 10 ms; no spike is asked of it."""
    neuron = CustomNeuron("dv/dt = v*v / tau", "v < -1", "", {"tau": 1e-2}, {"v": 1.0}, method="rk4")
    for engine in ("brian2", "torch"):
        with pytest.raises(InputError, match=r"membrane of 'n' of alone is no finite number from 0\.010[0-4]? s on"):
            simulate(replace(alone(neuron), dt=1e-4), SILENT, engine=engine, progress=False)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: replace(leaky("tau"), method="euler"), "method = 'euler'; known: auto, exponential_euler, rk2, rk4"),
        (lambda: CustomNeuron("dv/dt = v*v", "v > 1", method="exponential_euler"), "'v' is not; method = 'rk2'"),
        (lambda: CustomNeuron("dv/dt = -v", "v > 1", "v = i_syn"), "the reset names 'i_syn'"),
        (lambda: CustomNeuron("dv/dt = -v\nx = 2*g_syn", "v > 1", "v = x"), "the reset names 'g_syn'"),
        (lambda: Population("n", 2, leaky("tau"), initial={"w": 0.1}), "initial 'w' is no variable"),
        (lambda: Population("n", 2, leaky("tau"), initial={"v": [0.1] * 3}), r"or 2, found shape \(3,\)"),
        (lambda: Population("n", 2, leaky("tau"), initial={"v": np.nan}), "holds what is not finite"),
        (lambda: Population("n", 2, leaky("tau"), varying={"refractory": [0.0, 9.0]}), "outside 0..1 s"),
        (lambda: simulate(alone(CustomNeuron("dv/dt = v + 1/0", "v > 1")), SILENT, progress=False), "divides by 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_integrated_or_started_is_refused(make, words):
    with pytest.raises(InputError, match=words):
        make()


def test_experiments_take_the_rheobase_of_free_equations():
    """Half a rheobase raises the drive of one of two; what is lesioned is silent; without a rheobase it is asked."""
    neuron = replace(leaky("tau"), rheobase=1.0)
    circuit = Circuit("c", Input(1), (Population("n", 2, neuron, 0.8),), (), 1e-4, 1e-3)
    driven = perturb_circuit(circuit, Perturbation("stimulate", "n", [1], amount=0.5))
    np.testing.assert_allclose(driven.populations[0].drive, [0.8, 1.3])
    cut = perturb_circuit(driven, Perturbation("lesion", "n", [1]))
    counts = [simulate(c, SILENT, engine="torch", progress=False).values.sum((0, 1)) for c in (driven, cut)]
    assert counts[0][1] > 0 and counts[1].tolist() == [0, 0]
    assert load_rheobase(circuit) == 1.0
    with pytest.raises(InputError, match="free equations take rheobase="):
        perturb_circuit(alone(leaky("tau")), Perturbation("lesion", "n", [0]))


def load_rheobase(circuit):
    """The rheobase after a passage through a file."""
    with tempfile.TemporaryDirectory() as folder:
        return load_circuit(save_circuit(f"{folder}/c.nc", circuit)).populations[0].parameters.rheobase


def test_every_receptor_variable_can_be_given_its_start():
    """A current of 0.1 nA that decays with 5 ms from the end of the first step on."""
    neuron = CustomNeuron("dv/dt = i_syn / c", "v > 9", "", {"c": 1e-10})
    population = Population(
        "n", 1, neuron, synapses=ExponentialParameters(5e-3), initial={"level": 1e-10 * np.exp(0.02)}
    )
    circuit = Circuit("c", Input(1), (population,), (Projection("input", "n", [[0.0]]),), 1e-4, 1e-3)
    for engine in ("brian2", "torch"):
        found = simulate(circuit, SILENT, engine=engine, monitors=Monitors(membrane=["n"]), progress=False)
        np.testing.assert_allclose(found.membrane_potential.values[0, 49, 0], 5e-3 * (1 - np.exp(-1)), rtol=1e-9)
