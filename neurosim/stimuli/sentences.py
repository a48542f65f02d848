"""Labelled sentences as sequences of word numbers: movie reviews, subjectivity, questions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.schema import InputError, as_stimuli, suggest

FILLING, UNKNOWN = 0, 1
SETS: dict[str, dict[str, str]] = {
    "mr": {"all": "rt-polarity.all"},
    "subj": {"all": "subj.all"},
    "customer_reviews": {"all": "custrev.all"},
    "sst2": {"train": "stsa.binary.train", "validation": "stsa.binary.dev", "test": "stsa.fine.test"},
    "sst5": {"train": "stsa.fine.train", "validation": "stsa.fine.dev", "test": "stsa.fine.test"},
    "trec": {"train": "TREC.train.all", "test": "TREC.test.all"},
}
CATEGORIES: dict[str, tuple[str, ...]] = {
    "mr": ("negative", "positive"),
    "subj": ("objective", "subjective"),
    "customer_reviews": ("negative", "positive"),
    "sst2": ("negative", "positive"),
    "sst5": ("0 very negative", "1 negative", "2 neutral", "3 positive", "4 very positive"),
    "trec": ("0", "1", "2", "3", "4", "5"),
}
HOMES = {
    "mr": "https://doi.org/10.3115/1219840.1219855",
    "subj": "https://doi.org/10.3115/1218955.1218990",
    "customer_reviews": "https://doi.org/10.1145/1014052.1014073",
    "sst2": "https://aclanthology.org/D13-1170",
    "sst5": "https://aclanthology.org/D13-1170",
    "trec": "https://doi.org/10.3115/1072228.1072378",
}
_TOKEN = re.compile(r"[\w]+|n't|'\w+|[^\w\s]")


def load_sentences(name: str, split: str = "all", *, n_words: int = 50, max_words: int = 20000) -> xr.DataArray:
    """Return labelled sentences: "mr", "subj", "customer_reviews", "sst2", "sst5" or "trec" (Li & Roth's six types).

    Parameters
    ----------
    name : which set; https://doi.org/10.3115/v1/D14-1181 lists them with the accuracies of a convolutional network.
    split : "all", or "train", "validation", "test" where the set has an official split.
    n_words : words kept of each sentence; shorter ones are filled with 0 at the front.
    max_words : size of the vocabulary, the most frequent words of all splits; others are word 1.

    Returns
    -------
    stimuli (stimulus, time) of word numbers, with ``category`` and ``text``; the vocabulary is in the attributes,
    separated by spaces, its first word being number 2.

    Raises
    ------
    InputError : unknown set or split.
    StorageError : the file is not in the folder ``sentences`` of the data folder.

    Examples
    --------
    >>> ns.stimuli.load_sentences("mr", "test")
    Traceback (most recent call last):
    neurosim.schema.InputError: load_sentences: 'mr' has no split 'test'; it has all.
    """
    files = SETS.get(name)
    if files is None:
        raise InputError(f"load_sentences: no set {name!r}; known: {', '.join(SETS)}.{suggest(name, SETS)}")
    if split not in files:
        raise InputError(f"load_sentences: {name!r} has no split {split!r}; it has {', '.join(files)}.")
    if n_words < 1 or max_words < 1:
        raise InputError(f"load_sentences: n_words and max_words >= 1 asked, found {n_words} and {max_words}.")
    texts = {part: _read(name, file) for part, file in files.items()}
    words = vocabulary([text for part in texts.values() for _, text in part], max_words)
    labels = np.asarray(CATEGORIES[name])[[label for label, _ in texts[split]]]
    sentences = [text for _, text in texts[split]]
    return as_words(sentences, words, n_words=n_words, category=labels, prefix=f"{name}_{split}")


def as_words(
    texts: Sequence[str],
    words: Sequence[str],
    *,
    n_words: int = 50,
    category: Sequence[str] | np.ndarray | None = None,
    prefix: str = "sentence",
) -> xr.DataArray:
    """Return texts as stimuli (stimulus, time) of word numbers in the vocabulary `words`.

    Parameters
    ----------
    texts : one a stimulus. words : the vocabulary; its first word is number 2, unknown words are 1.
    n_words : words kept of each text; shorter ones are filled with 0 at the front.
    category : label of each stimulus, if there is one. prefix : of the names of the stimuli.

    Returns
    -------
    stimuli (stimulus, time) with ``text`` and, where given, ``category``; the vocabulary is in the attributes.

    Raises
    ------
    SchemaError : no text, or as many categories as texts are not given.

    Examples
    --------
    >>> ns.stimuli.as_words(["a good film", "bad"], ["good", "film"], n_words=3).values.tolist()
    [[1, 2, 3], [0, 0, 1]]
    """
    number = {word: k for k, word in enumerate(words, start=2)}
    ids = np.full((len(texts), n_words), FILLING, dtype=np.int32)
    for row, text in zip(ids, texts, strict=True):
        found = [number.get(word, UNKNOWN) for word in split_words(text)][:n_words]
        if found:
            row[-len(found) :] = found
    coords = {"text": list(texts)} | ({} if category is None else {"category": np.asarray(category)})
    stimuli = as_stimuli(
        ids, dims=("stimulus", "time"), ids=[f"{prefix}_{k:05d}" for k in range(len(texts))], coords=coords,
        time_step=1.0,
    )  # fmt: skip
    stimuli.attrs["vocabulary"] = " ".join(words)
    return stimuli


def vocabulary(texts: Sequence[str], max_words: int = 20000) -> list[str]:
    """Return the most frequent words of `texts`, most frequent first, equals in alphabetical order.

    >>> vocabulary(["b a", "a c"], 2)
    ['a', 'b']
    """
    counts = Counter(word for text in texts for word in split_words(text))
    return [word for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:max_words]]


def split_words(text: str) -> list[str]:
    """Return the words and signs of a text in lower case.

    >>> split_words("It's good, isn't it?")
    ['it', "'s", 'good', ',', 'isn', "'t", 'it', '?']
    """
    return _TOKEN.findall(text.lower())


def sentence_files(name: str) -> dict[str, Path]:
    """Return the file of every split of a set, or say where it goes."""
    if name not in SETS:
        raise InputError(f"load_sentences: no set {name!r}; known: {', '.join(SETS)}.{suggest(name, SETS)}")
    return {split: _file(name, file) for split, file in SETS[name].items()}


def _file(name: str, file: str) -> Path:
    return storage.data_file("sentences", file, "load_sentences", "'label sentence' a line", HOMES[name])


def _read(name: str, file: str) -> list[tuple[int, str]]:
    path = _file(name, file)
    pairs = [line.split(" ", 1) for line in storage.read_text(path, "latin-1").split("\n") if line.strip()]
    if not all(len(p) == 2 and p[0].isdigit() for p in pairs):
        raise storage.StorageError(f"load_sentences: {file} does not hold 'label sentence' on every line.")
    found = [(int(label), text) for label, text in pairs]
    if name == "sst2" and ".fine." in file:
        found = [(int(label > 2), text) for label, text in found if label != 2]
    if any(label >= len(CATEGORIES[name]) for label, _ in found):
        raise storage.StorageError(f"load_sentences: {file} holds labels out of 0..{len(CATEGORIES[name]) - 1}.")
    return found
