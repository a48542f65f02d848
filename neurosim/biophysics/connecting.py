"""Connections by a rule: which neurons a projection joins, and with what weights, all from streams of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse

from neurosim.biophysics.circuit import INPUT, Input, Population, Projection
from neurosim.biophysics.distributions import DISTRIBUTIONS, distribution_of
from neurosim.biophysics.plain_numbers import real
from neurosim.biophysics.wiring import CONNECTION_RULES, ConnectionRule, Drawn, Ends
from neurosim.biophysics.wiring.from_table import FromTable
from neurosim.parameters import Parameters
from neurosim.refusals import InputError
from neurosim.runtime import as_seed, stream


def connect(
    rule: Parameters,
    source: Population | Input,
    target: Population,
    *,
    weight: Any,
    delay: float = 0.0,
    self_connections: bool = True,
    rng: np.random.Generator | int = 0,
    progress: bool = True,
) -> Projection:
    """Return the projection that a connection rule draws between two populations, or from the input.

    Which pairs are joined, and their weights, come each from a stream that belongs to the seed and the names of both
    sides: the same synapses on every engine, whatever else is drawn, before or after, and other weights leave the pairs
    as they are. Two projections between the same populations want two seeds. A synapse takes 12 bytes (float64 weight,
    int32 target), and up to 18 while it is drawn: there is never a matrix of all pairs.

    Parameters
    ----------
    rule : record of a rule of ``CONNECTION_RULES``, such as ``FixedProbability(0.1)``.
    source, target : what is joined; rules of distance read their ``positions``.
    weight : of each synapse, in the units of the synapses of `target`: a number, the record of a distribution, such as
        ``Normal(1e-10, 2e-11)``, or, for ``FromTable``, one a row.
    delay : s.
    self_connections : whether a neuron may reach itself, where both sides are one population.
    rng : seed, or a generator that draws one.
    progress : show how far a long draw is.

    Returns
    -------
    the projection, with sparse weights.

    Raises
    ------
    InputError : what is no rule, weight or population, more synapses than there are pairs, no synapse drawn, a weight
        of 0.

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
    seed = as_seed(rng, "connect")
    own = [ends.who.partition(" ")[2]]
    pairs = _pairs(record, rule, ends, stream(seed, "wiring", *own), progress)
    if isinstance(rule, FromTable) and np.ndim(weight):
        weights = _listed(rule, pairs, _column(weight, len(rule.sources), f"{ends.who}: weight"))
    else:
        weights = _drawn(pairs, weight, f"{ends.who}: weight", stream(seed, "weights", *own))
    zeros = int((weights.data == 0).sum())
    if zeros:
        raise InputError(f"{ends.who}: {zeros} weights are 0, which is no synapse; give other weights.")
    return Projection(_name(source), target.name, weights, delay)


def _ends(source: Population | Input, target: Population, self_connections: bool) -> Ends:
    if not isinstance(source, Population | Input) or not isinstance(target, Population):
        found = f"{type(source).__name__} and {type(target).__name__}"
        raise InputError(
            f"connect: a Population or the Input as source and a Population as target asked, found {found}."
        )
    who, is_same = f"connect: {_name(source)}->{target.name}", _name(source) == target.name
    if is_same and source.size != target.size:
        raise InputError(f"{who}: one name for two sizes, {source.size} and {target.size}; give one of them another.")
    places = source.positions if isinstance(source, Population) else None
    return Ends(who, source.size, target.size, places, target.positions, is_same and not self_connections)


def _name(side: Population | Input) -> str:
    return side.name if isinstance(side, Population) else INPUT


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


def _drawn(pairs: Drawn, weight: object, what: str, rng: np.random.Generator) -> Drawn:
    """Return the pairs with a weight for each synapse; those of one pair add up."""
    found = distribution_of(weight)
    if found is None:
        number = real(weight, f"{what}: a number or the record of a distribution ({', '.join(DISTRIBUTIONS)})")
        if number.ndim or not np.isfinite(number):
            raise InputError(f"{what}: one finite number, or the record of a distribution, asked, found {weight!r}.")
        return scipy.sparse.csr_array((pairs.data * float(number), pairs.indices, pairs.indptr), shape=pairs.shape)
    values = found.draw(weight, int(pairs.data.sum(dtype=np.int64)), rng)
    if len(values) > pairs.nnz:
        values = np.add.reduceat(values, np.concatenate([[0], np.cumsum(pairs.data)[:-1]]))
    return scipy.sparse.csr_array((values, pairs.indices, pairs.indptr), shape=pairs.shape)


def _column(values: object, n: int, what: str) -> np.ndarray:
    column = real(values, what)
    if column.shape != (n,) or not np.isfinite(column).all():
        raise InputError(
            f"{what}: one finite number for each of the {n} rows of the table asked, found {column.shape}."
        )
    return column


def _listed(rule: FromTable, pairs: Drawn, values: np.ndarray) -> Drawn:
    """Return the values of the rows of a table at their pairs; those of one pair add up."""
    return scipy.sparse.coo_array((values, (rule.sources, rule.targets)), shape=pairs.shape).tocsr()
