"""Every statistic in its simulated worlds: null, recovery, error, coverage, false positives, as its docstring says."""

import importlib
import inspect
import json
import sys
from pathlib import Path

import numpy as np
import pytest

import neurosim as ns

FOLDER = Path(__file__).parents[1] / "analyses" / "calibration"
sys.path.insert(0, str(FOLDER))
world = importlib.import_module("world")
WORLDS = [(module, each) for module, found in world.worlds().items() for each in found]
SPREADS = 4.0  # of the Monte Carlo error: how far a few experiments may be from what is asked of many


def rows(module):
    """What was measured in many experiments, with None as NaN."""
    found = json.loads((FOLDER / "worlds" / f"{module}.json").read_text())["rows"]
    return {name: world.Row(**{k: np.nan if v is None else v for k, v in row.items()}) for name, row in found.items()}


@pytest.mark.parametrize(("module", "known"), WORLDS, ids=[each.name for _, each in WORLDS])
def test_a_few_experiments_agree_with_what_many_showed(module, known):
    """Rates lie within binomial errors, means within their standard errors of what the table says."""
    many, few = rows(module)[known.name], world.measured(known, known.quick, seed=99)
    n = few.n
    assert many.n >= 1000
    for key, scale in (("coverage", None), ("false_positives", None), ("null_mean", 1.0), ("error_ratio", 1.0)):
        expected, found = getattr(many, key), getattr(few, key)
        assert np.isfinite(expected) == np.isfinite(found), key
        if np.isfinite(expected):
            spread = np.sqrt(max(expected * (1 - expected), 0.01) / n) if scale is None else scale / np.sqrt(n)
            assert abs(found - expected) < SPREADS * spread, (key, found, expected)


@pytest.mark.parametrize(("module", "known"), WORLDS, ids=[each.name for _, each in WORLDS])
def test_what_is_outside_of_what_is_asked_says_why(module, known):
    """A world whose numbers are not as they should be has a line about it; one that is well has none."""
    row = rows(module)[known.name]
    numbers = {key: getattr(row, key) for key in world.ASKED}
    low_high = {k: world.ASKED[k] for k, v in numbers.items() if np.isfinite(v)}
    outside = [k for k, (low, high) in low_high.items() if not low <= numbers[k] <= high]
    assert bool(outside) == bool(known.outside), outside


def test_docstrings_hold_the_numbers_of_the_first_world_of_each_estimator():
    """The sentence in a docstring is made of what was measured."""
    first = {}
    for module, each in WORLDS:
        first.setdefault(each.estimator, (module, each))
    for estimator, (module, each) in first.items():
        room, name = estimator.split(".")
        said = " ".join(inspect.getdoc(getattr(getattr(ns, room), name)).split())
        assert world.sentence(rows(module)[each.name]) in said, world.sentence(rows(module)[each.name])


def test_the_page_holds_every_world():
    """The page that is read is the one of the numbers that are there."""
    lines = (FOLDER / "table1_calibration.md").read_text().splitlines()
    assert {each.name for _, each in WORLDS} <= {line.split("|")[2].strip() for line in lines if line.startswith("| `")}
