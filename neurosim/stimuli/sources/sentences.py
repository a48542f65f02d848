"""Labelled sentences as word numbers, by their official split where they have one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import xarray as xr

from neurosim import storage
from neurosim.stimuli.parts import PartOptions, Rng, of_parts, part_of
from neurosim.stimuli.sentences import load_sentences, sentence_files
from neurosim.stimuli.source import Source


@dataclass(frozen=True)
class SentencesOptions(PartOptions):
    """Which sentences are given, and how.

    Parameters
    ----------
    part, n_per_category, n : see :class:`~neurosim.stimuli.parts.PartOptions`.
    set : which sentences, see :func:`~neurosim.stimuli.load_sentences`.
    n_words : words kept of each sentence. max_words : size of the vocabulary.
    """

    set: Literal["mr", "subj", "customer_reviews", "sst2", "sst5", "trec"] = "mr"
    n_words: int = 50
    max_words: int = 20000


def load(options: SentencesOptions, rng: Rng) -> xr.DataArray:
    """Return a part of the sentences."""

    def read(split: str) -> xr.DataArray:
        return load_sentences(options.set, split, n_words=options.n_words, max_words=options.max_words)

    if "test" in sentence_files(options.set):
        return of_parts(read, options, "sentences")
    return part_of(read("all"), options, rng, "sentences")


def files(options: SentencesOptions) -> dict[str, str]:
    """Return the checksums of the files of all splits, which make the vocabulary."""
    return {path.name: storage.sha256(path) for path in sentence_files(options.set).values()}


def sizes(options: SentencesOptions) -> dict[str, int]:
    """Return the sizes of one stimulus."""
    return {"time": options.n_words}


def example(_folder: Path) -> SentencesOptions:
    """Ask for six questions."""
    return SentencesOptions(set="trec", n_per_category=1, n_words=10)


SENTENCES = Source(
    name="sentences",
    caption="sentences of reviews and questions, as numbers of words",
    load=load,
    dims=("stimulus", "time"),
    options=SentencesOptions,
    teaches=True,
    sizes=sizes,
    files=files,
    citation="Kim Y (2014) EMNLP, https://doi.org/10.3115/v1/D14-1181, which lists the sets and where they come from",
    licence="free for research; cite the set",
    example=example,
)
