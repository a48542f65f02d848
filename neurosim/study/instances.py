"""Instances of one subject: trained alike from other first weights and in another order, each a subject of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from neurosim.study.kinds import Citation, TableOfNumbers
from neurosim.study.tables import NAME_PATTERN, StudyError, as_row, as_values

CITED: Citation = (
    "several instances of a network",
    "Mehrer J, Spoerer CJ, Kriegeskorte N, Kietzmann TC (2020) Nat Commun 11:5725, "
    "https://doi.org/10.1038/s41467-020-19632-w",
)


def each_instance(rows: Mapping[str, Any]) -> dict[str, Any]:
    """Return subjects by name; one that has `instances` becomes as many, NAME_1, NAME_2, ..., each with its `instance`.

    Raises
    ------
    StudyError : one of these names is that of another subject, or no name.
    """
    found: dict[str, Any] = {}
    for name, row in rows.items():
        new = {name: row}
        if getattr(row, "instances", 1) > 1 and row.instance is None:
            numbers = range(1, row.instances + 1)
            new = {f"{name}_{k}": as_row(type(row), as_values(row) | {"instance": k}, name) for k in numbers}
        for each in new:
            if each in found or (each != name and each in rows):
                raise StudyError(f"{name} has {row.instances} instances, and {each!r} is another subject; rename it.")
            if not re.match(NAME_PATTERN, each):
                raise StudyError(f"{name}: its name is too long for those of its instances, such as {each!r}.")
        found |= new
    return found


def name_of_all(name: str, row: object) -> str:
    """Return what the instances of a subject are called together, or the name of a subject that is one."""
    number = getattr(row, "instance", None)
    return name if number is None else name.removesuffix(f"_{number}")


def instances_in(subjects: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the subjects of which there are several instances, and the names of these."""
    found: dict[str, list[str]] = {}
    for name, row in subjects.items():
        if getattr(row, "instance", None) is not None:
            found.setdefault(name_of_all(name, row), []).append(name)
    return found


def spread(values: list[float]) -> dict[str, float]:
    """Return number, mean, standard deviation (n - 1), least and most of one number of several instances.

    >>> spread([1.0, 3.0])
    {'n': 2, 'mean': 2.0, 'standard_deviation': 1.4142135623730951, 'least': 1.0, 'most': 3.0}
    """
    found = {"n": len(values), "mean": float(np.mean(values))}
    deviation = {"standard_deviation": float(np.std(values, ddof=1))} if len(values) > 1 else {}
    return found | deviation | {"least": min(values), "most": max(values)}


def scores_of_instances(table: xr.Dataset, subjects: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return the spread of the score of every layer of subjects with several instances, by "NAME/layer".

    Parameters
    ----------
    table : ``score`` along ``model`` ("subject/layer"), with ``group``, the subject. subjects : of the study.
    """
    together = {name: base for base, names in instances_in(subjects).items() for name in names}
    scores: dict[str, list[float]] = {}
    for model, group, score in zip(table["model"].values, table["group"].values, table["score"].values, strict=True):
        if str(group) in together:
            layer = str(model).removeprefix(str(group))
            scores.setdefault(f"{together[str(group)]}{layer}", []).append(float(score))
    return {layer: spread(values) for layer, values in scores.items()}


def table_of_instances(title: str, scores: Mapping[str, Mapping[str, float]]) -> list[TableOfNumbers]:
    """Return the table of the report of such scores; none where no subject has several instances."""
    rows = [
        (
            layer,
            f"{found['n']:.0f}",
            f"{found['mean']:.4f}",
            f"{found['standard_deviation']:.4f}" if "standard_deviation" in found else "-",
            f"{found['least']:.4f} … {found['most']:.4f}",
        )
        for layer, found in scores.items()
    ]
    note = (
        "n instances of a network, which differ in their first weights and the order of training alone; the standard "
        "deviation (n - 1) and the range are of instances, not intervals for stimuli or individuals."
    )
    most = max((found["n"] for found in scores.values()), default=0)
    fewer = [layer for layer, found in scores.items() if found["n"] < most]
    if fewer:
        note += f" Some instances have no score of {', '.join(fewer)}: see above what was left out, and why."
    columns = ("layer", "n", "mean score", "s.d.", "range")
    return [TableOfNumbers(f"{title}, over instances", columns, rows, note)] if rows else []
