"""Which classes of Neo read files here: those whose source was read and runs nothing that a file holds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from neurosim import storage
from neurosim.recordings.columns import shown
from neurosim.schema import InputError, suggest

if TYPE_CHECKING:
    import neo

ALLOWED = frozenset({
    "AlphaOmegaIO", "AsciiSpikeTrainIO", "AxographIO", "AxonaIO", "AxonIO", "BCI2000IO", "BiocamIO", "BlackrockIO",
    "BrainVisionIO", "BrainwareDamIO", "BrainwareF32IO", "BrainwareSrcIO", "CedIO", "EDFIO", "ElanIO", "IgorIO",
    "IntanIO", "KlustaKwikIO", "KwikIO", "MEArecIO", "MicromedIO", "NeoMatlabIO", "NestIO", "NeuralynxIO",
    "NeuroExplorerIO", "NeuroNexusIO", "NeuroScopeIO", "NixIO", "NWBIO", "OpenEphysBinaryIO", "OpenEphysIO", "PhyIO",
    "PlexonIO", "RawMCSIO", "Spike2IO", "SpikeGadgetsIO", "SpikeGLXIO", "TdtIO", "WinEdrIO", "WinWcpIO",
})  # fmt: skip
REFUSED = {
    "PickleIO": "a pickle, which can run code",
    "ElphyIO": "read by evaluating text of the file",
    "Plexon2IO": "read by a library that is fetched from the network as code",
    "AsciiSignalIO": "no record of its sampling rate, which would be made up",
    "RawBinarySignalIO": "no record of its channels and rate, which would be made up",
    "ExampleIO": "an example of Neo, whose content is made up",
}
PICKLES = (".pkl", ".pickle")
NAMES_FILES = {
    ".vhdr": re.compile(r"(?im)^(Data|Marker)File\s*=.*[/\\\\].*$"),
    ".oebin": re.compile(r'"folder_name"\s*:\s*"[^"]*\.\.[^"]*"'),
}
WRITTEN_IN_XML = (".xml", ".openephys", ".rec")


def named_reader(name: object) -> type[neo.io.BaseIO]:
    """Return a class of Neo by its name, if it is one of those that read files here."""
    from neo.io import iolist

    known = {r.__name__: r for r in iolist if r.__name__ in ALLOWED}
    if not isinstance(name, str) or name not in {r.__name__ for r in iolist}:
        raise InputError(f"load_neo: no reader {shown(name)} in Neo.{suggest(str(name), known)}")
    if name not in known:
        raise InputError(f"load_neo: what {name} reads is {_reason(name)}; known: {', '.join(sorted(known))}.")
    found: type[neo.io.BaseIO] = known[name]
    return found


def fitting_readers(path: Path) -> list[type[neo.io.BaseIO]]:
    """Return the classes of Neo that may read a file or folder, by its endings, in capitals or not.

    Raises
    ------
    InputError : only classes fit that run code, or make up what the file does not say.
    """
    from neo.io import list_candidate_ios

    if path.suffix.lower() in PICKLES:
        raise _refusal(path, "PickleIO")
    fitting = list_candidate_ios(str(path))
    allowed = [r for r in fitting if r.__name__ in ALLOWED]
    if not allowed:
        raise _refusal(path, fitting[0].__name__)
    return allowed


def _refusal(path: Path, name: str) -> InputError:
    return InputError(f"load_neo: {path.name} is {_reason(name)}; save it in another format.")


def _reason(name: str) -> str:
    return REFUSED.get(name, f"of a kind ({name}) whose reader was not found safe")


def check_files(path: Path) -> None:
    """Refuse a file or folder that reads from other places, or that unpacks without bound.

    Raises
    ------
    StorageError : links, HDF5 that leads out, names of files elsewhere, XML with entities, nothing at all.
    """
    import h5py

    if path.is_dir():
        storage.check_links(path)
    elif not path.is_symlink():
        for beside in path.parent.iterdir():
            if beside.is_symlink() and beside.name.startswith(path.stem):
                storage.inside(path.parent, beside.name)
    for file in [path] if path.is_file() else (p for p in path.rglob("*") if p.is_file()):
        ending = file.suffix.lower()
        if h5py.is_hdf5(file):
            storage.check_hdf5(file, soft_links=True, any_size=True)
        elif ending == ".mat":
            storage.check_inflation(file)
        elif ending in NAMES_FILES:
            away = NAMES_FILES[ending].search(storage.read_text(file, "latin-1"))
            if away is not None:
                raise storage.StorageError(f"{file}: names a file elsewhere ({away.group().strip()}); not opened.")
        elif ending in WRITTEN_IN_XML:
            _check_xml(file)


def _check_xml(file: Path) -> None:
    """Refuse XML that declares entities, which could stand for endless text; they stand before its first element."""
    last = b""
    with file.open("rb") as content:
        while piece := content.read(2**20):
            if b"<!ENTITY" in last + piece:
                raise storage.StorageError(f"{file}: its XML declares entities, which may unpack without end.")
            if b"</Configuration>" in last + piece:
                return
            last = piece[-16:]
