"""Sorted sessions: spikes by unit on one clock, with labels of the units, cut into responses around events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.recordings.observed import only_observed
from neurosim.recordings.spikes import align_spikes
from neurosim.schema import InputError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class SessionOptions:
    """How the spikes of a session become responses.

    Parameters
    ----------
    events : table (CSV, TSV, Parquet), one row a presentation: when, in s on the clock of the spikes, and what.
    by, align_to : its columns that say what was shown and when.
    window : from and to, s from the event. time_bin : width of the bins, s; one bin over the window when absent.
    balance : take of every stimulus the first trials, as many as the rarest has; otherwise what it lacks is NaN.
    """

    events: Path
    by: str = "stimulus"
    align_to: str = "start_time"
    window: tuple[float, float] = (0.0, 0.5)
    time_bin: float | None = None
    balance: bool = False


@dataclass(frozen=True)
class Sorted:
    """The spikes of a session.

    Parameters
    ----------
    unit, times : (spike,) whose, and when, s. units : table of labels, indexed by the names of all units.
    observed : by unit, (interval, from and to), s, when it was recorded; throughout where it is not there.
    """

    unit: np.ndarray
    times: np.ndarray
    units: pd.DataFrame
    observed: Mapping[str, np.ndarray] = field(default_factory=dict)

    def table(self) -> pd.DataFrame:
        """Return the table of spikes."""
        import pandas as pd

        return pd.DataFrame({"unit": self.unit, "time": self.times})

    def around(self, events: pd.DataFrame, options: Any) -> xr.DataArray:
        """Return responses around events, with the labels of the units; units without a spike are silent.

        A unit is NaN in trials whose window leaves the intervals in which it was observed.
        """
        found = align_spikes(
            self.table(),
            events,
            window=options.window,
            time_bin=options.time_bin,
            align_to=options.align_to,
            by=options.by,
            balance=options.balance,
            units=self.units,
        )
        return only_observed(found, self.observed, options.window)


def sorted_session(
    unit: Any,
    times: Any,
    name: str,
    units: pd.DataFrame | None = None,
    observed: np.ndarray | None = None,
) -> Sorted:
    """Return the spikes of a session, checked: one time and one unit each; `units` by default are those that spike.

    `observed` (interval, from and to), s, are when all units were recorded.

    Raises
    ------
    InputError : other shapes, or spikes of a unit that the labels lack.
    """
    import pandas as pd

    whose, when = np.asarray(unit).reshape(-1), np.asarray(times, dtype=float).reshape(-1)
    if whose.dtype.kind == "f" and (whose == np.round(whose)).all():  # as a silent unit makes the writer's numbers
        whose = whose.astype(np.int64)
    if whose.shape != when.shape or whose.dtype.kind not in "iuUS":
        raise InputError(f"{name}: {len(when)} times and {len(whose)} names of units ({whose.dtype}); one each asked.")
    whose = whose.astype(str)
    labels = pd.DataFrame(index=pd.Index(sorted_names(whose), dtype=object)) if units is None else units
    unknown = sorted(set(whose.tolist()) - set(map(str, labels.index)))
    if unknown:
        raise InputError(f"{name}: {len(unknown)} units spike and have no labels, the first is {unknown[0]}.")
    labels = labels.set_axis([str(v) for v in labels.index], axis=0)
    return Sorted(whose, when, labels, {} if observed is None else dict.fromkeys(labels.index, observed))


def sorted_names(unit: np.ndarray) -> list[str]:
    """Return the names of units once each, numbers in their order.

    >>> sorted_names(np.array(["10", "9", "9"]))
    ['9', '10']
    """
    found = np.unique(unit)
    return [str(u) for u in (found[np.argsort(found.astype(int))] if np.char.isdigit(found).all() else found)]


def reads_of(
    session: Callable[[Path], Sorted],
) -> tuple[Callable[[Path, SessionOptions], xr.DataArray], Callable[[Path], pd.DataFrame]]:
    """Return how a format gives responses and spikes whose files hold a sorted session, by how that is read.

    Responses are the spikes of all units cut out around the events; what was said of the units becomes labels. Trials
    whose window leaves what was observed are NaN.
    """

    def read_responses(path: Path, options: SessionOptions) -> xr.DataArray:
        return session(path).around(events_of(options), options)

    def read_spikes(path: Path) -> pd.DataFrame:
        return session(path).table()

    return read_responses, read_spikes


def events_of(options: SessionOptions) -> pd.DataFrame:
    """Read the table of events."""
    table: pd.DataFrame = storage.read_table(options.events, ids=(options.by,))
    return table
