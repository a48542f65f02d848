"""What a kind is given beside its own row: the study in which the row stands, and the plan to which its steps go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from neurosim.study.engine.step import Step


@dataclass(frozen=True)
class Source:
    """What a step that reads the answers of a subject or brain is given: configuration, steps and files to read."""

    config: dict[str, Any]
    inputs: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    on_gpu: bool = False


class StudyLike(Protocol):
    """What a kind sees of a :class:`~neurosim.study.Study`: its rows by name, and its seed."""

    name: str
    seed: int
    stimuli: Any
    subjects: dict[str, Any]
    brains: dict[str, Any]
    analyses: dict[str, Any]
    figures: dict[str, Any]


class PlanLike(Protocol):
    """What a kind may ask of the plan of a study, see :class:`~neurosim.study.plan.Plan`: steps, by their names."""

    folder: Path
    steps: dict[str, Step]

    @property
    def study(self) -> StudyLike:
        """What is to be done."""

    def add(self, step: Step) -> str:
        """Add a step of its own."""

    def add_parts(self, whole: Step, kind: str, n_parts: int, join: str) -> str:
        """Add a step in parts that may run side by side."""

    def seeded(self, row: object, name: str, *without: str) -> dict[str, Any]:
        """Return what a step needs to know of a row."""

    def files(self, row: object) -> tuple[dict[str, Any], dict[str, str]]:
        """Return checksums and places of the files that a row names."""

    def stimuli(self) -> str:
        """Ask for the stimuli."""

    def subject(self, name: str) -> Source:
        """Ask for what the answers of a subject are read from."""

    def rdms(self, name: str, metric: str, time_bin: float | None = None) -> str:
        """Ask for the RDMs of a subject."""

    def responses(self, name: str, keep: Mapping[str, Any] | None = None) -> str:
        """Ask for the responses of a subject."""

    def spike_rdms(self, name: str, measure: Mapping[str, Any]) -> str:
        """Ask for the RDMs of the spike trains of a subject."""

    def brain_rdms(self, name: str) -> str:
        """Ask for the RDMs of a brain."""

    def timed_brain(self, name: str, time_bin: float | None = None) -> str:
        """Ask for the RDMs of a brain in bins of time."""

    def recording(self, name: str) -> str:
        """Ask for the responses of a brain."""
