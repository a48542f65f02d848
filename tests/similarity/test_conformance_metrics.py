"""What holds for every registered RDM metric and comparison method, present and future."""

from itertools import combinations

import numpy as np
import pytest
import xarray as xr

from neurosim.schema import InputError, as_responses
from neurosim.similarity.comparison import METHODS, compare_rdms
from neurosim.similarity.rdms import CROSSVALIDATED, METRICS, WHITENED, compute_rdm


def counts(seed=0, n_stimuli=6, n_trials=5, n_units=7, same=False):
    rng = np.random.default_rng(seed)
    rate = 4 + 6 * rng.random((1 if same else n_stimuli, 1, n_units))
    values = rng.poisson(np.broadcast_to(rate, (n_stimuli, n_trials, n_units))) + 0.1 * rng.random(
        (n_stimuli, n_trials, n_units)
    )
    coords = {"unit": [f"u{i}" for i in range(n_units)]}
    return as_responses(values, dims=("stimulus", "trial", "unit"), coords=coords, quantity="spike_count")


@pytest.mark.parametrize("metric", METRICS)
def test_rdms_are_symmetric_hollow_and_labelled(metric):
    rdm = compute_rdm(counts(), metric)
    np.testing.assert_allclose(rdm.values, rdm.values.T, atol=1e-12)
    assert (np.diagonal(rdm.values) == 0).all()
    assert rdm.dims == ("stimulus", "stimulus_other")
    assert rdm.attrs["metric"] == metric


@pytest.mark.parametrize("metric", METRICS)
def test_units_and_stimuli_have_no_order(metric):
    responses, rng = counts(), np.random.default_rng(1)
    expected = compute_rdm(responses, metric)
    moved = responses.isel(unit=rng.permutation(7), stimulus=rng.permutation(6))
    found = compute_rdm(moved, metric).sel(stimulus=expected.stimulus, stimulus_other=expected.stimulus_other)
    np.testing.assert_allclose(found.values, expected.values, atol=1e-9)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", ["float32", "strided", "dask"])
def test_the_container_does_not_matter(metric, kind):
    responses = counts().astype("float32").astype(float)
    changed = {
        "float32": lambda r: r.astype("float32"),
        "strided": lambda r: r.copy(data=np.repeat(r.values, 2, axis=-1)[..., ::2]),
        "dask": lambda r: r.chunk({"unit": 3}),
    }[kind](responses)
    np.testing.assert_allclose(compute_rdm(changed, metric), compute_rdm(responses, metric), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("given", ["nothing", "diagonal"])
def test_a_searchlight_over_all_units_is_the_plain_rdm(metric, given):
    if given == "diagonal" and metric not in WHITENED:
        with pytest.raises(InputError, match="takes no precision"):
            compute_rdm(counts(), metric, precision=np.ones(7))
        return
    precision = None
    if given == "diagonal":
        precision = xr.DataArray(np.linspace(0.2, 3, 7), dims="unit", coords={"unit": counts().unit.values})
    every = xr.DataArray([list(range(7)), [2, 5, 6, 0, 1, 4, 3]], dims=("searchlight", "member"))
    plain = compute_rdm(counts(), metric, precision=precision)
    for found in compute_rdm(counts(), metric, precision=precision, by=every):
        np.testing.assert_allclose(found.values, plain.values, atol=1e-10)


@pytest.mark.parametrize("metric", WHITENED)
def test_a_searchlight_of_a_few_units_uses_their_part_of_the_precision(metric):
    precision = xr.DataArray(np.linspace(0.2, 3, 7), dims="unit", coords={"unit": counts().unit.values})
    few = [4, 0, 6]
    found = compute_rdm(counts(), metric, precision=precision, by=xr.DataArray([few], dims=("searchlight", "member")))
    alone = compute_rdm(counts().isel(unit=few), metric, precision=precision.isel(unit=few))
    np.testing.assert_allclose(found.values[0], alone.values, atol=1e-10)


@pytest.mark.parametrize("precision", [None, "diagonal", "full"])
def test_ldc_t_is_the_t_value_of_its_definition(precision):
    """https://doi.org/10.1016/j.neuroimage.2015.12.012, written out pair by pair and fold by fold."""
    responses = counts(n_trials=6)
    x = responses.transpose("trial", "stimulus", "unit").values
    n_trials, n_stimuli, n_units = x.shape
    given = {
        None: None,
        "diagonal": np.diag(np.linspace(0.2, 3, n_units)),
        "full": np.linalg.inv(np.cov(np.random.default_rng(2).normal(size=(n_units, 40)))),
    }[precision]
    residual = x - x.mean(0)
    noise = sum(np.outer(r, r) for r in residual.reshape(-1, n_units)) / (n_stimuli * (n_trials - 1))
    asked = given if given is None or precision == "full" else np.diagonal(given).copy()
    found = compute_rdm(responses, "ldc_t", precision=asked if given is not None else "diagonal")
    for i, j in combinations(range(n_stimuli), 2):
        t = []
        for fold in range(n_trials):
            training = np.delete(x, fold, axis=0)
            inverse = given
            if given is None:
                left = training - training.mean(0)
                inverse = np.diag(1 / (np.square(left).sum((0, 1)) / (n_stimuli * (n_trials - 2))))
            weights = inverse @ (training[:, i] - training[:, j]).mean(0)
            t.append(weights @ (x[fold, i] - x[fold, j]) / np.sqrt(2 * weights @ noise @ weights))
        assert float(found[i, j]) == pytest.approx(np.mean(t), rel=1e-8)


@pytest.mark.parametrize("metric", CROSSVALIDATED)
def test_crossvalidated_metrics_have_their_chance_value_on_noise(metric):
    upper = np.triu_indices(6, 1)
    means = [compute_rdm(counts(seed, same=True), metric).values[upper].mean() for seed in range(60)]
    chance = 0.5 if metric == "decoding" else 0.0
    assert abs(np.mean(means) - chance) < 4 * np.std(means, ddof=1) / np.sqrt(len(means))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("bad", ["complex", "text", "nan", "two stimuli", "no stimuli"])
def test_what_is_no_response_is_refused_in_one_line(metric, bad):
    values = counts().values
    broken = {
        "complex": lambda: values + 1j,
        "text": lambda: values.astype(str),
        "nan": lambda: np.where(np.arange(7) == 3, np.nan, values),
        "two stimuli": lambda: values[:2],
        "no stimuli": lambda: values[:0],
    }[bad]()
    with pytest.raises(InputError) as error:
        compute_rdm(xr.DataArray(broken, dims=("stimulus", "trial", "unit")), metric)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("method", METHODS)
def test_comparison_is_symmetric_knows_labels_and_is_highest_for_the_same(method):
    a, b = compute_rdm(counts(0), "euclidean"), compute_rdm(counts(1), "euclidean")
    there, back, same = (float(compare_rdms(x, y, method)) for x, y in ((a, b), (b, a), (a, a)))
    assert there == pytest.approx(back, abs=1e-10)
    assert same > there
    if method != "rho_a":
        assert same == pytest.approx(1, abs=1e-9)
    turned = b.isel(stimulus=[3, 1, 0, 5, 4, 2], stimulus_other=[3, 1, 0, 5, 4, 2])
    assert float(compare_rdms(a, turned, method)) == pytest.approx(there, abs=1e-10)
    assert float(compare_rdms(a, 3 * b, method)) == pytest.approx(there, abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("bad", ["complex", "diagonal", "other stimuli", "square"])
def test_what_is_no_rdm_is_refused_in_one_line(method, bad):
    a, rng = compute_rdm(counts(0), "euclidean"), np.random.default_rng(0)
    broken = {
        "complex": lambda: a + 1j,
        "diagonal": lambda: a + xr.DataArray(np.eye(6), dims=a.dims, coords=a.coords),
        "other stimuli": lambda: a.assign_coords(stimulus=list("abcdef"), stimulus_other=list("abcdef")),
        "square": lambda: rng.random((6, 5)),
    }[bad]()
    with pytest.raises(InputError) as error:
        compare_rdms(a, broken, method)
    assert len(str(error.value).splitlines()) == 1
