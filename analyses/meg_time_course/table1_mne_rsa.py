"""Table 1: RDMs over time and their scores beside those of MNE-RSA, on the same evoked responses.

Run, with mne-rsa on the path: python analyses/meg_time_course/table1_mne_rsa.py. Equality is asserted before anything
is written; CPU times are the shortest of five.
"""

import sys
import time
from importlib.metadata import version
from pathlib import Path

import mne
import numpy as np

import neurosim as ns
from neurosim import runtime, storage

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import called

OUT = Path(__file__).with_suffix(".json")
METRICS = {"correlation": "correlation", "euclidean": "sqeuclidean", "cosine": "cosine", "manhattan": "cityblock"}
METHODS = {"spearman": "spearman", "corr": "pearson", "tau_a": "kendall-tau-a"}
TOLERANCE = 1e-9


def evoked_responses(n_stimuli: int = 12, n_times: int = 60, seed: int = 0) -> list[mne.Evoked]:
    """Return one evoked response a stimulus: patterns that rise and fall over the head, in noise."""
    rng = np.random.default_rng(seed)
    montage = mne.channels.make_standard_montage("biosemi32")
    info = mne.create_info(montage.ch_names, 100.0, "eeg", verbose="error").set_montage(montage)
    course = np.exp(-0.5 * ((np.arange(n_times) - 30) / 8) ** 2)
    values = rng.normal(size=(n_stimuli, 32, 1)) * course + 0.5 * rng.normal(size=(n_stimuli, 32, n_times))
    return [
        mne.EvokedArray(1e-6 * v, info, tmin=-0.1, comment=f"picture {k:02d}", verbose="error")
        for k, v in enumerate(values)
    ]


def compute(evoked: list[mne.Evoked]) -> list[dict[str, object]]:
    """Return, for each metric and method, how far the two are apart and how long both take."""
    import mne_rsa

    responses = ns.recordings.load_epochs(evoked, picks="eeg")
    model = np.random.default_rng(1).random((len(evoked), 3))
    wanted = ns.compute_rdm(ns.as_responses(model, stimuli=[e.comment for e in evoked]), "euclidean")
    rows = []
    for metric, of_scipy in METRICS.items():
        for method, of_peer in METHODS.items():
            ours, cpu = _timed(lambda m=metric, s=method: ns.compare_rdms(ns.compute_rdm(responses, m), wanted, s))
            theirs, cpu_peer = _timed(
                lambda m=of_scipy, s=of_peer: mne_rsa.rsa_evokeds(
                    evoked, wanted.values, temporal_radius=0, evoked_rdm_metric=m, rsa_metric=s
                )
            )
            at = ours.sel(time=theirs.times, method="nearest")
            difference = float(np.abs(at.values - theirs.data[0]).max())
            assert len(theirs.times) == responses.sizes["time"] and difference < TOLERANCE, (metric, method, difference)
            rows.append(
                {"metric": metric, "method": method, "difference": difference, "cpu_s": cpu, "cpu_s_mne_rsa": cpu_peer}
            )
    return rows


def _timed(call, repeats: int = 5):
    """Return what a call gives, and the shortest CPU time it took."""
    found, best = None, np.inf
    for _ in range(repeats):
        start = time.process_time()
        found = call()
        best = min(best, time.process_time() - start)
    return found, best


def main() -> None:
    """Compare, and write the table."""
    mne.set_log_level("error")
    rows = compute(evoked_responses())
    about = {"rows": rows, "versions": {n: version(n) for n in ("mne", "mne-rsa")}, "provenance": runtime.provenance()}
    storage.write_json(OUT, about, sort_keys=False)


if __name__ == "__main__":
    with called(__doc__) as given:
        main()
