"""The twenty tasks of Yang et al. 2019, one or several mixed in every batch."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from neurosim.tasks.task import TaskKind
from neurosim.tasks.trials import CognitiveTask
from neurosim.tasks.yang import yang_task


@dataclass(frozen=True)
class YangOptions:
    """Which rules, on which rings.

    Parameters
    ----------
    rules : names out of ``neurosim.tasks.yang.RULES``; all twenty when empty. n_ring : units of each ring.
    dt : s. noise : of the inputs, scaled by ``sqrt(2 tau / dt)``. tau : s.
    """

    rules: tuple[str, ...] = ()
    n_ring: int = 32
    dt: float = 20e-3
    noise: float = 0.01
    tau: float = 100e-3


def build(options: YangOptions) -> CognitiveTask:
    """Return the tasks, mixed."""
    return yang_task(**asdict(options))


YANG = TaskKind(
    name="yang",
    caption="twenty rules on two rings of inputs and a ring of answers",
    build=build,
    options=YangOptions,
    citation="Yang GR, Joglekar MR, Song HF, Newsome WT, Wang XJ (2019) Nature Neuroscience 22:297-306, "
    "https://doi.org/10.1038/s41593-018-0310-2",
    example=YangOptions(rules=("delaygo", "delayanti"), n_ring=8),
)
