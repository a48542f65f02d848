"""A neuron, a synapse and a circuit of one's own, each in one module, work wherever those of the package do."""

import importlib
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import neurosim as ns
from neurosim.biophysics.calibration import rheobase
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.circuit_files import load_circuit, save_circuit
from neurosim.biophysics.inputs import Input
from neurosim.biophysics.ladder import climb
from neurosim.biophysics.models import NEURONS, SYNAPSES
from neurosim.biophysics.nir_circuits import circuit_from_nir, circuit_to_nir
from neurosim.biophysics.populations import Population
from neurosim.biophysics.projections import Projection
from neurosim.biophysics.simulation import simulate
from neurosim.schema import InputError, as_stimuli
from tests import forks

QUADRATIC = '''
"""The quadratic integrate-and-fire neuron."""

from dataclasses import dataclass

from neurosim.biophysics.models import NeuronModel
from neurosim.parameters import check_range


@dataclass(frozen=True)
class QuadraticParameters:
    """``C dv/dt = k (v - v_rest) (v - v_t) + I``, V, F, S/V."""

    capacitance: float = 100e-12
    k: float = 7e-7
    v_rest: float = -60e-3
    v_t: float = -40e-3
    v_peak: float = 35e-3
    v_reset: float = -50e-3

    def __post_init__(self):
        check_range(self, v_rest=(-0.2, 0.2), v_t=(-0.2, 0.2))


def constants(p, dt):
    own = {name: p[name] for name in ("k", "v_rest", "v_t", "v_peak", "v_reset")}
    return own | {"dt_per_capacitance": dt / p["capacitance"]}


def update(x, m):
    current = x.k * (x.v - x.v_rest) * (x.v - x.v_t) + x.drive
    current = current if x.i_syn is None else current + x.i_syn
    moved = x.v + x.dt_per_capacitance * current
    return {"v": moved if x.kick is None else moved + x.kick}


QUADRATIC = NeuronModel(
    "quadratic",
    QuadraticParameters,
    {"v": "v_rest"},
    constants,
    update,
    distance=lambda x, m: x.v - x.v_peak,
    reset=lambda x, m: {"v": x.v_reset},
    threshold="v_t",
    rheobase=lambda p: p["k"] * (p["v_t"] - p["v_rest"]) ** 2 / 4,
    caption="quadratic integrate-and-fire neurons",
    reference="Ermentrout GB, Kopell N (1986) SIAM J Appl Math 46:233-253, https://doi.org/10.1137/0146017",
    example=({}, 1e-10),
)
'''
ALPHA = '''
"""Synapses with a current of the shape of an alpha function."""

from dataclasses import dataclass

from neurosim.biophysics.models import SynapseModel, decay


@dataclass(frozen=True)
class AlphaParameters:
    """A current that rises and falls with `tau_syn`, s."""

    tau_syn: float = 3e-3


def constants(p, dt):
    return {"alpha_decay": decay(dt, p["tau_syn"]), "alpha_rise": dt / p["tau_syn"]}


def step(x, m):
    first = m.let("first_current", x.rising * x.alpha_decay + x.arrived)
    second = m.let("second_current", x.current * x.alpha_decay + x.alpha_rise * first)
    return {"rising": first, "current": second}, {"kick": None, "i_syn": second, "g_syn": None}


ALPHA = SynapseModel(
    "rising_alpha", AlphaParameters, ("arrived",), ("rising", "current"), constants, step, example=5e-11
)
'''
RNG = np.random.default_rng(0)
TRAINS = as_stimuli((RNG.random((2, 100, 5)) < 0.1) * 1.0, dims=("stimulus", "time", "unit"), time_step=1e-3)


def module_of(name, text, folder, monkeypatch):
    (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module(name)


def pool(parameters, synapses, weight=4e-11, **options):
    population = Population("own", 4, parameters, 5e-11, synapses, **options)
    wire = Projection("input", "own", np.full((5, 4), weight))
    return Circuit("own", Input(5), (population,), (wire,), 1e-4, 1e-3)


def test_models_of_ones_own_run_on_every_engine_and_are_saved(tmp_path, monkeypatch):
    neuron = module_of("quadratic_neuron", QUADRATIC, tmp_path, monkeypatch)
    synapse = module_of("alpha_synapse", ALPHA, tmp_path, monkeypatch)
    with NEURONS.added(neuron.QUADRATIC), SYNAPSES.added(synapse.ALPHA):
        varying = {"v_t": np.array([-42e-3, -41e-3, -40e-3, -39e-3])}
        circuit = pool(neuron.QuadraticParameters(), synapse.AlphaParameters(), varying=varying)
        answers = {e: simulate(circuit, TRAINS, engine=e, progress=False).values for e in ("brian2", "torch")}
        assert answers["brian2"].sum() > 10
        np.testing.assert_array_equal(answers["brian2"], answers["torch"])
        again = load_circuit(save_circuit(tmp_path / "own.nc", circuit))
        assert str(again) == str(circuit) and "4 quadratic, rising_alpha synapses" in str(again)
        np.testing.assert_array_equal(simulate(again, TRAINS, engine="torch", progress=False).values, answers["torch"])
        np.testing.assert_allclose(rheobase(circuit.populations[0])[2], 7e-7 * 20e-3**2 / 4)
        with pytest.raises(InputError, match="noise needs a leaky membrane, 'quadratic' has none"):
            simulate(pool(neuron.QuadraticParameters(), synapse.AlphaParameters(), noise=1e-3), TRAINS, progress=False)
    with pytest.raises(InputError, match="load_circuit: unknown synapse 'rising_alpha'"):
        load_circuit(tmp_path / "own.nc")
    with pytest.raises(InputError, match="records of neuron and synapse parameters asked, found str, QuadraticParam"):
        pool(neuron.QuadraticParameters(), ns.biophysics.DeltaParameters())


DISCRETE = '''
"""A discrete neuron with a soft reset, which NIR holds as LIF with a word of ours."""

from dataclasses import replace

from neurosim.biophysics.neurons import discrete_lif
from neurosim.biophysics.nir_nodes import NirForm
from neurosim.parameters import DiscreteLIFParameters


class SoftParameters(DiscreteLIFParameters):
    """Numbers of the neuron with a soft reset."""


SOFT = replace(
    discrete_lif.MODEL, name="soft", parameters=SoftParameters, reset=lambda x, m: {"v": 0.5 * x.v},
    nir=NirForm((), discrete_lif.to_node, discrete_lif.of_node), has_counterpart=False,
)
'''  # fmt: skip


def test_a_discrete_neuron_of_ones_own_passes_through_nir_where_it_says_so(tmp_path, monkeypatch):
    module = module_of("soft_neuron", DISCRETE, tmp_path, monkeypatch)
    with NEURONS.added(module.SOFT):
        population = Population("soft", 3, module.SoftParameters(reset="none"))
        wire = Projection("input", "soft", RNG.random((5, 3)))
        circuit = Circuit("soft", Input(5), (population,), (wire,), 1e-3, 1e-3)
        again = circuit_from_nir(circuit_to_nir(circuit))
        assert again.populations[0].parameters == population.parameters
        found, wanted = (simulate(c, TRAINS, engine="torch", progress=False).values for c in (again, circuit))
        assert wanted.sum() > 10
        np.testing.assert_array_equal(found, wanted)
        with pytest.raises(InputError, match=r"climb: 'soft' has neurons \(soft\) without a counterpart in volts"):
            climb(circuit, "continuous")


PAIR = '''
"""Two neurons that inhibit each other."""

from dataclasses import dataclass

import numpy as np

from neurosim.biophysics import Circuit, Input, LIFParameters, NamedCircuit, Population, Projection


@dataclass(frozen=True)
class PairOptions:
    """How strongly they inhibit each other, V."""

    weight: float = 5e-3


def build(options, n_inputs, rng):
    pair = Population("pair", 2, LIFParameters(), 1.5e-10)
    wires = (
        Projection("input", "pair", rng.random((n_inputs, 2)) * 8e-3),
        Projection("pair", "pair", -options.weight * (1 - np.eye(2))),
    )
    return Circuit("pair", Input(n_inputs, "poisson"), (pair,), wires, 1e-4, 1e-3)


PAIR = NamedCircuit("pair", PairOptions, build, caption="two neurons that inhibit each other")
'''


def test_a_circuit_of_ones_own_is_built_by_its_name(tmp_path, monkeypatch):
    module = module_of("pair_circuit", PAIR, tmp_path, monkeypatch)
    with ns.biophysics.CIRCUITS.added(module.PAIR):
        one, same, other = (ns.biophysics.build_circuit("pair", 3, rng=rng) for rng in (1, 1, 2))
        np.testing.assert_array_equal(one.projections[0].weights, same.projections[0].weights)
        assert (one.projections[0].weights != other.projections[0].weights).all()
        strong = ns.biophysics.build_circuit("pair", 3, module.PairOptions(50e-3), rng=1)
        shown = as_stimuli(np.ones((1, 3)))
        counts = [simulate(c, shown, engine="torch", progress=False).values.sum() for c in (one, strong)]
        assert counts[0] > counts[1] > 0
    with pytest.raises(InputError, match=r"build_circuit: unknown circuit 'pair'; known: .*gabor_adex"):
        ns.biophysics.build_circuit("pair", 3)
    with pytest.raises(InputError, match="'gabor_adex' takes GaborAdExOptions, found PairOptions"):
        ns.biophysics.build_circuit("gabor_adex", 3, module.PairOptions())


USE = """
import sys
from dataclasses import replace
import numpy as np
import neurosim as ns
from quadratic_neuron import QuadraticParameters
from neurosim.schema import as_stimuli
from tests import forks

b = ns.biophysics
neurons = b.Population("own", 2, QuadraticParameters(), 2e-10)
circuit = b.Circuit("own", b.Input(1), (neurons,), (), 1e-4, 1e-3)
stimuli = as_stimuli(np.zeros((1, 50, 1)), dims=("stimulus", "time", "unit"), time_step=1e-3)
again = b.load_circuit(b.save_circuit(sys.argv[1], circuit))
runs = [(c, e) for c in (circuit, again) for e in ("brian2", "torch")]
counts = [ns.simulate(c, stimuli, engine=e, progress=False).values for c, e in runs]
print(b.NEURONS["quadratic"].reference, counts[0].sum() > 2, all((c == counts[0]).all() for c in counts))
"""


def test_an_installed_package_brings_a_neuron(tmp_path):
    (tmp_path / "quadratic_neuron.py").write_text(QUADRATIC)
    about = tmp_path / "quadratic-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: quadratic\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[neurosim]\nquadratic = quadratic_neuron\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{USE}"
    done = subprocess.run(
        forks.command("-c", code, str(tmp_path / "c.nc")), capture_output=True, text=True, check=False
    )
    assert done.stdout.strip().endswith("10.1137/0146017 True True"), done.stderr


def test_a_number_of_a_neuron_that_means_something_else_in_brian2_is_refused():
    """Brian2 reads ``e`` as Euler's number: a membrane would start at 2.7 V without a word."""

    class WithE(ns.biophysics.LIFParameters):
        pass

    lif = NEURONS["lif"]
    mine = replace(lif, name="with_e", parameters=WithE, constants=lambda p, dt: {**lif.constants(p, dt), "e": -70e-3})
    with NEURONS.added(mine):
        cells = Circuit("one", Input(1, "spikes"), (Population("cells", 1, WithE()),), (), dt=1e-4, step=1e-3)
        spikes = as_stimuli(np.zeros((1, 5, 1)), dims=("stimulus", "time", "unit"), time_step=1e-3)
        for engine in ("brian2", "torch"):
            with pytest.raises(InputError, match="'e' of the neuron 'with_e' means something else in Brian2"):
                simulate(cells, spikes, engine=engine)
