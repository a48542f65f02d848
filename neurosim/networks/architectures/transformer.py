"""Transformer encoders that read words or sequences; see ``neurosim.networks.transformer`` for the module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from neurosim.networks.architecture import Architecture
from neurosim.networks.shared_parameters import check_share, refuse_words
from neurosim.refusals import InputError

MAX_STEPS = 512


@dataclass(frozen=True)
class TransformerSpecification:
    """Transformer encoder.

    Parameters
    ----------
    n_units : a multiple of `n_heads`. n_heads : of attention. n_layers : blocks, each with `n_hidden` units.
    n_words : size of the vocabulary; 0: inputs are sequences of numbers.
    dropout : share left out in training. dt : duration of a step, s.

    Raises
    ------
    InputError : units that the heads cannot share, a share that is none.

    Examples
    --------
    >>> ns.networks.TransformerSpecification(96, n_words=5000).n_heads
    4
    """

    n_units: int = 64
    n_heads: int = 4
    n_layers: int = 2
    n_hidden: int = 128
    n_words: int = 0
    dropout: float = 0.1
    dt: float = 1.0

    def __post_init__(self) -> None:
        check_share("Transformer", self.dropout)
        if self.n_units % self.n_heads:
            raise InputError(f"Transformer: n_units = {self.n_units} is not a multiple of n_heads = {self.n_heads}.")


def refuses(specification: TransformerSpecification, sizes: Mapping[str, int]) -> str | None:
    """Return why words or a sequence cannot be read."""
    if sizes["time"] >= MAX_STEPS:
        return f"Transformer: sequences of at most {MAX_STEPS - 1} steps asked, found {sizes['time']}."
    return refuse_words("Transformer", specification.n_words, sizes)


TRANSFORMER = Architecture(
    name="Transformer",
    specification=TransformerSpecification,
    build="neurosim.networks.transformer:Transformer",
    takes=("sequence", "words"),
    learns=("categories",),
    caption="Layers of attention that read words or a sequence at once.",
    citation="Vaswani A, Shazeer N, Parmar N, et al. (2017) NeurIPS, https://arxiv.org/abs/1706.03762",
    examples=(TransformerSpecification(8, 2, 2, 12), TransformerSpecification(8, 2, 2, 12, n_words=30)),
    refuses=refuses,
)
