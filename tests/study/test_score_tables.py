"""Tables of scores: LaTeX is taken apart again, numbers have the digits of their errors, CSV has every digit."""

import math
import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import neurosim as ns
from neurosim.schema import InputError
from neurosim.study.score_tables import is_table_of_scores, rounded

ESCAPES = {r"\&": "&", r"\%": "%", r"\$": "$", r"\#": "#", r"\_": "_", r"\{": "{", r"\}": "}"}
ESCAPES |= {r"\textasciitilde{}": "~", r"\textasciicircum{}": "^", r"\textbackslash{}": "\\"}
NAMES = ["conv_1", "50 % & $x^2$", r"back\slash{~}", "plain"]


def read_back(text):
    return re.sub("|".join(map(re.escape, ESCAPES)), lambda m: ESCAPES[m[0]], text)


def taken_apart(text):
    """Caption, alignment, head and rows of a table of LaTeX; cells are parted by & that no backslash escapes."""
    caption = re.search(r"\\caption\{(.*)\}\n", text)
    alignment = re.search(r"\\begin\{tabular\}\{(.*)\}", text)[1]
    head, body = re.search(r"\\toprule\n(.*)\\midrule\n(.*)\\bottomrule", text, re.DOTALL).groups()
    rows = []
    for line in [head.strip(), *body.strip().splitlines()]:
        assert line.endswith(r" \\")
        rows.append([cell.strip() for cell in re.split(r"(?<!\\)&", line.removesuffix(r"\\"))])
    assert {len(row) for row in rows} == {len(alignment)}
    for begin in re.findall(r"\\begin\{(\w+)\}", text):
        assert text.count(f"\\begin{{{begin}}}") == text.count(f"\\end{{{begin}}}") == 1
    return caption and caption[1], alignment, rows[0], rows[1:]


@pytest.fixture(scope="module")
def result():
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(10, 12))
    data = xr.concat([ns.compute_rdm(truth + rng.normal(size=truth.shape)) for _ in range(5)], "subject")
    models = {n: ns.compute_rdm(truth * w + rng.normal(size=truth.shape)) for n, w in zip(NAMES, (0, 1, 2, 9))}  # noqa: B905
    return ns.infer(models, data)


def test_latex_says_what_the_result_says(result, tmp_path):
    ns.study.save_scores(tmp_path / "a.tex", result, caption="V4 & IT,\n 5 %", label="tab:v4")
    text = (tmp_path / "a.tex").read_text()
    caption, alignment, head, rows = taken_apart(text)
    assert alignment == "lrrrrr" and r"\label{tab:v4}" in text
    assert head == ["model", "score", "s.e.", r"95\,\% interval", "$p$ above 0", "$p$ below ceiling"]
    assert read_back(caption).startswith("V4 & IT, 5 % Compared by spearman; 5 subjects; resampled: subject+stimulus; ")
    low, high = result.ceiling.values
    said = re.search(r"noise ceiling (\S+) to (\S+)\.", caption)
    assert np.allclose([float(v) for v in said.groups()], [low, high], atol=0.01)
    assert [read_back(row[0]) for row in rows] == NAMES
    for i, row in enumerate(rows):
        error = float(result.standard_error[i])
        assert abs(float(row[1]) - float(result.score[i])) <= 0.051 * error
        assert abs(float(row[2]) - error) <= 0.051 * error
        assert len(row[1].partition(".")[2]) == len(row[2].partition(".")[2])
        for said, value in zip(row[3].split(" to "), result.interval.values[i], strict=True):
            assert abs(float(said) - value) <= 0.051 * error
        for said, name in zip(row[4:], ("p_zero_corrected", "p_ceiling_corrected"), strict=True):
            value = float(result[name][i])
            assert value < 1e-3 if said == "$<$0.001" else math.isclose(float(said), value, rel_tol=0.06)


def test_csv_has_every_digit_of_everything(result, tmp_path):
    ns.study.save_scores(tmp_path / "a.csv", result)
    table = pd.read_csv(tmp_path / "a.csv")
    assert table.model.tolist() == NAMES
    for name in ("score", "standard_error", "p_zero", "p_zero_corrected", "p_ceiling", "p_ceiling_corrected", "df"):
        assert np.allclose(table[name], result[name], rtol=1e-9)
    assert np.allclose(table[["interval_low", "interval_high"]], result.interval, rtol=1e-9)
    assert np.allclose(table[["ceiling_low", "ceiling_high"]], result.ceiling, rtol=1e-9)
    assert (table.n_subjects == 5).all()


def test_what_a_result_does_not_say_is_left_out(tmp_path):
    bare = xr.Dataset({"score": ("time", [0.5, np.nan]), "standard_error": ("time", [0.0, np.nan])})
    ns.study.save_scores(tmp_path / "a.tex", bare)
    caption, _, head, rows = taken_apart((tmp_path / "a.tex").read_text())
    assert caption is None and head == ["time", "score", "s.e."]
    assert rows == [["0", "0.5", "0"], ["1", "--", "--"]]
    interval = xr.Dataset({"score": ("m", [0.123456]), "interval": (("m", "bound"), [[0.1, 0.2]])}, {"m": ["a"]})
    ns.study.save_scores(tmp_path / "b.tex", interval)
    assert taken_apart((tmp_path / "b.tex").read_text())[3] == [["a", "0.123", "0.100 to 0.200"]]


def test_what_was_not_tested_is_said(tmp_path):
    rng = np.random.default_rng(0)
    rdms = ns.compute_rdm(rng.normal(size=(8, 9)), "euclidean")
    data = xr.concat([ns.compute_rdm(rng.normal(size=(8, 9)), "euclidean") for _ in range(3)], "subject")
    ns.study.save_scores(tmp_path / "a.tex", ns.infer({"m": rdms}, data, method="cosine"))
    caption, _, head, _ = taken_apart((tmp_path / "a.tex").read_text())
    assert "$p$ above 0" not in head and "p above 0 not tested" in caption


@given(st.floats(-1e6, 1e6), st.floats(-9, 6).map(lambda exponent: 10**exponent))
def test_a_number_is_rounded_by_less_than_a_tenth_of_its_error(value, error):
    said = rounded(value, error)
    assert abs(float(said) - value) <= 0.0511 * error + 1e-12 * abs(value)
    decimals = len(said.partition(".")[2])
    assert decimals == 0 or 10 ** -(decimals - 1) <= error * 1.0051  # no more than two digits of the error


@pytest.mark.parametrize(
    "name, options, said",
    [
        ("a.html", {}, "a file .tex or .csv asked, found 'a.html'"),
        ("a.csv", {"caption": "x"}, "caption and label are of LaTeX"),
        ("a.tex", {"label": "a}b"}, "label = 'a}b'"),
    ],
)
def test_files_and_options_that_mean_nothing_are_refused(result, tmp_path, name, options, said):
    with pytest.raises(InputError, match=f"^save_scores: .*{re.escape(said)}"):
        ns.study.save_scores(tmp_path / name, result, **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "other", [xr.Dataset({"score": (("time", "model"), np.zeros((2, 2)))}), xr.Dataset(), "scores"]
)
def test_what_is_no_table_of_scores_is_refused(other, tmp_path):
    assert not isinstance(other, xr.Dataset) or not is_table_of_scores(other)
    with pytest.raises(InputError, match=r"^save_scores: a Dataset of scores along one dim"):
        ns.study.save_scores(tmp_path / "a.tex", other)


def test_a_results_folder_holds_the_tables_of_its_scores(finished):
    folder = finished.folder / "results" / "rsa_area"
    scores = ns.storage.read_dataset(next(folder.glob("*.nc")))
    _, _, _, rows = taken_apart(next(folder.glob("*.table.tex")).read_text())
    assert [read_back(row[0]) for row in rows] == [str(m) for m in scores["model"].values]
    table = pd.read_csv(next(folder.glob("*.table.csv")))
    assert np.allclose(table.score, scores.score) and (table.n_stimuli == scores.attrs["n_stimuli"]).all()
    assert "table.tex" in (finished.folder / "MANIFEST.sha256").read_text()
