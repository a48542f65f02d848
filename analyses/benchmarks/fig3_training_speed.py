"""Figure 3 of the benchmarks: spiking layers and networks against snnTorch, as two plain scripts; batch of 32.

Each side has a process of its own, of one thread, and times are those of the processor. What is kept for the gradient
is counted in bytes a neuron and step.

Run: python analyses/benchmarks/fig3_training_speed.py [folder] [--redraw]
"""

import sys
from pathlib import Path

import xarray as xr
from apart import run_apart
from ratios import report, table
from training_pairs import kept_bytes

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import called


def rows_of(results: xr.Dataset) -> list[dict[str, object]]:
    """Return the numbers of the figure, one row a benchmark, with page faults a call."""
    rows = [{k: v for k, v in row.items() if "peak" not in k} for row in table(results)]
    for i, row in enumerate(rows):
        row |= {f"{side}_page_faults": round(float(results[f"{side}_faults"][i])) for side in ("ours", "peer")}
    return rows


def measure() -> dict[str, object]:
    """Run all pairs, and count what is kept for the gradient."""
    found = run_apart("training_pairs")
    about = {k: str(v) for k, v in found.attrs.items()}
    return {"results": rows_of(found), "kept_bytes_per_neuron_step": kept_bytes(), **about}


if __name__ == "__main__":
    with called(__doc__) as given:
        report("fig3_training_speed", measure, given)
