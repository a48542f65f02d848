"""What holds for every registered RDM metric, present and future."""

from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from neurosim.schema import InputError, as_responses
from neurosim.similarity.metric import METRICS
from neurosim.similarity.noise import noise_precision
from neurosim.similarity.rdms import compute_rdm
from neurosim.similarity.shrinkage import SHRINKAGES

WHITENED = [m for m in METRICS if METRICS[m].takes_precision]
CROSSVALIDATED = [m for m in METRICS if METRICS[m].folds]

FULL = np.linalg.inv(np.cov(np.random.default_rng(5).normal(size=(7, 60))))


def refused(act):
    with pytest.raises(InputError) as error:
        act()
    assert len(str(error.value).splitlines()) == 1


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


def mapped(array, folder, name="values.npy"):
    np.save(folder / name, array)
    return np.load(folder / name, mmap_mode="r")


CONTAINERS = {
    "float32": lambda r, folder: r.astype("float32"),
    "big-endian": lambda r, folder: r.astype(">f8"),
    "strided": lambda r, folder: r.copy(data=np.repeat(r.values, 2, axis=-1)[..., ::2]),
    "backwards": lambda r, folder: r.copy(data=r.values[::-1, :, ::-1].copy()[::-1, :, ::-1]),
    "Fortran order": lambda r, folder: r.copy(data=np.asfortranarray(r.values)),
    "other order of dims": lambda r, folder: r.transpose("unit", "trial", "stimulus"),
    "memory map": lambda r, folder: r.copy(data=mapped(r.values, folder)),
    "dask, chunks of units": lambda r, folder: r.chunk({"unit": 3}),
    "dask, chunks of stimuli": lambda r, folder: r.chunk({"stimulus": 2, "trial": 2}),
}


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("container", CONTAINERS)
def test_the_container_does_not_matter(metric, container, tmp_path):
    responses = counts().astype("float32").astype(float)
    changed = CONTAINERS[container](responses, tmp_path)
    wanted = compute_rdm(responses, metric).values
    np.testing.assert_allclose(compute_rdm(changed, metric).values, wanted, atol=1e-10)


@pytest.mark.parametrize("metric", METRICS)
def test_whole_numbers_are_numbers(metric):
    whole = np.round(counts()).astype(int)
    wanted = compute_rdm(whole.astype(float), metric).values
    np.testing.assert_allclose(compute_rdm(whole, metric).values, wanted, atol=1e-10)


def options(metric):
    """A precision where the metric has one, for responses without trials to estimate it from."""
    return {"precision": FULL} if metric in WHITENED else {}


def patterns_or_folds(responses, metric):
    folds = responses.transpose("trial", "stimulus", "unit").values
    return folds if metric in CROSSVALIDATED else folds.mean(0)


@pytest.mark.parametrize("metric", METRICS)
def test_a_tensor_gives_the_same_with_its_gradient_or_is_refused(metric):
    responses = counts(n_stimuli=4)
    tensor = torch.tensor(patterns_or_folds(responses, metric), requires_grad=True)
    if not METRICS[metric].tensors:
        refused(lambda: compute_rdm(tensor, metric, **options(metric)))
        return
    found = compute_rdm(tensor, metric, **options(metric))
    wanted = compute_rdm(responses, metric, **options(metric)).values
    np.testing.assert_allclose(found.detach().numpy(), wanted, atol=1e-10)
    weights = torch.arange(16.0, dtype=torch.float64).reshape(4, 4)
    assert torch.autograd.gradcheck(lambda t: (compute_rdm(t, metric, **options(metric)) * weights).sum(), tensor)
    batch = compute_rdm(torch.stack([tensor, 2 * tensor]), metric, **options(metric))
    np.testing.assert_allclose(batch[0].detach().numpy(), wanted, atol=1e-10)
    np.testing.assert_allclose(
        batch[1].detach().numpy(), compute_rdm(2 * responses, metric, **options(metric)).values, atol=1e-10
    )


@pytest.mark.parametrize("metric", METRICS)
def test_a_table_is_read_by_its_labels(metric):
    responses = counts().mean("trial")
    rows, columns = responses.stimulus.values, responses.unit.values
    table = pd.DataFrame(responses.values, rows, columns).sample(frac=1, random_state=0)
    if metric in CROSSVALIDATED:
        refused(lambda: compute_rdm(table, metric))
        return
    given = {"precision": pd.DataFrame(FULL, columns, columns).iloc[::-1, [3, 1, 0, 6, 5, 2, 4]]}
    found = compute_rdm(table, metric, **(given if metric in WHITENED else {})).sel(stimulus=rows, stimulus_other=rows)
    wanted = compute_rdm(responses, metric, **options(metric))
    np.testing.assert_allclose(found.values, wanted.values, atol=1e-10)


@pytest.mark.parametrize("metric", METRICS)
def test_leading_dims_ride_along(metric):
    parts = [[counts(4 * i + j) for j in range(2)] for i in range(2)]
    layers = [xr.concat(row, xr.DataArray([0.1, 0.2], dims="time", name="time")) for row in parts]
    whole = xr.concat(layers, xr.DataArray(["a", "b"], dims="layer", name="layer"))
    found = compute_rdm(whole.transpose("unit", "time", "stimulus", "layer", "trial"), metric)
    assert set(found.dims[:2]) == {"layer", "time"}
    for i, j in product(range(2), range(2)):
        one = found.sel(layer="ab"[i], time=(0.1, 0.2)[j])
        np.testing.assert_allclose(one.values, compute_rdm(parts[i][j], metric).values, atol=1e-10)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("given", ["nothing", "precision"])
def test_distances_follow_from_the_gram_matrix_or_there_is_none(metric, given):
    precision = options(metric) if given == "precision" else {}
    if METRICS[metric].gram is None:
        refused(lambda: compute_rdm(counts(), metric, keep="gram", **precision))
        return
    gram = compute_rdm(counts(), metric, keep="gram", **precision)
    own = np.diagonal(gram.values)
    assert gram.attrs["quantity"] == "second_moment"
    wanted = compute_rdm(counts(), metric, **precision).values
    np.testing.assert_allclose(own[:, None] + own - 2 * gram.values, wanted, atol=1e-9)
    if METRICS[metric].tensors and (precision or metric not in WHITENED):
        tensor = torch.tensor(patterns_or_folds(counts(), metric))
        np.testing.assert_allclose(
            compute_rdm(tensor, metric, keep="gram", **precision).numpy(), gram.values, atol=1e-10
        )


def unbalanced(filler=np.nan):
    """Stimuli 0 and 4 lack a trial each, another one."""
    responses = counts()
    measured = np.ones((6, 5), dtype=bool)
    measured[0, 1] = measured[4, 3] = False
    values = np.where(measured[..., None], responses.values, filler)
    return responses.copy(data=values).assign_coords(measured=(("stimulus", "trial"), measured))


@pytest.mark.parametrize("metric", METRICS)
def test_trials_that_were_not_measured_count_for_nothing(metric):
    try:
        found = compute_rdm(unbalanced(), metric)
    except InputError as error:
        assert len(str(error).splitlines()) == 1
        assert metric in CROSSVALIDATED
        return
    np.testing.assert_array_equal(found.values, compute_rdm(unbalanced(1e6), metric).values)
    whole = [1, 2, 3, 5]
    if metric in CROSSVALIDATED:
        own = {"precision": np.linspace(0.2, 3, 7)} if metric in WHITENED else {}
        wanted = compute_rdm(counts().isel(stimulus=whole), metric, **own).values
        found = compute_rdm(unbalanced(), metric, **own)
        if metric != "ldc_t":  # its error is that of the noise of all stimuli together
            np.testing.assert_allclose(found.values[np.ix_(whole, whole)], wanted, atol=1e-10)
        return
    given = {"precision": noise_precision(unbalanced())} if metric in WHITENED else {}
    means = unbalanced().mean("trial", skipna=True)
    np.testing.assert_allclose(found.values, compute_rdm(means, metric, **given).values, atol=1e-10)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("what", ["a constant pattern", "a silent pattern", "a silent unit", "all the same"])
def test_what_does_not_vary_is_refused_or_has_finite_distances(metric, what):
    values = counts().values.copy()
    if what == "all the same":
        values[:] = 2.0
    elif what == "a silent unit":
        values[..., 2] = 0.0
    else:
        values[1] = 0.1 if what == "a constant pattern" else 0.0
    responses = counts().copy(data=values)
    answers = []
    forms = [responses, torch.tensor(patterns_or_folds(responses, metric))]
    for form in forms if METRICS[metric].tensors else forms[:1]:
        try:
            answers.append(np.asarray(compute_rdm(form, metric, **options(metric))))
        except InputError as error:
            assert len(str(error).splitlines()) == 1
            answers.append(None)
    assert answers[0] is None or np.isfinite(answers[0]).all()
    if len(answers) == 2:
        assert (answers[0] is None) == (answers[1] is None)
        if answers[0] is not None:
            np.testing.assert_allclose(answers[0], answers[1], atol=1e-10)


@pytest.mark.parametrize("metric", WHITENED)
@pytest.mark.parametrize("shrinkage", SHRINKAGES)
def test_a_named_shrinkage_is_that_of_the_units_of_each_searchlight(metric, shrinkage):
    by = [[4, 0, 6, -1], [1, 2, 3, 5]]
    found = compute_rdm(counts(), metric, precision=shrinkage, by=by)
    for row, rdm in zip(by, found.values, strict=True):
        alone = compute_rdm(counts().isel(unit=[u for u in row if u >= 0]), metric, precision=shrinkage)
        np.testing.assert_allclose(rdm, alone.values, atol=1e-10)


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
    chance = METRICS[metric].chance
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
    refused(lambda: compute_rdm(xr.DataArray(broken, dims=("stimulus", "trial", "unit")), metric))
    if METRICS[metric].tensors and bad != "text":
        folds = torch.tensor(np.ascontiguousarray(broken.transpose(1, 0, 2)))
        refused(lambda: compute_rdm(folds if metric in CROSSVALIDATED else folds.mean(0), metric, **options(metric)))
