"""Figure 1 of the benchmarks: how many times faster RDMs, their comparison and inference are than in other tools.

Each side has a process of its own, of one thread, and times are those of the processor.

Run: python analyses/benchmarks/fig1_similarity_speed.py [folder] [--redraw]
"""

import sys
from pathlib import Path

from apart import run_apart
from ratios import report, table

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import called


def measure() -> dict[str, object]:
    """Run all pairs."""
    found = run_apart("similarity_pairs", repeats=3, memory=True, fresh=False)
    return {"results": table(found), **{k: str(v) for k, v in found.attrs.items()}}


if __name__ == "__main__":
    with called(__doc__) as given:
        report("fig1_similarity_speed", measure, given)
