"""Plasticity: the weights that both scripts learn from the same spikes of sources and targets."""

import brian2 as b2
import numpy as np
import xarray as xr
from ingredient import N_CELLS, STEP, Case, Ingredient, World, spike_trains

import neurosim.biophysics as nb

W = 1e-6  # V: moves no membrane
FIRING = 60  # of the sources that make the targets fire, spikes/s


def trains(world: World) -> np.ndarray:
    """Return spikes (time, 2 x cells): of sources, and of inputs each of which makes one target fire."""
    rng = np.random.default_rng(world.seed)
    n_steps = round(world.seconds / STEP)
    spikes = rng.random((n_steps, 2 * N_CELLS)) < FIRING * STEP
    spikes[1:] &= ~spikes[:-1]
    return spikes


def learned(world: World, rule, modulator: xr.DataArray | None = None) -> Case:
    """Let a rule change the weights from sources to targets."""
    cells = nb.Population("cells", N_CELLS, nb.LIFParameters(refractory=0.0))
    start, fire = np.full((2 * N_CELLS, N_CELLS), W), np.zeros((2 * N_CELLS, N_CELLS))
    start[N_CELLS:] = 0.0
    fire[N_CELLS:] = 40e-3 * np.eye(N_CELLS)
    wires = (nb.Projection("trains", "cells", start, plasticity=rule), nb.Projection("trains", "cells", fire))
    inputs = nb.Input(2 * N_CELLS, name="trains")
    circuit = nb.Circuit("learning", inputs, (cells,), wires, dt=world.dt, step=STEP)
    return Case(circuit, {"trains": spike_trains(trains(world))}, modulator)


def plain(world: World, model: str, on_pre: str, on_post: str, run_regularly: str = "") -> np.ndarray:
    """Return the weights that Synapses of Brian2 leave."""
    b2.start_scope()
    b2.prefs.codegen.target, b2.defaultclock.dt = "numpy", world.dt * b2.second
    step, unit = np.nonzero(trains(world))
    is_source = unit < N_CELLS
    pre = b2.SpikeGeneratorGroup(N_CELLS, unit[is_source], step[is_source] * STEP * b2.second)
    post = b2.SpikeGeneratorGroup(N_CELLS, unit[~is_source] - N_CELLS, step[~is_source] * STEP * b2.second)
    wire = b2.Synapses(pre, post, "w : 1\n" + model, on_pre=on_pre, on_post=on_post)
    wire.connect()
    wire.w = 0.5
    if run_regularly:
        wire.run_regularly(run_regularly, when="start")
    b2.Network(pre, post, wire).run(world.seconds * b2.second)
    return np.asarray(wire.w) * 2 * W


PAIRS = "dx/dt = -x/(20*ms) : 1 (event-driven)\ndy/dt = -y/(20*ms) : 1 (event-driven)"


def pairs(world: World) -> Case:
    """Pairs of spikes, all with all, hard bounds."""
    return learned(world, nb.PairSTDPParameters(w_max=2 * W, a_plus=0.01, a_minus=0.012))


def pairs_plain(world: World) -> np.ndarray:
    """Do the same in Brian2."""
    on_pre, on_post = "w = clip(w - 0.012*y, 0, 1)\nx += 1", "w = clip(w + 0.01*x, 0, 1)\ny += 1"
    return plain(world, PAIRS, on_pre, on_post)


def nearest(world: World) -> Case:
    """Pairs of nearest spikes."""
    return learned(world, nb.PairSTDPParameters(w_max=2 * W, a_plus=0.01, a_minus=0.012, pairing="nearest"))


def nearest_plain(world: World) -> np.ndarray:
    """Do the same in Brian2."""
    return plain(world, PAIRS, "w = clip(w - 0.012*y, 0, 1)\nx = 1", "w = clip(w + 0.01*x, 0, 1)\ny = 1")


def soft(world: World) -> Case:
    """Pairs of spikes with soft bounds."""
    return learned(world, nb.PairSTDPParameters(w_max=2 * W, a_plus=0.01, a_minus=0.012, bounds="soft"))


def soft_plain(world: World) -> np.ndarray:
    """Do the same in Brian2."""
    return plain(world, PAIRS, "w = w - 0.012*w*y\nx += 1", "w = w + 0.01*(1 - w)*x\ny += 1")


def triplets(world: World) -> Case:
    """Triplets of spikes (Pfister and Gerstner 2006)."""
    return learned(world, nb.TripletSTDPParameters(w_max=2 * W))


def triplets_plain(world: World) -> np.ndarray:
    """Do the same in Brian2."""
    model = """dr1/dt = -r1/(16.8*ms) : 1 (event-driven)
    dr2/dt = -r2/(101*ms) : 1 (event-driven)
    do1/dt = -o1/(33.7*ms) : 1 (event-driven)
    do2/dt = -o2/(125*ms) : 1 (event-driven)"""
    on_pre = "w = clip(w - o1*(7e-3 + 2.3e-4*r2), 0, 1)\nr1 += 1\nr2 += 1"
    on_post = "w = clip(w + r1*(5e-10 + 6.2e-3*o2), 0, 1)\no1 += 1\no2 += 1"
    return plain(world, model, on_pre, on_post)


def inhibitory(world: World) -> Case:
    """Plasticity of inhibition towards a rate (Vogels 2011)."""
    return learned(world, nb.InhibitorySTDPParameters(w_max=2 * W, rate=0.01, target=20.0))


def inhibitory_plain(world: World) -> np.ndarray:
    """Do the same in Brian2."""
    on_pre = "w = clip(w + 0.01*(y - 2*20*Hz*20*ms), 0, 1)\nx += 1"
    return plain(world, PAIRS, on_pre, "w = clip(w + 0.01*x, 0, 1)\ny += 1")


def dopamine(world: World) -> Case:
    """Pairs that leave eligibility, which dopamine turns into weight (Izhikevich 2007)."""
    given = xr.DataArray(np.ones((1, round(world.seconds / STEP))), dims=("stimulus", "time"))
    return learned(world, nb.DopamineSTDPParameters(w_max=2 * W, a_plus=0.1, a_minus=0.12), modulator=given)


def dopamine_plain(world: World) -> np.ndarray:
    """Do the same in Brian2."""
    on_pre, on_post = "c -= 0.12*y\nx += 1", "c += 0.1*x\ny += 1"
    weight = "w = clip(w + c*(1 - exp(-dt/second)), 0, 1)\nc = c*exp(-dt/second)"
    return plain(world, PAIRS + "\nc : 1", on_pre, on_post, weight)


def scaling(world: World) -> Case:
    """Homeostatic scaling of all weights onto a neuron."""
    return learned(world, nb.SynapticScalingParameters(w_max=2 * W, target=30.0, tau=1.0, tau_rate=0.2))


def scaling_plain(world: World) -> np.ndarray:
    """Do the same in Brian2."""
    model = "rate_ : 1\nbegun : 1"
    start = "rate_ = (30 + (rate_ - 30)*begun)*exp(-dt/(200*ms))\nbegun = 1"
    return plain(world, model, "", "rate_ += 5", start + "\nw = clip(w + w*dt/second*(1 - rate_/30), 0, 1)")


INGREDIENTS = (
    Ingredient("STDP, all pairs", pairs, pairs_plain, "weights"),
    Ingredient("STDP, nearest pairs", nearest, nearest_plain, "weights"),
    Ingredient("STDP, soft bounds", soft, soft_plain, "weights"),
    Ingredient("STDP, triplets", triplets, triplets_plain, "weights"),
    Ingredient("inhibitory STDP", inhibitory, inhibitory_plain, "weights"),
    Ingredient("dopamine STDP", dopamine, dopamine_plain, "weights"),
    Ingredient("synaptic scaling", scaling, scaling_plain, "weights"),
)
