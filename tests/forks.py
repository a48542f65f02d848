"""Python commands as forks of a process that has imported the large libraries, for tests that start many of them.

``command("-m", "neurosim.study.engine.worker")`` starts what ``[sys.executable, "-m", ...]`` does; so with "-c". What
it starts is a small process that stands for the fork: it has its standard streams, folder and environment, ends with
its code or signal, and when it is killed so is the fork. Nothing of neurosim is imported before the fork. Tests of how
a process begins or of what it loads start a process of its own; so does everything where there is no Linux.
"""

from __future__ import annotations

import array
import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

LIBRARIES = (
    "brian2",
    "distributed",
    "fontTools.subset",
    "h5netcdf",
    "jinja2",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_pdf",
    "matplotlib.backends.backend_svg",
    "matplotlib.figure",
    "nir",
    "pandas",
    "pydantic",
    "scipy.stats",
    "sklearn.linear_model",
    "sklearn.manifold",
    "snntorch",
    "torch._dynamo",  # of every optimizer
    "typer",
    "xarray",
)
STREAMS = (0, 1, 2)
ADDRESS = "FORKS_OF_TESTS"  # the variable by which a fork finds who made it


def command(*words: str) -> tuple[str, ...]:
    """Return the words that start ``python -m module ...`` ``python -c code`` or ``python script.py`` as a fork."""
    if sys.platform != "linux":
        return (sys.executable, *words)
    return (sys.executable, "-I", "-S", __file__, "start", _server(), *words)


@cache
def _server() -> str:
    """Start the process that forks, once for this process and all that it starts; return where it listens."""
    if ADDRESS in os.environ:
        return os.environ[ADDRESS]
    folder = tempfile.TemporaryDirectory(prefix="forks-")
    address = str(Path(folder.name) / "socket")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    server = subprocess.Popen(
        [sys.executable, __file__, "serve", address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment | one_thread | {"MPLBACKEND": "agg"},
    )
    assert server.stdin is not None and server.stdout is not None
    assert server.stdout.readline() == b"ready\n"

    def end() -> None:
        server.stdin.close()
        server.wait()
        folder.cleanup()

    atexit.register(end)
    os.environ[ADDRESS] = address
    return address


def serve(address: str) -> list[str] | None:
    """Fork for whoever asks, until standard input closes; return in each fork the words that it has to run."""
    import gc
    import importlib

    path = sys.path[1:]
    for name in LIBRARIES:
        with suppress(ImportError):
            importlib.import_module(name)
    gc.freeze()
    running: dict[socket.socket, int] = {}
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakes)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen(64)
        os.write(1, b"ready\n")
        while True:
            ready = select.select([0, woken, listening, *running], [], [])[0]
            if 0 in ready:
                for child in running.values():
                    os.kill(child, signal.SIGKILL)
                return None
            if woken in ready:
                os.read(woken, 4096)
                _tell_those_that_ended(running)
            if listening in ready:
                asking, _ = listening.accept()
                asked, streams = _received(asking)
                child = os.fork()
                if child == 0:
                    for other in (listening, asking, *running):
                        other.close()
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    return _become(asked, streams, path)
                for stream in streams:
                    os.close(stream)
                running[asking] = child
            for asking in [a for a in ready if a in running]:  # it was killed, or it would say nothing
                with suppress(ProcessLookupError):
                    os.kill(running[asking], signal.SIGKILL)
                    os.waitpid(running[asking], 0)
                running.pop(asking)
                asking.close()


def _tell_those_that_ended(running: dict[socket.socket, int]) -> None:
    for asking, child in list(running.items()):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            del running[asking]
            with suppress(OSError):
                asking.sendall(str(os.waitstatus_to_exitcode(status)).encode())
            asking.close()


def _received(asking: socket.socket) -> tuple[dict, array.array]:
    """Return what is asked for, and the three standard streams of the one who asks."""
    streams = array.array("i")
    size, ancillary, _, _ = asking.recvmsg(8, socket.CMSG_SPACE(3 * streams.itemsize))
    streams.frombytes(ancillary[0][2])
    length, text = int.from_bytes(size, "big"), b""
    while len(text) < length:
        text += asking.recv(length - len(text))
    return json.loads(text), streams


def _become(asked: dict, streams: array.array, path: list[str]) -> list[str]:
    """Take the streams, folder and environment of the one who asks."""
    for stream, own in zip(streams, STREAMS, strict=True):
        os.dup2(stream, own)
        os.close(stream)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    if (logger := sys.modules.get("brian2.utils.logger")) is not None:  # the log is that of the server
        atexit.unregister(logger.clean_up_logging)
    given = [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
    words: list[str] = asked["words"]
    first = str(Path.cwd()) if words[0] in ("-m", "-c") else str(Path(words[0]).resolve().parent)
    sys.path[:] = [first, *given, *path]
    return words


def run(words: list[str]) -> None:
    """Run a module or a script as Python does."""
    import runpy

    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    sys.pycache_prefix = os.environ.get("PYTHONPYCACHEPREFIX")
    if words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    elif words[0] == "-c":
        sys.argv = ["-c", *words[2:]]
        exec(compile(words[1], "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")


def start(address: str, words: list[str]) -> None:
    """Ask for a fork, wait for it, and end as it ends."""
    asked = json.dumps({"words": words, "folder": str(Path.cwd()), "environment": dict(os.environ)}).encode()
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(address)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", STREAMS))]
        server.sendmsg([len(asked).to_bytes(8, "big")], rights)
        server.sendall(asked)
        for stream in STREAMS:
            os.close(stream)
        code = int(server.recv(16) or -signal.SIGKILL)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code not in (signal.SIGKILL, signal.SIGSTOP) else None
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    if sys.argv[1] == "start":
        start(sys.argv[2], sys.argv[3:])
    elif (to_run := serve(sys.argv[2])) is not None:
        run(to_run)
