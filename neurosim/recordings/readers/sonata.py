"""Spikes in the SONATA format, of simulations of large models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from neurosim.recordings.reader import Reader
from neurosim.sonata_spikes import read_sonata_spikes

if TYPE_CHECKING:
    import pandas as pd


def spikes(path: Path) -> pd.DataFrame:
    """Return a table of spikes; a unit is "population/node"."""
    import pandas as pd

    parts = [
        pd.DataFrame({"unit": [f"{name}/{k}" if name else str(k) for k in nodes], "time": times})
        for name, (nodes, times) in read_sonata_spikes(path, "load_spikes").items()
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({"unit": [], "time": []})


SONATA = Reader(
    name="sonata",
    caption="spikes of SONATA simulations, by population and node",
    endings=(".h5",),
    spikes=spikes,
    citation="https://doi.org/10.1371/journal.pcbi.1007696",
)
