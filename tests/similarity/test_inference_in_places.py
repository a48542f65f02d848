"""Leading dims: every place is inferred in as if it stood alone, p values are corrected for all, gaps say why."""

import logging

import numpy as np
import pytest
import xarray as xr

import neurosim as ns
from neurosim.similarity import Resampling, compare_rdms, infer
from neurosim.similarity.inference_options import correct_p
from neurosim.similarity.metrics.euclidean import euclidean

N, SUBJECTS, TIMES = 9, 5, 3
RNG = np.random.default_rng(0)
MODELS = ns.as_rdm(euclidean(RNG.normal(size=(2, N, 6))), dims=("model",), coords={"model": ["a", "b"]})
NOISE = euclidean(RNG.normal(size=(SUBJECTS, TIMES, N, 6)))
DATA = ns.as_rdm(
    MODELS[0].values + NOISE,
    dims=("subject", "time"),
    coords={"time": [0.0, 0.1, 0.2], "subject": list("abcde"), "phase": ("time", ["early", "late", "late"])},
)
OPTIONS = [
    {"resample": "subject"},
    {"resample": Resampling("stimulus", "bootstrap", 20)},
    {"method": "corr", "resample": Resampling(groups=None)},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_every_place_is_inferred_in_as_if_alone(options):
    """All numbers but the corrected p values, for an integer seed and for a generator."""
    found = infer(MODELS, DATA.transpose("time", ...), rng=3, progress=False, **options)
    assert found.score.dims == ("time", "model")
    assert found.phase.values.tolist() == ["early", "late", "late"]
    by_generator = infer(MODELS, DATA, rng=np.random.default_rng(3), progress=False, **options)
    for time in range(TIMES):
        alone = infer(MODELS, DATA.isel(time=time), rng=3, progress=False, **options)
        for name in set(alone.data_vars) - {n for n in alone.data_vars if str(n).endswith("_corrected")}:
            np.testing.assert_array_equal(found[name].isel(time=time), alone[name], err_msg=name)
            np.testing.assert_array_equal(by_generator[name].isel(time=time), alone[name], err_msg=name)
    assert {k: v for k, v in found.attrs.items() if k != "inputs_sha256"} == {
        k: v for k, v in alone.attrs.items() if k != "inputs_sha256"
    }


def test_p_values_are_corrected_for_the_models_of_all_places():
    found = infer(MODELS, DATA, progress=False)
    for name in ("p_zero", "p_ceiling"):
        wanted = correct_p(found[name].values.ravel(), "holm")
        np.testing.assert_array_equal(found[f"{name}_corrected"].values.ravel(), wanted)
    pairs = correct_p(found.p_pair.values[:, 0, 1], "holm")
    np.testing.assert_array_equal(found.p_pair_corrected.values[:, 0, 1], pairs)
    np.testing.assert_array_equal(found.p_pair_corrected.values[:, 1, 0], pairs)
    assert (found.p_pair_corrected.values[:, [0, 1], [0, 1]] == 1).all()


def test_several_dims_are_places_together():
    both = xr.concat([DATA, DATA + 1 - np.eye(N)], "layer")
    found = infer(MODELS, both, resample="subject", progress=False)
    assert found.interval.dims == ("layer", "time", "model", "bound")
    np.testing.assert_allclose(found.score[0], found.score[1], atol=1e-12)


def test_a_place_says_why_it_is_not_inferred_in_and_who_was_there():
    """A subject without an RDM is left out of a place; a flat RDM, or one subject alone, leaves none."""
    values = DATA.values.copy()
    values[4, 0] = np.nan
    values[1, 1] = 0
    values[1:, 2] = np.nan
    found = infer(MODELS, DATA.copy(data=values), progress=False)
    alone = infer(MODELS, DATA.isel(time=0, subject=slice(4)), progress=False)
    np.testing.assert_array_equal(found.score[0], alone.score)
    np.testing.assert_array_equal(found.score_of_subject[0, :, :4], alone.score_of_subject)
    assert np.isnan(found.score_of_subject[0, :, 4]).all()
    assert found.n_subjects.values.tolist() == [4, 5, 1]
    assert np.isnan(found.p_zero_corrected[1:]).all()
    np.testing.assert_array_equal(found.p_zero_corrected[0], alone.p_zero_corrected)
    why = found.undefined.values
    assert why[0] == ""
    assert "subject=b) does not vary" in why[1]
    assert why[2] == "1 subjects were measured"
    with pytest.raises(ns.InputError, match=r"no place of \('time',\)"):
        infer(MODELS, DATA.copy(data=np.zeros_like(values)), progress=False)


def test_what_is_wrong_in_every_place_is_said_once(caplog):
    with caplog.at_level(logging.WARNING):
        found = infer(MODELS, DATA, method="cosine", resample="subject", progress=False)
    assert len(caplog.records) == 1
    with pytest.raises(ns.InputError, match="cosine counts distances from 0"):
        ns.similarity.sign_flip_test(found.score_of_subject)
    with pytest.raises(ns.InputError, match="no label 'kind'"):
        infer(MODELS, DATA, resample=Resampling(groups="kind"), progress=False)


@pytest.mark.parametrize("method", ["spearman", "corr", "tau_a"])
def test_paired_dims_are_compared_place_by_place(method):
    """The RDMs of subjects at all pairs of times, with the other side in another order."""
    other = DATA.copy(data=DATA.values + euclidean(RNG.normal(size=(SUBJECTS, TIMES, N, 6))))
    found = compare_rdms(DATA, other[[3, 1, 0, 2, 4]], method, paired="subject")
    assert found.dims == ("subject", "time", "time_other")
    every = compare_rdms(DATA, other, method)
    for i in range(SUBJECTS):
        np.testing.assert_allclose(found[i], every[i, :, i], atol=1e-12)
    both = compare_rdms(DATA, other, method, paired=("time", "subject"))
    np.testing.assert_allclose(both, np.array(found)[:, range(TIMES), range(TIMES)].T, atol=1e-12)
    scores = compare_rdms(DATA, MODELS, method)
    assert scores.dims == ("subject", "time", "model")
    np.testing.assert_allclose(scores.mean("subject"), infer(MODELS, DATA, method=method, progress=False).score)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: compare_rdms(DATA, MODELS, paired="subject"), r"paired = 'subject' is a leading dim of both, found"),
        (lambda: compare_rdms(DATA.values[0], DATA, paired="time"), "found a ndarray"),
        (lambda: compare_rdms(DATA, DATA, paired=["subject", "subject"]), "paired names a dim twice"),
        (lambda: infer(MODELS, DATA.rename(time="model"), progress=False), "infer: the data have a dim 'model'"),
        (lambda: infer(MODELS, DATA.rename(time="bound"), progress=False), "infer: the data have a dim 'bound'"),
        (lambda: compare_rdms(DATA, DATA[:4], paired="subject"), "5 and 4 places along subject"),
        (lambda: compare_rdms(DATA, DATA.assign_coords(time=[0, 1, 2]), paired="time"), "same, different, labels"),
    ],
)
def test_pairs_that_are_none_are_refused(call, words):
    with pytest.raises(ns.InputError, match=words):
        call()
