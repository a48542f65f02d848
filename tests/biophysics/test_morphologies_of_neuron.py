"""A reconstructed cell, made of sections in NEURON (https://doi.org/10.1162/neco.1997.9.6.1179), answers as here."""

import numpy as np
import pytest

from neurosim.biophysics import CableParameters, load_swc, simulate_morphology
from tests.biophysics.test_morphologies import GRANULE_CELL, pulses

neuron = pytest.importorskip("neuron")
CURRENTS = np.array([2e-11, 2e-11, 0, -3e-11, 0, 0, 0, 0, 4e-11, 0])  # A, 1 ms each
PLACES, CABLE = (0, 40, 200, 352), CableParameters(resistivity=2.0, g_leak=0.6)


def in_neuron(cell, dt):
    """Membrane (time, place), V, of a passive cell of which each point is a section; a current enters the root.

    NEURON counts in um, ms, mV, nA, uF/cm2, S/cm2 and ohm cm.
    """
    h, sections = neuron.h, []
    h.load_file("stdrun.hoc")
    for k, parent in enumerate(cell.parent):
        section = h.Section(name=f"point_{k}")
        diameter, start = 1e6 * cell.diameter[k], 1e6 * cell.position[parent]
        if parent < 0:
            section.L = section.diam = diameter
        else:
            section.connect(sections[parent](1 if parent else 0.5), 0)
            first = 1e6 * cell.diameter[parent] if parent else diameter
            section.pt3dadd(*start, first)
            section.pt3dadd(*(1e6 * cell.position[k]), diameter)
        section.nseg, section.Ra, section.cm = 1, CABLE.resistivity * 100, CABLE.capacitance * 100
        section.insert("pas")
        section.g_pas, section.e_pas = CABLE.g_leak * 1e-4, CABLE.e_leak * 1e3
        sections.append(section)
    clamp = h.IClamp(sections[0](0.5))
    clamp.dur = 1e9
    times, steps = h.Vector(np.arange(len(CURRENTS)) * 1.0), h.Vector(CURRENTS * 1e9)
    steps.play(clamp._ref_amp, times)
    kept = [h.Vector().record(sections[k](0.5)._ref_v) for k in PLACES]
    h.steps_per_ms, h.dt = 1e-3 / dt, dt * 1e3
    h.finitialize(CABLE.e_leak * 1e3)
    h.continuerun(len(CURRENTS))
    return np.array([vector.as_numpy()[1:] for vector in kept]).T * 1e-3


def test_every_place_of_a_reconstructed_cell_answers_as_in_neuron():
    cell, dt = load_swc(GRANULE_CELL), 2.5e-5
    found = simulate_morphology(cell, pulses(CURRENTS[None, :, None]), ["soma"], cable=CABLE, dt=dt, progress=False)
    expected = in_neuron(cell, dt)
    assert found.sizes["compartment"] == len(cell.parent)
    ours = found.values[0][:, list(PLACES)]
    assert ours.shape == expected.shape
    assert (np.ptp(expected, axis=0) > 5e-4).all()
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-8)
