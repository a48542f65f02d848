"""What stands around the code is true: the examples of CONTRIBUTING run, workflows are valid, versions agree."""

import hashlib
import json
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from importlib import resources
from pathlib import Path

import jsonschema
import pytest
import yaml

from neurosim.version import __version__
from tests import forks

ROOT = Path(__file__).resolve().parent.parent
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
SCHEMAS = {
    "CITATION.cff": "citation-file-format",
    ".github/dependabot.yml": "dependabot",
    ".github/ISSUE_TEMPLATE/config.yml": "github-issue-config",
}
SPIKES = """stimulus,trial,unit,time
face,0,a,0.05
face,1,a,0.07
house,0,b,0.02
house,1,b,0.11
house,1,a,0.30
"""
USES_ALL_THREE = """
import numpy as np

import neurosim as ns
from neurosim.biophysics import Circuit, Input, Population, Projection
from neurosim.biophysics.neurons.exponential_if import ExponentialIFParameters

patterns = np.array([[0.0, 1.0], [2.0, 5.0], [0.5, 1.0]])
rdm = ns.compute_rdm(patterns, metric="chebyshev")
assert rdm.values[0].tolist() == [0.0, 4.0, 0.5], rdm

cells = Population("cells", 1, ExponentialIFParameters(), drive=3e-10)
circuit = Circuit("one", Input(1), (cells,), (Projection("input", "cells", [[0.0]]),), dt=1e-4, step=1e-3)
silence = ns.as_stimuli(np.zeros((1, 200, 1)), dims=("stimulus", "time", "unit"), time_step=1e-3)
spikes = [ns.simulate(circuit, silence, engine=engine, progress=False) for engine in ("brian2", "torch")]
assert spikes[0].sum() > 5 and np.array_equal(*spikes), spikes

counts = ns.load_dataset("example2026_it").responses["IT"]
assert counts.sel(stimulus="house", unit="b").values.tolist() == [1.0, 1.0], counts
"""


def workflows() -> list[Path]:
    return sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def schema_of(path: Path) -> str:
    name = path.relative_to(ROOT).as_posix()
    folder = {"workflows": "github-workflows", "ISSUE_TEMPLATE": "github-issue-forms"}
    return SCHEMAS.get(name) or folder[path.parent.name]


def described() -> list[Path]:
    return [ROOT / "CITATION.cff", *sorted((ROOT / ".github").rglob("*.yml"))]


@pytest.mark.parametrize("path", described(), ids=lambda p: p.name)
def test_a_file_for_the_machines_of_others_is_as_they_ask(path):
    """Their schemas come with check-jsonschema."""
    pytest.importorskip("check_jsonschema")
    schemas = resources.files("check_jsonschema") / "builtin_schemas" / "vendor"
    schema = json.loads((schemas / f"{schema_of(path)}.json").read_text())
    content = yaml.load(path.read_text(), Loader=yaml.BaseLoader)  # dates stay text, and "on" is a word
    if schema_of(path) == "citation-file-format":
        jsonschema.validate(content, schema)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({k: v for k, v in content.items() if k != "authors"}, schema)
    else:
        jsonschema.validate(yaml.safe_load(path.read_text().replace("\non:", '\n"on":')), schema)


@pytest.mark.parametrize("path", workflows(), ids=lambda p: p.stem)
def test_workflows_name_what_they_run_by_its_sum_and_ask_for_no_right_that_they_do_not_need(path):
    content = yaml.safe_load(path.read_text().replace("\non:", '\n"on":'))
    assert content["permissions"] == {"contents": "read"}
    assert all("timeout-minutes" in job for job in content["jobs"].values())
    used = re.findall(r"uses: (\S+)(.*)", path.read_text())
    assert used
    for action, remark in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", remark), remark


def test_one_sum_is_one_version_of_an_action_everywhere():
    found = {m for path in workflows() for m in re.findall(r"uses: (\S+)@(\S+) # (\S+)", path.read_text())}
    assert len(found) == len({action for action, _, _ in found})


@pytest.mark.skipif(sys.platform == "win32", reason="asks for bash")
def test_the_commands_of_workflows_are_there():
    """What a step runs of ours exists, extras that it installs are those of the project, and bash can read it."""
    extras = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    for path in workflows():
        content = yaml.safe_load(path.read_text())
        for command in (s["run"] for job in content["jobs"].values() for s in job["steps"] if "run" in s):
            plain = re.sub(r"\$\{\{.*?\}\}", "value", command)
            assert subprocess.run(["bash", "-n", "-c", plain], check=False).returncode == 0, command
            for name in re.findall(r"(?<![\w/])((?:tests|\.ci|notebooks)(?:/[\w./-]+)?)", plain):
                assert (ROOT / name).exists(), name
            for named in re.findall(r"\.\[([\w,]+)\]", plain):
                assert set(named.split(",")) <= extras


def test_pre_commit_runs_the_versions_that_the_tests_run():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    pinned = dict(re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / "tests" / "constraints.txt").read_text(), re.MULTILINE))
    revisions = {repo["repo"].rpartition("/")[2]: repo.get("rev") for repo in hooks if repo["repo"] != "local"}
    assert revisions == {"ruff-pre-commit": f"v{pinned['ruff']}"}
    local = [hook["entry"] for repo in hooks if repo["repo"] == "local" for hook in repo["hooks"]]
    assert local == ["mypy", "lint-imports"]


def test_the_version_is_said_alike():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert str(citation["version"]) == __version__
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git to apply a change")
def test_a_metric_a_neuron_and_a_data_set_are_each_a_change_of_one_file(tmp_path):
    """The three changes of CONTRIBUTING, applied to a copy as they stand, and used."""
    changes = re.findall(r"```diff\n(.*?)```", CONTRIBUTING, re.DOTALL)
    assert [change.count("+++ b/neurosim/") for change in changes] == [1, 1, 1]
    shutil.copytree(ROOT / "neurosim", tmp_path / "neurosim", ignore=shutil.ignore_patterns("__pycache__"))
    for change in changes:
        subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=change, text=True, check=True)
    (tmp_path / "data" / "example2026_it").mkdir(parents=True)
    (tmp_path / "data" / "example2026_it" / "spikes.csv").write_text(SPIKES)
    assert hashlib.sha256(SPIKES.encode()).hexdigest() in changes[2]
    (tmp_path / "use.py").write_text(USES_ALL_THREE)
    here = {"PYTHONPATH": str(tmp_path), "NEUROSIM_DATA": str(tmp_path / "data"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(forks.command("use.py"), cwd=tmp_path, env=here, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_links_between_the_pages_lead_somewhere():
    for page in ("CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md"):
        for target, _, part in re.findall(r"\]\((?!https?:)([^)#]*)(#?)([^)]*)\)", (ROOT / page).read_text()):
            file = ROOT / (target or page)
            assert file.is_file(), f"{page}: {target}"
            headings = re.findall(r"^#+ (.*)", file.read_text(), re.MULTILINE) if part else []
            anchors = [re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings]
            assert not part or part in anchors, f"{page}: {target}#{part}"


def test_what_is_timed_over_commits_are_our_sides_of_the_pairs():
    folder = ROOT / "analyses" / "benchmarks"
    settings = json.loads((folder / "asv.conf.json").read_text())
    assert (folder / settings["repo"] / ".git").exists() or (folder / settings["repo"] / "pyproject.toml").is_file()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path])
        rooms = runpy.run_path(str(folder / settings["benchmark_dir"] / "rooms.py"))
    assert "Room" not in rooms
    kinds = [rooms[name] for name in ("Similarity", "Simulation", "Training")]
    assert all(len(kind.params[0]) > 3 and hasattr(kind, "time_ours") for kind in kinds)
    timed = rooms["Similarity"]()
    timed.setup("linear CKA, n = 2000, p = 300")
    timed.time_ours("linear CKA, n = 2000, p = 300")
    assert 0 < float(timed.ours()) < 1
