"""An RO-Crate: its JSON-LD holds together, every byte is listed, the same results give the same bytes."""

import hashlib
import json
import os
import re
import shutil
import zipfile
from urllib.parse import unquote

import pytest

import neurosim as ns
from neurosim import storage
from neurosim.schema import InputError
from neurosim.storage import StorageError
from neurosim.study.citations import ADDRESS

from .conftest import neurosim

ABOUT = {
    "authors": ["Ada Lovelace (0000-0002-1825-0097)", "Charles Babbage"],
    "licence": "CC-BY-4.0",
    "published": "2026-11-28",
}
WORDS = {"CreativeWork", "Dataset", "Person", "File", "ScholarlyArticle", "CreateAction", "SoftwareApplication"}


@pytest.fixture
def crate(finished, tmp_path):
    return ns.study.save_crate(finished.folder, tmp_path / "small.zip", **ABOUT)


def graph_of(crate):
    with zipfile.ZipFile(crate) as archive:
        said = json.loads(archive.read("ro-crate-metadata.json"))
    assert said["@context"] == "https://w3id.org/ro/crate/1.1/context"
    entities = {e["@id"]: e for e in said["@graph"]}
    assert len(entities) == len(said["@graph"])
    return entities


def pointed_at(value):
    """Yield the ids that a property points at."""
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, dict):
            assert set(each) == {"@id"}
            yield each["@id"]


def test_the_metadata_follow_the_rules_of_the_format(crate):
    """https://w3id.org/ro/crate/1.1, sections root data entity, data entities and contextual entities."""
    entities = graph_of(crate)
    descriptor, root = entities["ro-crate-metadata.json"], entities["./"]
    assert descriptor["@type"] == "CreativeWork" and descriptor["about"] == {"@id": "./"}
    assert descriptor["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    assert root["@type"] == "Dataset" and root["datePublished"] == "2026-11-28"
    assert all(root[k] for k in ("name", "description", "license", "author", "hasPart", "citation"))
    assert {e["@type"] for e in entities.values()} == WORDS
    reached, waiting = set(), ["ro-crate-metadata.json"]
    while waiting:
        entity = waiting.pop()
        if entity in entities and entity not in reached:
            reached.add(entity)
            waiting += [i for k, v in entities[entity].items() if k[0] != "@" for i in pointed_at(v)]
    assert reached == set(entities)  # nothing stands alone
    for entity in entities.values():
        for key, value in entity.items():
            for target in pointed_at(value) if key not in ("@id", "conformsTo") else ():
                assert target in entities  # and nothing is missing
            assert not isinstance(value, list) or len(value) != 1


def test_every_file_is_listed_with_its_size_and_checksum(crate, finished):
    entities = graph_of(crate)
    files = {unquote(i): e for i, e in entities.items() if e["@type"] == "File"}
    parts = {unquote(i) for i in pointed_at(entities["./"]["hasPart"])}
    with zipfile.ZipFile(crate) as archive:
        assert set(archive.namelist()) - {"ro-crate-metadata.json"} == set(files) == parts
        for name, entity in files.items():
            content = archive.read(name)
            assert content == (finished.folder / name).read_bytes()
            assert entity["contentSize"] == str(len(content))
            assert entity["sha256"] == hashlib.sha256(content).hexdigest()


def test_people_papers_and_software_are_those_of_the_results(crate, finished):
    entities = graph_of(crate)
    people = [entities[i] for i in pointed_at(entities["./"]["author"])]
    assert [p["name"] for p in people] == ["Ada Lovelace", "Charles Babbage"]
    assert people[0]["@id"] == "https://orcid.org/0000-0002-1825-0097"
    assert entities["./"]["license"] == {"@id": "https://spdx.org/licenses/CC-BY-4.0"}
    provenance = json.loads((finished.folder / "provenance.json").read_text())
    addresses = {a for _, reference in provenance["citations"] for a in ADDRESS.findall(reference)}
    assert set(pointed_at(entities["./"]["citation"])) == addresses
    programs = {e["name"]: e["version"] for e in entities.values() if e["@type"] == "SoftwareApplication"}
    assert programs == provenance["libraries"] | {"neurosim": provenance["neurosim"]}
    run = entities["#run"]
    given = {"study.toml", "inputs/near.nc", "inputs/far.npz", "inputs/brain.nc"}
    assert set(pointed_at(run["object"])) == given and "report.html" in pointed_at(run["result"])
    assert entities[run["instrument"]["@id"]]["name"] == "neurosim"


def test_the_same_results_give_the_same_bytes(crate, finished, tmp_path):
    copy = tmp_path / "elsewhere"
    shutil.copytree(finished.folder, copy)
    for path in copy.rglob("*"):
        os.utime(path, (10**9, 10**9))
        path.chmod(0o700)
    again = ns.study.save_crate(copy, tmp_path / "again.zip", **ABOUT)
    assert again.read_bytes() == crate.read_bytes()


def test_the_command_line_writes_it(crate, finished, tmp_path):
    asked = ["--licence", "CC-BY-4.0", "--published", "2026-11-28", "-o", tmp_path / "a.zip"]
    people = [word for name in ABOUT["authors"] for word in ("--author", name)]
    run = neurosim("crate", finished.folder, *people, *asked, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "a.zip").read_bytes() == crate.read_bytes()


@pytest.mark.parametrize(
    "change, said",
    [
        ({"authors": []}, "at least one name"),
        ({"authors": "Ada"}, "a list of at least one name"),
        ({"authors": ["Ada", "Ada"]}, "each once"),
        ({"authors": ["Ada (0000-0002-1825-0098)"]}, "0000-0002-1825-0098 is no ORCID, a digit of it is mistyped"),
        ({"authors": ["Ada (0000-0002)"]}, '"Name" or "Name (0000-0002-1825-0097)" asked'),
        ({"licence": "my own"}, "licence = 'my own'"),
        ({"published": "28.11.2026"}, "published = '28.11.2026'"),
    ],
)
def test_what_nobody_could_cite_is_refused(finished, tmp_path, change, said):
    with pytest.raises(InputError, match=f"^save_crate: .*{re.escape(said)}"):
        ns.study.save_crate(finished.folder, tmp_path / "a.zip", **(ABOUT | change))
    with pytest.raises(InputError, match=r"a file \.zip"):
        ns.study.save_crate(finished.folder, tmp_path / "a.tar", **ABOUT)
    assert not list(tmp_path.glob("a.*"))


def test_a_changed_folder_makes_no_crate(finished, tmp_path):
    shutil.copytree(finished.folder, tmp_path / "r")
    (tmp_path / "r" / "numbers.json").write_text("{}")
    with pytest.raises(StorageError, match=r"missing or changed, such as numbers\.json"):
        ns.study.save_crate(tmp_path / "r", tmp_path / "a.zip", **ABOUT)


@pytest.mark.parametrize("name", ["../a", "/a", "a/../../b", "", "a\\b"])
def test_a_zip_holds_no_names_that_lead_out(tmp_path, name):
    with pytest.raises(InputError, match="no name inside an archive"):
        storage.write_zip(tmp_path / "a.zip", {name: b""})
    assert not list(tmp_path.iterdir())
