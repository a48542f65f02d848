"""Why a network answers as it does: what in a stimulus matters, what a unit looks for, where attention went."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from neurosim.networks.flags import kept_flags
from neurosim.networks.recording import layer_label, layer_names
from neurosim.networks.transformer import AttentionMap, PretrainedEncoder
from neurosim.runtime import pick_device, track
from neurosim.schema import InputError, as_stimuli, labelled, suggest

Method = Literal["saliency", "integrated_gradients", "grad_cam", "occlusion"]


def explain(
    network: nn.Module,
    stimuli: xr.DataArray,
    method: Method = "integrated_gradients",
    *,
    target: int | Sequence[int] | None = None,
    layer: str | None = None,
    window: int = 3,
    batch_size: int = 32,
    device: str = "auto",
    progress: bool = True,
) -> xr.DataArray:
    """Return how much each value of each stimulus matters for one output, by the methods of Captum.

    Parameters
    ----------
    network : from stimuli to logits (batch, category); it is run in evaluation mode.
    stimuli : (stimulus, [channel,] y, x) or (stimulus, time, unit).
    method : "saliency", the size of the gradient (https://arxiv.org/abs/1312.6034); "integrated_gradients" from zero
        (https://arxiv.org/abs/1703.01365), which sums to the difference of the logits where gradients are those of the
        network's own function (surrogate gradients of spikes are not, see ``completeness_gap``); "grad_cam" of a
        convolutional `layer` (https://doi.org/10.1109/ICCV.2017.74), stretched over the image; "occlusion" by windows
        of zeros (https://arxiv.org/abs/1311.2901).
    target : output that is explained, one for all or one a stimulus; by default the strongest.
    layer : for "grad_cam". window : side of the occluding window, values.
    batch_size : stimuli at once. device : "auto", "cpu", "cuda".

    Returns
    -------
    array of the dims of the stimuli, with ``target`` along ``stimulus``; of integrated gradients also
    ``completeness_gap``: the sum of the attributions minus the difference of the logits of stimulus and zeros.

    Raises
    ------
    InputError : Captum is not installed, an unknown method, layer or target.
    """
    known = get_args(Method)
    if method not in known:
        raise InputError(f"explain: no method {method!r}; known: {', '.join(known)}.{suggest(method, known)}")
    if (method == "grad_cam") != (layer is not None):
        raise InputError("explain: 'grad_cam' takes layer=, the name of a convolution; the other methods take none.")
    if batch_size < 1 or window < 1:
        raise InputError(f"explain: batch_size and window of at least 1 asked, found {batch_size} and {window}.")
    if target is not None and np.asarray(target).dtype.kind not in "iu":
        raise InputError(f"explain: targets are whole numbers, found {np.asarray(target).dtype}.")
    stimuli = labelled(stimuli, "explain", "stimuli")
    attr = _captum()
    where = pick_device(device)
    network.to(where)
    sequence = "time" in stimuli.dims
    run = _Batched(network, sequence)
    module = None if layer is None else dict(network.named_modules())[layer_names(network, [layer])[0]]
    if target is not None and np.size(target) not in (1, stimuli.sizes["stimulus"]):
        n = stimuli.sizes["stimulus"]
        raise InputError(f"explain: one target, or one for each of {n} stimuli asked; {np.size(target)} given.")
    wanted = None if target is None else np.broadcast_to(np.ravel(target), stimuli.sizes["stimulus"])
    found, chosen, gaps = [], [], []
    with kept_flags(network):
        network.eval()
        starts = range(0, stimuli.sizes["stimulus"], batch_size)
        for start in track(starts, f"explaining by {method}", progress=progress):
            values = np.ascontiguousarray(stimuli[start : start + batch_size].values, dtype=np.float32)
            shown = torch.from_numpy(values).to(where)
            logits = _logits(run, shown)
            goal = logits.argmax(1) if wanted is None else torch.from_numpy(wanted[start : start + batch_size].copy())
            if int(goal.min()) < 0 or int(goal.max()) >= logits.shape[1]:
                raise InputError(
                    f"explain: outputs 0..{logits.shape[1] - 1} are there, target {int(goal.max())} asked."
                )
            result = _attribute(attr, run, shown, method, goal.to(where), module, window)
            found.append(result.detach().cpu().numpy())
            chosen.append(goal.cpu().numpy())
            if method == "integrated_gradients":
                gaps.append(_gap(run, shown, result, logits, goal.to(where)))
    values = np.concatenate(found).reshape(stimuli.shape)
    if not np.isfinite(values).all():
        raise InputError(f"explain: {method} gives values that are no finite numbers.")
    own = {"target": ("stimulus", np.concatenate(chosen))}
    if gaps:
        own["completeness_gap"] = ("stimulus", np.concatenate(gaps))
    return stimuli.copy(data=values).assign_coords(own).assign_attrs(method=method, quantity="attribution")


def maximise_activation(
    network: nn.Module,
    layer: str,
    units: Sequence[int],
    image_shape: tuple[int, ...],
    *,
    n_steps: int = 200,
    learning_rate: float = 0.05,
    jitter: int = 1,
    smoothness: float = 0.05,
    seed: int = 0,
    device: str = "auto",
    progress: bool = True,
) -> xr.DataArray:
    """Return images that excite units of a layer most, found by gradient ascent (https://doi.org/10.23915/distill.00007).

    Parameters
    ----------
    network : from images to anything. layer : whose units. units : channels of a convolution, or units of a flat layer.
    image_shape : ([channel,] y, x); values stay in 0..1.
    n_steps, learning_rate : of Adam. jitter : pixels by which the image is moved in each step.
    smoothness : price of the squared differences of neighbouring pixels. seed : of the noise that images start from.

    Returns
    -------
    stimuli (stimulus, [channel,] y, x), one a unit, with ``layer``, ``unit_index`` and the ``activation`` reached, and
    ``activation_at_start``.

    Raises
    ------
    InputError : no such layer or unit, or the layer is not reached.
    """
    if not units:
        raise InputError("maximise_activation: at least one unit is asked.")
    where = pick_device(device)
    name = layer_names(network, [layer])[0]
    module = dict(network.named_modules())[name]
    network.to(where)
    generator = torch.Generator().manual_seed(seed)
    start = 0.5 + 0.05 * torch.randn((len(units), *image_shape), generator=generator)
    free = torch.logit(start.clamp(0.01, 0.99)).to(where).requires_grad_()
    seen: list[Tensor] = []
    handle = module.register_forward_hook(lambda _m, _i, out: seen.append(out[0] if isinstance(out, tuple) else out))
    optimizer = torch.optim.Adam([free], lr=learning_rate)
    time_first = bool(getattr(module, "time_first", False))

    def activity(images: Tensor) -> Tensor:
        seen.clear()
        network(images)
        if not seen:
            raise InputError(f"maximise_activation: layer {layer!r} is never reached.")
        return _of_units(seen[-1].mean(0) if time_first else seen[-1], units, layer)

    with kept_flags(network), contextlib.ExitStack() as hooks:
        hooks.callback(handle.remove)
        network.eval()
        with torch.no_grad():
            before = activity(torch.sigmoid(free)).cpu().numpy()
        for _ in track(range(n_steps), "maximising activation", progress=progress):
            images = torch.sigmoid(free)
            shift = torch.randint(-jitter, jitter + 1, (2,), generator=generator).tolist()
            moved = torch.roll(images, shift, dims=(-2, -1))
            rough = images.diff(dim=-1).square().sum() + images.diff(dim=-2).square().sum()
            loss = smoothness * rough - activity(moved).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            final = torch.sigmoid(free)
            after = activity(final).cpu().numpy()
    if not np.isfinite(after).all():
        raise InputError(
            f"maximise_activation: the activity of {layer!r} is no longer finite; lower the learning_rate."
        )
    dims = ("stimulus", "channel", "y", "x") if len(image_shape) == 3 else ("stimulus", "y", "x")
    coords = {"layer": [layer_label(name)] * len(units), "unit_index": list(units), "activation": after,
              "activation_at_start": before}  # fmt: skip
    ids = [f"{layer_label(name)}_{u}" for u in units]
    return as_stimuli(final.cpu().numpy(), dims=dims, ids=ids, coords=coords)


def _of_units(out: Tensor, units: Sequence[int], layer: str) -> Tensor:
    """Return the activity (stimulus,) of one unit a stimulus; of a channel, its mean over places."""
    if not 0 <= min(units) <= max(units) < out.shape[1]:
        raise InputError(f"maximise_activation: {layer!r} has units 0..{out.shape[1] - 1}, asked for {list(units)}.")
    flat = out.flatten(2).mean(2) if out.ndim > 2 else out
    return flat[range(len(units)), list(units)]


def attention_rollout(network: nn.Module, stimuli: xr.DataArray, *, batch_size: int = 64) -> xr.DataArray:
    """Return how much of each word reaches the answer through all layers of attention.

    Attention, averaged over heads, is mixed half and half with what passes it by, and multiplied from layer to layer
    (https://doi.org/10.18653/v1/2020.acl-main.385).

    Parameters
    ----------
    network : a ``Transformer`` or ``PretrainedEncoder``. stimuli : words (stimulus, time) as it takes them.

    Returns
    -------
    array (stimulus, time) of shares; fillings get 0. What the place of the answer keeps for itself is left out, so that
    a row sums to at most 1.

    Raises
    ------
    InputError : a network without attention.
    """
    found = stimuli.dims if isinstance(stimuli, xr.DataArray) else type(stimuli).__name__
    if found != ("stimulus", "time"):
        raise InputError(f"attention_rollout: words (stimulus, time) asked, found {found}.")
    device = next(network.parameters()).device
    rows = []
    with kept_flags(network), torch.no_grad():
        network.eval()
        for start in range(0, stimuli.sizes["stimulus"], batch_size):
            words = torch.from_numpy(np.ascontiguousarray(stimuli[start : start + batch_size].values)).T.to(device)
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


def _logits(run: nn.Module, shown: Tensor) -> Tensor:
    try:
        with torch.no_grad():
            logits: Tensor = run(shown)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:150]
        raise InputError(
            f"explain: the network does not take stimuli of shape {tuple(shown.shape)} ({reason})."
        ) from error
    if not isinstance(logits, Tensor) or logits.ndim != 2:
        raise InputError("explain: the network does not answer with logits (batch, category).")
    return logits


class _Batched(nn.Module):
    """The network with the batch first, as Captum wants it."""

    def __init__(self, network: nn.Module, sequence: bool) -> None:
        super().__init__()
        self.network, self.sequence = network, sequence

    def forward(self, stimuli: Tensor) -> Tensor:
        return self.network(stimuli.transpose(0, 1) if self.sequence else stimuli)


def _gap(run: nn.Module, shown: Tensor, result: Tensor, logits: Tensor, goal: Tensor) -> np.ndarray:
    """Return by how much attributions (stimulus, ...) miss the difference of the logits of stimulus and zeros."""
    change = logits - _logits(run, torch.zeros_like(shown))
    wanted = change.gather(1, goal[:, None])[:, 0]
    return (result.detach().flatten(1).sum(1) - wanted).cpu().numpy()


def _attribute(
    attr: Any, run: _Batched, shown: Tensor, method: Method, goal: Tensor, module: nn.Module | None, window: int
) -> Tensor:
    if method == "saliency":
        return attr.Saliency(run).attribute(shown, target=goal)
    if method == "integrated_gradients":
        return attr.IntegratedGradients(run).attribute(shown, target=goal, n_steps=64, internal_batch_size=256)
    if method == "occlusion":
        sizes = tuple(min(window, n) if k >= shown.ndim - 3 else n for k, n in enumerate(shown.shape))[1:]
        if shown.ndim == 4:
            sizes = (shown.shape[1], *sizes[1:])
        return attr.Occlusion(run).attribute(shown, sliding_window_shapes=sizes, target=goal)
    found = attr.LayerGradCam(run, module).attribute(shown, target=goal, relu_attributions=True)
    if found.ndim != 4:
        raise InputError("explain: 'grad_cam' needs a layer with a picture (batch, channel, y, x); name a convolution.")
    stretched = nn.functional.interpolate(found, shown.shape[-2:], mode="bilinear", align_corners=False)
    return stretched[:, 0] if shown.ndim == 3 else stretched.expand_as(shown)


def _captum() -> Any:
    try:
        from captum import attr
    except ImportError as error:
        raise InputError("explain: Captum is not installed; pip install 'neurosim[explain]'.") from error
    return attr
