"""What a unit looks for: images that excite it, found by gradient ascent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from neurosim.networks.axes import Place, Reading, channel_place
from neurosim.networks.naming import Tap, layer_labels, one_tap
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.networks.stepwise import reset_neurons
from neurosim.networks.taps import Answer, answers, listening, part_of, steppers
from neurosim.networks.untouched import evaluating, with_gradients
from neurosim.refusals import asked_by
from neurosim.runtime import torch_generator, track
from neurosim.schema import InputError, as_stimuli


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
    >>> ns.networks.AscentOptions(n_steps=50).jitter
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
    device : "auto", "cpu" or "cuda". progress : show a bar.

    Returns
    -------
    stimuli (stimulus, [channel,] y, x), one a unit, with ``layer``, ``unit_index`` and the ``activation`` reached, and
    ``activation_at_start``.

    Raises
    ------
    InputError : no such layer or unit, the layer is not reached, or its axes or channels are not known.

    Examples
    --------
    >>> from torch import nn
    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    >>> options = ns.networks.AscentOptions(20, jitter=0)
    >>> found = ns.networks.maximise_activation(net, "1", [0, 2], (4, 4), options, progress=False)
    >>> found.dims, bool((found.activation > found.activation_at_start).all())
    (('stimulus', 'y', 'x'), True)
    """
    options = AscentOptions() if options is None else options
    if not units:
        raise InputError("maximise_activation: at least one unit is asked.")
    tap = one_tap(network, layer, "maximise_activation")
    generator = torch_generator(rng, "maximise_activation")
    start = 0.5 + 0.05 * torch.randn((len(units), *image_shape), generator=generator)
    with evaluating(network, device, False) as where, with_gradients(where):
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

        def take(tap: Tap, _call: int, value: object) -> Tensor | None:
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
