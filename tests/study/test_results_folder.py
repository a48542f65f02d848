"""Is the results folder complete, and is everything in it that is not ours left alone?"""

import json
import subprocess

from neurosim import storage
from neurosim.study.run import check_study, run_study

from .conftest import content, everything, neurosim


def test_a_second_run_takes_everything_from_the_store(finished):
    before = content(finished.folder)
    second = run_study(finished.study, out=finished.folder)
    assert second.n_hits == second.n_steps > 0
    assert content(second.folder) == before


def test_a_run_from_nothing_gives_the_same_bytes_whatever_the_number_of_jobs(finished, tmp_path):
    two = run_study(finished.study, out=tmp_path / "two" / "small", jobs=2)
    assert two.n_hits == 0
    assert content(two.folder) == content(finished.folder)


def test_the_results_folder_is_complete_and_checks_itself(finished):
    folder = finished.folder
    wanted = ("study.toml", "resolved.json", "provenance.json", "numbers.json", "report.html", "MANIFEST.sha256")
    assert all((folder / name).is_file() for name in wanted)
    assert (folder / "study.toml").read_text() == finished.study.read_text()
    assert {p.suffix for p in (folder / "figures").iterdir()} == {".svg", ".pdf", ".png", ".csv", ".nc"}
    subprocess.run(["sha256sum", "-c", "--quiet", "MANIFEST.sha256"], cwd=folder, check=True)
    provenance = json.loads((folder / "provenance.json").read_text())
    assert provenance["seed"] == 3
    assert {"numpy", "torch", "brian2"} <= set(provenance["libraries"])
    page = (folder / "report.html").read_text()
    assert page.count("<svg") == 3
    assert "http-equiv" not in page
    assert "<script" not in page
    assert "What would make it differ" in page
    assert "10.7554/eLife.82566" in page


def test_a_folder_that_is_not_ours_is_left_as_it_is(small_study, tmp_path):
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "ch1.tex").write_text("x")
    forged = tmp_path / "forged"
    forged.mkdir()
    (forged / "mine.txt").write_text("x")
    storage.write_manifest(forged, "MANIFEST.sha256")
    link = tmp_path / "link"
    link.symlink_to(thesis)
    for out in (thesis, forged, link, small_study.parent, small_study):
        before = everything(tmp_path)
        run = neurosim("run", small_study, "-o", out, cwd=tmp_path)
        assert run.returncode == 2
        assert "choose another" in run.stderr
        assert len(run.stderr.strip().splitlines()) == 1
        assert everything(tmp_path) == before


def test_notes_placed_in_results_stay(finished):
    folder = finished.folder
    before = content(folder)
    (folder / "results" / "notes.md").write_text("look at pair 3")
    (folder / "numbers.json").write_text("{}")
    run_study(finished.study, out=folder)
    assert (folder / "results" / "notes.md").read_text() == "look at pair 3"
    (folder / "results" / "notes.md").unlink()
    assert content(folder) == before


def test_check_runs_nothing_and_status_tells_how_far(finished, tmp_path):
    looks = check_study(finished.study, out=tmp_path / "nowhere" / "small")
    assert [look.state for look in looks][:2] == ["miss", "waits"]
    assert not (tmp_path / "nowhere").exists()
    assert {x.state for x in check_study(finished.study, out=finished.folder)} == {"hit"}
    state = json.loads(neurosim("status", finished.study, "--out", "out/small", "--json", cwd=tmp_path).stdout)
    assert (state["hits"], state["steps"], state["whole"]) == (len(looks), len(looks), True)


def test_a_change_reruns_only_what_depends_on_it(finished):
    finished.study.write_text(finished.study.read_text().replace("n_bootstrap = 100", "n_bootstrap = 120"))
    missing = [x.step.name for x in check_study(finished.study, out=finished.folder) if x.state != "hit"]
    assert missing == ["rsa:area", "figure:scores_area"]
