"""Every format that has a reader keeps what its record says, and one more needs nothing but its own file."""

import dataclasses
import subprocess
import typing
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import neurosim as ns
from neurosim.recordings.reader import READERS, Reader
from neurosim.schema import InputError
from tests import forks
from tests.test_registry import installed

EXAMPLES = [(name, ending) for name, reader in READERS.items() if reader.example for ending in reader.endings or ("",)]


def test_the_formats_are_those_that_have_a_file():
    folder = Path(ns.__file__).parent / "recordings" / "readers"
    assert sorted(READERS) == sorted(p.stem for p in folder.glob("*.py") if p.stem != "__init__")


@pytest.mark.parametrize("name", list(READERS))
def test_a_record_says_what_its_files_hold(name):
    reader = READERS[name]
    assert reader.gives
    assert reader.caption and "\n" not in reader.caption
    assert all(e.startswith(".") and e == e.lower() for e in reader.endings)
    assert dataclasses.is_dataclass(reader.options) and reader.options.__dataclass_params__.frozen
    assert not reader.citation or reader.citation.startswith("https://doi.org/")
    assert set(typing.get_type_hints(reader.options)) == {f.name for f in dataclasses.fields(reader.options)}


@pytest.mark.parametrize(("name", "ending"), EXAMPLES)
def test_an_example_is_read_by_its_ending_and_by_name(name, ending, tmp_path):
    stem = "x-epo" if ".fif" in ending else "x"
    path, reader = tmp_path / f"{stem}{ending}", READERS[name]
    options = reader.example(path)
    found = ns.load_responses(path, options=options)
    assert {"stimulus", "unit"} <= set(found.dims) <= {"stimulus", "trial", "time", "unit"}
    by_name = {f.name: getattr(options, f.name) for f in dataclasses.fields(options)}
    xr.testing.assert_identical(found, ns.load_responses(path, reader=name, options=by_name))
    if reader.lazy:
        np.testing.assert_array_equal(ns.load_responses(path, lazy=True).values, found.values)
    else:
        with pytest.raises(InputError, match="is read whole"):
            ns.load_responses(path, options=options, lazy=True)
    with pytest.raises(InputError, match="no option 'windw'"):
        ns.load_responses(path, options={"windw": 1})


def test_what_a_format_does_not_hold_is_said(tmp_path):
    with pytest.raises(InputError, match=r"ends in '\.fif'; known: .*\. Such files hold responses \(fif\)"):
        ns.recordings.load_sweeps(tmp_path / "a.fif")
    with pytest.raises(InputError, match=r"unknown format 'nbw'.* Did you mean 'nwb'\?"):
        ns.load_responses(tmp_path / "a.dat", reader="nbw")
    with pytest.raises(InputError, match="files of 'nifti' hold no sweeps"):
        ns.recordings.load_sweeps(tmp_path / "a.dat", reader="nifti")
    with pytest.raises(InputError, match="the options need events, mask"):
        ns.load_responses(tmp_path / "a.nii")
    with pytest.raises(InputError, match="options are a NWBOptions or given by name, found int"):
        ns.load_responses(tmp_path / "a.nwb", options=3)
    with pytest.raises(InputError, match=r"holds no spikes to count; time_bin = 0\.1"):
        ns.load_responses(tmp_path / "a.nc", time_bin=0.1)


def read_lines(path, options):
    values = np.array([[float(v) for v in line.split()] for line in path.read_text().splitlines()])
    return ns.as_responses(values * options.scale)


@dataclasses.dataclass(frozen=True)
class LinesOptions:
    scale: float = 1.0


def test_a_format_of_ones_own_is_read_like_the_others(tmp_path):
    path = tmp_path / "a.lines"
    path.write_text("1 2\n3 4\n5 6\n")
    lines = Reader("lines", "numbers a line", (".lines",), responses=read_lines, options=LinesOptions)
    with READERS.added(lines):
        assert ns.load_responses(path).values.tolist() == [[1, 2], [3, 4], [5, 6]]
        assert ns.load_responses(path, options={"scale": 2.0}).values[0].tolist() == [2, 4]
        assert ns.load_responses(path, options=LinesOptions(3.0)).values[0].tolist() == [3, 6]
    with pytest.raises(InputError, match=r"ends in '\.lines'"):
        ns.load_responses(path)
    empty = dataclasses.replace(lines, responses=lambda p, o: np.full((2, 2), np.nan))
    with READERS.added(empty), pytest.raises(InputError, match=r"a\.lines: 4 of 4 values are NaN"):
        ns.load_responses(path)
    other = dataclasses.replace(lines, name="words")
    with READERS.added(lines), READERS.added(other), pytest.raises(InputError, match="the formats lines, words; say"):
        ns.load_responses(path)


def test_a_format_of_an_installed_package_is_read_like_the_others(tmp_path):
    source = (
        "from neurosim.recordings.reader import Reader\n"
        "def read(path, options):\n"
        "    import numpy as np\n    import neurosim as ns\n    return ns.as_responses(np.full((2, 3), 7.0))\n"
        "SEVENS = Reader('sevens', 'nothing but sevens', ('.7s',), responses=read)\n"
    )
    installed(tmp_path, "format_of_sevens", source)
    (tmp_path / "a.7s").touch()
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import neurosim as ns\n"
        f"print(float(ns.load_responses({str(tmp_path / 'a.7s')!r}).sum()))"
    )
    done = subprocess.run(forks.command("-c", code), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "42.0"
