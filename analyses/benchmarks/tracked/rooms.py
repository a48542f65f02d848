"""Our side of the pairs that the figures compare with other tools, timed over commits.

In ``analyses/benchmarks``: ``asv run --python=same --set-commit-hash $(git rev-parse HEAD)``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import ClassVar

from neurosim.runtime import limit_threads

sys.path.insert(0, str(Path(__file__).parents[1]))

import similarity_pairs
import simulation_pairs
import training_pairs


class Room:
    """A pair by name; ``setup`` builds it, and what is timed is our side alone."""

    param_names = ("pair",)
    timeout = 300.0

    def setup(self, name: str) -> None:
        """Build the pair of that name, with one thread."""
        limit_threads(1)
        self.ours = self.pairs[name].prepare().ours
        self.ours()

    def time_ours(self, _: str) -> None:
        """Do it once."""
        self.ours()

    def peakmem_ours(self, _: str) -> None:
        """Do it once."""
        self.ours()


class Similarity(Room):
    """Inference, distances and alignment."""

    pairs: ClassVar = {b.name: b for b in similarity_pairs.BENCHMARKS}
    params: ClassVar = (list(pairs),)


class Simulation(Room):
    """Circuits on the engines that compile nothing."""

    pairs: ClassVar = {b.name: b for b in simulation_pairs.BENCHMARKS if b.name.endswith((": numpy", ": torch"))}
    params: ClassVar = (list(pairs),)


class Training(Room):
    """Spiking layers and networks."""

    pairs: ClassVar = {b.name: b for b in training_pairs.BENCHMARKS}
    params: ClassVar = (list(pairs),)


del Room  # asv would time it too
