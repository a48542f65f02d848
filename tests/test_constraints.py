"""The constraints file pins one version that satisfies pyproject for every dependency, on every Python."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PYTHONS = ("3.11", "3.12", "3.13")
FREE = {"numpy", "brian2"}


def pins(python: str) -> dict[str, str]:
    lines = (ROOT / "tests" / "constraints.txt").read_text().splitlines()
    known = (Requirement(line) for line in lines if line and not line.startswith("#"))
    pinned = [r for r in known if r.marker is None or r.marker.evaluate({"python_version": python})]
    return {re.sub(r"[-_.]+", "-", r.name).lower(): str(r.specifier).removeprefix("==") for r in pinned}


def requirements() -> list[Requirement]:
    project = PYPROJECT["project"]
    texts = [*project["dependencies"], *(t for extra in project["optional-dependencies"].values() for t in extra)]
    return [r for t in texts if (r := Requirement(t)).name != "neurosim"]


@pytest.mark.parametrize("python", PYTHONS)
def test_every_dependency_is_pinned_within_its_range(python):
    """On 3.12 and 3.13 numpy and Brian2 are left to the ranges of the project."""
    pinned = pins(python)
    for requirement in requirements():
        if requirement.marker is not None and not requirement.marker.evaluate({"python_version": python, "extra": ""}):
            continue
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        if python != "3.11" and name in FREE:
            assert name not in pinned
            continue
        assert name in pinned, f"{name} is not pinned"
        assert requirement.specifier.contains(pinned[name]), (
            f"{name}: {pinned[name]} is outside {requirement.specifier}"
        )


def test_core_dependencies_are_split_by_python_version():
    numpy = [r for r in requirements() if r.name == "numpy"]
    brian2 = [r for r in requirements() if r.name == "brian2"]
    for pair in (numpy, brian2):
        for version in PYTHONS:
            assert sum(r.marker.evaluate({"python_version": version}) for r in pair) == 1
