"""Table 2: what is found over time, and what is found where nothing is, with and without a correction.

Twelve subjects, 60 times, noise that lasts for five of them; scores are above 0 at ten times. Every method is given the
same data sets, 200 of each strength. Run: python analyses/meg_time_course/table2_power.py (a minute on one core).
"""

import sys
from pathlib import Path

import numpy as np
import xarray as xr

import neurosim as ns
from neurosim import runtime, storage

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import called

OUT = Path(__file__).with_suffix(".json")
SUBJECTS, TIMES, LASTS, THERE = 12, 60, 5, slice(25, 35)
STRENGTHS, N, ALPHA = (0.0, 0.6, 1.0), 200, 0.05
METHODS = ("max", "cluster_mass", "tfce")


def scores_of(rng: np.random.Generator, strength: float) -> xr.DataArray:
    """Return scores (subject, time)."""
    white = rng.normal(size=(SUBJECTS, TIMES + LASTS - 1))
    values = np.lib.stride_tricks.sliding_window_view(white, LASTS, axis=1).sum(-1) / np.sqrt(LASTS)
    values[:, THERE] += strength
    return xr.DataArray(values, dims=("subject", "time"), coords={"time": 0.01 * np.arange(TIMES)})


def found_by_method(scores: xr.DataArray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return which times (time,) each method calls above 0, one-sided; "uncorrected" takes each time alone."""
    found = {}
    for method in METHODS:
        tested = ns.similarity.sign_flip_test(
            scores, method=method, alternative="greater", n_permutations=199, rng=rng, progress=False
        )
        found[method] = tested.p_corrected.values <= ALPHA
    return found | {"uncorrected": tested.p.values <= ALPHA}


def compute() -> list[dict[str, object]]:
    """Return, by strength and method, the shares of data sets and of times in which something is found."""
    rows = []
    for strength in runtime.track(STRENGTHS, "strengths"):
        found: dict[str, list[np.ndarray]] = {}
        for rng in np.random.default_rng([7, int(10 * strength)]).spawn(N):
            for method, times in found_by_method(scores_of(rng, strength), rng).items():
                found.setdefault(method, []).append(times)
        for method, each in found.items():
            times, elsewhere = np.array(each), np.ones(TIMES, dtype=bool)
            elsewhere[THERE] = strength == 0
            false = times[:, elsewhere].any(1).mean() if method != "cluster_mass" or strength == 0 else np.nan
            rows.append(
                {
                    "strength": strength,
                    "method": method,
                    "data_sets_with_any": float(times.any(1).mean()),
                    "true_times_found": float(times[:, THERE].mean()) if strength else None,
                    "data_sets_with_a_false_time": None if np.isnan(false) else float(false),
                }
            )
    return rows


if __name__ == "__main__":
    with called(__doc__) as given:
        storage.write_json(OUT, {"n": N, "rows": compute(), "provenance": runtime.provenance()}, sort_keys=False)
