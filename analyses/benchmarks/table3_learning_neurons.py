"""Table 3 of the benchmarks: neurons that learn their own numbers beside their peers: spikes, gradients, then time.

Each row is a forward and a backward pass over 100 steps of 32 stimuli, one share and one threshold a neuron.
SpikingJelly shares one number in a layer and resets within the step, which for the reset to 0 gives the same spikes; it
rounds otherwise, so that the two are compared in float64.

Run: python analyses/benchmarks/table3_learning_neurons.py FILE.json [folder with SpikingJelly]
"""

from __future__ import annotations

import json
import math
import os
import platform
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import snntorch as snn
import torch
from torch import Tensor

from neurosim.networks import Learnable, SpikingLayer
from neurosim.parameters import DiscreteLIFParameters, DiscreteSynapticParameters

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import called

N_STEPS, N_BATCH, SIZES, ROUNDS = 100, 32, (128, 1024), 25
BETA, ALPHA = 0.9, 0.8


def of_snntorch(neuron: snn.SpikingNeuron, currents: Tensor) -> Tensor:
    """Return the spikes of a fair loop over time."""
    neuron.reset_mem()
    state: list[Tensor] = []
    sent = []
    for now in currents.unbind(0):
        spikes, *state = neuron(now, *state)
        sent.append(spikes)
    return torch.stack(sent)


def passes(run: Callable[[Tensor], Tensor], module: torch.nn.Module, currents: Tensor) -> list[Tensor]:
    """Return spikes and the gradients of the parameters of one pass."""
    module.zero_grad()
    leaf = currents.clone().requires_grad_()
    spikes = run(leaf)
    (spikes * torch.linspace(-1, 1, spikes.shape[-1])).sum().backward()
    return [spikes.detach(), *(p.grad.clone() for p in module.parameters())]


def milliseconds(*runs: Callable[[], object]) -> list[float]:
    """Return the best time of each of several runs that take turns."""
    best = [math.inf] * len(runs)
    for k in range(ROUNDS + 1):
        for i, run in enumerate(runs):
            start = time.perf_counter()
            run()
            best[i] = min(best[i], time.perf_counter() - start) if k else math.inf
    return [1e3 * b for b in best]


def beside_snntorch(n: int, synaptic: bool) -> dict[str, float | int | str]:
    """Compare one layer with snnTorch's neuron of the same numbers."""
    tau, tau_syn = (-1e-3 / math.log(share) for share in (BETA, ALPHA))
    numbers = {"threshold": torch.ones(n), "learn_beta": True, "learn_threshold": True}
    beta = torch.full((n,), BETA)
    if synaptic:
        theirs: snn.SpikingNeuron = snn.Synaptic(torch.full((n,), ALPHA), beta, learn_alpha=True, **numbers)
        record, names = DiscreteSynapticParameters(tau_syn, tau), ("tau_mem", "threshold", "tau_syn")
    else:
        theirs, record, names = snn.Leaky(beta, **numbers), DiscreteLIFParameters(tau), ("tau_mem", "threshold")
    ours = SpikingLayer(record, learn=Learnable(**dict.fromkeys(names, "neuron"), form="clamped"), shape=(n,))
    with torch.no_grad():
        for name, key in (("tau_mem", "beta"), ("threshold", "threshold"), ("tau_syn", "alpha")):
            if name in names:
                getattr(ours, f"learned_{name}").copy_(getattr(theirs, key))
    currents = 0.4 * torch.rand(N_STEPS, N_BATCH, n, generator=torch.Generator().manual_seed(n))
    mine = passes(ours, ours, currents)
    other = passes(lambda x: of_snntorch(theirs, x), theirs, currents)
    keys = {k: g for (k, _), g in zip(theirs.named_parameters(), other[1:], strict=True)}
    pairs = {"tau_mem": "beta", "threshold": "threshold", "tau_syn": "alpha"}
    gap = max(
        float((g - keys[pairs[k.removeprefix("learned_")]]).abs().max() / g.abs().max())
        for (k, _), g in zip(ours.named_parameters(), mine[1:], strict=True)
    )
    times = milliseconds(
        lambda: passes(ours, ours, currents), lambda: passes(lambda x: of_snntorch(theirs, x), theirs, currents)
    )
    return _row("snnTorch " + type(theirs).__name__, n, mine[0], other[0], gap, times)


def beside_spikingjelly(n: int) -> dict[str, float | int | str]:
    """Compare one layer with SpikingJelly's parametric neuron, reset to 0."""
    from spikingjelly.activation_based import neuron, surrogate

    theirs = neuron.ParametricLIFNode(
        1 / (1 - BETA),
        decay_input=False,
        surrogate_function=surrogate.ATan(alpha=2.0),
        detach_reset=True,
        step_mode="m",
    )
    tau = -1e-3 / math.log(BETA)
    ours = SpikingLayer(DiscreteLIFParameters(tau, reset="zero"), learn=Learnable(tau_mem="layer"))
    with torch.no_grad():
        ours.learned_tau_mem.fill_(-float(theirs.w))
    currents = 0.4 * torch.rand(N_STEPS, N_BATCH, n, generator=torch.Generator().manual_seed(n))

    def run(x: Tensor) -> Tensor:
        theirs.reset()
        answer: Tensor = theirs(x)
        return answer

    exact = currents.double()
    mine, other = passes(ours.double(), ours, exact), passes(run, theirs.double(), exact)
    ours.float(), theirs.float()
    gap = float((mine[1] + other[1]).abs().max() / mine[1].abs().max())
    times = milliseconds(lambda: passes(ours, ours, currents), lambda: passes(run, theirs, currents))
    return _row("SpikingJelly ParametricLIFNode", n, mine[0], other[0], gap, times)


def _row(
    peer: str, n: int, mine: Tensor, other: Tensor, gap: float, times: list[float]
) -> dict[str, float | int | str]:
    return {
        "peer": peer,
        "neurons": n,
        "spikes": int(mine.sum()),
        "differing_spikes": int((mine != other).sum()),
        "largest_relative_difference_of_gradients": float(f"{gap:.2g}"),
        "ours_ms": round(times[0], 2),
        "theirs_ms": round(times[1], 2),
        "times_faster": round(times[1] / times[0], 2),
    }


def main(out: str, peers: str = "") -> None:
    """Write the table and where it was made."""
    torch.set_num_threads(1)
    if peers:
        sys.path.append(peers)
    rows = [beside_snntorch(n, synaptic) for n in SIZES for synaptic in (False, True)]
    rows += [beside_spikingjelly(n) for n in SIZES] if peers else []
    for row in rows:
        print(row)
    versions = {name: version(name) for name in ("neurosim", "torch", "snntorch")}
    if peers:
        versions["spikingjelly"] = version("spikingjelly")
    about: dict[str, object] = {"machine": platform.machine(), "python": platform.python_version(), "threads": 1}
    about |= {"cores": os.cpu_count(), "load_average": round(os.getloadavg()[0], 1), "versions": versions}
    Path(out).write_text(json.dumps({"about": about, "rows": rows}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    with called(__doc__) as given:
        main(*given.words)
