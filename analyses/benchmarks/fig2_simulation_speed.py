"""Figure 2 of the benchmarks: simulation of 50 stimuli x 200 neurons x 200 ms against Brian2 written by hand.

Run: python analyses/benchmarks/fig2_simulation_speed.py [folder]
"""

import sys
import tempfile
from pathlib import Path

import xarray as xr
from fig1_similarity_speed import draw, table
from pairs import run
from simulation_pairs import BENCHMARKS, FIRST_RESULT, TRANSLATION, build_and_rerun, cpu_seconds

from neurosim import storage
from neurosim.plots.canvas import figure_bytes, house_style


def compute() -> xr.Dataset:
    """Run all pairs, and what has no peer: CPU seconds of a first result and of a translation with its check."""
    found = run(BENCHMARKS)
    found.attrs["first_result_cpu_seconds"] = cpu_seconds(FIRST_RESULT)
    found.attrs["translate_and_verify_cpu_seconds"] = cpu_seconds(TRANSLATION)
    found.attrs |= build_and_rerun()
    return found


def main(folder: Path) -> None:
    """Measure, keep the numbers, and draw from them."""
    with tempfile.TemporaryDirectory() as private:
        path = Path(private) / "results.nc"
        storage.write_dataset(path, compute())
        results = storage.read_dataset(path)
    content = {"results": table(results), **{k: str(v) for k, v in results.attrs.items()}}
    storage.write_json(folder / "fig2_simulation_speed.json", content)
    with house_style():
        storage.write_bytes(folder / "fig2_simulation_speed.png", figure_bytes(draw(results))["png"])


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
