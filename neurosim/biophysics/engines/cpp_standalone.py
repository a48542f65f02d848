"""Brian2 as one C++ program, which is kept for the next chunk of as many copies."""

from __future__ import annotations

from collections.abc import Sequence

from neurosim.biophysics import standalone
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.dynamics import Chunk, Run, Watch
from neurosim.biophysics.execution import Engine, Execution, Report


def run(
    circuit: Circuit, chunk: Chunk, watched: Sequence[Watch], execution: Execution, n_copies: int, report: Report
) -> Run:
    """Run the copies of a chunk; the program says nothing before its end."""
    return standalone.run(circuit, chunk, watched, n_copies=max(n_copies, chunk.n_copies), threads=execution.threads)


ENGINE = Engine(
    "cpp_standalone", "Brian2 as one C++ program", run, reads=("threads",), is_compiled=True, draws_ahead=True
)
