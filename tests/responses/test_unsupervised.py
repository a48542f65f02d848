"""Clusters that are there are found, whatever the order; maps keep what they promise."""

import numpy as np
import pytest

from neurosim.responses.unsupervised import cluster_stimuli, embed_stimuli
from neurosim.schema import InputError, as_responses


@pytest.fixture(scope="module")
def responses():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(3, 8)) * 6
    kinds = np.repeat([0, 1, 2], 15)
    values = centres[kinds] + rng.normal(size=(45, 8))
    return as_responses(values).assign_coords(category=("stimulus", np.array(["a", "b", "c"])[kinds]))


@pytest.mark.parametrize("method", ["k_means", "hierarchical"])
def test_clusters_are_found_in_any_order(responses, method):
    found = cluster_stimuli(responses, 3, method)
    order = np.random.default_rng(1).permutation(45)
    again = cluster_stimuli(responses[order], 3, method)
    assert float(found.rand_index) == float(again.rand_index) == 1.0 and (found.silhouette > 0).all()


def test_clusters_of_noise_do_not_agree_with_labels():
    rng = np.random.default_rng(2)
    noise = as_responses(rng.normal(size=(200, 5))).assign_coords(category=("stimulus", rng.choice(["a", "b"], 200)))
    assert abs(float(cluster_stimuli(noise, 2).rand_index)) < 0.05


def test_principal_components_are_orthogonal_and_ordered(responses):
    found = embed_stimuli(responses, n_components=4)
    gram = found.values.T @ found.values
    np.testing.assert_allclose(gram - np.diag(np.diag(gram)), 0, atol=1e-8)
    assert (np.diff(found.explained_variance) <= 0).all() and found.explained_variance.sum() <= 1


def test_neighbours_stay_neighbours_in_tsne(responses):
    found = embed_stimuli(responses, "tsne")
    apart = np.linalg.norm(found.values[:, None] - found.values[None], axis=2) + 1e9 * np.eye(45)
    kinds = responses.category.values
    assert (kinds[apart.argmin(1)] == kinds).all()
    np.testing.assert_array_equal(found, embed_stimuli(responses, "tsne"))


def test_bad_requests_are_one_line(responses):
    for call, message in (
        (lambda: cluster_stimuli(responses, 99), "2 to 44 clusters"),
        (lambda: cluster_stimuli(responses, 3, "kmeans"), "Did you mean 'k_means'"),
        (lambda: embed_stimuli(responses, "mds"), "unknown method 'mds'"),
        (lambda: embed_stimuli(responses, n_components=50), "1 to 8 components"),
        (lambda: cluster_stimuli(as_responses(np.ones((5, 2))), 2), "all responses are alike"),
    ):
        with pytest.raises(InputError, match=message):
            call()
