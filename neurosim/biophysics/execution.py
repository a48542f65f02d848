"""Where and how a simulation runs: what the user may say about it, and what an engine is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.dynamics import Chunk, Run, Watch
from neurosim.biophysics.plain_numbers import convert, whole
from neurosim.refusals import InputError
from neurosim.registry import Registry
from neurosim.showing import shown


@dataclass(frozen=True)
class Execution:
    """Where and how a simulation runs; no result depends on it, but for `single`.

    Parameters
    ----------
    device : torch device, "auto" is the GPU when there is one.
    single : float32 on torch; spikes then differ where a membrane nearly ties with the threshold.
    memory : about how many bytes a chunk of stimuli and trials takes, beside what is returned and a block of 0.5 MB of
        each noise, background and current.
    workers : processes that run chunks at the same time.
    threads : OpenMP threads of a C++ standalone program.

    Raises
    ------
    InputError : memory, workers or threads below 1.

    Examples
    --------
    >>> ns.biophysics.Execution(workers=4, memory=2**30).device
    'auto'
    """

    device: str = "auto"
    single: bool = False
    memory: int = 2**29
    workers: int = 1
    threads: int = 1

    def __post_init__(self) -> None:
        convert(self, "Execution", memory=whole, workers=whole, threads=whole)
        if self.memory < 1 or self.workers < 1 or self.threads < 1:
            raise InputError(f"Execution: memory, workers and threads of at least 1 asked, found {self}.")

    @property
    def asked(self) -> tuple[str, ...]:
        """What is asked that only some engines can do."""
        asked = {"single": self.single, "device": self.device not in ("auto", "cpu"), "threads": self.threads > 1}
        return tuple(name for name, is_asked in asked.items() if is_asked)


Report = Callable[[float], None]


@shown
@dataclass(frozen=True)
class Engine:
    """What runs a chunk of copies of a circuit; all engines send the same spikes.

    Parameters
    ----------
    name : name by which users choose it.
    caption : what it is, in a few words.
    run : (circuit, chunk, variables that are recorded, execution, number of copies to which a compiled program may pad
        the chunk, what is told the share of the steps that are done) -> what came out.
    reads : what it reads of :class:`Execution` beside memory and workers: "single", "device", "threads".
    is_compiled : whether it needs a C++ compiler.
    counts_spikes : whether an input unit may send several spikes in a step.
    shares_synapses : whether all copies share one set of synapses in memory.
    draws_ahead : whether noise, background and currents of all steps are in memory at once, in place of a block.

    Examples
    --------
    >>> from neurosim.biophysics.execution import ENGINES
    >>> [engine.name for engine in ENGINES.values() if engine.is_compiled]
    ['cpp_standalone', 'cython']
    """

    name: str
    caption: str
    run: Callable[[Circuit, Chunk, Sequence[Watch], Execution, int, Report], Run]
    reads: tuple[str, ...] = ()
    is_compiled: bool = False
    counts_spikes: bool = False
    shares_synapses: bool = False
    draws_ahead: bool = False


ENGINES = Registry("engine", "neurosim.biophysics.engines", Engine)
