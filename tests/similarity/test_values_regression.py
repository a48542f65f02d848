"""Explained variance is that of stimuli a regression has not seen."""

import numpy as np

from neurosim.schema import as_rdm
from neurosim.similarity.regression import regress_rdm


def noise_rdm(rng):
    values = rng.normal(size=(20, 20))
    values = values + values.T
    return as_rdm(values - np.diag(np.diag(values)))


def test_models_of_noise_explain_less_than_nothing_of_stimuli_they_were_not_fitted_to():
    """In the sample itself they would explain 4 of 190 parts."""
    found = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        models = {name: noise_rdm(rng) for name in "abcd"}
        found.append(float(regress_rdm(noise_rdm(rng), models, resample=("stimulus",), folds=4).explained_variance))
    assert np.mean(found) < -0.01
