"""Networks as NIR graphs, the exchange format of spiking networks (https://doi.org/10.1038/s41467-024-52259-9)."""

from __future__ import annotations

from itertools import pairwise

import nir
import numpy as np
from torch import nn

from neurosim.networks.spiking import LIF
from neurosim.parameters import as_dict
from neurosim.schema import InputError


def to_nir(network: nn.Module) -> nir.NIRGraph:
    """Return a feed-forward network of Linear and LIF layers as a NIR graph.

    NIR holds neither the subtract reset nor the time step: both are kept in each neuron node's ``metadata``, so that
    the bridge to Brian2 is exact.

    Parameters
    ----------
    network : module with ``linears`` and ``spikes``, two equally named dicts of layers, such as ``SpikingMLP``.

    Raises
    ------
    InputError : the network holds something else, which is named.

    Examples
    --------
    >>> from neurosim.networks.architectures import build_network
    >>> from neurosim.networks.specifications import SpikingMLPSpecification
    >>> sorted(to_nir(build_network(SpikingMLPSpecification((5,)), (4, 4), 2)).nodes)
    ['hidden1', 'input', 'output', 'output_readout', 'weights_hidden1', 'weights_output']
    """
    linears, spikes = getattr(network, "linears", None), getattr(network, "spikes", None)
    if not isinstance(linears, nn.ModuleDict) or not isinstance(spikes, nn.ModuleDict):
        raise InputError(
            f"to_nir: {type(network).__name__} is not a stack of Linear and LIF layers, such as SpikingMLP."
        )
    first = next(iter(linears.values()))
    assert isinstance(first, nn.Linear)
    nodes: dict[str, nir.NIRNode] = {"input": nir.Input({"input": np.array([first.in_features])})}
    chain = ["input"]
    for name, linear in linears.items():
        lif = spikes[name]
        if not isinstance(linear, nn.Linear) or not isinstance(lif, LIF):
            raise InputError(
                f"to_nir: layer {name!r} is {type(linear).__name__} and {type(lif).__name__}, not Linear and LIF."
            )
        weight = linear.weight.detach().cpu().numpy().astype(float)
        bias = np.zeros(len(weight)) if linear.bias is None else linear.bias.detach().cpu().numpy().astype(float)
        nodes[f"weights_{name}"] = nir.Affine(weight=weight, bias=bias)
        nodes[name] = _neuron_node(lif, len(weight))
        chain += [f"weights_{name}", name]
    nodes["output_readout"] = nir.Output({"output": np.array([len(weight)])})
    return nir.NIRGraph(nodes, list(pairwise([*chain, "output_readout"])))


def _neuron_node(lif: LIF, n: int) -> nir.LIF:
    record = lif.parameters_lif
    return nir.LIF(
        tau=np.full(n, record.tau_mem),
        r=np.full(n, 1 / (1 - record.beta)),
        v_leak=np.zeros(n),
        v_threshold=np.full(n, record.threshold),
        v_reset=np.zeros(n),
        metadata={"neurosim": as_dict(record)},
    )
