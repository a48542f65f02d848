"""Every engine gives the same spikes; chunks, workers, order and target change nothing."""

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from neurosim.biophysics import (
    AdaptiveLIFParameters,
    AdExParameters,
    ConductanceParameters,
    CustomNeuron,
    DeltaParameters,
    ExponentialParameters,
    GIFParameters,
    HodgkinHuxleyParameters,
    LIFParameters,
    SineCurrent,
    StepCurrent,
    brian2_engine,
    standalone,
    torch_wires,
)
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.dynamics import Chunk
from neurosim.biophysics.execution import ENGINES
from neurosim.biophysics.inputs import Input
from neurosim.biophysics.populations import Population
from neurosim.biophysics.projections import Projection
from neurosim.biophysics.simulation import Execution, Monitors, choose_engine, simulate
from neurosim.biophysics.torch_engine import Tensors, march
from neurosim.parameters import DiscreteAdaptiveLIFParameters, DiscreteLIFParameters, DiscreteSynapticParameters
from neurosim.schema import InputError, as_stimuli

WEIGHTS = {DeltaParameters: 8e-3, ExponentialParameters: 3e-10, ConductanceParameters: 3e-8}


def network(neuron, synapses=None, *, dt=1e-3, noise=0.0, recurrent=0.0, delay=0.0, kind="spikes", varying=None):
    """Two populations on 12 inputs, with or without recurrence, noise and delays."""
    rng = np.random.default_rng(1)
    synapses = synapses or DeltaParameters()
    scale = 0.5 if "Discrete" in type(neuron).__name__ else WEIGHTS[type(synapses)]
    drawn = [(rng.normal(size=shape) + 0.3) * scale for shape in ((12, 14), (14, 5), (14, 14))]
    drawn[1] = 2 * np.abs(drawn[1])
    if kind == "current" and scale != 0.5:
        drawn[0] = (rng.normal(size=(12, 14)) + 0.3) * 2e-10
    projections = [Projection("input", "a", drawn[0], delay), Projection("a", "b", drawn[1])]
    if recurrent:
        projections += [Projection("a", "a", recurrent * drawn[2], delay), Projection("b", "a", recurrent * drawn[1].T)]
    populations = (
        Population("a", 14, neuron, 0.0, synapses, noise, varying or {}),
        Population("b", 5, neuron, 0.0, synapses, noise),
    )
    return Circuit(
        "net", Input(12, kind, None if kind == "spikes" else 20e-3), populations, tuple(projections), dt=dt, step=1e-3
    )


@pytest.fixture(scope="module")
def spikes():
    rng = np.random.default_rng(0)
    return as_stimuli((rng.random((4, 30, 12)) < 0.4) * 1.0, dims=("stimulus", "time", "unit"), time_step=1e-3)


GIF = GIFParameters(g_a=5e-9, g_bend=1e-9, coupling=0.3, gamma_1=2e-3, v_t=-58e-3)
CIRCUITS = {
    "discrete": lambda: network(DiscreteLIFParameters(), varying={"threshold": np.linspace(0.5, 1.5, 14)}),
    "discrete zero recurrent": lambda: network(DiscreteLIFParameters(reset="zero"), recurrent=0.3),
    "discrete clear": lambda: network(DiscreteLIFParameters(reset="clear"), delay=2e-3),
    "discrete interpolated": lambda: network(DiscreteLIFParameters(reset="interpolated", v_reset=-0.2)),
    "discrete synaptic noisy": lambda: network(DiscreteSynapticParameters(reset="immediate"), noise=0.2, recurrent=0.1),
    "discrete adaptive": lambda: network(DiscreteAdaptiveLIFParameters(rise=0.3), recurrent=0.2),
    "lif delta": lambda: network(LIFParameters(), dt=1e-4, recurrent=0.4, delay=5e-4),
    "lif subtract exponential": lambda: network(LIFParameters(reset="subtract"), ExponentialParameters(), dt=2.5e-4),
    "lif conductance": lambda: network(LIFParameters(), ConductanceParameters(), dt=1e-4, recurrent=0.3, noise=1e-3),
    "adaptive lif": lambda: network(AdaptiveLIFParameters(), ExponentialParameters(), dt=2.5e-4),
    "adex": lambda: network(AdExParameters(), ConductanceParameters(), dt=1e-4, recurrent=0.3, delay=1e-3),
    "gif": lambda: network(
        GIF, ConductanceParameters(), dt=2.5e-4, recurrent=0.3, varying={"eta_2": np.linspace(0, 4e-11, 14)}
    ),
    "hodgkin huxley": lambda: network(HodgkinHuxleyParameters(), ConductanceParameters(), dt=5e-5),
    "graded input": lambda: network(LIFParameters(), ConductanceParameters(), dt=2.5e-4, kind="current"),
}


@pytest.mark.parametrize("name", CIRCUITS)
def test_torch_and_brian2_agree_in_every_spike_and_membrane(name, spikes):
    circuit = CIRCUITS[name]()
    first, second = (
        simulate(
            circuit, spikes, engine=engine, monitors=Monitors(membrane=["a", "b/2"], spike_times=True), progress=False
        )
        for engine in ("brian2", "torch")
    )
    assert first.responses.groupby("layer").sum(...).values.min() > 20
    np.testing.assert_array_equal(first.responses.values, second.responses.values)
    np.testing.assert_array_equal(first.spike_time.values, second.spike_time.values)
    np.testing.assert_array_equal(first.spike_unit.values, second.spike_unit.values)
    np.testing.assert_allclose(first.membrane_potential.values, second.membrane_potential.values, atol=1e-9)


@pytest.mark.parametrize("name", ["discrete zero recurrent", "lif conductance"])
def test_chunks_workers_and_order_change_nothing(name, spikes):
    """The determinism contract, with noise: what a stimulus answers depends on its name, its trial and the seed."""
    circuit = CIRCUITS[name]()
    whole = simulate(circuit, spikes, trials=3, rng=5, progress=False)
    a_copy = 64 * circuit.n_synapses + 256 * 19 + 8 * 30 * 12 + 8 * 300 * 19 * (name != "discrete zero recurrent")
    pieces = simulate(circuit, spikes, trials=3, rng=5, execution=Execution(memory=5 * a_copy), progress=False)
    backwards = simulate(circuit, spikes[::-1], trials=3, rng=5, progress=False)
    on_torch = simulate(
        circuit, spikes, trials=3, rng=5, engine="torch", execution=Execution(memory=7 * a_copy), progress=False
    )
    spread = simulate(
        circuit,
        spikes,
        trials=3,
        rng=5,
        engine="torch",
        execution=Execution(memory=5 * a_copy, workers=2),
        progress=False,
    )
    for other in (pieces, backwards[::-1], on_torch, spread):
        np.testing.assert_array_equal(whole.values, other.values)
    again = simulate(circuit, spikes, trials=3, rng=6, progress=False)
    assert (again.values != whole.values).any() == any(p.is_random for p in circuit.populations)


def test_cpp_standalone_agrees_is_built_once_and_leaves_nothing(spikes, tmp_path, monkeypatch):
    """Noise, currents, recurrence, delays, several input spikes a step, a tail, two threads; then another input."""
    if not shutil.which("g++"):
        pytest.skip("needs a C++ compiler")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    circuit = network(LIFParameters(), ConductanceParameters(), dt=2.5e-4, noise=1e-3, recurrent=0.3, delay=1e-3)
    injected = (StepCurrent((0.0, 5e-3), (1e-11, 3e-10), neurons=[1]), SineCurrent(1e-11, 100.0))
    circuit = replace(circuit, inputs=Input(12, "poisson", 20e-3, 1500.0)).with_population("b", currents=injected)
    kept, threads = Monitors(membrane=["b"], tail=5e-3), Execution(threads=2)
    compiled = partial(simulate, circuit, engine="cpp_standalone", monitors=kept, execution=threads, progress=False)
    wanted, found = simulate(circuit, spikes, rng=3, monitors=kept, progress=False), compiled(spikes, rng=3)
    np.testing.assert_array_equal(found.responses.values, wanted.responses.values)
    np.testing.assert_allclose(found.membrane_potential.values, wanted.membrane_potential.values, atol=1e-12)
    monkeypatch.setattr(standalone, "_build_in_child", lambda *_: pytest.fail("it was built again"))
    other = compiled(spikes[::-1], rng=4)
    expected = simulate(circuit, spikes[::-1], rng=4, engine="torch", monitors=kept, progress=False)
    np.testing.assert_array_equal(other.responses.values, expected.responses.values)
    folders = [p.name for p in (tmp_path / "neurosim" / "standalone").iterdir() if p.is_dir()]
    assert len(folders) == 1 and len(folders[0]) == 32


def test_cython_agrees(tmp_path, monkeypatch):
    if not shutil.which("g++"):
        pytest.skip("needs a C++ compiler")
    circuit = Circuit(
        "one", Input(3), (Population("a", 4, DiscreteLIFParameters(), 0.3),),
        (Projection("input", "a", np.random.default_rng(0).normal(size=(3, 4))),), 1e-3, 1e-3,
    )  # fmt: skip
    shown = as_stimuli(np.ones((2, 40, 3)), dims=("stimulus", "time", "unit"), time_step=1e-3)
    found, wanted = (simulate(circuit, shown, engine=e, progress=False) for e in ("cython", "torch"))
    np.testing.assert_array_equal(found.values, wanted.values)
    assert wanted.sum() > 20


def test_the_torch_engine_is_differentiable():
    """Below threshold autograd equals finite differences; through spikes a gradient reaches every weight."""
    import torch

    circuit = network(AdExParameters(), ConductanceParameters(), dt=2.5e-4)
    rng = np.random.default_rng(2)
    chunk = Chunk(3, 80, {"input": (rng.random((3, 20, 12)) < 0.3).astype(np.uint8)})

    def run(drive, weights, surrogate):
        tensors = Tensors(weights={0: weights}, drive={"a": drive}, surrogate=surrogate)
        total = 0.0
        for spikes, states in march(circuit, chunk, device="cpu", tensors=tensors):
            total = total + states["a"]["v"].mean() + spikes["b"].sum()
        return total

    quiet = torch.as_tensor(circuit.projections[0].weights * 0.02).requires_grad_()
    drive = torch.zeros(14, dtype=torch.float64, requires_grad=True)
    run(drive, quiet, {}).backward()
    with torch.no_grad():
        for parameter, place, step in ((drive, (3,), 1e-13), (quiet, (2, 5), 1e-12)):
            sides = []
            for sign in (1, -1):
                parameter[place] += sign * step
                sides.append(run(drive, quiet, {}).item())
                parameter[place] -= sign * step
            slope = (sides[0] - sides[1]) / (2 * step)
            assert abs(parameter.grad[place].item() / slope - 1) < 1e-3
    loud = torch.as_tensor(circuit.projections[0].weights).requires_grad_()
    run(drive.detach(), loud, {"a": 6e-3, "b": 6e-3}).backward()
    used = (chunk.spikes["input"].sum((0, 1)) > 0)[:, None] & (circuit.projections[0].weights != 0)
    assert torch.isfinite(loud.grad).all()
    assert (loud.grad.numpy()[used] != 0).mean() > 0.9


def test_preferences_and_folders_are_left_as_they_were(spikes):
    b2 = brian2_engine.import_brian2()
    names = ("codegen.target", "codegen.loop_invariant_optimisations", "codegen.cpp.extra_compile_args_gcc")
    before = [b2.prefs[n] for n in names], Path.cwd()
    simulate(CIRCUITS["discrete"](), spikes, progress=False)
    assert ([b2.prefs[n] for n in names], Path.cwd()) == before


def test_poisson_input_has_its_rate_and_belongs_to_its_stimulus():
    """Mean of N Bernoulli draws: within five standard errors; two trials differ, the same trial repeats."""
    relay = Population("relay", 200, DiscreteLIFParameters(threshold=0.5, reset="clear"))
    circuit = Circuit(
        "p", Input(200, "poisson", 1.0, 100.0), (relay,), (Projection("input", "relay", np.eye(200)),), 1e-3, 1e-3
    )
    shown = as_stimuli(np.full((2, 200), 0.5))
    answers = simulate(circuit, shown, trials=2, engine="torch", progress=False)
    chance, n = 0.05, 2 * 2 * 1000 * 200
    # A relay drops the input of the step after a spike: rate p / (1 + p).
    expected = chance / (1 + chance)
    assert abs(float(answers.mean()) - expected) < 5 * np.sqrt(expected / n)
    again = simulate(circuit, shown.isel(stimulus=[1]), trials=2, engine="torch", progress=False)
    np.testing.assert_array_equal(again.values[0], answers.values[1])
    assert (answers.values[:, 0] != answers.values[:, 1]).any()


def test_the_spike_table_is_the_binned_array(spikes):
    circuit = CIRCUITS["lif delta"]()
    found = simulate(circuit, spikes, trials=2, monitors=Monitors(spike_times=True, time_bin=2e-3), progress=False)
    counts = np.zeros(found.responses.shape)
    place = (found.spike_stimulus, found.spike_trial, (found.spike_time / 2e-3 + 1e-9).astype(int), found.spike_unit)
    np.add.at(counts, tuple(p.values for p in place), 1)
    np.testing.assert_array_equal(counts, found.responses.values)


def test_the_engine_is_chosen_by_the_size_of_the_work(monkeypatch):
    circuit = CIRCUITS["discrete"]()
    assert choose_engine(circuit, "auto", Execution("cpu"), 10).name == "brian2"
    with monkeypatch.context() as with_a_gpu:
        with_a_gpu.setattr(torch.cuda, "is_available", lambda: True)
        assert choose_engine(circuit, "auto", Execution("cuda"), 10).name == "brian2"
        assert choose_engine(circuit, "auto", Execution("cuda"), 10**9).name == "torch"
    with monkeypatch.context() as without_one:
        without_one.setattr(torch.cuda, "is_available", lambda: False)
        with pytest.raises(InputError, match="sees no GPU"):
            choose_engine(circuit, "auto", Execution("cuda"), 10**9)
    assert choose_engine(circuit, "auto", Execution("cpu"), 10**9).name == (
        "cpp_standalone" if shutil.which("g++") else "brian2"
    )
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert choose_engine(circuit, "auto", Execution("cpu"), 10**9).name == "brian2"
    for engine in ("cython", "cpp_standalone"):
        with pytest.raises(InputError, match="needs a C"):
            choose_engine(circuit, engine, Execution("cpu"), 1)
    with pytest.raises(InputError, match="Did you mean 'torch'"):
        choose_engine(circuit, "torhc", Execution("cpu"), 1)
    assert set(ENGINES) == {"brian2", "cython", "cpp_standalone", "torch"}


def test_stimuli_that_do_not_fit_are_refused(spikes):
    circuit = CIRCUITS["discrete"]()
    images = as_stimuli(np.zeros((2, 3, 4)))
    for stimuli, words in (
        (images, "encode_rate"),
        (spikes.isel(unit=slice(10)), "has 12 inputs"),
        (spikes * 0.5, "graded input"),
        (spikes.drop_vars("time").assign_attrs(time_step=2e-3), "expects one every"),
    ):
        with pytest.raises(InputError, match=words):
            simulate(circuit, stimuli)
    with pytest.raises(InputError, match="NaN"):
        simulate(network(LIFParameters(), dt=1e-4, kind="current"), images.astype(float) * np.nan)
    with pytest.raises(InputError, match=r"0\.\.1"):
        simulate(network(DiscreteLIFParameters(), kind="poisson"), images + 2.0)
    with pytest.raises(InputError, match="multiple"):
        simulate(circuit, spikes, monitors=Monitors(time_bin=1.5e-3))
    with pytest.raises(InputError, match="units a/0 to a/13"):
        simulate(circuit, spikes, monitors=Monitors(membrane=["a/14"]))
    with pytest.raises(InputError, match="Populations: a, b"):
        simulate(circuit, spikes, monitors=Monitors(membrane=["c"]))


@pytest.mark.parametrize("engine", ["brian2", "torch"])
def test_a_membrane_that_is_no_number_stops_with_its_reason(engine, spikes):
    unstable = CustomNeuron("dv/dt = v / tau + 1", "v < -1", numbers={"tau": 2e-5})
    population = Population("a", 14, unstable)
    circuit = Circuit("net", Input(12), (population,), (), dt=1e-4, step=1e-3)
    with pytest.raises(InputError, match=r"'a' of net is no finite number"):
        simulate(circuit, spikes, engine=engine, progress=False)
    with pytest.raises(InputError, match="tail of 0"):
        simulate(circuit, spikes, engine=engine, monitors=Monitors(tail=-1.0))


def test_gradients_pass_through_large_sparse_projections(monkeypatch):
    """Sparse weights give the gradient of the same dense ones."""
    import torch

    circuit = network(LIFParameters(), ConductanceParameters(), dt=2.5e-4)
    chunk = Chunk(2, 80, {"input": np.ones((2, 20, 12), dtype=np.uint8)})
    slopes = []
    for limit in (torch_wires.DENSE_LIMIT, 0):
        monkeypatch.setattr(torch_wires, "DENSE_LIMIT", limit)
        thin = replace(circuit.projections[1], weights=np.where(np.arange(5) == 2, circuit.projections[1].weights, 0.0))
        drive = torch.zeros(14, dtype=torch.float64, requires_grad=True)
        tensors = Tensors(drive={"a": drive}, surrogate={"a": 6e-3, "b": 6e-3})
        changed = replace(circuit, projections=(circuit.projections[0], thin))
        sum(s["b"].sum() for s, _ in march(changed, chunk, device="cpu", tensors=tensors)).backward()
        slopes.append(drive.grad.numpy())
    assert np.abs(slopes[0]).max() > 0
    np.testing.assert_allclose(slopes[1], slopes[0], rtol=1e-6)


def test_an_explosion_of_spikes_stops_with_its_reason(spikes):
    neuron = LIFParameters(refractory=0.0, v_reset=-50.1e-3)
    circuit = network(neuron, dt=1e-4, recurrent=2.0)
    grown = circuit.with_population("a", drive=np.full(14, 1e-7))
    with pytest.raises(InputError, match=r"'a' of net exploded: .* refractory"):
        simulate(grown, spikes, engine="torch", progress=False)
