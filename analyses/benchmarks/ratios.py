"""What paired benchmarks have in common on paper: a table of numbers, kept as JSON, and the figure drawn from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.plots.canvas import PALETTE, Axes, Figure, figure_bytes, house_style, new_figure

if TYPE_CHECKING:
    from command_line import Given

Row = Mapping[str, object]
HERE = Path(__file__).parent
SLOWER = 0.5
TEXT = 5.5
LIKE = 1.05


def table(results: xr.Dataset) -> list[dict[str, object]]:
    """Return the numbers of a figure, a row a benchmark: ratios, seconds, peak memory and the largest difference."""
    rows = []
    for i, name in enumerate(results["benchmark"].values):
        row = results.isel(benchmark=i)
        rows.append(
            {
                "benchmark": str(name),
                "peer": str(row["peer"].values),
                "ratio": round(float(np.nanmedian(row["ratio"])), 1),
                "ratio_lowest": round(float(row["ratio"].min()), 1),
                "ratio_highest": round(float(row["ratio"].max()), 1),
                "floor": float(row["floor"]),
                "ours_seconds": float(f"{float(row['ours_seconds']):.3g}"),
                "peer_seconds": float(f"{float(row['peer_seconds']):.3g}"),
                "ours_peak_megabytes": round(float(row["ours_peak_bytes"]) / 2**20, 1),
                "peer_peak_megabytes": round(float(row["peer_peak_bytes"]) / 2**20, 1),
                "largest_difference": float(f"{float(row['difference']):.1e}"),
            }
        )
    return rows


def draw(content: Mapping[str, object]) -> Figure:
    """Draw how many times faster each is, a dot with its lowest and highest repeat, and how many times the memory."""
    rows: list[Row] = content["results"]  # type: ignore[assignment]
    with_memory = "ours_peak_megabytes" in rows[0]
    figure = new_figure(6.9, 0.19 * len(rows) + 0.85)
    widths = [1.6, 1] if with_memory else [1]
    axes = figure.subplots(1, len(widths), sharey=True, width_ratios=widths, squeeze=False)[0]
    place = np.arange(len(rows))[::-1]
    _speed(axes[0], rows, place)
    axes[0].set_yticks(place, [f"{row['benchmark']} ({row['peer']})" for row in rows], fontsize=6)
    if with_memory:
        _memory(axes[1], rows, place)
    for letter, ax in zip("AB", axes, strict=False):
        ax.axvline(1, color="0.4", linewidth=0.8)
        ax.tick_params(axis="y", length=0)
        ax.set_title(letter if with_memory else "")
    said = "; orange: ours takes more memory" if with_memory else ""
    figure.supxlabel(f"{content['cpu']}, one thread; in brackets the peer; gray line: parity{said}", fontsize=TEXT)
    return figure


def _speed(ax: Axes, rows: list[Row], place: np.ndarray) -> None:
    middle, lowest = numbers(rows, "ratio"), numbers(rows, "ratio_lowest")
    highest = np.array([float(str(row.get("ratio_highest", row["ratio"]))) for row in rows])
    ax.hlines(place, np.minimum(lowest, middle), np.maximum(highest, middle), color=PALETTE[0], linewidth=1.2)
    ax.plot(middle, place, "o", color=PALETTE[0], markersize=3.5)
    times = zip(middle, numbers(rows, "peer_seconds"), numbers(rows, "ours_seconds"), strict=True)
    _column(ax, place, [f"{significant(r)}x: {duration(peer)} to {duration(ours)}" for r, peer, ours in times])
    ax.set(xscale="log", xlim=(min(SLOWER, lowest.min() * 0.8), max(middle.max(), highest.max()) * 1.5))
    whole = all("ratio_highest" in row for row in rows)
    ax.set_xlabel(f"peer's time over ours, median\nand {'range' if whole else 'lowest'} of repeats", fontsize=7)
    _plain(ax)


def _memory(ax: Axes, rows: list[Row], place: np.ndarray) -> None:
    ours, peer = numbers(rows, "ours_peak_megabytes"), numbers(rows, "peer_peak_megabytes")
    ratio = ours / np.maximum(peer, 0.1)
    ax.scatter(ratio, place, 12, [PALETTE[1] if times > LIKE else PALETTE[0] for times in ratio], "s")
    _column(ax, place, [f"{megabytes(p)} to {megabytes(o)} MB" for p, o in zip(peer, ours, strict=True)])
    ax.set(xscale="log", xlim=(min(ratio.min(), 1) / 2, max(ratio.max(), 1) * 2))
    ax.set_xlabel("our peak memory\nover the peer's", fontsize=7)
    _plain(ax)


def _plain(ax: Axes) -> None:
    """Write ratios as they are spoken."""
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,g}")


def _column(ax: Axes, place: np.ndarray, texts: list[str]) -> None:
    """Write a text at the right of each row."""
    for y, text in zip(place, texts, strict=True):
        ax.text(1.02, y, text, va="center", fontsize=TEXT, transform=ax.get_yaxis_transform())


def numbers(rows: list[Row], name: str) -> np.ndarray:
    """Return one column of the table."""
    return np.array([float(str(row[name])) for row in rows])


def megabytes(amount: float) -> str:
    """Return an amount of memory (MB) without a digit too many.

    >>> megabytes(0.36), megabytes(133.2)
    ('0.4', '133')
    """
    return f"{amount:.1f}" if amount < 10 else f"{amount:,.0f}"


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


def report(name: str, measure: Callable[[], dict[str, object]], given: Given) -> dict[str, object]:
    """Measure (or, with `--redraw`, take what is kept), keep the numbers and draw them in the folder that is named.

    Raises
    ------
    SystemExit
        if a ratio lies below the floor of its benchmark; numbers and figure are written first.
    """
    folder = given.folder(HERE)
    if given.redraw:
        content = storage.read_json(folder / f"{name}.json")
    else:
        content = measure()
        storage.write_json(folder / f"{name}.json", content)
    with house_style():
        storage.write_bytes(folder / f"{name}.png", figure_bytes(draw(content))["png"])
    below = [
        f"{r['benchmark']}: {r['ratio']} x, floor {r['floor']}" for r in content["results"] if r["ratio"] < r["floor"]
    ]
    if below and not given.redraw:
        raise SystemExit("\n".join(below))
    return content
