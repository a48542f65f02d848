"""A results folder as an RO-Crate: one zip whose metadata say what is in it, by whom and under which terms.

(https://doi.org/10.3233/DS-210053) Version 1.1 of the format: JSON-LD in the words of schema.org.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from neurosim import storage
from neurosim.refusals import InputError
from neurosim.study.citations import papers_of
from neurosim.study.cite import citations_in
from neurosim.study.folder import MANIFEST
from neurosim.study.verify import check_results

WHO = "save_crate"
CONTEXT, PROFILE = "https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/crate/1.1"
METADATA = "ro-crate-metadata.json"
ORCID = re.compile(r"(?P<name>[^<>]*\S) \((?:https://orcid\.org/)?(?P<orcid>(?:\d{4}-){3}\d{3}[\dX])\)")
SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,60}")
FORMATS = {
    ".json": "application/json",
    ".toml": "application/toml",
    ".html": "text/html",
    ".svg": "image/svg+xml",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".csv": "text/csv",
    ".nc": "application/x-netcdf",
    ".bib": "application/x-bibtex",
    ".tex": "application/x-tex",
    ".sha256": "text/plain",
    ".py": "text/x-python",
}
Entity = dict[str, Any]


def save_crate(
    folder: str | Path,
    path: str | Path,
    *,
    authors: Sequence[str],
    licence: str,
    published: str,
    description: str = "",
) -> Path:
    """Write a results folder as an RO-Crate, a zip that repositories such as Zenodo and WorkflowHub read.

    (https://doi.org/10.3233/DS-210053) Its ``ro-crate-metadata.json`` lists every file with size and checksum, the
    authors, the licence, the papers that the report cites, and the software with its versions. The same results and
    options give the same bytes.

    Parameters
    ----------
    folder : results of :func:`run_study`, as they were written.
    path : of the crate, ends in ``.zip``.
    authors : a name each, with an ORCID in brackets or without, "Ada Lovelace (0000-0002-1825-0097)".
    licence : of your results: its name by SPDX, "CC-BY-4.0", or its address; data of others that they were made from
        keep theirs.
    published : the date, "2026-11-28". description : a few sentences; by default what a study is.

    Returns
    -------
    the path.

    Raises
    ------
    InputError : no author, an ORCID that is mistyped, a licence or date that is none, another ending.
    StorageError : a folder that is no results folder, or of which a file was changed; nothing can be written.

    Examples
    --------
    >>> about = {"authors": ["Ada Lovelace"], "licence": "CC-BY-4.0", "published": "2026-11-28"}
    >>> ns.study.save_crate("nowhere", "mine.zip", **about)
    Traceback (most recent call last):
    neurosim.storage.StorageError: nowhere: no MANIFEST.sha256, so not a results folder of neurosim.
    """
    folder, path = storage.as_path(folder, WHO), storage.as_path(path, WHO)
    if path.suffix != ".zip":
        raise InputError(f"{WHO}: the crate is a file .zip, found {path.name!r}.")
    people, terms, date = [_person(a) for a in _listed(authors)], _licence(licence), _date(published)
    check_results(folder)
    listed = storage.read_manifest(folder, MANIFEST)
    listed[MANIFEST] = storage.sha256(folder / MANIFEST)
    files = {name: storage.inside(folder, name) for name in listed}
    parts = [_file(name, files[name].stat().st_size, listed[name]) for name in sorted(listed)]
    provenance = storage.read_json_object(folder / "provenance.json", ("study", "neurosim", "libraries"))
    resolved = storage.read_json_object(folder / "resolved.json")
    papers = _papers(folder)
    software = _software(provenance)
    root: Entity = {
        "@id": "./",
        "@type": "Dataset",
        "name": str(resolved.get("title") or provenance["study"]),
        "description": description or _described(str(provenance["study"])),
        "datePublished": date,
        "license": {"@id": terms["@id"]},
        "author": _ids(people),
        "hasPart": _ids(parts),
        "citation": _ids(papers),
        "mentions": {"@id": "#run"},
    }
    run: Entity = {
        "@id": "#run",
        "@type": "CreateAction",
        "name": f"neurosim run {provenance['study']}",
        "instrument": {"@id": software[0]["@id"]},
        "agent": _ids(people),
        "object": _ids([p for p in parts if _is_given(p["@id"])]),
        "result": _ids([p for p in parts if not _is_given(p["@id"])]),
    }
    about: Entity = {
        "@id": METADATA,
        "@type": "CreativeWork",
        "conformsTo": {"@id": PROFILE},
        "about": {"@id": "./"},
    }
    graph = [about, root, *people, terms, *parts, *papers, run, *software]
    text = json.dumps({"@context": CONTEXT, "@graph": graph}, indent=2, ensure_ascii=False)
    storage.write_zip(path, {**files, METADATA: (text + "\n").encode()})
    return path


def _listed(authors: object) -> list[str]:
    if isinstance(authors, str) or not isinstance(authors, Sequence) or not authors:
        raise InputError(f"{WHO}: authors are a list of at least one name, found {str(authors)[:60]!r}.")
    names = [" ".join(str(name).split()) for name in authors]
    if not all(names) or len(set(names)) < len(names):
        raise InputError(f"{WHO}: authors are names, each once, found {names}.")
    return names


def _person(author: str) -> Entity:
    """Return an author as an entity, known by the ORCID where one is given, whose last digit checks the others."""
    found = ORCID.fullmatch(author)
    if found is None:
        if "(" in author or "orcid" in author.lower():
            raise InputError(f'{WHO}: author {author[:60]!r}; "Name" or "Name (0000-0002-1825-0097)" asked.')
        return {"@id": f"#{quote(author)}", "@type": "Person", "name": author}
    digits, total = found["orcid"].replace("-", ""), 0
    for digit in digits[:-1]:
        total = (total + int(digit)) * 2
    if "0123456789X"[(12 - total % 11) % 11] != digits[-1]:
        raise InputError(f"{WHO}: {found['orcid']} is no ORCID, a digit of it is mistyped.")
    return {"@id": f"https://orcid.org/{found['orcid']}", "@type": "Person", "name": found["name"]}


def _licence(licence: object) -> Entity:
    text = str(licence)
    if text.startswith(("https://", "http://")) and not any(c.isspace() or c in '<>"' for c in text):
        return {"@id": text, "@type": "CreativeWork", "name": text}
    if not SPDX.fullmatch(text):
        raise InputError(f'{WHO}: licence = {text[:60]!r}; a name such as "CC-BY-4.0", or an address, asked.')
    return {"@id": f"https://spdx.org/licenses/{text}", "@type": "CreativeWork", "name": text}


def _date(published: object) -> str:
    try:
        return datetime.date.fromisoformat(str(published)).isoformat()
    except ValueError as error:
        raise InputError(f'{WHO}: published = {str(published)[:40]!r}; a date such as "2026-11-28" asked.') from error


def _file(name: str, size: int, digest: str) -> Entity:
    return {
        "@id": quote(name),
        "@type": "File",
        "name": name,
        "contentSize": str(size),
        "encodingFormat": FORMATS.get(Path(name).suffix.lower(), "application/octet-stream"),
        "sha256": digest,
    }


def _is_given(name: str) -> bool:
    """Whether a file was given to the run, and not made by it."""
    return name == "study.toml" or name.startswith("inputs/")


def _papers(folder: Path) -> list[Entity]:
    """Return the papers that the report cites, one entity an address."""
    found: dict[str, Entity] = {}
    for _, reference in citations_in(folder):
        for said, address in papers_of(reference):
            place = address or f"#{quote(said)}"
            found.setdefault(place, {"@id": place, "@type": "ScholarlyArticle", "name": said or address})
    return list(found.values())


def _software(provenance: dict[str, Any]) -> list[Entity]:
    """Return this package, and the libraries that it ran with."""
    libraries = [_program(str(name), str(version)) for name, version in provenance["libraries"].items()]
    own = _program("neurosim", str(provenance["neurosim"])) | {"softwareRequirements": _ids(libraries)}
    return [own, *libraries]


def _program(name: str, version: str) -> Entity:
    return {
        "@id": f"#{quote(name)}-{quote(version)}",
        "@type": "SoftwareApplication",
        "name": name,
        "version": version,
    }


def _ids(entities: Sequence[Entity]) -> Entity | list[Entity]:
    """Return what points to entities: one alone is no list in an RO-Crate."""
    found = [{"@id": entity["@id"]} for entity in entities]
    return found[0] if len(found) == 1 else found


def _described(study: str) -> str:
    return (
        f"Results of the study {study!r}, which compares representations of models and brains: its declaration and "
        "inputs, the result of every step, figures with the numbers drawn, a report, and the provenance of all of it."
    )
