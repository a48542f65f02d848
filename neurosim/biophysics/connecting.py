"""Connections by a rule: which neurons a projection joins, and with what weights, all from streams of its own."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import scipy.sparse

from neurosim.biophysics.distributions import DISTRIBUTIONS, distribution_of
from neurosim.biophysics.inputs import Input
from neurosim.biophysics.plain_numbers import is_whole, one_of, real
from neurosim.biophysics.populations import Population
from neurosim.biophysics.projections import Projection
from neurosim.biophysics.wiring import CONNECTION_RULES, ConnectionRule, Drawn, Ends
from neurosim.biophysics.wiring.from_table import FromTable
from neurosim.parameters import Parameters
from neurosim.refusals import InputError
from neurosim.runtime import as_seed, stream
from neurosim.units import check_given, plain


def connect(
    rule: Parameters,
    source: Population | Input,
    target: Population,
    *,
    weight: Any,
    delay: Any = 0.0,
    receptor: str = "",
    dt: float | None = None,
    self_connections: bool = True,
    rng: np.random.Generator | int = 0,
    progress: bool = True,
) -> Projection:
    """Return the projection that a connection rule draws between two populations, or from the input.

    Which pairs are joined, and their weights, come each from a stream that belongs to the seed and the names of both
    sides: the same synapses on every engine, whatever else is drawn, before or after, and other weights leave the pairs
    as they are. Two projections between the same populations want two seeds. A synapse takes 12 bytes (float64 weight,
    int32 target), 14 to 22 while it is drawn: there is never a matrix of all pairs.

    Parameters
    ----------
    rule : record of a rule of ``CONNECTION_RULES``, such as ``FixedProbability(0.1)``.
    source, target : what is joined; rules of distance read their ``positions``.
    weight : of each synapse, in the units of the synapses of `target`: a number, the record of a distribution, such as
        ``Normal(1e-10, 2e-11)``, or, for ``FromTable``, one a row.
    delay : s; likewise one number, a distribution, or one a row. Two synapses of one pair have the same delay.
    receptor : name of the receptor of `target` at which spikes arrive, where it has several.
    dt : step of the circuit, s: drawn delays are rounded to whole steps, one at least; given ones must be whole steps.
    self_connections : whether a neuron may reach itself, where both sides are one population.
    rng : seed, or a generator that draws one.
    progress : show how far a long draw is.

    Returns
    -------
    the projection, with sparse weights.

    Raises
    ------
    InputError : what is no rule, weight, delay or population, more synapses than there are pairs, no synapse drawn, a
        weight of 0, delays for each of two synapses of a pair, drawn delays without `dt`, given ones of no
        whole steps of `dt`, a quantity of another dimension.

    Examples
    --------
    >>> cells = ns.biophysics.Population("cells", 1000, ns.biophysics.LIFParameters())
    >>> rule, weight = ns.biophysics.FixedIndegree(80), ns.biophysics.Lognormal(2e-4, 1e-4)
    >>> wire = ns.biophysics.connect(rule, cells, cells, weight=weight, delay=1.5e-3, rng=1)
    >>> wire.weights.shape, wire.weights.nnz
    ((1000, 1000), 80000)
    """
    record = next((r for r in CONNECTION_RULES.values() if r.parameters is type(rule)), None)
    if record is None:
        known = ", ".join(r.parameters.__name__ for r in CONNECTION_RULES.values())
        raise InputError(f"connect: the record of a connection rule asked ({known}), found {type(rule).__name__}.")
    ends = _ends(source, target, self_connections)
    if receptor not in target.receptors:
        names = ", ".join(map(repr, target.receptors)) if "" not in target.receptors else "one without a name"
        raise InputError(f"{ends.who}: names the receptor {receptor!r}; {target.name!r} has {names}.")
    if record.uses_positions:
        _check_placed(rule, ends)
    weight = _without_unit(weight, target.weight_unit(receptor), f"{ends.who}: weight")
    delay = _without_unit(delay, "s", f"{ends.who}: delay")
    dt = None if dt is None else _step(dt, delay, ends.who)
    seed = as_seed(rng, "connect")
    own = [ends.who.partition(" ")[2]]
    pairs = _pairs(record, rule, ends, stream(seed, "wiring", *own), progress)
    weights = _values(rule, pairs, weight, f"{ends.who}: weight", stream(seed, "weights", *own))
    zeros = int((weights.data == 0).sum())
    if zeros:
        raise InputError(f"{ends.who}: {zeros} weights are 0, which is no synapse; give other weights.")
    if np.ndim(delay) or distribution_of(delay) is not None:
        delay = _delays(rule, pairs, delay, dt, ends.who, stream(seed, "delays", *own))
    return Projection(_name(source), target.name, weights, delay, receptor)


def _without_unit(given: Any, unit: str, what: str) -> Any:
    """Return weights or delays as plain numbers; a distribution that was given in another unit is refused."""
    if distribution_of(given) is None:
        return plain(given, unit, what)
    for field in fields(given):
        check_given(given, field.name, unit, what)
        if distribution_of(getattr(given, field.name)) is not None:
            _without_unit(getattr(given, field.name), unit, what)
    return given


def _step(dt: Any, delay: Any, who: str) -> float:
    """Return the step of the circuit, to which drawn delays are rounded and which given ones fit."""
    step: float = one_of(who, "dt", dt)
    if not 0 < step < np.inf:
        raise InputError(f"{who}: a dt above 0 s asked, found {step:g}.")
    if distribution_of(delay) is not None:
        return step
    delays = np.unique(real(delay, f"{who}: delay"))
    if not delays.any():
        raise InputError(f"{who}: dt is read where there are delays; leave it out.")
    wrong = [d for d in delays if not is_whole(d / step)]
    if wrong:
        raise InputError(
            f"{who}: a delay of {wrong[0]:g} s is {wrong[0] / step:g} steps of dt = {step:g} s; a whole number of "
            "steps is asked."
        )
    return step


def _ends(source: Population | Input, target: Population, self_connections: bool) -> Ends:
    if not isinstance(source, Population | Input) or not isinstance(target, Population):
        found = f"{type(source).__name__} and {type(target).__name__}"
        raise InputError(
            f"connect: a Population or the Input as source and a Population as target asked, found {found}."
        )
    who, is_same = f"connect: {_name(source)}->{target.name}", _name(source) == target.name
    if is_same and source.size != target.size:
        raise InputError(f"{who}: one name for two sizes, {source.size} and {target.size}; give one of them another.")
    if not is_same and not self_connections:
        raise InputError(f"{who}: self_connections is read where a population projects to itself; leave it out.")
    places = source.positions if isinstance(source, Population) else None
    return Ends(who, source.size, target.size, places, target.positions, is_same and not self_connections)


def _check_placed(rule: Parameters, ends: Ends) -> None:
    for side, positions in (("source", ends.source_positions), ("target", ends.target_positions)):
        if positions is None:
            raise InputError(
                f"{ends.who}: {type(rule).__name__} asks where the neurons are, found no positions of the {side}; give "
                "its Population positions."
            )


def _name(side: Population | Input) -> str:
    return side.name


def _pairs(record: ConnectionRule, rule: Parameters, ends: Ends, rng: np.random.Generator, progress: bool) -> Drawn:
    """Return how many synapses each pair has, row by row."""
    pairs = scipy.sparse.csr_array(record.draw(rule, ends, rng, progress))
    pairs.sort_indices()
    if not pairs.nnz:
        raise InputError(
            f"{ends.who}: {rule} draws no synapse between {ends.n_source} and {ends.n_target} neurons; ask for "
            "more, or leave the projection out."
        )
    return pairs


def _values(rule: Parameters, pairs: Drawn, given: object, what: str, rng: np.random.Generator) -> Drawn:
    """Return the pairs with a number for each synapse, drawn, listed or the same for all; those of one pair add up."""
    if isinstance(rule, FromTable) and np.ndim(given):  # type: ignore[arg-type]
        column = real(given, what)
        if column.shape != rule.sources.shape or not np.isfinite(column).all():
            raise InputError(
                f"{what}: one finite number for each of the {len(rule.sources)} rows of the table asked, found "
                f"{column.shape}."
            )
        return scipy.sparse.coo_array((column, (rule.sources, rule.targets)), shape=pairs.shape).tocsr()
    found = distribution_of(given)
    if found is None:
        number = real(given, f"{what}: a number or the record of a distribution ({', '.join(DISTRIBUTIONS)})")
        if number.ndim or not np.isfinite(number):
            raise InputError(
                f"{what}: one finite number, or the record of a distribution, asked, found {number.shape}."
            )
        return scipy.sparse.csr_array((pairs.data * float(number), pairs.indices, pairs.indptr), shape=pairs.shape)
    values = found.draw(given, int(pairs.data.sum(dtype=np.int64)), rng)
    if len(values) > pairs.nnz:
        values = np.add.reduceat(values, np.concatenate([[0], np.cumsum(pairs.data)[:-1]]))
    return scipy.sparse.csr_array((values, pairs.indices, pairs.indptr), shape=pairs.shape)


def _delays(
    rule: Parameters, pairs: Drawn, given: object, step: float | None, who: str, rng: np.random.Generator
) -> Drawn:
    """Return a delay for each synapse, s: as it is listed, or drawn and rounded to steps."""
    if pairs.data.max() > 1:
        raise InputError(
            f"{who}: two synapses of a pair have one delay, found {int(pairs.data.max())} synapses of one pair and a "
            "delay for each; give one number, or multapses=False."
        )
    delays = _values(rule, pairs, given, f"{who}: delay", rng)
    if distribution_of(given) is None:
        return delays
    if step is None:
        raise InputError(f"{who}: drawn delays are rounded to steps; give dt, the step of the circuit.")
    if delays.data.min() < 0:
        raise InputError(
            f"{who}: delays from 0 on asked, found {delays.data.min():g} s; cut the distribution with "
            "Truncated(..., low=0)."
        )
    delays.data = np.maximum(np.rint(delays.data / step), 1) * step
    return delays
