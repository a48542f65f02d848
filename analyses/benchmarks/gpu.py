"""The GPU campaign: what has to hold on a GPU, and how fast it is, in one command; on the CPU the same at small size.

On a GPU every part runs in a process of its own under a time limit, so that none takes the others with it. One JSON
(card, versions, what was measured beside what is asked, what was not run and why), a list of it to read, and one figure
come out.

Run: python analyses/benchmarks/gpu.py OUT [--device cuda] [--only PART ...] [--redraw JSON]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gpu_checks
import gpu_speed
import torch
from gpu_rows import Place, Row, left_out
from pairs import cpu_name

from neurosim import storage
from neurosim.plots.canvas import COLUMN, PALETTE, figure_bytes, house_style, label_ends, new_figure
from neurosim.runtime import limit_threads, pick_device, provenance

PARTS: dict[str, tuple[Callable[[Place], list[Row]], float]] = {  # with seconds that each may take; 8 minutes in all
    "engines": (gpu_checks.engines, 60),
    "second GPU": (gpu_checks.second, 30),
    "resume": (gpu_checks.resume, 40),
    "precision": (gpu_checks.precisions, 40),
    "tensors": (gpu_checks.tensors, 40),
    "circuits": (gpu_checks.circuits, 60),
    "layers": (gpu_speed.layers, 90),
    "images": (gpu_speed.images, 90),
    "recording": (gpu_speed.recording, 30),
}


def in_a_process(name: str, device: str) -> list[Row]:
    """Return the rows of a part; one that fails or lasts too long says so."""
    command = [sys.executable, __file__, "--part", name, "--device", device]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PARTS[name][1], check=False)
        lines = (done.stderr or done.stdout).strip().splitlines() or ["nothing was said"]
        found: list[Row] = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else []
        return found or [left_out(name, lines[-1][:300])]
    except subprocess.TimeoutExpired:
        return [left_out(name, f"it took longer than {PARTS[name][1]:g} s")]


def in_this_process(name: str, device: str) -> list[Row]:
    """Return the rows of a part, on the CPU, where all are short; one that fails says so."""
    try:
        return PARTS[name][0](Place(device))
    except Exception as error:  # the other parts go on
        return [left_out(name, f"{type(error).__name__}: {error}"[:300])]


def campaign(device: str, names: list[str]) -> dict[str, Any]:
    """Run the parts; return all that is to be kept."""
    parts, seconds, is_gpu = {}, {}, Place(device).is_gpu
    for name in names:
        started = time.perf_counter()
        parts[name] = in_a_process(name, device) if is_gpu else in_this_process(name, device)
        seconds[name] = round(time.perf_counter() - started, 1)
        failed = sum(not r.get("reached", True) for r in parts[name])
        print(f"{name}: {len(parts[name])} rows, {failed} not reached, {seconds[name]:.0f} s", flush=True)
    return {
        "device": torch.cuda.get_device_name(device) if is_gpu else "CPU",
        "is_gpu": is_gpu,
        "cpu": cpu_name(),
        "cuda": torch.version.cuda if is_gpu else None,
        "parts": parts,
        "seconds": seconds,
        **{k: str(v) for k, v in provenance().items()},
    }


def draw(content: dict[str, Any]) -> Any:
    """Return the figure: how many times faster layers are than their peers, by size, and parity."""
    figure = new_figure(COLUMN, 2.6)
    ax = figure.subplots()
    rows = [r for r in content["parts"].get("layers", []) if "peer" in r and "measured" in r]
    sizes = sorted({r["lanes"] for r in rows})
    ends = [(1.0, "parity", "0.4")]
    for colour, name in zip(PALETTE, sorted({r["peer"] for r in rows}), strict=False):
        own = {r["lanes"]: r["measured"] for r in rows if r["peer"] == name}
        ax.plot([sizes.index(size) for size in own], [*own.values()], "o-", ms=4, color=colour)
        ends.append((own[max(own)], f"than {name}", colour))
    ax.axhline(1, color="0.4", linewidth=0.8)
    ax.set_xticks(range(len(sizes)), [f"{size:,}" for size in sizes])
    ax.set(xlabel="neurons", ylabel="times faster", ylim=(0, None), xlim=(-0.3, len(sizes) - 0.7))
    ax.set_title(f"One layer, forward and backward ({content['device']})", fontsize=7)
    label_ends(ax, ends)
    return figure


def listed(content: dict[str, Any]) -> str:
    """Return what has run, on what, and what has not, as a list to read."""
    parts = {name: content["parts"][name] for name in PARTS if name in content["parts"]}
    run = {name: [r for r in rows if "not_run" not in r] for name, rows in parts.items()}
    where = (
        f"On {content['device']}" if content["is_gpu"] else "On a GPU nothing has run yet. On the CPU, at small size"
    )
    lines = [f"{where}, with neurosim {content['neurosim']}:", ""]
    for name, rows in run.items():
        asked = [r for r in rows if "reached" in r]
        lines.append(f"- {name}: {len(rows)} numbers, {sum(r['reached'] for r in asked)} of {len(asked)} goals reached")
        lines += [
            f"  - not reached: {r['what']}: {r['measured']:g}, asked {r['asked']:g}" for r in asked if not r["reached"]
        ]
    missing = [(r["what"], r["not_run"]) for rows in parts.values() for r in rows if "not_run" in r]
    lines += ["", "Not run:", "", *(f"- {what}: {reason}" for what, reason in missing)] if missing else []
    return "\n".join(lines) + "\n"


def redraw(path: Path) -> None:
    """Draw the numbers that are kept."""
    with house_style():
        storage.write_bytes(path.with_suffix(".png"), figure_bytes(draw(storage.read_json(path)))["png"])


def main(folder: Path, device: str, names: list[str]) -> None:
    """Run, keep the numbers, and draw from them."""
    if folder.exists() and not folder.is_dir():
        raise SystemExit(f"gpu.py: {folder} is a file; a folder for the results is asked.")
    content = campaign(device, names)
    name = "gpu" if content["is_gpu"] else "gpu_on_cpu"
    folder.mkdir(parents=True, exist_ok=True)
    storage.write_json(folder / f"{name}.json", content)
    storage.write_bytes(folder / f"{name}.md", listed(content).encode())
    redraw(folder / f"{name}.json")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--redraw", type=Path, help="draw the numbers of this file and run nothing")
    parser.add_argument("--part", choices=list(PARTS))
    asked = parser.parse_args()
    where = pick_device(asked.device)
    if where == "cpu":
        limit_threads(1)
    if asked.redraw is not None:
        redraw(asked.redraw)
    elif asked.part is None:
        main(asked.folder, where, asked.only)
    else:
        print(json.dumps(PARTS[asked.part][0](Place(where))))
