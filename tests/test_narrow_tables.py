"""Wide tables of the site can be read as cards: cells carry the heads of their columns, and what they say stays."""

import sys
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "notebooks" / "_extensions"))

import narrow_tables

LONG = pd.DataFrame(
    {
        "what it <shows>": ["five neurons & more", ""],
        "score": [0.5, 0.25],
        "a third column of words": ["some words", "others"],
    },
    index=pd.Index(["a rather long name", "b"], name="model"),
)


class Cells(HTMLParser):
    """Text and attributes of the cells of a table, row by row, as a browser reads them."""

    def __init__(self, page):
        super().__init__()
        self.rows, self.tables = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag == "table":
            self.tables.append(dict(attrs))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append(["", dict(attrs)])

    def handle_data(self, data):
        if self.rows and self.rows[-1] and data.strip():
            self.rows[-1][-1][0] += data.strip()


def test_cells_of_a_wide_table_of_another_tool_say_the_head_of_their_column():
    page = f"<p>before</p>{LONG.to_html()}<p>after</p>"
    found, plain = Cells(narrow_tables.as_cards(page)), Cells(page)
    assert found.tables == [{"class": "dataframe cards"}]
    assert [[text for text, _ in row] for row in found.rows] == [[text for text, _ in row] for row in plain.rows]
    heads = ["model", "what it <shows>", "score", "a third column of words"]
    assert [[about["data-label"] for _, about in row] for row in found.rows[2:]] == [heads, heads]
    assert [text for row in found.rows[2:] for text, about in row if "data-empty" in about] == [""]
    assert not any("data-label" in about for row in found.rows[:2] for _, about in row)


@pytest.mark.parametrize(
    "table",
    [
        LONG[["score"]].to_html(),
        pd.DataFrame(
            {"n": [1, 2]}, index=pd.MultiIndex.from_product([["a name of thirty letters or so"], ["c" * 30, "d"]])
        ).to_html(),
        LONG.to_html(classes="another"),
    ],
    ids=["narrow", "with cells that span rows", "of a kind that is not known"],
)
def test_other_tables_stay_as_they_are(table):
    assert narrow_tables.as_cards(f"<p>before</p>{table}") == f"<p>before</p>{table}"
