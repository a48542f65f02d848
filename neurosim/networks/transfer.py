"""Transfer learning: a trained network with a new readout; what is frozen, ``TrainingOptions.layer_rates`` says."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from neurosim.runtime import as_seed, forked_random
from neurosim.schema import InputError


def replace_head(network: nn.Module, n_categories: int, *, rng: np.random.Generator | int = 0) -> str:
    """Replace the last linear layer of `network`, in place, by an untrained one; return its name.

    Train only the new layer with ``TrainingOptions(layer_rates=((f"{name}.*", 1.0), ("*", 0.0)))``, or the others more
    slowly with a factor between.

    Parameters
    ----------
    network : any module whose last ``nn.Linear``, in the order of definition, gives its logits.
    n_categories : outputs of the new layer. rng : seed of its weights, or a generator.

    Returns
    -------
    name of the new layer.

    Raises
    ------
    InputError : no linear layer, or fewer than two categories.

    Examples
    --------
    >>> from torch import nn
    >>> net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1000))
    >>> ns.networks.replace_head(net, 3), net[2].out_features
    ('2', 3)
    """
    heads = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    if not heads or n_categories < 2:
        raise InputError(
            f"replace_head: a network with a linear layer and at least 2 categories are asked, found {len(heads)} such "
            f"layers and {n_categories}."
        )
    parent_name, _, own = heads[-1].rpartition(".")
    parent = network.get_submodule(parent_name)
    old = network.get_submodule(heads[-1])
    assert isinstance(old, nn.Linear)
    with forked_random():
        torch.manual_seed(as_seed(rng, "replace_head"))
        new = nn.Linear(old.in_features, n_categories, old.bias is not None).to(old.weight)
    setattr(parent, own, new.train(old.training))
    answer: str = heads[-1]
    return answer
