"""Figure 2 of the benchmarks: simulation of 50 stimuli x 200 neurons x 200 ms against Brian2 written by hand.

Run: python analyses/benchmarks/fig2_simulation_speed.py [folder] [--redraw]
"""

import sys
from pathlib import Path

from pairs import run
from ratios import report, table
from simulation_pairs import BENCHMARKS, FIRST_RESULT, TRANSLATION, build_and_rerun, cpu_seconds

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import called


def measure() -> dict[str, object]:
    """Run all pairs, and what has no peer: CPU seconds of a first result and of a translation with its check."""
    found = run(BENCHMARKS)
    alone = {
        "first_result_cpu_seconds": cpu_seconds(FIRST_RESULT),
        "translate_and_verify_cpu_seconds": cpu_seconds(TRANSLATION),
    }
    about = {k: str(v) for k, v in found.attrs.items()}
    return {"results": table(found), **about, **alone, **build_and_rerun()}


if __name__ == "__main__":
    with called(__doc__) as given:
        report("fig2_simulation_speed", measure, given)
