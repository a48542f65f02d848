"""The order that responses have without any labels: clusters of stimuli, and maps of them in few dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from neurosim.labels import label_along
from neurosim.refusals import check_number
from neurosim.registry import options_of
from neurosim.responses.clusterings import CLUSTERINGS
from neurosim.responses.embeddings import EMBEDDINGS
from neurosim.runtime import as_seed
from neurosim.schema import InputError, as_responses, check_responses


def cluster_stimuli(
    responses: xr.DataArray,
    n_clusters: int,
    method: str = "k_means",
    *,
    rng: np.random.Generator | int = 0,
    options: Mapping[str, object] | object | None = None,
) -> xr.Dataset:
    """Put stimuli into clusters by the responses to them.

    Parameters
    ----------
    responses : (stimulus, unit); a time or trial dim is averaged over first, over the trials that were measured.
    n_clusters : how many.
    method : "k_means" (https://doi.org/10.1109/TIT.1982.1056489) or "hierarchical"
        (https://doi.org/10.1080/01621459.1963.10500845), both of scikit-learn. A method of one's own is a record of
        ``neurosim.responses.clusterings``.
    rng : seed or generator of the starts.
    options : of the method, such as ``{"n_starts": 10}`` of "k_means".

    Returns
    -------
    Dataset: ``cluster`` (stimulus), ``silhouette`` (stimulus; https://doi.org/10.1016/0377-0427(87)90125-7) and, where
    stimuli have a ``category``, ``rand_index``, the adjusted agreement with it
    (https://doi.org/10.1007/BF01908075): 1 is the same partition, 0 what chance gives.

    Raises
    ------
    InputError : an unknown method or option, or fewer than 2 or not fewer clusters than stimuli.

    Examples
    --------
    >>> r = ns.as_responses([[1.0, 0.0], [1.1, 0.0], [0.0, 5.0], [0.0, 5.1]])
    >>> found = ns.responses.cluster_stimuli(r, 2).cluster.values
    >>> bool(found[0] == found[1] != found[2] == found[3])
    True
    """
    from sklearn import metrics

    chosen = CLUSTERINGS.find(method, "cluster_stimuli")
    wanted = options_of(chosen.options, options, "cluster_stimuli")
    check_number(n_clusters, "cluster_stimuli", "n_clusters", 2, whole=True)
    values, labels = _rows(responses, "cluster_stimuli")
    if not 2 <= n_clusters < len(values):
        raise InputError(
            f"cluster_stimuli: 2 to {len(values) - 1} clusters of {len(values)} stimuli; {n_clusters} asked."
        )
    category = label_along(responses, "category", "cluster_stimuli") if "category" in labels else None
    found = chosen.assign(values, n_clusters, as_seed(rng, "cluster_stimuli"), wanted)
    if len(np.unique(found)) < 2:
        raise InputError("cluster_stimuli: all responses are alike; there are no clusters.")
    data: dict[str, Any] = {
        "cluster": ("stimulus", found),
        "silhouette": ("stimulus", metrics.silhouette_samples(values, found)),
    }
    if category is not None:
        data["rand_index"] = metrics.adjusted_rand_score(category, found)
    return xr.Dataset(data, coords=labels, attrs={"method": method, "n_clusters": n_clusters})


def embed_stimuli(
    responses: xr.DataArray,
    method: str = "pca",
    *,
    n_components: int = 2,
    rng: np.random.Generator | int = 0,
    options: Mapping[str, object] | object | None = None,
) -> xr.DataArray:
    """Return a map of stimuli in few dimensions by the responses to them.

    Parameters
    ----------
    responses : (stimulus, unit); a time or trial dim is averaged over first, over the trials that were measured.
    method : "pca"; "tsne" (https://www.jmlr.org/papers/v9/vandermaaten08a.html), scikit-learn's; "umap"
        (https://arxiv.org/abs/1802.03426), where umap-learn is installed. A map of one's own is a record of
        ``neurosim.responses.embeddings``.
    n_components : dimensions. rng : seed or generator of tsne and umap.
    options : of the method, such as ``{"perplexity": 20}`` of "tsne" or ``{"n_neighbors": 15}`` of "umap".

    Returns
    -------
    array (stimulus, component); for "pca" with ``explained_variance``, the share of each, along ``component``.

    Raises
    ------
    InputError : an unknown method or option, umap-learn is missing, more components than there are.

    Examples
    --------
    >>> r = ns.as_responses(np.random.default_rng(0).normal(size=(9, 5)))
    >>> ns.responses.embed_stimuli(r).dims
    ('stimulus', 'component')
    """
    chosen = EMBEDDINGS.find(method, "embed_stimuli")
    wanted = options_of(chosen.options, options, "embed_stimuli")
    check_number(n_components, "embed_stimuli", "n_components", 1, whole=True)
    values, labels = _rows(responses, "embed_stimuli")
    if not 1 <= n_components <= min(values.shape):
        raise InputError(f"embed_stimuli: 1 to {min(values.shape)} components are there, {n_components} asked.")
    places, known = chosen.place(values, n_components, as_seed(rng, "embed_stimuli"), wanted)
    coords = labels | {name: ("component", v) for name, v in known.items()}
    values = np.asarray(places, dtype=float)
    return xr.DataArray(values, dims=("stimulus", "component"), coords=coords, attrs={"method": method})


def _rows(responses: xr.DataArray, who: str) -> tuple[np.ndarray, dict[str, Any]]:
    checked = check_responses(as_responses(responses), who, missing=True)
    rest = [d for d in checked.dims if d not in ("stimulus", "unit")]
    rows = checked.astype(float).mean(rest) if rest else checked
    labels = {str(k): c for k, c in rows.coords.items() if c.dims == ("stimulus",)}
    values = rows.transpose("stimulus", "unit").values.astype(float)
    lacking = int((~np.isfinite(values)).any(0).sum())
    if lacking:
        raise InputError(f"{who}: {lacking} units have no trial of some stimulus; leave out those units or stimuli.")
    return values, labels
