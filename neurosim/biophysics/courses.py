"""Numbers in every step of a simulation that are drawn when they are needed, in blocks of time.

What stands in a step depends on no block: a stream of random numbers goes on where it stopped, and a course is begun
anew as often as it is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

Following: TypeAlias = Callable[[int], np.ndarray]  # the next n steps, (step, column)
BLOCK = 2**19  # bytes that a course holds at once, or one step where that is more; it stays in a cache


@dataclass(frozen=True)
class Course:
    """Numbers (step, copy, column) of a population: its noise, its background or its currents.

    Parameters
    ----------
    n_steps : number of simulation steps. size : number of columns.
    copies : for each copy what begins its course and returns what gives its next n steps (step, column); copies with
        the same object have the same course, which is drawn once.
    column : the column of each neuron, where several have the same course; None is a column a neuron.
    """

    n_steps: int
    size: int
    copies: Sequence[Callable[[], Following]]
    column: np.ndarray | None = None

    def blocks(self, length: int = 0) -> Iterator[np.ndarray]:
        """Yield the numbers (step, copy, column) in blocks of `length` steps; 0 is as many as BLOCK holds."""
        length = length or max(1, BLOCK // (8 * max(1, len(self.copies) * self.size)))
        places: dict[Callable[[], Following], list[int]] = {}
        for place, begin in enumerate(self.copies):
            places.setdefault(begin, []).append(place)
        following = [(begin(), chosen) for begin, chosen in places.items()]
        for first in range(0, self.n_steps, length):
            n = min(length, self.n_steps - first)
            if len(self.copies) == 1:
                yield following[0][0](n)[:, None]
                continue
            block = np.empty((n, len(self.copies), self.size))
            for draw, chosen in following:
                block[:, chosen] = draw(n)[:, None]
            yield block

    def rows(self, as_block: Callable[[np.ndarray], Any] = np.asarray) -> Iterator[Any]:
        """Yield the numbers (copy, neuron) of every step; `as_block` converts a block at once.

        Where neurons share columns, a row is made when one of its numbers changes, and is the same object until then.
        """
        if self.column is None:
            for block in self.blocks():
                yield from as_block(block)
            return
        before, row = None, None
        for block in self.blocks():
            changes = np.concatenate([[True], (block[1:] != block[:-1]).any((1, 2))])
            changes[0] = before is None or bool((block[0] != before).any())
            for numbers, is_new in zip(block, changes.tolist(), strict=True):
                row = as_block(numbers[None, :, self.column])[0] if is_new else row
                yield row
            before = block[-1]

    def whole(self) -> np.ndarray:
        """Return all numbers (step, copy, column) at once."""
        return next(self.blocks(self.n_steps))

    def repeated(self, times: int) -> Course:
        """Return the course with all copies again, `times` times."""
        return replace(self, copies=[*self.copies] * times)

    def padded(self, n_copies: int) -> Course:
        """Return the course with copies of zeros added, `n_copies` in all."""
        return replace(self, copies=[*self.copies, *silent(n_copies - len(self.copies), 0, self.size).copies])

    def in_a_row(self, rest: int) -> Course:
        """Return one copy that has the course of every copy after that of the one before, each with `rest` zeros."""
        quiet = silent(1, rest, self.size).copies[0]

        def begin() -> Following:
            parts = iter([part for copy in self.copies for part in ((copy, self.n_steps), (quiet, rest))])
            draw, left = quiet(), 0

            def following(n: int) -> np.ndarray:
                nonlocal draw, left
                found = []
                while n:
                    if not left:
                        start, left = next(parts)
                        draw = start()
                    taken = min(n, left)
                    found.append(draw(taken))
                    n, left = n - taken, left - taken
                return np.concatenate(found)

            return following

        return replace(self, n_steps=len(self.copies) * (self.n_steps + rest), copies=[begin])


def silent(n_copies: int, n_steps: int, size: int) -> Course:
    """Return a course of zeros."""

    def begin() -> Following:
        return lambda n: np.zeros((n, size))

    return Course(n_steps, size, [begin] * n_copies)


def total(parts: Sequence[Callable[[], Following]], size: int) -> Callable[[], Following]:
    """Return what begins the sum of several courses of one copy, which is the course itself where there is one."""
    if len(parts) == 1:
        return parts[0]

    def begin() -> Following:
        begun = [part() for part in parts]

        def following(n: int) -> np.ndarray:
            found = np.zeros((n, size))
            for draw in begun:
                found += draw(n)
            return found

        return following

    return begin
