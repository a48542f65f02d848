"""Every classic of analyses/gallery in little: it meets what is known of it, and its card is that of the code."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from neurosim import storage

HERE = Path(__file__).parents[1] / "analyses" / "gallery"
sys.path.insert(0, str(HERE))

import table1_gallery  # noqa: E402
from classic import Claim, Classic, classics, judged, standard_errors  # noqa: E402

ALL = classics()
CARDS = {name: storage.read_json(path) for name in ALL if (path := HERE / "cards" / f"{name}.json").exists()}


@pytest.mark.parametrize("classic", ALL.values(), ids=ALL)
def test_the_small_run_is_as_near_as_is_asked(classic):
    rows = judged(classic, classic.compute(**classic.small), is_small=True)
    assert rows, "the small run asks nothing"
    missed = [f"{r.name}: {r.claim.theirs} {r.claim.unit} asked, {r.ours} found" for r in rows if not r.is_met]
    assert not missed, "; ".join(missed)


@pytest.mark.parametrize("name", CARDS)
def test_a_card_is_that_of_its_classic(name):
    classic, rows = ALL[name], CARDS[name]["rows"]
    assert [row["name"] for row in rows] == list(classic.claims)
    for row, claim in zip(rows, classic.claims.values(), strict=True):
        told = (row["theirs"], row["unit"], row["where"], row["tolerance"], row["outside"])
        assert told == (claim.theirs, claim.unit, claim.where, claim.tolerance, claim.outside)
        assert row["is_met"] == claim.is_met(row["ours"])
        assert row["is_met"] or row["outside"], f"{row['name']} is further away than asked, and no word says why"
    options = {k: list(v) if isinstance(v, tuple) else v for k, v in classic.full.items()}
    assert CARDS[name]["options"] == options
    assert storage.read_text(HERE / "cards" / f"{name}.md") == table1_gallery.card(classic, CARDS[name])


@pytest.mark.parametrize("name", [name for name in CARDS if (HERE / "cards" / f"{name}.nc").exists()])
def test_a_card_is_that_of_the_results_beside_it(name):
    rows = judged(ALL[name], storage.read_dataset(HERE / "cards" / f"{name}.nc"))
    for row, told in zip(rows, CARDS[name]["rows"], strict=True):
        assert row.ours == (told["ours"] if isinstance(told["ours"], str) else pytest.approx(told["ours"], rel=1e-9))
        assert row.error == (None if told["error"] is None else pytest.approx(told["error"], rel=1e-6, abs=1e-12))


def test_errors_of_means_over_seeds_are_the_standard_errors_of_the_mean():
    values = xr.Dataset({"x": ("seed", [1.0, 2.0, 4.0, 9.0])})
    classic = Classic(
        "c", "", (), "", None, lambda d: {"mean": float(d.x.mean()), "word": "a", "of none": 1.0}, None, {}
    )
    assert standard_errors(classic, values) == {"mean": pytest.approx(np.std(values.x, ddof=1) / 2)}
    assert standard_errors(classic, values.isel(seed=[0])) == {}


def test_the_table_is_that_of_the_cards():
    assert set(CARDS) == set(ALL), "a classic was never run in full: python analyses/gallery/table1_gallery.py NAME"
    assert storage.read_text(HERE / "table1_gallery.md") == table1_gallery.page(CARDS, ALL)


def test_what_is_further_away_than_asked_is_not_met():
    claim = Claim(10.0, "Hz", "table 1", 0.5, small=2.0)
    assert claim.is_met(10.5) and not claim.is_met(10.51) and claim.is_met(11.9, is_small=True)
    assert not dataclasses.replace(claim, theirs="tonic").is_met("bursting")
