"""The threshold at which a neuron without escape noise spikes as often as the recording."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TypeVar

import numpy as np

from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.fitting.trace import Trace
from neurosim.biophysics.inputs import Input
from neurosim.biophysics.neurons.adex import AdExParameters
from neurosim.biophysics.neurons.lif import LIFParameters
from neurosim.biophysics.populations import Population
from neurosim.biophysics.projections import Projection
from neurosim.biophysics.simulation import Monitors, simulate
from neurosim.schema import as_stimuli

P = TypeVar("P", AdExParameters, LIFParameters)
TRIED = np.linspace(-15e-3, 20e-3, 71)
SECOND, LEAD_IN = 1.0, 0.5


def match_count(parameters: P, name: str, trace: Trace) -> P:
    """Return the parameters with the voltage `name` moved to where the spikes of the training current are as many.

    Neurons with 71 thresholds receive the current, cut into seconds that run side by side, each with half a second
    ahead.
    """
    values = getattr(parameters, name) + TRIED
    lowest = parameters.v_reset + 1e-4 if isinstance(parameters, LIFParameters) else -0.2
    values = values[values > lowest]
    length, lead = round(SECOND / trace.step), round(LEAD_IN / trace.step)
    starts, length = trace.stretches(length)
    padded = np.concatenate([np.repeat(trace.current[:1], lead), trace.current])
    current = np.stack([padded[s : s + lead + length] for s in starts])[..., None]
    many = Population("neuron", len(values), parameters, varying={name: values})
    wire = Projection("input", "neuron", np.ones((1, len(values))))
    circuit = Circuit("thresholds", Input(1, "current"), (many,), (wire,), dt=trace.step, step=trace.step)
    shown = as_stimuli(current, dims=("stimulus", "time", "unit"), time_step=trace.step)
    whole = math.gcd(lead, length)
    spikes = simulate(circuit, shown, monitors=Monitors(time_bin=whole * trace.step), engine="brian2", progress=False)
    wanted = sum(float(trace.spikes[s : s + length].sum()) for s in starts)
    counts = spikes.values[:, lead // whole :].sum((0, 1))
    best = float(values[int(np.abs(counts - wanted).argmin())])
    return replace(parameters, **{name: best})  # type: ignore[arg-type]
