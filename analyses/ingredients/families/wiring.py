"""Rules of connection: recurrent networks whose synapses each script draws for itself, compared by their rates."""

import brian2 as b2
import numpy as np
from ingredient import N_CELLS, N_INPUT, STEP, Case, Ingredient, World

import neurosim.biophysics as nb
from families.synapses import FORM, LIF, case, rules


def wired(world: World, rule) -> Case:
    """Run cells that excite each other by synapses of a rule."""
    cells = nb.Population("cells", N_CELLS, LIF, drive=1.2e-10, synapses=nb.ExponentialParameters(5e-3))
    own = nb.connect(rule, cells, cells, weight=3e-11, delay=1e-3, self_connections=False)
    wires = (nb.Projection("input", "cells", world.feed * 1.2e-10), own)
    return case(world, nb.Circuit("wired", nb.Input(N_INPUT), (cells,), wires, dt=world.dt, step=STEP))


def plain(world: World, connect) -> tuple[np.ndarray, np.ndarray]:
    """Run the same in Brian2; `connect` makes the synapses."""
    b2.start_scope()
    b2.prefs.codegen.target, b2.defaultclock.dt = "numpy", world.dt * b2.second
    b2.seed(world.seed)
    unit, times = world.events
    source = b2.SpikeGeneratorGroup(N_INPUT, unit, times * b2.second)
    cells = b2.NeuronGroup(N_CELLS, FORM.format(current="I") + "dI/dt = -I/(5*ms) : amp", **rules(world))
    cells.v, cells.drive = -70 * b2.mV, 0.12 * b2.nA
    wire = b2.Synapses(source, cells, "w : amp", on_pre="I += w")
    wire.connect()
    wire.w = world.feed.ravel() * 0.12 * b2.nA
    own = b2.Synapses(cells, cells, on_pre="I += 30*pA", delay=1 * b2.ms)
    connect(own)
    spikes = b2.SpikeMonitor(cells)
    b2.Network(source, cells, wire, own, spikes).run(world.seconds * b2.second)
    return np.asarray(spikes.t), np.asarray(spikes.i)


def probability(world: World):
    """Join each pair with probability 0.4."""
    return wired(world, nb.FixedProbability(0.4))


def probability_plain(world: World):
    """Do the same in Brian2."""
    return plain(world, lambda own: own.connect(condition="i != j", p=0.4))


def indegree(world: World):
    """Give each neuron four sources."""
    return wired(world, nb.FixedIndegree(4))


def indegree_plain(world: World):
    """Do the same in Brian2, drawing the sources by hand."""
    rng = np.random.default_rng(world.seed)
    sources = [rng.choice([k for k in range(N_CELLS) if k != j], 4, replace=False) for j in range(N_CELLS)]
    return plain(world, lambda own: own.connect(i=np.concatenate(sources), j=np.repeat(np.arange(N_CELLS), 4)))


def ring(world: World):
    """Join neighbours on a ring, both ways."""
    return wired(world, nb.Ring(1))


def ring_plain(world: World):
    """Do the same in Brian2."""
    return plain(world, lambda own: own.connect(condition="(i - j) % N_post == 1 or (j - i) % N_post == 1"))


INGREDIENTS = (
    Ingredient("fixed probability", probability, probability_plain, "statistics"),
    Ingredient("fixed indegree", indegree, indegree_plain, "statistics"),
    Ingredient("neighbours on a ring", ring, ring_plain),
)
