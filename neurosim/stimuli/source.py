"""What a source of stimuli is: a record of its options, of the files it needs, of whom to cite, and of who loads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import xarray as xr

from neurosim.registry import NoOptions, Registry, called, options_of
from neurosim.runtime import as_seed
from neurosim.schema import InputError, as_stimuli
from neurosim.stimuli.parts import Rng

Load = Callable[[Any, Rng], xr.DataArray]


@dataclass(frozen=True)
class Source:
    """A source of stimuli.

    Parameters
    ----------
    name : of the source. caption : what it shows, in one line.
    load : (options, rng) -> stimuli, or "module:function" where what loads them is heavy.
    dims : that its stimuli have, ``stimulus`` first; empty where the files say.
    options : frozen record; fields of type ``pathlib.Path`` are files or folders from outside.
    teaches : whether its stimuli have categories and the parts "train" and "test" (its options are
        :class:`~neurosim.stimuli.parts.PartOptions`), so that a network can learn them.
    staying : (options) -> all of its stimuli, unread, with their ``names``, ``categories`` and, where there is one, the
        ``official`` split; for those that may be too many to be held: they are read one by one while they are learned.
    n_test : how many of its held-back stimuli tell how well a network has learned; all when absent.
    n_stimuli : (options) -> their number, where that is known without reading them.
    sizes : (options) -> of one stimulus by dim, as {"y": 8, "x": 8}, where that is known without reading one.
    n_categories : how many there are, where that is known.
    files : (options) -> checksum by name of the files that it reads beside those that the options name.
    check : (options) -> nothing; fetches and verifies these files, or says which one is missing and where it goes.
    endings : of files that :func:`load_stimuli` reads with it, in small letters; its options then have a ``path``.
    citation, licence : how to cite the stimuli, with the DOI, and under which terms they come.
    example : (folder) -> options of a small load, for tests; what it needs it writes into the folder.
    """

    name: str
    caption: str
    load: Load | str
    dims: tuple[str, ...] = ()
    options: type[Any] = NoOptions
    teaches: bool = False
    staying: Callable[[Any], Any] | None = None
    n_test: int | None = None
    n_stimuli: Callable[[Any], int | None] | None = None
    sizes: Callable[[Any], Mapping[str, int]] | None = None
    n_categories: int | None = None
    files: Callable[[Any], Mapping[str, str]] | None = None
    check: Callable[[Any], None] | None = None
    endings: tuple[str, ...] = ()
    citation: str = ""
    licence: str = ""
    example: Callable[[Path], object] | None = None


SOURCES: Registry[Source] = Registry("source of stimuli", "neurosim.stimuli.sources", Source)


def load_source(name: str, options: object = None, *, rng: Rng = 0) -> xr.DataArray:
    """Return the stimuli of a source by name, as a study shows them.

    Parameters
    ----------
    name : "digits", "mnist", "cifar10", "nmnist", "spoken_digits", "sentences", "time_series", "folder", "file", or one
        that an installed package adds.
    options : the source's options, by name or as its record, such as ``{"part": "train", "n_per_category": 5}``.
    rng : seed, or generator from which one is drawn; it decides which stimuli are held back where there is no official
        split. The same seed gives parts that share nothing.

    Returns
    -------
    stimuli (stimulus, ...), by default ten held-back ones of every category where the source has categories.

    Raises
    ------
    InputError : an unknown source or option. StorageError : a file is missing or damaged.

    Examples
    --------
    >>> ns.stimuli.load_source("digits", {"n_per_category": 2}, rng=1).shape
    (20, 8, 8)
    """
    source = SOURCES.find(name, "load_source")
    return as_stimuli(called(source.load)(options_of(source.options, options, f"load_source: {name}"), rng))


def taught_parts(
    name: str, options: object = None, *, rng: int = 0, n_train: int | None = None
) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the training and the held-back stimuli of a source that can be learned; they share none.

    Parameters
    ----------
    name, options : as for :func:`load_source`; which part, and how many of it, is left aside.
    rng : seed of the split. n_train : only so many of the training stimuli, as evenly from all categories as can be.

    Returns
    -------
    two arrays (stimulus, ...) with ``category``: all that are learned, and as many of the held-back ones as the source
    takes to measure what was learned.

    Raises
    ------
    InputError : an unknown source or option, or stimuli without categories.

    Examples
    --------
    >>> train, test = taught_parts("digits", rng=1)
    >>> train.sizes["stimulus"], test.sizes["stimulus"]
    (1438, 359)
    """
    source = SOURCES.find(name, "taught_parts")
    if not source.teaches:
        raise InputError(f"taught_parts: the stimuli of {name!r} have no parts to learn and to hold back.")
    asked = options_of(source.options, options, f"taught_parts: {name}")
    load, seed = called(source.load), as_seed(rng, "taught_parts")
    train, test = (
        as_stimuli(load(replace(asked, part=part, n=n, n_per_category=None), seed))
        for part, n in (("train", n_train), ("test", source.n_test))
    )
    return train, test


def source_of(path: Path, asked_by: str) -> Source:
    """Return the source that reads files of this ending."""
    fitting = [(len(e), s) for s in SOURCES.values() for e in s.endings if path.name.lower().endswith(e)]
    if not fitting:
        known = ", ".join(e for s in SOURCES.values() for e in s.endings)
        raise InputError(f"{asked_by}: {path.name} is neither a folder of pictures nor a file ending in {known}.")
    return max(fitting, key=lambda found: found[0])[1]


def whole(source: Source, given: Mapping[str, object], asked_by: str) -> xr.DataArray:
    """Return all that a source gives with these options, none held back."""
    known = {f.name for f in fields(source.options)}
    strange = [name for name in given if name not in known]
    if strange:
        takes = ", ".join(f"{n}=" for n in sorted(known - {"path", "part", "n_per_category", "n"})) or "nothing more"
        raise InputError(f"{asked_by}: {strange[0]}= is nothing that {source.caption} take; they take {takes}.")
    every = {name: value for name, value in (("part", "all"), ("n_per_category", None), ("n", None)) if name in known}
    found = called(source.load)(options_of(source.options, {**every, **given}, asked_by), 0)
    if not isinstance(found, xr.DataArray):
        raise InputError(f"{asked_by}: {source.name} gave a {type(found).__name__}; labelled stimuli asked.")
    return found
