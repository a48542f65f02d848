"""The GPU campaign runs on the CPU at small size, so that it is ready on the day a GPU is at hand."""

import json
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "analyses" / "benchmarks"


@pytest.fixture(scope="module")
def campaign():
    sys.path.insert(0, str(FOLDER))
    try:
        import gpu

        yield gpu
    finally:
        sys.path.remove(str(FOLDER))


def test_every_part_runs_on_the_cpu_and_reaches_what_is_asked_there(campaign, tmp_path):
    campaign.main(tmp_path, "cpu", list(campaign.PARTS))
    found = json.loads((tmp_path / "gpu_on_cpu.json").read_text())
    rows = [r for part in found["parts"].values() for r in part]
    assert found["device"] == "CPU" and not found["is_gpu"] and set(found["parts"]) == set(campaign.PARTS)
    assert all(found["parts"].values()) and [r for r in rows if not r.get("reached", True)] == []
    missing = {r["what"] for r in rows if "not_run" in r and "SpikingJelly" not in r["what"]}
    assert missing == {"layers on cuda:1", "accuracy in float16"}
    assert (tmp_path / "gpu_on_cpu.png").stat().st_size > 1000
    assert (tmp_path / "gpu_on_cpu.md").read_text() == campaign.listed(found)


def test_results_go_to_a_folder(campaign, tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(SystemExit, match="out is a file; a folder for the results is asked"):
        campaign.main(tmp_path / "out", "cpu", [])


def test_a_part_that_fails_does_not_take_the_others_with_it(campaign, monkeypatch):
    def breaks(place):
        raise ValueError("no")

    monkeypatch.setitem(campaign.PARTS, "engines", (breaks, 1))
    found = campaign.campaign("cpu", ["engines", "second GPU"])["parts"]
    assert found["engines"] == [{"what": "engines", "not_run": "ValueError: no"}] and len(found["second GPU"]) == 1


def test_on_one_card_it_takes_no_longer_than_eight_minutes(campaign):
    assert sum(limit for _, limit in campaign.PARTS.values()) <= 480


@pytest.mark.parametrize("path", sorted(FOLDER.glob("gpu*.json")), ids=lambda p: p.stem)
def test_the_list_of_what_has_run_is_made_of_the_numbers(campaign, path):
    assert path.with_suffix(".md").read_text() == campaign.listed(json.loads(path.read_text()))
