"""Where attention went: how much of each word reaches the answer, through all layers."""

from __future__ import annotations

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from neurosim.networks.samples import native
from neurosim.networks.transformer import AttentionMap, PretrainedEncoder
from neurosim.networks.untouched import evaluating
from neurosim.schema import InputError


def attention_rollout(network: nn.Module, stimuli: xr.DataArray, *, batch_size: int = 64) -> xr.DataArray:
    """Return how much of each word reaches the answer through all layers of attention.

    Attention, averaged over heads, is mixed half and half with what passes it by, and multiplied from layer to layer
    (https://doi.org/10.18653/v1/2020.acl-main.385).

    Parameters
    ----------
    network : a ``Transformer`` or ``PretrainedEncoder``. stimuli : words (stimulus, time) as it takes them.
    batch_size : stimuli at once.

    Returns
    -------
    array (stimulus, time) of shares; fillings get 0. What the place of the answer keeps for itself is left out, so that
    a row sums to at most 1.

    Raises
    ------
    InputError : a network without attention.

    Examples
    --------
    >>> network = ns.build_network(ns.networks.TransformerSpecification(8, 2, 1, 8, n_words=5), (3,), 2).eval()
    >>> words = ns.as_stimuli(np.array([[1, 2, 0]]), dims=("stimulus", "time"), time_step=1.0)
    >>> ns.networks.attention_rollout(network, words).values[0, 2]
    np.float32(0.0)
    """
    found = stimuli.dims if isinstance(stimuli, xr.DataArray) else type(stimuli).__name__
    if found != ("stimulus", "time"):
        raise InputError(f"attention_rollout: words (stimulus, time) asked, found {found}.")
    device = next(network.parameters()).device
    rows = []
    with evaluating(network, str(device), False), torch.no_grad():
        for start in range(0, stimuli.sizes["stimulus"], batch_size):
            words = torch.from_numpy(native(stimuli[start : start + batch_size].values)).T.to(device)
            maps, first = _attention(network, words)
            rolled = None
            for weights in maps:
                mixed = 0.5 * weights.mean(1) + 0.5 * torch.eye(weights.shape[-1], device=device)
                rolled = mixed if rolled is None else mixed @ rolled
            assert rolled is not None
            present = (words.T > 0)[:, : rolled.shape[-1] - first].float()
            reached = _reading(rolled, present, first) * present
            rows.append(nn.functional.pad(reached, (0, words.shape[0] - reached.shape[1])).cpu().numpy())
    return stimuli.copy(data=np.concatenate(rows)).assign_attrs(method="attention rollout", quantity="attribution")


def _reading(rolled: Tensor, present: Tensor, first: int) -> Tensor:
    """Return what reaches the mean over the places that are read out, by word."""
    read = nn.functional.pad(present, (first, 0), value=1.0)
    return torch.einsum("bq,bqk->bk", read / read.sum(1, keepdim=True), rolled)[:, first:]


def _attention(network: nn.Module, words: Tensor) -> tuple[list[Tensor], int]:
    """Return the attention of each layer (batch, head, query, key), and how many places stand before the first word."""
    if isinstance(network, PretrainedEncoder):
        turned = words.long().T
        found = network.encoder(
            input_ids=turned, attention_mask=(turned != network.filling).long(), output_attentions=True
        )
        return list(found.attentions), 0
    seen: list[Tensor] = []
    maps = [m for m in network.modules() if isinstance(m, AttentionMap)]
    if not maps:
        raise InputError(f"attention_rollout: {type(network).__name__} has no attention.")
    handles = [m.register_forward_hook(lambda _m, _i, out: seen.append(out)) for m in maps]
    try:
        network(words)
    finally:
        for handle in handles:
            handle.remove()
    return seen, 1
