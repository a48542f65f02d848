"""Every option of every public function and field of every public record changes something, or is refused by name.

Functions, options, records and fields are found, not listed. Seeds, devices, engines, progress bars and numbers are
changed alike everywhere; whatever else there is has one line in a table below, without which its test fails.
"""

import inspect
import io
import sys
import tempfile
from dataclasses import fields, is_dataclass, replace
from functools import cache
from pathlib import Path

import nir
import numpy as np
import pytest
import scipy.sparse
import xarray as xr

import neurosim as ns
from neurosim.biophysics import (
    AllToAll,
    CableParameters,
    ConductanceParameters,
    ConnectionRule,
    CurrentModel,
    Distribution,
    ExponentialDistance,
    ExponentialParameters,
    FixedIndegree,
    FixedOutdegree,
    FixedProbability,
    FixedTotal,
    FromTable,
    GaussianDistance,
    GivenCurrent,
    HodgkinHuxleyParameters,
    Learned,
    LIFParameters,
    Lognormal,
    Morphology,
    Normal,
    OrnsteinUhlenbeckCurrent,
    PairSTDPParameters,
    Poisson,
    RampCurrent,
    Ring,
    SineCurrent,
    SonataModel,
    SquidAxonParameters,
    StepCurrent,
    Truncated,
    TsodyksMarkramParameters,
    Uniform,
    build_circuit,
    connect,
    learn,
    load_sonata,
    predict_spikes,
    random_positions,
    simulate_morphology,
)
from neurosim.biophysics.circuit import Circuit, Readout, single_neuron
from neurosim.biophysics.circuit_perturbation import perturb_circuit
from neurosim.biophysics.circuits.decision import DecisionOptions
from neurosim.biophysics.circuits.gabor_adex import GaborAdExOptions
from neurosim.biophysics.circuits.izhikevich import IzhikevichOptions
from neurosim.biophysics.circuits.lgn_v1 import LGNV1Options
from neurosim.biophysics.circuits.ring_v1 import RingV1Options
from neurosim.biophysics.custom import CustomNeuron
from neurosim.biophysics.inputs import Input
from neurosim.biophysics.ladder import RUNGS, Ladder, climb
from neurosim.biophysics.models import NEURONS, SYNAPSES, NeuronModel, SynapseModel
from neurosim.biophysics.named_circuits import NamedCircuit
from neurosim.biophysics.populations import Population
from neurosim.biophysics.projections import Projection, names_of
from neurosim.biophysics.retuning import RetuningOptions, retune
from neurosim.biophysics.rules import PLASTICITY, RELEASES, PlasticityModel, ReleaseModel
from neurosim.biophysics.simulation import Execution, Monitors, choose_category, simulate
from neurosim.parameters import DiscreteLIFParameters
from neurosim.schema import InputError, Perturbation, as_responses, as_stimuli, as_sweeps
from tests.biophysics.sonata_world import write_world
from tests.public import public

RNG = np.random.default_rng(0)
NEURON = LIFParameters(refractory=0.0)


def wired(kind="spikes", neuron=NEURON, dt=5e-4, **fields_of_population):
    """Three inputs, two neurons."""
    population = Population("n", 2, neuron, 1.5e-10, **fields_of_population)
    weights = np.array([[9e-3, 2e-3], [4e-3, 8e-3], [1e-3, 1e-2]])
    return Circuit(
        "c",
        Input(3, kind, None if kind == "spikes" else 20e-3),
        (population,),
        (Projection("input", "n", weights),),
        dt,
        1e-3,
    )


TRAINS = (RNG.random((4, 20, 3)) < 0.4).astype(float)
SHOWN = as_stimuli(
    TRAINS, dims=("stimulus", "time", "unit"), time_step=1e-3, coords={"category": ("stimulus", list("xyxy"))}
)
LEVELS = as_stimuli(RNG.random((4, 3)))
WANTED = as_responses(
    (RNG.random((4, 20, 2)) < 0.3).astype(float), stimuli=SHOWN, quantity="spike_count", time_step=1e-3,
    coords={"layer": ("unit", ["n", "n"])},
)  # fmt: skip
TWIN = Circuit(
    "twin", Input(3), (Population("n", 2, DiscreteLIFParameters()),),
    (Projection("input", "n", [[0.9, 0.2], [0.4, 0.8], [0.1, 1.0]]),), 1e-3, 1e-3,
)  # fmt: skip
NOISE = as_stimuli(RNG.normal(size=(1, 1500)), dims=("stimulus", "time"), time_step=1e-3)
FIRED = as_responses(
    (np.roll(NOISE.values, 3, axis=1) + RNG.normal(size=(1, 1500)) > 1.2).astype(float)[..., None],
    stimuli=NOISE, quantity="spike_count", time_step=1e-3,
)  # fmt: skip
CURRENTS = xr.DataArray(
    RNG.random((20, 2)), dims=("record_time", "n_unit"), coords={"record_time": np.arange(20) * 1e-3}
)


@cache
def sweeps():
    """Current clamp of a leaky neuron, its spikes drawn as peaks that come twice, behind an electrode."""
    current = 60e-12 + 70e-12 * RNG.normal(size=(4, 300)).repeat(10, axis=1)
    neuron = single_neuron(LIFParameters(60e-12, 3e-9, -68e-3, -48e-3, -60e-3, 4e-3), 1e-4)
    shown = as_stimuli(current[..., None], dims=("stimulus", "time", "unit"), time_step=1e-4)
    found = simulate(neuron, shown, monitors=Monitors(membrane=["neuron"]), engine="torch", progress=False)
    voltage = found.membrane_potential.values[..., 0] + 1e7 * current
    fired = found.responses.values[..., 0] > 0
    voltage[fired] = 20e-3
    voltage[0, np.roll(fired[0], 80)] = -5e-3
    return as_sweeps(current, voltage, time_step=1e-4)


@cache
def electrode():
    return ns.biophysics.estimate_electrode(sweeps(), reach=14e-3)


@cache
def fitted():
    return ns.biophysics.fit_neuron(sweeps(), "lif", refractory=5e-3, progress=False)


SMALL = GaborAdExOptions(8, 4)
LEARNING = wired(noise=3e-3)
LEARNING = replace(
    LEARNING,
    projections=tuple(
        replace(q, weights=np.abs(q.weights), plasticity=PairSTDPParameters(w_max=2 * np.abs(q.weights).max()))
        for q in LEARNING.projections
    ),
)


def answered(given):
    """What the trained network sent."""
    return WANTED.sel(stimulus=given.stimulus)


ONCE = RetuningOptions(epochs=1, batch_size=2)
SHORTLY = RetuningOptions(epochs=1, validation=0.25)
MANY = as_stimuli(
    np.tile(TRAINS, (6, 1, 1)), dims=("stimulus", "time", "unit"), time_step=1e-3,
    coords={"category": ("stimulus", list("xyxy" * 6))},
)  # fmt: skip
FEW = {"reach": 6e-3, "n_basis": 3, "folds": 3, "penalties": (1e-3,)}
FIRING = simulate(
    wired(noise=3e-3), SHOWN, engine="torch", monitors=Monitors(spike_times=True), trials=2, progress=False
)


@cache
def sonata_folder():
    """A SONATA network in a folder of its own."""
    folder = Path(tempfile.mkdtemp()) / "world"
    write_world(folder, "iaf_psc_exp")
    return folder


def sonata(name="simulation_config.json", **options):
    return load_sonata(sonata_folder() / name, **options)


def sonata_spikes(**options):
    with tempfile.TemporaryDirectory() as folder:
        return ns.recordings.load_spikes(
            ns.biophysics.save_sonata_spikes(f"{folder}/x.h5", FIRING, **options)
        ).to_dict()


BALL = Morphology(
    ["soma", "dendrite", "dendrite"], [[0.0, 0, 0], [1e-5, 0, 0], [9e-5, 0, 0]], [2e-5, 2e-6, 2e-6], [-1, 0, 1]
)
INJECTED = as_stimuli(np.full((2, 4, 1), 5e-10), dims=("stimulus", "time", "unit"), time_step=1e-3)
PLACED = Population("a", 20, LIFParameters(), positions=random_positions(20, (1e-3, 1e-3)))
TRIED = {"delays": (0.0, 3e-3), "time_constants": (1e-3, 4e-3)}
gain = 1.0  # a name that the equations of `shown_network` read


def shown_network(**options):
    """Show two stimuli to a Brian2 network."""
    import brian2 as b2

    numpy = {"codeobj_class": b2.NumpyCodeObject}
    cells = b2.NeuronGroup(2, "drive : 1", threshold="gain * drive > 0.5", reset="", name="cells", **numpy)
    network = b2.Network(cells, b2.SpikeMonitor(cells, name="spikes", **numpy))
    drives = as_stimuli([[0.0, 0.3], [0.4, 0.2]])

    def present(network, stimulus, rng):
        network["cells"].drive = stimulus.values + 0.4 * rng.random(2)

    return ns.biophysics.record_brian2(
        network, drives, **({"present": present, "duration": 1e-3, "namespace": {"gain": 1.0}} | options)
    )


def bright(network):
    network["cells"].drive = 1.0


EVENTS = nir.EventData(np.array([[0, 1, -1]]), np.array([[0.0, 0.002, np.inf]]), n_neurons=2, t_max=0.004)
SIGNALS = nir.NIRGraphData({"input": nir.NIRNodeData({"spikes": EVENTS})})
# How each function is called, by its name; numbers small enough to be quick.
CALLS = {
    "simulate": lambda **o: simulate(wired(noise=3e-3), SHOWN, **o),
    "calibrate": lambda **o: ns.biophysics.calibrate(wired(noise=3e-3), SHOWN, WANTED, **o),
    "make_biological": lambda **o: ns.biophysics.make_biological(
        TWIN, "currents", MANY, ["x", "y"], **({"options": SHORTLY} | o)
    ),
    "homeostasis": lambda **o: ns.biophysics.homeostasis(wired(noise=3e-3), SHOWN, WANTED, **({"rounds": 1} | o)),
    "record_brian2": shown_network,
    "to_brian2": lambda **o: ns.biophysics.to_brian2(wired(noise=3e-3), SHOWN, **o),
    "stimuli_from_nir": lambda **o: ns.biophysics.stimuli_from_nir(SIGNALS, **({"time_step": 1e-3} | o)),
    "learn": lambda **o: learn(LEARNING, SHOWN, **o),
    "retune": lambda **o: retune(wired(noise=3e-3), SHOWN, ["x", "y"], **({"options": ONCE} | o)),
    "climb": lambda **o: climb(TWIN, "noise", **o),
    "build_circuit": lambda **o: build_circuit("gabor_adex", 8, **({"options": SMALL} | o)),
    "connect": lambda **o: connect(FixedProbability(0.5), PLACED, PLACED, weight=Normal(1.0, 0.1), **o),
    "load_sonata": sonata,
    "save_sonata_spikes": sonata_spikes,
    "sonata_stimuli": lambda **o: ns.biophysics.sonata_stimuli(
        sonata_folder() / "circuit_config.json", {"outer": sonata_folder() / "spikes.h5"}, dt=1e-4, duration=0.1, **o
    ),
    "random_positions": lambda **o: random_positions(3, (1.0, 1.0), **o),
    "simulate_morphology": lambda **o: simulate_morphology(BALL, INJECTED, ["soma"], **({"dt": 2.5e-4} | o)),
    "detect_spikes": lambda **o: ns.biophysics.detect_spikes(sweeps(), **o),
    "estimate_electrode": lambda **o: ns.biophysics.estimate_electrode(sweeps(), **({"reach": 14e-3} | o)),
    "fit_neuron": lambda **o: ns.biophysics.fit_neuron(sweeps(), **({"kind": "lif", "refractory": 5e-3} | o)),
    "predict_spikes": lambda **o: predict_spikes(fitted(), sweeps().isel(sweep=[0], time=slice(300)), **o),
    "fit_coupled": lambda **o: ns.biophysics.fit_coupled(FIRED, **(FEW | o)),
    "fit_driven": lambda **o: ns.biophysics.fit_driven(NOISE, FIRED, **(TRIED | o)),
    "fit_poisson": lambda **o: ns.biophysics.fit_poisson(NOISE, FIRED, **({"n_basis": 4} | o)),
    "spike_triggered_average": lambda **o: ns.biophysics.spike_triggered_average(NOISE, FIRED, **o),
    "protocol": lambda **o: ns.biophysics.protocol(
        {"a": OrnsteinUhlenbeckCurrent(0.0, 1e-10, 5e-3)}, **({"duration": 9e-3, "time_step": 1e-3} | o)
    ),
    "lfp_proxy": lambda **o: ns.biophysics.lfp_proxy(CURRENTS, CURRENTS, **o),
}  # fmt: skip
# What an option is set to, or (what it is set to, words of its refusal), where no rule below fits.
OPTIONS = {
    ("simulate", "monitors"): Monitors(tail=5e-3),
    ("simulate", "execution"): (Execution(memory=1), "above memory = 1"),
    ("record_brian2", "present"): bright,
    ("record_brian2", "monitors"): {"E": "spikes"},
    ("record_brian2", "duration"): 2e-3,
    ("record_brian2", "time_bin"): 5e-4,
    ("record_brian2", "copies"): (2, "copies"),
    ("record_brian2", "rebuild"): (True, "rebuild"),
    ("record_brian2", "namespace"): {"gain": 9.0},
    ("to_brian2", "path"): (3, "to_brian2"),
    ("to_brian2", "tail"): 5e-3,
    ("stimuli_from_nir", "nodes"): (["output"], "output"),
    ("stimuli_from_nir", "observable"): ("current", "has spikes; observable= names one"),
    ("stimuli_from_nir", "time_step"): 2e-3,
    ("learn", "execution"): (Execution(workers=2), "are not read here"),
    ("learn", "gap"): 2e-3,
    ("learn", "modulator"): (SHOWN, "which no plasticity"),
    ("learn", "record"): ["n.v"],
    ("learn", "totals"): {names_of(LEARNING.projections)[0]: 1e-3},
    ("learn", "record_every"): 2e-3,
    ("predict_spikes", "rng"): ("no seed", "rng"),
    ("calibrate", "match"): "rates",
    ("make_biological", "ladder"): Ladder(dt=5e-4, tau_syn=5e-3),
    ("make_biological", "options"): None,
    ("retune", "teacher"): lambda given: WANTED,
    ("retune", "options"): RetuningOptions(epochs=2, batch_size=2),
    ("climb", "ladder"): Ladder(noise=2e-3),
    ("build_circuit", "options"): GaborAdExOptions(8, 5),
    ("load_sonata", "dt"): 5e-5,
    ("load_sonata", "step"): 1e-3,
    ("load_sonata", "root"): ("/nowhere", "leads out of 'nowhere'"),
    ("load_sonata", "mapping"): ({"nest:iaf_psc_exp": "nest:iaf_psc_delta"}, "'tau_syn_ex' .* has no counterpart"),
    ("sonata_stimuli", "root"): ("/nowhere", "leads out of 'nowhere'"),
    ("connect", "delay"): 2e-3,
    ("connect", "receptor"): ("ampa", "names the receptor 'ampa'"),
    ("connect", "dt"): (1e-3, "dt is read where there are delays"),
    ("connect", "self_connections"): False,
    ("simulate_morphology", "channels"): {"soma": SquidAxonParameters()},
    ("simulate_morphology", "cable"): CableParameters(g_leak=2.0),
    ("simulate_morphology", "dt"): 5e-4,
    ("detect_spikes", "threshold"): 10e-3,
    ("detect_spikes", "dead_time"): 9e-3,
    ("estimate_electrode", "reach"): 12e-3,
    ("estimate_electrode", "settled"): 2e-3,
    ("fit_neuron", "kind"): ("glf", "Did you mean"),
    ("fit_neuron", "electrode"): electrode,
    ("fit_neuron", "threshold"): 10e-3,
    ("fit_neuron", "refractory"): 8e-3,
    ("fit_coupled", "stimuli"): NOISE,
    ("fit_coupled", "covariates"): {"noise": NOISE},
    ("fit_coupled", "stimulus_reach"): (6e-3, "without stimuli"),
    ("fit_coupled", "penalties"): (1e-2,),
    ("fit_driven", "delays"): (0.0,),
    ("fit_driven", "time_constants"): (4e-3,),
    ("fit_driven", "refractory"): 2e-3,
    ("fit_poisson", "n_basis"): 5,
    ("fit_poisson", "history"): 10e-3,
    ("fit_poisson", "penalty"): 0.1,
    ("spike_triggered_average", "window"): (-10e-3, 5e-3),
}  # fmt: skip


SHOWS_PROGRESS = {"fit_neuron": lambda: {"kind": "gif", "electrode": electrode()}}


class DrawnError(Exception):
    """A progress bar was drawn: that is enough."""


class Terminal(io.StringIO):
    """A place for progress bars."""

    def isatty(self):
        return True

    def write(self, text):
        raise DrawnError


def flat(value):
    """Every number and word in a result, in order, whatever records and arrays it is made of."""
    if isinstance(value, xr.Dataset | xr.DataArray):
        parts = value.variables.values() if isinstance(value, xr.Dataset) else [value.variable, *value.coords.values()]
        return [x for part in parts for x in flat(np.asarray(part.values))] + sorted(map(str, value.attrs.items()))
    if is_dataclass(value):
        return [x for f in fields(value) for x in flat(getattr(value, f.name))]
    if isinstance(value, dict):
        return [x for pair in sorted(value.items()) for x in flat(pair[1])]
    if scipy.sparse.issparse(value):
        return flat(value.toarray())
    if isinstance(value, tuple | list | np.ndarray):
        return [str(np.shape(value)), *map(repr, value.ravel().tolist())] if isinstance(value, np.ndarray) else [
            x for part in value for x in flat(part)
        ]  # fmt: skip
    return [repr(value)]


def public_functions():
    """Every public function of circuits that has options."""
    for name, function in sorted(public().items()):
        if inspect.isfunction(function) and function.__module__.startswith("neurosim.biophysics"):
            for option in inspect.signature(function).parameters.values():
                if option.default is not option.empty:
                    yield name, option.name, option.default


@cache
def usual(name):
    given = {"progress": False} if "progress" in inspect.signature(public()[name]).parameters else {}
    return flat(CALLS[name](**given)), given


def changed(name, option, default):
    """What an option is set to, and the words of its refusal where it is refused."""
    if (name, option) in OPTIONS:
        found = OPTIONS[name, option]
        found = found() if found is electrode else found
        return found if isinstance(found, tuple) and isinstance(found[-1], str) else (found, None)
    rules = {"rng": (7, None), "seed": (7, None), "device": ("nowhere", "nowhere"), "engine": ("torhc", "'torch'")}
    if option in rules:
        return rules[option]
    assert isinstance(default, int | float) and not isinstance(default, bool), f"{name}({option}=...) needs a line"
    return (default + 1 if isinstance(default, int) else default * 1.5), None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "option", "default"), public_functions(), ids=lambda x: str(x)[:20])
def test_every_option_of_every_function_changes_its_result_or_is_refused(name, option, default, monkeypatch):
    before, given = usual(name)
    if option == "progress":
        monkeypatch.setattr(sys, "stderr", Terminal())
        with pytest.raises(DrawnError):
            CALLS[name](progress=True, **SHOWS_PROGRESS.get(name, dict)())
        return
    value, words = changed(name, option, default)
    if words is not None:
        with pytest.raises(InputError, match=words):
            CALLS[name](**{**given, option: value})
        return
    assert flat(CALLS[name](**{**given, option: value})) != before


# ------------------------------------------------------------------------------------------------- records
def spikes_of(circuit, stimuli=SHOWN, **options):
    return flat(
        simulate(circuit, stimuli, engine="torch", monitors=Monitors(membrane=["n"]), progress=False, **options)
    )


def of_circuit(circuit):
    found = simulate(circuit, SHOWN, engine="torch", progress=False)
    return [str(circuit), *flat(choose_category(circuit, found)), *flat(found)]


def of_population(population):
    wire = Projection("input", population.name, np.full((3, population.size), 5e-3))
    circuit = Circuit("c", Input(3), (population,), (wire,), 5e-4, 1e-3)
    return flat(simulate(circuit, SHOWN, engine="torch", monitors=Monitors(membrane=[population.name]), progress=False))


def of_background(background):
    return of_population(Population("n", 2, NEURON, 1e-10, background=background))


def of_current(current):
    return of_population(Population("n", 2, NEURON, 1e-10, currents=current))


def of_projection(projection):
    populations = tuple(Population(n, 2, NEURON, 2.5e-10) for n in ("n", "m"))
    circuit = Circuit("c", Input(2), populations, (projection,), 5e-4, 1e-3)
    return flat(
        simulate(
            circuit, SHOWN.isel(unit=[0, 1]), engine="torch", monitors=Monitors(membrane=["n", "m"]), progress=False
        )
    )


def of_readout(readout):
    return [str(of_circuit(replace(wired(), readout=readout))[:6]), *np.asarray(readout.weights).ravel()]


def of_custom(neuron):
    circuit = wired(neuron=neuron, dt=1e-3)
    excited = perturb_circuit(circuit, Perturbation("stimulate", "n", amount=0.5))
    found = simulate(circuit, SHOWN, engine="torch", monitors=Monitors(membrane=["n"]), progress=False)
    return flat(found) + flat(excited.populations[0].drive)


def drawn(rule):
    return flat(connect(rule, PLACED, PLACED, weight=1.0))


def weighted(spread):
    return flat(connect(AllToAll(), PLACED, PLACED, weight=spread))


FREE = CustomNeuron(
    "dv/dt = (k * drive - v) / tau", "v > 1", "v = 0", {"tau": 1e-2, "k": 2e10}, {"v": 0.1}, 1e-3, rheobase=5e-11
)
# How each record is used, its usual value, and for each field another value, or (another value, words of its refusal).
RECORDS = {
    Input: (
        lambda i: spikes_of(replace(wired("poisson"), inputs=i), LEVELS), Input(3, "poisson", 20e-3, 800.0),
        {"size": (4, "has 4 inputs|shape"), "kind": ("current", "max_rate is read where"), "duration": 25e-3,
         "max_rate": 900.0, "name": ("eye", "no population 'input'")},
    ),
    Population: (
        of_population, Population("n", 2, NEURON, 2e-10),
        {"name": "m",
         "size": (3, r"shape \(3,\)"), "parameters": LIFParameters(), "drive": [3e-10, 2e-10],
         "synapses": (ExponentialParameters(), "exploded"), "noise": 1e-3,
         "varying": {"v_threshold": [-50e-3, -60e-3]}, "initial": {"v": [-51e-3, -70e-3]},
         "background": Poisson(500.0, 2e-3), "currents": SineCurrent(1e-10, 50.0),
         "positions": (np.zeros((2, 1)), r"shape \(2, 2\) or \(2, 3\)")},
    ),
    Poisson: (
        of_background, Poisson(400.0, 2e-3, n=2),
        {"receptor": ("ampa", "names the receptor 'ampa'"), "neurons": [1]},
    ),
    StepCurrent: (
        of_current, StepCurrent((5e-3,), (1e-10,)),
        {"times": (7e-3,), "amplitudes": (2e-10,), "neurons": [1]},
    ),
    RampCurrent: (
        of_current, RampCurrent(2e-3, 10e-3, 1e-10, 2e-10), {"neurons": [1]},
    ),
    SineCurrent: (
        of_current, SineCurrent(1e-10, 50.0, 1e-11, 0.1, 1e-3, 12e-3), {"neurons": [1]},
    ),
    OrnsteinUhlenbeckCurrent: (
        of_current, OrnsteinUhlenbeckCurrent(1e-10, 1e-10, 5e-3), {"neurons": [1], "shared": True},
    ),
    GivenCurrent: (
        of_current, GivenCurrent([1e-10, 2e-10], 2e-3), {"values": [2e-10], "time_step": 3e-3, "neurons": [1]},
    ),
    Projection: (
        of_projection, Projection("input", "n", np.full((2, 2), 8e-3)),
        {"source": "n", "target": "m", "weights": np.full((2, 2), 9e-3), "delay": 2e-3,
         "receptor": ("ampa", "names the receptor 'ampa'"), "release": TsodyksMarkramParameters(),
         "plasticity": (PairSTDPParameters(1e-3), "are outside the bounds 0 to 0.001 of their plasticity")},
    ),
    ExponentialDistance: (drawn, ExponentialDistance(0.5, 5e-4), {"torus": (1e-3, 1e-3)}),
    FixedIndegree: (drawn, FixedIndegree(4), {"multapses": True}),
    FixedOutdegree: (drawn, FixedOutdegree(4), {"multapses": True}),
    FixedProbability: (drawn, FixedProbability(0.3), {}),
    FixedTotal: (drawn, FixedTotal(90), {"multapses": True}),
    FromTable: (
        drawn, FromTable([0, 1, 1], [2, 2, 2], multapses=True),
        {"sources": [0, 1, 4], "targets": [2, 2, 5], "multapses": (False, "2 times")},
    ),
    GaussianDistance: (drawn, GaussianDistance(0.5, 5e-4), {"torus": (1e-3, 1e-3)}),
    Ring: (drawn, Ring(2), {}),
    Lognormal: (weighted, Lognormal(1.0, 0.5), {}),
    Normal: (weighted, Normal(1.0, 0.5), {}),
    Truncated: (weighted, Truncated(Normal(1.0, 0.5), 0.5, 1.5), {"spread": Uniform(0.1, 1.0)}),
    Uniform: (weighted, Uniform(1.0, 2.0), {}),
    Readout: (
        of_readout, Readout("n", np.eye(2), np.zeros(2)),
        {"reads": ("mean_membrane", "the membrane of 'n' is read"), "source": ("m", "no population 'm'"),
         "weights": np.eye(2)[::-1], "bias": np.array([9.0, 0.0])},
    ),
    Circuit: (
        of_circuit, wired(),
        {"name": "d", "inputs": (Input(2), "shape"), "populations": wired(noise=1e-3).populations, "projections": (),
         "dt": 2.5e-4, "step": (2e-3, "expects one every"), "rung": "noise",
         "readout": Readout("n", np.eye(2)[::-1], np.array([9.0, 0.0]))},
    ),
    CustomNeuron: (
        of_custom, FREE,
        {"equations": "dv/dt = (k * drive - 2 * v) / tau", "threshold": "v > 2", "reset": "v = -1",
         "numbers": {"tau": 2e-2, "k": 2e10}, "initial": {"v": 0.9}, "refractory": 9e-3,
         "method": "rk2", "rheobase": 6e-11},
    ),
    Execution: (
        lambda e: spikes_of(wired("poisson"), LEVELS, execution=e), Execution(),
        {"device": ("nowhere", "nowhere"), "single": True, "memory": (1, "above memory"), "workers": (0, "workers"),
         "threads": (2, "'cpp_standalone'")},
    ),
    Monitors: (
        lambda m: flat(simulate(wired(), SHOWN, engine="torch", monitors=m, progress=False)), Monitors(),
        {"time_bin": 2e-3, "tail": 5e-3, "spike_times": True, "membrane": ["n"], "record": ["n.v"],
         "record_every": (1e-3, "where something is recorded")},
    ),
    GaborAdExOptions: (lambda o: flat(build_circuit("gabor_adex", 8, o)), SMALL, {"dt": 5e-4}),
    CableParameters: (
        lambda c: flat(simulate_morphology(BALL, INJECTED, ["soma"], cable=c, dt=2.5e-4)), CableParameters(), {},
    ),
    Morphology: (
        lambda m: flat(simulate_morphology(m, INJECTED, ["soma"], dt=2.5e-4)), BALL,
        {"label": ["soma", "apical", "apical"], "position": 2 * BALL.position, "diameter": 2 * BALL.diameter,
         "parent": [-1, 0, 0]},
    ),
    DecisionOptions: (
        lambda o: flat(build_circuit("decision", 4, o)), DecisionOptions(20, 4), {"dt": 5e-5, "selective": 0.2},
    ),
    LGNV1Options: (
        lambda o: flat(build_circuit("lgn_v1", 16, o)), LGNV1Options(4, 1, 2, 0.6), {"dt": 5e-4, "lgn_grid": 5},
    ),
    RingV1Options: (
        lambda o: flat(build_circuit("ring_v1", 8, o)), RingV1Options(8, 4), {"dt": 5e-4, "n_orientations": 8},
    ),
    IzhikevichOptions: (lambda o: flat(build_circuit("izhikevich", 2, o)), IzhikevichOptions(8, 4), {"dt": 2e-4}),
    Ladder: (
        lambda ladder: [x for rung in list(RUNGS)[3:] for x in flat(climb(TWIN, rung, ladder=ladder))], Ladder(),
        {"membrane": LIFParameters(g_leak=2e-8), "conductance": ConductanceParameters(4e-3),
         "reset": ("keep", "keeps the reset 'subtract'"),
         "dt": 2e-4, "hodgkin_huxley": HodgkinHuxleyParameters(g_na=1e-5)},
    ),
    RetuningOptions: (
        lambda o: flat(retune(wired(), SHOWN, ["x", "y"], o, teacher=answered, progress=False)),
        RetuningOptions(epochs=2, batch_size=2),
        {"tune": ("gain",), "clip": 1e-3, "validation": 0.5, "patience": (0, "patience >= 1")},
    ),
}  # fmt: skip


# What kinds of things are; the numbers of neurons and synapses, tried in test_conformance_options.py; those of rules,
# tried in test_rules.py; and results.
KINDS = (NEURONS, SYNAPSES, RELEASES, PLASTICITY)
ELSEWHERE = {ns.biophysics.Recorded, NeuronModel, SynapseModel, ReleaseModel, PlasticityModel, NamedCircuit, Learned}
ELSEWHERE |= {ConnectionRule, CurrentModel, Distribution, SonataModel, ns.biophysics.Biological, ns.biophysics.Match}
ELSEWHERE |= {model.parameters for kind in KINDS for model in kind.values()}


def public_fields():
    """Every field of every public record of circuits."""
    for _, record in sorted(public().items()):
        if is_dataclass(record) and record.__module__.startswith("neurosim.biophysics") and record not in ELSEWHERE:
            yield from ((record, field.name) for field in fields(record))


@cache
def used(record):
    use, usual_record, _ = RECORDS[record]
    return use(usual_record)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("record", "field"), public_fields(), ids=lambda x: getattr(x, "__name__", x))
def test_every_field_of_every_record_changes_a_result_or_is_refused(record, field):
    use, usual_record, others = RECORDS[record]
    value = getattr(usual_record, field)
    if field not in others:
        assert isinstance(value, int | float) and not isinstance(value, bool), f"{record.__name__}.{field} needs a line"
        others = {field: value + 1 if isinstance(value, int) else value * 1.5}
    other = others[field]
    if isinstance(other, tuple) and other and isinstance(other[-1], str) and field != "tune":
        with pytest.raises(InputError, match=other[1]):
            use(replace(usual_record, **{field: other[0]}))
        return
    assert use(replace(usual_record, **{field: other})) != used(record)


@pytest.mark.filterwarnings("ignore")
def test_nothing_changes_where_nothing_is_set():
    """Without this, results that differ by themselves would pass every test above."""
    for name in ("calibrate", "fit_poisson", "homeostasis", "retune", "simulate"):
        before, given = usual(name)
        assert flat(CALLS[name](**given)) == before, name
    for record, (use, usual_record, _) in RECORDS.items():
        assert use(replace(usual_record)) == used(record), record
