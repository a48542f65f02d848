"""Variables of neurons and receptors are recorded with units, as Brian2 records them; the proxy of a field."""

from __future__ import annotations

import brian2 as b2
import numpy as np
import pytest
import xarray as xr

import neurosim as ns
from neurosim.biophysics import (
    NEURONS,
    SYNAPSES,
    AdExParameters,
    Circuit,
    ExponentialConductanceParameters,
    ExponentialParameters,
    Input,
    LIFParameters,
    Monitors,
    NMDAParameters,
    Population,
    Projection,
    TsodyksMarkramParameters,
    lfp_proxy,
    simulate,
)
from neurosim.schema import InputError

DT = 1e-4
TIMES = np.array([[0.003, 0.011, 0.017], [0.006, 0.008, 0.02]])


def cells(**changes):
    """Two AdEx neurons with two receptors on two inputs, and what they are shown: three spikes in each of 2 stimuli."""
    receptors = {"ampa": ExponentialConductanceParameters(), "nmda": NMDAParameters()}
    population = Population("cells", 2, AdExParameters(), 6e-10, receptors, **changes)
    wires = tuple(
        Projection("input", "cells", weight * np.array([[1.0, 0.5], [0.3, 2.0]]), receptor=receptor, release=release)
        for receptor, weight, release in (("ampa", 3e-9, TsodyksMarkramParameters()), ("nmda", 5e-9, None))
    )
    shown = np.zeros((2, 400, 2))
    for unit in range(2):
        shown[unit, np.rint(TIMES[unit] / DT).astype(int), unit] = 1
        shown[unit, 50, 1 - unit] = 1
    return (
        Circuit("cells", Input(2), (population,), wires, DT, DT),
        ns.as_stimuli(shown, dims=("stimulus", "time", "unit"), time_step=DT),
    )


def test_every_model_names_the_unit_of_each_of_its_variables():
    for model in NEURONS.values():
        assert model.units.keys() == model.state.keys(), model.name
        assert (model.units["v"] == "1") == model.is_discrete, model.name
    for model in SYNAPSES.values():
        assert model.state_units.keys() == set(model.state), model.name
        assert all(unit.split("/")[0] == model.units for unit in model.state_units.values()), model.name


@pytest.mark.parametrize("engine", ["brian2", "torch", "cython", "cpp_standalone"])
def test_each_engine_records_the_same(engine):
    """Variables of neuron, receptors and synapses, each fifth step and labelled; each is that of every step."""
    circuit, shown = cells()
    names = ["cells.w", "cells.ampa_level", "cells.nmda_falling", "input->cells (ampa).resources"]
    found, every = (
        simulate(
            circuit, shown, engine=e, trials=2, progress=False,
            monitors=Monitors(record=names, record_every=k * DT, membrane=["cells/1"]),
        )
        for e, k in ((engine, 5), ("torch", 1))
    )  # fmt: skip
    assert found["cells.w"].dims == ("stimulus", "trial", "record_time", "cells_unit")
    assert [found[name].attrs["units"] for name in names] == ["A", "S", "S", "1"]
    assert found.cells_unit.values.tolist() == ["cells/0", "cells/1"]
    np.testing.assert_allclose(found.record_time, np.arange(80) * 5 * DT, atol=1e-12)
    for name in names:
        assert every[name].values.any()
        np.testing.assert_allclose(found[name], every[name][:, :, ::5], rtol=1e-9, atol=1e-25)
    np.testing.assert_allclose(found.membrane_potential, every.membrane_potential, rtol=1e-9)


def test_what_is_recorded_is_what_a_brian2_script_records():
    """The same synapse written in Brian2: a conductance that each spike raises, and the membrane that it moves."""
    synapses = ExponentialConductanceParameters(tau=5e-3, e_rev=0.0)
    neuron = Population("n", 1, LIFParameters(), 0.0, synapses)
    circuit = Circuit("n", Input(1), (neuron,), (Projection("input", "n", [[2e-9]]),), DT, DT)
    spikes = np.zeros((1, 300, 1))
    spikes[0, np.rint(TIMES[0] / DT).astype(int)] = 1
    shown = ns.as_stimuli(spikes, dims=("stimulus", "time", "unit"), time_step=DT)
    found = simulate(circuit, shown, engine="torch", monitors=Monitors(record=["n.level", "n.v"], record_every=DT))

    b2.defaultclock.dt = DT * b2.second
    group = b2.NeuronGroup(
        1, """dv/dt = (10*nS*(-70*mV - v) + g*(0*mV - v))/(100*pF) : volt
        dg/dt = -g/(5*ms) : siemens""", method="rk4", codeobj_class=b2.NumpyCodeObject,
    )  # fmt: skip
    group.v = -70 * b2.mV
    source = b2.SpikeGeneratorGroup(1, [0, 0, 0], TIMES[0] * b2.second, codeobj_class=b2.NumpyCodeObject)
    wire = b2.Synapses(source, group, on_pre="g += 2*nS", codeobj_class=b2.NumpyCodeObject)
    wire.connect()
    seen = b2.StateMonitor(group, ["g", "v"], record=True, codeobj_class=b2.NumpyCodeObject)
    b2.Network(group, source, wire, seen).run(30 * b2.ms)
    v = np.asarray(seen.v[0])
    g = np.asarray(seen.g[0])
    np.testing.assert_allclose(found["n.level"][0, :-1, 0], g[1:], rtol=1e-6)
    np.testing.assert_allclose(found["n.v"][0, :-1, 0], v[1:], atol=2e-4)
    assert np.ptp(v) > 7e-3


def test_what_cannot_be_recorded_is_refused_by_name():
    circuit, shown = cells()
    for name, message in {
        "cells.g": "'cells' has no variable 'g' to record; it has v, wait, w, ampa_level",
        "cells.ampa_arrived": "no variable 'ampa_arrived' to record",
        "cell.v": "no population 'cell'. Populations: cells. Did you mean 'cells'",
        "cells": "record = 'cells'; a variable such as 'cells.v'",
        "cells.v/2": "no unit 'cells/2'; 'cells' has units cells/0 to cells/1",
    }.items():
        with pytest.raises(InputError, match=message):
            simulate(circuit, shown, monitors=Monitors(record=name))
    with pytest.raises(InputError, match=r"record_every = 0.00015 s is no whole number of steps of 0.0001 s"):
        simulate(circuit, shown, monitors=Monitors(record="cells.v", record_every=1.5 * DT))
    with pytest.raises(InputError, match=r"cells.v and cells.w are asked of different neurons"):
        simulate(circuit, shown, monitors=Monitors(record=["cells.v", "cells.w/1"]))
    with pytest.raises(InputError, match="record_every is read where something is recorded"):
        Monitors(record_every=1e-3)


def test_the_proxy_is_the_reference_weighted_sum():
    """Excitation 6 ms late, minus 1.65 times inhibition, summed over the neurons of recorded currents."""
    receptors = {"ampa": ExponentialParameters(2e-3), "gaba": ExponentialParameters(5e-3)}
    population = Population("cells", 3, LIFParameters(), 0.0, receptors)
    wires = tuple(
        Projection("input", "cells", np.diag([1.0, 2.0, 3.0]) * w, receptor=r)
        for r, w in (("ampa", 1e-10), ("gaba", -2e-10))
    )
    circuit = Circuit("field", Input(3), (population,), wires, DT, DT)
    rng = np.random.default_rng(0)
    shown = ns.as_stimuli((rng.random((2, 200, 3)) < 0.05) * 1.0, dims=("stimulus", "time", "unit"), time_step=DT)
    found = simulate(
        circuit, shown, monitors=Monitors(record=["cells.ampa_level", "cells.gaba_level"], record_every=1e-3)
    )
    ampa, gaba = found["cells.ampa_level"], found["cells.gaba_level"]
    proxy = lfp_proxy(ampa, gaba)
    assert proxy.dims == ("stimulus", "record_time") and proxy.sizes["record_time"] == 14
    assert proxy.record_time.values[0] == pytest.approx(6e-3) and proxy.attrs["units"] == "A"
    expected = [ampa.values[:, k - 6].sum(-1) + 1.65 * gaba.values[:, k].sum(-1) for k in range(6, 20)]
    np.testing.assert_allclose(proxy, np.transpose(expected), rtol=1e-9)
    assert np.ptp(proxy.values) > 1e-10
    for changes, message in (
        ({"delay": 5.5e-3}, "delay = 0.0055 s asked, the records come every 0.001 s"),
        ({"delay": 30e-3}, "fewer than there are"),
    ):
        with pytest.raises(InputError, match=message):
            lfp_proxy(ampa, gaba, **changes)
    with pytest.raises(InputError, match="other stimuli, trials or times"):
        lfp_proxy(ampa, gaba[:, 1:])
    with pytest.raises(InputError, match="one dim of neurons"):
        lfp_proxy(ampa.sum("cells_unit"), gaba)
    with pytest.raises(InputError, match="hold NaN"):
        lfp_proxy(ampa, xr.where(gaba < 0, np.nan, gaba))
