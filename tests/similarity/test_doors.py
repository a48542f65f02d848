"""What comes into similarity besides the first array: precisions, searchlights, covariances of stimuli, ceilings.

Each is converted once: any container gives the same numbers, labels are matched, and what is no such thing is refused.
"""

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from neurosim.schema import InputError, as_rdm, as_responses
from neurosim.similarity.alignment import cca, cka, compare_by, jackknife
from neurosim.similarity.arrangement import arrange
from neurosim.similarity.comparison import compare_rdms
from neurosim.similarity.dynamics import dsa
from neurosim.similarity.inference import infer
from neurosim.similarity.inference_options import Resampling
from neurosim.similarity.metric import METRICS
from neurosim.similarity.metrics.euclidean import euclidean
from neurosim.similarity.noise import noise_precision
from neurosim.similarity.permutation import mantel_test
from neurosim.similarity.predictivity import normalize
from neurosim.similarity.rdms import compute_rdm
from neurosim.similarity.regression import regress_rdm
from neurosim.similarity.reweighting import reweight_features
from neurosim.similarity.shapes import ShapeMetric, soft_matching, stochastic_shape

UNITS = list("abcdef")
RNG = np.random.default_rng(0)
TRIALS = RNG.normal(size=(5, 4, 6)) + 2 * RNG.normal(size=(5, 1, 6))
FULL = np.linalg.inv(np.cov(RNG.normal(size=(6, 40))))
DIAGONAL = np.linspace(0.2, 3, 6)
SPOILED = FULL + 0.1 * np.triu(np.ones((6, 6)), 1)
ORDER = [3, 0, 5, 1, 4, 2]


def named(values=TRIALS):
    return as_responses(values, dims=("stimulus", "trial", "unit"), coords={"unit": UNITS})


def square(values, dims=("unit", "unit_other"), names=UNITS):
    return xr.DataArray(values, dims=dims, coords=dict.fromkeys(dims, names))


def mahalanobis(precision):
    """Squared distances of mean patterns by their definition."""
    gaps = (TRIALS.mean(1)[:, None] - TRIALS.mean(1)) / np.sqrt(6)
    return np.einsum("ijp,pq,ijq->ij", gaps, precision, gaps)


def refused(act, words):
    with pytest.raises(InputError, match=words) as error:
        act()
    assert len(str(error.value).splitlines()) == 1


# --- precision ----------------------------------------------------------------------------------------------------

CONTAINERS = {
    "array": np.asarray,
    "nested lists": lambda v: v.tolist(),
    "tensor": torch.tensor,
    "tensor with gradient": lambda v: torch.tensor(v, requires_grad=True),
    "labelled": lambda v: square(v, ("unit", "unit_other")[: v.ndim]),
    "labelled, shuffled": lambda v: square(v, ("unit", "unit_other")[: v.ndim])[(ORDER,) * v.ndim],
    "labelled, turned": lambda v: square(v, ("unit", "unit_other")[: v.ndim]).T,
    "without labels": lambda v: xr.DataArray(v, dims=("unit", "unit_other")[: v.ndim]),
    "table": lambda v: pd.DataFrame(v, UNITS, UNITS) if v.ndim == 2 else pd.Series(v, UNITS),
    "table, rows and columns in two orders": lambda v: (
        pd.DataFrame(v, UNITS, UNITS).iloc[ORDER, ::-1] if v.ndim == 2 else pd.Series(v, UNITS).iloc[ORDER]
    ),
}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("given", [FULL, DIAGONAL], ids=["full", "diagonal"])
def test_a_precision_is_the_same_whatever_holds_it(container, given):
    wanted = mahalanobis(given if given.ndim == 2 else np.diag(given))
    precision = CONTAINERS[container](given)
    np.testing.assert_allclose(compute_rdm(named(), "mahalanobis", precision=precision).values, wanted, atol=1e-10)
    if "table" in container or "labelled" in container:
        return
    tensor = torch.tensor(TRIALS.mean(1), requires_grad=True)
    found = compute_rdm(tensor, "mahalanobis", precision=precision)
    np.testing.assert_allclose(found.detach().numpy(), wanted, atol=1e-10)
    found.sum().backward()
    assert torch.isfinite(tensor.grad).all()
    if container == "tensor with gradient":
        assert precision.grad.abs().max() > 0


@pytest.mark.parametrize("metric", [m for m in METRICS if METRICS[m].takes_precision])
@pytest.mark.parametrize(
    ("precision", "words"),
    [
        (SPOILED, "not symmetric"),
        (FULL + 1j, "complex"),
        (DIAGONAL + 1j, "complex"),
        (np.ones(1), r"shape \(1,\) for 6 units"),
        (np.eye(3), r"shape \(3, 3\) for 6 units"),
        (np.float64(2.0), "for 6 units"),
        (np.ones((6, 6)) - 2 * np.eye(6), "not positive definite"),
        (np.linspace(-1, 1, 6), "finite and positive"),
        (np.where(np.eye(6) > 0, np.inf, 0), "finite and positive"),
        (FULL * np.nan, "finite and positive"),
        (FULL.astype(str), "numbers asked"),
        ([[1.0], [2.0, 3.0]], "parts of unequal shapes"),
        (square(FULL).drop_vars("unit_other"), "one of its dims only"),
        (square(FULL).drop_vars("unit"), "one of its dims only"),
        (square(FULL, names=list("uvwxyz")), "other units"),
        (square(FULL, names=list("aacdef")), "repeat"),
        (xr.DataArray(FULL, dims=("unit", "neuron")), "where unit and unit_other are asked"),
        (pd.DataFrame(FULL, UNITS), "one of its dims only"),
        (pd.DataFrame(FULL, UNITS, list("abcdeg")), "other units"),
    ],
)
def test_what_is_no_precision_of_these_units_is_refused(metric, precision, words):
    refused(lambda: compute_rdm(named(), metric, precision=precision), words)
    refused(lambda: compute_rdm(named(), metric, precision=precision, by=[[0, 1, 2, 3, 4, 5]]), words)
    if isinstance(precision, np.ndarray) and precision.dtype.kind == "f" and metric in ("mahalanobis", "crossnobis"):
        tensor = torch.tensor(TRIALS.transpose(1, 0, 2))
        refused(lambda: compute_rdm(tensor, metric, precision=precision), words)
        refused(lambda: compute_rdm(tensor, metric, precision=torch.tensor(precision)), words)


@pytest.mark.parametrize("metric", [m for m in METRICS if METRICS[m].takes_precision])
def test_a_part_of_the_units_has_its_part_of_a_diagonal_precision_only(metric):
    r = named().assign_coords(area=("unit", list("xxyxyy")))
    found = compute_rdm(r, metric, by="area", precision=DIAGONAL)
    for area, members in (("x", [0, 1, 3]), ("y", [2, 4, 5])):
        alone = compute_rdm(r.isel(unit=members), metric, precision=DIAGONAL[members])
        np.testing.assert_allclose(found.sel(area=area).values, alone.values, atol=1e-10)
    for by in ("area", [[0, 1, 2]]):
        refused(lambda by=by: compute_rdm(r, metric, by=by, precision=FULL), "not that of a part of 3")
    every = compute_rdm(r, metric, by=[[5, 4, 3, 2, 1, 0]], precision=FULL)
    np.testing.assert_allclose(every.values[0], compute_rdm(r, metric, precision=FULL).values, atol=1e-10)


def test_a_precision_of_counted_units_in_another_order_is_put_in_order():
    shuffled = pd.DataFrame(FULL).iloc[ORDER, ORDER]
    found = compute_rdm(named().drop_vars("unit"), "mahalanobis", precision=shuffled)
    np.testing.assert_allclose(found.values, mahalanobis(FULL), atol=1e-10)


# --- searchlights and labels ---------------------------------------------------------------------------------------

MEMBERS = np.array([[4, 0, -1], [1, 2, 5]])


@pytest.mark.parametrize(
    "container",
    [
        np.asarray,
        lambda v: v.tolist(),
        torch.tensor,
        pd.DataFrame,
        lambda v: v.astype(np.int8),
        lambda v: xr.DataArray(v.T, dims=("member", "searchlight")),
    ],
)
def test_searchlights_are_the_same_whatever_holds_them(container):
    found = compute_rdm(named(), "euclidean", by=container(MEMBERS))
    assert found.dims == ("searchlight", "stimulus", "stimulus_other")
    for row, rdm in zip(MEMBERS, found.values, strict=True):
        np.testing.assert_allclose(rdm, compute_rdm(named()[..., row[row >= 0]], "euclidean").values, atol=1e-12)


@pytest.mark.parametrize(
    ("by", "words"),
    [
        ([[0, 1], [2, 2]], "searchlight 1 holds unit 2 twice"),
        (np.zeros((0, 2), dtype=int), "1 or more of the units"),
        (np.zeros((2, 0), dtype=int), "1 or more of the units"),
        ([[-1, -1]], "1 or more of the units"),
        ([[0, 6]], "units 0..5"),
        ([[0, -2]], "units 0..5"),
        ([[0.0, 1.0]], "integer members"),
        ([[True, False]], "integer members"),
        ([0, 1], "integer members"),
        (np.array(list("xxyxyy")), "a label along unit"),
        (7, "a label along unit"),
        (xr.DataArray([0, 1], dims="unit"), r"\(searchlight, member\)"),
        ("area", "no label 'area'"),
    ],
)
def test_what_is_no_searchlight_is_refused(by, words):
    refused(lambda: compute_rdm(named(), "euclidean", by=by), words)


def test_units_without_a_label_and_parts_of_a_tensor_are_refused():
    r = named().assign_coords(depth=("unit", [0.1, np.nan, 0.1, 0.2, 0.2, 0.2]))
    refused(lambda: compute_rdm(r, by="depth"), "1 units have no 'depth'")
    refused(lambda: compute_rdm(torch.tensor(TRIALS), by=MEMBERS), "slice the tensor")


@pytest.mark.parametrize(
    ("tensor", "metric", "words"),
    [
        (torch.tensor(TRIALS).abs() - 0.5, "poisson", "a rate is below 0"),
        (torch.tensor(TRIALS).abs() - 0.5, "poisson_crossvalidated", "a rate is below 0"),
        (torch.full((5, 3), 0.1), "correlation", "do not vary"),
        (torch.zeros(5, 0), "euclidean", "none 0"),
        (torch.zeros(0, 5, 3), "euclidean", "none 0"),
        (torch.zeros(5), "euclidean", "none 0"),
        (torch.ones(5, 3) + 1j, "euclidean", "complex64"),
        (torch.full((5, 3), 1e30) * torch.arange(5.0)[:, None], "euclidean", "too large"),
    ],
)
def test_a_tensor_is_refused_where_an_array_would_be(tensor, metric, words):
    refused(lambda: compute_rdm(tensor, metric), words)


# --- noise --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("container", [np.asarray, lambda v: v.tolist(), torch.tensor, named])
def test_noise_is_the_same_whatever_holds_the_trials(container):
    residuals = (TRIALS - TRIALS.mean(1, keepdims=True)).reshape(-1, 6)
    found = noise_precision(container(TRIALS), shrinkage="none")
    np.testing.assert_allclose(found.values, np.linalg.inv(residuals.T @ residuals / 15), rtol=1e-10)
    table = pd.DataFrame(residuals, columns=UNITS)
    diagonal = noise_precision(table, shrinkage="diagonal", df=15)
    assert diagonal.unit.values.tolist() == UNITS
    np.testing.assert_allclose(diagonal.values, 15 / (residuals**2).sum(0), rtol=1e-10)


@pytest.mark.parametrize(
    ("measurements", "options", "words"),
    [
        (TRIALS + 1j, {}, "complex"),
        (TRIALS.astype(str), {}, "numbers asked"),
        (named() + 1j, {}, "complex"),
        (TRIALS[:0], {}, "empty"),
        (TRIALS[..., :0], {}, "empty"),
        (TRIALS[None], {}, "asked, found"),
        (named().rename(trial="time"), {}, "needs"),
        (TRIALS, {"df": np.nan}, "1 to 20 degrees"),
        (TRIALS, {"df": 21}, "1 to 20 degrees"),
        (TRIALS, {"df": 0}, "1 to 20 degrees"),
        (TRIALS, {"df": "15"}, "1 to 20 degrees"),
    ],
)
def test_what_is_no_noise_is_refused(measurements, options, words):
    refused(lambda: noise_precision(measurements, **options), words)


# --- covariance of stimuli -----------------------------------------------------------------------------------------

A, B = (euclidean(np.random.default_rng(s).normal(size=(6, 5))) for s in (1, 2))
NAMED = [as_rdm(x, stimuli=UNITS) for x in (A, B)]
SIGMA = np.cov(np.random.default_rng(3).normal(size=(6, 30)))
STIMULI = ("stimulus", "stimulus_other")


@pytest.mark.parametrize("method", ["whitened_cosine", "whitened_corr"])
@pytest.mark.parametrize(
    "container",
    [
        lambda v: v.tolist(),
        torch.tensor,
        lambda v: square(v, STIMULI),
        lambda v: square(v, STIMULI)[ORDER, ::-1],
        lambda v: pd.DataFrame(v, UNITS, UNITS).iloc[::-1, ORDER],
    ],
)
def test_a_covariance_of_stimuli_is_the_same_whatever_holds_it(method, container):
    wanted = float(compare_rdms(*NAMED, method, sigma_k=SIGMA))
    assert float(compare_rdms(*NAMED, method, sigma_k=container(SIGMA))) == pytest.approx(wanted, abs=1e-12)
    if not hasattr(container(SIGMA), "loc"):
        pair = [torch.tensor(x)[None] for x in (A, B)]
        assert compare_rdms(*pair, method, sigma_k=container(SIGMA)).item() == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize(
    ("sigma", "words"),
    [
        (SIGMA + 1j, "complex"),
        (np.eye(3), "6 x 6 stimuli"),
        (np.ones(6), "6 x 6 stimuli"),
        (-np.eye(6), "positive definite"),
        (SIGMA * np.nan, "NaN"),
        (SIGMA + np.triu(np.ones((6, 6)), 1), "not symmetric"),
    ],
)
def test_what_is_no_covariance_of_stimuli_is_refused(sigma, words):
    refused(lambda: compare_rdms(*NAMED, "whitened_corr", sigma_k=sigma), words)
    pair = [torch.tensor(x)[None] for x in (A, B)]
    refused(lambda: compare_rdms(*pair, "whitened_corr", sigma_k=sigma), words)
    refused(lambda: compare_rdms(*pair, "cosine", sigma_k=sigma), "takes no sigma_k")


def test_a_covariance_labelled_by_half_or_for_others_is_refused():
    half, others = square(SIGMA, STIMULI).drop_vars("stimulus_other"), square(SIGMA, STIMULI, list("uvwxyz"))
    refused(lambda: compare_rdms(*NAMED, "whitened_corr", sigma_k=half), "one of its dims only")
    refused(lambda: compare_rdms(*NAMED, "whitened_corr", sigma_k=others), "different stimuli")


def test_a_gradient_is_not_lost_without_a_word():
    tensor = torch.tensor(A, requires_grad=True)
    refused(lambda: compare_rdms(tensor, B, "corr"), "as a tensor too")
    assert float(compare_rdms(tensor.detach(), B, "corr")) == pytest.approx(float(compare_rdms(A, B, "corr")))
    both = compare_rdms(torch.tensor(A[None], dtype=torch.float32), torch.tensor(B[None]), "corr")
    assert both.item() == pytest.approx(float(compare_rdms(A, B, "corr")), abs=1e-6)


# --- pairs --------------------------------------------------------------------------------------------------------

X, Y = np.random.default_rng(4).normal(size=(2, 12, 3))


@pytest.mark.parametrize("score", [cka, cca, soft_matching, ShapeMetric().distance])
def test_a_tensor_and_an_array_are_compared_as_two_arrays(score):
    wanted = float(score(X, Y))
    assert float(score(torch.tensor(X), Y)) == pytest.approx(wanted, abs=1e-12)
    assert float(score(X, torch.tensor(Y))) == pytest.approx(wanted, abs=1e-12)
    assert float(score(torch.tensor(X, dtype=torch.float32), torch.tensor(Y))) == pytest.approx(wanted, abs=1e-5)


def test_an_alignment_of_arrays_scores_tensors_and_the_reverse():
    fitted = ShapeMetric().fit(X, Y)
    wanted = fitted.score(Y, X)
    assert float(fitted.score(torch.tensor(Y), X)) == pytest.approx(wanted, abs=1e-12)
    assert float(ShapeMetric().fit(torch.tensor(X), Y).score(Y, X)) == pytest.approx(wanted, abs=1e-12)


def test_a_score_over_its_ceiling_is_matched_by_label():
    score = xr.DataArray([0.2, 0.3], dims="unit", coords={"unit": ["a", "b"]})
    ceiling = xr.DataArray([0.6, 0.8], dims="unit", coords={"unit": ["b", "a"]})
    assert normalize(score, ceiling).values.tolist() == pytest.approx([0.25, 0.5])
    assert normalize([0.2, 0.3], np.array([0.8, 0.6])).values.tolist() == pytest.approx([0.25, 0.5])
    refused(lambda: normalize(score, ceiling.isel(unit=[0])), "1 and 2 along 'unit'")
    refused(lambda: normalize(score, ceiling.assign_coords(unit=["b", "c"])), "different")
    refused(lambda: normalize(score, ceiling.rename(unit="neuron")), "has dims")
    refused(lambda: normalize(score, ceiling + 1j), "complex")


def test_labelled_parts_of_bare_arrays_are_compared_whole():
    assert float(compare_by(X, Y, progress=False)) == pytest.approx(float(cka(X, Y)), abs=1e-12)
    r = as_responses(X, coords={"category": ("stimulus", list("aabbccddeeff"))})
    refused(lambda: compare_by(r, r, by="category"), "a label of every unit")


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: stochastic_shape(TRIALS, TRIALS[:4]), "5 and 4 stimuli"),
        (lambda: stochastic_shape(as_responses(TRIALS), as_responses(TRIALS)), r"\(stimulus, trial, unit\)"),
        (lambda: stochastic_shape(TRIALS + 1j, TRIALS), "complex"),
        (lambda: dsa(TRIALS + 1j, TRIALS), "complex"),
        (lambda: dsa(named(), named()), r"\(stimulus, time, unit\)"),
        (lambda: jackknife(cka, X, Y, alpha=5, progress=False), "between 0 and 1"),
        (lambda: arrange(A * np.nan), "finite, symmetric"),
        (lambda: arrange(np.triu(A)), "finite, symmetric"),
        (lambda: arrange(A[:4]), "finite, symmetric"),
        (lambda: arrange(A + 1j), "complex"),
        (lambda: reweight_features(RNG.normal(size=(12, 4)), squared(12), penalties=[]), "above 0"),
        (lambda: reweight_features(RNG.normal(size=(12, 4)), squared(12), penalties=[-1.0]), "above 0"),
        (lambda: reweight_features(RNG.normal(size=(12, 4)), squared(12), penalties=[np.nan]), "above 0"),
        (lambda: reweight_features(RNG.normal(size=(12, 4)), squared(12), penalties=[1j]), "complex"),
        (lambda: regress_rdm(squared(12), twice(12), resample=("stimulus",)), "names of models repeat"),
        (lambda: regress_rdm(squared(12), twice(12)[0], resample=("stimulus",)), r"models have dims \(model"),
        (lambda: regress_rdm(squared(12), {"a": squared(12)}, resample=("stimulus",), alpha=2), "between 0 and 1"),
        (
            lambda: infer({"a": squared(12)}, squared(12), resample=Resampling("stimulus", groups=np.arange(12))),
            "no label",
        ),
    ],
)
def test_bad_input_is_named(act, words):
    refused(act, words)


def squared(n):
    return as_rdm(euclidean(np.random.default_rng(n).normal(size=(n, 4))))


def twice(n):
    return xr.concat([squared(n), squared(n) ** 2], xr.DataArray(["m", "m"], dims="model", name="model"))


def test_each_model_of_a_stack_is_symmetric_for_its_own_size():
    large, small = np.random.default_rng(1).random((2, 6, 6))
    large, small = (1 - np.eye(6)) * (large + large.T), 1e-9 * (1 - np.eye(6)) * small
    stack = as_rdm(np.stack([large, small]), dims=("model",))
    with pytest.raises(InputError, match="infer: the RDM is not symmetric"):
        infer(stack, np.stack([large] * 5))
    given = as_rdm(np.stack([large, large**2]), dims=("model",))
    apart = {str(i): as_rdm(given.values[i]) for i in range(2)}
    assert infer(given, np.stack([large, large**2, large**3])).equals(
        infer(apart, np.stack([large, large**2, large**3]))
    )


MODELS = [compute_rdm(RNG.normal(size=(7, 5))) for _ in range(2)]


@pytest.mark.parametrize(
    ("models", "words"),
    [
        ({"a": np.ones((7, 5))}, r"infer, model 'a': an RDM is square, found shape \(7, 5\); compute_rdm makes one"),
        ({"a": as_responses(np.ones((7, 5)))}, r"infer, model 'a': .* found .*; compute_rdm makes one of responses"),
        ([np.ones((7, 5)), np.ones((7, 4))], r"infer: model 0 has shape \(7, 5\), and an RDM is square"),
        (MODELS, "infer: a list of RDMs, whose names are none, none; give {'name': rdm, ...}"),
        ([MODELS[0].rename("a"), MODELS[1].rename("a")], "whose names are 'a', 'a'"),
    ],
)
def test_models_that_are_no_rdms_or_have_no_names_are_refused(models, words):
    with pytest.raises(InputError, match=words):
        infer(models, MODELS[0], resample="stimulus")


@pytest.mark.parametrize("name", [lambda m, n: m.rename(n), lambda m, n: m.assign_coords(model=n).rename("rdm")])
@pytest.mark.parametrize("score", [lambda m, d: infer(m, d, resample="stimulus"), mantel_test])
def test_a_list_of_rdms_keeps_their_names(name, score):
    listed = [name(rdm, n) for rdm, n in zip(MODELS, ("first", "second"), strict=True)]
    found, wanted = score(listed, MODELS[1]), score({"first": MODELS[0], "second": MODELS[1]}, MODELS[1])
    assert found.model.values.tolist() == ["first", "second"]
    np.testing.assert_array_equal(found.score, wanted.score)


@pytest.mark.parametrize("rows", [[2, 0, 1, 4, 3, 6, 5], [1, 2, 3, 4, 5, 6]])
def test_counted_rows_that_moved_are_told_from_names(rows):
    table = pd.DataFrame(RNG.normal(size=(7, 5)))
    with pytest.raises(InputError, match=r"numbers of the second count rows, .*set_index.*reset_index\(drop=True\)"):
        compare_rdms(compute_rdm(table.iloc[: len(rows)]), compute_rdm(table.iloc[rows]))
