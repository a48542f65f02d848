"""Projections in Brian2: the synapses of all copies, apart by the variable in which their weights arrive."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.dynamics import arrival_of, sent_by
from neurosim.biophysics.models import named
from neurosim.biophysics.projections import Projection

if TYPE_CHECKING:
    import brian2

ALWAYS = "always"


def is_one(values: np.ndarray) -> bool:
    """Whether all values are one, which then is a number in the code: it takes no memory, and no time to look up."""
    return bool((values == values[0]).all())


def spiking_synapses(
    b2: ModuleType,
    circuit: Circuit,
    projection: Projection,
    index: int,
    groups: Mapping[str, brian2.Group],
    n_copies: int,
    clock: brian2.Clock,
) -> list[brian2.BrianObject]:
    """Build all copies of a projection, apart by sign where the target keeps the signs apart."""
    target = circuit.population(projection.target)
    place = [p.name for p in circuit.populations].index(projection.target)
    source, post, weight = projection.synapses()
    lag = 0 if circuit.comes_before(projection.source, projection.target) else 1
    delays = projection.delays() if np.ndim(projection.delay) else np.array([projection.delay])
    steps = np.maximum(0, np.rint(delays / circuit.dt) - lag)
    arrivals = [arrival_of(target, sign, projection.receptor) for sign in (1, -1)]
    made = []
    for arrival in dict.fromkeys(arrivals):
        is_all = arrivals[0] == arrivals[1]
        chosen = slice(None) if is_all else (weight > 0) == (arrival == arrivals[0])
        brought = weight[chosen]
        if not len(brought):
            continue
        late = steps[chosen] if np.ndim(projection.delay) else steps
        is_same, is_late = is_one(brought), is_one(late)
        synapses = b2.Synapses(
            groups[projection.source],
            groups[projection.target],
            "" if is_same else "weight : 1 (constant)",
            on_pre=f"{arrival}_post += weight",
            clock=clock,
            namespace={"weight": float(brought[0])} if is_same else {},
            name=f"S{index}_{arrival}",
            **({"delay": late[0] * circuit.dt * b2.second} if is_late else {}),
        )
        synapses.connect(
            i=_in_copies(source[chosen], circuit.sizes[projection.source], n_copies),
            j=_in_copies(post[chosen], target.size, n_copies),
        )
        if not is_same:
            synapses.weight = np.tile(brought, n_copies)
        if not is_late:
            synapses.delay = np.tile(late * circuit.dt, n_copies) * b2.second
        synapses.pre.when = f"syn_{place}"
        made.append(synapses)
    return made


def _in_copies(neurons: np.ndarray, size: int, n_copies: int) -> np.ndarray:
    """Return the places of neurons of a population of some size among all of its copies."""
    return neurons if n_copies == 1 else (np.arange(n_copies)[:, None] * size + neurons).ravel()


def graded_synapses(
    b2: ModuleType,
    circuit: Circuit,
    projection: Projection,
    index: int,
    groups: Mapping[str, brian2.Group],
    n_copies: int,
    clock: brian2.Clock,
) -> brian2.Synapses:
    """Build all copies of a projection that passes a variable of its source on at every step."""
    target, receptor = circuit.population(projection.target), projection.receptor
    place = [p.name for p in circuit.populations].index(projection.target)
    arrived, coupled = (named(receptor, k) for k in target.receptor_models[receptor].arrivals)
    source, post, weight = projection.synapses()
    synapses = b2.Synapses(
        groups[projection.source],
        groups[projection.target],
        "weight : 1 (constant)",
        on_pre=f"{arrived}_post += weight * {sent_by(circuit, projection)}_pre\n{coupled}_post += weight",
        on_event={"pre": ALWAYS},
        clock=clock,
        namespace={},
        name=f"S{index}_graded",
    )
    synapses.connect(
        i=_in_copies(source, circuit.sizes[projection.source], n_copies), j=_in_copies(post, target.size, n_copies)
    )
    synapses.weight = np.tile(weight, n_copies)
    synapses.pre.when = f"syn_{place}"
    return synapses
