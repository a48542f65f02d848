"""Analyses side by side in one study: right values, refusals by name, and figures that suit what there is."""

import html
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from neurosim import storage
from neurosim.recordings.datasets import list_recordings
from neurosim.recordings.synthetic import BrainOptions, synthetic_brain
from neurosim.responses.averages import average_trials, over_time
from neurosim.responses.cross_validation import balanced_accuracy
from neurosim.responses.decoding import decode
from neurosim.runtime import seed_of
from neurosim.schema import as_responses, as_stimuli
from neurosim.similarity.alignment import cka, jackknife
from neurosim.similarity.dynamics import dsa
from neurosim.similarity.inference import infer
from neurosim.similarity.prediction_pairs import compare_predictions
from neurosim.similarity.predictivity import predict_responses
from neurosim.similarity.rdms import compute_rdm
from neurosim.similarity.regression import partition_variance, regress_rdm
from neurosim.similarity.reweighting import reweight_features
from neurosim.similarity.shapes import ShapeMetric
from neurosim.similarity.spike_rdms import spike_rdm
from neurosim.study.analyses.decoding import Decoding
from neurosim.study.analyses.layer_scores import jackknifed, table_of, together, told
from neurosim.study.figures import layers
from neurosim.study.figures.time import draw as draw_time
from neurosim.study.files import parse_study, to_toml
from neurosim.study.instances import spread, table_of_instances
from neurosim.study.outcome import Outcome
from neurosim.study.report import left_out
from neurosim.study.run import check_study, run_study
from neurosim.study.steps.recording import individuals
from neurosim.study.steps.responses import reduced
from neurosim.study.tables import StudyError

from .conftest import made_once

N, SEED = 20, 3
AREA, BOTH = ["area"], ["area", "alone"]
ANALYSES = {
    "rsa": {"kind": "rsa", "metric": "euclidean", "brains": AREA},
    "cka": {"kind": "alignment", "brains": BOTH, "between": ["brains", "subjects"], "subjects": ["near", "far"]},
    "shapes": {"kind": "alignment", "measure": "procrustes", "subjects": ["near"], "brains": AREA},
    "dynamics": {
        "kind": "alignment", "measure": "dsa", "subjects": ["spiking"], "brains": ["moving"],
        "options": {"n_delays": 2, "rank": 3},
    },
    "predictivity": {"kind": "predictivity", "brains": BOTH, "subjects": ["near", "far"]},
    "by_category": {
        "kind": "predictivity", "brains": AREA, "subjects": ["near"], "groups": "category", "folds": 4,
        "method": "one_to_one",
    },
    "category": {"kind": "decoding", "brains": AREA, "folds": 5},
    "trials": {
        "kind": "decoding", "label": "stimulus", "hold_out": "trial", "of": ["brains"], "brains": AREA, "folds": 3,
    },
    "trains": {"kind": "spike_rsa", "time_constant": 0.02, "brains": AREA},
    "weights": {"kind": "reweighting", "brains": BOTH, "subjects": ["near"]},
    "mixture": {"kind": "regression", "brains": AREA, "models": ["near/early", "near/late", "far/all"]},
    "in_time": {"kind": "rsa_in_time", "metric": "euclidean", "brains": AREA},
    "over_brain": {"kind": "rsa_in_time", "over": "brain", "brains": ["moving"], "time_bin": 0.02,
                   "subjects": ["near"]},
}  # fmt: skip


def test_what_is_left_out_is_named_by_its_layers():
    found = {
        "rdms:net": ["a"], "rdms:silent": [], "spike_rdms:net": ["a", "b"]
    }  # fmt: skip
    reasons = {"b": 'all "alike", too', "c": "b: spikes asked", "d": 'all "alike", too'}

    class Results:
        def named(self, start):
            return {name: name for name in found if name.startswith(start)}

        def dataset(self, step, _file):
            about = {"left_out": json.dumps(reasons), "subject": step.partition(":")[2]}
            return xr.Dataset({"rdm": ("layer", found[step])} if found[step] else {}, attrs=about)

    assert left_out(Results()) == ['net/b, net/d: all "alike", too', "net/c: b: spikes asked"]


def test_instances_without_a_score_are_said_beside_the_number_of_the_others():
    scores = {"net/a": spread([1.0, 2.0]), "net/b": spread([1.0])}
    [table] = table_of_instances("Scores", scores)
    assert table.note.endswith("Some instances have no score of net/b: see above what was left out, and why.")
    assert "have no score" not in table_of_instances("Scores", {"net/a": scores["net/a"]})[0].note


@pytest.mark.parametrize(("durations", "labelled"), [((3, 3), [False, True]), ((3, 5), [True, True])])
def test_a_map_over_time_says_ms_wherever_its_times_are_its_own(durations, labelled, tmp_path):
    maps = xr.Dataset(
        {n: ((f"layer_{n}", f"time_{n}"), np.ones((1, k))) for n, k in zip("ab", durations, strict=True)},
        coords={f"layer_{n}": ["x"] for n in "ab"}
        | {f"time_{n}": np.arange(k) * 0.1 for n, k in zip("ab", durations, strict=True)},
    )
    storage.write_dataset(tmp_path / "time.nc", maps)
    figure, _ = draw_time(SimpleNamespace(inputs={"in_time:area": tmp_path}, config={"title": "area"}))
    axes = [ax for ax in figure.axes if ax.get_title()]
    assert [bool(ax.get_xlabel()) for ax in axes] == labelled


CONTENT = {
    "name": "all",
    "seed": SEED,
    "stimuli": {"source": "labels"},
    "subjects": {n: {"kind": "responses", "path": f"{n}.nc"} for n in ("near", "far", "spiking")},
    "brains": {n: {"kind": "responses", "path": f"{n}.nc"} for n in ("area", "alone", "moving")},
    "analyses": ANALYSES,
}


def given():
    """Return the responses of three subjects and three brains, of which one has one individual and one has time."""
    rng = np.random.default_rng(0)
    category = np.repeat(list("abcd"), 5)
    truth = rng.normal(size=(4, 9)).repeat(5, axis=0) + 0.7 * rng.normal(size=(N, 9))
    labels = {"category": ("stimulus", category)}
    truth_array = as_stimuli(truth, dims=("stimulus", "unit"), coords=labels)
    ids = truth_array["stimulus"].values.tolist()
    late = np.concatenate([truth, truth @ rng.normal(size=(9, 40)), rng.normal(size=(N, 30))], axis=1)
    layers = {"layer": ("unit", ["early"] * 9 + ["late"] * 79)}
    near = as_responses(np.concatenate([truth + 0.5 * rng.normal(size=(N, 9)), late], axis=1), stimuli=truth_array,
                        coords=layers)  # fmt: skip
    far = as_responses(rng.normal(size=(N, 7)), stimuli=truth_array)
    rate = 0.05 + 0.1 * (truth[:, None, :6] > 0) * (np.arange(30)[None, :, None] > 4)
    spikes = (rng.random((N, 30, 6)) < rate).astype(float)
    spiking = as_responses(spikes, dims=("stimulus", "time", "unit"), stimuli=truth_array, quantity="spike_count",
                           time_step=0.01)  # fmt: skip
    area = synthetic_brain(truth_array, BrainOptions(n_subjects=4, n_units=15, n_trials=3))
    alone = synthetic_brain(truth_array, BrainOptions(n_subjects=1, n_units=12, n_trials=1)).isel(trial=0, drop=True)
    alone = alone.drop_vars("subject")
    still = synthetic_brain(truth_array, BrainOptions(n_subjects=2, n_units=8, n_trials=2))
    course = np.concatenate([np.zeros(10), np.sin(np.linspace(0, 3, 20))])
    moving = (
        still.values.mean(1)[:, None] * course[:, None] + 0.3 * rng.normal(size=(N, 30, 16)) * (course > 0)[:, None]
    )
    moving = as_responses(moving, dims=("stimulus", "time", "unit"), stimuli=truth_array, time_step=0.01,
                          coords={"subject": ("unit", still["subject"].values)})  # fmt: skip
    assert near["stimulus"].values.tolist() == ids
    return {"near": near, "far": far, "spiking": spiking, "area": area, "alone": alone, "moving": moving}


@pytest.fixture(scope="session")
def everything(tmp_path_factory):
    """Run all analyses once for all test processes; return the outcome and what went in."""
    arrays = given()

    def make(folder):
        for name, array in arrays.items():
            storage.write_dataset(folder / f"{name}.nc", array.rename("responses"))
        (folder / "study.toml").write_text(to_toml(parse_study(CONTENT)))
        assert run_study(folder / "study.toml", out=folder / "out", jobs=1).n_hits == 0

    folder = made_once(tmp_path_factory, "analyses", make) / "out"
    n_steps = len(storage.read_json(folder / "provenance.json")["steps"])
    return Outcome(folder, n_steps, 0), arrays


def layers_of(array):
    if "layer" not in array.coords:
        return {"all": array}
    names = array["layer"].values
    return {n: array.isel(unit=np.flatnonzero(names == n)) for n in dict.fromkeys(names.tolist())}


def still(array):
    return over_time(average_trials(array))


RNG = seed_of(SEED, "folds") % 2**31


def test_alignment_is_the_measure_itself(everything):
    outcome, arrays = everything
    table = outcome.scores["cka:near:area"]
    people = [still(r) for r in individuals(arrays["area"]).values()]
    for layer, responses in layers_of(arrays["near"]).items():
        each = [cka(responses, p) for p in people]
        found = table.sel(model=f"near/{layer}")
        np.testing.assert_allclose(found["score"], np.mean(each), rtol=1e-9)
        np.testing.assert_allclose(found["score_of_subject"], each, rtol=1e-9)
    area, who = still(arrays["area"]), arrays["area"]["subject"].values
    others = [cka(p, area.isel(unit=who != n)) for n, p in individuals(area).items()]
    np.testing.assert_allclose(table["ceiling"], np.mean(others), rtol=1e-9)
    assert table.attrs["n_subjects"] == 4
    shape = outcome.scores["shapes:near:area"].sel(model="near/late")
    each = [ShapeMetric().distance(layers_of(arrays["near"])["late"], p) for p in people]
    np.testing.assert_allclose(shape["score"], np.mean(each), rtol=1e-9)


def test_uncertainty_over_stimuli_is_that_of_the_jackknife(everything):
    outcome, arrays = everything
    for subject, layer in (("near", "early"), ("far", "all")):
        table = outcome.scores[f"cka:{subject}:alone"].sel(model=f"{subject}/{layer}")
        wanted = jackknife(cka, layers_of(arrays[subject])[layer], arrays["alone"], progress=False)
        np.testing.assert_allclose(table["score"], wanted["score"], rtol=1e-9)
        np.testing.assert_allclose(table["standard_error"], wanted["standard_error"], rtol=0.3)
        assert "ceiling" not in table and "individuals" not in table.attrs["over"]


def test_alignment_between_subjects(everything):
    outcome, arrays = everything
    table = outcome.scores["cka:near:and:far"]
    assert table["score"].dims == ("layer", "layer_other")
    wanted = cka(layers_of(arrays["near"])["late"], arrays["far"])
    np.testing.assert_allclose(table["score"].sel(layer="late", layer_other="all"), wanted, rtol=1e-9)


def test_dynamics_are_compared_in_time(everything):
    outcome, arrays = everything
    table = outcome.scores["dynamics:spiking:moving"]
    options = {"n_delays": 2, "rank": 3}
    each = [dsa(arrays["spiking"], p, **options) for p in individuals(arrays["moving"]).values()]
    np.testing.assert_allclose(table["score"][0], np.mean(each), rtol=1e-6)
    assert table.attrs["lower_is_nearer"] == 1


def test_predictivity_is_that_of_the_library_also_where_units_are_rotated(everything):
    outcome, arrays = everything
    target = still(arrays["area"])
    for layer, responses in layers_of(arrays["near"]).items():
        wanted = predict_responses(responses, target, folds=5, rng=RNG, progress=False)
        found = outcome.scores["predictivity:near:area"].sel(model=f"near/{layer}")
        np.testing.assert_allclose(found["score"], wanted["median_score"], rtol=1e-6)
        np.testing.assert_allclose(found["standard_error"], wanted["median_standard_error"], rtol=1e-6)
        own = np.median(wanted["score"].values[arrays["area"]["subject"].values == arrays["area"]["subject"].values[0]])
        np.testing.assert_allclose(found["score_of_subject"][0], own, rtol=1e-6)
    assert 0 < float(found["ceiling"]) < 1 and "ceiling" not in outcome.scores["predictivity:near:alone"]
    kept = [outcome.predictions[f"predictivity:{s}:area"].isel(model=0) for s in ("near", "far")]
    assert not [name for name in outcome.predictions if not name.startswith(("predictivity:", "by_category:"))]
    arrays_of = [next(iter(layers_of(arrays[s]).values())) for s in ("near", "far")]
    found = [predict_responses(a, target, folds=5, rng=RNG, progress=False) for a in arrays_of]
    pairs = [compare_predictions(dict(zip("ab", both, strict=True))) for both in (kept, found)]
    xr.testing.assert_allclose(*pairs, rtol=1e-6)
    grouped = outcome.scores["by_category:near:area"]
    wanted = predict_responses(layers_of(arrays["near"])["early"], target, folds=4, rng=RNG, groups="category",
                               method="one_to_one", progress=False)  # fmt: skip
    np.testing.assert_allclose(grouped["score"][0], wanted["median_score"])
    assert grouped["df"].values.tolist() == [1.5, 1.5] and grouped.attrs["groups"] == "category"


def test_groups_are_held_out_whole():
    rng = np.random.default_rng(1)
    group = np.repeat(np.arange(6), 4)
    own = rng.normal(size=(6, 3)).repeat(4, axis=0)
    source = as_responses(np.eye(6).repeat(4, axis=0), coords={"object": ("stimulus", group)})
    target = as_responses(own + 0.01 * rng.normal(size=own.shape), coords={"object": ("stimulus", group)})
    loose = predict_responses(source, target, folds=3, progress=False)
    held = predict_responses(source, target, folds=3, groups="object", progress=False)
    assert float(loose["median_score"]) > 0.99
    assert float(held["median_score"]) < 0.5
    source = as_responses(rng.normal(size=(24, 3)), coords={"object": ("stimulus", group)})
    target = as_responses(source.values @ rng.normal(size=(3, 4)))
    assert float(predict_responses(source, target, folds=3, groups="object", progress=False)["median_score"]) > 0.99


def test_decoding_of_new_stimuli_and_of_new_trials(everything):
    outcome, arrays = everything
    for layer, responses in layers_of(arrays["near"]).items():
        wanted = decode(responses, "category", folds=5, rng=RNG, progress=False)
        found = outcome.scores["category:subject:near"].sel(model=f"near/{layer}")
        np.testing.assert_allclose(found["score"], wanted["accuracy"])
        np.testing.assert_allclose(found["standard_error"], wanted["standard_error"])
        assert found.attrs["null"] == 0.25
    brain = outcome.scores["category:brain:area"]
    people = individuals(arrays["area"]).values()
    each = [float(decode(average_trials(p), "category", folds=5, rng=RNG, progress=False)["accuracy"]) for p in people]
    np.testing.assert_allclose(brain["score_of_subject"][0], each)
    trials = [float(decode(p, folds=3, rng=RNG, progress=False)["accuracy"]) for p in people]
    np.testing.assert_allclose(outcome.scores["trials:brain:area"]["score"][0], np.mean(trials))


def test_decoding_of_nothing_is_at_chance_and_knows_no_test_stimulus():
    rng = np.random.default_rng(2)
    labels = {"category": ("stimulus", np.repeat(list("ab"), (24, 8)))}
    nothing = [as_responses(rng.normal(size=(32, 6)), coords=labels) for _ in range(40)]
    found = [decode(r, "category", folds=5, rng=s, progress=False) for s, r in enumerate(nothing)]
    mean = np.mean([float(f["accuracy"]) for f in found])
    assert abs(mean - 0.5) < 0.05 and all(float(f["chance"]) == 0.5 for f in found)


def test_a_score_that_never_changes_has_no_p_and_the_report_says_why():
    """Six stimuli that are all named rightly leave no error to measure; the layer beside it keeps its own."""
    labels = np.repeat(list("ab"), 3)
    right = {"sure": np.ones(6, dtype=bool), "unsure": np.array([1, 1, 0, 1, 1, 1], dtype=bool)}
    estimates = {
        layer: jackknifed(lambda kept, r=r: np.array([balanced_accuracy(r[kept], labels[kept])]), np.arange(6))
        for layer, r in right.items()
    }
    about = {"method": "accuracy (category)", "label": "accuracy", "what": "Decoding of category", "leads": "leads"}
    part = table_of(estimates, "net", **about, over="new stimuli", null=0.5, folds=3, n_stimuli=6)
    found = together([part], 0.05, "holm")
    for name in ("p", "p_corrected", "standard_error"):
        assert np.isfinite(found[name].values).tolist() == [False, True]
    assert 0 < float(found["p"][1]) < 0.1 and np.isnan(found["interval"].values[0]).all()
    assert "where they are known" in layers.caption(found)
    results = SimpleNamespace(
        named=lambda _start: {"step": "step"},
        configs={"step": {"target": "all"}},
        has=lambda *_: True,
        dataset=lambda *_: part,
        study=SimpleNamespace(analyses={}, subjects={}),
    )
    said = told(Decoding(), "category", results, {"all": "from every layer"}, lambda _table: "")
    assert said.tables[0].rows[0] == ("net/sure", "1.0000", "-", "-", "-")
    assert said.notes == [
        "net: sure: accuracy (category) is the same whatever is left out (6 stimuli), so that its standard error, "
        "interval and p are not known."
    ]
    assert "1 of 1 score" in said.sentences[0]


def test_spike_trains_are_compared_as_by_hand(everything):
    outcome, arrays = everything
    table = outcome.scores["trains:area"]
    model = spike_rdm(arrays["spiking"], "van_rossum", time_constant=0.02, progress=False)
    data = compute_rdm(still(arrays["area"]), by="subject")
    wanted = infer({"spiking/all": model}, data)
    assert table["model"].values.tolist() == ["spiking/all"]
    np.testing.assert_allclose(table["score"], wanted["score"], rtol=1e-9)
    np.testing.assert_allclose(table["standard_error"], wanted["standard_error"], rtol=1e-9)


def test_flexible_models_are_those_of_the_library(everything):
    outcome, arrays = everything
    data = compute_rdm(still(arrays["area"]), by="subject")
    wanted = reweight_features(layers_of(arrays["near"])["late"], data, rng=RNG, progress=False)
    found = outcome.scores["weights:near:area"].sel(model="near/late")
    np.testing.assert_allclose(found["score"], wanted["mean_score"], rtol=1e-9)
    np.testing.assert_allclose(found["standard_error"], wanted["mean_score_standard_error"], rtol=1e-9)
    np.testing.assert_allclose(found["plain_score"], wanted["mean_plain_score"], rtol=1e-9)
    assert np.isnan(outcome.scores["weights:near:alone"]["standard_error"]).all()
    models = {f"near/{n}": compute_rdm(r) for n, r in layers_of(arrays["near"]).items()}
    models["far/all"] = compute_rdm(arrays["far"])
    table = outcome.scores["mixture:area"]
    by_hand = regress_rdm(data, models, rng=RNG)
    for name in ("coefficient", "standard_error", "unique_variance", "explained_variance"):
        np.testing.assert_allclose(table[name], by_hand[name], rtol=1e-6, atol=1e-9)
    parts = partition_variance(data, models, rng=RNG)
    np.testing.assert_allclose(table["common_variance"], parts["common_variance"], atol=1e-9)


def test_layers_over_the_time_of_a_brain(everything):
    outcome, arrays = everything
    table = outcome.scores["over_brain:moving"]
    assert table["score"].dims == ("model", "time") and table.sizes["time"] == 15
    assert np.isnan(table["score"].values[:, :5]).all() and np.isfinite(table["score"].values[:, 6:]).all()
    people = individuals(arrays["moving"])
    binned = [compute_rdm(p.isel(time=slice(20, 22)).mean("time")) for p in people.values()]
    data = xr.concat(binned, xr.DataArray(list(people), dims="subject", name="subject"))
    models = {f"near/{n}": compute_rdm(r) for n, r in layers_of(arrays["near"]).items()}
    wanted = infer(models, data)
    np.testing.assert_allclose(table["score"].isel(time=10), wanted["score"], rtol=1e-9)
    np.testing.assert_allclose(table["ceiling"].isel(time=10), wanted["ceiling"], rtol=1e-9)


def test_the_report_tells_every_analysis_and_no_figure_is_empty(everything):
    outcome, _ = everything
    page = outcome.report.read_text()
    numbers = storage.read_json(outcome.folder / "numbers.json")
    assert set(numbers["alignment"]) == {"area (cka)", "alone (cka)", "area (shapes)", "moving (dynamics)"}
    assert numbers["predictivity"]["area (predictivity)"]["model"].startswith("near/")
    assert set(numbers["explained_variance"]) == {"area"}
    for said in ("Alignment:", "Predictivity:", "Decoding:", "Reweighting:", "mixture", "no spike trains"):
        assert said in page
    assert "nan" not in page.lower().replace("nanmean", "").split("<svg")[0]
    findings = re.findall(r"<li>(.*?)</li>", page.partition('id="figures"')[0])
    titles = re.findall(r"<figcaption><b>(.*?)</b>", page)
    tiles = re.findall(r'class="card">(.*?)</div>', page)
    for seen in (findings, titles, tiles, re.findall(r"<h3>(.*?)</h3>", page)):
        assert len(seen) > 3 and len(set(seen)) == len(seen)
    assert {"Models and brain: area (rsa).", "Models and brain: area (trains)."} <= set(titles)
    assert {"area (rsa)", "area (trains)"} <= {line.partition(":")[0] for line in findings}
    assert re.search(r"Prediction of.*; median ceiling of the units by their trials 0", page)
    drawn = set(outcome.figures)
    assert {"cka_area", "cka_alone", "cka_between_subjects", "dynamics_moving", "category_everything"} <= drawn
    assert {"weights_alone", "terms_area", "brain_time_moving", "scores_area_trains", "time_area"} <= drawn


def test_rotated_units_keep_inner_products_and_a_large_layer_becomes_small():
    rng = np.random.default_rng(0)
    large = as_responses(rng.normal(size=(6, 2, 500)), dims=("stimulus", "trial", "unit"))
    kept = reduced(large, {"units": "rotated"})
    assert kept.dims == large.dims and kept.sizes["unit"] == 12
    a, b = (x.values.reshape(12, -1) for x in (large, kept))
    np.testing.assert_allclose(a @ a.T, b @ b.T, atol=1e-9)
    small = as_responses(rng.normal(size=(6, 3)))
    assert reduced(small, {"units": "rotated"}) is small


REFUSED = {
    "measure": ({"kind": "alignment", "measure": "ckka"}, "measure = 'ckka' is not known.*Did you mean 'cka'"),
    "option": ({"kind": "alignment", "options": {"rank": 3}}, "no option 'rank'; known: .*bandwidth"),
    "time_bin": ({"kind": "alignment", "time_bin": 0.1}, "time_bin is for measures of dynamics"),
    "between nobody": ({"kind": "alignment", "between": []}, "between is empty"),
    "between one": ({"kind": "alignment", "between": ["subjects"], "subjects": ["near"]}, "two subjects or more"),
    "brain": ({"kind": "predictivity", "brains": ["are"]}, "brains = 'are' is not known.*Did you mean 'area'"),
    "subject": ({"kind": "rsa", "subjects": ["nearby"]}, "subjects = 'nearby' is not known"),
    "method": ({"kind": "predictivity", "method": "lasso"}, "method = 'lasso' is not known"),
    "label of held-out stimuli": ({"kind": "decoding", "label": "stimulus"}, "hold_out = 'trial'"),
    "groups of trials": ({"kind": "decoding", "hold_out": "trial", "groups": "category"}, "groups are of stimuli"),
    "spike metric": ({"kind": "spike_rsa", "metric": "victor"}, "metric = 'victor' is not known"),
    "crossvalidated": ({"kind": "spike_rsa", "metric": "isi", "crossvalidated": True}, "cannot be crossvalidated"),
    "layer of nobody": ({"kind": "regression", "models": ["cnn/conv1"]}, "models, subject = 'cnn' is not known"),
    "no layer": ({"kind": "regression", "models": ["near"]}, "each is 'subject/layer'"),
}
REFUSED_OF_STIMULI = {
    "folds": ({"kind": "predictivity", "folds": 11}, r"folds = 11 needs 33 stimuli or more, found 20"),
    "groups": ({"kind": "predictivity", "groups": "objects"}, "groups = 'objects' is not known"),
    "few groups": ({"kind": "predictivity", "groups": "category"}, "folds = 5 needs as many groups"),
    "label": ({"kind": "decoding", "label": "orientation"}, "label = 'orientation' is not known"),
    "few stimuli": ({"kind": "reweighting", "folds": 5}, "needs at least 25 and at most 150 stimuli, found 20"),
    "few stimuli of a mixture": ({"kind": "regression", "folds": 5}, "needs 25 stimuli or more"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_an_analysis_cannot_do_is_refused_by_name(what):
    row, message = REFUSED[what]
    with pytest.raises(StudyError, match=message) as caught:
        parse_study(CONTENT | {"analyses": {"asked": row}})
    assert "analyses.asked" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("what", REFUSED_OF_STIMULI)
def test_stimuli_that_do_not_suffice_are_refused_before_anything_runs(what, everything):
    row, message = REFUSED_OF_STIMULI[what]
    folder = everything[0].folder.parent
    content = parse_study(CONTENT | {"analyses": {"asked": row}}).model_dump(mode="json", exclude_none=True)
    file = folder / f"{what.replace(' ', '_')}.json"
    file.write_text(json.dumps(content))
    with pytest.raises(StudyError, match=message):
        check_study(file)


def test_a_brain_of_rdms_alone_is_refused_where_responses_are_needed():
    published = {"kind": "dataset", "dataset": "kriegeskorte2008", "recording": "monkey"}
    names = ("predictivity", "alignment", "decoding")
    published["recording"] = list_recordings("kriegeskorte2008")[0]
    for kind in names:
        content = CONTENT | {"brains": {"it": published}, "analyses": {"asked": {"kind": kind}}}
        with pytest.raises(StudyError, match="needs responses, and of the brain 'it' only RDMs are known"):
            parse_study(content)
    parse_study(CONTENT | {"brains": {"it": published}, "analyses": {"asked": {"kind": "reweighting"}}})


def test_names_of_steps_are_no_names_of_analyses():
    with pytest.raises(StudyError, match="steps of every study are called 'brain'"):
        parse_study(CONTENT | {"analyses": {"brain": {"kind": "rsa"}}})


def test_subjects_alone_make_a_study_and_its_report_speaks_of_no_brain(tmp_path):
    """What a study without brains asks, shows and says; with one layer in all, there is nothing to relate."""
    for name, array in given().items():
        storage.write_dataset(tmp_path / f"{name}.nc", array.rename("responses"))
    subjects = {n: {"kind": "responses", "path": f"{n}.nc"} for n in ("near", "far")}
    content = {"name": "alone", "seed": SEED, "stimuli": {"source": "labels"}, "subjects": subjects}
    assert list(parse_study(content).analyses) == ["relations"]
    assert list(parse_study(content | {"brains": {}}).analyses) == ["relations"]
    content["analyses"] = {
        "relations": {"kind": "relations", "metric": "euclidean"},
        "cka": {"kind": "alignment", "between": ["subjects"]},
        "category": {"kind": "decoding"},
    }
    (tmp_path / "study.toml").write_text(to_toml(parse_study(content)))
    outcome = run_study(tmp_path / "study.toml", out=tmp_path / "out", jobs=1)
    drawn = {p.stem for p in (outcome.folder / "figures").glob("*.svg")}
    assert drawn == {"subjects", "rdms", "cka_between_subjects", "category_everything"}
    found = storage.read_dataset(outcome.folder / "results" / "relations" / "relations.nc")
    assert found["model"].values.tolist() == ["near/early", "near/late", "far/all"]
    assert "pearson_of_brains" not in found and set(found["group"].values.tolist()) == {"near", "far"}
    score = found["score"].values[:2, 2]
    numbers = json.loads((outcome.folder / "numbers.json").read_text())
    best = f"near/{['early', 'late'][score.argmax()]}, far/all"
    assert numbers["most_alike"] == {best: pytest.approx(score.max())}
    page = outcome.report.read_text()
    said = re.sub(r"<svg.*?</svg>|<style.*?</style>", "", page, flags=re.S)
    assert re.findall(r"[^.>]*brain[^.<]*", said) == [" No brain is part of this study"]
    assert "Decoding of category from every layer:" in said and f"{N} stimuli" in said


def test_what_asks_brains_is_refused_in_a_study_without_them():
    content = {k: v for k, v in CONTENT.items() if k != "brains"}
    for analysis in ({"kind": "rsa"}, {"kind": "alignment"}, {"kind": "decoding", "of": ["brains"]},
                     {"kind": "predictivity"}, {"kind": "spike_rsa", "subjects": ["spiking"]}):  # fmt: skip
        with pytest.raises(StudyError, match=r"analyses\.a asks brains, and the study has none; give \[brains\]"):
            parse_study(content | {"analyses": {"a": analysis}})


def test_a_brain_of_runs_has_the_rdms_and_scores_of_the_library(tmp_path):
    arrays = given()
    once = arrays["area"]
    noise = np.random.default_rng(0).normal(size=once.shape)
    area = xr.concat([once, once + noise], "trial", combine_attrs="override")
    area = area.assign_coords(trial=np.arange(area.sizes["trial"]), run=("trial", np.arange(area.sizes["trial"]) % 2))
    storage.write_dataset(tmp_path / "near.nc", arrays["near"].rename("responses"))
    storage.write_dataset(tmp_path / "area.nc", area.rename("responses"))
    brain = {"kind": "responses", "path": "area.nc", "metric": "crossnobis", "folds": "run", "precision": "diagonal"}
    content = {"name": "runs", "seed": SEED, "stimuli": {"source": "labels"}, "brains": {"area": brain}}
    content["subjects"] = {"near": {"kind": "responses", "path": "near.nc"}}
    content["analyses"] = {"rsa": {"kind": "rsa", "resample": ["stimulus"]}}
    (tmp_path / "study.toml").write_text(to_toml(parse_study(content)))
    outcome = run_study(tmp_path / "study.toml", out=tmp_path / "out", jobs=1)
    wanted = compute_rdm(over_time(area), "crossnobis", by="subject", folds="run", precision="diagonal")
    models = compute_rdm(over_time(arrays["near"]), "correlation", by="layer").rename(layer="model")
    scores = infer(models, wanted, resample="stimulus")
    np.testing.assert_allclose(outcome.scores["rsa:area"]["score"], scores["score"], rtol=1e-9)
    said = html.unescape(outcome.report.read_text())
    assert "'crossnobis' (folds 'run') (precision 'diagonal') for the recording" in said
