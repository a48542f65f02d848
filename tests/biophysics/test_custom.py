"""Free equations: every name runs on every engine of Brian2, every formula that the guard takes runs or is refused."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurosim.biophysics import ConductanceParameters
from neurosim.biophysics.circuit import Circuit, Input, Population, Projection
from neurosim.biophysics.custom import FUNCTIONS, N_ARGUMENTS, CustomNeuron, check_formula, in_brian2
from neurosim.biophysics.simulation import Monitors, simulate
from neurosim.schema import InputError, as_stimuli

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
def test_whatever_the_guard_takes_runs_or_is_refused_in_one_line(first, second):
    """Equations of any degree, with poles and jumps; what runs gives whole numbers of spikes."""
    try:
        neuron = CustomNeuron(f"dv/dt = {first}\ndw/dt = {second}", "v > 1", "v = 0; w += k", {"k": 0.5})
        found = simulate(alone(neuron), SILENT.isel(time=slice(3)), engine="brian2", progress=False)
    except InputError as error:
        assert "\n" not in str(error)
        return
    assert np.isin(found.values, (0, 1)).all()


@given(FORMULAS)
@settings(max_examples=100, deadline=None)
def test_marking_names_changes_no_value(formula):
    """Computed in plain Python with numpy's functions, a formula and its marked form agree."""
    check_formula(formula, {"v", "w", "k", "drive"})
    functions = {name: getattr(np, name) for name in FUNCTIONS if hasattr(np, name)} | {
        "int": float,
        "exprel": lambda x: np.expm1(x) / x,
        "abs": np.abs,
        "clip": lambda x, low, high: np.minimum(np.maximum(x, low), high),
    }
    values = {"v": np.float64(0.3), "w": np.float64(-0.7), "k": np.float64(2.0), "drive": np.float64(1.5)}
    with np.errstate(all="ignore"):
        try:
            before = eval(formula, {**functions, **values})
        except ZeroDivisionError:
            return
        after = eval(in_brian2(formula), {**functions, "v": 0.3, "drive": 1.5, "own_w": -0.7, "own_k": 2.0} | {
            n: np.float64(x) for n, x in (("v", 0.3), ("drive", 1.5), ("own_w", -0.7), ("own_k", 2.0))
        })  # fmt: skip
    np.testing.assert_equal(np.asarray(after), np.asarray(before))
