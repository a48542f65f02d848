"""Seeds, device, threads, progress and provenance: the only room that may touch global state."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import importlib.metadata
import os
import platform
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sized
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from neurosim.refusals import InputError
from neurosim.version import __version__

if TYPE_CHECKING:
    import torch

T = TypeVar("T")
ProgressSink = Callable[[str, int, int], None]
NUMERIC_LIBRARIES = (
    "numpy",
    "scipy",
    "xarray",
    "torch",
    "snntorch",
    "brian2",
    "scikit-learn",
    "matplotlib",
    "pillow",
    "h5netcdf",
)

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4

_progress_sink: ProgressSink | None = None
_keeping_memory = 0
_device = "auto"


def as_rng(rng: np.random.Generator | int | None, who: str = "as_rng") -> np.random.Generator:
    """Return a generator from a generator or a seed (``None`` is seed 0: results repeat unless asked otherwise).

    Raises
    ------
    InputError : neither of these, said on behalf of `who`.

    Examples
    --------
    >>> int(as_rng(0).integers(100))
    85
    """
    if isinstance(rng, np.random.Generator):
        return rng
    try:
        return np.random.default_rng(0 if rng is None else rng)
    except (TypeError, ValueError):
        raise InputError(
            f"{who}: rng is a whole-number seed of 0 or more or a numpy.random.Generator, found {rng!r}."
        ) from None


def stream(seed: int, *key: str | int) -> np.random.Generator:
    """Return the random stream that belongs to (`seed`, purpose, stimulus, trial, ...), whoever asks and in any order.

    >>> bool(stream(1, "poisson", 3).random() == stream(1, "poisson", 3).random())
    True
    >>> bool(stream(1, "poisson", 3).random() == stream(1, "poisson", 4).random())
    False
    """
    digest = hashlib.sha256(repr((int(seed), *key)).encode()).digest()
    return np.random.Generator(np.random.Philox(key=np.frombuffer(digest[:16], dtype=np.uint64)))


def as_seed(rng: np.random.Generator | int, who: str) -> int:
    """Return a seed that is a whole number, or one drawn from a generator, for what keeps a stream for each thing.

    >>> as_seed(3, "here"), as_seed(np.random.default_rng(0), "here") < 2**63
    (3, True)
    """
    if isinstance(rng, np.random.Generator):
        return int(rng.integers(2**63 - 1))
    if isinstance(rng, bool) or not isinstance(rng, int | np.integer):
        found = " ".join(repr(rng).split())[:60]
        raise InputError(f"{who}: rng is a seed (a whole number) or a numpy Generator, found {found}.")
    if rng < 0:
        raise InputError(f"{who}: rng is a seed of 0 or more, or a numpy Generator, found {rng}.")
    return int(rng)


def seed_of(seed: int, *key: str | int) -> int:
    """Return a 63-bit seed that belongs to (`seed`, *key), for libraries that keep their own generator."""
    return int(stream(seed, *key).integers(2**63 - 1))


def use_device(device: str) -> None:
    """Let ``"auto"`` mean `device` from now on in this process."""
    global _device
    _device = device


def pick_device(device: str = "auto") -> str:
    """Return the torch device to use: ``"auto"`` is what :func:`use_device` said, else the GPU when there is one."""
    import torch

    device = _device if device == "auto" else device
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind = device.partition(":")[0]
    if kind not in ("cpu", "cuda", "mps"):
        raise InputError(f"device = {device!r} is not known; known: auto, cpu, cuda, mps.")
    if kind == "cuda" and not torch.cuda.is_available():
        raise InputError("device = 'cuda' was asked, but torch sees no GPU here; use device='auto' or 'cpu'.")
    return device


def torch_generator(rng: np.random.Generator | int, who: str) -> torch.Generator:
    """Return a generator of torch on the CPU from a seed, or from one drawn from a generator."""
    import torch

    return torch.Generator().manual_seed(as_seed(rng, who))


@contextlib.contextmanager
def torch_seeded(seed: int, deterministic: bool = True) -> Iterator[None]:
    """Seed torch and forbid non-deterministic kernels, if asked, in the block; leave both as they were after it."""
    import torch

    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    was, only_warns = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    with forked_random():
        torch.manual_seed(seed)
        torch.use_deterministic_algorithms(deterministic, warn_only=True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(was, warn_only=only_warns)


def forked_random() -> contextlib.AbstractContextManager[None]:
    """Return a block after which the random numbers of torch go on as before it, on the CPU and on every GPU."""
    import torch

    return torch.random.fork_rng(range(torch.cuda.device_count()))


@contextlib.contextmanager
def fast_kernels(*, tf32: bool, autotune: bool) -> Iterator[None]:
    """Let a GPU compute float32 in TensorFloat-32, and cuDNN choose by timing, inside the block, where asked.

    Torch has an old and a new way to say which, and refuses the old question after the new answer: both are kept.
    """
    import torch

    matmul, cudnn = torch.backends.cuda.matmul, cast(Any, torch.backends.cudnn)
    by_rule = {"fp32_precision": (matmul, cudnn.conv, cudnn.rnn), "allow_tf32": (matmul, cudnn)}
    timed, were = cudnn.benchmark, [(o, name, _asked(o, name)) for name, owners in by_rule.items() for o in owners]
    for owner, name, value in were if tf32 else []:
        if name == "allow_tf32" and value is not None:
            owner.allow_tf32 = True
        elif name == "fp32_precision" and _asked(owner if owner is matmul else cudnn, "allow_tf32") is None:
            owner.fp32_precision = "tf32"
    cudnn.benchmark = autotune or timed
    try:
        yield
    finally:
        cudnn.benchmark = timed
        for owner, name, value in reversed(were if tf32 else []):
            if value is not None:
                setattr(owner, name, value)


def _asked(owner: Any, name: str) -> Any:
    """Return a setting of torch, or None where it was made in a way that this name does not know."""
    with contextlib.suppress(RuntimeError):
        return getattr(owner, name)
    return None


def seed_everything(seed: int) -> None:
    """Seed what code that is not ours may draw from, in this process: torch on the CPU, numpy, ``random``."""
    import torch

    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    torch.default_generator.manual_seed(seed)


class RandomApart:
    """Random numbers of somebody's code, apart from all others: the states of torch, numpy and ``random``.

    Parameters
    ----------
    seed : decides them from the first entry on.

    Examples
    --------
    >>> apart = RandomApart(1)
    >>> with apart.entered():
    ...     first = random.random()
    >>> with RandomApart(1).entered():
    ...     bool(first == random.random())
    True
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.states: tuple[Any, ...] | None = None

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Draw from these numbers inside the block, going on where the last one ended; others stay as they were."""
        before = _random_states()
        if self.states is None:
            seed_everything(self.seed)
        else:
            _put_random_states(self.states)
        try:
            yield
        finally:
            self.states = _random_states()
            _put_random_states(before)


def _random_states() -> tuple[Any, ...]:
    import torch

    return random.getstate(), np.random.get_state(), torch.default_generator.get_state()  # noqa: NPY002


def _put_random_states(states: tuple[Any, ...]) -> None:
    import torch

    random.setstate(states[0])
    np.random.set_state(states[1])  # noqa: NPY002
    torch.default_generator.set_state(states[2])


@contextlib.contextmanager
def numpy_random_apart() -> Iterator[None]:
    """Let what draws from the one generator of numpy, as Brian2 does, be seeded inside the block; then go on as before.

    >>> before = np.random.get_state()[1]
    >>> with numpy_random_apart():
    ...     np.random.seed(3)
    >>> bool((np.random.get_state()[1] == before).all())
    True
    """
    state = np.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002


def limit_threads(n: int) -> None:
    """Cap the threads of BLAS, OpenMP and torch in this process, so that results do not depend on the machine."""
    import threadpoolctl

    threadpoolctl.threadpool_limits(n)
    if "torch" in sys.modules:
        import torch

        torch.set_num_threads(n)
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(n)))


def n_threads() -> int:
    """Return how many threads this process may use: those it was capped to, or the cores of the machine."""
    capped = os.environ.get("OMP_NUM_THREADS", "")
    return int(capped) if capped.isdigit() and int(capped) > 0 else os.cpu_count() or 1


@contextlib.contextmanager
def kept_memory() -> Iterator[None]:
    """Keep memory that is freed inside the block for the next array, instead of giving it back to the system each time.

    Arrays of some megabytes that come and go, as those of a training step, then are not filled with zeros by the
    system over and over. Only glibc knows how; elsewhere nothing happens. Blocks may lie inside each other.
    """
    global _keeping_memory
    library = _glibc()
    _keeping_memory += 1
    if library is not None and _keeping_memory == 1:
        library.mallopt(M_MMAP_MAX, 0)
        library.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
    try:
        yield
    finally:
        _keeping_memory -= 1
        if library is not None and _keeping_memory == 0:
            library.mallopt(M_MMAP_MAX, 65536)
            library.mallopt(M_TRIM_THRESHOLD, 128 * 1024)
            library.malloc_trim(0)


@functools.cache
def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux") or platform.libc_ver()[0] != "glibc":
        return None
    return ctypes.CDLL(None)


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """Work inside an empty folder that vanishes afterwards, out of reach of files that libraries read by themselves."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="neurosim-") as name:
        os.chdir(name)
        try:
            yield Path(name)
        finally:
            os.chdir(before)


def send_progress_to(sink: ProgressSink | None) -> None:
    """Hand every later progress report of this process to `sink` (name, done, total) instead of drawing it."""
    global _progress_sink
    _progress_sink = sink


def track(items: Iterable[T], name: str, total: int | None = None, progress: bool = True) -> Iterator[T]:
    """Yield `items` and show how far they are: a bar on stderr, nothing when it is not a terminal.

    >>> list(track([1, 2], "counting"))
    [1, 2]
    """
    total = total if total is not None else len(items) if isinstance(items, Sized) else 0
    if progress and _progress_sink is not None:
        for done, item in enumerate(items):
            _progress_sink(name, done, total)
            yield item
    elif progress and sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track as rich_track

        yield from rich_track(items, name, total=total or None, console=Console(stderr=True), transient=True)
    else:
        yield from items


@contextlib.contextmanager
def progress_bar(
    name: str, total: int, describe: Callable[[Any], tuple[int, str]], progress: bool = True
) -> Iterator[Callable[[Any], None]]:
    """Give a function that shows how far a long work is, with numbers that change: ``describe`` turns what it is given
    into (steps done, text). A bar on stderr, nothing when it is not a terminal.
    """
    if progress and _progress_sink is not None:
        sink = _progress_sink
        yield lambda state: sink(name, describe(state)[0], total)
    elif progress and sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[about]}"))
        with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(name, total=total, about="")

            def report(state: object) -> None:
                done, about = describe(state)
                bar.update(task, completed=done, about=about)

            yield report
    else:
        yield lambda state: None


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that numbers depend on."""
    return dict(_installed_versions())


@functools.cache
def _installed_versions() -> tuple[tuple[str, str], ...]:
    versions = [("python", platform.python_version())]
    for name in NUMERIC_LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions.append((name, importlib.metadata.version(name)))
    return tuple(versions)


def provenance() -> dict[str, Any]:
    """Return what a reader needs to know to repeat a result: versions, machine, threads, git state."""
    return {
        "neurosim": __version__,
        "libraries": library_versions(),
        "machine": {
            "system": platform.platform(),
            "processor": platform.machine(),
            "cpu_count": os.cpu_count(),
            "gpu": _gpu_name(),
        },
        "git": _git_state(),
    }


def _gpu_name() -> str | None:
    if "torch" not in sys.modules:
        return None
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def _git_state() -> dict[str, str | bool] | None:
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None

    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=False)
        return done.stdout.strip()

    return {"commit": git("rev-parse", "HEAD"), "modified": bool(git("status", "--porcelain"))}
