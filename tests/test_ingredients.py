"""Every ingredient of analyses/ingredients in little: neurosim and a plain Brian2 script answer alike."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1] / "analyses" / "ingredients"
sys.path.insert(0, str(HERE))

import table1_ingredients  # noqa: E402
from ingredient import World, agreement  # noqa: E402

ALL = [one for family in table1_ingredients.ingredients().values() for one in family]
ASKED = {"spikes": 0.95, "weights": 0.9, "statistics": 0.8}


def test_names_are_unique():
    assert len({one.name for one in ALL}) == len(ALL)


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.name)
def test_both_scripts_answer_alike(one):
    size = {"seconds": 0.08, "dt": 2e-5} if one.is_stiff else {"seconds": 0.12, "dt": 1e-4}
    asked, found = one.plain(World(**size)), one.ours(World("torch", **size))
    assert len(asked[0] if isinstance(asked, tuple) else asked) > 20
    assert agreement(found, asked, one.kind) >= ASKED[one.kind]
