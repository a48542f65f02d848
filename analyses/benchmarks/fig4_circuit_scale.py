"""Figure 4 of the benchmarks: one network of many neurons, on our engines, in Brian2 written by hand, and in NEST.

Processor seconds to build and to simulate, largest memory and bytes a synapse while it runs, each case in processes of
one thread, in turn, each engine beside the same target of the script by hand. Our engines must send as many spikes as
each other; the others as many within three percent: the script has the same synapses, those of NEST are drawn anew.

Run: python analyses/benchmarks/fig4_circuit_scale.py [folder [python that has NEST]]
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from pairs import cpu_name

from neurosim import storage
from neurosim.plots.canvas import figure_bytes, house_style, new_figure
from neurosim.runtime import provenance, track

SIZES = ((10_000, 100, 0.5), (40_000, 250, 1.0), (100_000, 100, 0.5))  # neurons, synapses of each, s
OURS = ("ours torch", "ours brian2", "ours cython", "ours cpp_standalone")
BY_HAND = {"hand numpy": "ours brian2", "hand cython": "ours cython", "hand cpp_standalone": "ours cpp_standalone"}
REPEATS, ALIKE = 2, 0.03
LONG = ("torch", "cpp_standalone", "nest")  # seen once: what they take does not hang on which of them came before
NEST_UP_TO = 10_000  # neurons; above, building takes more than all others together


def measured(python: str, case: str, size: tuple[int, int, float]) -> dict[str, Any]:
    """Run a case in a process of its own, whose compiled programs are kept for nobody."""
    script = str(Path(__file__).with_name("scale_circuits.py"))
    root = str(Path(__file__).resolve().parents[2])
    with tempfile.TemporaryDirectory() as folder:
        kept = {"XDG_CACHE_HOME": folder} if case.endswith("cpp_standalone") else {}
        done = subprocess.run(
            [python, "-W", "ignore", script, case, *map(str, size)],
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": root} | kept,
            capture_output=True,
            text=True,
            check=True,
        )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def compute(size: tuple[int, int, float], nest: str | None) -> list[dict[str, Any]]:
    """Return a row a case: medians and range over all runs, and spikes that are as many as those of the others."""
    cases = [(case, sys.executable) for pair in BY_HAND.items() for case in pair]
    cases += [(case, sys.executable) for case in OURS if case not in BY_HAND.values()]
    cases += [("nest", nest)] if nest and size[0] <= NEST_UP_TO else []
    turns = [(case, python) for k in range(REPEATS) for case, python in cases if k == 0 or not case.endswith(LONG)]
    found = [(case, measured(python, case, size)) for case, python in track(turns, f"{size[0]} neurons")]
    spikes = {case: [row["spikes"] for name, row in found if name == case] for case, _ in cases}
    mean = np.mean([n for case in OURS for n in spikes[case]])
    if any(n != mean for case in OURS for n in spikes[case]):
        raise AssertionError(f"our engines differ: {spikes}")
    if any(abs(np.mean(n) / mean - 1) > ALIKE for n in spikes.values()):
        raise AssertionError(f"the simulators differ: {spikes}")
    rows = []
    for case, _ in cases:
        own = [row for name, row in found if name == case]
        runs = [lasted / size[2] for row in own for lasted in row["runs"]]
        row = {k: float(np.median([row[k] for row in own])) for k in ("build", "spikes", "peak", "synapse")}
        row |= {"run": float(np.median(runs)), "run_least": min(runs), "run_most": max(runs), "n_runs": len(runs)}
        rows.append({"neurons": size[0], "synapses": size[0] * size[1], "seconds": size[2], "case": case} | row)
    return rows


def draw(rows: list[dict[str, Any]]) -> Figure:
    """Draw processor seconds a simulated second, each engine beside the same target written by hand, a panel a size."""
    figure = new_figure()
    sizes = list(dict.fromkeys(row["neurons"] for row in rows))
    for axes, neurons in zip(figure.subplots(1, len(sizes), squeeze=False)[0], sizes, strict=True):
        own = [row for row in rows if row["neurons"] == neurons]
        middle = np.array([row["run"] for row in own])
        reach = np.abs([[row["run_least"] for row in own], [row["run_most"] for row in own]] - middle)
        colors = ["C1" if row["case"].startswith("hand") else "C0" if row["case"] != "nest" else "C2" for row in own]
        axes.barh([row["case"] for row in own], middle, xerr=reach, color=colors)
        axes.invert_yaxis()
        axes.set(title=f"{neurons:,} neurons, {own[0]['synapses']:,} synapses", xlabel="processor s a simulated s")
    return figure


def main(folder: Path, nest: str | None) -> None:
    """Measure size by size, keep the numbers, and draw from them."""
    record, rows = provenance(), []
    for size in SIZES:
        rows += compute(size, nest)
        content = {
            "results": rows,
            "threads": 1,
            "cpu": cpu_name(),
            "machine": record["machine"],
            "libraries": record["libraries"],
        }
        storage.write_json(folder / "fig4_circuit_scale.json", content)
    with house_style():
        storage.write_bytes(folder / "fig4_circuit_scale.png", figure_bytes(draw(rows))["png"])


if __name__ == "__main__":
    words = sys.argv[1:]
    main(Path(words[0]) if words else Path(__file__).parent, words[1] if len(words) > 1 else None)
