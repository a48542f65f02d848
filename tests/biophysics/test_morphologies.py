"""Neurons with a shape against the cable equation, reciprocity, the point neuron, and a stranger's SWC file."""

from pathlib import Path

import brian2
import numpy as np
import pytest

from neurosim.biophysics import (
    CableParameters,
    LIFParameters,
    Morphology,
    SquidAxonParameters,
    WangBuzsakiParameters,
    load_swc,
    simulate_morphology,
)
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.inputs import Input
from neurosim.biophysics.populations import Population
from neurosim.biophysics.simulation import Monitors, simulate
from neurosim.schema import InputError, as_stimuli
from neurosim.storage import StorageError

GRANULE_CELL = Path(brian2.__file__).parent / "spatialneuron" / "mp_ma_40984_gc2.CNG.swc"


def pulses(values, time_step=1e-3):
    """Currents (stimulus, time, unit), A."""
    return as_stimuli(np.asarray(values), dims=("stimulus", "time", "unit"), time_step=time_step)


def stick(n, length, diameter, label="dendrite"):
    """A straight cable of `n` compartments."""
    places = np.linspace(0, length, n + 1)[:, None] * [1.0, 0.0, 0.0]
    return Morphology([label] * (n + 1), places, [diameter] * (n + 1), np.arange(n + 1) - 1)


def ball_and_stick(n=20):
    """A soma of 20 um with a dendrite of 2 um."""
    places = np.array([[0.0, 0, 0], *([10e-6 + 20e-6 * k, 0, 0] for k in range(n + 1))])
    return Morphology(["soma"] + ["dendrite"] * (n + 1), places, [20e-6] + [2e-6] * (n + 1), np.arange(n + 2) - 1)


def test_a_passive_cable_settles_as_the_cable_equation_says():
    """v(x) = I R cosh((L - x) / lambda) / sinh(L / lambda), lambda^2 = d / (4 g R_i), sealed at both ends."""
    cable, length, diameter, current = CableParameters(resistivity=1.5, g_leak=0.5), 8e-4, 2e-6, 1e-11
    found = simulate_morphology(
        stick(80, length, diameter), pulses(np.full((1, 200, 1), current)), ["dendrite"], cable=cable, dt=5e-4,
        progress=False,
    )  # fmt: skip
    scale = np.sqrt(diameter / (4 * cable.g_leak * cable.resistivity))
    resistance = cable.resistivity * scale / (np.pi * diameter**2 / 4)
    x = found.distance.values
    wanted = current * resistance * np.cosh((length - x) / scale) / np.sinh(length / scale)
    np.testing.assert_allclose(found.values[0, -1] - cable.e_leak, wanted, rtol=6e-3)
    assert found.attrs["units"] == "V" and float(found.area.sum()) == pytest.approx(np.pi * diameter * length)


def test_an_isopotential_sphere_charges_with_its_time_constant():
    cable = CableParameters()
    sphere = Morphology(["soma"], [[0, 0, 0]], [20e-6], [-1])
    found = simulate_morphology(
        sphere, pulses(np.full((1, 30, 1), 1e-11)), ["soma"], cable=cable, dt=1e-4, progress=False
    )
    area = np.pi * (20e-6) ** 2
    wanted = 1e-11 / (cable.g_leak * area) * (1 - np.exp(-found.time.values / 10e-3))
    np.testing.assert_allclose(found.values[0, :, 0] - cable.e_leak, wanted, rtol=2e-2, atol=1e-6)


def test_what_a_current_here_does_there_a_current_there_does_here():
    """Reciprocity of passive trees, in a granule cell that others reconstructed."""
    cell = load_swc(GRANULE_CELL)
    assert cell.sizes == {"soma": 1, "dendrite": 352}
    shown = pulses([[[1e-11, 0.0]] * 3, [[0.0, 1e-11]] * 3])
    found = simulate_morphology(cell, shown, ["soma/0", "dendrite/200"], dt=2.5e-4, progress=False) + 65e-3
    there, here = (found.sel(compartment=name).values for name in ("dendrite/200", "soma/0"))
    np.testing.assert_allclose(there[0], here[1], rtol=1e-6)
    assert there[0, -1] > 1e-5 and there[1, -1] > 2 * there[0, -1]


def test_a_soma_with_channels_fires_like_the_point_neuron():
    """The same numbers an area: 10 uA/cm2 into a sphere of 20 um."""
    current, area = 1e-9 / 1e-8, np.pi * (20e-6) ** 2  # 1e-4 cm2 are 1e-8 m2
    sphere = Morphology(["soma"], [[0, 0, 0]], [20e-6], [-1])
    shown = pulses(np.full((1, 30, 1), current * area))
    found = simulate_morphology(
        sphere, shown, ["soma"], channels={"soma": SquidAxonParameters()}, dt=2e-5, progress=False
    ).values[0, :, 0]  # fmt: skip
    crossed = np.flatnonzero((found[1:] > 0) & (found[:-1] <= 0)) * 2e-5
    circuit = Circuit("c", Input(1), (Population("n", 1, SquidAxonParameters(), 1e-9),), (), 2e-5, 1e-3)
    silent = pulses(np.zeros((1, 30, 1)))
    point = simulate(circuit, silent, engine="torch", monitors=Monitors(spike_times=True), progress=False)
    assert len(crossed) == 2
    np.testing.assert_allclose(crossed, point.spike_time.values, atol=3e-4)


@pytest.mark.parametrize("record", [SquidAxonParameters(), WangBuzsakiParameters()])
def test_a_spike_of_the_soma_travels_back_into_the_dendrite(record):
    """Later and later; it shrinks where the dendrite is passive, and much less where it has channels."""
    shown = pulses([[[2e-9]] * 2 + [[0.0]] * 8])
    peaks = []
    for channels in ({"soma": record}, {"soma": record, "dendrite": record}):
        found = simulate_morphology(ball_and_stick(), shown, ["soma"], channels=channels, dt=5e-5, progress=False)
        along = found[0].sel(compartment=["soma/0", *(f"dendrite/{k}" for k in (5, 10, 15))])
        times, heights = along.idxmax("time").values, along.max("time").values
        assert (np.diff(times) > 0).all() and heights[0] > 0
        assert along.label.values.tolist() == ["soma", *["dendrite"] * 3] and (np.diff(along.distance) > 0).all()
        peaks.append(heights)
    assert (np.diff(peaks[0]) < -2e-3).all()
    assert peaks[1][-1] > peaks[0][-1] + 20e-3


BAD = {
    "no point": ("# nothing", "holds 0 points"),
    "six numbers": ("1 1 0 0 0 1\n", "line 1: 'number type x y z radius parent' asked, found '1 1 0 0 0 1'"),
    "words": ("1 soma 0 0 0 1 -1\n", "line 1"),
    "half a number": ("1.5 1 0 0 0 1 -1\n", "line 1"),
    "twice": ("1 1 0 0 0 1 -1\n1 3 5 0 0 1 1\n", "line 2: point 1 stands twice, first in line 1"),
    "child first": ("2 3 5 0 0 1 1\n1 1 0 0 0 1 -1\n", "line 1: point 2 names 1, which .* not .*before it"),
    "two roots": (
        "1 1 0 0 0 1 -1\n2 3 5 0 0 1 -1\n",
        "line 2: point 2 breaks the tree: .*found 2 points",
    ),
    "no radius": (
        "1 1 0 0 0 1 -1\n\n# x\n2 3 5 0 0 0 1\n",
        "line 4: point 2 has no finite place or no diameter",
    ),
    "nan": ("1 1 0 0 0 1 -1\n2 3 nan 0 0 1 1\n", "line 2: point 2 has no finite place"),
    "one place": ("1 1 0 0 0 1 -1\n2 3 0 0 0 1 1\n", "line 2: point 2 lies where its parent lies"),
    "metres": ("1 1 0 0 0 1 -1\n2 3 2e5 0 0 1 1\n", "places and diameters are in m"),
    "no cable": ("1 3 0 0 0 1 -1\n", "one point alone is a soma"),
}


@pytest.mark.parametrize("what", BAD)
def test_files_that_hold_no_neuron_are_refused_in_one_line(what, tmp_path):
    text, words = BAD[what]
    (tmp_path / "bad.swc").write_text(text)
    with pytest.raises(InputError, match=words) as error:
        load_swc(tmp_path / "bad.swc")
    assert "\n" not in str(error.value) and "bad.swc" in str(error.value)


def test_labels_places_and_comments_of_a_file_are_kept(tmp_path):
    text = "\ufeff# made by hand\n\n 1 1 0 0 0 10 -1 # root\n2 4 0 20 0 1.5 1\n3 2 0 -30 0 0.5 1\n4 7 0 -60 0 0.5 3\n"
    (tmp_path / "cell.swc").write_text(text, encoding="utf-8")
    cell = load_swc(tmp_path / "cell.swc")
    assert cell.label.tolist() == ["soma", "apical", "axon", "type7"] and cell.parent.tolist() == [-1, 0, 0, 2]
    np.testing.assert_allclose(cell.position[:, 1], [0, 20e-6, -30e-6, -60e-6])
    np.testing.assert_allclose(cell.diameter, [20e-6, 3e-6, 1e-6, 1e-6])
    with pytest.raises(StorageError):
        load_swc(tmp_path / "nowhere.swc")


SHOWN = pulses(np.zeros((1, 2, 1)))
REFUSED = {
    "plain array": (np.zeros((1, 2, 1)), ["soma"], {}, "labelled currents"),
    "unknown place": (SHOWN, ["dendrite/99"], {}, "no compartment 'dendrite/99'; there are soma/0 to"),
    "too many places": (SHOWN, ["soma", "dendrite"], {}, "the stimuli have 1 units"),
    "unknown section": (SHOWN, ["soma"], {"channels": {"axn": SquidAxonParameters()}}, "no section 'axn'"),
    "no channels": (SHOWN, ["soma"], {"channels": {"soma": LIFParameters()}}, "record of hodgkin_huxley, squid_axon"),
    "two kinds": (
        SHOWN, ["soma"], {"channels": {"soma": SquidAxonParameters(), "dendrite": WangBuzsakiParameters()}}, "one kind",
    ),
    "step": (SHOWN, ["soma"], {"dt": 3e-4}, "no whole number of steps dt = 0.0003 s"),
    "no step": (SHOWN, ["soma"], {"dt": 0.0}, "no whole number of steps"),
    "nan": (SHOWN * np.nan, ["soma"], {}, "NaN or infinity"),
    "picoamperes": (SHOWN + 200.0, ["soma"], {}, "up to 200 A are outside .* 200 pA is 200e-12"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
@pytest.mark.filterwarnings("ignore")
def test_what_cannot_be_injected_or_simulated_is_refused_in_one_line(what):
    stimuli, places, options, words = REFUSED[what]
    if hasattr(stimuli, "attrs"):
        stimuli = stimuli.assign_attrs(time_step=1e-3)
    with pytest.raises(InputError, match=words) as error:
        simulate_morphology(ball_and_stick(), stimuli, places, progress=False, **options)
    assert "\n" not in str(error.value)


@pytest.mark.filterwarnings("ignore")
def test_a_membrane_that_is_no_number_is_named_with_its_time():
    grain = Morphology(["soma", "soma"], [[0, 0, 0], [1e-9, 0, 0]], [1e-9, 1e-9], [-1, 0])
    channels, thin = {"soma": SquidAxonParameters()}, CableParameters(1e-4)
    shown = (SHOWN - 1e-6).assign_attrs(time_step=1e-3)
    with pytest.raises(InputError, match=r"no finite number from 0\.00. s on; take a shorter dt"):
        simulate_morphology(grain, shown, ["soma"], channels=channels, cable=thin, dt=1e-3, progress=False)
