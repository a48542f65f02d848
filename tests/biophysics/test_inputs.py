"""Several inputs at once: as one that holds them all, equal on every engine and in a Brian2 script."""

from __future__ import annotations

import json

import brian2 as b2
import numpy as np
import pytest

import neurosim as ns
from neurosim import storage
from neurosim.biophysics import (
    AdExParameters,
    Circuit,
    ConductanceParameters,
    Input,
    Ladder,
    LIFParameters,
    Monitors,
    PairSTDPParameters,
    Population,
    Projection,
    calibrate,
    climb,
    homeostasis,
    learn,
    load_circuit,
    retune,
    save_circuit,
    simulate,
)
from neurosim.parameters import DiscreteLIFParameters
from neurosim.schema import InputError

RNG = np.random.default_rng(4)
NAMES = ["a", "b", "c"]


def trains(size, seed, names=NAMES, n_time=40):
    drawn = np.random.default_rng(seed).random((len(names), n_time, size)) < 0.2
    return ns.as_stimuli(drawn * 1.0, dims=("stimulus", "time", "unit"), ids=names, time_step=1e-3)


def pair_of(parameters, scale, dt, **kinds):
    """A circuit with two spike inputs of 2 and 3 units, and the same with one of 5."""
    first, second = RNG.random((2, 4)) * scale, RNG.random((3, 4)) * scale
    cells = Population("cells", 4, parameters, **kinds)
    apart = Circuit(
        "apart", (Input(2, name="eye"), Input(3, name="ear")), (cells,),
        (Projection("eye", "cells", first), Projection("ear", "cells", second)), dt, 1e-3,
    )  # fmt: skip
    both = Projection("input", "cells", np.vstack([first, second]))
    return apart, Circuit("together", Input(5), (cells,), (both,), dt, 1e-3)


APART, TOGETHER = pair_of(LIFParameters(), 12e-3, 1e-4)
SHOWN = {"eye": trains(2, 0), "ear": trains(3, 1)}
STACKED = ns.as_stimuli(
    np.concatenate([x.values for x in SHOWN.values()], axis=2), dims=("stimulus", "time", "unit"), ids=NAMES,
    time_step=1e-3, coords={"category": ("stimulus", list("xyx"))},
)  # fmt: skip


@pytest.mark.parametrize("engine", ["brian2", "torch"])
def test_two_inputs_are_one_that_holds_the_units_of_both(engine):
    apart, together = (simulate(c, x, engine=engine, progress=False) for c, x in ((APART, SHOWN), (TOGETHER, STACKED)))
    assert together.sum() > 20
    np.testing.assert_array_equal(apart, together)
    assert apart.stimulus.values.tolist() == NAMES


def test_stimuli_are_aligned_by_their_labels():
    turned = {"ear": SHOWN["ear"].isel(stimulus=[2, 0, 1]), "eye": SHOWN["eye"]}
    found, same = (simulate(APART, x, engine="torch", progress=False) for x in (turned, SHOWN))
    np.testing.assert_array_equal(found, same)
    assert found.stimulus.values.tolist() == NAMES
    with pytest.raises(InputError, match=r"'ear' are called a, b, d, ..., those of the first input a, b, c"):
        simulate(APART, {"eye": SHOWN["eye"], "ear": trains(3, 1, ["a", "b", "d"])})


MIXED = Circuit(
    "mixed",
    [Input(3, "poisson", 40e-3, 3000.0, name="picture"), Input(1, "current", 40e-3, name="probe"), Input(2)],
    (Population("cells", 3, AdExParameters(), 2e-10, ConductanceParameters()),),
    (
        Projection("picture", "cells", RNG.random((3, 3)) * 4e-9),
        Projection("probe", "cells", [[1.0, 0.5, 0.0]]),
        Projection("input", "cells", -RNG.random((2, 3)) * 1e-8, delay=1e-3),
    ),
    1e-4,
    1e-3,
)  # fmt: skip
GIVEN = {
    "picture": ns.as_stimuli([[0.2, 0.5, 0.9], [1.0, 0.0, 0.4]], ids=["a", "b"]),
    "probe": ns.as_stimuli([[3e-10], [6e-10]], ids=["a", "b"]),
    "input": trains(2, 3, ["a", "b"]),
}


@pytest.mark.parametrize("engine", ["brian2", "cython", "cpp_standalone"])
def test_a_picture_a_current_and_spikes_at_once_are_the_same_on_every_engine(engine):
    """Poisson input of several spikes a step, folded into repeated units where an engine takes one."""
    assert "picture: 3 units, poisson" in str(MIXED) and "probe: 1 units, current" in str(MIXED)
    found, same = (simulate(MIXED, GIVEN, trials=3, engine=e, progress=False) for e in (engine, "torch"))
    assert same.sum() > 20 and (same[:, 0].values != same[:, 1].values).any()
    np.testing.assert_array_equal(found, same)
    for name, given in GIVEN.items():
        muted = GIVEN | {name: given * 0}
        assert (simulate(MIXED, muted, trials=3, engine="torch", progress=False).values != same.values).any(), name


def test_a_brian2_script_with_the_same_inputs_sends_the_same_spikes():
    """Spikes as jumps of leaky neurons and a current beside them, as a Brian2 user writes them."""
    jumps, gains = RNG.random((2, 2)) * 15e-3, np.array([[1.0, 0.7]])
    current = ns.as_stimuli(
        RNG.random((1, 40, 1)) * 3e-10, dims=("stimulus", "time", "unit"), ids=["a"], time_step=1e-3
    )
    spikes = trains(2, 5, ["a"])
    circuit = Circuit(
        "both", (Input(2, name="fibres"), Input(1, "current", name="probe")),
        (Population("n", 2, LIFParameters(refractory=0.0)),),
        (Projection("fibres", "n", jumps), Projection("probe", "n", gains)), 1e-4, 1e-3,
    )  # fmt: skip
    shown = {"fibres": spikes, "probe": current}
    found = simulate(circuit, shown, engine="torch", monitors=Monitors(spike_times=True), progress=False)

    numpy = {"codeobj_class": b2.NumpyCodeObject}
    step = 0.1 * b2.ms
    injected = b2.TimedArray(current.values[0] @ gains * b2.amp, dt=1 * b2.ms)
    group = b2.NeuronGroup(
        2, "dv/dt = (10*nS*(-70*mV - v) + I(t, i)) / (100*pF) : volt", threshold="v > -50*mV", reset="v = -70*mV",
        method="exponential_euler", dt=step, namespace={"I": injected}, **numpy,
    )  # fmt: skip
    group.v = -70 * b2.mV
    time, unit = np.nonzero(spikes.values[0])
    source = b2.SpikeGeneratorGroup(2, unit, time * b2.ms, dt=step, when="start", **numpy)
    wire = b2.Synapses(source, group, "w : volt", on_pre="v += w", dt=step, **numpy)
    wire.connect()
    wire.w = jumps[np.asarray(wire.i), np.asarray(wire.j)] * b2.volt
    wire.pre.when = "after_groups"
    heard = b2.SpikeMonitor(group, **numpy)
    b2.Network(group, source, wire, heard).run(40 * b2.ms)
    expected = sorted(zip(np.rint(heard.t / step).astype(int).tolist(), np.asarray(heard.i).tolist(), strict=True))
    steps = np.rint(found.spike_time.values / 1e-4).astype(int).tolist()
    assert len(expected) > 8
    assert sorted(zip(steps, found.spike_unit.values.tolist(), strict=True)) == expected


def test_the_ladder_calibration_and_homeostasis_take_several_inputs():
    """Each gives the numbers that it gives with one input that holds the units of both."""
    apart, together = pair_of(DiscreteLIFParameters(), 1.2, 1e-3)
    wanted = simulate(together, STACKED, engine="torch", progress=False)
    found = []
    for circuit, shown in ((apart, SHOWN), (together, STACKED)):
        climbed = climb(circuit, "refractory", ladder=Ladder(dt=1e-3))
        tuned, _ = calibrate(climbed, shown, wanted, progress=False)
        same, _ = homeostasis(tuned, shown, wanted, rounds=2, progress=False)
        found.append((np.concatenate([q.values for q in tuned.projections]), same.populations[0].drive))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)
    with pytest.raises(InputError, match="retune: one input called 'input' asked, 'apart' has 'eye', 'ear'"):
        retune(climb(apart, "fine"), SHOWN["eye"], ["x"])


def test_learning_takes_several_inputs():
    rule = PairSTDPParameters(w_max=20e-3, a_plus=0.1)
    learned = []
    for circuit, shown in ((APART, SHOWN), (TOGETHER, STACKED)):
        plastic = tuple(Projection(q.source, q.target, q.weights, plasticity=rule) for q in circuit.projections)
        changed = Circuit("c", circuit.inputs, circuit.populations, plastic, 1e-4, 1e-3)
        learned.append(learn(changed, shown, engine="torch").circuit.projections)
    apart, together = (np.vstack([q.weights.toarray() for q in projections]) for projections in learned)
    np.testing.assert_allclose(apart, together, rtol=1e-9)
    assert not np.allclose(together, TOGETHER.projections[0].weights)


def test_several_inputs_are_kept_in_files_and_old_files_load(tmp_path):
    again = load_circuit(save_circuit(tmp_path / "mixed.nc", MIXED))
    assert again.inputs == MIXED.inputs and str(again) == str(MIXED)
    file = save_circuit(tmp_path / "old.nc", TOGETHER)
    data = storage.read_dataset(file)
    about = json.loads(data.attrs["circuit"])
    (kept,) = about["inputs"]
    about |= {"schema_version": 2, "inputs": {k: v for k, v in kept.items() if k != "name"}}
    for population in about["populations"]:
        del population["background"], population["currents"]
    storage.write_dataset(file, data.assign_attrs(circuit=json.dumps(about)))
    assert load_circuit(file).inputs == TOGETHER.inputs


def test_what_does_not_fit_the_inputs_is_refused_in_one_line():
    cells = TOGETHER.populations
    for inputs, message in (
        ((), "an Input or several asked"),
        ("eye", "an Input or several asked, found str"),
        ((Input(1), Input(2)), "inputs have names of their own, found input, input"),
        (Input(1, name="cells"), "population names repeat or one is called 'cells'"),
    ):
        with pytest.raises(InputError, match=message):
            Circuit("c", inputs, cells, (), 1e-4, 1e-3)
    with pytest.raises(InputError, match=r"no population 'eye'. Populations: input, cells"):
        Circuit("c", Input(2), cells, (Projection("eye", "cells", np.ones((2, 4))),), 1e-4, 1e-3)
    for shown, message in (
        (SHOWN["eye"], "has the inputs eye, ear; give stimuli by the name of each"),
        ({"eye": SHOWN["eye"]}, "stimuli for the inputs eye, ear of apart asked, found them for eye"),
        (SHOWN | {"ear": trains(3, 1, n_time=30)}, "found 0.04 s of 'eye', 0.03 s of 'ear'"),
        (SHOWN | {"ear": SHOWN["eye"]}, "'ear' of apart has 3 inputs, the stimuli 2 units"),
        (SHOWN | {"ear": SHOWN["ear"].values}, "stimuli are a labelled array, found ndarray"),
    ):
        with pytest.raises(InputError, match=message):
            simulate(APART, shown)
    with pytest.raises(InputError, match="to_nir: one input called 'input' asked, 'apart' has 'eye', 'ear'"):
        ns.to_nir(pair_of(DiscreteLIFParameters(), 1.2, 1e-3)[0])
