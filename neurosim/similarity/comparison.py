"""Compare RDMs with RDMs, and responses with responses."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import xarray as xr

from neurosim.arrays import is_table
from neurosim.labels import same_places
from neurosim.schema import TINY_DIAGONAL, InputError, as_rdm, check_rdm, same_stimuli
from neurosim.similarity.covariances import stimulus_covariance
from neurosim.similarity.incomplete import has_missing, incomplete_scores
from neurosim.similarity.kernels import alignment
from neurosim.similarity.kernels.arrays import Array, array_namespace, diagonal, hollow, is_torch_array, upper
from neurosim.similarity.kernels.comparisons import cross_scores, is_flat
from neurosim.similarity.method import METHODS, Method
from neurosim.similarity.parts import UndefinedError
from neurosim.similarity.zero import why_zero_means_nothing

log = logging.getLogger(__name__)


def compare_rdms(
    a: xr.DataArray,
    b: xr.DataArray,
    method: str = "spearman",
    *,
    paired: Sequence[str] | str = (),
    sigma_k: xr.DataArray | np.ndarray | None = None,
) -> xr.DataArray:
    """Compare every RDM of `a` with every RDM of `b` (https://doi.org/10.7554/eLife.82566).

    Parameters
    ----------
    a, b : RDMs (..., stimulus, stimulus_other), or bare square arrays; the same stimuli in any order. Torch tensors
        (n, stimulus, stimulus_other) give a tensor of scores on their device, differentiable. NaN at all entries of a
        stimulus says that an RDM has it not: every two RDMs are compared on the stimuli that both have, and their score
        is NaN, with a warning, where these are fewer than 3 or an RDM does not vary.
    method : "cosine", "corr", "spearman", "rho_a" (Spearman without credit for ties), "tau_a", "tau_b" (Kendall),
        "whitened_cosine", "whitened_corr" (whitened by the covariance of distances under noise,
        https://arxiv.org/abs/2007.02789), or "bures" (normalised Bures similarity of squared distances,
        https://arxiv.org/abs/2311.11436).
    paired : leading dims, such as "subject", along which an RDM of `a` is compared with that of the same label of `b`
        alone. RDMs over time of two halves of the trials, paired by subject, give their generalisation over time.
    sigma_k : covariance of noise between stimuli (stimulus, stimulus_other) for the whitened methods; independent
        and equal when absent; matched to the stimuli by label.

    Returns
    -------
    scores with the dims `paired`, then the other leading dims of `a`, then those of `b`; a dim that both have is called
    ``<dim>_other`` for `b`.
    "cosine", "whitened_cosine" and "bures" are above 0 for unrelated RDMs too; the attr ``zero`` says so.

    Raises
    ------
    InputError : unknown method, different stimuli, paired dims that one side lacks or labels otherwise or that are
        named twice, or, where no stimulus is missing, an RDM without variation where a correlation is asked.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rdm = ns.compute_rdm(rng.normal(size=(6, 20)))
    >>> round(float(ns.compare_rdms(rdm, rdm)), 6)
    1.0
    """
    asked = METHODS.find(method, "compare_rdms")
    if paired:
        return _compare_paired(a, b, asked, (paired,) if isinstance(paired, str) else tuple(paired), sigma_k)
    if is_torch_array(a) and is_torch_array(b):
        return _compare_tensors(a, b, asked, sigma_k)
    _check_gradient(a, b)
    a, b = (check_rdm(as_rdm(x, missing=True) if is_table(x) else x, "compare_rdms", missing=True) for x in (a, b))
    b = same_stimuli(a, b, "compare_rdms")
    noise = _stimulus_noise(sigma_k, a, asked)
    if has_missing(a) or has_missing(b):
        scores, lost = incomplete_scores(a, b, asked, noise)
        if lost:
            log.warning("compare_rdms: %d scores are NaN: under 3 stimuli in common, or a flat RDM", lost)
        return _labelled_scores(scores, a, b, asked)
    rdm_vectors(a, asked, "compare_rdms"), rdm_vectors(b, asked, "compare_rdms")
    n = a.sizes["stimulus"]
    first, second = (np.asarray(r.values, dtype=float).reshape(-1, n, n) for r in (a, b))
    scores = cross_scores(first, second, asked, noise)
    if not np.isfinite(scores).all():
        raise InputError(f"compare_rdms: {method} is not defined for an RDM whose second moment has no positive part.")
    return _labelled_scores(scores, a, b, asked)


def _compare_paired(a: Any, b: Any, method: Method, paired: tuple[str, ...], sigma_k: Any) -> xr.DataArray:
    """Scores (*paired, ...) of RDMs with those of the same labels along the dims `paired`."""
    who = "compare_rdms"
    if len(set(paired)) < len(paired):
        raise InputError(f"{who}: paired names a dim twice, {paired}; name each once.")
    for rdm in (a, b):
        lacking = [d for d in paired if not isinstance(rdm, xr.DataArray) or d not in rdm.dims[:-2]]
        if lacking:
            found = rdm.dims if isinstance(rdm, xr.DataArray) else f"a {type(rdm).__name__}"
            raise InputError(f"{who}: paired = {lacking[0]!r} is a leading dim of both, found {found}.")
    for dim in paired:
        b = same_places(a, b, dim, who)
    shape = tuple(a.sizes[d] for d in paired)
    places = [dict(zip(paired, place, strict=True)) for place in np.ndindex(shape)]
    each = [compare_rdms(a.isel(p, drop=True), b.isel(p, drop=True), method.name, sigma_k=sigma_k) for p in places]
    values = np.stack([scores.values for scores in each]).reshape(*shape, *each[0].shape)
    coords = {d: a[d].values for d in paired if d in a.coords} | dict(each[0].coords)
    return xr.DataArray(values, dims=(*paired, *each[0].dims), coords=coords, attrs=each[0].attrs)


def _labelled_scores(scores: np.ndarray, a: xr.DataArray, b: xr.DataArray, asked: Method) -> xr.DataArray:
    lead_a, lead_b = a.dims[:-2], b.dims[:-2]
    renamed = tuple(f"{d}_other" if d in lead_a else d for d in lead_b)
    result = xr.DataArray(scores.reshape(a.shape[:-2] + b.shape[:-2]), dims=(*lead_a, *renamed))
    coords = {d: a[d].values for d in lead_a if d in a.coords}
    coords |= {n: b[d].values for d, n in zip(lead_b, renamed, strict=True) if d in b.coords}
    result = result.assign_coords(coords).assign_attrs(quantity="score", method=asked.name)
    reason = why_zero_means_nothing(asked)
    return result if reason is None else result.assign_attrs(zero=f"unrelated RDMs score above 0: {reason}")


def compare_cka(rdms: xr.DataArray, *, debiased: bool = True) -> xr.DataArray:
    """Return the linear centred kernel alignment between all subjects of squared Euclidean RDMs.

    (https://arxiv.org/abs/1905.00414)

    The RDM of squared Euclidean distances holds all that linear CKA needs: the centred Gram matrix.

    Parameters
    ----------
    rdms : (model, stimulus, stimulus_other) with ``metric="euclidean"``.
    debiased : use the unbiased estimate of HSIC, which does not grow with the number of units
        (https://arxiv.org/abs/2010.15327); it can be slightly negative.

    Returns
    -------
    scores (model, model_other); NaN, with a warning, where a subject's own unbiased estimate is not positive: its
    geometry cannot be told from noise.

    Raises
    ------
    InputError : another metric, or fewer than 4 stimuli.

    Examples
    --------
    >>> import xarray as xr
    >>> x = np.random.default_rng(0).normal(size=(12, 5))
    >>> rdms = [ns.compute_rdm(responses, "euclidean") for responses in (x, 2 * x[:, ::-1])]
    >>> ns.similarity.compare_cka(xr.concat(rdms, "model")).values.round(6).tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    if not isinstance(rdms, xr.DataArray) or "model" not in rdms.dims:
        raise InputError("compare_cka: RDMs (model, stimulus, stimulus_other) asked; as_rdm(..., dims=('model',)).")
    rdms = check_rdm(rdms, "compare_cka")
    if rdms.attrs.get("metric") not in ("euclidean", "crossnobis"):
        raise InputError(f"compare_cka: CKA is made of euclidean RDMs, found metric {rdms.attrs.get('metric')!r}.")
    if rdms.sizes["stimulus"] < 4:
        raise InputError(f"compare_cka: debiased CKA needs 4 stimuli, found {rdms.sizes['stimulus']}.")
    grams = alignment.centred_gram(rdms.values)
    kernel = alignment.debiased_cka_of_grams if debiased else alignment.cka_of_grams
    n = len(grams)
    scores = np.ones((n, n))
    for i, j in product(range(n), range(n)):
        if i < j:
            scores[i, j] = scores[j, i] = kernel(grams[i], grams[j])
    names = rdms["model"].values if "model" in rdms.coords else np.arange(n)
    lost = names[np.isnan(scores).sum(0) >= max(1, n - 1)] if n > 1 else []
    for name in lost:
        log.warning("compare_cka: the geometry of %s cannot be told from noise; its scores are NaN", name)
    return xr.DataArray(
        scores,
        dims=("model", "model_other"),
        coords={"model": names, "model_other": names},
        attrs={"quantity": "score", "method": "debiased_cka" if debiased else "cka"},
    )


def _stimulus_noise(sigma_k: object, rdms: object, method: Method) -> Array | None:
    """Return the covariance between stimuli, for labelled RDMs or a tensor of them."""
    if sigma_k is None:
        return None
    if not method.sigma_k:
        others = ", ".join(m.name for m in METHODS.values() if m.sigma_k)
        raise InputError(f"compare_rdms: {method.name} takes no sigma_k; {others} do.")
    return stimulus_covariance(sigma_k, rdms, "compare_rdms")


def _check_gradient(*given: Any) -> None:
    """Raise :class:`InputError` if a tensor would lose its gradient because the other side is none."""
    if any(is_torch_array(x) and x.requires_grad for x in given):
        raise InputError(
            "compare_rdms: a tensor that is differentiated needs the other as a tensor too; or .detach() it."
        )


def _compare_tensors(a: Array, b: Array, method: Method, sigma_k: object) -> Array:
    if not method.tensors:
        others = ", ".join(m.name for m in METHODS.values() if m.tensors)
        raise InputError(f"compare_rdms: {method.name} of tensors is not available; methods: {others}.")
    if a.ndim != 3 or b.ndim != 3 or a.shape[1:] != b.shape[1:] or a.shape[1] != a.shape[2]:
        raise InputError(
            f"compare_rdms: tensors have shape (n, stimulus, stimulus), found {tuple(a.shape)} and {tuple(b.shape)}."
        )
    a, b = _checked_tensor(a), _checked_tensor(b)
    wider = a.dtype if a.dtype.itemsize >= b.dtype.itemsize else b.dtype
    a, b = a.to(wider), b.to(device=a.device, dtype=wider)
    sigma_k = _stimulus_noise(sigma_k, a, method)
    if any(bool(array_namespace(x).any(is_flat(upper(x), method))) for x in (a, b)):
        raise InputError(
            f"compare_rdms: {method.name} is not defined: a tensor holds an RDM that does not vary; leave it out."
        )
    scores = cross_scores(a, b, method, sigma_k)
    if not bool(scores.isfinite().all()):
        raise InputError(
            f"compare_rdms: {method.name} is not defined for an RDM whose second moment has no positive part."
        )
    return scores


def _checked_tensor(rdms: Array) -> Array:
    """Return real, symmetric tensors with 0 on the diagonal, or say what is wrong; the rounding on it goes."""
    if rdms.is_complex() or not len(rdms) or rdms.shape[1] < 3:
        raise InputError(f"compare_rdms: real RDMs of 3 stimuli or more asked, found {rdms.dtype} {tuple(rdms.shape)}.")
    rdms = rdms if rdms.is_floating_point() else rdms.double()
    found = rdms.detach().abs()
    if not bool(found.isfinite().all()):
        raise InputError("compare_rdms: a tensor holds NaN or infinite values; drop those stimuli first.")
    allowed = TINY_DIAGONAL * float(found.max())
    if float(diagonal(found).max()) > allowed:
        raise InputError(
            "compare_rdms: the diagonal of a tensor is not 0; similarities become distances as 1 - values."
        )
    if float((rdms.detach() - rdms.detach().mT).abs().max()) > 10 * allowed:
        raise InputError("compare_rdms: a tensor is not symmetric; average it with its transpose if that is meant.")
    return hollow(rdms)


def rdm_vectors(rdm: xr.DataArray, method: Method, who: str) -> np.ndarray:
    """Return the upper entries (n, P) of the RDMs, or say which one a comparison is not defined for."""
    vectors = upper(rdm.values).reshape(-1, rdm.sizes["stimulus"] * (rdm.sizes["stimulus"] - 1) // 2)
    flat = is_flat(vectors, method)
    if flat.any():
        lead = [str(d) for d in rdm.dims[:-2]]
        index = np.unravel_index(int(np.argmax(flat)), rdm.shape[:-2]) if lead else ()
        place = ", ".join(f"{d}={rdm[d].values[i] if d in rdm.coords else i}" for d, i in zip(lead, index, strict=True))
        raise UndefinedError(
            f"{who}: the RDM ({place or 'given'}) does not vary, so {method.name} is not defined; leave it out."
        )
    found: np.ndarray = vectors
    return found
