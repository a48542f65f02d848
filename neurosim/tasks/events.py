"""Tasks whose stimuli stay events until they are shown: put into steps of time by whoever reads a batch.

What is changed at random is changed in the events, from random numbers of (seed, epoch, recording).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from neurosim.event_arrays import EventBins, EventRows, EventSet, Recording, binned, check_bins, check_events
from neurosim.runtime import as_seed
from neurosim.schema import InputError
from neurosim.tasks.event_changes import EventChange
from neurosim.tasks.lazy import LazyTask, split_task
from neurosim.tasks.rows import Draw, Joined, Transform


@dataclass(frozen=True)
class EventView:
    """What is made of the events of one recording.

    Parameters
    ----------
    bins : the steps of time that they are put into. change : what training makes of the events before that.
    """

    bins: EventBins
    change: EventChange | None = None

    def transform(self, is_training: bool, draw: Draw) -> Transform | None:
        """Return (recording) -> numbers of events (time, ...), changed at random in training."""
        change = self.change if is_training else None

        def shown(recording: Recording) -> np.ndarray:
            changed = recording if change is None else change(recording, draw())
            return binned(changed, self.bins).astype(np.float32)

        return shown


def event_task(
    events: EventSet,
    bins: EventBins,
    *,
    test: EventSet | Mapping[str, Iterable[object]] | None = None,
    validation: EventSet | Mapping[str, Iterable[object]] | None = None,
    change: EventChange | None = None,
    test_fraction: float = 0.2,
    validation_fraction: float = 0.0,
    rng: np.random.Generator | int = 0,
) -> LazyTask:
    """Make a classification task of recordings of events, put into steps of time batch by batch by whoever reads them.

    Memory holds the events, 6 or 8 bytes each, and the inputs of the batches that are under way: 4 bytes a step and
    place. A hundred steps of 700 units are 280 kB a stimulus, thirty of 2 x 128 x 128 pixels 3.9 MB.

    Parameters
    ----------
    events : recordings with a label ``category``. bins : how they become steps of time.
    test : recordings that are held back; or the label and its values of those of `events` that are, such as
        ``{"speaker": ["4", "5"]}``; when absent, `test_fraction` of every category.
    validation : recordings that training watches, given likewise; when absent, `validation_fraction` of every category.
    change : what training makes of a recording first, as :func:`event_jitter`; ``chained`` applies several.
    test_fraction : share of each category that is held back. validation_fraction : share of the others that is watched.
    rng : seed of the splits, or generator from which one is drawn.

    Returns
    -------
    a task of sequences (batch, time, unit) or (batch, time, [channel,] y, x) for :func:`~neurosim.train`, which shows
    them to networks time first, (time, batch, ...);
    ``train(..., runtime=Runtime(workers=n))`` reads it by `n` processes, and the same seed gives the same bytes.

    Raises
    ------
    InputError : no ``category``, no steps, a change that is no function, another sensor of a set, a recording in two
        sets, fewer than two categories, or a category without training recordings.

    Examples
    --------
    >>> events = ns.stimuli.as_events(
    ...     range(8), {"unit": [0, 1] * 4}, [2] * 4, sensor={"unit": 2}, labels={"category": list("abab")}
    ... )
    >>> task = ns.tasks.event_task(events, ns.stimuli.EventBins(3, n_events=1), test_fraction=0.5)
    >>> inputs, labels = next(task.batches(0, 2, seed=1))
    >>> inputs.shape, task.categories
    ((2, 3, 2), ('a', 'b'))
    """
    check_events(events, "event_task", ("category",))
    check_bins(bins, "event_task", events)
    if change is not None and not callable(change):
        raise InputError(f"event_task: change = {change!r}; a function such as event_jitter(1e-3) is asked.")
    sets, held = [EventRows(events, bins)], {}
    bins.sizes(events.sensor)  # refuses steps that the sensor cannot have
    for name, given in (("test", test), ("validation", validation)):
        if isinstance(given, Mapping):
            held[name] = _places(events, given, name)
        elif given is not None:
            check_events(given, "event_task", ("category",))
            if given.sensor != events.sensor:
                known = dict(events.sensor)
                raise InputError(f"event_task: the sensor of {name} is {dict(given.sensor)}, that to train on {known}.")
            held[name] = sum(map(len, sets)) + np.arange(len(given))
            sets.append(EventRows(given, bins))
    ids = [name for rows in sets for name in rows.names]
    both = sorted(name for name, n in Counter(ids).items() if n > 1)
    both += [ids[k] for k in np.intersect1d(held.get("test", ()), held.get("validation", ())).astype(int)]
    if both:
        raise InputError(f"event_task: {len(both)} recordings are in two sets, such as {both[0]!r}.")
    names, fractions = [c for rows in sets for c in rows.categories], (test_fraction, validation_fraction)
    view, seed = EventView(bins, change), as_seed(rng, "event_task")
    return split_task(Joined(sets), ids, names, view, held, fractions, seed, "event_task")


def _places(events: EventSet, given: Mapping[str, Iterable[object]], name: str) -> np.ndarray:
    """Return the places of the recordings that have one of the values of a label."""
    if len(given) != 1:
        raise InputError(f"event_task: one label with its values is asked of {name}, found {list(given)}.")
    label, values = next(iter(given.items()))
    return events.where(label, values)
