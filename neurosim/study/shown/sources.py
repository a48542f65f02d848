"""Every registered source of stimuli, own or installed: its options are the keys of the table."""

from __future__ import annotations

from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, Literal, get_type_hints

import xarray as xr
from pydantic import Field, create_model

from neurosim.refusals import InputError
from neurosim.stimuli.source import SOURCES, Source, load_source
from neurosim.study.engine.step import Job
from neurosim.study.kinds import Citation, StimulusKind
from neurosim.study.study import Study
from neurosim.study.tables import StudyError, Table, keys_of

HELD_BACK = "The stimuli shown are held back: no network of this study was trained on them."


def kind_of(source: Source) -> StimulusKind:
    """Return the kind of stimuli of a source."""
    return StimulusKind(
        name=source.name,
        table=_table_of(source),
        load="neurosim.study.shown.sources:load",
        known=_known,
        check=_check,
        check_files=_check_files,
        extra=_checksums,
        method=_method,
        cite=_cite,
    )


def load(job: Job) -> xr.DataArray:
    """Return the stimuli of the source that the row names."""
    row = job.config["row"]
    options = {k: v for k, v in row.items() if k not in ("source", "seed", "name")} | dict(job.files)
    return load_source(row["source"], options, rng=row["seed"])


def options_in(row: Any) -> Any:
    """Return the options of the source that a row names."""
    return SOURCES[row.source].options(**{k: getattr(row, k) for k in keys_of(type(row)) if k != "source"})


def _table_of(source: Source) -> type[Table]:
    hints = get_type_hints(source.options)
    columns: dict[str, Any] = {"source": (Literal[source.name], source.name)}
    for field in fields(source.options):
        made_anew, default = field.default_factory, ... if field.default is MISSING else field.default
        columns[field.name] = (hints[field.name], default if made_anew is MISSING else Field(default_factory=made_anew))
    made: type[Table] = create_model(f"{source.name}_stimuli", __base__=Table, __doc__=source.caption, **columns)
    return made


def _known(row: Any, seed: int) -> xr.DataArray | None:
    source = SOURCES[row.source]
    reads_files = source.files is not None or any(isinstance(getattr(row, k), Path) for k in keys_of(type(row)))
    return None if reads_files else load_source(row.source, options_in(row), rng=seed)


def _check(row: Any, place: str, _study: Study) -> None:
    try:
        options_in(row)
    except InputError as error:
        raise StudyError(f"{place}: {error}") from None


def _check_files(row: Any, _name: str, _folder: Path) -> None:
    source = SOURCES[row.source]
    if source.check is not None:
        source.check(options_in(row))


def _checksums(row: Any) -> dict[str, Any]:
    files = SOURCES[row.source].files
    return {"checksums": dict(files(options_in(row)))} if files is not None else {}


def _method(row: Any) -> str:
    return HELD_BACK if SOURCES[row.source].teaches and getattr(row, "part", None) == "test" else ""


def _cite(row: Any) -> list[Citation]:
    citation = SOURCES[row.source].citation
    return [("stimuli", citation)] if citation else []


OF_SOURCES = tuple(kind_of(source) for source in SOURCES.values())
