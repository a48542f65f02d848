"""Transformers of spiking neurons; see ``neurosim.networks.spikformer`` for the module."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from neurosim.networks.architecture import Architecture
from neurosim.networks.shared_parameters import NeuronSpecification, refuse_poolings
from neurosim.refusals import InputError


def _halving() -> NeuronSpecification:
    """Return the neurons of the paper: they keep half of their membrane a step, and are reset to zero.

    Theirs halve their input too and have the threshold 1; ours do not, and have the threshold 2, which is the same.
    """
    return NeuronSpecification(tau_mem=1e-3 / math.log(2), threshold=2.0, reset="zero", surrogate="sigmoid", slope=2.0)


@dataclass(frozen=True)
class SpikformerSpecification:
    """Spiking transformer.

    Parameters
    ----------
    n_units : of a patch, a multiple of `n_heads`. n_heads : of attention.
    n_layers : blocks, each with `n_hidden` units.
    n_poolings : how often pictures are halved into patches, each time behind a convolution whose channels double up to
        `n_units`. n_steps : steps that an image is shown.
    neuron : its neurons; by default those of the paper, which keep half of their membrane a step.

    Raises
    ------
    InputError : units that the heads or the convolutions cannot share, or no head, block, pooling or step.

    Examples
    --------
    >>> ns.networks.SpikformerSpecification(32, 2).n_hidden
    128
    """

    n_units: int = 64
    n_heads: int = 4
    n_layers: int = 1
    n_hidden: int = 128
    n_poolings: int = 1
    n_steps: int = 4
    neuron: NeuronSpecification = field(default_factory=_halving)

    def __post_init__(self) -> None:
        if min(self.n_units, self.n_heads, self.n_layers, self.n_hidden, self.n_poolings, self.n_steps) < 1:
            raise InputError("Spikformer: at least one unit, head, block, pooling and step are asked.")
        if self.n_units % self.n_heads or self.n_units % 2 ** (self.n_poolings - 1):
            raise InputError(
                f"Spikformer: n_units = {self.n_units} is not a multiple of n_heads = {self.n_heads} and of "
                f"{2 ** (self.n_poolings - 1)}, as the channels double at each pooling."
            )


def refuses(specification: SpikformerSpecification, sizes: Mapping[str, int]) -> str | None:
    """Return why pictures cannot be halved so often."""
    return refuse_poolings("Spikformer", specification.n_poolings, sizes)


SPIKFORMER = Architecture(
    name="Spikformer",
    specification=SpikformerSpecification,
    build="neurosim.networks.spikformer:Spikformer",
    takes=("gray", "colour", "events"),
    learns=("categories",),
    caption="A transformer of spiking neurons; queries, keys and values are spikes, and attention has no softmax.",
    citation="Zhou Z, Zhu Y, He C, et al. (2023) ICLR, https://arxiv.org/abs/2209.15425",
    examples=(SpikformerSpecification(8, 2, 1, 12), SpikformerSpecification(8, 1, 2, 8, n_poolings=2, n_steps=3)),
    is_spiking=True,
    refuses=refuses,
)
