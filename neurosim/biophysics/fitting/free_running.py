"""Many candidates for one neuron under the training current at once, and how well their spikes are those recorded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter1d

from neurosim.biophysics.fitting.trace import Trace
from neurosim.biophysics.formulas import ArrayFunctions, State
from neurosim.biophysics.models import NeuronModel
from neurosim.parameters import Parameters, as_dict

SEGMENT, LEAD_IN = 1.0, 0.5
BIN = 1e-3
WIDTH = 2e-3
COUNTS_MAY_DIFFER = 0.1


def binned_spikes(model: NeuronModel, candidates: Sequence[Parameters], trace: Trace) -> tuple[np.ndarray, np.ndarray]:
    """Return counts in bins of 1 ms, simulated (candidate, segment, bin) and recorded (segment, bin).

    What was recorded is cut into seconds that run side by side, each with half a second ahead; the first of a sweep
    begins at the recorded membrane. The step is the one that simulates.
    """
    numbers = {k: np.array([as_dict(c)[k] for c in candidates])[:, None] for k in as_dict(candidates[0])}
    constants = model.constants(numbers, trace.step)
    length, lead, width = (round(seconds / trace.step) for seconds in (SEGMENT, LEAD_IN, BIN))
    starts, length = trace.stretches(length)
    length = length // width * width
    shape = (len(candidates), len(starts))
    rest = {k: np.broadcast_to(constants[v] if isinstance(v, str) else v, shape) for k, v in model.state.items()}
    rest["v"] = np.broadcast_to(trace.voltage[starts], shape)
    fresh, state = ~trace.recorded[np.maximum(starts - 1, 0)] | (starts == 0), rest
    counts, m = np.zeros((*shape, length // width), dtype=np.float32), ArrayFunctions()
    for k in range(-lead, length):
        if k == 0:
            state = {name: np.where(fresh, rest[name], value) for name, value in state.items()}
        drive = trace.current[np.maximum(starts + k, 0)]
        x = State(**constants, **state, drive=drive, i_syn=None, g_syn=None, kick=None, noise=None)
        state = {name: np.asarray(value) for name, value in model.update(x, m).items()}
        x.__dict__.update(state)
        fired = np.asarray(model.distance(x, m)) > 0
        if fired.any():
            for name, value in model.reset(x, m).items():
                state[name] = np.where(fired, np.asarray(value), state[name])
            if k >= 0:
                counts[:, :, k // width] += fired
    recorded = np.stack([trace.spikes[s : s + length] for s in starts])
    return counts, recorded.reshape(len(starts), -1, width).sum(2)


def likeness(counts: np.ndarray, recorded: np.ndarray) -> np.ndarray:
    """Return how well counts (candidate, segment, bin) are those recorded (segment, bin), one value a candidate.

    Both are smoothed by 2 ms and compared by the concordance coefficient (https://doi.org/10.2307/2532051): 1 where
    they are equal, 0 by chance. Numbers of spikes that differ by more than 10 % cost the logarithm of their ratio.
    """
    mine = counts.reshape(len(counts), -1).astype(float)
    theirs = recorded.reshape(-1).astype(float)
    ratio = np.maximum(mine.sum(1) / theirs.sum(), 1e-3)
    mine, theirs = (gaussian_filter1d(a, WIDTH / BIN, axis=-1) for a in (mine, theirs))
    mine, theirs = (a - a.mean(-1, keepdims=True) for a in (mine, theirs))
    agree = 2 * (mine @ theirs) / ((mine**2).sum(1) + theirs @ theirs)
    return np.asarray(agree - np.maximum(np.abs(np.log(ratio)) - COUNTS_MAY_DIFFER, 0))
