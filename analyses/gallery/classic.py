"""What a classic is: a published model, the numbers that were published of it, and ours beside them."""

from __future__ import annotations

import importlib
import pkgutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import xarray as xr

from neurosim.plots.canvas import Figure

HERE = Path(__file__).resolve().parent
REPEATS = ("seed", "trial")
NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Claim:
    """One number, or one word, that is known of a classic.

    Parameters
    ----------
    theirs : what is known of it. unit : of the number; "" is none.
    where : page, table or figure of the paper that says so, or what else does: a closed form, another program.
    tolerance : how far ours may be away, in `unit`; words are the same or not.
    small : how far the small run may be away; None is as far as the full one.
    full_only : whether the small run does not ask.
    outside : why ours is further away, where it is.
    """

    theirs: float | str
    unit: str
    where: str
    tolerance: float = 0.0
    small: float | None = None
    full_only: bool = False
    outside: str = ""

    def is_met(self, ours: float | str, *, is_small: bool = False) -> bool:
        """Return whether ours is what is known, within the tolerance of the full or of the small run."""
        if isinstance(self.theirs, str):
            return ours == self.theirs
        asked = self.tolerance if self.small is None or not is_small else self.small
        return bool(abs(float(ours) - self.theirs) <= asked * (1 + 1e-9))


@dataclass(frozen=True)
class Classic:
    """A published model, how it is run, what is read of the run, and what is known of that.

    Parameters
    ----------
    name : of its card. title : of the card. papers : that describe it, with DOI.
    what : one or two sentences on what is run.
    compute : (options of the run, by name) -> Dataset. numbers : (Dataset) -> ours, by the name of the claim.
    draw : (Dataset, empty figure) -> nothing.
    claims : what is known, by name.
    full, small : options of the study and of the quick test; ``seeds`` among them where anything is random.
    """

    name: str
    title: str
    papers: tuple[str, ...]
    what: str
    compute: Callable[..., xr.Dataset]
    numbers: Callable[[xr.Dataset], dict[str, Any]]
    draw: Callable[[xr.Dataset, Figure], None]
    claims: Mapping[str, Claim]
    full: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    small: Mapping[str, Any] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True)
class Row:
    """A claim and ours, whether ours is as near as is asked, and by how much it is uncertain (None: by nothing)."""

    name: str
    claim: Claim
    ours: float | str
    is_met: bool
    error: float | None = None


def classics() -> dict[str, Classic]:
    """Return the classics of the modules of ``classics/``, each of which holds one ``CLASSIC``, by name."""
    modules = sorted(m.name for m in pkgutil.iter_modules([str(HERE / "classics")]))
    found = [importlib.import_module(f"classics.{name}").CLASSIC for name in modules]
    return {classic.name: classic for classic in found}


def timed(classic: Classic) -> tuple[xr.Dataset, float]:
    """Run the study of a classic; return its results and the minutes that it took."""
    started = time.perf_counter()
    return classic.compute(**classic.full), (time.perf_counter() - started) / 60


def judged(classic: Classic, results: xr.Dataset, *, is_small: bool = False) -> list[Row]:
    """Return every claim beside ours; of the small run only those that it asks."""
    ours, errors = classic.numbers(results), standard_errors(classic, results)
    asked = {k: c for k, c in classic.claims.items() if not (is_small and c.full_only)}
    return [
        Row(k, c, _plain(ours[k]), c.is_met(_plain(ours[k]), is_small=is_small), errors.get(k))
        for k, c in asked.items()
    ]


def standard_errors(classic: Classic, results: xr.Dataset) -> dict[str, float]:
    """Return the standard error of every number that is random: by the jackknife over seeds, or trials of one seed."""
    dim = next((d for d in REPEATS if results.sizes.get(d, 1) > 1), None)
    if dim is None:
        return {}
    n = results.sizes[dim]
    left = [classic.numbers(results.isel({dim: np.delete(np.arange(n), k)})) for k in range(n)]
    found = {}
    for name, ours in left[0].items():
        if not isinstance(ours, str):
            values = np.array([float(np.asarray(one[name])) for one in left])
            found[name] = float(np.sqrt((n - 1) * np.var(values)))
    return {name: error for name, error in found.items() if error > 0}


def _plain(value: Any) -> float | str:
    return value if isinstance(value, str) else float(np.asarray(value))
