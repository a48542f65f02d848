"""Distances in numbers: whitening with a full precision on tensors too, and ties of the decoder."""

import numpy as np
import torch
import xarray as xr

from neurosim.schema import as_responses
from neurosim.similarity.metrics.decoding import decoding_accuracy
from neurosim.similarity.noise import noise_precision
from neurosim.similarity.rdms import compute_rdm


def test_mahalanobis_distances_of_tensors_and_arrays_are_the_quadratic_form_of_the_precision():
    rng = np.random.default_rng(0)
    patterns, root = rng.normal(size=(5, 4)), rng.normal(size=(4, 4))
    precision = root @ root.T + np.eye(4)
    gaps = patterns[:, None] - patterns
    expected = np.einsum("ijk,kl,ijl->ij", gaps, precision, gaps) / 4
    found = compute_rdm(torch.from_numpy(patterns), "mahalanobis", precision=torch.from_numpy(precision))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-10, atol=1e-12)
    labelled = xr.DataArray(precision, dims=("unit", "unit_other"))
    found = compute_rdm(as_responses(patterns), "mahalanobis", precision=labelled)
    np.testing.assert_allclose(found.values, expected, rtol=1e-10, atol=1e-12)


def test_two_stimuli_with_the_same_patterns_are_told_apart_by_chance():
    folds = np.array([[[1.0, 0.0], [1.0, 0.0], [0.0, 2.0]]] * 3)
    found = decoding_accuracy(folds, lambda _training: np.eye(2))
    np.testing.assert_array_equal(found, [[0, 0.5, 1], [0.5, 0, 1], [1, 1, 0]])


def test_precision_of_observations_has_the_degrees_of_freedom_of_their_covariance():
    observations = np.random.default_rng(1).normal(size=(9, 3))
    labelled = xr.DataArray(observations, dims=("observation", "unit"))
    covariance = np.cov(observations, rowvar=False)
    np.testing.assert_allclose(noise_precision(labelled, shrinkage="none"), np.linalg.inv(covariance))
    np.testing.assert_allclose(noise_precision(labelled, shrinkage="diagonal"), 1 / np.diagonal(covariance))
