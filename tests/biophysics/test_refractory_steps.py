"""How long neurons are refractory, in steps: against Brian2's own `refractory`, and between engines."""

import brian2 as b2
import numpy as np
import pytest

import neurosim as ns
from neurosim.biophysics import Circuit, Input, LIFParameters, Monitors, Population, Projection, QuadraticIFParameters

DT = 1e-4


def spike_steps(neuron, drive, engine):
    """Steps in which one neuron fires that a constant current drives for 50 ms."""
    cell = Population("cell", 1, neuron, drive=drive)
    circuit = Circuit("one", Input(1), (cell,), (Projection("input", "cell", [[1e-3]]),), dt=DT, step=1e-3)
    silence = ns.as_stimuli(np.zeros((1, 50, 1)), dims=("stimulus", "time", "unit"), time_step=1e-3)
    found = ns.simulate(circuit, silence, engine=engine, monitors=Monitors(spike_times=True), progress=False)
    return np.rint(found["spike_time"].values / DT).astype(int)


@pytest.mark.parametrize("engine", ["brian2", "torch"])
@pytest.mark.parametrize("drive", [5e-10, 1e-8])
def test_a_script_of_brian2_with_refractory_holds_one_step_less(engine, drive):
    cells = b2.NeuronGroup(
        1,
        "dv/dt = (10*nS*(-70*mV - v) + current)/(100*pF) : volt (unless refractory)\ncurrent : amp (constant)",
        threshold="v > -50*mV",
        reset="v = -70*mV",
        refractory=2 * b2.ms,
        method="exact",
        dt=DT * b2.second,
        codeobj_class=b2.NumpyCodeObject,
    )
    cells.v, cells.current = -70 * b2.mV, drive * b2.amp
    theirs = b2.SpikeMonitor(cells, codeobj_class=b2.NumpyCodeObject)
    b2.Network(cells, theirs).run(50 * b2.ms)
    steps = np.rint(np.array(theirs.t) / DT).astype(int)
    np.testing.assert_array_equal(spike_steps(LIFParameters(refractory=2e-3 - DT), drive, engine), steps)
    assert np.diff(spike_steps(LIFParameters(refractory=2e-3), drive, engine))[0] == np.diff(steps)[0] + 1


@pytest.mark.parametrize("engine", ["brian2", "torch"])
@pytest.mark.parametrize("neuron", [LIFParameters, QuadraticIFParameters])
def test_the_time_between_spikes_is_that_without_refractory_period_and_the_period(engine, neuron):
    free, held = (np.diff(spike_steps(neuron(refractory=r), 1e-9, engine)) for r in (0.0, 3e-3))
    assert set(held) == {free[-1] + 30}
