"""Records are found where they are, from installed packages too, and what is unknown is refused in one line."""

import subprocess
import sys
from dataclasses import dataclass

import pytest

from neurosim.registry import Registry, called
from neurosim.schema import InputError


@dataclass(frozen=True)
class Fruit:
    """A record of this test."""

    name: str


def orchard(folder, monkeypatch, **files):
    package = folder / "orchard"
    package.mkdir()
    (package / "__init__.py").write_text("")
    for name, text in files.items():
        (package / f"{name}.py").write_text(f"from {__name__} import Fruit\n{text}\n")
    monkeypatch.syspath_prepend(folder)
    for name in [n for n in sys.modules if n.split(".")[0] == "orchard"]:
        monkeypatch.delitem(sys.modules, name)
    return Registry("fruit", "orchard", Fruit)


def test_records_are_found_in_the_files_of_a_folder(tmp_path, monkeypatch):
    fruits = orchard(tmp_path, monkeypatch, apple='APPLE = Fruit("apple")', pear='PEAR = Fruit("pear")\nOTHER = 3')
    assert list(fruits) == ["apple", "pear"]
    assert fruits["pear"].name == "pear"
    with pytest.raises(InputError, match=r"^peel: unknown fruit 'aple'; known: apple, pear. Did you mean 'apple'\?$"):
        fruits.find("aple", "peel")
    with pytest.raises(InputError, match="unknown fruit None"):
        fruits.find(None, "peel")
    with fruits.added(Fruit("plum")):
        assert fruits.find("plum", "peel").name == "plum"
    assert "plum" not in fruits


def test_a_name_stands_once(tmp_path, monkeypatch):
    fruits = orchard(tmp_path, monkeypatch, a='A = Fruit("apple")', b='B = Fruit("apple")')
    with pytest.raises(InputError, match=r"fruit 'apple' stands twice, the second in orchard\.b"):
        list(fruits)
    (tmp_path / "orchard" / "b.py").write_text("from orchard.a import A\n")
    assert list(orchard_again(monkeypatch)) == ["apple"]
    with pytest.raises(InputError, match="is there already"):
        orchard_again(monkeypatch).add(Fruit("apple"))
    with pytest.raises(InputError, match="a Fruit asked, found a str"):
        orchard_again(monkeypatch).add("apple")


def orchard_again(monkeypatch):
    for name in [n for n in sys.modules if n.split(".")[0] == "orchard"]:
        monkeypatch.delitem(sys.modules, name)
    return Registry("fruit", "orchard", Fruit)


def installed(folder, module, text):
    """Lay a package with an entry point into `folder`, as pip would."""
    (folder / f"{module}.py").write_text(text)
    about = folder / f"{module}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[neurosim]\nmine = {module}\n")


def test_an_installed_package_that_fails_is_named_in_one_line(tmp_path):
    installed(tmp_path, "broken_kinds", "1 / 0")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from neurosim.registry import plugins; plugins()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "broken_kinds: its kinds of things cannot be used" in done.stderr.splitlines()[-1], done.stderr


def test_a_package_that_fails_is_no_problem_of_the_study(tmp_path):
    installed(tmp_path, "broken_kinds", "1 / 0")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from neurosim.cli import main; main()"
    command = [sys.executable, "-c", code, "check", "digits"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert done.stderr.startswith(
        "neurosim: broken_kinds: its kinds of things cannot be used: broken_kinds, which its "
    )
    assert "entry point 'mine' in the group 'neurosim' names, fails with ZeroDivisionError" in done.stderr


def test_builders_are_named_or_given():
    assert called("math:sqrt")(4.0) == 2
    assert called(abs)(-1) == 1
