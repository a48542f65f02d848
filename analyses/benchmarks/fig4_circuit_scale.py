"""Figure 4 of the benchmarks: one network of many neurons, on our engines, in Brian2 written by hand, and in NEST.

Processor seconds to build and to simulate, largest memory, each case in a process of one thread, in turn. Our engines
must send as many spikes as each other; the others as many within three percent: the script by hand has the same
synapses, those of NEST are drawn anew.

Run: python analyses/benchmarks/fig4_circuit_scale.py [folder [python that has NEST]]
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from pairs import cpu_name

from neurosim import storage
from neurosim.plots.canvas import figure_bytes, house_style, new_figure
from neurosim.runtime import provenance, track

SIZES = ((10_000, 100, 0.5), (40_000, 250, 1.0))  # neurons, synapses of each, s
OURS = ("ours torch", "ours brian2", "ours cython")
BY_HAND = ("hand numpy", "hand cython")
REPEATS, ALIKE = 2, 0.03


def measured(python: str, case: str, size: tuple[int, int, float]) -> dict[str, float]:
    """Run a case in a process of its own."""
    script = str(Path(__file__).with_name("scale_circuits.py"))
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [python, "-W", "ignore", script, case, *map(str, size)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def compute(nest: str | None) -> list[dict[str, object]]:
    """Return a row a case and size: medians over the repeats, and spikes that are as many as those of the others."""
    cases = [(case, sys.executable) for case in (*OURS, *BY_HAND)] + ([("nest", nest)] if nest else [])
    rows: list[dict[str, object]] = []
    for size in SIZES:
        turns = [(case, python) for _ in range(REPEATS) for case, python in cases]
        found = [(case, measured(python, case, size)) for case, python in track(turns, f"{size[0]} neurons")]
        spikes = {case: [row["spikes"] for name, row in found if name == case] for case, _ in cases}
        mean = np.mean([spikes[case] for case in OURS])
        if np.ptp([spikes[case] for case in OURS]) or any(abs(np.mean(n) / mean - 1) > ALIKE for n in spikes.values()):
            raise AssertionError(f"the simulators differ: {spikes}")
        for case, _ in cases:
            own = {k: float(np.median([row[k] for name, row in found if name == case])) for k in found[0][1]}
            rows.append({"neurons": size[0], "synapses": size[0] * size[1], "seconds": size[2], "case": case} | own)
    return rows


def draw(rows: list[dict[str, object]]) -> Figure:
    """Draw processor seconds a simulated second, a panel a size."""
    figure = new_figure()
    for axes, (neurons, _, seconds) in zip(figure.subplots(1, len(SIZES), squeeze=False)[0], SIZES, strict=True):
        own = [row for row in rows if row["neurons"] == neurons]
        axes.barh([str(row["case"]) for row in own], [float(str(row["run"])) / seconds for row in own])
        axes.set(title=f"{neurons:,} neurons", xlabel="processor s a simulated s")
    return figure


def main(folder: Path, nest: str | None) -> None:
    """Measure, keep the numbers, and draw from them."""
    rows, record = compute(nest), provenance()
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
