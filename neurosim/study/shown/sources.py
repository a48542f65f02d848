"""Every source of stimuli by its name, its options as keys; held-back stimuli, where networks may learn the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, make_dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_type_hints

import xarray as xr

from neurosim import storage
from neurosim.stimuli.parts import check_part
from neurosim.stimuli.source import SOURCES, Source, load_source
from neurosim.study.engine.step import Job
from neurosim.study.given import StudyLike
from neurosim.study.kinds import SUBJECTS, Citation, StimulusKind
from neurosim.study.tables import StudyError, as_row, keys_of, paths_of

HELD_BACK = "The stimuli shown are held back: no network of this study{} was trained on them."
OF_FILES = " that learns from the same files"


def load(job: Job) -> xr.DataArray:
    """Return the stimuli that a source shows."""
    row = job.config["row"]
    options = SOURCES.find(row["source"], "stimuli").options
    values = {key: row[key] for key in keys_of(options) if key in row} | {k: Path(v) for k, v in job.files.items()}
    return load_source(row["source"], as_row(options, values, "stimuli"), rng=row["seed"])


def _same_files(row: object, learned: Mapping[str, Any]) -> bool:
    """Whether what is learned comes from the files that are shown."""
    return all(str(Path(str(learned.get(key)))) == str(path) for key, path in paths_of(row).items())


def held_back(study: StudyLike, networks: str = "") -> str:
    """Return what is known of who learned stimuli that are held back; of a function or a file, nothing is.

    `networks` says which networks of the study that learn it is of, where it is not all.
    """
    unknown = [name for name, row in study.subjects.items() if not SUBJECTS[row.kind].learns_here(row)]
    if not unknown:
        return HELD_BACK.format(networks)
    others = f"what {', '.join(unknown)} learned elsewhere is not known."
    if len(unknown) == len(study.subjects):
        return f"The stimuli shown are those that are held back of their source; {others}"
    return f"{HELD_BACK.format(networks or ' that it trains').removesuffix('.')}; {others}"


def kind_of(source: Source) -> StimulusKind[Any]:
    """Return the kind of stimuli that a source gives: its options are the keys of the table."""
    named = [("source", Literal[source.name], field(default=source.name))]
    table: type[Any] = make_dataclass(
        f"{source.name}_stimuli", named, bases=(source.options,), frozen=True, kw_only=True
    )

    def check(row: Any, place: str, study: StudyLike) -> None:
        if not source.teaches:
            return
        check_part(row, place)
        trained = [getattr(subject, "training", None) for subject in study.subjects.values()]
        if row.part != "test" and any(t and t.task == source.name and _same_files(row, t.options) for t in trained):
            raise StudyError(f"{place}.part = {row.part!r}: a network of this study learns them; show part = 'test'.")

    def check_files(row: Any, name: str, folder: Path) -> None:
        for key, path in paths_of(row).items():
            if source.endings and storage.is_folder(folder / path):
                endings = ", ".join(source.endings)
                raise StudyError(
                    f"{name}.{key}: {str(path)!r} is a folder, and source = {source.name!r} reads a file ({endings}); "
                    "name one, or show the pictures of a folder by source = 'folder'."
                )
        if source.check:
            source.check(row)

    def known(row: Any, seed: int, folder: Path) -> xr.DataArray | None:
        if from_files and not source.endings:
            return None
        paths = {key: folder / path for key, path in paths_of(row).items()}
        return load_source(source.name, replace(row, **paths), rng=seed)

    def cite(_row: object) -> list[Citation]:
        return [("stimuli", source.citation)] if source.citation else []

    own = Path in get_type_hints(source.options).values()
    from_files = bool(source.files or source.check) or own
    networks = OF_FILES if own else ""
    return StimulusKind(
        name=source.name,
        table=table,
        load=f"{__name__}:load",
        known=known,
        check=check,
        extra=lambda row: {"checksums": dict(source.files(row))} if source.files else {},
        pictured=not source.dims or ({"y", "x"} <= set(source.dims) and "time" not in source.dims),
        method=lambda row, study: held_back(study, networks) if getattr(row, "part", "") == "test" else "",
        check_files=check_files,
        cite=cite,
    )


OF_SOURCES = tuple(kind_of(source) for source in SOURCES.values())
