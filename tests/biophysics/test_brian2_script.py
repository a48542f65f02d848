"""Circuits written as Brian2 scripts: run by themselves in a fresh process, they send the spikes of the engine."""

import subprocess
import textwrap
from dataclasses import replace

import numpy as np
import pytest

import neurosim as ns
from neurosim.biophysics import (
    NEURONS,
    AdExParameters,
    Circuit,
    CustomNeuron,
    ExponentialConductanceParameters,
    ExponentialParameters,
    GapJunctionParameters,
    Input,
    Monitors,
    PairSTDPParameters,
    Population,
    Projection,
    TsodyksMarkramParameters,
    simulate,
    to_brian2,
)
from neurosim.biophysics import FailingParameters as Failing
from neurosim.parameters import DiscreteLIFParameters
from neurosim.schema import InputError
from tests import forks

RNG = np.random.default_rng(3)
SHOWN = ns.as_stimuli(RNG.integers(0, 2, (2, 30, 4)).astype(float), dims=("stimulus", "time", "unit"), time_step=1e-3)
BRIGHT = ns.as_stimuli(RNG.random((1, 4)))
CURRENT = ns.as_stimuli(RNG.random((1, 30, 4)) * 1e-10, dims=("stimulus", "time", "unit"), time_step=1e-3)

RUN = """
    import runpy, sys
    from pathlib import Path
    import numpy as np

    found = {}
    for path in sorted(Path(".").glob("*.py")):
        if path.name != "run_all.py":
            names = runpy.run_path(str(path))
            dt = float(names["steps"].dt_)
            for population, monitor in names["spikes"].items():
                found[f"{path.stem}/{population}"] = np.stack([np.rint(monitor.t_ / dt).astype(int), monitor.i])
    assert "neurosim" not in sys.modules
    np.savez("found.npz", **found)
"""


def discrete():
    layers = tuple(Population(n, 5, DiscreteLIFParameters(tau_mem=5e-3), drive=RNG.normal(0, 0.1, 5)) for n in "ab")
    wires = (
        Projection("input", "a", RNG.normal(0, 0.6, (4, 5))),
        Projection("a", "b", RNG.normal(0, 0.8, (5, 5))),
        Projection("b", "a", RNG.normal(0, 0.3, (5, 5))),
    )
    return Circuit("discrete", Input(4), layers, wires, dt=1e-3, step=1e-3), SHOWN


def of(name):
    """A circuit of three neurons of a model, driven so that they fire, with spikes between them."""
    numbers, drive = NEURONS[name].example
    parameters = NEURONS[name].of(numbers)
    cells = Population("cells", 3, parameters, drive=np.linspace(1.0, 1.4, 3) * drive)
    return Circuit(name, Input(4), (cells,), (), dt=1e-3 if cells.is_discrete else 1e-4, step=1e-3), SHOWN


def released():
    """Excitation that depresses and fails, delays of synapses, a conductance and a current, noise."""
    cells = Population(
        "cells",
        3,
        AdExParameters(),
        6e-10,
        {"ampa": ExponentialConductanceParameters(), "slow": ExponentialParameters()},
        noise=1e-3,
    )
    weights = np.full((4, 3), 5e-9)
    wires = (
        Projection("input", "cells", weights, receptor="ampa", release=TsodyksMarkramParameters()),
        Projection("input", "cells", weights / 10, receptor="slow", delay=RNG.integers(0, 4, (4, 3)) * 1e-3),
        Projection("cells", "cells", np.full((3, 3), 2e-9), receptor="ampa", release=Failing(), delay=1e-3),
    )
    return Circuit("released", Input(4), (cells,), wires, dt=1e-4, step=1e-3), SHOWN


def bright():
    """Poisson input with several spikes a step, onto neurons given by equations."""
    neuron = CustomNeuron("dv/dt = (drive - v) / tau", "v > 1", "v = 0", {"tau": 10e-3}, refractory=2e-3)
    cells = Population("cells", 3, neuron, drive=0.2)
    wire = Projection("input", "cells", np.full((4, 3), 0.2))
    shown = Input(4, kind="poisson", max_rate=1500.0, duration=0.03)
    return Circuit("bright", shown, (cells,), (wire,), dt=1e-4, step=1e-3), BRIGHT


def coupled():
    """Two neurons that gap junctions couple."""
    cells = Population("cells", 2, NEURONS["lif"].of({}), np.array([9e-10, 5e-10]), {"gap": GapJunctionParameters()})
    wire = Projection("cells", "cells", np.array([[0.0, 1e-8], [1e-8, 0.0]]), receptor="gap")
    return Circuit("coupled", Input(4), (cells,), (wire,), dt=1e-4, step=1e-3), SHOWN


def driven():
    cells = Population("cells", 4, NEURONS["lif"].of({}))
    wire = Projection("input", "cells", 4 * np.eye(4))
    return Circuit("driven", Input(4, kind="current"), (cells,), (wire,), dt=1e-4, step=1e-3), CURRENT


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    """All circuits by name, with what their scripts sent in one fresh process."""
    folder = tmp_path_factory.mktemp("scripts")
    made = {
        "discrete": discrete(),
        "released": released(),
        "bright": bright(),
        "driven": driven(),
        "coupled": coupled(),
    }
    made |= {f"of_{n}": of(n) for n in NEURONS if NEURONS[n].example[1] and NEURONS[n].sends_spikes}
    for name, (circuit, stimuli) in made.items():
        to_brian2(circuit, stimuli, path=folder / f"{name}.py", rng=5)
    (folder / "run_all.py").write_text(textwrap.dedent(RUN))
    done = subprocess.run(forks.command("run_all.py"), cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return made, dict(np.load(folder / "found.npz")), folder


def test_scripts_send_every_spike_of_the_engine(scripts):
    made, found, _ = scripts
    silent = []
    for name, (circuit, stimuli) in made.items():
        kept = simulate(circuit, stimuli, rng=5, engine="brian2", monitors=Monitors(spike_times=True), progress=False)
        first = 0
        for p in circuit.populations:
            own = (kept["spike_unit"] >= first) & (kept["spike_unit"] < first + p.size)
            step = np.rint(kept["spike_time"].values[own] / circuit.dt).astype(int)
            neuron = kept["spike_stimulus"].values[own] * p.size + kept["spike_unit"].values[own] - first
            wanted = sorted(zip(step.tolist(), neuron.tolist(), strict=True))
            sent = sorted(zip(*found[f"{name}/{p.name}"].tolist(), strict=True))
            assert sent == wanted, (name, p.name)
            silent += [] if sent else [name]
            first += p.size
    assert not silent


def test_a_script_is_to_be_read(scripts):
    made, _, folder = scripts
    text = (folder / "released.py").read_text()
    assert "# Population 'cells': 3 neurons" in text
    assert "# Synapses from 'cells' to 'cells'" in text
    assert "neurosim" not in text
    small = to_brian2(*made["discrete"], rng=5)
    assert "data[" not in small
    assert max(map(len, small.splitlines())) < 10_000
    names = {}
    exec(compile(to_brian2(*made["driven"], rng=5), "driven", "exec"), names)
    assert names["spikes"]["cells"].num_spikes > 0


def test_what_is_too_large_for_a_text_or_not_taken(tmp_path):
    cells = Population("cells", 400, DiscreteLIFParameters())
    wire = Projection("input", "cells", RNG.normal(size=(400, 400)))
    circuit = Circuit("large", Input(400), (cells,), (wire,), dt=1e-3, step=1e-3)
    stimuli = ns.as_stimuli(np.ones((1, 2, 400)), dims=("stimulus", "time", "unit"), time_step=1e-3)
    with pytest.raises(InputError, match="too many for a text; give path="):
        to_brian2(circuit, stimuli)
    to_brian2(circuit, stimuli, path=tmp_path / "large.py")
    assert np.load(tmp_path / "large.npz")["S0_arrived_weight"].shape == (160_000,)
    with pytest.raises(InputError, match="tail"):
        to_brian2(circuit, stimuli, tail="long")
    with pytest.raises(InputError, match="400 inputs"):
        to_brian2(circuit, SHOWN)


def test_plastic_weights_stay():
    circuit, stimuli = discrete()
    plastic = replace(circuit.projections[1], plasticity=PairSTDPParameters(w_min=-9.0, w_max=9.0))
    text = to_brian2(replace(circuit, projections=(circuit.projections[0], plastic, circuit.projections[2])), stimuli)
    assert text == to_brian2(circuit, stimuli)
