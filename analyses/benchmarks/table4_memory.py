"""Table 4 of the benchmarks: memory and time of maps and recordings that are large, each in a process of its own.

A searchlight map of 50,000 centres (92 stimuli, 123 voxels, two models), and 763 MiB of spike counts in a Zarr folder
through averages, bins, rates and RDMs. Maps equal those of rsatoolbox, where it is installed, and all RDMs at once;
what is read chunk by chunk equals what it gives in memory.

Run: python analyses/benchmarks/table4_memory.py [folder [checkout to compare with]]
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import xarray as xr

import neurosim as ns
from neurosim import storage

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import called

CENTRES = (37, 37, 37)
ALL_AT_ONCE = 6000  # searchlights: what was before makes 50,000 in 17 to 20 GB
COUNTS = {"stimulus": 50, "trial": 20, "time": 200, "unit": 500}


def volume(shape: tuple[int, ...], n_stimuli: int, seed: int = 0) -> xr.DataArray:
    """Return responses of voxels of 3 mm."""
    rng = np.random.default_rng(seed)
    places = np.argwhere(np.ones(shape)) * 3e-3
    labels = {axis: ("unit", places[:, k]) for k, axis in enumerate("xyz")}
    return ns.as_responses(rng.normal(size=(n_stimuli, len(places))), coords=labels, quantity="bold")


def models(n_stimuli: int) -> xr.DataArray:
    """Return two model RDMs."""
    rng = np.random.default_rng(1)
    return xr.concat([ns.compute_rdm(rng.normal(size=(n_stimuli, 9)), "euclidean") for _ in range(2)], "model")


def streamed(n: int | None = None, method: str = "spearman") -> xr.DataArray:
    """Return the map of the first `n` searchlights, block by block."""
    responses = volume(CENTRES, 92)
    near = ns.similarity.searchlights(np.stack([responses[a].values for a in "xyz"], 1), 9.2e-3)
    return ns.similarity.searchlight_scores(responses, near[:n], models(92), method=method, progress=False)


def at_once(n: int) -> xr.DataArray:
    """Return the same with all RDMs in memory."""
    responses = volume(CENTRES, 92)
    near = ns.similarity.searchlights(np.stack([responses[a].values for a in "xyz"], 1), 9.2e-3)
    return ns.compare_rdms(ns.compute_rdm(responses, by=near[:n], progress=False), models(92))


def counts(folder: Path) -> xr.DataArray:
    """Return spike counts that lie in a Zarr folder."""
    return ns.load_responses(folder / "counts.zarr", lazy=True)


def coarse_rdm(folder: Path) -> xr.DataArray:
    """Return RDMs in bins of 20 ms of smoothed rates, averaged over trials."""
    rates = ns.responses.rebin(ns.responses.firing_rate(counts(folder)), 20e-3)
    return ns.compute_rdm(ns.responses.average_trials(rates))


def stored_rates(folder: Path) -> xr.DataArray:
    """Return nothing; rates go to disk as they come."""
    rates = ns.responses.firing_rate(counts(folder))
    rates.to_dataset(name="rates").to_zarr(folder / "rates.zarr", mode="w", consolidated=False)
    return xr.DataArray(0.0)


CASES = {
    "imports alone": lambda folder: xr.DataArray(0.0),
    "50,653 searchlights, spearman": lambda folder: streamed(),
    "50,653 searchlights, corr": lambda folder: streamed(method="corr"),
    "6,000 searchlights, spearman": lambda folder: streamed(ALL_AT_ONCE),
    "6,000 searchlights, all RDMs at once": lambda folder: at_once(ALL_AT_ONCE),
    "average_trials of 763 MiB": lambda folder: ns.responses.average_trials(counts(folder)).compute(),
    "rebin of 763 MiB, averaged": lambda folder: ns.responses.rebin(counts(folder), 10e-3).mean("trial").compute(),
    "firing_rate of 763 MiB, to disk": stored_rates,
    "compute_rdm of 763 MiB": lambda folder: ns.compute_rdm(counts(folder), "euclidean"),
    "firing_rate, rebin, average_trials, compute_rdm": coarse_rdm,
    "as_trials of 100,000 trials": lambda folder: ns.as_trials(np.ones((100_000, 9)), np.arange(100_000) % 5000),
}


def assert_equal_to_what_is_in_memory(folder: Path) -> None:
    """Refuse to go on where a step of chunks differs from that of the same values in memory."""
    lazy = counts(folder).isel(stimulus=slice(0, 8))
    for step in (
        ns.responses.average_trials,
        ns.responses.firing_rate,
        lambda r: ns.responses.rebin(r, 10e-3),
        lambda r: ns.compute_rdm(r, "euclidean"),
        lambda r: ns.compute_rdm(ns.responses.average_trials(ns.responses.rebin(ns.responses.firing_rate(r), 20e-3))),
    ):
        xr.testing.assert_allclose(step(lazy).compute(), step(lazy.compute()), rtol=1e-12)


def measured(case: str, folder: Path, checkout: Path) -> dict[str, float] | None:
    """Return peak memory (MB), CPU time (s), a sum of a case in a fresh process; None where a checkout has it not."""
    environment = os.environ | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-W", "ignore", __file__, "case", case, str(folder)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if "has no attribute 'searchlight_scores'" in done.stderr:
        return None
    if done.returncode:
        raise RuntimeError(f"{case}: {done.stderr}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def one_case(case: str, folder: Path) -> None:
    """Say what a case takes in this process."""
    start = time.process_time()
    total = float(np.nansum(CASES[case](folder).values))
    cpu = time.process_time() - start
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    peak_mb = int(peak.split()[1]) // 1024  # of this process alone, not of the one that started it
    sys.stdout.write(json.dumps({"peak_mb": peak_mb, "cpu_s": round(cpu, 1), "sum": total}) + "\n")


def difference_from_rsatoolbox() -> float | str:
    """Largest difference of the RDMs of the searchlights of a small volume, the same neighbours found by both."""
    try:
        from rsatoolbox.util import searchlight
    except ImportError:
        return "not installed"
    responses = volume((7, 6, 5), 8)
    mask = np.ones((7, 6, 5))
    centres, neighbours = searchlight.get_volume_searchlight(mask, radius=2.2, threshold=0)
    found = searchlight.get_searchlight_RDMs(responses.values, centres, neighbours, np.arange(8), verbose=False)
    near = ns.similarity.searchlights(responses, 6.6e-3)
    assert [sorted(n) for n in neighbours] == [row[row >= 0].tolist() for row in near.values]
    ours = ns.compute_rdm(responses, by=near, progress=False).values
    rows, columns = np.triu_indices(8, 1)
    return float(np.abs(found.dissimilarities - ours[:, rows, columns]).max())


def main(folder: Path, before: Path | None) -> None:
    """Measure, and keep the numbers."""
    here = Path(__file__).resolve().parents[2]
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        values = np.random.default_rng(0).poisson(0.1, tuple(COUNTS.values())).astype(float)
        attrs = {"quantity": "spike_count", "units": "spikes", "time_step": 1e-3}
        made = xr.DataArray(values, dims=tuple(COUNTS), name="responses", attrs=attrs)
        made.to_dataset().to_zarr(place / "counts.zarr", consolidated=False)
        del values, made
        assert_equal_to_what_is_in_memory(place)
        rows = []
        for case in CASES:
            row = {"case": case, "now": measured(case, place, here)}
            if before is not None:
                row["before"] = measured(case, place, before)
            rows.append(row)
    record = ns.runtime.provenance()
    content = {
        "results": rows,
        "difference_from_rsatoolbox": difference_from_rsatoolbox(),
        "machine": record["machine"],
        "libraries": record["libraries"],
    }
    storage.write_json(folder / "table4_memory.json", content)


if __name__ == "__main__":
    if sys.argv[1:2] == ["case"]:
        one_case(sys.argv[2], Path(sys.argv[3]))
    else:
        with called(__doc__) as given:
            main(given.folder(Path(__file__).parent), Path(given.words[1]) if len(given.words) > 1 else None)
