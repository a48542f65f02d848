"""Published recordings by name, in the words of the schema, with how to cite them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from neurosim.recordings.described import described_sets
from neurosim.recordings.published import DATASETS, Content, DataSet, fetch, image_files
from neurosim.registry import called
from neurosim.schema import InputError, suggest
from neurosim.showing import shown


@shown
@dataclass(frozen=True, kw_only=True)
class PublishedSet(Content):
    """Stimuli and recordings of a publication.

    Parameters
    ----------
    name : by which it is loaded.
    citation, licence : how to cite, and under which terms the files are distributed.
    stimuli, rdms, responses, models, sweeps : see :class:`~neurosim.recordings.published.Content`.
    """

    name: str
    citation: str
    licence: str


def list_datasets() -> tuple[str, ...]:
    """Return the names that :func:`load_dataset` knows: those that come with neurosim, then those that were added.

    Returns
    -------
    names.

    Examples
    --------
    >>> ns.recordings.list_datasets()
    ('antolik2016_v1', 'bbp_steps', 'cichy2014_92', 'cowley2026_v4', 'drn_patch_clamp', 'kriegeskorte2008',
    'rokem2006', 'zhang2011_it')
    """
    return (*DATASETS, *described_sets())


def find_dataset(name: object, asked_by: str = "load_dataset") -> DataSet:
    """Return the record of a set, or refuse its name with the nearest one."""
    if isinstance(name, str) and name in DATASETS:
        return DATASETS[name]
    described = described_sets()
    if isinstance(name, str) and name in described:
        return described[name]
    known = list_datasets()
    raise InputError(
        f"{asked_by}: no data set {str(name)[:60]!r}. Known: {', '.join(known)}.{suggest(str(name), known)}"
    )


def list_recordings(name: str) -> tuple[str, ...]:
    """Return the names of the recordings of a published set, without reading it.

    >>> list_recordings("cichy2014_92")
    ('EVC', 'IT')
    """
    return find_dataset(name).recordings


def load_citation(name: str) -> str:
    """Return how to cite a published set."""
    return find_dataset(name).citation


def load_dataset(name: str, *, recordings: Sequence[str] | None = None) -> PublishedSet:
    """Load a published set by name.

    Files are taken from the data folder that ``NEUROSIM_DATA`` names, else from a Python package that carries them,
    else fetched from their public place into the cache of pooch; either way their checksum is verified.

    Parameters
    ----------
    name : one of :func:`list_datasets`; :func:`register_datasets` adds sets of your own.
    recordings : names of those that are wanted; all when absent. Where recordings were shown different stimuli, such as
        the sessions of "cowley2026_v4", the stimuli are those of the recordings wanted.

    Returns
    -------
    the set: ``stimuli`` (stimulus, ...) or None; by recording ``rdms`` ([subject,] stimulus, stimulus_other),
    ``responses`` (stimulus, [trial,] [time,] unit) and ``sweeps``; ``models``, ``citation``, ``licence``.

    Raises
    ------
    InputError : unknown name or recording.
    StorageError : a file is absent and cannot be fetched (the message says which file goes where), or is damaged.

    Examples
    --------
    >>> ns.load_dataset("cichy2014")
    Traceback (most recent call last):
    neurosim.schema.InputError: load_dataset: no data set 'cichy2014'. ... Did you mean 'cichy2014_92'?
    """
    found = find_dataset(name)
    content = called(found.read)(found if recordings is None else _restricted(found, recordings))
    if not isinstance(content, Content):
        raise InputError(f"load_dataset: what reads {name} gave a {type(content).__name__}; a Content asked.")
    held = {field.name: getattr(content, field.name) for field in fields(Content)}
    if recordings is not None:
        for kind in ("rdms", "responses", "sweeps"):
            held[kind] = {k: v for k, v in held[kind].items() if k in recordings}
    return PublishedSet(name=found.name, citation=found.citation, licence=found.licence, **held)


def _restricted(found: DataSet, recordings: object) -> DataSet:
    """Return the record of a set with the recordings that are wanted alone, in its own order."""
    asked = list(recordings) if isinstance(recordings, list | tuple) else [recordings]
    unknown = [r for r in asked if r not in found.recordings]
    if unknown or not asked:
        raise InputError(
            f"load_dataset: {found.name} has no recording {str(unknown)[1:-1][:60]}; a list of some of these is asked: "
            f"{', '.join(found.recordings)}.{suggest(str(unknown[0]), found.recordings) if unknown else ''}"
        )
    return replace(found, recordings=tuple(r for r in found.recordings if r in asked))


def dataset_files(name: str) -> dict[str, str]:
    """Return the checksum of every file of a published set, by file name."""
    return {file.name: file.sha256 for file in find_dataset(name).files}


def check_dataset(name: str) -> None:
    """Fetch and verify every file of a published set, or say which one is missing and where it goes."""
    found = find_dataset(name)
    for file in found.files:
        if not file.optional:
            fetch(found, file.name)
    if found.n_images:
        image_files(found)
