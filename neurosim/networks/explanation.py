"""Why a network answers as it does: what in a stimulus matters, what a unit looks for, where attention went."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from neurosim.networks.axes import Place, Reading, channel_place
from neurosim.networks.batches import native
from neurosim.networks.flags import check_module
from neurosim.networks.naming import Tap, layer_labels, one_module, one_tap
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.networks.stepwise import reset_neurons
from neurosim.networks.taps import Answer, answers, listening, part_of, steppers
from neurosim.networks.transformer import AttentionMap, PretrainedEncoder
from neurosim.networks.untouched import evaluating
from neurosim.refusals import asked_by
from neurosim.runtime import torch_generator, track
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

    Examples
    --------
    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    >>> explain(network, as_stimuli(np.ones((3, 2, 2))), "grad_cam")
    Traceback (most recent call last):
    neurosim.schema.InputError: explain: 'grad_cam' takes layer=, the name of a convolution; ...none.
    """
    known = get_args(Method)
    if method not in known:
        raise InputError(f"explain: no method {method!r}; known: {', '.join(known)}.{suggest(str(method), known)}")
    if (method == "grad_cam") != (layer is not None):
        raise InputError("explain: 'grad_cam' takes layer=, the name of a convolution; the other methods take none.")
    for name, value in (("batch_size", batch_size), ("window", window)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise InputError(f"explain: {name} = {value!r}; whole batch_size and window of at least 1 asked.")
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
    with evaluating(network, device, False) as where, _with_gradients(where):
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


def _targets(target: object) -> np.ndarray:
    """Return targets as whole numbers."""
    try:
        goals = np.asarray(target)
    except (ValueError, TypeError, RuntimeError):
        raise InputError(f"explain: targets are whole numbers, one or one a stimulus, found {target!s:.80}.") from None
    if goals.dtype.kind not in "iu":
        raise InputError(f"explain: targets are whole numbers, found {goals.dtype}.")
    return goals.ravel().astype(np.int64)


@dataclass(frozen=True)
class AscentOptions:
    """How an image is made that excites a unit: by Adam, moved about and kept smooth.

    Parameters
    ----------
    n_steps, learning_rate : of Adam. jitter : pixels by which the image is moved in each step.
    smoothness : price of the squared differences of neighbouring pixels.

    Raises
    ------
    InputError : no step, a learning rate that is not above 0, a negative jitter or price.

    Examples
    --------
    >>> AscentOptions(n_steps=50).jitter
    1
    """

    n_steps: int = 200
    learning_rate: float = 0.05
    jitter: int = 1
    smoothness: float = 0.05

    def __post_init__(self) -> None:
        if self.n_steps < 1 or not self.learning_rate > 0 or self.jitter < 0 or not self.smoothness >= 0:
            raise InputError(
                f"AscentOptions: n_steps of at least 1, a learning_rate above 0, jitter and smoothness of at least 0 "
                f"asked, found {self}."
            )


def maximise_activation(
    network: nn.Module,
    layer: str,
    units: Sequence[int],
    image_shape: tuple[int, ...],
    options: AscentOptions | None = None,
    *,
    channels: Place | None = None,
    rng: np.random.Generator | int = 0,
    device: str = "auto",
    progress: bool = True,
) -> xr.DataArray:
    """Return images that excite units of a layer most, found by gradient ascent (https://doi.org/10.23915/distill.00007).

    Parameters
    ----------
    network : from images to anything. layer : whose units, named as in ``record_responses``.
    units : channels of a convolution or of tokens, whose mean over places counts, or units of a flat layer; of layers
        over time their mean over time.
    image_shape : ([channel,] y, x); values stay in 0..1.
    options : of the ascent: steps, learning rate, jitter, smoothness.
    rng : seed of the noise that images start from, or a generator.
    channels : "first" or "last", of layers with places or tokens whose kind does not tell.

    Returns
    -------
    stimuli (stimulus, [channel,] y, x), one a unit, with ``layer``, ``unit_index`` and the ``activation`` reached, and
    ``activation_at_start``.

    Raises
    ------
    InputError : no such layer or unit, the layer is not reached, or its axes or channels are not known.

    Examples
    --------
    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    >>> found = maximise_activation(net, "1", [0, 2], (4, 4), AscentOptions(20, jitter=0), progress=False)
    >>> found.dims, bool((found.activation > found.activation_at_start).all())
    (('stimulus', 'y', 'x'), True)
    """
    options = AscentOptions() if options is None else options
    if not units:
        raise InputError("maximise_activation: at least one unit is asked.")
    tap = one_tap(network, layer, "maximise_activation")
    generator = torch_generator(rng, "maximise_activation")
    start = 0.5 + 0.05 * torch.randn((len(units), *image_shape), generator=generator)
    with evaluating(network, device, False) as where, _with_gradients(where):
        free = torch.logit(start.clamp(0.01, 0.99)).to(where).requires_grad_()
        activity = _Activity(network, tap, units, channels, start.to(where))
        optimizer = torch.optim.Adam([free], lr=options.learning_rate)
        with torch.no_grad():
            before = activity(torch.sigmoid(free)).cpu().numpy()
        for _ in track(range(options.n_steps), "maximising activation", progress=progress):
            images = torch.sigmoid(free)
            shift = torch.randint(-options.jitter, options.jitter + 1, (2,), generator=generator).tolist()
            moved = torch.roll(images, shift, dims=(-2, -1))
            rough = images.diff(dim=-1).square().sum() + images.diff(dim=-2).square().sum()
            loss = options.smoothness * rough - activity(moved).sum()
            (free.grad,) = torch.autograd.grad(loss, [free])
            optimizer.step()
        with torch.no_grad():
            final = torch.sigmoid(free)
            after = activity(final).cpu().numpy()
    if not np.isfinite(after).all():
        raise InputError(
            f"maximise_activation: the activity of {layer!r} is no longer finite; lower the learning_rate."
        )
    dims = ("stimulus", "channel", "y", "x") if len(image_shape) == 3 else ("stimulus", "y", "x")
    name = layer_labels(network, [tap.name(tap.call or 1)])[0]
    coords = {"layer": [name] * len(units), "unit_index": list(units), "activation": after,
              "activation_at_start": before}  # fmt: skip
    ids = [f"{name}_{u}" for u in units]
    return as_stimuli(final.cpu().numpy(), dims=dims, ids=ids, coords=coords)


class _Activity:
    """The activity (stimulus,) of one unit a stimulus: its mean over places and time."""

    def __init__(
        self,
        network: nn.Module,
        tap: Tap,
        units: Sequence[int],
        channels: Place | None,
        like: Tensor,
    ) -> None:
        self.network, self.tap, self.units = network, tap, list(units)
        self.module = network.get_submodule(tap.module)
        few, heard = [len(units), len(units) + 1], [tap, *steppers(network)]
        with torch.no_grad():
            probes = [self._heard(like[torch.arange(n) % len(like)], heard) for n in few]
        with asked_by("maximise_activation"):
            self.answer: Answer = answers(network, probes, few, [tap], Reading())[0]
        axes, one = self.answer.axes, probes[0][tap][self.answer.call]
        sizes = [n for axis, n in enumerate(one.shape) if axis not in (axes.batch, axes.time)]
        is_known = isinstance(self.module, SpikingLayer)
        self.channels = channels or ("first" if is_known else channel_place(self.module, sizes))

    def __call__(self, images: Tensor) -> Tensor:
        calls = self._heard(images, [self.tap])[self.tap]
        chosen = calls.values() if self.answer.over_steps else [calls[self.answer.call]]
        return torch.stack([self._of_units(out) for out in chosen]).mean(0)

    def _heard(self, images: Tensor, wanted: Sequence[Tap]) -> dict[Tap, dict[int, Tensor]]:
        """Return what each call of the layer answers, with its gradient; of other layers calls alone are counted."""

        def take(tap: Tap, _call: int, value: Any) -> Tensor | None:
            return part_of(tap, value, self.module) if tap is self.tap else None

        with asked_by("maximise_activation"), listening(self.network, wanted, take) as heard:
            reset_neurons(self.network)
            self.network(images)
        if self.tap not in heard:
            raise InputError(f"maximise_activation: layer {self.tap.module!r} is never reached.")
        return heard

    def _of_units(self, out: Tensor) -> Tensor:
        axes, name = self.answer.axes, self.answer.name
        out = out.movedim(axes.batch, 0) if axes.time is None else out.movedim([axes.batch, axes.time], [0, 1]).mean(1)
        if out.ndim > 2 and self.channels is None:
            raise InputError(
                f"maximise_activation: whether channels are first or last in {name!r} {tuple(out.shape)} is not known; "
                "pass channels=."
            )
        flat = out.flatten(2).mean(2) if self.channels == "first" and out.ndim > 2 else out
        flat = flat.flatten(1, -2).mean(1) if flat.ndim > 2 else flat
        if not 0 <= min(self.units) <= max(self.units) < flat.shape[1]:
            raise InputError(f"maximise_activation: {name!r} has units 0..{flat.shape[1] - 1}, asked for {self.units}.")
        return flat[range(len(self.units)), self.units]


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

    Examples
    --------
    >>> from neurosim.networks import TransformerSpecification, build_network
    >>> network = build_network(TransformerSpecification(8, 2, 1, 8, n_words=5), (3,), 2).eval()
    >>> words = as_stimuli(np.array([[1, 2, 0]]), dims=("stimulus", "time"), time_step=1.0)
    >>> attention_rollout(network, words).values[0, 2]
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


def _with_gradients(where: str) -> contextlib.AbstractContextManager[Any]:
    """Return a context in which recurrent modules have gradients in evaluation mode, which cuDNN denies."""
    return torch.backends.cudnn.flags(enabled=False) if where.startswith("cuda") else contextlib.nullcontext()


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
