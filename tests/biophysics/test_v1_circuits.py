"""The circuits of V1: what is uniform brings nothing, bars bring the cells that prefer them, places stay apart."""

from __future__ import annotations

import numpy as np
import pytest

import neurosim as ns
from neurosim.biophysics import LGNV1Options, RingV1Options, build_circuit, load_circuit, save_circuit
from neurosim.schema import InputError

SIDE = 16
SMALL = LGNV1Options(lgn_grid=8, v1_grid=1, n_orientations=4, wavelength=0.4)


def bars(degrees, contrast=1.0):
    """A grating whose intensity changes along `degrees`."""
    place = (np.arange(SIDE) + 0.5) / SIDE - 0.5
    y, x = np.meshgrid(place, place, indexing="ij")
    across = x * np.cos(np.deg2rad(degrees)) + y * np.sin(np.deg2rad(degrees))
    return 0.5 + 0.5 * contrast * np.cos(2 * np.pi * across / SMALL.wavelength)


def answers(circuit, stimuli, trials=2):
    """Spikes of each unit, summed over time and averaged over trials, and the layers."""
    found = ns.simulate(circuit, stimuli, trials=trials, rng=1, engine="torch", progress=False)
    return found.sum("time").mean("trial").values, found["layer"].values


def test_a_uniform_picture_brings_no_current_at_any_brightness():
    circuit = build_circuit("lgn_v1", SIDE**2, SMALL)
    for wire in circuit.projections[:2]:
        np.testing.assert_allclose(np.ones(SIDE**2) @ wire.weights, 0, atol=1e-20)
    on, off = (wire.weights for wire in circuit.projections[:2])
    np.testing.assert_array_equal(on, -off)


def test_cells_of_the_shown_orientation_fire_most():
    circuit = build_circuit("lgn_v1", SIDE**2, SMALL)
    shown = ns.as_stimuli(np.array([bars(45.0 * k) for k in range(4)]), dims=("stimulus", "y", "x"))
    rate, layer = answers(circuit, shown)
    by_preference = rate[:, layer == "excitatory"].reshape(4, 4, 4).mean(-1)  # shown, preferred
    assert by_preference.argmax(1).tolist() == [0, 1, 2, 3]
    assert np.diag(by_preference).mean() > 3 * by_preference[~np.eye(4, dtype=bool)].mean()


def test_rings_of_two_places_are_one_apart_from_the_other():
    """Input units hold all places of an orientation, then those of the next, as Gabor energy has them."""
    options = RingV1Options(n_excitatory=16, n_inhibitory=4)
    circuit = build_circuit("ring_v1", 8, options)
    shown = np.zeros((2, 8))
    shown[0, 2 * 1 + 0] = shown[1, 2 * 3 + 1] = 1.0  # 45 degrees at the first place, 135 at the second
    rate, layer = answers(circuit, ns.as_stimuli(shown))
    rings = rate[:, layer == "excitatory"].reshape(2, 2, 16)
    assert rings[0, 0].sum() > 5 * max(rings[0, 1].sum(), 1) and rings[1, 1].sum() > 5 * max(rings[1, 0].sum(), 1)
    preferred = [np.angle(rings[k, k] @ np.exp(2j * np.pi * np.arange(16) / 16), deg=True) / 2 % 180 for k in (0, 1)]
    np.testing.assert_allclose(preferred, [45, 135], atol=8)


def test_the_front_end_survives_its_file(tmp_path):
    circuit = build_circuit("lgn_v1", SIDE**2, SMALL)
    again = load_circuit(save_circuit(tmp_path / "c.nc", circuit))
    shown = ns.as_stimuli(bars(0.0)[None], dims=("stimulus", "y", "x"))
    np.testing.assert_array_equal(answers(circuit, shown)[0], answers(again, shown)[0])


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: build_circuit("lgn_v1", 3 * SIDE**2), "pictures of one channel, as high as wide"),
        (lambda: build_circuit("ring_v1", 10), "4 orientations at each place asked, found 10"),
        (lambda: LGNV1Options(lgn_grid=4, wavelength=0.3), "take a larger lgn_grid"),
        (lambda: LGNV1Options(v1_grid=0), "v1_grid from 1 to 50 asked, found 0"),
        (lambda: RingV1Options(dt=float("nan")), "dt from 1e-06 to 0.001 asked, found nan"),
    ],
)
def test_what_makes_no_circuit_is_refused(call, said):
    with pytest.raises(InputError, match=said):
        call()
