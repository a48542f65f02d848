"""Names of the package in a page of the site lead to where the API describes them, and nothing else is linked."""

import re
import sys
from io import StringIO
from pathlib import Path

import pytest

pytest.importorskip("myst_parser")
EXTENSIONS = Path(__file__).resolve().parent.parent / "notebooks" / "_extensions"
PAGE = """
# A page

{names}

```{{py:function}} neurosim.similarity.infer(models, data)
```
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A site of one page that describes one function, built with warnings as errors; links by their text."""
    from sphinx.application import Sphinx

    folder = tmp_path_factory.mktemp("site")
    names = "`ns.infer(models, data)` `ns.similarity.infer` `ns.train` `ns` `infer` [`ns.infer`](https://example.org)"
    (folder / "index.md").write_text(PAGE.format(names=names))
    sys.path.insert(0, str(EXTENSIONS))
    try:
        settings = {"extensions": ["myst_parser", "name_links"], "html_theme": "basic"}
        said = StringIO()
        app = Sphinx(folder, None, folder / "out", folder / "trees", "html", settings, status=None, warning=said)
        app.build()
    finally:
        sys.path.remove(str(EXTENSIONS))
    assert said.getvalue() == ""
    html = (folder / "out" / "index.html").read_text()
    links = re.findall(r'<a [^>]*href="([^"]+)"[^>]*>(?=<code)(.*?)</a>', html)
    return [(where, re.sub("<[^>]+>", "", text)) for where, text in links]


def test_described_names_are_linked_under_either_name(built):
    there = "#neurosim.similarity.infer"
    assert (there, "ns.infer(models, data)") in built
    assert (there, "ns.similarity.infer") in built


def test_nothing_else_is_linked_and_links_are_left_alone(built):
    assert ("https://example.org", "ns.infer") in built
    assert len([text for _, text in built if text.startswith("ns")]) == 3
