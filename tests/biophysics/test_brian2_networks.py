"""Brian2 networks of users' own: what their monitors record, brought back to a beginning, alone and in copies."""

import random
import shutil

import brian2 as b2
import numpy as np
import pytest

import neurosim as ns
from neurosim.biophysics import record_brian2
from neurosim.biophysics.brian2_sources import device_as_before
from neurosim.schema import InputError

MS = 1e-3
SHOWN = ns.as_stimuli([[0.0, 1.2], [1.5, 3.0], [2.0, 0.5]], ids=["a", "b", "c"])


@pytest.fixture(autouse=True)
def on_numpy():
    """Compile nothing."""
    before = b2.prefs.codegen.target
    b2.prefs.codegen.target = "numpy"
    yield
    b2.prefs.codegen.target = before


def leaky(n_copies=1, noise=0.0):
    """Two neurons that a current drives, a chain from the first to the second, and all kinds of monitors."""
    tau, sigma = 10 * b2.ms, noise
    cells = b2.NeuronGroup(
        2 * n_copies,
        "dv/dt = (drive - v)/tau + sigma*sqrt(2/tau)*xi : 1\ndrive : 1\nu = v*10*mV : volt",
        threshold="v > 1",
        reset="v = 0",
        method="euler",
        name="cells",
    )
    chain = b2.Synapses(cells, cells, on_pre="v_post += 0.3", delay=4 * b2.ms)
    first = 2 * np.arange(n_copies)
    chain.connect(i=first, j=first + 1)
    E = b2.SpikeMonitor(cells, name="spikes")
    V = b2.StateMonitor(cells, ["v", "u"], record=True)
    return locals()


def with_rate():
    """The same, with the rate of the population."""
    made = leaky()
    return made | {"P": b2.PopulationRateMonitor(made["cells"])}


def drive(names, stimulus):
    names["cells"].drive = stimulus.values


def drive_all(names, stimuli):
    names["cells"].drive = stimuli.values.ravel()


def by_hand(values, n_steps=400, dt=1e-4, tau=10e-3, late=40):
    """Forward Euler of :func:`leaky` in numpy: (step, neuron) of 0 and 1."""
    v, spikes = np.zeros(2), np.zeros((n_steps, 2))
    for k in range(n_steps):
        v = v + dt / tau * (values - v)
        spikes[k] = v > 1
        if k >= late and spikes[k - late, 0]:
            v[1] += 0.3
        v[spikes[k] > 0] = 0
    return spikes


def test_spikes_are_those_of_the_same_equations_in_numpy():
    found = record_brian2(leaky, SHOWN, present=drive, duration=40 * b2.ms, time_bin=2 * MS, progress=False)
    responses = found.responses
    assert responses.dims == ("stimulus", "time", "unit")
    assert responses["unit"].values.tolist() == ["E/0", "E/1"]
    assert responses.attrs["quantity"] == "spike_count"
    for row, values in zip(responses.values, SHOWN.values, strict=True):
        np.testing.assert_array_equal(row, by_hand(values).reshape(20, 20, 2).sum(axis=1))
    assert responses.sum() > 5


def test_traces_and_rates_have_the_units_that_brian2_has():
    found = record_brian2(with_rate, SHOWN, present=drive, duration=0.02, progress=False)
    assert set(found.traces) == {"V.v", "V.u", "P.rate"}
    assert found.traces["V.v"].attrs["units"] == "1"
    assert found.traces["V.u"].attrs["units"] == "V"
    assert all(trace.name == name for name, trace in found.traces.items())
    np.testing.assert_allclose(found.traces["V.u"], found.traces["V.v"] * 10e-3)
    rate = found.traces["P.rate"]
    assert rate.shape == (3, 200, 1)
    np.testing.assert_allclose(rate.sum(["time", "unit"]) * 1e-4 * 2, found.responses.sum(["time", "unit"]))


def test_every_variable_has_its_own_name_quantity_and_unit():
    """Membranes, and whatever else is in V, S, A or mol: a Brian2 unit of each is read from the equations."""
    equations = """dv/dt = -v/(10*ms) : volt
    Vm : volt
    vt : volt
    E_rev : volt
    ge : siemens
    w : amp
    calcium : mmolar
    x : 1"""
    units = {"v": "V", "Vm": "V", "vt": "V", "E_rev": "V", "ge": "S", "w": "A", "calcium": "mM", "x": "1"}
    quantities = dict.fromkeys(units, "activation") | dict.fromkeys(("vt", "E_rev"), "electric_potential")
    quantities |= dict.fromkeys(("v", "Vm"), "membrane_potential")

    def build():
        cells = b2.NeuronGroup(1, equations, method="exact")
        return {"cells": cells, "V": b2.StateMonitor(cells, list(units), record=True)}

    def present(names, stimulus):
        names["cells"].ge = stimulus.values[1] * b2.nS

    traces = record_brian2(build, SHOWN, present=present, duration=1 * MS, progress=False).traces
    assert {n.partition(".")[2]: t.attrs["quantity"] for n, t in traces.items()} == quantities
    assert {n.partition(".")[2]: t.attrs["units"] for n, t in traces.items()} == units
    assert traces["V.ge"].name == "V.ge"
    np.testing.assert_allclose(traces["V.ge"].values[:, 0, 0], SHOWN.values[:, 1] * 1e-9)


def test_a_network_is_restored_and_left_as_it_was():
    things = leaky()
    network = b2.Network(things["cells"], things["chain"], things["E"])

    def present(network, stimulus):
        network["cells"].drive = stimulus.values

    how = {"namespace": {"tau": 10 * b2.ms, "sigma": 0.0}, "monitors": {"spikes": things["E"]}}
    found = record_brian2(network, SHOWN, present=present, duration=0.04, progress=False, **how)
    assert set(found.responses["layer"].values) == {"spikes"}
    anew = record_brian2(leaky, SHOWN, present=drive, duration=0.04, rebuild=True, monitors={"spikes": "E"})
    np.testing.assert_array_equal(found.responses, anew.responses)
    assert float(network.t) == 0
    assert not len(things["E"].t)
    assert not things["cells"].drive[:].any()


def test_noise_belongs_to_stimulus_and_trial_not_to_their_order():
    def noisy():
        return leaky(noise=0.4)

    how = {"present": drive, "duration": 0.04, "trials": 2, "rng": 7, "progress": False}
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    forwards = record_brian2(noisy, SHOWN, **how)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    backwards = record_brian2(noisy, SHOWN[::-1], **how)
    xy = forwards.traces["V.v"], backwards.traces["V.v"].sel(stimulus=["a", "b", "c"])
    np.testing.assert_array_equal(*xy)
    assert np.unique(xy[0].sum(["time", "unit"])).size == 6
    anew = record_brian2(noisy, SHOWN, **how, rebuild=True)
    np.testing.assert_array_equal(anew.traces["V.v"], xy[0])


def test_copies_answer_as_networks_of_one():
    how = {"duration": 0.04, "time_bin": 4 * MS, "trials": 2, "progress": False}
    alone = record_brian2(leaky, SHOWN, present=drive, **how)
    for copies in (1, 4, 6, 50):
        folded = record_brian2(leaky, SHOWN, present=drive_all, copies=copies, **how)
        np.testing.assert_array_equal(folded.responses, alone.responses)
        np.testing.assert_allclose(folded.traces["V.u"], alone.traces["V.u"])
        assert folded.responses["unit"].equals(alone.responses["unit"])


def shared(n_copies):
    """Copies that are wired to each other."""
    made = leaky(n_copies)
    made["chain"].connect(i=0, j=made["cells"].N - 1)
    return made


def noisy_copies(n_copies):
    return leaky(n_copies, noise=0.3)


def uneven(n_copies):
    """A group that the copies do not share evenly."""
    extra = b2.NeuronGroup(3, "v : 1", threshold="v > 1", reset="")
    return leaky(n_copies) | {"extra": extra, "X": b2.SpikeMonitor(extra)}


@pytest.mark.parametrize(
    ("build", "said"),
    [(shared, "share a state"), (noisy_copies, "among 2 copies"), (uneven, "cannot be told apart")],
)
def test_copies_that_are_not_alike_are_refused(build, said):
    with pytest.raises(InputError, match=said):
        record_brian2(build, SHOWN, present=drive_all, copies=2, duration=0.04, progress=False)


def test_every_way_of_presenting_is_the_same():
    def timed(names, stimulus):
        return {"seen": b2.TimedArray(np.repeat(stimulus.values[None], 3, 0), dt=20 * b2.ms)}

    def at_once():
        cells = b2.NeuronGroup(2, "dv/dt = (seen(t, i) - v)/(10*ms) : 1", threshold="v > 1", reset="v = 0",
                               method="euler")  # fmt: skip
        E = b2.SpikeMonitor(cells)
        return locals()

    def given(stimulus):
        seen = b2.TimedArray(stimulus.values[None], dt=1 * b2.second)
        return at_once() | {"seen": seen}

    def has_run(stimulus):
        seen = b2.TimedArray(stimulus.values[None], dt=1 * b2.second)
        cells = b2.NeuronGroup(2, "dv/dt = (seen(t, i) - v)/(10*ms) : 1", threshold="v > 1", reset="v = 0",
                               method="euler")  # fmt: skip
        E = b2.SpikeMonitor(cells)
        b2.run(40 * b2.ms)
        return locals()

    found = [
        record_brian2(at_once, SHOWN, present=timed, duration=0.04, progress=False),
        record_brian2(given, SHOWN, duration=0.04, progress=False),
        record_brian2(has_run, SHOWN, progress=False),
    ]
    for one in found[1:]:
        np.testing.assert_array_equal(one.responses, found[0].responses)
    assert (found[0].responses[:, 0].values > 0).any(axis=1).tolist() == [True, True, True]


def test_a_script_whose_names_are_all_of_brian2():
    names = {}
    body = "from brian2 import *\ncells = NeuronGroup(2, 'drive : 1', threshold='drive > 0.5', reset='')\n"

    def build():
        exec(body + "E = SpikeMonitor(cells)", names)
        return names

    found = record_brian2(build, SHOWN, present=drive, duration=0.001, progress=False)
    assert found.responses.values[:, 0].tolist() == [[0, 10], [10, 10], [10, 0]]


def test_spikes_rates_and_parts_of_groups():
    def build():
        passed = b2.NeuronGroup(3, "v : 1", threshold="v > 0.5", reset="v = 0")
        sent = b2.SpikeGeneratorGroup(3, [], [] * b2.ms, name="sent")
        drawn = b2.PoissonGroup(4, rates=np.zeros(4) * b2.Hz, name="drawn")
        carried = b2.Synapses(sent, passed, on_pre="v = 1")
        carried.connect(j="i")
        S, P = b2.SpikeMonitor(sent), b2.SpikeMonitor(drawn)
        whole, late = b2.SpikeMonitor(passed), b2.SpikeMonitor(passed[1:])
        return locals()

    def present(network, stimulus, rng):
        network["sent"].set_spikes(np.arange(3), np.array([1.0, 5.05, 9.0]) * stimulus.values[1] * b2.ms)
        network["drawn"].rates = np.full(4, 400 * stimulus.values[1]) * b2.Hz
        rng.normal()

    found = record_brian2(build, SHOWN, present=present, duration=0.03, time_bin=0.01, progress=False).responses
    sent = found.sel(unit=found["layer"] == "S").sel(stimulus="a").values
    assert sent.T.tolist() == [[1, 0, 0], [1, 0, 0], [0, 1, 0]]
    part = found.sel(unit=found["layer"] == "late").values
    np.testing.assert_array_equal(part, found.sel(unit=found["layer"] == "whole").values[..., 1:])
    drawn = found.sel(unit=found["layer"] == "P").sum(["time", "unit"]).values
    mean = 4 * 400 * SHOWN.values[:, 1] * 0.03
    assert (np.abs(drawn - mean) < 5 * np.sqrt(mean)).all()


def test_what_python_code_keeps_is_found_out():
    seen = []

    def build():
        cells = b2.NeuronGroup(1, "v : 1", threshold="v > 0.5", reset="v = 0")
        E = b2.SpikeMonitor(cells)

        @b2.network_operation(dt=1 * b2.ms)
        def counts():
            seen.append(1)
            cells.v = len(seen) > 3

        return locals()

    with pytest.raises(InputError, match=r"shown again at the end, is answered otherwise .* rebuild=True"):
        record_brian2(build, SHOWN, present=lambda stimulus: None, duration=0.005, progress=False)


def refused(network, said, **how):
    how = {"present": lambda stimulus: None, "duration": 0.01, "progress": False} | how
    with pytest.raises(InputError, match=said) as caught:
        record_brian2(network, SHOWN, **how)
    assert "\n" not in str(caught.value)


def runs_itself(stimulus):
    cells = b2.NeuronGroup(2, "drive : 1", threshold="drive > 0.5", reset="")
    cells.drive = stimulus.values
    spikes = b2.SpikeMonitor(cells)
    b2.run(1 * b2.ms)
    return {"cells": cells, "spikes": spikes}


def test_a_function_that_runs_its_network_is_given_no_duration():
    """Objects that are made later, when the clock of all has moved, are none that were run."""
    refused(runs_itself, "the function runs its network itself; leave out duration=", present=None)
    found = record_brian2(runs_itself, SHOWN, progress=False)
    assert found.responses.sum("time").values.tolist() == [[0, 10], [10, 10], [10, 0]]


def test_what_is_no_network_or_cannot_be_shown_anything():
    refused(b2.magic_network, "locals")
    refused("a network", "found a str")
    refused(leaky, "present=", present=None)
    refused(leaky, "duration=", duration=None)
    refused(leaky, "asks for 'picture'", present=lambda picture: None)
    refused(lambda: 3, "returned a int")
    refused(leaky, "duration is in s", duration=3 * b2.volt)
    refused(leaky, "above 0 s", duration=0)
    refused(leaky, "returns nothing, or names", present=lambda stimulus: 3)
    refused(b2.Network(), "need a function", rebuild=True)
    refused(with_rate, "function of n_copies", copies=2)
    refused(lambda stimulus: leaky(), "same numbers in every trial", duration=None, present=None, trials=2)
    refused(lambda stimulus: leaky(), "did not run", duration=None, present=None)


def test_monitors_that_are_missing_or_silent():
    refused(lambda: {"cells": b2.NeuronGroup(1, "v : 1")}, "add one to it")
    refused(leaky, "no monitor 'spike'.*Did you mean", monitors={"E": "spike"})
    refused(leaky, "no monitor is asked", monitors={})

    def outside():
        made = leaky()
        return made | {"network": b2.Network(made["cells"])}

    refused(outside, "'E' is not in the network; say network.add")
    refused(leaky, "hold no whole", time_bin=2.5e-4, duration=0.01)
    refused(leaky, "no whole number of bins", time_bin=3e-3)

    def off():
        made = leaky()
        made["cells"].active = False
        return made

    refused(off, "'cells' is switched off")

    def counts_only():
        made = leaky()
        return made | {"E": b2.SpikeMonitor(made["cells"], record=False)}

    refused(counts_only, "record=False", time_bin=1e-3)


def test_networks_that_stop_themselves_are_found_out():
    def stops():
        made = leaky()

        @b2.network_operation(dt=1 * b2.ms)
        def ends(t):
            if t > 2.5 * b2.ms:
                b2.stop()

        return made | {"ends": ends}

    refused(stops, r"asked to run for 0.01 s and ran for 0.003")

    def as_long_as_it_is_bright(stimulus):
        cells = b2.NeuronGroup(1, "v : 1", threshold="v > 1", reset="")
        E = b2.SpikeMonitor(cells)
        b2.run((1 + stimulus.values[0]) * b2.ms)
        return locals()

    refused(as_long_as_it_is_bright, "'E' counts over 0.001 s and 0.0025 s", duration=None, present=None)


def test_what_brian2_refuses_is_one_line():
    def unnamed():
        cells = b2.NeuronGroup(1, "dv/dt = -v/unknown_tau : 1", threshold="v > 1", reset="", method="euler")
        return b2.Network(cells, b2.SpikeMonitor(cells))

    refused(unnamed, "unknown_tau. could not be resolved. Return locals")
    things = leaky()
    network = b2.Network(things["cells"], things["E"])
    network.run(1 * b2.ms, namespace={"tau": 10 * b2.ms, "sigma": 0.0})
    refused(network, "already run for 0.001 s")


def test_compiled_networks_that_cannot_be_shown_others():
    """What is built is run by tests/study/test_brian2_subjects.py."""

    def compiled(build_on_run=False):
        b2.set_device("cpp_standalone", build_on_run=build_on_run)
        return leaky()

    refused(compiled, "draws the same numbers in every trial", trials=2)
    refused(compiled, "built once", rebuild=True)
    refused(compiled, "duration=", duration=None)
    refused(lambda: compiled(build_on_run=True), "build_on_run=False")
    assert type(b2.get_device()).__name__ == "RuntimeDevice"


@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")
def test_a_compiled_network_is_shown_stimuli_twice_and_no_other_after_it():
    with device_as_before():
        b2.set_device("cpp_standalone", build_on_run=False)
        things = leaky()
        network = b2.Network(things["cells"], things["E"])

        def present(stimulus):
            return {things["cells"].drive: stimulus.values}

        names = {"tau": 10 * b2.ms, "sigma": 0.0}
        first, second = (
            record_brian2(network, SHOWN, present=present, duration=0.04, namespace=names, progress=False).responses
            for _ in range(2)
        )
        assert first.values.sum() > 0
        np.testing.assert_array_equal(first, second)
        refused(leaky, "holds the program of a network that was run before")


def test_names_are_read_where_it_is_called():
    tau_here = 5 * b2.ms  # noqa: F841
    cells = b2.NeuronGroup(2, "dv/dt = (drive - v)/tau_here : 1\ndrive : 1", threshold="v > 1", reset="v = 0",
                           method="euler")  # fmt: skip
    network = b2.Network(cells, b2.SpikeMonitor(cells, name="E"))

    def present(stimulus):
        cells.drive = stimulus.values

    found = record_brian2(network, SHOWN, present=present, duration=0.04, progress=False).responses
    wanted = [by_hand(values, tau=5e-3, late=500).sum(axis=0) for values in SHOWN.values]
    np.testing.assert_array_equal(found[:, 0], wanted)


def _of_no_name(names, stimulus):
    names["cell"].drive = stimulus.values


def _in_volt(names, stimulus):
    names["cells"].drive = stimulus.values * b2.volt


def _broken(stimulus):
    raise RuntimeError(f"no {stimulus.ndim}\nmore")


@pytest.mark.parametrize(
    ("network", "present", "told"),
    [
        (
            leaky,
            _of_no_name,
            "present: your function raised KeyError in line {line} of test_brian2_networks.py: 'cell'",
        ),
        (leaky, _in_volt, "present: your function raised DimensionMismatchError in line {line} of .*: drive should"),
        (leaky, _broken, "present: your function raised RuntimeError in line {line} of .*: no 1 more"),
        (_broken, None, "makes the network: your function raised RuntimeError in line {line} of .*: no 1 more"),
        ("mine.py", _broken, "a brian2.Network, or a function that makes one, is asked, found a str"),
    ],
)
def test_what_a_users_function_raises_is_told_as_its_own_with_the_line(network, present, told):
    code = (present or network).__code__
    with pytest.raises(InputError, match=f"^record_brian2[ ,:].*{told.format(line=code.co_firstlineno + 1)}") as caught:
        record_brian2(network, SHOWN, present=present, duration=MS if present else None, progress=False)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("draw", [lambda: np.random.default_rng().random(2) * 9, lambda: [9 * random.random()] * 2])
def test_numbers_without_a_seed_are_found_out_and_those_of_numpy_are_seeded(draw):
    def present(names, stimulus):
        names["cells"].drive = draw()

    with pytest.raises(InputError, match="trial 0, shown again at the end, is answered otherwise"):
        record_brian2(leaky, SHOWN, present=present, duration=30 * MS, progress=False)

    def seeded(names, stimulus):
        names["cells"].drive = 9 * np.random.rand(2)  # noqa: NPY002

    first, again = (record_brian2(leaky, SHOWN, present=seeded, duration=30 * MS, progress=False) for _ in range(2))
    np.testing.assert_array_equal(first.responses, again.responses)
