"""Make each mistake of a list in a copy of the project, run the tests that should see it, and write who noticed.

``python -m tests.mutation.mutate [FILE ...] [--commit REV] [--tests PATH ...] [-o results.json]``; see README.md.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import json
import os
import platform
import re
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RESULTS = ("killed", "survived", "does not apply")
PASSED, FAILED, BROKEN, NONE_FOUND = 0, 1, 2, 5  # what pytest returns
CRASHED, ELSEWHERE = 98, 99
LIBRARIES = ("numpy", "scipy.stats", "scipy.integrate", "pandas", "xarray", "h5netcdf", "sklearn.linear_model", "torch",
             "snntorch", "nir", "brian2", "pynwb", "neo", "hypothesis", "matplotlib.pyplot")  # fmt: skip

EMPTY: Mapping[Any, Any] = {}

Mutant = Mapping[str, Any]
Key = tuple[str, str, str]


def read_mutants(path: Path = HERE / "mutants.toml") -> list[dict[str, Any]]:
    """Return the mutants of a list: file, old, new, tests, why."""
    found: list[dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))["mutant"]
    return found


def key_of(mutant: Mutant) -> Key:
    """Return what tells a mutant from others."""
    return mutant["file"], mutant["old"], mutant["new"]


def fault_of(mutant: Mutant, root: Path) -> str | None:
    """Return why a mutant cannot be made of the files under `root`, or None."""
    path = root / mutant["file"]
    if not path.is_file():
        return "no such file"
    n = path.read_text(encoding="utf-8").count(mutant["old"])
    return None if n == 1 else f"the old text stands {n} times in the file"


def copy_tree(root: Path, commit: str | None, folder: Path) -> str:
    """Copy the project, as it stands or at a commit, into `folder`; return the commit, with + where files differ."""

    def git(*command: str) -> bytes:
        return subprocess.run(["git", "-C", str(root), *command], check=True, capture_output=True).stdout

    name = git("rev-parse", "--short", commit or "HEAD").decode().strip()
    if commit is not None:
        with tarfile.open(fileobj=BytesIO(git("archive", commit))) as archive:
            archive.extractall(folder, filter="data")
        return name
    for line in git("ls-files", "-z", "--cached", "--others", "--exclude-standard").decode().split("\0"):
        if line and (root / line).is_file():
            (folder / line).parent.mkdir(parents=True, exist_ok=True)
            (folder / line).write_bytes((root / line).read_bytes())
    return name + "+" * bool(git("status", "--porcelain", "--", "neurosim", "tests").strip())


def import_libraries() -> None:
    """Import what takes seconds, once: every run of tests is a fork of this process."""
    for name in LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def run_tests(root: Path, package: str, tests: Sequence[str], limit: float | None) -> tuple[str, str]:
    """Run tests in the copy `root` until the first fails; return how it ended and the test that failed."""
    with tempfile.TemporaryFile() as output:
        child = os.fork()
        if child == 0:
            _run_in_child(root, package, tests, output.fileno())
        code, end = None, None if limit is None else time.monotonic() + limit
        try:
            while code is None and (end is None or time.monotonic() < end):
                done, status = os.waitpid(child, os.WNOHANG)
                code = os.waitstatus_to_exitcode(status) if done else None
                time.sleep(0.0 if done else 0.05)
        finally:
            if code is None:
                os.killpg(child, signal.SIGKILL)
                os.waitpid(child, 0)
        output.seek(0)
        said = output.read().decode(errors="replace")
    if code is None:
        return "killed", "time limit"
    if code == ELSEWHERE:
        raise SystemExit(f"{package} is not imported from the copy.")
    if code not in (PASSED, FAILED, BROKEN, NONE_FOUND) and code > 0:
        raise SystemExit(f"pytest ended with {code}:\n{said[-2000:]}")
    first = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", said, re.MULTILINE)
    return ("survived", "") if code in (PASSED, NONE_FOUND) else ("killed", first[1] if first else f"ended with {code}")


def _run_in_child(root: Path, package: str, tests: Sequence[str], output: int) -> None:
    """Become a process of the copy that writes to the file `output`, and end with what pytest returns."""
    code: int = CRASHED
    try:
        os.setsid()
        for stream in (1, 2):
            os.dup2(output, stream)
        os.chdir(root)
        os.environ |= {"PYTHONPATH": str(root), "XDG_CACHE_HOME": str(root / ".cache")}
        os.environ |= {"PYTHONDONTWRITEBYTECODE": "1", "NEUROSIM_TESTS_BYTECODE": "never"}
        # a mutant of the same size, made within a second, would be taken for the file before by its bytecode
        sys.dont_write_bytecode = True
        sys.path[:] = [str(root), *(p for p in sys.path if Path(p).resolve() != ROOT)]
        for name in [n for n in sys.modules if n.split(".")[0] in ("tests", package)]:
            del sys.modules[name]
        spec = importlib.util.find_spec(package)
        if spec is None or not Path(str(spec.origin)).resolve().is_relative_to(root.resolve()):
            code = ELSEWHERE
        else:
            # a module that is named is searched for tests too: of the project's own only the examples are meant
            deselected = [f"--deselect={t}::test_" for t in tests if t.startswith("neurosim/")]
            code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--tb=no", "-rfE", *tests, *deselected]))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def selected(mutant: Mutant, root: Path, given: Sequence[str] = ()) -> list[str]:
    """Return the tests to run for a mutant, of those that `root` has: the examples of its file, then those listed."""
    own = [mutant["file"]] if mutant["file"].startswith("neurosim/") and mutant["file"].endswith(".py") else []
    return [*own, *(t for t in given or mutant["tests"] if (root / t.split("::")[0]).is_file())]


def outcomes(
    mutants: Sequence[Mutant], root: Path, limit: float, given: Sequence[str] = (), killers: Mapping[Key, str] = EMPTY
) -> Iterator[dict[str, Any]]:
    """Make one mutant after the other in the copy `root`, put the file back, and yield what became of each.

    What killed a mutant another time (`killers`) is run first. A test that kills is run without the mutant too, once;
    the tool stops where it fails then, since it would seem to kill every mutant.
    """
    passed = {"", "time limit"}
    for mutant in mutants:
        path, result, by = root / mutant["file"], "does not apply", fault_of(mutant, root)
        start = time.monotonic()
        if by is None:
            package, tests = mutant["file"].split("/")[0], selected(mutant, root, given)
            known = killers.get(key_of(mutant), "").split("[")[0]
            first = [known] if not given and _is_there(known, root) else []
            text = path.read_text(encoding="utf-8")
            try:
                path.write_text(text.replace(mutant["old"], mutant["new"]), encoding="utf-8")
                result, by = run_tests(root, package, [*first, *tests], limit)
            finally:
                path.write_text(text, encoding="utf-8")
            if by not in passed and run_tests(root, package, [by], None)[0] == "killed":
                raise SystemExit(f"{by} fails without any mutant; only tests that pass can tell one.")
            passed.add(by)
        seconds = round(time.monotonic() - start, 1)
        yield {k: mutant[k] for k in ("file", "old", "new", "why")} | {"result": result, "by": by, "seconds": seconds}


def _is_there(test: str, root: Path) -> bool:
    file, _, name = test.partition("::")
    path = root / file
    return bool(name) and file.startswith("tests/") and path.is_file() and f"def {name}(" in path.read_text("utf-8")


def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return how many mutants ended how, and the share killed of those that apply."""
    counts = Counter(row["result"] for row in rows)
    applied = counts["killed"] + counts["survived"]
    in_time = sum(row["by"] == "time limit" for row in rows)
    rate = round(counts["killed"] / applied, 4) if applied else None
    return {"mutants": len(rows), **{r: counts[r] for r in RESULTS}, "killed by the time limit": in_time, "rate": rate}


def _merged(before: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    known = {key_of(r): r for r in (*before, *rows)}
    return list(known.values())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the tool from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation.mutate", description=__doc__)
    parser.add_argument("files", nargs="*", help="mutate these files or folders only")
    parser.add_argument("--commit", help="the code and the tests of this commit, with today's list")
    parser.add_argument("--tests", nargs="+", default=[], help="these tests for every mutant, in place of its own")
    parser.add_argument("--name", default="after", help="under which name the results are written")
    parser.add_argument("--survivors", action="store_true", help="only those that survived under that name")
    parser.add_argument("--limit", type=float, default=300, help="s a mutant; one that takes longer counts as killed")
    parser.add_argument("-o", "--output", type=Path, default=HERE / "results.json")
    asked = parser.parse_args(arguments)
    written = json.loads(asked.output.read_text(encoding="utf-8")) if asked.output.is_file() else {}
    kept = written.get(asked.name, {}).get("results", [])
    lived = {key_of(r) for r in kept if r["result"] == "survived"}
    mutants = [
        m for m in read_mutants()
        if (not asked.files or any(Path(m["file"]).is_relative_to(f) for f in asked.files))
        and (not asked.survivors or key_of(m) in lived)
    ]  # fmt: skip
    if not mutants:
        raise SystemExit("no such mutants in mutants.toml")
    listed = {key_of(m) for m in read_mutants()}
    kept = [r for r in kept if key_of(r) in listed]
    killers = {key_of(r): r["by"] for run in written.values() for r in run["results"] if r["result"] == "killed"}
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        about = {"commit": copy_tree(ROOT, asked.commit, root), "python": platform.python_version(),
                 "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"}  # fmt: skip
        import_libraries()
        for row in outcomes(mutants, root, asked.limit, asked.tests, killers):
            rows.append({**row, "commit": about["commit"]})
            whole = _merged(kept, rows)
            written[asked.name] = {**about, **summary(whole), "seconds": round(sum(r["seconds"] for r in whole)),
                                   "results": whole}  # fmt: skip
            asked.output.write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            said = f"{len(rows)}/{len(mutants)} {row['result']} {row['file']}: {row['why']} [{row['by']}]\n"
            sys.stderr.write(said)
    sys.stderr.write(f"{summary(rows)}\n")


if __name__ == "__main__":
    main()
