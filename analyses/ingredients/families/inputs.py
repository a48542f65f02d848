"""What reaches neurons beside spikes of the stimulus: currents, background, several inputs, Poisson populations."""

import brian2 as b2
import numpy as np
from ingredient import N_CELLS, N_INPUT, STEP, Case, Ingredient, World, spike_trains

import neurosim as ns
import neurosim.biophysics as nb
from families.synapses import FORM, LIF, case, rules


def driven(world: World, **population):
    """Run cells that the input does not reach."""
    cells = nb.Population("cells", N_CELLS, LIF, **population)
    return case(world, nb.Circuit("driven", nb.Input(N_INPUT), (cells,), (), dt=world.dt, step=STEP))


def plain(world: World, current: str, more: str = "", objects=lambda cells: [], **begin):
    """Run cells with a current in Brian2."""
    b2.start_scope()
    b2.prefs.codegen.target, b2.defaultclock.dt = "numpy", world.dt * b2.second
    b2.seed(world.seed)
    how = rules(world) | ({"method": "euler"} if "xi" in more else {})
    cells = b2.NeuronGroup(N_CELLS, FORM.format(current=current) + more, **how)
    cells.v = -70 * b2.mV
    for name, value in begin.items():
        setattr(cells, name, value)
    spikes = b2.SpikeMonitor(cells)
    b2.Network(cells, spikes, *objects(cells)).run(world.seconds * b2.second)
    return np.asarray(spikes.t), np.asarray(spikes.i)


def protocol(world: World):
    """Inject a step, a ramp and a sine of current at once."""
    end = world.seconds
    step = nb.StepCurrent((0.0, 0.8 * end), (2.5e-10, 1e-10))
    return driven(world, currents=[step, nb.RampCurrent(0.0, end, 0.0, 3e-10), nb.SineCurrent(1e-10, 40.0)])


def protocol_plain(world: World):
    """Do the same in Brian2."""
    end = world.seconds * b2.second
    form = "(0.25*nA*int(t < 0.8*{0}) + 0.1*nA*int(t >= 0.8*{0}) + 0.3*nA*t/{0} + 0.1*nA*sin(2*pi*40*Hz*t))"
    return plain(world, form.format(f"({float(end)}*second)"))


def wandering(world: World):
    """Ornstein-Uhlenbeck currents, one a neuron."""
    return driven(world, currents=nb.OrnsteinUhlenbeckCurrent(2.2e-10, 1e-10, 5e-3))


def wandering_plain(world: World):
    """Do the same in Brian2."""
    noise = "dI/dt = (0.22*nA - I)/(5*ms) + 0.1*nA*sqrt(2/(5*ms))*xi : amp"
    return plain(world, "I", noise, I="0.22*nA + 0.1*nA*randn()")


def background(world: World):
    """Send a background of 800 Poisson processes of 10 Hz: many spikes in a step."""
    receptor = nb.ExponentialParameters(5e-3)
    return driven(world, synapses=receptor, background=nb.Poisson(10.0, 6e-12, n=800))


def background_plain(world: World):
    """Do the same in Brian2."""
    return plain(
        world,
        "I",
        "dI/dt = -I/(5*ms) : amp",
        lambda cells: [b2.PoissonInput(cells, "I", 800, 10 * b2.Hz, 6e-3 * b2.nA)],
        I=0.24 * b2.nA,
    )


def two_inputs(world: World):
    """Spikes and a current that is shown beside them."""
    cells = nb.Population("cells", N_CELLS, LIF, synapses=nb.ExponentialParameters(5e-3))
    inputs = (nb.Input(N_INPUT, name="fibres"), nb.Input(1, "current", world.seconds, name="probe"))
    wires = (
        nb.Projection("fibres", "cells", world.feed * 1.2e-10),
        nb.Projection("probe", "cells", np.linspace(0.5, 1.0, N_CELLS)[None]),
    )
    circuit = nb.Circuit("two", inputs, (cells,), wires, dt=world.dt, step=STEP)
    return Case(circuit, {"fibres": spike_trains(world.spikes), "probe": ns.as_stimuli([[2e-10]])})


def two_inputs_plain(world: World):
    """Do the same in Brian2."""
    unit, times = world.events
    source = b2.SpikeGeneratorGroup(N_INPUT, unit, times * b2.second, dt=world.dt * b2.second)

    def wire(cells):
        made = b2.Synapses(source, cells, "w : amp", on_pre="I += w", dt=world.dt * b2.second)
        made.connect()
        made.w = world.feed.ravel() * 0.12 * b2.nA
        return [source, made]

    given = np.linspace(0.5, 1.0, N_CELLS) * 0.2 * b2.nA
    return plain(world, "I", "dI/dt = -I/(5*ms) : amp", wire, drive=given)


def poisson_population(world: World):
    """Run a population that is a Poisson process of 60 Hz."""
    cells = nb.Population("cells", N_CELLS, nb.PoissonParameters(60.0))
    return case(world, nb.Circuit("poisson", nb.Input(N_INPUT), (cells,), (), dt=world.dt, step=STEP))


def poisson_population_plain(world: World):
    """Do the same in Brian2."""
    b2.start_scope()
    b2.prefs.codegen.target, b2.defaultclock.dt = "numpy", world.dt * b2.second
    b2.seed(world.seed)
    cells = b2.PoissonGroup(N_CELLS, 60 * b2.Hz)
    spikes = b2.SpikeMonitor(cells)
    b2.Network(cells, spikes).run(world.seconds * b2.second)
    return np.asarray(spikes.t), np.asarray(spikes.i)


INGREDIENTS = (
    Ingredient("steps, ramps and sines of current", protocol, protocol_plain),
    Ingredient("Ornstein-Uhlenbeck currents", wandering, wandering_plain, "statistics"),
    Ingredient("a background of many Poisson processes", background, background_plain, "statistics"),
    Ingredient("several inputs, spikes and a current", two_inputs, two_inputs_plain),
    Ingredient("a Poisson population", poisson_population, poisson_population_plain, "statistics"),
)
