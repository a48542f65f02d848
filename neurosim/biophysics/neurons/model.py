"""What a neuron model is, and the two pieces that several of them share: the membrane and the refractory period.

Variables that a step finds in ``x``: its own state; the constants of the population; ``drive`` (constant and external
input); and what the synapses bring: ``kick`` (a jump of the membrane), ``i_syn`` and ``g_syn`` (a current
``i_syn - g_syn v``; None where the synapses have none), and ``noise`` (None, or a jump of the membrane). A neuron whose
spikes escape at random finds in ``xi`` the logarithm of an exponential draw: it fires with probability
``1 - exp(-exp(y))`` where it compares ``y`` with ``xi``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Constants = dict[str, Any]


@dataclass(frozen=True)
class NeuronModel:
    """A neuron as a pure step.

    Parameters
    ----------
    parameters : the record of its numbers.
    state : initial value of each variable: a number, or the name of a constant.
    constants : (numbers of the record, dt) -> the numbers that the formulas name.
    update : (x, m) -> new state after one step of the membrane.
    distance : (x, m) -> by how much the membrane is above threshold; a spike is sent where it is positive.
    reset : (x, m) -> new state of the neurons that sent a spike.
    is_discrete : whether it advances in whole steps, without units, as in a trained network.
    is_random : whether its spikes escape at random.
    """

    parameters: type
    state: Mapping[str, float | str]
    constants: Callable[[Mapping[str, Any], float], Constants]
    update: Callable[[Any, Any], Mapping[str, Any]]
    distance: Callable[[Any, Any], Any]
    reset: Callable[[Any, Any], Mapping[str, Any]]
    is_discrete: bool = False
    is_random: bool = False


def decay(dt: float, tau: Any) -> Any:
    """Return the share that is left after `dt` of a value that decays with `tau`."""
    return math.exp(-dt / tau) if isinstance(tau, int | float) else np.exp(-dt / np.asarray(tau))


def membrane_constants(p: Mapping[str, Any], dt: float) -> Constants:
    """Return the constants of a leaky membrane and of its refractory period."""
    constants = {name: p[name] for name in ("g_leak", "e_leak")}
    constants["leak_decay"] = decay(dt, p["capacitance"] / p["g_leak"])
    constants["dt_per_capacitance"] = dt / p["capacitance"]
    if "refractory" in p:
        constants["held_steps"] = np.rint(p["refractory"] / dt)
    return constants


def membrane_after_step(x: Any, m: Any, current: Any, conductance: Any = None) -> Any:
    """Return the membrane after `dt` with all currents held still, by the exponential Euler method.

    `current` (A) and `conductance` (S; may be None) are those beside leak, synapses and drive.
    """
    total_current = x.g_leak * x.e_leak + x.drive if current is None else x.g_leak * x.e_leak + x.drive + current
    if x.i_syn is not None:
        total_current = total_current + x.i_syn
    conductances = [g for g in (x.g_syn, conductance) if g is not None]
    if conductances:
        total = x.g_leak + conductances[0]
        for g in conductances[1:]:
            total = total + g
        total = m.let("total_conductance", total)
        target = m.let("v_target", total_current / total)
        free = target + (x.v - target) * m.exp(-x.dt_per_capacitance * total)
    else:
        target = m.let("v_target", total_current / x.g_leak)
        free = target + (x.v - target) * x.leak_decay
    if x.kick is not None:
        free = free + x.kick
    return free if x.noise is None else free + x.noise


def held_while_refractory(x: Any, m: Any, free: Any) -> tuple[Any, Any]:
    """Return the membrane, which stays where it is during the refractory period, and the steps still to wait."""
    waiting = m.let("waiting", m.is_positive(x.wait - 0.5))
    return waiting * x.v + (1.0 - waiting) * free, x.wait - waiting
