"""Figure 4 of the benchmarks: networks of many neurons, on our engines, in Brian2 written by hand, and in NEST.

Processor seconds to build and to simulate, largest memory and bytes a synapse while it runs, each case in a process of
one thread, each engine right after the same target of the script by hand. Our engines must send as many spikes as
each other; the others nearly as many: the script has the same synapses and, with conductances, another integration,
which holds them over a step at what they were where it begins; those of NEST are drawn anew.

Run: python analyses/benchmarks/fig4_circuit_scale.py [folder [python that has NEST]] [--redraw]
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from matplotlib.figure import Figure
from pairs import cpu_name
from scale_circuits import MANY

from neurosim import storage
from neurosim.plots.canvas import PAGE, figure_bytes, house_style, new_figure, write_below
from neurosim.runtime import provenance, track

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import called

Size: TypeAlias = tuple[str, int, int, float]
SIZES: tuple[Size, ...] = (  # network, neurons, synapses of each, s
    ("currents", 10_000, 100, 0.5),
    ("currents", 40_000, 250, 1.0),
    ("conductances", 20_000, 100, 0.5),
    ("currents", 100_000, 100, 0.5),
    ("currents", 100_000, 1_000, 0.1),
)
OURS = ("ours torch", "ours brian2", "ours cython", "ours cpp_standalone")
BY_HAND = {"hand numpy": "ours brian2", "hand cython": "ours cython", "hand cpp_standalone": "ours cpp_standalone"}
NAMES = {"ours brian2": "ours numpy", "ours torch": "ours torch", "nest": "NEST"}
ALIKE = {"currents": 0.03, "conductances": 0.1}
QUICKEST = ("hand cython", "ours cython", "ours torch")  # where there are MANY synapses
NEST_UP_TO = 40_000  # neurons: it draws a number for every pair, and takes 400 bytes a synapse


def measured(python: str, case: str, size: Size) -> dict[str, Any]:
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


def cases_of(size: Size, nest: str | None) -> list[tuple[str, str]]:
    """Return what is run at a size, and the Python that runs it."""
    network, neurons, synapses, _ = size
    cases = [*(case for pair in BY_HAND.items() for case in pair), "ours torch"]
    cases += ["nest"] if nest and network == "currents" and neurons <= NEST_UP_TO else []
    chosen = [case for case in cases if case in QUICKEST or neurons * synapses < MANY]
    return [(case, nest if nest and case == "nest" else sys.executable) for case in chosen]


def compute(size: Size, nest: str | None) -> list[dict[str, Any]]:
    """Return a row a case: median and range of its runs, and spikes that are as many as those of the others."""
    network, neurons, synapses, seconds = size
    cases = cases_of(size, nest)
    found = {case: measured(python, case, size) for case, python in track(cases, f"{network}, {neurons} neurons")}
    spikes = {case: row["spikes"] for case, row in found.items()}
    mean = spikes["ours torch"]
    if any(spikes.get(case, mean) != mean for case in OURS):
        raise AssertionError(f"our engines differ: {spikes}")
    if any(abs(n / mean - 1) > ALIKE[network] for n in spikes.values()):
        raise AssertionError(f"the simulators differ: {spikes}")
    about = {"network": network, "neurons": neurons, "synapses": neurons * synapses, "seconds": seconds}
    rows = []
    for case, row in found.items():
        runs = [lasted / seconds for lasted in row.pop("runs")]
        row |= {"run": float(np.median(runs)), "run_least": min(runs), "run_most": max(runs), "n_runs": len(runs)}
        rows.append(about | {"case": case} | row)
    return rows


def draw(rows: list[dict[str, Any]]) -> Figure:
    """Draw a column a size: processor seconds a simulated second, and those of our engines over those by hand."""
    figure = new_figure(PAGE, 4.2)
    sizes = list(dict.fromkeys((row["network"], row["neurons"], row["synapses"]) for row in rows))
    panels = figure.subplots(2, len(sizes), squeeze=False, sharey="row", height_ratios=(8, 3))
    for (lasting, ratios), size in zip(panels.T, sizes, strict=True):
        own = {r["case"]: r for r in rows if (r["network"], r["neurons"], r["synapses"]) == size}
        for case, row in own.items():
            color = {"hand": "C1", "nest": "C2"}.get(case.split()[0], "C0")
            name = NAMES.get(case, case).replace("cpp_standalone", "C++")
            lasting.barh(name, row["run"], color=color)
            lasting.plot([row["run_least"], row["run_most"]], [name, name], color="black", linewidth=1)
        network, neurons, synapses = size
        letter = chr(ord("A") + sizes.index(size))
        lasting.set_title(f"{letter}  {network}\n{neurons:,} neurons\n{synapses:,} synapses", fontsize=6)
        lasting.set_xlabel("processor s\na simulated s", fontsize=6)
        for theirs, ours in BY_HAND.items():
            if theirs in own:
                ratios.plot(
                    own[ours]["run"] / own[theirs]["run"],
                    theirs.split()[1].replace("cpp_standalone", "C++"),
                    "o",
                    color="C0",
                )
        ratios.axvline(1.0, color="black", linewidth=1)
        ratios.set_xlim(0, 1.6)
        ratios.set_xlabel("ours / by hand", fontsize=6)
        ratios.margins(y=0.3)
    panels[1, 0].annotate(
        "parity", (1.0, 1.0), xycoords=("data", "axes fraction"), fontsize=6, ha="center", va="bottom"
    )
    for ax in panels.ravel():
        ax.tick_params(labelsize=6)
    write_below(
        figure,
        "Orange: Brian2 written by hand, blue: neurosim on the same target, green: NEST; one thread. Bars: "
        "median, black: range of the runs; no bar: not run. Below: time of neurosim over that of the script by "
        "hand.",
    )
    panels[0, 0].invert_yaxis()
    panels[1, 0].invert_yaxis()
    return figure


def keep(folder: Path, rows: list[dict[str, Any]]) -> None:
    """Write the numbers and where they were measured, and the figure."""
    record = provenance()
    content = {"results": rows, "threads": 1, "cpu": cpu_name()} | {k: record[k] for k in ("machine", "libraries")}
    storage.write_json(folder / "fig4_circuit_scale.json", content)
    redraw(folder)


def redraw(folder: Path) -> None:
    """Draw the numbers that are kept."""
    rows = storage.read_json(folder / "fig4_circuit_scale.json")["results"]
    with house_style():
        storage.write_bytes(folder / "fig4_circuit_scale.png", figure_bytes(draw(rows))["png"])


def main(folder: Path, nest: str | None) -> None:
    """Measure size by size; what is there is kept after each."""
    rows: list[dict[str, Any]] = []
    for size in SIZES:
        rows += compute(size, nest)
        keep(folder, rows)


if __name__ == "__main__":
    with called(__doc__) as given:
        place = given.folder(Path(__file__).parent)
        if given.redraw:
            redraw(place)
        else:
            main(place, given.words[1] if len(given.words) > 1 else None)
