"""Table 1 of searchlights: false places and found places of corrected maps, over simulated groups with known truth.

Eight subjects, 343 voxels of 3 mm, 10 stimuli, 4 runs. Noise is smooth in space. Where there is an effect, a ball
of voxels answers to what stimuli are, in every subject with other patterns. A map is the Spearman correlation of
crossnobis RDMs with a model; tested over subjects by all 256 sign flips. Of two categories there is but one difference
of patterns, whose crossnobis distance is skewed to the right around 0, so that tests for more than 0 are conservative;
nine features make scores symmetric.

Run: python analyses/searchlight/table1_errors.py [folder [number of groups]] (two minutes on one core)
"""

import sys
from pathlib import Path

import numpy as np
import xarray as xr
from scipy import stats
from scipy.ndimage import gaussian_filter

import neurosim as ns
from neurosim import storage

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import called

SHAPE, SUBJECTS, RUNS, STIMULI = (7, 7, 7), 8, 4, 10
WHAT = {
    "two categories": 2.0 * (np.arange(STIMULI) % 2)[:, None] - 1,
    "nine features": np.random.default_rng(3).normal(size=(STIMULI, 9)),
}
SMOOTH, RADIUS, STRENGTH = 0.8, 6.1e-3, {"two categories": 0.25, "nine features": 0.35}
METHODS, OTHERS = ("max", "cluster_mass", "tfce"), 1000
PLAIN = (0.05, 0.01, 0.001)
PLACES = np.argwhere(np.ones(SHAPE)) * 3e-3
BALL = np.linalg.norm(PLACES - PLACES.mean(0), axis=1) < 5e-3


def group(rng: np.random.Generator, what: np.ndarray, strength: float) -> xr.DataArray:
    """Return responses (subject, stimulus, trial, unit) with places of their voxels."""
    noise = rng.normal(size=(SUBJECTS, STIMULI, RUNS, *SHAPE))
    noise = gaussian_filter(noise, (0, 0, 0, *[SMOOTH] * 3))
    noise = (noise / noise.std()).reshape(SUBJECTS, STIMULI, RUNS, -1)
    pattern = rng.normal(size=(SUBJECTS, what.shape[1], len(PLACES))) * BALL
    values = noise + strength * (what @ pattern / np.sqrt(what.shape[1]))[:, :, None]
    labels = {axis: ("unit", PLACES[:, k]) for k, axis in enumerate("xyz")}
    labels |= {f"feature_{k}": ("stimulus", what[:, k]) for k in range(what.shape[1])}
    return xr.DataArray(values, dims=("subject", "stimulus", "trial", "unit"), coords=labels)


def tested(
    rng: np.random.Generator, what: np.ndarray, strength: float, methods: tuple[str, ...]
) -> dict[str, np.ndarray]:
    """Return p of every searchlight: corrected by each method, and of the t test of the place alone."""
    responses = group(rng, what, strength)
    near = ns.similarity.searchlights(responses, RADIUS)
    features = [f"feature_{k}" for k in range(what.shape[1])]
    model = {"what": ns.similarity.model_rdm(responses, features, "numeric")}
    scores = ns.similarity.searchlight_scores(responses, near, model, metric="crossnobis", progress=False)
    scores = scores.isel(model=0, drop=True)
    beside = {"searchlight": ns.similarity.neighbours(scores, 3e-3)}
    found = {}
    for method in methods:
        options = {} if method == "max" else {"adjacency": beside}
        result = ns.similarity.sign_flip_test(scores, method=method, alternative="greater", progress=False, **options)
        found[method], found["alone"] = result.p_corrected.values, stats.t.sf(result.statistic.values, SUBJECTS - 1)
    return found


def rates(
    what: str, strength: float, n: int, seed: int, methods: tuple[str, ...] = METHODS
) -> dict[str, dict[str, float]]:
    """Return, by method, the share of groups with a false place and the mean shares of true and of false places found.

    A searchlight is truly there where it holds a voxel of the ball.
    """
    near = ns.similarity.searchlights(PLACES, RADIUS).values
    true = (BALL[near] & (near >= 0)).any(1) if strength else np.zeros(len(near), dtype=bool)
    significant: dict[str, list[np.ndarray]] = {}
    for rng in np.random.default_rng(seed).spawn(n):
        found = tested(rng, WHAT[what], strength, methods)
        for method in methods:
            significant.setdefault(method, []).append(found[method] <= 0.05)
        for level in PLAIN:
            significant.setdefault(f"uncorrected t test, p <= {level:g}", []).append(found["alone"] <= level)
        bonferroni = np.minimum(found["alone"] * len(near), 1) <= 0.05
        significant.setdefault("t tests, Bonferroni", []).append(bonferroni)
    rows = {}
    for name, maps in significant.items():
        there = np.array(maps)
        rows[name] = {
            "groups_with_a_false_place": round(float(there[:, ~true].any(1).mean()), 4),
            "false_places": round(float(there[:, ~true].mean()), 4),
        }
        if true.any():
            rows[name]["true_places_found"] = round(float(there[:, true].mean()), 4)
            rows[name]["groups_with_a_true_place"] = round(float(there[:, true].any(1).mean()), 4)
    return rows


def main(folder: Path, n: int) -> None:
    """Measure, and keep the numbers."""
    content = {
        "groups": n,
        "nothing_there": {what: rates(what, 0.0, n, seed=1) for what in WHAT},
        "nothing_there_in_1000_other_groups": {"nine features": rates("nine features", 0.0, OTHERS, seed=11)},
        "something_there": {what: rates(what, STRENGTH[what], n // 2, seed=2) for what in WHAT},
        "libraries": ns.runtime.provenance()["libraries"],
    }
    storage.write_json(folder / "table1_errors.json", content)


if __name__ == "__main__":
    with called(__doc__) as given:
        main(given.folder(Path(__file__).parent), int((given.words[1:] or ["200"])[0]))
