"""Neurons, free equations, neurons that differ, and where they start."""

import brian2 as b2
import numpy as np
from ingredient import N_CELLS, N_INPUT, STEP, Case, Ingredient, World

import neurosim.biophysics as nb
from families.synapses import case

SYNAPSES = nb.ExponentialParameters(5e-3)


def one(world: World, neuron, drive: float, scale=1.2e-10, **more) -> Case:
    """Run neurons of one kind that receive the input through a current that decays with 5 ms."""
    cells = nb.Population("cells", N_CELLS, neuron, drive=drive, synapses=SYNAPSES, **more)
    wires = (nb.Projection("input", "cells", world.feed * scale),)
    return case(world, nb.Circuit("one", nb.Input(N_INPUT), (cells,), wires, dt=world.dt, step=STEP))


def plain(world: World, equations: str, drive: float, scale=1.2e-10, begin=None, **rules):
    """Run the same in Brian2: equations that name the current I and the drive."""
    b2.start_scope()
    b2.prefs.codegen.target, b2.defaultclock.dt = "numpy", world.dt * b2.second
    unit, times = world.events
    source = b2.SpikeGeneratorGroup(N_INPUT, unit, times * b2.second)
    form = equations + "\ndI/dt = -I/(5*ms) : amp\ndrive : amp"
    cells = b2.NeuronGroup(N_CELLS, form, method=rules.pop("method", "rk4"), **rules)
    for name, value in {"drive": drive * b2.amp, **(begin or {})}.items():
        setattr(cells, name, value)
    wire = b2.Synapses(source, cells, "weight : amp", on_pre="I += weight")
    wire.connect()
    wire.weight = world.feed.ravel() * scale * b2.amp
    spikes = b2.SpikeMonitor(cells)
    b2.Network(source, cells, wire, spikes).run(world.seconds * b2.second)
    return np.asarray(spikes.t), np.asarray(spikes.i)


def adex(world: World):
    """Run AdEx neurons."""
    return one(world, nb.AdExParameters(refractory=0.0), 4e-10, 4e-10)


def adex_plain(world: World):
    """Do the same in Brian2."""
    form = """dv/dt = (30*nS*(-70.6*mV - v) + 30*nS*2*mV*exp((v + 50.4*mV)/(2*mV)) - w + I + drive)/(281*pF) : volt
    dw/dt = (4*nS*(v + 70.6*mV) - w)/(144*ms) : amp"""
    begin, reset = {"v": -70.6 * b2.mV}, "v = -70.6*mV\nw += 80.5*pA"
    return plain(world, form, 4e-10, 4e-10, begin, threshold="v > -30*mV", reset=reset, method="euler")


def izhikevich(world: World):
    """Run neurons of Izhikevich, regular spiking."""
    return one(world, nb.IzhikevichParameters(), 4e-10, 4e-10)


def izhikevich_plain(world: World):
    """Do the same in Brian2."""
    form = """dv/dt = (0.04/ms/mV)*v**2 + (5/ms)*v + 140*mV/ms - u + (I + drive)/(100*pF) : volt
    du/dt = (0.02/ms)*(0.2*v/ms - u) : volt/second"""
    begin, reset = {"v": -65 * b2.mV, "u": -13 * b2.mV / b2.ms}, "v = -65*mV\nu += 8*mV/ms"
    return plain(world, form, 4e-10, 4e-10, begin, threshold="v > 30*mV", reset=reset)


def quadratic(world: World):
    """Run quadratic integrate-and-fire neurons."""
    return one(world, nb.QuadraticIFParameters(refractory=0.0), 5e-11)


def quadratic_plain(world: World):
    """Do the same in Brian2."""
    form = "dv/dt = (0.7*uS/volt*(v + 60*mV)*(v + 40*mV) + I + drive)/(100*pF) : volt"
    begin, reset = {"v": -60 * b2.mV}, "v = -50*mV"
    return plain(world, form, 5e-11, 1.2e-10, begin, threshold="v > 35*mV", reset=reset)


def wang_buzsaki(world: World):
    """Run fast-spiking interneurons of Wang and Buzsaki."""
    return one(world, nb.WangBuzsakiParameters(), 1e-10, 1e-10)


def wang_buzsaki_plain(world: World):
    """Do the same in Brian2."""
    form = """dv/dt = (10*nS*(-65*mV - v) + channels + I + drive)/(100*pF) : volt
    channels = 3.5*uS*m**3*h*(55*mV - v) + 0.9*uS*n**4*(-90*mV - v) : amp
    m = a_m/(a_m + 4*exp(-(v + 60*mV)/(18*mV))/ms) : 1
    a_m = 1/exprel(-(v + 35*mV)/(10*mV))/ms : Hz
    dh/dt = 5*(0.07*exp(-(v + 58*mV)/(20*mV))/ms*(1 - h) - h/(exp(-0.1/mV*(v + 28*mV)) + 1)/ms) : 1
    a_n = 0.1/exprel(-(v + 34*mV)/(10*mV))/ms : Hz
    dn/dt = 5*(a_n*(1 - n) - 0.125*exp(-(v + 44*mV)/(80*mV))/ms*n) : 1"""
    rest = nb.NEURONS["wang_buzsaki"].constants(nb.WangBuzsakiParameters().__dict__, world.dt)
    begin = {"v": rest["v_rest"] * b2.volt, "h": rest["h_rest"], "n": rest["n_rest"]}
    rules = {"threshold": "v > 0*mV", "refractory": "v > 0*mV", "reset": ""}
    return plain(world, form, 1e-10, 1e-10, begin, method="rk4", **rules)


EQUATIONS = "dv/dt = (g*(rest - v) + k*(v - rest)**2 + i_syn + drive)/c"
NUMBERS = {"g": 10e-9, "rest": -70e-3, "k": 1e-7, "c": 100e-12}


def equations(world: World):
    """Run neurons of free equations."""
    return one(world, nb.CustomNeuron(EQUATIONS, "v > -0.05", "v = -0.07", NUMBERS, {"v": -0.07}), 1.2e-10)


def equations_plain(world: World):
    """Do the same in Brian2."""
    form = "dv/dt = (10*nS*(-70*mV - v) + 0.1*uS/volt*(v + 70*mV)**2 + I + drive)/(100*pF) : volt"
    return plain(world, form, 1.2e-10, 1.2e-10, {"v": -70 * b2.mV}, threshold="v > -50*mV", reset="v = -70*mV")


def different(world: World):
    """Run neurons each with a threshold and a leak of its own, from random membranes."""
    rng = np.random.default_rng(world.seed)
    varying = {"v_threshold": rng.uniform(-52e-3, -48e-3, N_CELLS), "g_leak": rng.uniform(8e-9, 12e-9, N_CELLS)}
    start = rng.uniform(-70e-3, -55e-3, N_CELLS)
    return one(world, nb.LIFParameters(refractory=0.0), 1.2e-10, varying=varying, initial={"v": start})


def different_plain(world: World):
    """Do the same in Brian2."""
    rng = np.random.default_rng(world.seed)
    begin = {"threshold_": rng.uniform(-52, -48, N_CELLS) * b2.mV, "leak": rng.uniform(8, 12, N_CELLS) * b2.nS}
    begin |= {"v": rng.uniform(-70, -55, N_CELLS) * b2.mV}
    form = "dv/dt = (leak*(-70*mV - v) + I + drive)/(100*pF) : volt\nthreshold_ : volt\nleak : siemens"
    return plain(world, form, 1.2e-10, 1.2e-10, begin, threshold="v > threshold_", reset="v = -70*mV")


INGREDIENTS = (
    Ingredient("AdEx neurons", adex, adex_plain, is_stiff=True),
    Ingredient("Izhikevich neurons", izhikevich, izhikevich_plain),
    Ingredient("quadratic integrate-and-fire neurons", quadratic, quadratic_plain),
    Ingredient("Wang-Buzsaki interneurons", wang_buzsaki, wang_buzsaki_plain, is_stiff=True),
    Ingredient("free equations", equations, equations_plain),
    Ingredient("neurons that differ, random start", different, different_plain),
)
