"""Every source of stimuli keeps what its record says, its parts share nothing, and one more needs only its own file."""

import dataclasses
import subprocess
import sys
import typing
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import neurosim as ns
from neurosim.registry import called
from neurosim.schema import InputError
from neurosim.stimuli.parts import PartOptions, part_of
from neurosim.stimuli.source import SOURCES, Source, load_source, taught_parts
from tests.test_registry import installed

FROM_FILES = {"digits", "time_series", "folder", "file", "events"}
TEACHING = [name for name, source in SOURCES.items() if source.teaches]


@pytest.fixture
def asked(request, tmp_path):
    """A source, and options of a small load."""
    source = SOURCES[request.param]
    if request.param not in FROM_FILES:
        request.getfixturevalue("data_folder")
    return source, source.example(tmp_path)


def test_the_sources_are_those_that_have_a_file():
    folder = Path(ns.__file__).parent / "stimuli" / "sources"
    assert sorted(SOURCES) == sorted(p.stem for p in folder.glob("*.py") if p.stem != "__init__")


def test_every_public_loader_of_stimuli_stands_behind_a_source():
    loaders = {n.removeprefix("load_") for n in ns.stimuli.__all__ if n.startswith("load_")}
    behind = {"stimuli": "file", "image_folder": "folder"}
    assert {behind.get(n, n) for n in loaders - {"source"}} == set(SOURCES)


@pytest.mark.parametrize("name", list(SOURCES))
def test_a_record_says_whom_to_cite_and_what_it_can_do(name):
    source = SOURCES[name]
    assert source.caption and "\n" not in source.caption
    assert source.licence
    assert dataclasses.is_dataclass(source.options) and source.options.__dataclass_params__.frozen
    assert set(typing.get_type_hints(source.options)) == {f.name for f in dataclasses.fields(source.options)}
    assert issubclass(source.options, PartOptions) == source.teaches
    assert name in ("folder", "file") or "https://" in source.citation
    assert not source.endings or "path" in typing.get_type_hints(source.options)


@pytest.mark.parametrize("asked", list(SOURCES), indirect=True)
def test_stimuli_are_as_the_record_says(asked):
    source, options = asked
    found = load_source(source.name, options, rng=3)
    assert isinstance(found, xr.DataArray) and found.dims[0] == "stimulus"
    assert source.dims in ((), tuple(found.dims))
    assert not source.teaches or "category" in found.coords
    if source.n_stimuli is not None:
        assert source.n_stimuli(options) in (None, found.sizes["stimulus"])
    if source.sizes is not None:
        assert source.sizes(options) == {d: n for d, n in found.sizes.items() if d != "stimulus"}
    if source.n_categories is not None:
        everyone = dataclasses.replace(options, n_per_category=1)
        assert load_source(source.name, everyone).sizes["stimulus"] == source.n_categories
    for file, checksum in (source.files(options) if source.files else {}).items():
        assert file and len(checksum.removeprefix("md5:")) in (32, 64)
    if source.check is not None:
        source.check(options)
    by_name = {f.name: getattr(options, f.name) for f in dataclasses.fields(options)}
    xr.testing.assert_identical(found, load_source(source.name, by_name, rng=3))


@pytest.mark.parametrize("asked", TEACHING, indirect=True)
def test_what_is_shown_was_not_learned(asked):
    source, options = asked
    shown = load_source(source.name, dataclasses.replace(options, part="test"), rng=5)
    n_train = 400 if source.name in ("cifar10", "mnist") else None
    train, test = taught_parts(source.name, options, rng=5, n_train=n_train)
    learned = set(train.stimulus.values.tolist())
    assert not learned & set(shown.stimulus.values.tolist())
    assert not learned & set(test.stimulus.values.tolist())
    assert set(train.category.values.tolist()) == set(test.category.values.tolist())
    assert test.sizes["stimulus"] <= (source.n_test or test.sizes["stimulus"])
    n_categories = len(set(train.category.values.tolist()))
    few, _ = taught_parts(source.name, options, rng=5, n_train=n_categories)
    assert set(few.category.values.tolist()) == set(train.category.values.tolist())


@pytest.mark.parametrize("asked", ["time_series", "folder", "file", "events"], indirect=True)
def test_parts_make_the_whole(asked):
    source, options = asked
    whole, train, test = (
        load_source(source.name, dataclasses.replace(options, part=p, n_per_category=None))
        for p in ("all", "train", "test")
    )
    assert sorted([*train.stimulus.values, *test.stimulus.values]) == sorted(whole.stimulus.values)
    with pytest.raises(InputError, match=r"no part 'tset'.*Did you mean 'test'"):
        load_source(source.name, dataclasses.replace(options, part="tset"))


def test_official_parts_together_are_all(data_folder):
    found = load_source("sentences", {"set": "trec", "part": "all", "n_per_category": None, "n_words": 5})
    parts = [load_source("sentences", {"set": "trec", "part": p, "n_per_category": None, "n_words": 5}) for p in
             ("train", "test")]  # fmt: skip
    assert found.sizes["stimulus"] == sum(p.sizes["stimulus"] for p in parts)
    np.testing.assert_array_equal(found.values[: len(parts[0])], parts[0].values)


def test_time_series_take_the_official_test_file(tmp_path):
    for name in ("x_TRAIN", "x_TEST"):
        lines = [f"{k}.0,{len(name)}.0:{k % 2}" for k in range(4)]
        (tmp_path / f"{name}.ts").write_text("@classLabel true 0 1\n@data\n" + "\n".join(lines))
    options = {"path": tmp_path / "x_TRAIN.ts", "test": tmp_path / "x_TEST.ts", "n_per_category": None}
    assert load_source("time_series", options)[:, 1, 0].values.tolist() == [6.0] * 4
    assert load_source("time_series", {**options, "part": "train"})[:, 1, 0].values.tolist() == [7.0] * 4
    with pytest.raises(InputError, match="both files are called x_TRAIN"):
        load_source("time_series", {**options, "test": options["path"]})


def test_files_are_read_by_the_source_of_their_ending(tmp_path):
    options = SOURCES["time_series"].example(tmp_path)
    xr.testing.assert_identical(ns.load_stimuli(options.path), ns.stimuli.load_time_series(options.path))
    with pytest.raises(
        InputError, match=r"load_stimuli: size= is nothing that .* take; they take pad=, test=, time_step="
    ):
        ns.load_stimuli(options.path, size=3)
    pictures = SOURCES["folder"].example(tmp_path).path
    with pytest.raises(
        InputError, match=r"layout= is nothing that the pictures of a folder take; they take background=, size="
    ):
        ns.load_stimuli(pictures, layout="NCHW")


def test_ids_of_an_npz_are_text_and_flat(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, stimuli=np.ones((2, 4, 4)), stimulus=np.array([b"p", b"q"]), category=np.array([b"x", b"y"]))
    found = ns.load_stimuli(path)
    assert (found.stimulus.values.tolist(), found.category.values.tolist()) == (["p", "q"], ["x", "y"])
    np.savez(path, stimuli=np.ones((2, 4, 4)), stimulus=np.array([["p", "q"]]))
    with pytest.raises(InputError, match="give a flat list"):
        ns.load_stimuli(path)


def dots(options, rng):
    rng = np.random.default_rng(rng)
    values = (rng.random((40, options.side, options.side)) < 0.5).astype(np.float32)
    whole = ns.as_stimuli(values, coords={"category": np.repeat(["few", "many"], 20)})
    return part_of(whole, options, 0, "dots")


@dataclasses.dataclass(frozen=True)
class DotsOptions(PartOptions):
    side: int = 8


DOTS = Source("dots", "random dots", dots, ("stimulus", "y", "x"), DotsOptions, teaches=True)


def test_a_source_of_ones_own_is_shown_and_learned_like_the_others():
    with SOURCES.added(DOTS):
        assert load_source("dots", {"side": 5, "n_per_category": 2}).shape == (4, 5, 5)
        train, test = taught_parts("dots")
        assert (len(train), len(test)) == (32, 8)
        with pytest.raises(InputError, match=r"load_source: dots: no option 'sied'.*Did you mean 'side'"):
            load_source("dots", {"sied": 3})
    with pytest.raises(InputError, match="unknown source of stimuli 'dots'"):
        load_source("dots")


def test_a_source_of_an_installed_package_reads_its_files(tmp_path):
    source = (
        "from dataclasses import dataclass\nfrom pathlib import Path\n"
        "from neurosim.stimuli.source import Source\n"
        "@dataclass(frozen=True)\nclass Options:\n    path: Path\n"
        "def load(options, rng):\n"
        "    import numpy as np\n    import neurosim as ns\n    return ns.as_stimuli(np.full((2, 4, 4), 0.5))\n"
        "HALVES = Source('halves', 'gray squares', load, options=Options, endings=('.gray',))\n"
    )
    installed(tmp_path, "source_of_halves", source)
    (tmp_path / "a.gray").touch()
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import neurosim as ns\n"
        f"print(float(ns.load_stimuli({str(tmp_path / 'a.gray')!r}).sum()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "16.0"


def test_builders_of_sources_can_be_found():
    assert all(callable(called(source.load)) for source in SOURCES.values())


def test_sizes_that_are_known_cheaply_are_right():
    for part in ("train", "test", "all"):
        options = PartOptions(part, n_per_category=None)
        assert SOURCES["digits"].n_stimuli(options) == load_source("digits", options).sizes["stimulus"]
