"""What in a stimulus matters for an answer of a network, by the methods of Captum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from neurosim.networks.flags import check_module
from neurosim.networks.naming import one_module
from neurosim.networks.stepwise import reset_neurons
from neurosim.networks.untouched import evaluating, with_gradients
from neurosim.runtime import track
from neurosim.schema import InputError, labelled, suggest

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
    batch_size : stimuli at once. device : "auto", "cpu", "cuda". progress : show a bar.

    Returns
    -------
    array of the dims of the stimuli, with ``target`` along ``stimulus``; of integrated gradients also
    ``completeness_gap``: the sum of the attributions minus the difference of the logits of stimulus and zeros.

    Raises
    ------
    InputError : Captum is not installed, an unknown method, layer or target.

    Examples
    --------
    >>> from torch import nn
    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    >>> ns.networks.explain(network, ns.as_stimuli(np.ones((3, 2, 2))), "grad_cam")
    Traceback (most recent call last):
    neurosim.schema.InputError: explain: 'grad_cam' takes layer=, the name of a convolution; ...none.
    """
    _check_request(method, layer, batch_size, window)
    goals = None if target is None else _targets(target)
    stimuli = labelled(stimuli, "explain", "stimuli")
    attr = _captum()
    check_module("explain", network)
    run = _Batched(network, "time" in stimuli.dims)
    module = None if layer is None else network.get_submodule(one_module(network, layer, "explain"))
    if goals is not None and goals.size not in (1, stimuli.sizes["stimulus"]):
        n = stimuli.sizes["stimulus"]
        raise InputError(f"explain: one target, or one for each of {n} stimuli asked; {goals.size} given.")
    wanted = None if goals is None else np.broadcast_to(goals, stimuli.sizes["stimulus"])
    found, chosen, gaps = [], [], []
    with evaluating(network, device, False) as where, with_gradients(where):
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


def _check_request(method: object, layer: str | None, batch_size: object, window: object) -> None:
    known = get_args(Method)
    if method not in known:
        raise InputError(f"explain: no method {method!r}; known: {', '.join(known)}.{suggest(str(method), known)}")
    if (method == "grad_cam") != (layer is not None):
        raise InputError("explain: 'grad_cam' takes layer=, the name of a convolution; the other methods take none.")
    for name, value in (("batch_size", batch_size), ("window", window)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise InputError(f"explain: {name} = {value!r}; whole batch_size and window of at least 1 asked.")


def _targets(target: object) -> np.ndarray:
    """Return targets as whole numbers."""
    try:
        goals = np.asarray(target)
    except (ValueError, TypeError, RuntimeError):
        raise InputError(f"explain: targets are whole numbers, one or one a stimulus, found {target!s:.80}.") from None
    if goals.dtype.kind not in "iu":
        raise InputError(f"explain: targets are whole numbers, found {goals.dtype}.")
    return goals.ravel().astype(np.int64)


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
        reset_neurons(self.network)
        answer: Tensor = self.network(stimuli.transpose(0, 1) if self.sequence else stimuli)
        return answer


def _gap(run: nn.Module, shown: Tensor, result: Tensor, logits: Tensor, goal: Tensor) -> np.ndarray:
    """Return by how much attributions (stimulus, ...) miss the difference of the logits of stimulus and zeros."""
    change = logits - _logits(run, torch.zeros_like(shown))
    wanted = change.gather(1, goal[:, None])[:, 0]
    return (result.detach().flatten(1).sum(1) - wanted).cpu().numpy()


def _attribute(
    attr: Any, run: _Batched, shown: Tensor, method: Method, goal: Tensor, module: nn.Module | None, window: int
) -> Tensor:
    found: Tensor
    if method == "saliency":
        found = attr.Saliency(run).attribute(shown, target=goal)
    elif method == "integrated_gradients":
        found = attr.IntegratedGradients(run).attribute(shown, target=goal, n_steps=64, internal_batch_size=256)
    elif method == "occlusion":
        sizes = tuple(min(window, n) if k >= shown.ndim - 3 else n for k, n in enumerate(shown.shape))[1:]
        if shown.ndim == 4:
            sizes = (shown.shape[1], *sizes[1:])
        found = attr.Occlusion(run).attribute(shown, sliding_window_shapes=sizes, target=goal)
    else:
        found = _stretched(attr.LayerGradCam(run, module).attribute(shown, target=goal, relu_attributions=True), shown)
    return found


def _stretched(found: Tensor, shown: Tensor) -> Tensor:
    """Return what each place of a convolution matters as what each pixel does."""
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
