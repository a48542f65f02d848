"""Does verify find what was changed, whoever wrote the manifest again?"""

import json
import os
import re

import numpy as np
import pytest

from neurosim import storage
from neurosim.refusals import InputError
from neurosim.study.differences import TOLERANCE, difference, gap
from neurosim.study.verify import check_results, rerun_results

from .conftest import neurosim


def test_the_results_folder_alone_repeats_the_study(finished):
    for file in finished.study.parent.iterdir():
        file.unlink()
    verdicts = rerun_results(finished.folder, jobs=1)
    assert {v.verdict for v in verdicts} == {"bitwise"}
    names = {v.step for v in verdicts}
    assert {"rsa:area", "figure:scores_area", "numbers.json", "provenance.json", "report.html", "study.toml"} <= names
    assert len(names) == len(verdicts)


def edited(pattern, text):
    """Return a forgery that replaces the first match of a pattern in a text file."""

    def forge(path):
        before = path.read_text()
        after = re.sub(pattern, text, before, count=1)
        assert after != before
        path.write_text(after)

    return forge


def better(path):
    scores = storage.read_dataset(path)
    scores["score"].values[0] += 1e-9
    storage.write_dataset(path, scores)


FORGED = {
    "results/rsa_area/scores.nc": ("rsa:area", better),
    "results/rdms_near/rdms.rdm.csv": ("rdms:near", edited(r"\d\n", "1\n2\n")),
    "figures/scores_area.csv": ("figure:scores_area", edited(r"0\.\d", "0.99")),
    "figures/rdms.svg": ("figure:rdms", edited("</svg>", "<!-- --></svg>")),
    "figures/subjects.png": ("figure:subjects", lambda path: path.write_bytes(path.read_bytes() + b"x")),
    "numbers.json": ("numbers.json", edited(r"(\d)\.(\d)", r"\1.9\2")),
    "report.html": ("report.html", edited("new stimuli", "all stimuli")),
    "provenance.json": ("provenance.json", edited(r'"digest": "[0-9a-f]{4}', '"digest": "0000')),
    "study.toml": ("study.toml", edited("n_bootstrap = 100", "n_bootstrap = 1000")),
}


def test_a_forged_file_with_a_rewritten_manifest_is_found(finished):
    for name, (_, forge) in FORGED.items():
        forge(finished.folder / name)
    (finished.folder / "figures" / "bonus.csv").write_text("listed, but nobody made it")
    storage.write_manifest(finished.folder)
    check_results(finished.folder)
    verdicts = {v.step: v for v in rerun_results(finished.folder, jobs=1)}
    differing = {name for name, v in verdicts.items() if v.verdict == "differs"}
    assert differing == {step for step, _ in FORGED.values()} | {"figures/bonus.csv"}
    assert "scores.nc" in verdicts["rsa:area"].detail


def test_verify_finds_what_changed(finished, tmp_path):
    folder = finished.folder
    assert neurosim("verify", folder, cwd=tmp_path).returncode == 0
    resolved = json.loads((folder / "resolved.json").read_text())
    (folder / "resolved.json").write_text(json.dumps(resolved | {"seed": 4}))
    damaged = neurosim("verify", folder, cwd=tmp_path)
    assert damaged.returncode == 2
    assert "resolved.json" in damaged.stderr
    differing = [v for v in rerun_results(folder, jobs=1) if v.verdict == "differs"]
    assert differing[0].step == "rsa:area"
    assert "scores.nc" in differing[0].detail


def manifest(change):
    def forge(folder):
        path = folder / "MANIFEST.sha256"
        path.write_text(change(path.read_text()))

    return forge


def linked(folder):
    (folder / "numbers.json").rename(folder.parent / "numbers.json")
    (folder / "numbers.json").symlink_to(folder.parent / "numbers.json")


BROKEN = {
    "no manifest": (lambda f: (f / "MANIFEST.sha256").unlink(), "no MANIFEST.sha256"),
    "an empty manifest": (manifest(lambda _: ""), "does not list"),
    "a manifest without the report": (
        manifest(lambda t: "".join(x for x in t.splitlines(True) if "report.html" not in x)),
        "does not list report.html",
    ),
    "a manifest of nonsense": (manifest(lambda t: "nonsense\n" + t), "line 1"),
    "a manifest that leads out": (manifest(lambda t: t + "0" * 64 + "  ../study/study.toml\n"), "leads out"),
    "a changed figure": (lambda f: (f / "figures" / "rdms.csv").write_text("x"), "figures/rdms.csv"),
    "a missing file": (lambda f: (f / "inputs" / "near.nc").unlink(), "inputs/near.nc"),
    "an unlisted file": (lambda f: (f / "figures" / "mine.svg").write_text("x"), "'figures/mine.svg'; your own"),
    "an unlisted link": (lambda f: (f / "loop").symlink_to(f), "'loop'"),
    "a link in the place of a file": (linked, "'numbers.json' is no plain file"),
    "a pipe": (lambda f: os.mkfifo(f / "pipe"), "'pipe'"),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_a_folder_that_is_not_what_its_manifest_says_is_one_line(what, finished):
    forge, message = BROKEN[what]
    forge(finished.folder)
    with pytest.raises(storage.StorageError, match=re.escape(message)) as caught:
        check_results(finished.folder)
    assert "\n" not in str(caught.value)


def provenance(change):
    def forge(folder):
        path = folder / "provenance.json"
        content = json.loads(path.read_text())
        path.write_text(json.dumps(change(content) or content))

    return forge


def reads_outside(folder):
    path = folder / "resolved.json"
    path.write_text(path.read_text().replace("inputs/near.nc", "../../study/near.nc"))


HOSTILE = {
    "a list": provenance(lambda _: [1]),
    "no steps": provenance(lambda c: c.pop("steps") and None),
    "steps as text": provenance(lambda c: c.update(steps="all")),
    "seconds as markup": provenance(lambda c: c["steps"][0].update(seconds="<b>")),
    "endless seconds": provenance(lambda c: c["steps"][0].update(seconds=float("inf"))),
    "a key that is none": provenance(lambda c: c["steps"][0].update(key="x")),
    "a machine with more": provenance(lambda c: c["machine"].update(more=1)),
    "a version that is none": provenance(lambda c: c["libraries"].update(numpy=3)),
    "5,000 digits": lambda f: (f / "provenance.json").write_text("7" * 5000),
    "nested 100,000 times": lambda f: (f / "provenance.json").write_text("[" * 100_000),
    "a study that reads outside": reads_outside,
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_folder_is_one_line_and_runs_nothing(what, finished):
    HOSTILE[what](finished.folder)
    with pytest.raises(InputError) as caught:
        rerun_results(finished.folder, jobs=1)
    assert "\n" not in str(caught.value)


def test_nan_equals_nan_only():
    nan = np.array([np.nan, 1.0])
    assert gap(nan, nan.copy()) == 0
    assert gap(nan, np.array([0.0, 1.0])) == gap(np.array([0.0, 1.0]), nan) == np.inf
    assert gap(np.array([np.inf]), np.array([np.inf])) == 0
    assert gap(np.array([np.inf]), np.array([-np.inf])) == gap(np.array([np.inf]), np.array([1.0])) == np.inf
    assert gap(np.array([2.0, 1.0]), np.array([2.0, 1.5])) == 0.25
    assert gap(np.array(["a"]), np.array(["b"])) == gap(np.zeros(2), np.zeros(3)) == np.inf
    assert gap(np.zeros(0), np.zeros(0)) == gap(np.array([np.nan]), np.array([np.nan])) == 0


def test_numbers_in_texts_may_move_by_their_last_digit_and_nothing_else_may(tmp_path):
    texts = {
        "a.csv": "x,1.50,2e-3", "rounded.csv": "x,1.51,2e-3", "other.csv": "x,1.60,2e-3", "word.csv": "y,1.50,2e-3",
    }  # fmt: skip
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    gaps = [difference(tmp_path / "a.csv", tmp_path / name)[0] for name in texts]
    assert gaps[0] == 0 < gaps[1] <= TOLERANCE < gaps[2] < gaps[3] == np.inf
