"""The README is true: its ten lines run, its commands are those of CI, its links lead somewhere."""

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


def test_models_and_ingredients_are_as_many_as_it_says():
    ingredients = (ROOT / "analyses" / "ingredients" / "table1_ingredients.md").read_text()
    rows = re.findall(r"^\| (?!ingredient \||---).*\|$", ingredients, re.MULTILINE)
    said = re.search(r"(\d+) ingredients", README)
    assert said
    assert int(said[1]) == len(rows)
    words = {21: "Twenty-one", 22: "Twenty-two", 23: "Twenty-three", 24: "Twenty-four", 25: "Twenty-five"}
    assert f"{words[len([*(ROOT / 'analyses' / 'gallery' / 'classics').glob('*.py')])]} published models" in README
