"""The key of a step: everything that its result depends on, as one digest."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from neurosim import registry, runtime, storage

SCHEMA_VERSION = 2
ROOT = Path(__file__).resolve().parent.parent.parent.parent
PACKAGE = "neurosim"
CODE = (".py", ".pyi")
DOTTED = re.compile(rf"{PACKAGE}(\.\w+)+(:\w+)?")


def digest_of(value: Any) -> str:
    """Return the SHA-256 of `value` as canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def key_of(work: str, config: dict[str, Any], inputs: dict[str, str], device: str) -> str:
    """Return the key of a step: the digest of everything that its result depends on.

    That is the function and its configuration, the digests of what goes in, the source of the modules it can run,
    the versions of the numeric libraries, the class of device and the code-generation target of Brian2.
    """
    return digest_of(
        {
            "schema_version": SCHEMA_VERSION,
            "work": work,
            "config": config,
            "inputs": inputs,
            "source": source_digest(work.partition(":")[0]),
            "libraries": _versions(),
            "device": device,
            "brian2_target": "numpy",
        }
    )


@cache
def source_digest(module: str) -> str:
    """Return the digest of the source of `module`, of all of the package that it can run, and of installed kinds.

    What it can run is what it imports, and every module or folder that it names in a string, as registries and
    "module:function" do; data files beside a module belong to it.
    """
    ours = {p.relative_to(ROOT).as_posix(): storage.sha256(p) for p in sorted(_sources(module))}
    return digest_of(ours | {f"installed:{name}": digest for name, digest in _installed().items()})


@cache
def _versions() -> dict[str, str]:
    return runtime.library_versions()


@cache
def _installed() -> dict[str, str]:
    """Return the digest of every module that installed packages add kinds with."""
    paths = {m.__name__: importlib.util.find_spec(m.__name__) for m in registry.plugins()}
    return {name: storage.sha256(Path(spec.origin)) for name, spec in paths.items() if spec and spec.origin}


def _sources(module: str) -> set[Path]:
    seen: set[Path] = set()
    waiting = [module]
    while waiting:
        for path in _files(waiting.pop()) - seen:
            seen.add(path)
            seen.update(p for p in path.parent.glob("*") if p.is_file() and p.suffix not in (*CODE, ".pyc"))
            if path.suffix == ".py":
                waiting += _named_in(storage.read_text(path))
    return {p for p in seen if p.parent != ROOT / PACKAGE or p.name != "__init__.py"}


def _is_module(name: str) -> bool:
    base = ROOT / Path(*name.split("."))
    return base.with_suffix(".py").is_file() or base.is_dir()


def _files(name: str) -> set[Path]:
    """Return the file of a module, or all modules of a folder."""
    base = ROOT / Path(*name.partition(":")[0].split("."))
    if base.with_suffix(".py").is_file():
        return {base.with_suffix(".py")}
    return set(base.glob("*.py")) if base.is_dir() and base != ROOT / PACKAGE else set()


@cache
def _named_in(text: str) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == PACKAGE:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
            names += (
                [str(node.module)] if (ROOT / Path(*str(node.module).split("."))).with_suffix(".py").is_file() else []
            )
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names if alias.name.split(".")[0] == PACKAGE]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and DOTTED.fullmatch(node.value):
            names.append(node.value)
    return names
