"""The reference of the classic diehl_cook: its equations as a plain Brian2 script, with Brian2's own Poisson sources.

Run: python analyses/gallery/plain_diehl_cook.py [seed ...]. Pictures and the count of votes are those of the classic;
weights are scaled after each picture, and bounded at their next change.
"""

import sys
from pathlib import Path

import brian2 as b2
import numpy as np

sys.path[:0] = [str(path) for path in Path(__file__).resolve().parents[:2]]

from classics.diehl_cook import CLASSIC, accuracy, pictures  # noqa: E402
from command_line import called  # noqa: E402

EXCITATORY = """
dv/dt = (-65*mV - v + ge*(0*mV - v) + gi*(-100*mV - v)) / (100*ms) : volt (unless refractory)
dge/dt = -ge/(1*ms) : 1
dgi/dt = -gi/(2*ms) : 1
dtheta/dt = -learns*theta/(1e7*ms) : volt
learns : 1 (shared)
"""
INHIBITORY = """
dv/dt = (-60*mV - v + ge*(0*mV - v)) / (10*ms) : volt (unless refractory)
dge/dt = -ge/(1*ms) : 1
"""
PLASTIC = """
w : 1
dx/dt = -x/(20*ms) : 1 (event-driven)
dy/dt = -y/(20*ms) : 1 (event-driven)
dz/dt = -z/(40*ms) : 1 (event-driven)
"""


def main(seed: int) -> tuple[float, float, float, float]:
    """Return accuracy (%), spikes and answering neurons a picture late in training, mean rise of thresholds (mV)."""
    told = CLASSIC.full
    n, highest = told["n"], told["highest"]
    seconds, rest = told["seconds"] * b2.second, told["rest"] * b2.second
    b2.seed(seed)
    b2.defaultclock.dt = 0.5 * b2.ms
    b2.prefs.codegen.target = "cython"
    source = b2.PoissonGroup(784, np.zeros(784) * b2.Hz)
    cells = b2.NeuronGroup(
        n,
        EXCITATORY,
        threshold="v > theta - 52*mV",
        reset="v = -65*mV; theta += learns*0.05*mV",
        refractory=5 * b2.ms,
        method="euler",
    )
    others = b2.NeuronGroup(
        n, INHIBITORY, threshold="v > -40*mV", reset="v = -45*mV", refractory=2 * b2.ms, method="euler"
    )
    plastic = b2.Synapses(
        source,
        cells,
        PLASTIC,
        on_pre="ge_post += w; w = clip(w - learns_post*1e-4*y, 0, 1); x = 1",
        on_post="w = clip(w + learns_post*0.01*x*z, 0, 1); y = 1; z = 1",
    )
    plastic.connect()
    plastic.w = 0.3 * (np.random.default_rng(seed).random(784 * n) + 0.01)
    excite = b2.Synapses(cells, others, on_pre="ge_post += 10.4")
    excite.connect(j="i")
    inhibit = b2.Synapses(others, cells, on_pre="gi_post += 17")
    inhibit.connect("i != j")
    counter = b2.SpikeMonitor(cells, record=False)
    network = b2.Network(source, cells, others, plastic, excite, inhibit, counter)

    def answers(brightness: np.ndarray, learns: float) -> np.ndarray:
        """Show pictures one after another, and return the spikes (picture, neuron)."""
        cells.learns = learns
        cells.v, others.v = -65 * b2.mV, -60 * b2.mV
        found, before = [], np.array(counter.count)
        for picture in brightness:
            if learns:
                weights = np.array(plastic.w).reshape(784, n)
                plastic.w = (weights * 78 / weights.sum(0)).ravel()
            source.rates = picture * highest * b2.Hz
            network.run(seconds)
            found.append(np.array(counter.count) - before)
            source.rates = 0 * b2.Hz
            network.run(rest)
            before = np.array(counter.count)
        return np.stack(found)

    shown, label = pictures(told["split"][0], told["digits"], told["training"])
    new, digit = pictures(told["split"][1], told["digits"], told["test"])
    late = answers(shown, 1.0)[-len(shown) // 5 :]
    raised = float(np.mean(cells.theta / b2.mV))
    right = accuracy(answers(shown, 0.0), label, answers(new, 0.0), digit)
    return 100 * right, float(late.sum(1).mean()), float((late > 0).sum(1).mean()), raised


if __name__ == "__main__":
    with called(__doc__) as given:
        for one in [int(word) for word in given.words] or list(CLASSIC.full["seeds"]):
            print(one, *(f"{value:.4g}" for value in main(one)), flush=True)
