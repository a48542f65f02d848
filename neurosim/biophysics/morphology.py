"""The shape of a neuron, from an SWC file: points with a label, a place and a diameter, each with the one before it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neurosim import storage
from neurosim.biophysics.by_value import by_value
from neurosim.schema import InputError

LABELS = {1: "soma", 2: "axon", 3: "dendrite", 4: "apical"}
MICRON = 1e-6
MOST_POINTS = 200_000
LONGEST = 0.1  # m: no neuron is larger, so larger numbers are in another unit


class PointError(InputError):
    """A point is not what it may be: `point` is its place among all points, `fault` what is said of it."""

    def __init__(self, fault: str, point: int) -> None:
        super().__init__(f"Morphology: point {point} {fault}")
        self.fault, self.point = fault, point


@by_value
@dataclass(frozen=True, eq=False)
class Morphology:
    """The points of a neuron, the root first and each after the one that it comes from.

    Parameters
    ----------
    label : (point,) words: "soma", "axon", "dendrite", "apical", or "type5" and so on.
    position : (point, 3), m. diameter : (point,), m.
    parent : (point,) place of the point before; -1 for the root.

    Raises
    ------
    InputError : arrays of unlike lengths, one point alone that is no soma, no or several roots, a parent that does not
        come before its child, a diameter that is not above 0, places that are not finite or that coincide.

    Examples
    --------
    >>> stick = ns.biophysics.Morphology(["dendrite"] * 2, [[0, 0, 0], [1e-4, 0, 0]], [1e-6, 1e-6], [-1, 0])
    >>> stick.sizes
    {'dendrite': 2}
    """

    label: np.ndarray
    position: np.ndarray
    diameter: np.ndarray
    parent: np.ndarray

    def __post_init__(self) -> None:
        for name, kind in (("label", str), ("position", float), ("diameter", float), ("parent", int)):
            try:
                object.__setattr__(self, name, np.array(getattr(self, name), dtype=kind))
            except (TypeError, ValueError) as error:
                raise InputError(f"Morphology: {name} cannot be read ({error}).") from error
        n = len(self.label) if self.label.ndim == 1 else 0
        if not n or self.position.shape != (n, 3) or self.diameter.shape != (n,) or self.parent.shape != (n,):
            shapes = f"{self.label.shape}, {self.position.shape}, {self.diameter.shape} and {self.parent.shape}"
            raise InputError(
                f"Morphology: label (n,), position (n, 3), diameter and parent (n,) asked, found {shapes}."
            )
        if n == 1 and self.label[0] != "soma":
            raise InputError("Morphology: one point alone is a soma; two make a cable.")
        self._check_tree()
        self._check_sizes()

    def _check_tree(self) -> None:
        roots = np.flatnonzero(self.parent < 0)
        if roots.tolist() != [0]:
            fault = f"breaks the tree: one root asked, the first point; found {len(roots)} points without parent."
            raise PointError(fault, int(next((r for r in roots if r), 0)))
        late = np.flatnonzero(self.parent >= np.arange(len(self.parent)))
        if len(late):
            raise PointError(f"comes before its parent, point {self.parent[late[0]]}.", int(late[0]))

    def _check_sizes(self) -> None:
        if not (np.isfinite(self.position).all() and np.isfinite(self.diameter).all() and (self.diameter > 0).all()):
            bad = np.flatnonzero(
                ~(np.isfinite(self.position).all(1) & (self.diameter > 0) & np.isfinite(self.diameter))
            )
            raise PointError("has no finite place or no diameter above 0.", int(bad[0]))
        if max(np.ptp(self.position, axis=0).max(), self.diameter.max()) > LONGEST:
            raise InputError(f"Morphology: it is longer than {LONGEST} m; places and diameters are in m.")
        steps = np.linalg.norm(self.position[1:] - self.position[self.parent[1:]], axis=1)
        if len(steps) and not steps.all():
            same = 1 + int(np.argmin(steps))
            raise PointError("lies where its parent lies.", same)

    @property
    def sizes(self) -> dict[str, int]:
        """Number of points of each label."""
        return {str(name): int((self.label == name).sum()) for name in dict.fromkeys(self.label.tolist())}


def load_swc(path: str | Path) -> Morphology:
    r"""Read the shape of a neuron from an SWC file, such as those of NeuroMorpho.Org.

    Parameters
    ----------
    path : file of lines "number type x y z radius parent", in micrometres; parents come before their children.

    Returns
    -------
    the morphology, in m.

    Raises
    ------
    InputError : a line that is none of these, a number that stands twice, an unknown parent, or no morphology.
    StorageError : no such file, or one that is no text.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "stick.swc"
    ...     _ = file.write_text("1 1 0 0 0 10 -1\n2 3 60 0 0 1 1\n")
    ...     ns.biophysics.load_swc(file).sizes
    {'soma': 1, 'dendrite': 1}
    """
    path = storage.as_path(path, "load_swc")
    lines = {
        number: line
        for number, line in enumerate(storage.read_text(path, "utf-8-sig").splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    }
    if not 1 <= len(lines) <= MOST_POINTS:
        raise InputError(f"load_swc: {path} holds {len(lines)} points; 1 to {MOST_POINTS} asked.")
    rows, numbers = [_row(line, number, path) for number, line in lines.items()], [*lines]
    place: dict[int, int] = {}
    for index, row in enumerate(rows):
        where = f"load_swc: {path}, line {numbers[index]}: point {int(row[0])}"
        if int(row[0]) in place:
            raise InputError(f"{where} stands twice, first in line {numbers[place[int(row[0])]]}.")
        if row[6] >= 0 and int(row[6]) not in place:
            raise InputError(f"{where} names {int(row[6])}, which does not come before it.")
        place[int(row[0])] = index
    values = np.array(rows)
    labels = [LABELS.get(int(kind), f"type{int(kind)}") for kind in values[:, 1]]
    parents = [place[int(parent)] if parent >= 0 else -1 for parent in values[:, 6]]
    try:
        return Morphology(np.array(labels), values[:, 2:5] * MICRON, 2 * values[:, 5] * MICRON, np.array(parents))
    except PointError as error:
        line, number = numbers[error.point], int(rows[error.point][0])
        raise InputError(f"load_swc: {path}, line {line}: point {number} {error.fault}") from error
    except InputError as error:
        raise InputError(f"load_swc: {path}: {str(error).removeprefix('Morphology: ')}") from error


def _row(line: str, number: int, path: Path) -> tuple[float, ...]:
    """Return the seven numbers of a line."""
    try:
        row = tuple(float(word) for word in line.split("#", maxsplit=1)[0].split())
        is_good = len(row) == 7 and all(abs(row[k]) < 2**53 and row[k].is_integer() for k in (0, 1, 6))
    except ValueError:
        is_good = False
    if not is_good:
        raise InputError(
            f"load_swc: {path}, line {number}: 'number type x y z radius parent' asked, found {line[:60]!r}."
        )
    return row
