"""Networks as others build them, and what they are shown: for `test_strangers`."""

import collections
import dataclasses

import numpy as np
import snntorch as snn
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from neurosim.networks.published import torchvision

RNG = np.random.default_rng(0)
N = 5
VECTORS = RNG.normal(size=(N, 40)).astype(np.float32)
PICTURES = RNG.random((N, 3, 32, 32)).astype(np.float32)
LARGE = RNG.random((3, 3, 75, 75)).astype(np.float32)
WORDS = RNG.integers(1, 50, (N, 6))
TINY = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
T5 = {"vocab_size": 50, "d_model": 8, "d_kv": 4, "d_ff": 16, "num_layers": 2, "num_heads": 2}
Pair = collections.namedtuple("Pair", "up down")


@dataclasses.dataclass
class Parts:
    up: torch.Tensor
    down: torch.Tensor


class Wraps(nn.Module):
    """Calls `core` with what `give` makes of stimuli, and makes of its answer what `take` says."""

    def __init__(self, core, give=lambda x: x, take=lambda y: y):
        super().__init__()
        self.core, self.give, self.take = core, give, take

    def forward(self, x):
        return self.take(self.core(self.give(x)))


def rows(x):
    return x.reshape(len(x), 5, 8)


def columns(x):
    return rows(x).transpose(0, 1)


def lengths_packed(x):
    return pack_padded_sequence(rows(x), torch.full((len(x),), 4), batch_first=True)


def linear(n=6):
    return nn.Linear(40, n)


def pair():
    return nn.Sequential(linear(), nn.ReLU(inplace=True), nn.Linear(6, 3))


class Attends(nn.Module):
    def __init__(self, batch_first, with_mask=False):
        super().__init__()
        self.core, self.with_mask = nn.MultiheadAttention(8, 2, batch_first=batch_first), with_mask

    def forward(self, x):
        tokens = rows(x) if self.core.batch_first else columns(x)
        mask = torch.arange(5).expand(len(x), 5) > 3 if self.with_mask else None
        return self.core(tokens, tokens, tokens, key_padding_mask=mask)[0]


class Encodes(nn.Module):
    """nn.TransformerEncoder, which in evaluation has a fast path around its layers."""

    def __init__(self, with_mask):
        super().__init__()
        self.with_mask = with_mask
        self.core = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2)

    def forward(self, x):
        mask = torch.arange(5).expand(len(x), 5) > 3 if self.with_mask else None
        return self.core(rows(x), src_key_padding_mask=mask)


class Named(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = linear(4)

    def forward(self, *, pixels):
        return self.inner(pixels)


class Calls(nn.Module):
    """Answers in the form that `form` says, from a module that takes keywords only."""

    def __init__(self, form):
        super().__init__()
        self.core = Named()
        self.form = Wraps(nn.Identity(), take=form)

    def forward(self, x):
        self.form(self.core(pixels=x))
        return x


class Twice(nn.Module):
    """One module under two names."""

    def __init__(self):
        super().__init__()
        self.one = nn.Linear(40, 40)
        self.two, self.last = self.one, linear(2)

    def forward(self, x):
        return self.last(self.two(self.one(x).relu()))


class Sequences(nn.Module):
    """snnTorch neurons over four steps, which keep their state themselves or are given it."""

    def __init__(self, init_hidden):
        super().__init__()
        self.linear, self.hidden = linear(), init_hidden
        self.leaky = snn.Leaky(beta=0.9, init_hidden=init_hidden)

    def forward(self, x):
        state = self.leaky.init_leaky()
        for _ in range(4):
            drive = self.linear(x)
            spikes, state = (self.leaky(drive), state) if self.hidden else self.leaky(drive, state)
        return spikes


def of_transformers(name, config, take=lambda m: m):
    torchvision()
    import transformers

    return take(getattr(transformers, name)(getattr(transformers, f"{name.removesuffix('Model')}Config")(**config)))


class Speaks(nn.Module):
    """An encoder and decoder that are both given the words."""

    def __init__(self):
        super().__init__()
        self.t5 = of_transformers("T5Model", T5)

    def forward(self, words):
        return self.t5(input_ids=words, decoder_input_ids=words).last_hidden_state


def models():
    return torchvision().models


def vit():
    return models().VisionTransformer(32, 16, 2, 2, 8, 16, num_classes=3)


def inception():
    return models().inception_v3(num_classes=3, init_weights=False)  # with an auxiliary output while it learns


def swin():
    return models().SwinTransformer([4, 4], 8, [1, 1], [2, 2], [2, 2], num_classes=3)


def convnext():
    block = models().convnext.CNBlockConfig
    return models().ConvNeXt([block(8, 16, 1), block(16, None, 1)], num_classes=3)


def quantised(network, kind):
    return torch.ao.quantization.quantize_dynamic(network, {kind})


def compiled_inside():
    return nn.Sequential(torch.compile(pair(), backend="eager"), nn.Linear(3, 2))


def traced_inside():
    return nn.Sequential(torch.jit.trace(pair(), torch.from_numpy(VECTORS)), nn.Linear(3, 2))


def recurrent(kind=nn.LSTM, give=rows, batch_first=True, **options):
    return Wraps(kind(8, 6, batch_first=batch_first, **options), give, lambda y: y[1][0])


class Fixed(nn.Module):
    """Made for batches of eight, early or late."""

    def __init__(self, late):
        super().__init__()
        self.core, self.late = linear(), late

    def forward(self, x):
        return self.core(x).reshape(8, 6) if self.late else self.core(x.reshape(8, -1))


class Mixes(nn.Module):
    """What a stimulus gets depends on the others in its batch, or stands at the place of another."""

    def __init__(self, core, before=lambda x: x):
        super().__init__()
        self.core, self.before = core, before

    def forward(self, x):
        return self.core(self.before(x))


class InParts(nn.Module):
    def __init__(self):
        super().__init__()
        self.core = linear()

    def forward(self, x):
        return torch.cat([self.core(c) for c in x.split(2)])


class OneByOne(nn.Module):
    """Gives its recurrent module one stimulus at a time, without an axis of stimuli."""

    def __init__(self):
        super().__init__()
        self.core = nn.LSTM(8, 3)

    def forward(self, x):
        return torch.stack([self.core(one)[0] for one in rows(x)])


def in_copies():
    network = nn.DataParallel(pair())
    network.device_ids = [0, 1]  # as it is where there are two GPUs
    return network


def exported():
    return torch.export.export(pair(), (torch.from_numpy(VECTORS),)).module()


def statistics():
    return nn.BatchNorm1d(40, track_running_stats=False)
