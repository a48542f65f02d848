"""Figure 3 of the benchmarks: spiking layers and networks against snnTorch, as two plain scripts; batch of 32.

Each side has a process of its own, of one thread, and times are those of the processor. What is kept for the gradient
is counted in bytes a neuron and step. A ratio below the one asked for ends the run with an error, after it is written.

Run: python analyses/benchmarks/fig3_training_speed.py [folder]
"""

import sys
import tempfile
from pathlib import Path

import xarray as xr
from apart import run_apart
from fig1_similarity_speed import draw, table
from training_pairs import kept_bytes

from neurosim import storage
from neurosim.plots.canvas import figure_bytes, house_style


def rows_of(results: xr.Dataset) -> list[dict[str, object]]:
    """Return the numbers of the figure, one row a benchmark, with page faults a call."""
    rows = [{k: v for k, v in row.items() if "peak" not in k} for row in table(results)]
    for i, row in enumerate(rows):
        row |= {f"{side}_page_faults": round(float(results[f"{side}_faults"][i])) for side in ("ours", "peer")}
    return rows


def main(folder: Path) -> None:
    """Measure, keep the numbers, draw from them, and require the ratios that were asked for."""
    with tempfile.TemporaryDirectory() as private:
        path = Path(private) / "results.nc"
        storage.write_dataset(path, run_apart("training_pairs"))
        results = storage.read_dataset(path)
    rows = rows_of(results)
    about = {k: str(v) for k, v in results.attrs.items()}
    content = {"results": rows, "kept_bytes_per_neuron_step": kept_bytes(), **about}
    storage.write_json(folder / "fig3_training_speed.json", content)
    with house_style():
        storage.write_bytes(folder / "fig3_training_speed.png", figure_bytes(draw(results, memory=False))["png"])
    short = [
        f"{r['benchmark']}: {r['ratio']} x, asked {r['ratio_asked']} x" for r in rows if r["ratio"] < r["ratio_asked"]
    ]
    if short:
        raise SystemExit("\n".join(short))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
