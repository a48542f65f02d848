"""Long short-term memory (LSTM) that read words, sequences, or images row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from neurosim.networks.architecture import Architecture
from neurosim.networks.shared_parameters import GatedSpecification, refuse_inputs_of_gated


@dataclass(frozen=True)
class LSTMSpecification(GatedSpecification):
    """Long short-term memory (LSTM) that read words, sequences, or images row by row.

    Parameters
    ----------
    n_units, n_layers : units a layer, and layers. bidirectional : read from both ends.
    n_words, n_embedding : size of the vocabulary, whose words become vectors; 0 words: inputs are no words.
    pooling : over time, before the readout: "last", "mean" or "max". dropout : share left out in training.
    dt : duration of a step, s. is_sequence : (time, unit) inputs are sequences; otherwise images are read row by row.

    Examples
    --------
    >>> ns.networks.LSTMSpecification(64, n_words=1000).pooling
    'last'
    """

    cell: ClassVar[str] = "LSTM"


LSTM = Architecture(
    name="LSTM",
    specification=LSTMSpecification,
    build="neurosim.networks.recurrent:GatedRNN",
    takes=("gray", "colour", "sequence", "words"),
    learns=("categories",),
    caption="Long short-term memory (LSTM) that read words, a sequence, or an image row by row.",
    citation="Hochreiter S, Schmidhuber J (1997) Neural Comput 9:1735-1780, https://doi.org/10.1162/neco.1997.9.8.1735",
    examples=(
        LSTMSpecification(9),
        LSTMSpecification(9, is_sequence=True, n_layers=2),
        LSTMSpecification(9, bidirectional=True, n_words=30, n_embedding=6, pooling="max"),
    ),
    refuses=refuse_inputs_of_gated,
)
