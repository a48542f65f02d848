"""Brian2 on numpy: nothing is compiled."""

from __future__ import annotations

from collections.abc import Sequence

from neurosim.biophysics import brian2_engine
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.dynamics import Chunk, Run, Watch
from neurosim.biophysics.execution import Engine, Execution, Report


def run(
    circuit: Circuit, chunk: Chunk, watched: Sequence[Watch], execution: Execution, n_copies: int, report: Report
) -> Run:
    """Run the copies of a chunk."""
    return brian2_engine.run(circuit, chunk, watched, target="numpy", report=report)


ENGINE = Engine("brian2", "Brian2 on numpy", run)
