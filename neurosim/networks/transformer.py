"""Transformers that read: trained from nothing, or pretrained ones from a folder on disk; attention is recorded."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from neurosim.networks.architectures.transformer import MAX_STEPS, TransformerSpecification
from neurosim.networks.published import torchvision
from neurosim.networks.recurrent import check_words, pooled
from neurosim.schema import InputError, as_stimuli, stimulus_labels


class AttentionMap(nn.Module):
    """The weights of attention (batch, head, query, key), as a layer of its own, so that they are recorded."""

    def forward(self, scores: Tensor) -> Tensor:
        """Return weights that are positive and sum to 1 over keys."""
        return torch.softmax(scores, dim=-1)


class SelfAttention(nn.Module):
    """Multi-headed self-attention (https://arxiv.org/abs/1706.03762) of activity (batch, time, unit)."""

    def __init__(self, n_units: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.project = nn.Linear(n_units, 3 * n_units)
        self.map = AttentionMap()
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(n_units, n_units)

    def forward(self, activity: Tensor, present: Tensor) -> Tensor:
        """Return new activity; steps that are not `present` (batch, time) are not looked at."""
        n_batch, n_time, n_units = activity.shape
        split = self.project(activity).view(n_batch, n_time, 3, self.n_heads, n_units // self.n_heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        scores = query @ key.transpose(-1, -2) / math.sqrt(key.shape[-1])
        weights = self.map(scores.masked_fill(~present[:, None, None, :], torch.finfo(scores.dtype).min))
        answer: Tensor = self.out((self.dropout(weights) @ value).transpose(1, 2).reshape(n_batch, n_time, n_units))
        return answer


class TransformerBlock(nn.Module):
    """Attention and two fully connected layers, each added to what came in, normalised before."""

    def __init__(self, s: TransformerSpecification) -> None:
        super().__init__()
        self.attention = SelfAttention(s.n_units, s.n_heads, s.dropout)
        self.before_attention, self.before_hidden = nn.LayerNorm(s.n_units), nn.LayerNorm(s.n_units)
        self.hidden = nn.Sequential(
            nn.Linear(s.n_units, s.n_hidden), nn.GELU(), nn.Dropout(s.dropout), nn.Linear(s.n_hidden, s.n_units)
        )
        self.dropout = nn.Dropout(s.dropout)

    def forward(self, activity: Tensor, present: Tensor) -> Tensor:
        """Return activity (batch, time, unit) after the block."""
        activity = activity + self.dropout(self.attention(self.before_attention(activity), present))
        answer: Tensor = activity + self.dropout(self.hidden(self.before_hidden(activity)))
        return answer


class Transformer(nn.Module):
    """An encoder that names the category of words or of a sequence; its first place is free for the answer."""

    def __init__(
        self, specification: TransformerSpecification, input_shape: tuple[int, ...], n_categories: int
    ) -> None:
        super().__init__()
        s = specification
        self.words = s.n_words > 0
        self.embedding = nn.Embedding(s.n_words, s.n_units, padding_idx=0) if self.words else nn.Linear(
            input_shape[-1], s.n_units
        )  # fmt: skip
        self.answer = nn.Parameter(torch.randn(s.n_units) * 0.02)
        self.place = nn.Embedding(MAX_STEPS, s.n_units)
        nn.init.normal_(self.place.weight, std=0.02)
        self.dropout = nn.Dropout(s.dropout)
        self.blocks = nn.ModuleDict({f"block{i}": TransformerBlock(s) for i in range(1, s.n_layers + 1)})
        self.norm = nn.LayerNorm(s.n_units)
        self.readout = nn.Linear(s.n_units, n_categories)
        self.time_step = s.dt
        self.recorded = (*(f"blocks.{name}" for name in self.blocks), "norm", "readout")

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits (batch, category) of words (time, batch) or sequences (time, batch, unit)."""
        turned = inputs.transpose(0, 1)
        if turned.shape[1] >= MAX_STEPS:
            raise InputError(f"Transformer: sequences of at most {MAX_STEPS - 1} steps asked, found {turned.shape[1]}.")
        if self.words:
            words = turned.long()
            present, activity = words > 0, self.embedding(check_words(words, self.embedding, "Transformer"))
        else:
            present, activity = (
                torch.ones(turned.shape[:2], dtype=torch.bool, device=turned.device),
                self.embedding(turned),
            )
        first = self.answer.expand(len(activity), 1, -1)
        activity = torch.cat([first, activity], dim=1)
        present = torch.cat([torch.ones_like(present[:, :1]), present], dim=1)
        activity = self.dropout(activity + self.place.weight[: activity.shape[1]])
        for block in self.blocks.values():
            activity = block(activity, present)
        result: Tensor = self.readout(pooled(self.norm(activity).transpose(0, 1), "mean", present.T.unsqueeze(2)))
        return result


class PretrainedEncoder(nn.Module):
    """A BERT-style encoder from a local Hugging Face folder, and a linear readout of the mean over its words.

    Only safetensors are read, no code of the folder is run, nothing is fetched.

    Parameters
    ----------
    folder : with ``config.json``, ``model.safetensors``, ``tokenizer.json``. n_categories : of the readout.
    dropout : of what is read out.

    Raises
    ------
    InputError : transformers is not installed, or the folder is not such an encoder.

    Examples
    --------
    >>> ns.networks.PretrainedEncoder("all-MiniLM-L6-v2", n_categories=2)
    Traceback (most recent call last):
    neurosim.schema.InputError: PretrainedEncoder: there is no config.json in all-MiniLM-L6-v2; name the folder of a
    saved encoder.
    """

    def __init__(self, folder: str | Path, n_categories: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.encoder = _from_folder(Path(folder))
        self.filling = int(self.encoder.config.pad_token_id or 0)
        self.dropout = nn.Dropout(dropout)
        self.readout = nn.Linear(self.encoder.config.hidden_size, n_categories)
        n_layers = self.encoder.config.num_hidden_layers
        self.recorded = ("encoder.embeddings", *(f"encoder.encoder.layer.{i}" for i in range(n_layers)), "readout")

    def embed(self, words: Tensor) -> Tensor:
        """Return the mean over the words (batch, unit) of numbered words (time, batch)."""
        turned = words.long().T
        present = turned != self.filling
        width = max(1, int(present.sum(1).max()))
        turned, present = turned[:, :width], present[:, :width]
        activity = self.encoder(input_ids=turned, attention_mask=present.long()).last_hidden_state
        return pooled(activity.transpose(0, 1), "mean", present.T.unsqueeze(2))

    def forward(self, words: Tensor) -> Tensor:
        """Return logits (batch, category) of words (time, batch), as :func:`words_for` numbers them."""
        answer: Tensor = self.readout(self.dropout(self.embed(words)))
        return answer


def words_for(folder: str | Path, stimuli: xr.DataArray, n_words: int = 64) -> xr.DataArray:
    """Return sentences, the ``text`` of stimuli, as words (stimulus, time) with the numbers of a pretrained encoder.

    Parameters
    ----------
    folder : of the encoder. stimuli : with ``text`` along ``stimulus``. n_words : places a sentence; 0 fills the end.

    Returns
    -------
    stimuli (stimulus, time) of whole numbers, with the labels of `stimuli`.

    Raises
    ------
    InputError : stimuli without text, or a folder without ``tokenizer.json``.

    Examples
    --------
    >>> ns.networks.words_for("all-MiniLM-L6-v2", ns.as_stimuli(np.zeros((2, 3))))
    Traceback (most recent call last):
    neurosim.schema.InputError: words_for: the stimuli have no 'text'; take those of load_sentences.
    """
    if "text" not in getattr(stimuli, "coords", ()):
        raise InputError("words_for: the stimuli have no 'text'; take those of load_sentences.")
    file = _file(Path(folder), "tokenizer.json")
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise InputError("words_for: tokenizers is not installed; pip install 'neurosim[text]'.") from error
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.enable_truncation(n_words)
    tokenizer.enable_padding(length=n_words)
    found = tokenizer.encode_batch([str(t) for t in stimuli["text"].values])
    ids = np.array([e.ids for e in found], dtype=np.int32) * np.array([e.attention_mask for e in found], dtype=np.int32)
    return as_stimuli(
        ids,
        dims=("stimulus", "time"),
        ids=stimuli.stimulus.values.tolist(),
        coords=stimulus_labels(stimuli),
        time_step=1.0,
    )


def _from_folder(folder: Path) -> Any:
    _file(folder, "config.json")
    _file(folder, "model.safetensors")
    try:
        from transformers import AutoModel
        from transformers.utils import logging
    except ImportError as error:
        raise InputError("PretrainedEncoder: transformers is not installed; pip install 'neurosim[text]'.") from error
    if importlib.util.find_spec("torchvision") is not None:
        torchvision()
    logging.disable_progress_bar()
    try:
        return AutoModel.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, trust_remote_code=False, attn_implementation="eager"
        )
    except (OSError, ValueError) as error:
        raise InputError(
            f"PretrainedEncoder: {folder} is no encoder ({' '.join(str(error).split())[:150]})."
        ) from error


def _file(folder: Path, name: str) -> Path:
    if not (folder / name).is_file():
        raise InputError(f"PretrainedEncoder: there is no {name} in {folder}; name the folder of a saved encoder.")
    return folder / name
