"""Perturbations of modules that hold their own recurrence, against the same steps written as a loop."""

import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from neurosim.networks import LeakyRNNSpecification
from neurosim.networks.perturbation import perturbed
from neurosim.networks.recording import record_responses
from neurosim.networks.recurrent import LeakyUnits, RateUnits
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.parameters import DiscreteLIFParameters
from neurosim.schema import InputError, Perturbation, as_stimuli

CUT = [1, 3]
SHOWN = torch.from_numpy(np.random.default_rng(0).normal(size=(5, 2, 3)).astype(np.float32))  # time, batch, unit


def silence(layer, kind="silence"):
    return Perturbation(kind, layer, CUT)


def looped(module, side=""):
    """Outputs (time, batch, unit) of a recurrent module of one layer, whose cut units send nothing."""
    cell = {nn.RNN: nn.RNNCell, nn.LSTM: nn.LSTMCell, nn.GRU: nn.GRUCell}[type(module)](3, 4)
    cell.load_state_dict(
        {k: getattr(module, f"{k}_l0{side}") for k in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    )
    state, sent = None, []
    for now in SHOWN.flip(0) if side else SHOWN:
        state = cell(now, state)
        h = state[0] if isinstance(state, tuple) else state
        h = h.clone()
        h[:, CUT] = 0
        state = (h, state[1]) if isinstance(state, tuple) else h
        sent.append(h)
    return torch.stack(sent).flip(0) if side else torch.stack(sent)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_silenced_units_send_nothing_to_each_other_and_to_nobody_else(kind, batch_first):
    torch.manual_seed(0)
    network = nn.Sequential(kind(3, 4, batch_first=batch_first))
    before = {k: v.clone() for k, v in network.state_dict().items()}
    shown = SHOWN.transpose(0, 1) if batch_first else SHOWN
    with perturbed(network, silence("0")), torch.no_grad():
        found, last = network(shown)
        packed = pack_padded_sequence(shown, [5, 3], batch_first=batch_first)
        short = pad_packed_sequence(network(packed)[0], batch_first=batch_first)[0]
    with torch.no_grad():
        wanted = looped(network[0])
    found, short = ((x.transpose(0, 1) if batch_first else x) for x in (found, short))
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(last[0][0] if kind is nn.LSTM else last[0], wanted[-1])
    torch.testing.assert_close(short[:3, 1], wanted[:3, 1])
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())
    with torch.no_grad():
        assert network(shown)[0][..., CUT].abs().min() > 0


def test_units_of_both_directions_are_counted_one_after_the_other():
    torch.manual_seed(1)
    network = nn.Sequential(nn.GRU(3, 4, bidirectional=True))
    with perturbed(network, Perturbation("lesion", "0", [1, 3, 5, 7])), torch.no_grad():
        found, last = network(SHOWN)
    with torch.no_grad():
        forward, backward = looped(network[0]), looped(network[0], "_reverse")
    torch.testing.assert_close(found, torch.cat([forward, backward], dim=-1))
    torch.testing.assert_close(last, torch.stack([forward[-1], backward[0]]))


def rates(weights, drive, alpha):
    rate, found = torch.zeros(2, 4), []
    for now in drive:
        rate = (1 - alpha) * rate + alpha * torch.relu(now + rate @ weights.T)
        found.append(rate)
    return torch.stack(found)


@pytest.mark.parametrize("kind", ["rate", "leaky", "dale", "low_rank", "spiking"])
def test_own_recurrent_units_are_cut_from_each_other_too(kind):
    torch.manual_seed(2)
    options = {"dale": {"excitatory": 0.5}, "low_rank": {"rank": 2}}.get(kind, {})
    specification = LeakyRNNSpecification(n_units=4, noise=0.0, dt=0.02, tau=0.1, **options)
    module = {
        "rate": lambda: RateUnits(3, 4, 0.2),
        "spiking": lambda: SpikingLayer(DiscreteLIFParameters(), n_recurrent=4),
    }.get(kind, lambda: LeakyUnits(3, specification))()
    network, keep = nn.Sequential(module), torch.tensor([1.0, 0.0, 1.0, 0.0])
    with torch.no_grad():
        if kind == "spiking":
            shown, module.recurrent.weight[:] = 2 * torch.rand(5, 2, 4), torch.randn(4, 4)
            wanted = spikes(module, shown, keep)
        else:
            weights = module.recurrent.weight if kind == "rate" else module.weights()
            shown = SHOWN
            wanted = rates(weights * keep, module.input(SHOWN), 0.2) * keep
        with perturbed(network, silence("0")):
            found = network(shown)
        assert not torch.allclose(network(shown), wanted)
    torch.testing.assert_close(found, wanted)


def spikes(module, drive, keep):
    neuron, mem, sent, found = snn.Leaky(beta=module.coefficients.beta), torch.zeros(2, 4), torch.zeros(2, 4), []
    for now in drive:
        out, mem = neuron(now + (sent * keep) @ module.recurrent.weight.T + module.recurrent.bias, mem)
        sent = out
        found.append(out * keep)
    return torch.stack(found)


def test_neurons_of_snntorch_that_keep_their_own_spikes_are_cut_from_each_other():
    torch.manual_seed(3)
    own = snn.RLeaky(beta=0.9, linear_features=4, init_hidden=True)
    free = snn.RLeaky(beta=0.9, linear_features=4, init_hidden=False)
    free.load_state_dict(own.state_dict())
    drive, sent, mem, wanted, found = torch.rand(6, 2, 4), torch.zeros(2, 4), torch.zeros(2, 4), [], []
    network = nn.Sequential(own)
    own.reset_mem()
    with torch.no_grad(), perturbed(network, silence("0")):
        for now in drive:
            found.append(network(now))
            out, mem = free(now, sent, mem)
            sent = out * torch.tensor([1.0, 0.0, 1.0, 0.0])
            wanted.append(sent)
    torch.testing.assert_close(torch.stack(found), torch.stack(wanted))
    assert torch.stack(found).sum() > 0


def test_attention_with_tokens_first_is_cut_by_unit():
    torch.manual_seed(4)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(4, 2)

        def forward(self, tokens):
            return self.attention(tokens, tokens, tokens)[0]

    network, tokens = Net(), torch.randn(3, 2, 4)  # token, batch, unit
    with perturbed(network, Perturbation("silence", "attention", [0, 5])), torch.no_grad():
        found = network(tokens)
    assert (found[0, :, 0] == 0).all() and (found[1, :, 1] == 0).all() and int((found == 0).sum()) == 4


class Skips(nn.Module):
    """Holds a layer that it does not use."""

    def __init__(self):
        super().__init__()
        self.used, self.unused = nn.Linear(3, 4), nn.Linear(3, 4)

    def forward(self, x):
        return self.used(x)


def test_a_perturbation_that_reaches_nothing_is_said():
    network = Skips()
    with pytest.raises(InputError, match="ran without layer 'unused'"), perturbed(network, silence("unused")):
        network(torch.zeros(1, 3))
    with perturbed(network, silence("unused")):
        pass
    stimuli = as_stimuli(np.ones((4, 3)))
    with perturbed(network, silence("used")):
        assert (record_responses(network, stimuli, layers=["used"], progress=False).values[:, CUT] == 0).all()


@pytest.mark.parametrize(
    ("layer", "kind", "message"),
    [
        ("gru", "clamp", "send to each other inside GRU, where 'clamp' does not reach"),
        ("gru", "noise", "where 'noise' does not reach"),
        ("gru:1", "silence", "name the whole module"),
        ("*", "silence", "one layer asked"),
        ("gruu", "silence", "^perturbed: no layer 'gruu'"),
    ],
)
def test_what_cannot_be_perturbed_is_one_line(layer, kind, message):
    network = nn.Module()
    network.gru, network.readout = nn.GRU(3, 4), nn.Linear(4, 2)
    with pytest.raises(InputError, match=message) as caught:
        perturbed(network, Perturbation(kind, layer, [0])).__enter__()
    assert "\n" not in str(caught.value)
