"""The steps on tensors, on a GPU where there is one."""

from __future__ import annotations

from collections.abc import Sequence

from neurosim.biophysics import torch_engine
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.dynamics import Chunk, Run, Watch
from neurosim.biophysics.execution import Engine, Execution, Report


def run(
    circuit: Circuit, chunk: Chunk, watched: Sequence[Watch], execution: Execution, n_copies: int, report: Report
) -> Run:
    """Run the copies of a chunk."""
    return torch_engine.run(circuit, chunk, watched, device=execution.device, single=execution.single, report=report)


ENGINE = Engine(
    "torch",
    "the same steps on tensors",
    run,
    reads=("single", "device"),
    counts_spikes=True,
    shares_synapses=True,
)
