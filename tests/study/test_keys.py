"""Is everything that a result depends on in its key?"""

import os
import subprocess
import sys
import time

import pytest

from neurosim import storage
from neurosim.study.engine import keys
from neurosim.study.engine.keys import digest_of, key_of, source_digest, source_of, sources

STEPS = "neurosim.study.steps"


@pytest.fixture
def house(tmp_path, monkeypatch):
    """Return a small package that stands for ours, and a folder of installed packages."""
    files = {
        "neurosim/__init__.py": "",
        "neurosim/step.py": "from neurosim.a.one import f\nBUILDER = 'neurosim.b.deep:run'\n",
        "neurosim/a/__init__.py": "",
        "neurosim/a/one.py": "from . import noise\nfrom .kernels.noise import g\n",
        "neurosim/a/noise.py": "",
        "neurosim/a/kernels/__init__.py": "",
        "neurosim/a/kernels/noise.py": "import numpy.linalg\n",
        "neurosim/a/kernel.cpp": "int f();",
        "neurosim/b/__init__.py": "",
        "neurosim/b/deep.py": "KINDS = 'neurosim.c'\n",
        "neurosim/c/__init__.py": "",
        "neurosim/c/first.py": "",
        "neurosim/c/below/second.py": "",
        "neurosim/lazy/__init__.py": "",
        "neurosim/lazy/__init__.pyi": "from .inside import attached as attached\n",
        "neurosim/lazy/inside.py": "",
        "neurosim/takes_attached.py": "from neurosim.lazy import attached\n",
        "neurosim/unused.py": "STYLE = 'neurosim.mplstyle'\n",
        "site-packages/plug_in/__init__.py": "from plug_in import kinds\n",
        "site-packages/plug_in/kinds.py": "from .records import r\nimport outside\n",
        "site-packages/plug_in/records.py": "from neurosim.a import noise\nNAMED = 'plug_in.late:run'\n",
        "site-packages/plug_in/late.py": "",
        "site-packages/plug_in/table.csv": "1",
        "site-packages/outside.py": "",
        "mine/own_step.py": "import own_help.part\nimport json, outside\n",
        "mine/own_help/part.py": "from own_help import other as o\n",
        "mine/own_help/other.py": "",
        "mine/big.bin": "data",
    }
    for name, text in files.items():
        storage.write_text(tmp_path / name, text)
    monkeypatch.setattr(keys, "ROOT", tmp_path)
    for place in ("site-packages", "mine"):
        monkeypatch.syspath_prepend(str(tmp_path / place))
    keys.forget()
    yield tmp_path
    keys.forget()


def test_a_step_is_followed_through_imports_strings_and_data_by_relative_path(house):
    assert set(sources("neurosim.step")) == {
        "neurosim/__init__.py", "neurosim/step.py", "neurosim/a/__init__.py", "neurosim/a/one.py",
        "neurosim/a/noise.py", "neurosim/a/kernels/__init__.py", "neurosim/a/kernels/noise.py", "neurosim/a/kernel.cpp",
        "neurosim/b/__init__.py", "neurosim/b/deep.py", "neurosim/c/__init__.py", "neurosim/c/first.py",
        "neurosim/c/below/second.py",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["a/noise.py", "a/kernels/noise.py", "a/kernel.cpp", "b/deep.py", "c/below/second.py"])
def test_two_files_of_one_name_do_not_hide_each_other(name, house):
    before = source_digest("neurosim.step")
    (house / "neurosim" / name).write_text("# changed\n")
    assert source_digest("neurosim.step") == before
    keys.forget()
    assert source_digest("neurosim.step") != before


def test_a_file_of_the_same_size_that_is_written_at_once_or_dated_back_is_read_again(house):
    file = house / "neurosim" / "a" / "noise.py"
    long_ago, seen = time.time() - 3600, []
    for text in ("N = 1\n", "N = 2\n", "from neurosim import unused\n"):
        file.write_text(text)
        keys.forget()
        seen.append(source_digest("neurosim.step"))
    for text in ("N = 1\n", "N = 3\n"):
        file.write_text(text)
        os.utime(file, (long_ago, long_ago))
        keys.forget()
        seen.append(source_digest("neurosim.step"))
    assert seen[3] == seen[0] and len(set(seen)) == 4


def test_what_a_package_attaches_lazily_may_come_from_anywhere_in_it(house):
    found = set(sources("neurosim.takes_attached"))
    assert {"neurosim/lazy/inside.py", "neurosim/lazy/__init__.pyi"} <= found
    assert "neurosim/unused.py" not in found


def test_the_name_of_a_file_is_not_the_name_of_everything(house):
    assert set(sources("neurosim.unused")) == {"neurosim/__init__.py", "neurosim/unused.py"}


def test_a_plugin_is_followed_through_its_package_and_into_ours(house, monkeypatch):
    assert not sources("plug_in.kinds")
    monkeypatch.setattr(keys, "_plugins", keys.cache(lambda: ("plug_in.kinds",)))
    keys.forget()
    before = source_digest("neurosim.unused")
    found = set(sources("plug_in.kinds"))
    assert found >= {f"plug_in/{n}" for n in ("__init__.py", "kinds.py", "records.py", "late.py", "table.csv")}
    assert "neurosim/a/noise.py" in found and "outside.py" not in found
    (house / "site-packages" / "plug_in" / "late.py").write_text("# changed\n")
    keys.forget()
    assert source_digest("neurosim.unused") != before


def test_a_step_of_the_users_is_followed_through_the_users_modules_alone(house):
    assert set(sources("own_step")) == {"own_step.py", "own_help/part.py", "own_help/other.py"}


def test_functions_that_a_configuration_names_are_in_the_key(house):
    before = source_of("neurosim.unused:run", {"load": [{"deep": "neurosim.b.deep:run"}]})
    assert before != source_of("neurosim.unused:run", {})
    (house / "neurosim" / "c" / "first.py").write_text("# changed\n")
    keys.forget()
    assert source_of("neurosim.unused:run", {"load": [{"deep": "neurosim.b.deep:run"}]}) != before


def test_source_that_cannot_be_parsed_counts_as_it_is(house):
    (house / "mine" / "own_step.py").write_text("def (")
    keys.forget()
    assert set(sources("own_step")) == {"own_step.py"}


def test_the_quick_way_finds_in_every_source_of_the_package_all_that_its_syntax_says():
    for path in sorted((keys.ROOT / keys.PACKAGE).rglob("*.py")):
        package = ".".join(path.parent.relative_to(keys.ROOT).parts)
        quick, exact = (
            {n for n in read(path.read_text(), package) if n.name.partition(".")[0] == keys.PACKAGE}
            for read in (keys.in_lines, keys.in_tree)
        )
        assert exact <= quick, path


def test_every_source_that_a_step_can_run_is_in_its_key():
    rdms = set(sources(f"{STEPS}.rdms"))
    assert {"neurosim/similarity/rdms.py", "neurosim/study/steps/rdms.py", "neurosim/schema.py"} <= rdms
    twin = set(sources("neurosim.study.subjects.twin"))
    assert {"neurosim/biophysics/torch_engine.py", "neurosim/networks/spiking/kernel.cpp"} <= twin
    loaded_when_used = {"neurosim/networks/training.py", "neurosim/biophysics/retuning.py", "neurosim/bridge.py"}
    assert loaded_when_used <= twin and "neurosim/plots/geometry.py" in sources("neurosim.study.figures.rdms")


def test_modules_that_a_step_really_loads_are_in_its_key():
    """What Python has loaded after importing a step is what its key says, in a process of its own."""
    code = f"import sys, {STEPS}.rdms; print(*[m.__file__ for n, m in sys.modules.items() if n[:9] == 'neurosim.'])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    known = {str(p) for p in sources(f"{STEPS}.rdms").values()}
    assert loaded and set(loaded) <= known


def test_versions_configuration_inputs_and_device_are_in_the_key(monkeypatch):
    work = f"{STEPS}.rdms:run"
    keys_ = {key_of(work, {}, {}, "cpu"), key_of(work, {"a": 1}, {}, "cpu"), key_of(work, {}, {"a": "b"}, "cpu")}
    keys_ |= {key_of(work, {}, {}, "cuda"), key_of(f"{STEPS}.brain:run", {}, {}, "cpu")}
    for library in ("numpy", "pillow", "torch", "brian2"):
        versions = keys.runtime.library_versions()
        monkeypatch.setattr(keys, "_versions", lambda v=versions, n=library: v | {n: "0"})
        keys_.add(key_of(work, {}, {}, "cpu"))
    assert len(keys_) == 9


def test_the_source_of_a_step_is_part_of_its_key():
    assert source_digest(f"{STEPS}.rdms") != source_digest(f"{STEPS}.stimuli")
    assert len(digest_of([])) == 64
