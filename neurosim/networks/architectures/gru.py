"""Gated recurrent units (GRU) that read words, sequences, or images row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from neurosim.networks.architecture import Architecture
from neurosim.networks.shared_parameters import GatedSpecification, refuse_inputs_of_gated


@dataclass(frozen=True)
class GRUSpecification(GatedSpecification):
    """Gated recurrent units (GRU) that read words, sequences, or images row by row.

    Parameters
    ----------
    n_units, n_layers : units a layer, and layers. bidirectional : read from both ends.
    n_words, n_embedding : size of the vocabulary, whose words become vectors; 0 words: inputs are no words.
    pooling : over time, before the readout: "last", "mean" or "max". dropout : share left out in training.
    dt : duration of a step, s. is_sequence : (time, unit) inputs are sequences; otherwise images are read row by row.

    Examples
    --------
    >>> ns.networks.GRUSpecification(64, n_words=1000).pooling
    'last'
    """

    cell: ClassVar[str] = "GRU"


GRU = Architecture(
    name="GRU",
    specification=GRUSpecification,
    build="neurosim.networks.recurrent:GatedRNN",
    takes=("gray", "colour", "sequence", "words"),
    learns=("categories",),
    caption="Gated recurrent units (GRU) that read words, a sequence, or an image row by row.",
    citation="Cho K, van Merrienboer B, Gulcehre C, et al. (2014) EMNLP, https://doi.org/10.3115/v1/D14-1179",
    examples=(
        GRUSpecification(9),
        GRUSpecification(9, is_sequence=True, pooling="mean"),
        GRUSpecification(9, n_words=30, n_embedding=6, pooling="max"),
    ),
    refuses=refuse_inputs_of_gated,
)
