"""What retuning costs: the memory of a gradient, which bounds how many stimuli run at once, and the time."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from neurosim.biophysics.dynamics import Chunk
from neurosim.biophysics.learned_numbers import LearnedNumbers
from neurosim.schema import InputError

if TYPE_CHECKING:
    from neurosim.biophysics.torch_engine import Tensor

logger = logging.getLogger(__name__)

MEMORY = 2**31  # bytes of a gradient
LONG = 600.0  # s, from which on the time is told


def copies_at_once(learned: LearnedNumbers, chunk: Chunk, n_steps: int, memory: int = MEMORY) -> int:
    """Return how many stimuli of `n_steps` steps run at once so that what their gradient needs fits into `memory`.

    What one step adds is counted on a short `chunk`: what was there before, such as weights, is shared by all steps.

    Parameters
    ----------
    learned : the numbers that are learned. chunk : some copies, over an even number of steps.
    n_steps : steps of the whole simulation. memory : bytes.

    Raises
    ------
    InputError : one stimulus needs more.
    """
    half, whole = (bytes_kept(learned, chunk, n) for n in (chunk.n_steps // 2, chunk.n_steps))
    a_copy = (whole - half) / (chunk.n_steps // 2) / chunk.n_copies * n_steps
    if a_copy > memory:
        raise InputError(
            f"retune: the gradient of one stimulus of {learned.original.name!r} needs {a_copy / 1e9:.3g} GB over "
            f"{n_steps} steps, above {memory / 1e9:.3g} GB; show shorter stimuli, or calibrate only (options=None)."
        )
    return max(1, int(memory / max(a_copy, 1.0)))


def bytes_kept(learned: LearnedNumbers, chunk: Chunk, n_steps: int) -> int:
    """Return how many bytes of tensors the gradient keeps of the first `n_steps` steps of `chunk`."""
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with learned.torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        learned.counts(chunk, n_steps)
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


class Clock:
    """Tells once, after the first batch, how long a retuning takes, where that is long."""

    def __init__(self, name: str, n_batches: int) -> None:
        self.name, self.n_batches, self.begun = name, n_batches, time.perf_counter()

    def tick(self) -> None:
        """Hear that a batch is done."""
        seconds = (time.perf_counter() - self.begun) * self.n_batches
        if self.n_batches > 1 and seconds > LONG:
            logger.warning(
                "retune: %r takes about %.0f minutes; fewer epochs or stimuli take less, options=None none",
                self.name, seconds / 60,
            )  # fmt: skip
        self.n_batches = 0
