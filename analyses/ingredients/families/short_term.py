"""Release: depression, facilitation, saturation, failures."""

import brian2 as b2
import numpy as np
from ingredient import N_CELLS, N_INPUT, Ingredient, World

import neurosim.biophysics as nb
from families.synapses import FORM, one, rules


def released(world: World, release, scale: float):
    """Run cells whose input is released in some way, through a current that decays with 5 ms."""
    return one(world, nb.ExponentialParameters(5e-3), world.feed * scale, release=release)


def plain(world: World, model: str, on_pre: str, scale: float, **begin: float):
    """Run the same in Brian2."""
    b2.start_scope()
    b2.prefs.codegen.target, b2.defaultclock.dt = "numpy", world.dt * b2.second
    unit, times = world.events
    source = b2.SpikeGeneratorGroup(N_INPUT, unit, times * b2.second)
    cells = b2.NeuronGroup(N_CELLS, FORM.format(current="I") + "dI/dt = -I/(5*ms) : amp", **rules(world))
    cells.v, cells.drive = -70 * b2.mV, 0.12 * b2.nA
    wire = b2.Synapses(source, cells, "w : amp\n" + model, on_pre=on_pre)
    wire.connect()
    wire.w = world.feed.ravel() * scale * b2.amp
    for name, value in begin.items():
        setattr(wire, name, value)
    spikes = b2.SpikeMonitor(cells)
    b2.seed(world.seed)
    b2.Network(source, cells, wire, spikes).run(world.seconds * b2.second)
    return np.asarray(spikes.t), np.asarray(spikes.i)


def depression(world: World):
    """Depressing synapses: half of the resources a spike, recovery in 200 ms."""
    return released(world, nb.TsodyksMarkramParameters(0.5, 0.2), 6e-10)


def depression_plain(world: World):
    """Do the same in Brian2."""
    model = "dx/dt = (1 - x)/(200*ms) : 1 (event-driven)"
    return plain(world, model, "I += w*0.5*x\nx -= 0.5*x", 6e-10, x=1.0)


def facilitation(world: World):
    """Facilitating synapses: U = 0.1, facilitation 500 ms, recovery 50 ms."""
    return released(world, nb.TsodyksMarkramParameters(0.1, 0.05, 0.5), 1.2e-9)


def facilitation_plain(world: World):
    """Do the same in Brian2."""
    model = "dx/dt = (1 - x)/(50*ms) : 1 (event-driven)\ndu/dt = -u/(500*ms) : 1 (event-driven)"
    return plain(world, model, "u += 0.1*(1 - u)\nI += w*u*x\nx -= u*x", 1.2e-9, x=1.0)


def saturation(world: World):
    """Receptors of which a spike opens half of the closed ones."""
    return released(world, nb.SaturatingParameters(0.5, 0.1), 6e-10)


def saturation_plain(world: World):
    """Do the same in Brian2."""
    model = "ds/dt = -s/(100*ms) : 1 (event-driven)"
    return plain(world, model, "I += w*0.5*(1 - s)\ns += 0.5*(1 - s)", 6e-10)


def failures(world: World):
    """Synapses that let half of the spikes through, at random."""
    return released(world, nb.FailingParameters(0.5), 2.4e-10)


def failures_plain(world: World):
    """Do the same in Brian2."""
    return plain(world, "", "I += w*int(rand() < 0.5)", 2.4e-10)


INGREDIENTS = (
    Ingredient("short-term depression", depression, depression_plain),
    Ingredient("short-term facilitation", facilitation, facilitation_plain),
    Ingredient("saturating receptors", saturation, saturation_plain),
    Ingredient("synaptic failures", failures, failures_plain, "statistics"),
)
