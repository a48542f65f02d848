"""What the parts of gpu.py share: where they run, how they are timed, and the rows that they give."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

Row = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """The device that is measured; on the CPU everything is small."""

    device: str

    @property
    def is_gpu(self) -> bool:
        """Whether it is a GPU."""
        return self.device.startswith("cuda")

    def wait(self) -> None:
        """Wait until all that was asked is done."""
        if self.is_gpu:
            torch.cuda.synchronize(self.device)

    def seconds(self, run: Callable[..., object], fresh: Callable[[], object] | None = None) -> float:
        """Return the median time of a call, by events on a GPU; each call gets an input that was never seen."""
        repeats = 11 if self.is_gpu else 3
        given = [() if fresh is None else (fresh(),) for _ in range(3)]
        found = []
        for k in range(repeats + 2):  # the first two build kernels and fill caches
            arguments = given[k % 3]
            if fresh is not None and k >= 3:
                arguments = given[k % 3] = (fresh(),)
            found.append(self._timed(run, arguments))
        return float(np.median(found[2:]))

    def _timed(self, run: Callable[..., object], arguments: tuple[object, ...]) -> float:
        self.wait()
        if not self.is_gpu:
            started = time.perf_counter()
            run(*arguments)
            return time.perf_counter() - started
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        run(*arguments)
        stop.record()
        stop.synchronize()
        return start.elapsed_time(stop) / 1e3


def row(what: str, measured: float, asked: float | None, *, most: bool = False) -> Row:
    """Return a measured number beside what is asked: at least, or at `most`, so much; None asks for nothing."""
    found: Row = {"what": what, "measured": float(f"{measured:.4g}"), "asked": asked}
    if asked is not None:
        found |= {"asked_is": "most" if most else "least"}
        found |= {"reached": bool(measured <= asked if most else measured >= asked)}
    return found


def left_out(what: str, reason: str) -> Row:
    """Return what was not run, and why."""
    return {"what": what, "not_run": reason}
