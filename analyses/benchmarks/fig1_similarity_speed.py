"""Figure 1 of the benchmarks: how many times faster RDMs, their comparison and inference are than in other tools.

Each side has a process of its own, of one thread, and times are those of the processor.

Run: python analyses/benchmarks/fig1_similarity_speed.py [folder]
"""

import sys
from pathlib import Path

import numpy as np
import xarray as xr
from apart import run_apart

from neurosim import storage
from neurosim.plots.canvas import PALETTE, Figure, figure_bytes, house_style, new_figure


def compute() -> xr.Dataset:
    """Run all pairs."""
    return run_apart("similarity_pairs", repeats=3, memory=True, fresh=False)


def draw(results: xr.Dataset, *, memory: bool = True) -> Figure:
    """Draw one bar a benchmark, with the range over repeats, both times and peaks of memory."""
    figure = new_figure(8.0, 4.2)
    ax = figure.add_subplot()
    ratio = results["ratio"].values
    place = np.arange(len(ratio))[::-1]
    middle = np.nanmedian(ratio, axis=1)
    ax.barh(place, middle, color=PALETTE[0], height=0.6)
    ax.hlines(place, np.nanmin(ratio, axis=1), np.nanmax(ratio, axis=1), color="black", linewidth=0.8)
    columns = ("ours_seconds", "peer_seconds", "ours_peak_bytes", "peer_peak_bytes")
    rows = zip(place, middle, np.nanmax(ratio, axis=1), *(results[c].values for c in columns), strict=True)
    for y, m, end, ours, peer, small, big in rows:
        peaks = f", {size(big)} to {size(small)}" if memory else ""
        text = f"{significant(m)} x   {duration(peer)} to {duration(ours)}{peaks}"
        ax.text(max(m, end) * 1.15, y, text, va="center", fontsize=6)
    ax.set_yticks(
        place,
        [f"{n} ({p})" for n, p in zip(results["benchmark"].values, results["peer"].values, strict=True)],
        fontsize=7,
    )
    ax.set(
        xscale="log",
        xlabel=f"times faster on one thread, range; time{' and peak memory' if memory else ''} of the peer, and ours",
        xlim=(0.8, middle.max() * 2000),
    )
    ax.set_title(results.attrs["cpu"], fontsize=7, fontweight="normal")
    return figure


def significant(ratio: float) -> str:
    """Return a ratio with two digits or all before the point.

    >>> significant(1.62), significant(2230.1)
    ('1.6', '2,230')
    """
    return f"{ratio:.1f}" if ratio < 10 else f"{ratio:,.0f}"


def duration(seconds: float) -> str:
    """Return a time with its unit.

    >>> duration(0.0021), duration(1251.3)
    ('2.1 ms', '1,251 s')
    """
    if seconds >= 1000:
        return f"{seconds:,.0f} s"
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "us")):
        if seconds * factor >= 1 or unit == "us":
            return f"{seconds * factor:.3g} {unit}"
    return ""


def size(n_bytes: float) -> str:
    """Return an amount of memory with its unit.

    >>> size(5 * 2**20)
    '5 MB'
    """
    return f"{n_bytes / 2**20:.0f} MB" if n_bytes >= 2**20 else f"{n_bytes / 2**10:.0f} kB"


def table(results: xr.Dataset) -> list[dict[str, object]]:
    """Return the numbers of the figure, one row a benchmark."""
    rows = []
    for i, name in enumerate(results["benchmark"].values):
        row = results.isel(benchmark=i)
        rows.append(
            {
                "benchmark": str(name),
                "peer": str(row["peer"].values),
                "ratio": round(float(np.nanmedian(row["ratio"])), 1),
                "ratio_lowest": round(float(row["ratio"].min()), 1),
                "ratio_asked": float(row["asked"]),
                "ours_seconds": float(f"{float(row['ours_seconds']):.3g}"),
                "peer_seconds": float(f"{float(row['peer_seconds']):.3g}"),
                "ours_peak_megabytes": round(float(row["ours_peak_bytes"]) / 2**20, 1),
                "peer_peak_megabytes": round(float(row["peer_peak_bytes"]) / 2**20, 1),
                "largest_difference": float(f"{float(row['difference']):.1e}"),
            }
        )
    return rows


def main(folder: Path) -> None:
    """Measure, keep the numbers, and draw from them."""
    storage.write_dataset(folder / "fig1_similarity_speed.nc", compute())
    results = storage.read_dataset(folder / "fig1_similarity_speed.nc")
    content = {"results": table(results), **{k: str(v) for k, v in results.attrs.items()}}
    storage.write_json(folder / "fig1_similarity_speed.json", content)
    with house_style():
        storage.write_bytes(folder / "fig1_similarity_speed.png", figure_bytes(draw(results))["png"])


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
