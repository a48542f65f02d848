"""Does verify find what was changed, whoever wrote the manifest again?"""

import json

from neurosim.study.verify import rerun_results

from .conftest import neurosim


def test_the_results_folder_alone_repeats_the_study(finished):
    folder = finished.folder
    for file in finished.study.parent.iterdir():
        file.unlink()
    verdicts = rerun_results(folder, jobs=2)
    assert {v.verdict for v in verdicts} == {"bitwise"}


def test_verify_finds_what_changed(finished, tmp_path):
    folder = finished.folder
    assert neurosim("verify", folder, cwd=tmp_path).returncode == 0
    resolved = json.loads((folder / "resolved.json").read_text())
    (folder / "resolved.json").write_text(json.dumps(resolved | {"seed": 4}))
    damaged = neurosim("verify", folder, cwd=tmp_path)
    assert damaged.returncode == 2
    assert "resolved.json" in damaged.stderr
    differing = [v for v in rerun_results(folder, jobs=2) if v.verdict == "differs"]
    assert differing[0].step == "compare:area"
    assert "scores.nc" in differing[0].detail
