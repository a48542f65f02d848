"""Study, registry, circuit and checkpoint files that somebody has tampered with: one line each, or they still work.

``python -m tests.campaigns.hostile_files [10000]`` writes ``hostile_files.json``: how many were refused, how many still
could be used, and every traceback, every message of more than one line, every one that took over 10 s of computing,
every file touched.
"""

from __future__ import annotations

import json
import os
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from neurosim import storage
from neurosim.biophysics import load_circuit, save_circuit, single_neuron
from neurosim.biophysics.neurons.lif import LIFParameters
from neurosim.networks import MLPSpecification, TrainingOptions, build_network
from neurosim.networks.training import train
from neurosim.recordings import register_datasets
from neurosim.recordings.described import VARIABLE
from neurosim.schema import InputError
from neurosim.stimuli import load_digits
from neurosim.study import check_study
from neurosim.tasks import classification_task

TOKEN = re.compile(r'"[^"\n]*"|[\w.+-]+|[^\w\s]|\n| +')
PIECES = (
    *("1e309", "nan", "-1", "0", "true", "[]", "{}", '""', "[[[[]]]]", "1e-320", "-0.0", "3.5", "null", "'"),
    *('"../../outside"', '"/etc/passwd"', '"a\\u0000b"', '"\\u001b[31mred"', '"\\u202e"', '"function"', '"os.system"'),
    *(
        "\x00",
        "\x1b]0;x\x07",
        "[" * 200,
        "{a=" * 200,
        "9" * 5000,
        '"' + "x" * 100_000 + '"',
        '"~/.ssh/id_rsa"',
        "\ud7ff",
    ),
)
REGISTRY = """
[mine]
folder = "mine"
home = "https://example.org"
citation = "Nobody (2026) Nowhere, https://doi.org/10.1000/nothing"
licence = "CC0"
recordings.area = { file = "area.npz", kind = "rdms", variable = "rdm", dims = ["subject"] }
files = [{ name = "area.npz", sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }]
"""


def tampered(text: str, rng: random.Random) -> str:
    """Return text with a few of its tokens left out, doubled, swapped or replaced by what should not stand there."""
    tokens = TOKEN.findall(text)
    for _ in range(rng.randint(1, 3)):
        i = rng.randrange(len(tokens))
        action = rng.randrange(5)
        if action == 0:
            tokens[i] = ""
        elif action == 1:
            tokens[i] *= 2
        elif action == 2:
            j = rng.randrange(len(tokens))
            tokens[i], tokens[j] = tokens[j], tokens[i]
        else:
            tokens[i] = rng.choice(PIECES)
    return "".join(tokens)


def flipped(content: bytes, rng: random.Random) -> bytes:
    """Return bytes with some flipped, cut off or put in."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 6)):
        i = rng.randrange(len(changed))
        action = rng.randrange(3)
        if action == 0:
            changed[i] ^= 1 << rng.randrange(8)
        elif action == 1:
            del changed[i : i + rng.randint(1, 64)]
        else:
            changed[i:i] = rng.randbytes(rng.randint(1, 64))
        if not changed:
            break
    return bytes(changed)


@contextmanager
def unregistered() -> Iterator[None]:
    """Leave no set registered that was not before."""
    before = os.environ.get(VARIABLE)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(VARIABLE, None)
        else:
            os.environ[VARIABLE] = before


class Files:
    """The four files, as they should be, and how each is read."""

    def __init__(self, folder: Path) -> None:
        from tests.study.conftest import write_study

        self.folder = folder
        self.study = write_study(folder / "study")
        (folder / "sets.toml").write_text(REGISTRY)
        save_circuit(folder / "circuit.nc", single_neuron(LIFParameters(), 1e-4))
        self.learn(folder / "state.safetensors")
        self.original = {p: p.read_bytes() for p in (*self.everything(),)}

    def everything(self) -> list[Path]:
        """Return all files that stand in the folder."""
        return sorted(p for p in self.folder.rglob("*") if p.is_file())

    def learn(self, checkpoint: Path) -> None:
        """Train for an epoch, from a checkpoint if there is one."""
        task = classification_task(load_digits()[:60], rng=0)
        torch.manual_seed(0)
        network = build_network(MLPSpecification((4,)), (8, 8), 10)
        train(network, task, TrainingOptions(2), checkpoint=checkpoint, device="cpu", progress=False)

    def kinds(self) -> dict[str, Callable[[random.Random], None]]:
        """Return, by kind of file, what tampers with one and reads it."""
        return {"study": self._study, "registry": self._registry, "circuit": self._circuit, "checkpoint": self._state}

    def _study(self, rng: random.Random) -> None:
        path = self.study.with_name("tampered.toml")
        text = tampered(self.original[self.study].decode(), rng)
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        check_study(path, out=self.folder / "out" / "small")

    def _registry(self, rng: random.Random) -> None:
        path = self.folder / "tampered_sets.toml"
        path.write_bytes(tampered(REGISTRY, rng).encode("utf-8", "surrogatepass"))
        with unregistered():
            register_datasets(path)

    def _circuit(self, rng: random.Random) -> None:
        whole, path = self.folder / "circuit.nc", self.folder / "tampered.nc"
        if rng.random() < 0.5:
            path.write_bytes(flipped(self.original[whole], rng))
        else:
            found = storage.read_dataset(whole)
            name = rng.choice(sorted(found.attrs))
            found.attrs[name] = tampered(str(found.attrs[name]), rng).replace("\x00", "")
            storage.write_dataset(path, found)
        load_circuit(path)

    def _state(self, rng: random.Random) -> None:
        whole, path = self.folder / "state.safetensors", self.folder / "tampered.safetensors"
        if rng.random() < 0.5:
            path.write_bytes(flipped(self.original[whole], rng))
        else:
            arrays = storage.read_weights(whole)
            text = tampered(arrays["state"].tobytes().decode(), rng)
            arrays["state"] = np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8)
            storage.write_weights(path, arrays)
        self.learn(path)


def campaign(n: int, seed: int = 0) -> dict[str, object]:
    """Tamper with `n` files and return what happened."""
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        files = Files(Path(name))
        kinds = list(files.kinds().items())
        for i in range(n):
            kind, read = kinds[i % len(kinds)]
            rng, started = random.Random(seed * 10**6 + i), time.process_time()
            try:
                read(rng)
                counts[f"{kind} used"] += 1
            except InputError as error:
                counts[f"{kind} refused"] += 1
                if not str(error).isprintable():
                    wrong.append(f"{i} {kind}: not one line that can be printed: {str(error)[:200]!r}")
            except Exception as error:
                wrong.append(f"{i} {kind}: {type(error).__name__}: {str(error)[:200]!r}")
            if time.process_time() - started > 10:
                wrong.append(f"{i} {kind}: took over 10 s of computing")
        touched = [str(p) for p, content in files.original.items() if not p.is_file() or p.read_bytes() != content]
        wrong += [f"{p} was touched" for p in touched]
    return {"files": n, "counts": dict(sorted(counts.items())), "wrong": wrong}


def main(n: int) -> None:
    """Run the campaign and keep what it found."""
    result = campaign(n)
    Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n")
    sys.stdout.write(json.dumps(result, indent=2)[:6000] + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
