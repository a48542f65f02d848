"""The README is true: its ten lines run, its commands are those of CI, its links lead somewhere."""

import json
import re
from pathlib import Path

import numpy as np
from PIL import Image

from .study.conftest import script

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def test_the_ten_lines_bring_own_model_and_own_data_to_a_report(tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.S)
    rng = np.random.default_rng(0)
    rows = ["stimulus,trial,unit,time"]
    for category in ("cat", "dog"):
        (tmp_path / "my_pictures" / category).mkdir(parents=True)
        for i in range(5):
            name = f"{category}/{i}.png"
            Image.fromarray(rng.integers(0, 255, (12, 12, 3), dtype=np.uint8)).save(tmp_path / "my_pictures" / name)
            rows += [
                f"{name},{t},n{u},{rng.random():.3f}"
                for t in range(2)
                for u in range(8)
                for _ in range(1 + rng.poisson(3))
            ]
    (tmp_path / "my_neurons.csv").write_text("\n".join(rows))
    (tmp_path / "ten_lines.py").write_text(code)
    done = script("ten_lines.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "results/mine/report.html" in done.stdout
    assert (tmp_path / "results" / "mine" / "report.html").is_file()


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("http") or (ROOT / target.replace("\\", "")).exists(), target


def test_every_marked_number_is_that_of_its_file_of_results(monkeypatch):
    """What a comment names in a file of results, in its format, is what stands after the comment."""
    monkeypatch.syspath_prepend(str(ROOT / "notebooks" / "_extensions"))
    from number_role import number

    marked = re.findall(r"<!-- (analyses/.*?) -->([\d.,]+)", README)
    assert len(marked) > 3
    assert {where: said.rstrip(".,") for where, said in marked} == {where: number(where) for where, _ in marked}
    assert "<!--" not in re.sub(r"<!-- analyses/.*? -->[\d.,]+", "", README)


def test_ci_runs_the_second_command():
    commands = re.findall(r"```bash\n(.*?)\n```", README, re.S)
    assert len(commands) == 2
    assert "pytest" in commands[1]
    assert "neurosim demo" in commands[0]


def test_what_is_counted_in_words_is_what_the_tables_and_measurements_hold():
    classics = re.findall(r"^\| \[", (ROOT / "analyses/gallery/table1_gallery.md").read_text(), re.M)
    ingredients = re.findall(
        r"^\| (?!ingredient)", (ROOT / "analyses/ingredients/table1_ingredients.md").read_text(), re.M
    )
    assert f"{len(classics)} published models" in README
    assert re.search(rf"\b{len(ingredients)}\s+ingredients", README)


def test_large_circuits_take_as_long_as_the_readme_says():
    """Ours over the same network by hand, each run beside the other, on every target that was measured."""
    rows = json.loads((ROOT / "analyses/benchmarks/fig4_circuit_scale.json").read_text())["results"]
    took = {(row["network"], row["neurons"], row["synapses"], row["case"]): row["run"] for row in rows}
    ratios = {k: took[k] / took[(*k[:3], k[3].replace("ours brian2", "hand numpy").replace("ours", "hand"))]
              for k in took if k[3] in ("ours brian2", "ours cython", "ours cpp_standalone")}  # fmt: skip
    worst = {network: max(v for k, v in ratios.items() if k[0] == network) for network in {k[0] for k in ratios}}
    assert "within a tenth" in README
    assert 1 < worst.pop("currents") < 1.10
    assert "up to a third longer" in README
    assert 1.10 < max(worst.values()) < 1.34
