"""What holds for every registered way to compare RDMs or responses, present and future."""

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from neurosim.schema import InputError, as_rdm, as_responses
from neurosim.similarity.alignment import CCA_METHODS, ESTIMATORS, cca, cka
from neurosim.similarity.comparison import compare_rdms
from neurosim.similarity.inference import infer
from neurosim.similarity.method import METHODS
from neurosim.similarity.metrics.euclidean import euclidean
from neurosim.similarity.predictivity import predict_responses
from neurosim.similarity.predictor import PREDICTORS
from neurosim.similarity.rdms import compute_rdm
from neurosim.similarity.spike_distance import SPIKE_DISTANCES
from neurosim.similarity.spike_rdms import spike_rdm

NAMES = [f"picture_{i}" for i in range(6)]
ORDER = [3, 1, 0, 5, 4, 2]
SIGMA = np.cov(np.random.default_rng(3).normal(size=(6, 30)))


def rdm(seed=0):
    return as_rdm(euclidean(np.random.default_rng(seed).normal(size=(6, 5))), stimuli=NAMES)


def refused(act):
    with pytest.raises(InputError) as error:
        act()
    assert len(str(error.value).splitlines()) == 1


def mapped(array, folder):
    np.save(folder / "values.npy", array)
    return np.load(folder / "values.npy", mmap_mode="r")


RDM_CONTAINERS = {
    "array": lambda r, folder: r.values,
    "nested lists": lambda r, folder: r.values.tolist(),
    "big-endian": lambda r, folder: r.astype(">f8"),
    "strided": lambda r, folder: np.repeat(r.values, 2, axis=-1)[..., ::2],
    "memory map": lambda r, folder: r.copy(data=mapped(r.values, folder)),
    "dask": lambda r, folder: r.chunk({"stimulus": 2, "stimulus_other": 4}),
    "tensor": lambda r, folder: torch.tensor(r.values),
    "table, shuffled": lambda r, folder: pd.DataFrame(r.values, NAMES, NAMES).iloc[ORDER, ::-1],
    "labelled, shuffled": lambda r, folder: r[ORDER, ORDER],
    "labelled, sides in two orders": lambda r, folder: r[ORDER, ::-1],
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("container", RDM_CONTAINERS)
def test_the_container_of_an_rdm_does_not_matter(method, container, tmp_path):
    bare = container in ("array", "nested lists", "strided", "tensor")
    a, b = (r.drop_vars(("stimulus", "stimulus_other")) if bare else r for r in (rdm(0), rdm(1)))
    wanted = float(compare_rdms(a, b, method))
    changed = RDM_CONTAINERS[container](b, tmp_path)
    assert float(compare_rdms(a, changed, method)) == pytest.approx(wanted, abs=1e-10)
    assert float(compare_rdms(changed, a, method)) == pytest.approx(wanted, abs=1e-10)


@pytest.mark.parametrize("method", METHODS)
def test_leading_dims_are_crossed(method):
    many = xr.concat([rdm(0), rdm(1), rdm(2)], xr.DataArray(list("abc"), dims="layer", name="layer"))
    found = compare_rdms(many, many[:2], method)
    assert found.dims == ("layer", "layer_other")
    for i in range(3):
        for j in range(2):
            assert float(found[i, j]) == pytest.approx(float(compare_rdms(rdm(i), rdm(j), method)), abs=1e-10)


@pytest.mark.parametrize("method", METHODS)
def test_two_tensors_give_the_same_with_their_gradient_or_are_refused(method):
    first, second = (torch.tensor(np.stack([rdm(s).values for s in seeds])) for seeds in ((0,), (1, 2)))
    if not METHODS[method].tensors:
        refused(lambda: compare_rdms(first, second, method))
        return
    wanted = [float(compare_rdms(rdm(0), rdm(s), method)) for s in (1, 2)]
    np.testing.assert_allclose(compare_rdms(first, second, method).numpy()[0], wanted, atol=1e-10)
    points = torch.tensor(np.random.default_rng(7).normal(size=(6, 5)), requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda p: compare_rdms(compute_rdm(p, "euclidean")[None], second, method).sum(), points, atol=1e-4
    )


@pytest.mark.parametrize("method", METHODS)
def test_a_covariance_of_stimuli_is_used_or_refused(method):
    a, b = rdm(0), rdm(1)
    labels = {"stimulus": NAMES, "stimulus_other": NAMES}
    shuffled = xr.DataArray(SIGMA, dims=tuple(labels), coords=labels)[ORDER, ::-1]
    if not METHODS[method].sigma_k:
        refused(lambda: compare_rdms(a, b, method, sigma_k=SIGMA))
        return
    plain, whitened = (float(compare_rdms(a, b, method, sigma_k=s)) for s in (None, SIGMA))
    assert float(compare_rdms(a, b, method, sigma_k=2 * np.eye(6))) == pytest.approx(plain, abs=1e-10)
    assert abs(whitened - plain) > 1e-3
    assert float(compare_rdms(a, b[ORDER, ORDER], method, sigma_k=shuffled)) == pytest.approx(whitened, abs=1e-10)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [0.0, 1.0, 0.1])
def test_an_rdm_that_does_not_vary_is_refused_or_has_a_finite_score(method, value):
    flat = value * (1 - np.eye(6))
    for pair in ((rdm(0).values, flat), (flat, rdm(0).values), (flat, flat)):
        tensors = [torch.tensor(x)[None] for x in pair]
        answers = []
        for form in (pair, tensors) if METHODS[method].tensors else (pair,):
            try:
                answers.append(float(compare_rdms(*form, method)))
            except InputError as error:
                assert len(str(error).splitlines()) == 1
                answers.append(None)
        assert answers[0] is None or np.isfinite(answers[0])
        assert answers[0] == pytest.approx(answers[-1], abs=1e-10)


@pytest.mark.parametrize("method", [m for m in METHODS if METHODS[m].has_inference])
def test_inference_gives_the_scores_of_the_comparison_in_any_container(method):
    models = {"a": rdm(1), "b": pd.DataFrame(rdm(2).values, NAMES, NAMES).iloc[ORDER, ::-1]}
    data = xr.concat([rdm(s) for s in (3, 4, 5)], "subject")[:, ORDER, ORDER]
    found = infer(models, data, method=method, resample=("subject",), progress=False)
    for i, model in enumerate((rdm(1), rdm(2))):
        wanted = float(compare_rdms(model, data, method).mean())
        assert float(found.score[i]) == pytest.approx(wanted, abs=1e-10)


@pytest.mark.parametrize("method", METHODS)
def test_comparison_is_symmetric_knows_labels_and_is_highest_for_the_same(method):
    a, b = rdm(0), rdm(1)
    there, back, same = (float(compare_rdms(x, y, method)) for x, y in ((a, b), (b, a), (a, a)))
    assert there == pytest.approx(back, abs=1e-10)
    assert same > there
    if method != "rho_a":
        assert same == pytest.approx(1, abs=1e-9)
    turned = b.isel(stimulus=[3, 1, 0, 5, 4, 2], stimulus_other=[3, 1, 0, 5, 4, 2])
    assert float(compare_rdms(a, turned, method)) == pytest.approx(there, abs=1e-10)
    assert float(compare_rdms(a, 3 * b, method)) == pytest.approx(there, abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "bad",
    ["complex", "text", "nan", "no stimuli", "no subjects", "diagonal", "other stimuli", "square", "second moments"],
)
def test_what_is_no_rdm_is_refused_in_one_line(method, bad):
    a, rng = rdm(0), np.random.default_rng(0)
    broken = {
        "complex": lambda: a + 1j,
        "text": lambda: a.astype(str),
        "nan": lambda: a.where(a.stimulus != a.stimulus[0], np.nan),
        "no stimuli": lambda: np.zeros((0, 0)),
        "no subjects": lambda: a.expand_dims(subject=1)[:0],
        "second moments": lambda: compute_rdm(np.random.default_rng(0).normal(size=(6, 5)), "euclidean", keep="gram"),
        "diagonal": lambda: a + xr.DataArray(np.eye(6), dims=a.dims, coords=a.coords),
        "other stimuli": lambda: a.assign_coords(stimulus=list("abcdef"), stimulus_other=list("abcdef")),
        "square": lambda: rng.random((6, 5)),
    }[bad]()
    refused(lambda: compare_rdms(a, broken, method))
    refused(lambda: compare_rdms(broken, a, method))


# --- responses ----------------------------------------------------------------------------------------------------

X, Y = np.random.default_rng(4).normal(size=(2, 24, 3))
Y = Y + X
PICTURES = [f"p{i}" for i in range(24)]
RESPONSES = {
    "tensor": torch.tensor,
    "nested lists": lambda v: v.tolist(),
    "strided": lambda v: np.repeat(v, 2, axis=-1)[..., ::2],
    "labelled, shuffled": lambda v: as_responses(v, stimuli=PICTURES)[::-1],
    "table, shuffled": lambda v: pd.DataFrame(v, PICTURES).sample(frac=1, random_state=0),
    "dask": lambda v: as_responses(v, stimuli=PICTURES).chunk({"stimulus": 7}),
}
SCORES = {f"cka {e}": lambda a, b, e=e: cka(a, b, estimator=e, batch=24) for e in ESTIMATORS}
SCORES |= {f"cca {m}": lambda a, b, m=m: cca(a, b, method=m) for m in CCA_METHODS}
SCORES |= {
    f"predict {m}": lambda a, b, m=m: predict_responses(a, b, method=m, folds=3, progress=False).median_score
    for m in PREDICTORS
}


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("container", RESPONSES)
def test_the_container_of_responses_does_not_matter(score, container):
    named = container in ("labelled, shuffled", "table, shuffled", "dask")
    first = as_responses(X, stimuli=PICTURES) if named else X
    wanted = float(SCORES[score](X, Y))
    assert float(SCORES[score](first, RESPONSES[container](Y))) == pytest.approx(wanted, abs=1e-10)


@pytest.mark.parametrize("metric", SPIKE_DISTANCES)
def test_the_container_of_spike_times_does_not_matter(metric):
    trains = [[np.sort(np.random.default_rng(3 * s + u).random(4)) for u in range(2)] for s in range(4)]
    wanted = spike_rdm(trains, metric, duration=1.0, progress=False).values
    times = np.empty((4, 2), dtype=object)
    for s, u in np.ndindex(4, 2):
        times[s, u] = trains[s][u]
    for same in (
        [[unit.tolist() for unit in stimulus] for stimulus in trains],
        [[torch.tensor(unit) for unit in stimulus] for stimulus in trains],
        [[unit[::-1] for unit in stimulus] for stimulus in trains],
        times,
        xr.DataArray(times.T, dims=("unit", "stimulus")),
    ):
        np.testing.assert_allclose(spike_rdm(same, metric, duration=1.0, progress=False).values, wanted, atol=1e-10)
