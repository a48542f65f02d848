"""Sign flips as an analysis of studies: the library's own numbers, a report that says them, refusals before it runs."""

import json

import numpy as np
import pytest
import xarray as xr

import neurosim as ns
from neurosim import storage
from neurosim.study.analyses import sign_flips
from neurosim.study.files import parse_study, to_toml
from neurosim.study.outcome import Outcome
from neurosim.study.run import check_study, run_study
from neurosim.study.tables import StudyError

from .conftest import made_once

N, PEOPLE, BINS, BEGINS = 12, 7, 8, 4
ANALYSES = {
    "when": {"kind": "sign_flips", "brains": ["moving"], "subjects": ["near", "many"], "metric": "euclidean",
             "time_bin": 0.02, "statistic": "cluster_mass", "forming_p": 0.02},
    "own": {"kind": "sign_flips", "brains": ["moving"], "subjects": ["near"], "metric": "euclidean",
            "time_bin": 0.02, "skew": "shared", "alternative": "two-sided"},
    "layers": {"kind": "sign_flips", "over": "layers", "brains": ["still"], "subjects": ["near"],
               "metric": "euclidean"},
    "in_bins": {"kind": "sign_flips", "over": "subject", "brains": ["still"], "subjects": ["slow", "near"],
                "metric": "euclidean", "statistic": "tfce", "n_permutations": 200, "time_bin": 0.04},
}  # fmt: skip
CONTENT = {
    "name": "flips",
    "seed": 2,
    "stimuli": {"source": "labels"},
    "subjects": {n: {"kind": "responses", "path": f"{n}.nc"} for n in ("near", "many", "slow")},
    "brains": {n: {"kind": "responses", "path": f"{n}.nc", "metric": "euclidean"} for n in ("moving", "still")},
    "analyses": ANALYSES,
}


def given():
    """Responses of three subjects, and of seven people whose answers are those of the first from 80 ms on."""
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(N, 6))
    near = np.concatenate([truth + 0.3 * rng.normal(size=truth.shape), rng.normal(size=(N, 6))], axis=1)
    course = np.repeat(np.arange(BINS) >= BEGINS, 2)
    people = [
        course[:, None] * (truth @ rng.normal(size=(6, 6)))[:, None] + rng.normal(size=(N, 2 * BINS, 6))
        for _ in range(PEOPLE)
    ]
    who = {"subject": ("unit", np.repeat([f"p{k}" for k in range(PEOPLE)], 6))}
    timed = {"dims": ("stimulus", "time", "unit"), "time_step": 0.01}
    moving = ns.as_responses(np.concatenate(people, axis=-1), coords=who, **timed)
    slow = course[:, None] * truth[:, None] + 0.01 * course[:, None]
    return {
        "near": ns.as_responses(near, coords={"layer": ("unit", np.repeat(["like", "unlike"], 6))}),
        "many": ns.as_responses(rng.normal(size=(N, 6)), coords={"layer": ("unit", np.arange(6).astype(str))}),
        "slow": ns.as_responses(slow, **timed),
        "moving": moving,
        "still": moving.isel(time=slice(2 * BEGINS, None)).mean("time", keep_attrs=True),
    }


@pytest.fixture(scope="session")
def flipped(tmp_path_factory):
    """The study, run once for all test processes, and what went in."""
    arrays = given()

    def make(folder):
        for name, array in arrays.items():
            storage.write_dataset(folder / f"{name}.nc", array.rename("responses"))
        (folder / "study.toml").write_text(to_toml(parse_study(CONTENT)))
        run_study(folder / "study.toml", out=folder / "out", jobs=1)

    folder = made_once(tmp_path_factory, "flips", make) / "out"
    return Outcome(folder, len(storage.read_json(folder / "provenance.json")["steps"]), 0), arrays


def result_of(outcome, name, brain):
    return storage.read_dataset(outcome.folder / "results" / f"{name}_{brain}" / sign_flips.FILE)


def rdms_of_people(responses):
    """RDMs (subject, ...) of each person's units."""
    who = responses["subject"].values
    each = [ns.compute_rdm(responses.isel(unit=who == w), "euclidean") for w in dict.fromkeys(who.tolist())]
    return xr.concat(each, "subject")


def rdms_of_layers(responses):
    layer = responses["layer"].values
    each = [ns.compute_rdm(responses.isel(unit=layer == k), "euclidean") for k in dict.fromkeys(layer.tolist())]
    return xr.concat(each, "model")


def test_a_course_is_tested_as_the_library_tests_it(flipped):
    outcome, arrays = flipped
    found = result_of(outcome, "own", "moving")
    binned = ns.responses.rebin(arrays["moving"], 0.02)
    data = xr.concat([rdms_of_people(binned.isel(time=t, drop=True)) for t in range(BINS)], "time")
    scores = ns.compare_rdms(data.transpose("subject", ...), rdms_of_layers(arrays["near"])).transpose(
        "subject", "model", ...
    )
    wanted = ns.similarity.sign_flip_test(scores.assign_coords(time=binned.time), skew="shared")
    assert found.attrs["exact"] == wanted.attrs["exact"] == 1
    for name in ("score", "interval", "statistic", "p", "p_corrected", "skewness"):
        np.testing.assert_allclose(found[name], wanted[name], atol=1e-9)
    significant = found["p_corrected"].values <= 0.05
    assert significant[0, BEGINS:].all() and not significant[:, :BEGINS].any() and not significant[1].any()
    assert np.isfinite(found["latency_time"].values[0]).all() and np.isnan(found["latency_time"].values[1]).all()
    assert 0.04 < float(found["latency_time"][0, 0]) < 0.1
    assert set(found["latency_undefined"].values[1]) == {"not significant at any time above 0"}


def test_layers_and_answers_over_time_are_tested_too(flipped):
    outcome, arrays = flipped
    layers = result_of(outcome, "layers", "still")
    scores = ns.compare_rdms(rdms_of_people(arrays["still"]), rdms_of_layers(arrays["near"]))
    wanted = ns.similarity.sign_flip_test(scores, alternative="greater")
    np.testing.assert_allclose(layers["p_corrected"], wanted["p_corrected"])
    answers = result_of(outcome, "in_bins", "still")
    assert answers["model"].values.tolist() == ["slow/all"] and answers["enhanced"].dims == ("model", "time")
    assert answers["time"].values.round(9).tolist() == [0.0, 0.04, 0.08, 0.12]
    assert np.isnan(answers["score"].values[0, : BEGINS // 2]).all()  # silent: no RDM
    assert (answers["p_corrected"].values[0, BEGINS // 2 :] < 0.05).all()
    assert "of 3 times or more" in str(answers["latency_undefined"].values[0, 0])


def test_clusters_are_of_one_layer_each_and_the_report_says_where(flipped):
    outcome, _ = flipped
    found = result_of(outcome, "when", "moving")
    assert found.sizes["model"] == 8 and found.attrs["alternative"] == "greater"
    assert found["cluster_p"].values[0] <= 0.05 and found["time_extent"].values[0].tolist() == [0.08, 0.14]
    page = outcome.report.read_text()
    assert "moving (when): 1 of 8 layers scores above 0 at some time (sign flips of 7 individuals" in page
    assert "Clusters: layers and moving (when)" in page and "80 … 140" in page
    assert "near/like rises first, at " in page and "10.1016/j.jneumeth.2007.03.024" in page
    assert "without the skewness of all places" in page and "NaN" not in page and ">nan" not in page
    numbers = json.loads((outcome.folder / "numbers.json").read_text())["sign_flips"]
    assert numbers["moving (own)"]["near/like"]["significant_times"] == pytest.approx([0.08, 0.1, 0.12, 0.14])
    assert {"tested_moving_when", "tested_moving_own", "tested_still_layers", "tested_still_in_bins"} <= set(
        outcome.figures
    )


def test_scores_of_rdms_that_do_not_vary_are_not_measured():
    rdms = xr.concat([ns.compute_rdm(np.random.default_rng(k).normal(size=(5, 9))) for k in range(3)], "subject")
    rdms[1] = 1 - np.eye(5)
    scores = sign_flips.scores_of(rdms.rename(subject="model")[:1], rdms, "spearman")
    assert np.isfinite(scores.values[:, 0]).tolist() == [True, False, True]


REFUSED = {
    "statistic": ({"statistic": "cluster"}, "statistic = 'cluster' is not known.*cluster_mass"),
    "method": ({"method": "cosine"}, "method: cosine counts distances from 0"),
    "clusters": ({"forming_p": 0.01}, "forming_p is of clusters; statistic = 'max' forms none"),
    "layers are no neighbours": ({"over": "layers", "statistic": "tfce"}, "statistic asks for time"),
    "layers have no bins": ({"over": "layers", "time_bin": 0.1}, "time_bin asks for time"),
    "skew": ({"skew": "both"}, "skew"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_sign_flips_cannot_do_is_refused_by_name(what):
    row, message = REFUSED[what]
    with pytest.raises(StudyError, match=message) as caught:
        parse_study(CONTENT | {"analyses": {"asked": {"kind": "sign_flips"} | row}})
    assert "analyses.asked" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("row", "people", "message"),
    [
        ({"over": "layers"}, 4, "p of 0.05 takes 5; the brain 'few' has 4"),
        ({"over": "layers", "alternative": "two-sided"}, 5, "p of 0.05 takes 6; the brain 'few' has 5"),
        ({}, 7, "over the time of brains, and 'few' has none"),
    ],
)
def test_brains_that_do_not_suffice_are_refused_before_anything_runs(flipped, tmp_path, row, people, message):
    still = flipped[1]["still"]
    for name, array in {"near": flipped[1]["near"], "few": still.isel(unit=slice(6 * people))}.items():
        storage.write_dataset(tmp_path / f"{name}.nc", array.rename("responses"))
    content = CONTENT | {"subjects": {"near": CONTENT["subjects"]["near"]}}
    content |= {"brains": {"few": {"kind": "responses", "path": "few.nc"}}}
    (tmp_path / "study.toml").write_text(
        to_toml(parse_study(content | {"analyses": {"a": {"kind": "sign_flips"} | row}}))
    )
    with pytest.raises(StudyError, match=message):
        check_study(tmp_path / "study.toml")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"kind": "sign_flips", "time_bin": 1.0},
            "does not suit 'moving': time_bin = 1 s is longer",
        ),
        ({"kind": "sign_flips", "time_bin": 0.015}, "does not suit 'moving': time_bin = 0.015 s is not a multiple"),
        ({"kind": "sign_flips", "time_bin": 1.0, "over": "subject"}, "does not suit 'slow': time_bin = 1 s is longer"),
        ({"kind": "rsa_in_time", "time_bin": 1.0}, "does not suit 'slow': time_bin = 1 s is longer"),
        ({"kind": "rsa_in_time", "time_bin": 1.0, "over": "brain"}, "does not suit 'moving': time_bin = 1 s is longer"),
        ({"kind": "alignment", "measure": "dsa", "time_bin": 1.0}, "does not suit 'slow': time_bin = 1 s is longer"),
    ],
)
def test_bins_that_a_recording_does_not_have_are_refused_before_anything_runs(flipped, tmp_path, row, message):
    for name in ("slow", "moving"):
        storage.write_dataset(tmp_path / f"{name}.nc", flipped[1][name].rename("responses"))
    content = CONTENT | {"subjects": {"slow": CONTENT["subjects"]["slow"]}}
    content |= {"brains": {"moving": CONTENT["brains"]["moving"]}, "analyses": {"a": row}}
    (tmp_path / "study.toml").write_text(to_toml(parse_study(content)))
    with pytest.raises(StudyError, match=f"analyses.a.time_bin {message}") as error:
        check_study(tmp_path / "study.toml")
    assert "\n" not in str(error.value)
