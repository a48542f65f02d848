"""Recordings of every format, damaged or hostile: each is read or refused in one line, and nothing else happens.

``python -m tests.campaigns.hostile_recordings [5000]`` writes ``hostile_recordings.json``: by reader how many were read
and refused; and every traceback, message of more than one line, hang, crash, code run, file read or touched elsewhere.
"""

from __future__ import annotations

import json
import logging
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import neurosim as ns
from neurosim.recordings.reader import READERS
from neurosim.sonata_spikes import write_sonata_spikes
from tests.campaigns.tampering import DAMAGE, HOSTILE, SECRET
from tests.recordings.test_lab_formats import write_abf, write_mat73

LIMIT = 10  # s of computing
HANGS = 120  # s without the next file, twice, the second time alone
STARTS = 600  # s until the first
CODE = ("pickle.find_class", "os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "socket.connect", "os.mkdir")
armed: list[Path] = []
seen: list[str] = []


def watch(event: str, given: tuple[Any, ...]) -> None:
    """Note what runs code, and what opens files of the folder around that of the recording."""
    if not armed:
        return
    if event == "pickle.find_class" and str(given[0]) not in ("posix", "nt", "os"):
        return  # objects of its own that dask copies
    if event in CODE:
        seen.append(f"{event} {given!r}"[:200])
    elif event == "open" and isinstance(given[0], str | bytes):
        path = given[0] if isinstance(given[0], str) else given[0].decode(errors="replace")
        around, inside = str(armed[0].parent), str(armed[0])
        if (path.startswith(around) and not path.startswith(inside)) or path == "/etc/passwd":
            seen.append(f"opens {path}")


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """End what takes longer than some seconds of computing."""

    def ring(*_: object) -> None:
        raise TimeoutError(f"over {seconds} s of computing")

    signal.signal(signal.SIGVTALRM, ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def write_brainvision(path: Path) -> None:
    """Write a session as BrainVision does: a head, markers and samples in three files."""
    np.arange(40, dtype="<i2").tofile(path.with_suffix(".eeg"))
    head = "Brain Vision Data Exchange {} File Version 1.0\n[Common Infos]\nCodepage=UTF-8\nDataFile=x.eeg\n"
    marks = "[Marker Infos]\nMk1=Stimulus,S 1,1,1,0\nMk2=Stimulus,S 2,5,1,0\n"
    path.with_suffix(".vmrk").write_text(head.format("Marker") + marks)
    path.write_text(
        head.format("Header") + "MarkerFile=x.vmrk\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\n"
        "NumberOfChannels=2\nSamplingInterval=1000\n[Binary Infos]\nBinaryFormat=INT_16\n[Channel Infos]\n"
        "Ch1=a,,1,uV\nCh2=b,,1,uV\n"
    )


def write_neuroscope(path: Path) -> None:
    """Write a session as NeuroScope does: parameters in XML beside samples."""
    np.arange(40, dtype="<i2").tofile(path.with_suffix(".dat"))
    path.write_text(
        "<parameters><acquisitionSystem><nBits>16</nBits><nChannels>2</nChannels><samplingRate>1000</samplingRate>"
        "<voltageRange>10</voltageRange><amplification>1000</amplification><offset>0</offset></acquisitionSystem>"
        "<anatomicalDescription><channelGroups><group><channel>0</channel><channel>1</channel></group></channelGroups>"
        "</anatomicalDescription></parameters>"
    )


def write_sweeps(path: Path) -> None:
    """Write sweeps as arrays by name."""
    held = {"step_V_mV_int16": [[-700, -701]], "step_I_pA_int16": [[0, 5]]}
    np.savez(path, **held, step_V_mV_lsb=0.1, step_I_pA_lsb=10.0, step_rate_hz=1e4)


def write_clamp(path: Path) -> None:
    """Write two sweeps of voltage and current as pCLAMP does."""
    write_abf(path, ["mV", "pA"], np.arange(24, dtype=np.int16).reshape(2, 6, 2))


def write_simulated(path: Path) -> None:
    """Write three spikes of two nodes as simulations of large models do."""
    write_sonata_spikes(path, {"v1": (np.array([0, 1, 0]), np.array([0.125, 0.25, 0.375]))})


def neo_values(path: Path) -> Any:
    """Read the first signal of a session by Neo."""
    return ns.recordings.neo_series(ns.recordings.load_neo(path))


class Cases:
    """A small file of every format, and how each is read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reads: dict[str, tuple[str, str, Callable[[Path], Any]]] = {}
        for name, reader in READERS.items():
            if reader.example is None:
                continue
            for ending in reader.endings or ("",):
                self._add(name, ending, reader)
        self._write("neo", "x.vhdr", write_brainvision, neo_values)
        self._write("neo", "x.xml", write_neuroscope, neo_values)
        self._write("npz", "x.npz", write_sweeps, ns.recordings.load_sweeps)
        self._write("mat", "x.mat", write_mat73, ns.load_responses)
        self._write("abf", "x.abf", write_clamp, ns.recordings.load_sweeps)
        self._write("sonata", "x.h5", write_simulated, ns.recordings.load_spikes)

    def _add(self, name: str, ending: str, reader: Any) -> None:
        file = f"{'x-epo' if '.fif' in ending else 'x'}{ending}"
        place = self._place(name)
        options = ns.registry.called(reader.example)(place / file)
        given = {f: getattr(options, f) for f in options.__dataclass_fields__}

        def responses(path: Path) -> Any:
            here = {k: path.parent / v.relative_to(place) if isinstance(v, Path) else v for k, v in given.items()}
            return ns.load_responses(path, options=here, reader=name).load()

        self.reads[f"{place.name} responses"] = (name, file, responses)
        if reader.lazy:
            lazily = lambda path: ns.load_responses(path, options=given, reader=name, lazy=True)  # noqa: E731
            self.reads[f"{place.name} lazy"] = (name, file, lazily)
        others = {"spikes": ns.recordings.load_spikes, "sweeps": ns.recordings.load_sweeps}
        for kind in {"spikes", "sweeps"} & set(reader.gives):
            self.reads[f"{place.name} {kind}"] = (name, file, lambda path, k=kind: others[k](path, reader=name))
        if name == "nwb":
            self.reads[f"{place.name} series"] = (name, file, ns.recordings.load_nwb_series)

    def keep_those_that_are_read(self) -> None:
        """Leave out what an example does not hold; what is imported late is imported now."""
        for key, (_, file, read) in list(self.reads.items()):
            try:
                list(values_of(read(self.folder / key.split()[0] / file)))
            except ns.InputError:
                del self.reads[key]

    def _write(self, name: str, file: str, write: Callable[[Path], None], read: Callable[[Path], Any]) -> None:
        place = self._place(name)
        write(place / file)
        self.reads[f"{place.name} {file}"] = (name, file, read)

    def _place(self, name: str) -> Path:
        place = self.folder / f"{name}_{len(list(self.folder.iterdir()))}"
        place.mkdir()
        return place


def tamper(place: Path, sprung: Path, rng: random.Random) -> str:
    """Damage one file of a folder, or make it hostile, and say how."""
    file = rng.choice(sorted(p for p in place.rglob("*") if p.is_file()))
    if rng.random() < 0.3:
        how = rng.choice(sorted(HOSTILE))
        HOSTILE[how](file, sprung, rng)
        return f"{file.name} {how}"
    how, content = rng.choice(sorted(DAMAGE)), file.read_bytes()
    file.write_bytes(DAMAGE[how](content, rng) if content else b"\0")
    return f"{file.name} {how}"


def values_of(found: Any) -> Iterator[np.ndarray]:
    """Give the numbers of whatever a reader gave."""
    if isinstance(found, dict):
        for held in found.values():
            yield from values_of(held)
    elif hasattr(found, "data_vars"):
        yield from (np.asarray(v.values) for v in found.data_vars.values())
    else:
        yield np.asarray(found["time"] if hasattr(found, "columns") else found.values)


def one(cases: Cases, around: Path, number: int, seed: int) -> tuple[str, str, list[str]]:
    """Tamper with one file and read it; give its reader, what came of it, and what went wrong."""
    rng = random.Random(seed * 10**7 + number)
    key = sorted(cases.reads)[number % len(cases.reads)]
    name, file, read = cases.reads[key]
    place, sprung = around / "given", around / "sprung"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(cases.folder / key.split()[0], place)
    wrong, outcome = [], "refused"
    how = tamper(place, sprung, rng)
    armed[:], seen[:] = [place], []
    try:
        with within(LIMIT):
            numbers = [v for v in values_of(read(place / file)) if v.dtype.kind == "f"]
            outcome = "read"
        wrong += ["gives a secret of another file" for v in numbers if (v == SECRET).any()]
    except ns.InputError as error:
        if "\n" in str(error) or not str(error).isprintable() or len(str(error)) > 1500:
            wrong.append(f"not one line that can be printed: {str(error)[:300]!r}")
    except BaseException as error:
        outcome = "wrong"
        wrong.append(f"{type(error).__name__}: {str(error)[:300]!r}")
    finally:
        armed.clear()
    wrong += seen
    if sprung.exists():
        wrong.append("code was run")
        sprung.rmdir()
    return name, outcome, [f"{number} {key}, {how}: {w}" for w in wrong]


def some(begin: int, end: int, seed: int, progress: Path | None = None) -> dict[str, Any]:
    """Tamper with the files of some numbers and return what happened."""
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (originals := Path(name, "originals")).mkdir()
        cases = Cases(originals)
        around = Path(name, "around")
        around.mkdir()
        write_secrets(around)
        cases.keep_those_that_are_read()
        before = {p: p.read_bytes() for p in Path(name).rglob("*") if p.is_file()}
        for number in range(begin, end):
            if progress is not None:
                progress.write_text(str(number))
            reader, outcome, bad = one(cases, around, number, seed)
            counts[f"{reader} {outcome}"] += 1
            wrong += bad
        shutil.rmtree(around / "given", ignore_errors=True)
        after = {p: p.read_bytes() for p in Path(name).rglob("*") if p.is_file()}
        wrong += [f"touched {p}" for p in sorted(before.keys() ^ after.keys())]
        wrong += [f"changed {p}" for p in before.keys() & after.keys() if before[p] != after[p]]
    logging.disable(logging.NOTSET)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"counts": dict(counts), "wrong": wrong, "peak_GiB": round(peak, 2)}


def write_secrets(folder: Path) -> None:
    """Write files that no recording may read from."""
    import h5py

    np.save(folder / "secret.npy", np.full(6, SECRET))
    with h5py.File(folder / "secret.h5", "w") as file:
        file["values"] = np.full((3, 2), SECRET)


def apart(begin: int, end: int, seed: int, progress: Path) -> tuple[dict[str, Any] | None, str]:
    """Run some numbers in a process of their own; give what it found, or why it ended before."""
    command = [sys.executable, "-m", __spec__.name, "--some", str(begin), str(end), str(seed), str(progress)]
    with tempfile.TemporaryFile("w+") as told, tempfile.TemporaryFile("w+") as errors:
        running = subprocess.Popen(command, stdout=told, stderr=errors)
        last, since = "", time.time()
        while running.poll() is None:
            time.sleep(0.5)
            now = progress.read_text() if progress.exists() else ""
            last, since = (now, time.time()) if now != last else (last, since)
            limit = HANGS if last else STARTS
            if time.time() - since > limit:
                running.kill()
                running.wait()
                return None, f"hangs, for over {limit} s"
        told.seek(0)
        errors.seek(0)
        if running.returncode:
            return None, f"the process ended with {running.returncode}: {errors.read()[-300:]!r}"
        return json.loads(told.read().splitlines()[-1]), ""


def campaign(n: int, seed: int = 0, at_once: int = 250) -> dict[str, Any]:
    """Tamper with `n` files in processes of their own, so that what crashes or hangs is found; return what happened."""
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    peak, started = 0.0, time.time()
    with tempfile.TemporaryDirectory() as name:
        progress = Path(name, "progress")
        waiting = [(b, min(b + at_once, n)) for b in range(0, n, at_once)]
        while waiting:
            begin, end = waiting.pop(0)
            progress.unlink(missing_ok=True)
            found, why = apart(begin, end, seed, progress)
            if found is None and end - begin > 1:
                at = int(progress.read_text()) if progress.exists() else begin
                waiting[:0] = [(b, e) for b, e in ((begin, at), (at, at + 1), (at + 1, end)) if b < e]
                continue
            if found is None:
                wrong.append(f"{begin}: {why}")
                continue
            counts.update(found["counts"])
            wrong += found["wrong"]
            peak = max(peak, found["peak_GiB"])
            sys.stderr.write(f"{end} of {n}, {len(wrong)} wrong, {time.time() - started:.0f} s\n")
    return {"files": n, "counts": dict(sorted(counts.items())), "peak_GiB": peak, "wrong": wrong}


def main(words: list[str]) -> None:
    """Run the campaign and keep what it found."""
    if words[:1] == ["--some"]:
        begin, end, seed, progress = words[1:]
        sys.addaudithook(watch)
        sys.stdout.write(json.dumps(some(int(begin), int(end), int(seed), Path(progress))) + "\n")
        return
    result = campaign(int(words[0]) if words else 5000)
    Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n")
    sys.stdout.write(json.dumps(result, indent=2)[:6000] + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
