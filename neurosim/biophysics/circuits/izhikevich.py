"""The network of Izhikevich 2003: a thousand heterogeneous neurons with random weights and noisy thalamic input.

https://doi.org/10.1109/TNN.2003.820440, in SI units. A step is the paper's: all input of a millisecond, spikes
that came and noise, moves the membrane in two halves, then the recovery follows. At shorter steps charge and variance
stay, and the neurons follow their equations, by which they fire a fifth more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.inputs import INPUT, Input
from neurosim.biophysics.named_circuits import NamedCircuit
from neurosim.biophysics.neurons import izhikevich
from neurosim.biophysics.neurons.izhikevich import IzhikevichParameters
from neurosim.biophysics.plain_numbers import convert, number, whole
from neurosim.biophysics.populations import Population
from neurosim.biophysics.projections import Projection
from neurosim.refusals import InputError

EXCITATORY, INHIBITORY = "excitatory", "inhibitory"
MILLISECOND = 1e-3


@dataclass(frozen=True)
class IzhikevichOptions:
    """Options of the network of Izhikevich 2003.

    Parameters
    ----------
    n_excitatory, n_inhibitory : numbers of neurons; weights are those of the paper for 800 and 200, and grow as these
        become fewer.
    noise_excitatory, noise_inhibitory : standard deviation of the thalamic input in a millisecond, V: 5 and 2 mV.
    duration : how long a stimulus is shown, s.
    dt : step of the simulation, s; the paper's is 1 ms.

    Raises
    ------
    InputError : fewer than one neuron, noise below 0, a duration or step that is not above 0, or what is no number.

    Examples
    --------
    >>> ns.biophysics.IzhikevichOptions().n_excitatory
    800
    """

    own_units: ClassVar[dict[str, str]] = dict.fromkeys(("noise_excitatory", "noise_inhibitory"), "V")
    n_excitatory: int = 800
    n_inhibitory: int = 200
    noise_excitatory: float = 5e-3
    noise_inhibitory: float = 2e-3
    duration: float = 1.0
    dt: float = 1e-3

    def __post_init__(self) -> None:
        convert(self, "IzhikevichOptions", n_excitatory=whole, n_inhibitory=whole)
        numbers = ("noise_excitatory", "noise_inhibitory", "duration", "dt")
        convert(self, "IzhikevichOptions", **dict.fromkeys(numbers, number))
        for name, lowest in (
            ("n_excitatory", 1),
            ("n_inhibitory", 1),
            ("noise_excitatory", 0),
            ("noise_inhibitory", 0),
        ):
            if not lowest <= getattr(self, name) <= 10**5:
                raise InputError(f"IzhikevichOptions: {name} from {lowest} asked, found {getattr(self, name)!r}.")
        for name in ("duration", "dt"):
            if not getattr(self, name) > 0:
                raise InputError(f"IzhikevichOptions: {name} above 0 asked, found {getattr(self, name)!r}.")


def build(options: IzhikevichOptions, n_inputs: int, rng: np.random.Generator) -> Circuit:
    """Return regular spiking to chattering and fast to low-threshold spiking neurons; input is a current into all."""
    sizes = {EXCITATORY: options.n_excitatory, INHIBITORY: options.n_inhibitory}
    drawn = {name: rng.random(size) for name, size in sizes.items()}
    excitatory, inhibitory = drawn[EXCITATORY], drawn[INHIBITORY]
    varying = {
        EXCITATORY: {"c": (-65 + 15 * excitatory**2) * 1e-3, "d": 8 - 6 * excitatory**2},
        INHIBITORY: {"a": (0.02 + 0.08 * inhibitory) * 1e3, "b": (0.25 - 0.05 * inhibitory) * 1e3},
    }
    neurons = {
        EXCITATORY: IzhikevichParameters(scheme="published"),
        INHIBITORY: IzhikevichParameters(d=2.0, scheme="published"),
    }
    noise = {EXCITATORY: options.noise_excitatory, INHIBITORY: options.noise_inhibitory}
    populations = tuple(
        _noisy(_population(name, neurons[name], varying[name], sizes[name]), noise[name], options.dt) for name in sizes
    )
    largest = {EXCITATORY: 0.5e-3 * 800 / sizes[EXCITATORY], INHIBITORY: -1e-3 * 200 / sizes[INHIBITORY]}
    projections = tuple(
        Projection(source, target, largest[source] * rng.random((sizes[source], sizes[target])), MILLISECOND)
        for source in sizes
        for target in sizes
    )
    shown = tuple(Projection(INPUT, name, rng.random((n_inputs, size)) / n_inputs) for name, size in sizes.items())
    inputs = Input(n_inputs, "current", options.duration)
    return Circuit("Izhikevich 2003", inputs, populations, shown + projections, dt=options.dt, step=MILLISECOND)


def _population(name: str, neuron: IzhikevichParameters, varying: dict[str, np.ndarray], size: int) -> Population:
    """Return neurons that start as in the paper, at -65 mV and with the recovery that belongs to it."""
    recovery = varying.get("b", neuron.b) * -65e-3
    return Population(name, size, neuron, varying=varying, initial={"v": -65e-3, "u": recovery})


def _noisy(population: Population, jump: float, dt: float) -> Population:
    """Return the neurons with jumps of the membrane in every step, whose variance is that of `jump` a millisecond."""
    if not jump:
        return population
    scale = np.full(population.size, jump * np.sqrt(dt / MILLISECOND))
    return replace(population, noise=jump, varying={**population.varying, "noise_scale": scale})


CIRCUIT = NamedCircuit(
    "izhikevich",
    IzhikevichOptions,
    build,
    caption="a thousand different neurons with random weights and noise",
    uses=(izhikevich.MODEL,),
    reference="Izhikevich EM (2003) IEEE Trans Neural Netw 14:1569-1572, https://doi.org/10.1109/TNN.2003.820440",
    layers=lambda _options: (EXCITATORY, INHIBITORY),
)
