"""Flip one bit at a time in the files and records of a finished store; every flip must be found.

``python -m tests.campaigns.bit_flips [400]`` writes ``bit_flips.json``.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from neurosim.study.engine.store import Store


def flipped_files(store: Path, rng: random.Random, n: int) -> Iterator[Path]:
    """Flip a random bit of a random file of an entry, record or result alike, give the file, and put it back."""
    files = sorted(p for p in store.glob("[0-9a-f][0-9a-f]/*/**/*") if p.is_file())
    for i in range(n):
        records = [p for p in files if p.name == "entry.json"]
        file = rng.choice(records if i % 2 else files)
        before = file.read_bytes()
        bit = rng.randrange(8 * len(before))
        changed = bytearray(before)
        changed[bit // 8] ^= 1 << bit % 8
        file.write_bytes(changed)
        yield file
        if not file.is_file():
            _put_back(store, file)
        file.write_bytes(before)


def _put_back(store: Path, file: Path) -> None:
    entry = next(p for p in file.parents if len(p.name) == 64)
    aside = next((store / "damaged").glob(f"{entry.name}-*"))
    aside.rename(entry)


def main(n: int) -> None:
    """Run the campaign on a small study."""
    from neurosim.study.run import run_study
    from tests.study.conftest import write_study

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        run_study(write_study(root / "study"), out=root / "out" / "small")
        store = root / "out" / ".steps"
        missed: list[str] = []
        in_records = 0
        for file in flipped_files(store, random.Random(0), n):
            key = next(p for p in file.parents if len(p.name) == 64).name
            in_records += file.name == "entry.json"
            if Store(store).find(key) is not None:
                missed.append(file.name)
    result = {"flips": n, "in_records": in_records, "found": n - len(missed), "missed": missed}
    Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n")
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
