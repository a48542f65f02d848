"""Brian2 compiled object by object."""

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
    return brian2_engine.run(circuit, chunk, watched, target="cython", report=report)


ENGINE = Engine("cython", "Brian2, compiled object by object", run, is_compiled=True)
