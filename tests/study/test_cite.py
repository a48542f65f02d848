"""Citations: every record is known and becomes BibTeX whose parts are there; what a result or a study used is said."""

import html
import json
import re
import subprocess
import sys
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import neurosim as ns
from neurosim.registry import Registry
from neurosim.schema import InputError
from neurosim.storage import StorageError
from neurosim.study.citations import ADDRESS, PAPERS, TOOLS, as_bibtex, as_text
from neurosim.study.cite import REGISTRIES, SAID_BY

HOUSE = Path(ns.__file__).parent


def parsed(text):
    """Entries of BibTeX by key: (kind, fields); an own reader, which counts braces."""
    entries, at = {}, 0
    while (at := text.find("@", at)) >= 0:
        kind, key, start = re.compile(r"@(\w+)\{([a-z0-9]+),").match(text, at).group(1, 2, 0)
        at, found = at + len(start), {}
        while name := re.compile(r"\s*(\w+) = \{").match(text, at):
            at, depth, value = name.end(), 1, ""
            while depth:
                c = text[at : at + 2] if text[at] == "\\" else text[at]
                depth += (c == "{") - (c == "}")
                value, at = value + c * (depth > 0), at + len(c)
            found[name[1]] = value
            at += text[at] == ","
        assert re.compile(r"\s*\}").match(text, at) and key not in entries
        entries[key] = kind, found
    return entries


def records():
    for place in REGISTRIES:
        module, _, name = place.partition(":")
        yield from ((name, r) for r in getattr(import_module(module), name).values())


def test_every_registry_whose_records_know_their_paper_is_listed():
    found = set()
    for path in HOUSE.rglob("*.py"):
        for name in re.findall(r"^([A-Z_]+)(?::.*)? = Registry\(", path.read_text(), re.MULTILINE):
            place = ".".join(("neurosim", *path.relative_to(HOUSE).with_suffix("").parts)).removesuffix(".__init__")
            registry = getattr(import_module(place), name)
            if isinstance(registry, Registry) and {"citation", "reference"} & {f.name for f in fields(registry.record)}:
                found.add(f"{place}:{name}")
    assert found - {"neurosim.recordings.published:DATASETS"} == set(REGISTRIES)
    assert {name for names in SAID_BY.values() for name in names} <= {place.partition(":")[2] for place in REGISTRIES}


def test_every_record_is_cited_by_its_name_and_is_one_entry_a_paper():
    references = []
    for registry, record in records():
        reference = getattr(record, "citation", "") or getattr(record, "reference", "")
        said = ns.cite(f"{registry}.{record.name}").splitlines()
        assert (" ".join(reference.split()) in said[-1] or ADDRESS.findall(reference)[-1] in said[-1]) or not reference
        references += [(record.name, reference)] if reference else []
    addresses = {a.rstrip(":.") for _, r in references for a in ADDRESS.findall(r)}
    found = parsed(as_bibtex(references))
    assert len(references) > 100 and len(found) >= 70
    urls = {fields["url"] for _, fields in found.values()}
    assert urls == {a[:-1] if a.count(")") > a.count("(") else a for a in addresses}
    assert all(f["doi"] == f["url"].removeprefix("https://doi.org/") for _, f in found.values() if "doi" in f)
    articles = [f for kind, f in found.values() if kind == "article"]
    assert len(articles) > 20 and all(f.keys() >= {"author", "year", "journal", "volume", "pages"} for f in articles)


def test_what_a_reference_says_comes_apart_as_bibtex_has_it():
    red = "Donders FC (1969) Acta Psychologica 30:412-431, https://doi.org/10.1016/0001-6918(69)90065-1"
    two = "He K, Sun J (2016) CVPR, https://doi.org/10.1/a (ResNet); Donders FC (1969) X & Y 3:1-2, https://doi.org/10.1/b."
    found = parsed(as_bibtex([("a", red), ("b", two), ("c", red)]))
    assert list(found) == ["donders1969", "he2016", "donders1969b"]
    kind, entry = found["donders1969"]
    assert kind == "article" and entry["pages"] == "412--431" and entry["note"] == "a; c"
    assert entry["doi"] == "10.1016/0001-6918(69)90065-1" and entry["author"] == "Donders, FC"
    assert found["he2016"] == (
        "misc",
        {
            "author": "He, K and Sun, J",
            "year": "2016",
            "howpublished": "CVPR",
            "doi": "10.1/a",
            "url": "https://doi.org/10.1/a",
            "note": "b",
        },
    )
    assert found["donders1969b"][1]["journal"] == r"X \& Y"


@given(
    st.lists(
        st.tuples(st.text(max_size=12), st.text(max_size=60) | st.just("A B (2020) C, https://doi.org/10.1/{x)")),
        max_size=4,
    )
)
def test_whatever_is_said_the_entries_are_read(citations):
    assert all(kind in ("misc", "article") for kind, _ in parsed(as_bibtex(citations)).values())


def scores(n_models=2, **options):
    rng = np.random.default_rng(0)
    data = xr.concat([ns.compute_rdm(rng.normal(size=(8, 9)), "euclidean") for _ in range(4)], "subject")
    models = {f"m{k}": ns.compute_rdm(rng.normal(size=(8, 9))) for k in range(n_models)}
    return ns.infer(models, data, **options)


@pytest.mark.parametrize(
    "options, used",
    [
        ({}, {"rsa", "ceiling", "inference", "jackknife", "holm"}),
        ({"resample": "subject"}, {"rsa", "ceiling", "inference", "holm"}),
        ({"n_models": 1}, {"rsa", "ceiling", "inference", "jackknife"}),
        ({"significance": ns.similarity.Significance(correction="fdr")}, set(PAPERS) - {"holm"}),
    ],
)
def test_a_result_says_by_its_attributes_what_was_done(options, used):
    said = ns.cite(scores(**options))
    assert {name for name, (_, reference) in PAPERS.items() if reference in said} == used
    assert "method 'spearman': Kriegeskorte" in said


def test_rdms_functions_and_recordings_are_cited():
    values = np.random.default_rng(0).normal(size=(4, 2, 9))
    rdm = ns.compute_rdm(ns.as_responses(values, dims=("stimulus", "trial", "unit")), "crossnobis")
    assert "metric 'crossnobis': https://doi.org/10.1016/j.neuroimage.2015.12.012" in ns.cite(rdm)
    assert ns.cite(ns.infer) == ns.cite("infer") == ns.cite("similarity.infer").replace("similarity.infer:", "infer:")
    assert "recording: Nobody (2020)" in ns.cite(rdm.assign_attrs(citation="Nobody (2020)"))
    assert ns.recordings.load_dataset.__doc__ and "10.1038/nn.3635" in ns.cite("cichy2014_92", form="bibtex")
    assert ns.cite(ns.similarity.METRICS["crossnobis"]).endswith("10.1016/j.neuroimage.2015.12.012")


@pytest.mark.parametrize(
    "asked, said",
    [
        ("spearmn", "nothing is called 'spearmn'. Did you mean 'spearman'"),
        ("cosine", "say which: METRICS.cosine, METHODS.cosine"),
        ("METRICS.tau_a", "nothing is called"),
        (3, "found int"),
        (str(HOUSE), "given as a pathlib.Path"),
    ],
)
def test_what_nobody_knows_is_refused_by_name(asked, said):
    with pytest.raises(InputError, match=f"^cite: .*{re.escape(said)}"):
        ns.cite(asked)


def test_forms_and_folders_are_checked(tmp_path):
    with pytest.raises(InputError, match="'text' or 'bibtex' asked"):
        ns.cite(form="ris")
    (tmp_path / "provenance.json").write_text('{"citations": [["a"]]}')
    with pytest.raises(StorageError, match="neurosim report writes it"):
        ns.cite(tmp_path)


def test_a_study_that_was_run_says_what_its_report_says(finished):
    kept = json.loads((finished.folder / "provenance.json").read_text())["citations"]
    page = html.unescape((finished.folder / "report.html").read_text())
    said = ns.cite(finished.folder)
    assert len(kept) >= 4
    for what, reference in kept:
        assert reference in page and as_text([(what, reference)]) in said
    bib = parsed((finished.folder / "citations.bib").read_text())
    assert {f["url"] for _, f in bib.values()} == {a for _, r in kept for a in ADDRESS.findall(r)}
    planned = ns.cite(ns.study.load_study(finished.study))
    assert set(planned.splitlines()) <= set(said.splitlines())


def test_a_tool_is_cited_once_it_is_loaded_and_citing_loads_none():
    """A fresh process: the registries of everything are looked through, and no tool comes with them."""
    code = """
import json, sys, neurosim as ns
names = ns.cite("METRICS.cosine", "NEURONS.lif", "ARCHITECTURES.LSTM").count("https")
import torch
print(json.dumps([ns.cite(), names]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said, _ = json.loads(done.stdout)
    used = {module for module, (_, reference) in TOOLS.items() if reference in said}
    assert used == {"torch", "xarray", "scipy", "numpy"}
