"""Receptors, delays and gap junctions."""

import brian2 as b2
import numpy as np
from ingredient import N_CELLS, N_INPUT, STEP, Case, Ingredient, World, spike_trains

import neurosim.biophysics as nb

LIF = nb.LIFParameters(refractory=2e-3)  # 100 pF, 10 nS, rest -70, threshold -50, reset -70 mV
FORM = "dv/dt = (10*nS*(-70*mV - v) + {current} + drive)/(100*pF) : volt (unless refractory)\ndrive : amp\n"


def rules(world: World) -> dict[str, object]:
    """Return threshold, reset and method; Brian2 holds the membrane for a step less than its refractory period."""
    held = 2 * b2.ms + world.dt * b2.second
    return {"threshold": "v > -50*mV", "reset": "v = -70*mV", "refractory": held, "method": "rk4"}


def case(world: World, circuit: nb.Circuit) -> Case:
    """Show the input spikes to a circuit."""
    return Case(circuit, {"input": spike_trains(world.spikes)})


def one(world: World, synapses, weights, drive=1.2e-10, **wire) -> Case:
    """Run one population that receives the input through one kind of synapses."""
    cells = nb.Population("cells", N_CELLS, LIF, drive=drive, synapses=synapses)
    wires = (nb.Projection("input", "cells", weights, **wire),)
    return case(world, nb.Circuit("one", nb.Input(N_INPUT), (cells,), wires, dt=world.dt, step=STEP))


def brian(world: World, equations: str, on_pre: str, weights: np.ndarray, unit, drive=0.12, delay=None):
    """Run the same in Brian2: neurons by their equations, synapses by what a spike does."""
    b2.start_scope()
    b2.prefs.codegen.target, b2.defaultclock.dt = "numpy", world.dt * b2.second
    unit_, times = world.events
    source = b2.SpikeGeneratorGroup(N_INPUT, unit_, times * b2.second)
    cells = b2.NeuronGroup(N_CELLS, equations, **rules(world))
    cells.v, cells.drive = -70 * b2.mV, drive * b2.nA
    wire = b2.Synapses(source, cells, "w : siemens" if unit is b2.nS else "w : amp", on_pre=on_pre)
    wire.connect()
    wire.w = weights.ravel() * unit
    if delay is not None:
        wire.delay = delay.ravel() * b2.second
    spikes = b2.SpikeMonitor(cells)
    b2.Network(source, cells, wire, spikes).run(world.seconds * b2.second)
    return np.asarray(spikes.t), np.asarray(spikes.i)


def exponential(world: World):
    """Send a current that decays with 5 ms."""
    return one(world, nb.ExponentialParameters(5e-3), world.feed * 1.2e-10)


def exponential_plain(world: World):
    """Do the same in Brian2."""
    form = FORM.format(current="I") + "dI/dt = -I/(5*ms) : amp"
    return brian(world, form, "I += w", world.feed * 0.12, b2.nA)


def alpha(world: World):
    """Send a current of the shape of an alpha function that peaks after 3 ms."""
    return one(world, nb.AlphaParameters(3e-3), world.feed * 8e-11)


def alpha_plain(world: World):
    """Do the same in Brian2."""
    form = FORM.format(current="I") + "dI/dt = (h - I)/(3*ms) : amp\ndh/dt = -h/(3*ms) : amp"
    return brian(world, form, "h += w*exp(1)", world.feed * 0.08, b2.nA)


def double_exponential(world: World):
    """Send a current that rises with 1 ms and falls with 6 ms."""
    return one(world, nb.DoubleExponentialParameters(1e-3, 6e-3), world.feed * 8e-11)


def double_exponential_plain(world: World):
    """Do the same in Brian2, its peak computed by hand."""
    peak = 6 / 5 * np.log(6)
    height = np.exp(-peak / 6) - np.exp(-peak)
    form = FORM.format(current="(a - b)") + "da/dt = -a/(6*ms) : amp\ndb/dt = -b/(1*ms) : amp"
    return brian(world, form, "a += w; b += w", world.feed * 0.08 / height, b2.nA)


def ampa(world: World):
    """AMPA receptors: a conductance that decays with 3 ms."""
    return one(world, nb.ExponentialConductanceParameters(3e-3, 0.0), world.feed * 3e-9)


def ampa_plain(world: World):
    """Do the same in Brian2."""
    form = FORM.format(current="g*(0*mV - v)") + "dg/dt = -g/(3*ms) : siemens"
    return brian(world, form, "g += w", world.feed * 3, b2.nS)


def alpha_conductance(world: World):
    """Open a conductance of the shape of an alpha function."""
    return one(world, nb.AlphaConductanceParameters(2e-3, 0.0), world.feed * 2e-9)


def alpha_conductance_plain(world: World):
    """Do the same in Brian2."""
    form = FORM.format(current="g*(0*mV - v)") + "dg/dt = (h - g)/(2*ms) : siemens\ndh/dt = -h/(2*ms) : siemens"
    return brian(world, form, "h += w*exp(1)", world.feed * 2, b2.nS)


def gaba_b(world: World):
    """GABA-B receptors: a slow conductance that reverses at -95 mV."""
    synapses = nb.DoubleExponentialConductanceParameters(60e-3, 200e-3, -95e-3)
    return one(world, synapses, world.feed * 6e-11, drive=4e-10)


def gaba_b_plain(world: World):
    """Do the same in Brian2."""
    peak = 60 * 200 / 140 * np.log(200 / 60)
    height = np.exp(-peak / 200) - np.exp(-peak / 60)
    form = FORM.format(current="(a - b)*(-95*mV - v)") + "da/dt = -a/(200*ms) : siemens\ndb/dt = -b/(60*ms) : siemens"
    return brian(world, form, "a += w; b += w", world.feed * 0.06 / height, b2.nS, drive=0.4)


def nmda(world: World):
    """NMDA receptors with magnesium block."""
    return one(world, nb.NMDAParameters(2e-3, 60e-3), world.feed * 1.5e-9)


def nmda_plain(world: World):
    """Do the same in Brian2."""
    peak = 2 * 60 / 58 * np.log(30)
    height = np.exp(-peak / 60) - np.exp(-peak / 2)
    current = "(a - b)/(1 + exp(-62*v/volt)/3.57)*(0*mV - v)"
    form = FORM.format(current=current) + "da/dt = -a/(60*ms) : siemens\ndb/dt = -b/(2*ms) : siemens"
    return brian(world, form, "a += w; b += w", world.feed * 1.5 / height, b2.nS)


def several(world: World):
    """AMPA, NMDA and GABA-A receptors on one neuron, a third of the inputs each."""
    receptors = {
        "ampa": nb.ExponentialConductanceParameters(3e-3, 0.0),
        "nmda": nb.NMDAParameters(2e-3, 60e-3),
        "gaba": nb.ExponentialConductanceParameters(8e-3, -80e-3),
    }
    cells = nb.Population("cells", N_CELLS, LIF, drive=1.5e-10, synapses=receptors)
    scale = {"ampa": 5e-9, "nmda": 3e-9, "gaba": 2e-9}
    rows = np.arange(N_INPUT)[:, None] % 3
    wires = tuple(
        nb.Projection("input", "cells", world.feed * s * (rows == k), receptor=r)
        for k, (r, s) in enumerate(scale.items())
    )
    return case(world, nb.Circuit("several", nb.Input(N_INPUT), (cells,), wires, dt=world.dt, step=STEP))


def several_plain(world: World):
    """Do the same in Brian2: one Synapses object a receptor."""
    b2.start_scope()
    b2.prefs.codegen.target, b2.defaultclock.dt = "numpy", world.dt * b2.second
    unit, times = world.events
    peak = 2 * 60 / 58 * np.log(30)
    height = np.exp(-peak / 60) - np.exp(-peak / 2)
    current = "g*(0*mV - v) + (a - b)/(1 + exp(-62*v/volt)/3.57)*(0*mV - v) + g_i*(-80*mV - v)"
    states = ("dg/dt = -g/(3*ms) : siemens", "da/dt = -a/(60*ms) : siemens", "db/dt = -b/(2*ms) : siemens")
    form = FORM.format(current=current) + "\n".join([*states, "dg_i/dt = -g_i/(8*ms) : siemens"])
    source = b2.SpikeGeneratorGroup(N_INPUT, unit, times * b2.second)
    cells = b2.NeuronGroup(N_CELLS, form, **rules(world))
    cells.v, cells.drive = -70 * b2.mV, 0.15 * b2.nA
    parts = {"g_post += w": 5.0, "a_post += w; b_post += w": 3.0 / height, "g_i_post += w": 2.0}
    wires = []
    for k, (on_pre, scale) in enumerate(parts.items()):
        wire = b2.Synapses(source, cells, "w : siemens", on_pre=on_pre)
        wire.connect(condition=f"i % 3 == {k}")
        wire.w = world.feed[np.asarray(wire.i), np.asarray(wire.j)] * scale * b2.nS
        wires.append(wire)
    spikes = b2.SpikeMonitor(cells)
    b2.Network(source, cells, *wires, spikes).run(world.seconds * b2.second)
    return np.asarray(spikes.t), np.asarray(spikes.i)


def delays(world: World):
    """Give a delay of its own to every synapse."""
    return one(world, nb.ExponentialParameters(5e-3), world.feed * 1.2e-10, delay=world.late)


def delays_plain(world: World):
    """Do the same in Brian2."""
    form = FORM.format(current="I") + "dI/dt = -I/(5*ms) : amp"
    return brian(world, form, "I += w", world.feed * 0.12, b2.nA, delay=world.late)


def gap_junctions(world: World):
    """Cells coupled all to all by gap junctions."""
    receptors = {"gap": nb.GapJunctionParameters(), "current": nb.ExponentialParameters(5e-3)}
    cells = nb.Population("cells", N_CELLS, LIF, drive=1.2e-10, synapses=receptors)
    junctions = 5e-10 * (1 - np.eye(N_CELLS))
    wires = (
        nb.Projection("input", "cells", world.feed * 1.5e-10, receptor="current"),
        nb.Projection("cells", "cells", junctions, receptor="gap"),
    )
    return case(world, nb.Circuit("gap", nb.Input(N_INPUT), (cells,), wires, dt=world.dt, step=STEP))


def gap_junctions_plain(world: World):
    """Do the same in Brian2, with a summed variable."""
    b2.start_scope()
    b2.prefs.codegen.target, b2.defaultclock.dt = "numpy", world.dt * b2.second
    unit, times = world.events
    source = b2.SpikeGeneratorGroup(N_INPUT, unit, times * b2.second)
    form = FORM.format(current="I + coupled") + "dI/dt = -I/(5*ms) : amp\ncoupled : amp"
    cells = b2.NeuronGroup(N_CELLS, form, **rules(world))
    cells.v, cells.drive = -70 * b2.mV, 0.12 * b2.nA
    wire = b2.Synapses(source, cells, "w : amp", on_pre="I += w")
    wire.connect()
    wire.w = world.feed.ravel() * 0.15 * b2.nA
    gap = b2.Synapses(cells, cells, "coupled_post = 0.5*nS*(v_pre - v_post) : amp (summed)")
    gap.connect(condition="i != j")
    spikes = b2.SpikeMonitor(cells)
    b2.Network(source, cells, wire, gap, spikes).run(world.seconds * b2.second)
    return np.asarray(spikes.t), np.asarray(spikes.i)


INGREDIENTS = (
    Ingredient("current that decays", exponential, exponential_plain),
    Ingredient("alpha current", alpha, alpha_plain),
    Ingredient("current of two time constants", double_exponential, double_exponential_plain),
    Ingredient("AMPA conductance", ampa, ampa_plain),
    Ingredient("alpha conductance", alpha_conductance, alpha_conductance_plain),
    Ingredient("GABA-B conductance", gaba_b, gaba_b_plain),
    Ingredient("NMDA with magnesium block", nmda, nmda_plain),
    Ingredient("AMPA, NMDA and GABA-A on one neuron", several, several_plain),
    Ingredient("a delay for each synapse", delays, delays_plain),
    Ingredient("gap junctions", gap_junctions, gap_junctions_plain),
)
