"""Release and plasticity of one projection as every engine reads them: constants, initial values, bounded steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.formulas import Functions, Quantities, State, Step
from neurosim.biophysics.models import Constants
from neurosim.biophysics.projections import Projection
from neurosim.biophysics.rules import (
    PlasticityModel,
    ReleaseModel,
    bounded,
    nothing,
    plasticity_of,
    release_of,
    where_fired,
)
from neurosim.parameters import as_dict


@dataclass(frozen=True)
class Ruled:
    """A projection with release, plasticity or both.

    Variables of the source are those of a release (if it is of neurons) and the traces of a plasticity; each step below
    takes and gives them by their names. `learns` says whether weights change.
    """

    circuit: Circuit
    projection: Projection
    learns: bool

    @property
    def release(self) -> ReleaseModel | None:
        """How much of its weight a spike brings; None is all of it."""
        return release_of(self.projection.release)

    @property
    def plasticity(self) -> PlasticityModel | None:
        """How weights change; None where they stay."""
        return plasticity_of(self.projection.plasticity) if self.learns else None

    @cached_property
    def constants(self) -> Constants:
        """The numbers that the formulas name, and their words."""
        found: Constants = {}
        for model, given in ((self.release, self.projection.release), (self.plasticity, self.projection.plasticity)):
            if model is not None and given is not None:
                found |= model.constants(as_dict(given), self.circuit.dt)
        return found

    @property
    def source_state(self) -> dict[str, Any]:
        """Initial values of the variables of a source neuron."""
        of_neurons = {} if self.release is None or self.release.is_of_synapses else self.release.state
        return self._values(of_neurons) | self._values(self.plasticity.pre if self.plasticity else {})

    @property
    def target_state(self) -> dict[str, Any]:
        """Initial values of the variables of a target neuron."""
        return self._values(self.plasticity.post if self.plasticity else {})

    @property
    def synapse_state(self) -> dict[str, Any]:
        """Initial values of the variables of a synapse, beside its weight; "seed" is drawn."""
        own = self.release.state if self.release is not None and self.release.is_of_synapses else {}
        return self._values(own) | self._values(self.plasticity.synapse if self.plasticity else {})

    @property
    def variables(self) -> dict[str, str]:
        """The unit of every variable of a synapse, its source and its target that changes over time; no draws."""
        of_synapses = [k for k, value in self.synapse_state.items() if value != "seed"]
        found = dict.fromkeys((*self.source_state, *self.target_state, *of_synapses), "1")
        if self.plasticity is None:
            return found
        target = self.circuit.population(self.projection.target)
        of_weight = "1" if target.is_discrete else target.receptor_models[self.projection.receptor].units
        units = {k: of_weight if unit == "weight" else unit for k, unit in self.plasticity.units.items()}
        return found | units | {"weight": of_weight}

    def _values(self, state: Mapping[str, float | str]) -> dict[str, Any]:
        return {k: self.constants.get(v, v) if isinstance(v, str) else v for k, v in state.items()}

    def source_step(self, x: State, m: Functions) -> Quantities:
        """Return the variables of a source neuron after a step without a spike."""
        new = {} if self.release is None or self.release.is_of_synapses else self.release.step(x, m)
        return {**new, **(self.plasticity.pre_step(x, m) if self.plasticity else {})}

    def target_step(self, x: State, m: Functions) -> Quantities:
        """Return the variables of a target neuron after a step without a spike."""
        return self.plasticity.post_step(x, m) if self.plasticity else {}

    def released(self, x: State, m: Functions) -> Quantities:
        """Return the state of the release after a spike, and the share of the weight that it brings as ``amount``."""
        assert self.release is not None
        state, amount = self.release.on_spike(x, m)
        return {**state, "amount": amount}

    @property
    def release_where_fired(self) -> Step:
        """The step of :meth:`released` for source neurons of which ``x.fired`` says who sent a spike."""
        assert self.release is not None
        return where_fired(self.released, (*self.release.state, "amount"))

    def source_spike(self, x: State, m: Functions) -> Quantities:
        """Return the traces of a source neuron after its spike."""
        return self.plasticity.pre_spike(x, m) if self.plasticity else {}

    @property
    def target_spike(self) -> Step:
        """The traces of target neurons after a step, of which ``x.fired`` says who sent a spike."""
        rule = self.plasticity.post_spike if self.plasticity else nothing
        return where_fired(rule, tuple(self.target_state))

    def changed(self, when: str) -> Step | None:
        """Return how weights and variables of synapses change "on_pre", "on_post" or "each_step", or None."""
        rule = getattr(self.plasticity, when, None)
        if rule is None or rule is nothing:
            return None
        given = self.projection.plasticity
        return bounded(rule, float(given.w_min), float(given.w_max))  # type: ignore[union-attr]


def ruled_into(circuit: Circuit, name: str, learns: bool) -> dict[int, Ruled]:
    """Return the projections onto a population whose weights change, by their index."""
    return {
        i: Ruled(circuit, q, learns)
        for i, q in enumerate(circuit.projections)
        if learns and q.target == name and q.plasticity is not None
    }
