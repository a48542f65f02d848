"""Figure 3 of the benchmarks: spiking layers and networks, forward and backward, against snnTorch; batch of 32.

Peaks of memory are left out: what torch holds is not seen by the counter of the other benchmarks.

Run: python analyses/benchmarks/fig3_training_speed.py [folder]
"""

import sys
import tempfile
from pathlib import Path

import xarray as xr
from fig1_similarity_speed import draw, table
from pairs import run
from training_pairs import BENCHMARKS, saved_bytes_per_neuron_step

from neurosim import storage
from neurosim.plots.canvas import figure_bytes, house_style


def compute() -> xr.Dataset:
    """Run all pairs, and what has no peer: bytes saved."""
    found = run(BENCHMARKS)
    found.attrs["saved_bytes_per_neuron_step"] = saved_bytes_per_neuron_step()
    return found


def main(folder: Path) -> None:
    """Measure, keep the numbers, and draw from them."""
    with tempfile.TemporaryDirectory() as private:
        path = Path(private) / "results.nc"
        storage.write_dataset(path, compute())
        results = storage.read_dataset(path)
    rows = [{k: v for k, v in row.items() if "peak" not in k} for row in table(results)]
    content = {"results": rows, **{k: str(v) for k, v in results.attrs.items()}}
    storage.write_json(folder / "fig3_training_speed.json", content)
    with house_style():
        storage.write_bytes(folder / "fig3_training_speed.png", figure_bytes(draw(results, memory=False))["png"])


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
