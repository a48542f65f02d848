"""The order that responses have without any labels: clusters of stimuli, and maps of them in few dimensions."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import xarray as xr

from neurosim.schema import InputError, as_responses, suggest

Clustering = Literal["k_means", "hierarchical"]
Embedding = Literal["pca", "tsne", "umap"]


def cluster_stimuli(
    responses: xr.DataArray, n_clusters: int, method: Clustering = "k_means", *, seed: int = 0
) -> xr.Dataset:
    """Put stimuli into clusters by the responses to them, with scikit-learn.

    Parameters
    ----------
    responses : (stimulus, unit); a time or trial dim is averaged over first.
    n_clusters : how many. method : "k_means" (ten starts) or "hierarchical" (Ward). seed : of the starts.

    Returns
    -------
    Dataset: ``cluster`` (stimulus), ``silhouette`` (stimulus; https://doi.org/10.1016/0377-0427(87)90125-7) and, where
    stimuli have a ``category``, ``rand_index``, the adjusted agreement with it
    (https://doi.org/10.1007/BF01908075): 1 is the same partition, 0 what chance gives.

    Raises
    ------
    InputError : an unknown method, or fewer than 2 or not fewer clusters than stimuli.
    """
    from sklearn import cluster, metrics

    known = get_args(Clustering)
    if method not in known:
        raise InputError(f"cluster_stimuli: no method {method!r}; known: {', '.join(known)}.{suggest(method, known)}")
    values, labels = _rows(responses)
    if not 2 <= n_clusters < len(values):
        raise InputError(
            f"cluster_stimuli: 2 to {len(values) - 1} clusters of {len(values)} stimuli; {n_clusters} asked."
        )
    model: Any
    if method == "k_means":
        model = cluster.KMeans(n_clusters, n_init=10, random_state=seed)
    else:
        model = cluster.AgglomerativeClustering(n_clusters)
    found = model.fit_predict(values)
    if len(np.unique(found)) < 2:
        raise InputError("cluster_stimuli: all responses are alike; there are no clusters.")
    data: dict[str, Any] = {
        "cluster": ("stimulus", found),
        "silhouette": ("stimulus", metrics.silhouette_samples(values, found)),
    }
    if "category" in labels:
        data["rand_index"] = metrics.adjusted_rand_score(labels["category"].values, found)
    return xr.Dataset(data, coords=labels, attrs={"method": method, "n_clusters": n_clusters})


def embed_stimuli(
    responses: xr.DataArray, method: Embedding = "pca", *, n_components: int = 2, seed: int = 0, **options: float
) -> xr.DataArray:
    """Return a map of stimuli in few dimensions by the responses to them.

    Parameters
    ----------
    responses : (stimulus, unit); a time or trial dim is averaged over first.
    method : "pca"; "tsne" (https://www.jmlr.org/papers/v9/vandermaaten08a.html), scikit-learn's; "umap"
        (https://arxiv.org/abs/1802.03426), where umap-learn is installed.
    n_components : dimensions. seed : of tsne and umap.
    **options : handed to the method, such as ``perplexity`` or ``n_neighbors``.

    Returns
    -------
    array (stimulus, component); for "pca" with ``explained_variance``, the share of each, along ``component``.

    Raises
    ------
    InputError : an unknown method, umap-learn is missing, more components than there are.

    Examples
    --------
    >>> r = as_responses(np.random.default_rng(0).normal(size=(9, 5)))
    >>> embed_stimuli(r).dims
    ('stimulus', 'component')
    """
    from sklearn import decomposition, manifold

    known = get_args(Embedding)
    if method not in known:
        raise InputError(f"embed_stimuli: no method {method!r}; known: {', '.join(known)}.{suggest(method, known)}")
    values, labels = _rows(responses)
    if not 1 <= n_components <= min(values.shape):
        raise InputError(f"embed_stimuli: 1 to {min(values.shape)} components are there, {n_components} asked.")
    coords = dict(labels)
    if method == "pca":
        model = decomposition.PCA(n_components, random_state=seed)
        places = model.fit_transform(values)
        coords["explained_variance"] = ("component", model.explained_variance_ratio_)
    elif method == "tsne":
        options = {"perplexity": min(30.0, (len(values) - 1) / 3)} | options
        if not 0 < options["perplexity"] < len(values):
            raise InputError(
                f"embed_stimuli: perplexity = {options['perplexity']} of {len(values)} stimuli; take fewer."
            )
        places = manifold.TSNE(n_components, random_state=seed, init="pca", **options).fit_transform(values)
    else:
        places = _umap()(n_components=n_components, random_state=seed, **options).fit_transform(values)
    return xr.DataArray(np.asarray(places, dtype=float), dims=("stimulus", "component"), coords=coords,
                        attrs={"method": method})  # fmt: skip


def _rows(responses: xr.DataArray) -> tuple[np.ndarray, dict[str, Any]]:
    checked = as_responses(responses)
    rest = [d for d in checked.dims if d not in ("stimulus", "unit")]
    rows = checked.mean(rest) if rest else checked
    labels = {str(k): c for k, c in rows.coords.items() if c.dims == ("stimulus",)}
    return rows.transpose("stimulus", "unit").values.astype(float), labels


def _umap() -> Any:
    try:
        from umap import UMAP
    except ImportError as error:
        raise InputError(
            "embed_stimuli: umap-learn is not installed; pip install umap-learn, or take 'tsne'."
        ) from error
    return UMAP
