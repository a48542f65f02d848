"""Table 2 of the benchmarks: pictures that stay on disk, read for training, beside a plain DataLoader of torchvision.

JPEG files of ImageNet's size are made first: some thousand of their own, the others hard links of these. Both sides
read the same files with the same transforms and as many workers, in processes of their own, in turn: images a second of
CPU (all processes together), and the memory of all processes early and late in the epoch. Then it is counted how often
a number leaves its tensor while a batch is learned (by a dispatch mode of torch, so that none is missed, and by calls
that move whole tensors), which on a GPU is how often the processor waits for it; `--before` is an older checkout to
count the same in.

Run: python analyses/benchmarks/table2_images.py [folder] [--files 100000] [--own 2000] [--read 20000] [--before FOLDER]
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pairs import cpu_name
from PIL import Image

from neurosim import storage
from neurosim.runtime import limit_threads, provenance

BATCH, SIDE, N_CATEGORIES, ROUNDS = 64, 224, 100, 3
WIDTH, HEIGHT = 500, 375  # the mean size of an ImageNet picture; about 110 kB at this quality
PAGE = os.sysconf("SC_PAGE_SIZE")


def write_pictures(folder: Path, n_files: int, n_own: int) -> None:
    """Write `n_own` pictures of smooth noise, and hard links to them up to `n_files`, in folders of categories."""
    rng = np.random.default_rng(0)
    own: list[Path] = []
    for k in range(n_files):
        place = folder / f"category_{k % N_CATEGORIES:03d}" / f"{k:06d}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        if k < n_own:
            coarse = Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8))
            smooth = np.asarray(coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)).astype(np.int16)
            rough = (smooth + rng.integers(-24, 25, smooth.shape)).clip(0, 255).astype(np.uint8)
            Image.fromarray(rough).save(place, quality=92)
            own.append(place)
        else:
            os.link(own[k % n_own], place)


def transforms() -> Any:
    """Return what ImageNet is trained with; both sides end in the bytes of the picture, and scale them afterwards."""
    published = importlib.import_module("neurosim.networks.published")
    published.torchvision()
    v2 = importlib.import_module("torchvision.transforms.v2")
    return v2.Compose([v2.RandomResizedCrop(SIDE, antialias=True), v2.RandomHorizontalFlip(), v2.ToImage()])


def ours(folder: Path, workers: int) -> Iterator[Any]:
    """Yield batches on the device as training gets them."""
    from neurosim.networks.computing import Runtime
    from neurosim.networks.feeding import Feeder
    from neurosim.tasks.lazy import lazy_task
    from neurosim.tasks.rows import PictureView

    task = lazy_task(folder, view=PictureView(train=transforms()), test_fraction=0.01)
    return (p.inputs for p in Feeder(task, BATCH, 0, runtime=Runtime(workers=workers)).batches("train"))


def plain(folder: Path, workers: int) -> Iterator[Any]:
    """Yield batches of a plain loop over torchvision's ImageFolder, floats in 0..1."""
    import torch

    steps = transforms()
    folders = importlib.import_module("torchvision.datasets").ImageFolder(folder, steps)
    loader = torch.utils.data.DataLoader(folders, BATCH, shuffle=True, num_workers=workers)
    return (images.float() / 255 for images, _ in loader)


def memory_of_all() -> int:
    """Return the bytes that this process and its children hold, shared ones counted once a process."""
    own = os.getpid()
    children = Path(f"/proc/{own}/task/{own}/children").read_text().split()
    rows = [Path(f"/proc/{p}/statm") for p in (str(own), *children)]
    return sum(int(row.read_text().split()[1]) * PAGE for row in rows if row.exists())


def read(side: str, folder: Path, workers: int, n_images: int) -> dict[str, float]:
    """Read so many images; return wall and CPU seconds after the first batch, and memory early and late."""
    limit_threads(1)
    make: Callable[[Path, int], Iterator[Any]] = {"ours": ours, "plain": plain}[side]
    batches, held = make(folder, workers), []
    next(batches)
    before, started = _cpu_seconds(), time.perf_counter()
    for k, _ in enumerate(batches):
        if k % 8 == 0:
            held.append(memory_of_all())
        if (k + 1) * BATCH >= n_images:
            break
    wall = time.perf_counter() - started
    del batches
    quarter = max(1, len(held) // 4)
    return {
        "images": (k + 1) * BATCH,
        "wall_seconds": wall,
        "cpu_seconds": _cpu_seconds() - before,
        "memory_early": float(np.median(held[:quarter])),
        "memory_late": float(np.median(held[-quarter:])),
    }


def _cpu_seconds() -> float:
    """Return the CPU time of this process and of all its children, those that still run included."""
    tick, own = os.sysconf("SC_CLK_TCK"), os.getpid()
    alive = Path(f"/proc/{own}/task/{own}/children").read_text().split()
    running = sum(sum(map(int, _stat(p)[11:13])) for p in alive) / tick
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    self_ = resource.getrusage(resource.RUSAGE_SELF)
    return running + ended.ru_utime + ended.ru_stime + self_.ru_utime + self_.ru_stime


def _stat(process: str) -> list[str]:
    path = Path(f"/proc/{process}/stat")
    return path.read_text().rsplit(") ", 1)[1].split() if path.exists() else ["0"] * 20


COUNT = """
import json, sys
import numpy as np, torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from neurosim.networks.optimization import TrainingOptions
from neurosim.networks.training import train
from neurosim.schema import as_stimuli
from neurosim.tasks.classification import classification_task

waits = 0

class Counted(TorchDispatchMode):
    # every number that leaves its tensor, whoever asks: item, float, int, bool, an index

    def __torch_dispatch__(self, function, types, arguments=(), named=None):
        global waits
        waits += function is torch.ops.aten._local_scalar_dense.default
        return function(*arguments, **(named or {}))

def counted(plain):
    def asked(*arguments, **named):
        global waits
        waits += 1
        return plain(*arguments, **named)
    return asked

for name in ("tolist", "cpu"):  # whole tensors that leave
    setattr(torch.Tensor, name, counted(getattr(torch.Tensor, name)))

every = int(sys.argv[1])
asked = {}
if every:
    from neurosim.networks.computing import Runtime
    asked = {"runtime": Runtime(check_every=every)}
stimuli = as_stimuli(np.random.default_rng(0).random((1000, 8)), coords={"category": ["a", "b"] * 500})
task = classification_task(stimuli)
counts = []
for epochs in (1, 3):
    waits = 0
    with Counted():
        train(nn.Linear(8, 2), task, TrainingOptions(epochs, 4, optimizer="sgd"), device="cpu", progress=False, **asked)
    counts.append(waits)
print(json.dumps((counts[1] - counts[0]) / 2 / 200))
"""


def waits_a_batch(every: int, checkout: Path) -> float:
    """Return how often a number leaves its tensor, a batch of training; `every` 0 is a checkout without the option."""
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    command = [sys.executable, "-c", COUNT, str(every)]
    done = subprocess.run(command, cwd=checkout, env=environment, check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout))


def in_a_process(side: str, folder: Path, workers: int, n_images: int) -> dict[str, float]:
    """Return what :func:`read` finds in a process of its own."""
    command = [
        sys.executable,
        __file__,
        "--side",
        side,
        str(folder),
        "--workers",
        str(workers),
        "--read",
        str(n_images),
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def compare(folder: Path, workers: int, n_images: int) -> dict[str, Any]:
    """Return both sides, each the median of rounds in turn."""
    rows: dict[str, list[dict[str, float]]] = {"plain": [], "ours": []}
    for _ in range(ROUNDS):
        for side, found in rows.items():
            found.append(in_a_process(side, folder, workers, n_images))
    table: dict[str, Any] = {}
    for side, found in rows.items():
        table[side] = {name: float(np.median([row[name] for row in found])) for name in found[0]}
        table[side]["images_a_cpu_second"] = float(np.median([r["images"] / r["cpu_seconds"] for r in found]))
        table[side]["images_a_second"] = float(np.median([r["images"] / r["wall_seconds"] for r in found]))
    a_second = {side: [row["images"] / row["cpu_seconds"] for row in found] for side, found in rows.items()}
    ratios = [mine / other for mine, other in zip(a_second["ours"], a_second["plain"], strict=True)]
    return table | {"ratio_a_cpu_second": float(np.median(ratios)), "ratios": ratios, "asked": 0.95}


def main(asked: argparse.Namespace) -> None:
    """Measure, and keep the numbers."""
    if asked.folder.exists() and not asked.folder.is_dir():
        raise SystemExit(f"table2_images.py: {asked.folder} is a file; a folder for the results is asked.")
    with tempfile.TemporaryDirectory() as private:
        pictures = Path(private) / "pictures"
        write_pictures(pictures, asked.files, asked.own)
        sizes = [p.stat().st_size for p in sorted((pictures / "category_000").iterdir())]
        table = compare(pictures, asked.workers, asked.read)
    root = Path(__file__).resolve().parents[2]
    waits = {f"looked at every {every}": waits_a_batch(every, root) for every in (1, 50)}
    if asked.before is not None:
        waits["before"] = waits_a_batch(0, asked.before)
    content = {
        "pictures": {"files": asked.files, "own": asked.own, "mean_bytes": float(np.mean(sizes)), "read": asked.read},
        "reading": table | {"workers": asked.workers, "batch_size": BATCH, "rounds": ROUNDS},
        "waits_a_batch": waits,
        "cpu": cpu_name(),
        **{k: str(v) for k, v in provenance().items()},
    }
    storage.write_json(asked.folder / "table2_images.json", content)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent)
    parser.add_argument("--side", choices=["ours", "plain"])
    parser.add_argument("--before", type=Path)
    for name, value in (("files", 100_000), ("own", 2000), ("read", 20_000), ("workers", 2)):
        parser.add_argument(f"--{name}", type=int, default=value)
    given = parser.parse_args()
    if given.side is None:
        main(given)
    else:
        print(json.dumps(read(given.side, given.folder, given.workers, given.read)))
