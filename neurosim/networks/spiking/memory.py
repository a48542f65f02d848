"""Memory for long sequences that is used again, in huge pages: the system need not fill it with zeros for every pass.

A tensor of some megabytes is fresh memory of the system each time, with a page fault every 4096 bytes, and the faults
last longer than the kernels. Blocks are lent here to one tensor at a time, whoever holds it, and come back when its
memory is let go of, in whatever thread. They are kept while there is a layer that uses them, and given back to the
system after that, or once many others were asked for and they were not.
"""

from __future__ import annotations

import contextlib
import math
import mmap
import weakref
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

LEAST = 128 * 1024  # smaller arrays are kept by malloc itself
HUGE = 2 * 1024 * 1024
IDLE = 64  # loans after which a block that was not lent is given back
Block = np.ndarray[Any, np.dtype[np.uint8]]


class Pool:
    """Blocks of memory that are lent to tensors; no locks: every step is one operation of a deque or a dict."""

    def __init__(self) -> None:
        self._free: dict[int, deque[tuple[int, Block]]] = {}
        self._users: dict[int, weakref.ref[object]] = {}
        self._n_loans = 0

    @property
    def n_bytes(self) -> int:
        """Bytes that are kept and that nobody uses."""
        return sum(size * len(blocks) for size, blocks in list(self._free.items()))

    def keep_for(self, user: object) -> None:
        """Keep blocks that come back, as long as `user` lives."""
        if id(user) not in self._users:
            self._users[id(user)] = weakref.ref(user, partial(self._forget, id(user)))

    def empty(self, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        """Return a tensor of no certain values, on the CPU."""
        n_bytes = math.prod(shape) * dtype.itemsize
        if n_bytes < LEAST or not hasattr(mmap, "MADV_HUGEPAGE"):
            return torch.empty(tuple(shape), dtype=dtype)
        size = rounded(n_bytes)
        self._n_loans += 1
        try:
            block = self._free[size].pop()[1]
        except LookupError:
            block = _fresh(size)
        self._give_up(self._n_loans - IDLE)
        lent = block[:n_bytes]
        weakref.finalize(lent, self._take_back, block).atexit = False
        return torch.from_numpy(lent).view(dtype).view(tuple(shape))

    def clear(self) -> None:
        """Give back to the system what nobody uses."""
        self._free.clear()

    def _take_back(self, block: Block) -> None:
        if self._users:
            self._free.setdefault(block.size, deque()).append((self._n_loans, block))

    def _forget(self, user: int, _: object) -> None:
        self._users.pop(user, None)
        if not self._users:
            self.clear()

    def _give_up(self, before: int) -> None:
        """Give back what was lent last before that loan."""
        for blocks in list(self._free.values()):
            with contextlib.suppress(IndexError):
                while blocks[0][0] < before:
                    blocks.popleft()


POOL = Pool()


def rounded(n_bytes: int) -> int:
    """Return the size of the block for so many bytes: up to an eighth more, in huge pages from one on."""
    step = HUGE if n_bytes > HUGE // 2 else 4096
    step = max(step, 1 << (n_bytes.bit_length() - 4))
    return -(-n_bytes // step) * step


def _fresh(size: int) -> Block:
    """Return memory of the system, aligned to huge pages where there is one."""
    spare = HUGE if size >= HUGE else 0
    memory = mmap.mmap(-1, size + spare, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if spare:
        memory.madvise(mmap.MADV_HUGEPAGE)
    whole = np.frombuffer(memory, np.uint8)
    start = -whole.ctypes.data % HUGE if spare else 0
    return whole[start : start + size]
