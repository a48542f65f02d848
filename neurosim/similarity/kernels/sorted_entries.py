"""Entries of an RDM in their order, sorted once, and their ranks in any sample of entries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SortedEntries:
    """One RDM in the order of its entries: `order` (P,), the `last` of equal entries (G,), `group` (P,) of an entry."""

    order: np.ndarray
    last: np.ndarray
    group: np.ndarray

    @classmethod
    def of(cls, feature: np.ndarray) -> SortedEntries:
        """Sort the entries (P,) of one RDM."""
        order = np.argsort(feature, kind="stable")
        ordered = feature[order]
        ends = np.append(ordered[1:] != ordered[:-1], True)
        group = np.empty(len(order), dtype=np.int32)
        group[order] = np.cumsum(ends) - ends
        return cls(order, np.flatnonzero(ends), group)

    def doubled_ranks(self, weights: np.ndarray) -> np.ndarray:
        """Twice the centred mid-ranks (P, N) of entries that occur ``weights[p, n]`` times: whole numbers."""
        high = np.cumsum(weights.take(self.order, axis=0), axis=0, dtype=weights.dtype)
        if len(self.last) < len(self.order):
            high = high.take(self.last, axis=0)
        doubled = high - high[-1]
        doubled[1:] += high[:-1]
        found: np.ndarray = doubled.take(self.group, axis=0)
        return found
