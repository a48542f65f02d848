"""Variables of synapses are recorded as their closed forms say, by name, labelled, on every engine."""

from __future__ import annotations

import numpy as np
import pytest

import neurosim as ns
from neurosim.biophysics import (
    Circuit,
    ClopathParameters,
    DopamineSTDPParameters,
    ExponentialParameters,
    FailingParameters,
    Input,
    LIFParameters,
    Monitors,
    PairSTDPParameters,
    Population,
    Projection,
    SaturatingParameters,
    SynapticScalingParameters,
    TsodyksMarkramParameters,
    learn,
    simulate,
)
from neurosim.schema import InputError

DT = 1e-4
SPIKES = [np.array([20, 70, 85, 160, 161]), np.array([5, 40, 120])]  # steps of each unit
WEIGHTS = np.array([[1e-10, 2e-10, 0.0], [0.0, 3e-10, -1e-10]])
DELAYS = np.array([[1e-3, 2.5e-3, 0.0], [0.0, 1e-3, 0.0]])
RELEASE = TsodyksMarkramParameters(u_rest=0.3, tau_rec=30e-3, tau_facil=15e-3)


def shown():
    """Two stimuli: the trains, and the trains of the two units exchanged."""
    trains = np.zeros((2, 200, 2))
    for unit, steps in enumerate(SPIKES):
        trains[0, steps, unit] = trains[1, steps, 1 - unit] = 1
    return ns.as_stimuli(trains, dims=("stimulus", "time", "unit"), time_step=DT)


def circuit_of(*wires, receptors=None, drive=0.0):
    cells = Population("cells", 3, LIFParameters(), drive, receptors or ExponentialParameters())
    return Circuit("c", Input(2), (cells,), wires or (wire(),), DT, DT)


def wire(**options):
    return Projection("input", "cells", WEIGHTS, **({"delay": DELAYS, "release": RELEASE} | options))


def closed_form(arrivals, steps, p):
    """Return resources and share used at the end of each step: exponentials between the spikes that arrived."""
    x, u, last, found = 1.0, 0.0, 0, []
    arrivals = arrivals.tolist()

    def at(step):
        rested = (step - last) * DT
        return 1 - (1 - x) * np.exp(-rested / p.tau_rec), u * np.exp(-rested / p.tau_facil)

    for step in steps:
        if step in arrivals:
            x, u = at(step)
            u += p.u_rest * (1 - u)
            x -= u * x
            last = step
        found.append(at(step))
    return np.array(found).T


@pytest.mark.parametrize("engine", ["brian2", "torch"])
def test_depression_and_facilitation_follow_their_closed_form(engine):
    """Each synapse hears its source after its own delay; records every third step in trials that are alike."""
    names = ["input->cells.resources", "input->cells.used"]
    kept = Monitors(record=names, record_every=3 * DT)
    found = simulate(circuit_of(), shown(), trials=2, engine=engine, monitors=kept, progress=False)
    dim = "input->cells_synapse"
    assert found[names[0]].dims == ("stimulus", "trial", "record_time", dim) and found[names[1]].attrs["units"] == "1"
    assert found[dim].values.tolist() == [
        "input/0->cells/0", "input/0->cells/1", "input/1->cells/1", "input/1->cells/2"
    ]  # fmt: skip
    np.testing.assert_allclose(found.record_time, np.arange(67) * 3 * DT, atol=1e-12)
    ends = zip(found["input->cells_source"].values, found["input->cells_target"].values, strict=True)
    for place, (source, target) in enumerate(ends):
        late = round(DELAYS[source, target] / DT)
        for stimulus in range(2):
            train = SPIKES[source] if stimulus == 0 else SPIKES[1 - source]
            expected = closed_form(train + late, range(200), RELEASE)[:, ::3]
            for name, course in zip(names, expected, strict=True):
                for trial in range(2):
                    np.testing.assert_allclose(found[name][stimulus, trial, :, place], course, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("engine", ["brian2", "torch"])
def test_some_synapses_are_those_of_all(engine):
    """One synapse, all from a neuron, all onto one, and several names together."""
    found = {}
    for asked in ("", "/1->2", "/0->", "/->1", "/->"):
        kept = Monitors(record=f"input->cells.used{asked}", record_every=DT)
        found[asked] = simulate(circuit_of(), shown(), engine=engine, monitors=kept, progress=False)[
            "input->cells.used"
        ]
    both = Monitors(record=["input->cells.used/1->2", "input->cells.used/0->0"], record_every=DT)
    found["both"] = simulate(circuit_of(), shown(), engine=engine, monitors=both, progress=False)["input->cells.used"]
    for asked, places in {"/1->2": [3], "/0->": [0, 1], "/->1": [1, 2], "/->": [0, 1, 2, 3], "both": [0, 3]}.items():
        assert found[asked].identical(found[""][..., places])
    assert found[""].values.any(axis=(0, 1)).all()


def test_projections_of_one_name_are_numbered_and_those_of_receptors_named(tmp_path):
    receptors = {"ampa": ExponentialParameters(2e-3), "nmda": ExponentialParameters(50e-3)}
    saturating = SaturatingParameters(0.5, 20e-3)
    wires = (
        wire(receptor="ampa"),
        wire(receptor="nmda", release=saturating),
        wire(receptor="ampa", release=FailingParameters()),
    )
    kept = Monitors(record=["input->cells (ampa) 0.used", "input->cells (nmda).open_share/0->1", "cells.nmda_level"])
    found = simulate(circuit_of(*wires, receptors=receptors), shown(), engine="torch", monitors=kept)
    share = found["input->cells (nmda).open_share"]
    assert share.sizes["input->cells_(nmda)_synapse"] == 1 and found["input->cells (ampa) 0.used"].shape[-1] == 4
    arrivals = SPIKES[0] + 25
    open_ = 0.0
    for step in range(200):
        open_ *= np.exp(-DT / saturating.tau)
        open_ += (step in arrivals) * saturating.opened * (1 - open_)
        np.testing.assert_allclose(share[0, step, 0], open_, rtol=1e-9)
    found.to_netcdf(tmp_path / "kept.nc")


@pytest.mark.parametrize("engine", ["brian2", "torch"])
def test_learning_records_traces_weights_and_membranes(engine):
    """The trace of a source is a sum of exponentials; weights after a step are those before the next."""
    rule = PairSTDPParameters(w_max=1e-9, tau_plus=8e-3)
    weights = np.abs(WEIGHTS) * 3
    plastic = Projection("input", "cells", weights, delay=1e-3, plasticity=rule, release=RELEASE)
    names = [f"input->cells.{name}/0->" for name in ("pre_trace", "weight", "used")]
    found = learn(
        circuit_of(plastic, drive=5e-10),
        shown(),
        gap=1e-3,
        engine=engine,
        record=[*names, "cells.v/1"],
        record_every=DT,
    )
    records = found.records
    assert records["input->cells.weight"].dims == ("record_time", "input->cells_synapse")
    assert [records[f"input->cells.{k}"].attrs["units"] for k in ("pre_trace", "weight", "used")] == ["1", "A", "1"]
    assert records["cells.v"].shape == (420, 1) and records["cells.v"].attrs["units"] == "V"
    arrivals = np.concatenate([SPIKES[0], SPIKES[1] + 210]) + 10
    passed = np.arange(420)[:, None] - arrivals
    trace = np.where(passed >= 0, np.exp(-passed * DT / rule.tau_plus), 0.0).sum(1)
    np.testing.assert_allclose(records["input->cells.pre_trace"][:, 0], trace, rtol=1e-9)
    before = found.weights["input->cells"]
    places = np.flatnonzero(before["source"].values == 0)
    np.testing.assert_array_equal(records["input->cells.weight"].values, before.values[1:, places])
    assert np.ptp(before.values[:, places[0]]) > 0
    weight = records["input->cells.weight"]
    assert before.record_time.attrs["state"].startswith("at this time, before the step")
    assert weight.record_time.attrs["state"].startswith("at the end of the step that begins at this time")
    assert before.record_time.attrs["units"] == weight.record_time.attrs["units"] == "s"
    ends = weight.assign_coords(record_time=weight.record_time + DT)  # the same state, by either clock
    np.testing.assert_allclose(ends.record_time, before.record_time[1:], rtol=1e-12)


@pytest.mark.parametrize("engine", ["brian2", "torch"])
def test_times_of_records_say_that_they_hold_the_end_of_their_step(engine):
    """A membrane that is driven from rest has moved once in the record of time 0."""
    kept = Monitors(record=["cells.v"], record_every=DT, membrane=["cells"])
    found = simulate(circuit_of(drive=1e-10), shown(), engine=engine, monitors=kept, progress=False)
    rest, tau = LIFParameters().e_leak, LIFParameters().tau_mem
    moved = 1e-10 / LIFParameters().g_leak * (1 - np.exp(-DT / tau))
    for time, values in (("record_time", found["cells.v"]), ("membrane_time", found.membrane_potential)):
        assert found[time].attrs["state"] == "at the end of the step that begins at this time" and found[time][0] == 0
        np.testing.assert_allclose(values[0, 0], rest + moved, rtol=1e-9)


@pytest.mark.parametrize(
    ("rule", "name", "unit"),
    [
        (ClopathParameters(w_max=1e-9, w_min=-1e-9), "u_minus", "V"),
        (SynapticScalingParameters(w_max=1e-9, w_min=-1e-9), "rate", "spikes/s"),
        (DopamineSTDPParameters(w_max=1e-9, w_min=-1e-9), "eligibility", "A"),
    ],
)
def test_variables_of_rules_have_units_and_are_equal_on_torch_and_brian2(rule, name, unit):
    plastic = Projection("input", "cells", WEIGHTS, plasticity=rule)
    modulator = shown().mean("unit").rename(None) if rule.__class__ is DopamineSTDPParameters else None
    found, same = (
        learn(circuit_of(plastic), shown(), engine=e, modulator=modulator, record=f"input->cells.{name}").records
        for e in ("torch", "brian2")
    )
    record = found[f"input->cells.{name}"]
    assert record.attrs["units"] == unit and np.ptp(record.values) > 0
    np.testing.assert_allclose(same[f"input->cells.{name}"], record, rtol=1e-9, atol=1e-20)


def test_what_is_not_there_is_refused_with_what_is():
    plastic = Projection("cells", "cells", np.full((3, 3), 1e-11), plasticity=PairSTDPParameters(w_max=1e-9))
    circuit = circuit_of(wire(), plastic)
    for name, message in {
        "input->cells.usd": "has no variable 'usd' to record; it has resources, used. Did you mean 'used'",
        "input->cell.used": "no projection 'input->cell' with release or plasticity; there is input->cells",
        "cells->cells.pre_trace": r"cells->cells.pre_trace stays as it is here; learn\(record=...\) records",
        "cells->cells.weight": "stays as it is here",
        "cells->cells.used": "'cells->cells' has no variable to record; those of its release are",
        "input->cells.weight": "has no variable 'weight' to record; it has resources, used",
        "input->cells.used/0->2": "no synapse 'input->cells/0->2'; there are 4, such as '0->0'",
        "input->cells.used/3": r"no synapse 'input->cells/3'.*'0->' is all from a neuron",
        "cells.v/0->1": "no unit 'cells/0->1'; 'cells' has units cells/0 to cells/2",
    }.items():
        with pytest.raises(InputError, match=message):
            simulate(circuit, shown(), monitors=Monitors(record=name))
    with pytest.raises(InputError, match="no projection 'input->cells' with release or plasticity; there is none"):
        simulate(circuit_of(wire(release=None)), shown(), monitors=Monitors(record="input->cells.used"))
    with pytest.raises(InputError, match="asked of different synapses"):
        simulate(circuit, shown(), monitors=Monitors(record=["input->cells.used", "input->cells.resources/0->1"]))
    with pytest.raises(
        InputError, match=r"learn: 'cells->cells' has no variable 'used' to record; it has pre_trace, post"
    ):
        learn(circuit, shown(), record="cells->cells.used")
    with pytest.raises(InputError, match=r"learn: record_every = 0\.00015 s"):
        learn(circuit, shown(), record="cells.v", record_every=1.5e-4)
