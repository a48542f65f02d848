"""Submit a study to the queue of a cluster, and let the last job write its results folder."""

from __future__ import annotations

from pathlib import Path

from neurosim import storage
from neurosim.refusals import InputError
from neurosim.study.engine.orders import DEVICES
from neurosim.study.engine.slurm import Array, python_command, submit_steps
from neurosim.study.engine.store import Store
from neurosim.study.files import find_study
from neurosim.study.folder import replaceable
from neurosim.study.plan import check_files, plan
from neurosim.study.run import read_study, results_folder, store_of


def submit_study(
    path: str | Path,
    *,
    out: str | Path | None = None,
    store: str | Path | None = None,
    device: str = "cpu",
    options: str = "",
) -> list[Array]:
    """Submit the steps of a study that are not in the store as SLURM array jobs, one for each kind of step.

    Parameters
    ----------
    path : the study file, or the name of a built-in study.
    out : results folder; ``results/<name>`` by default.
    store : folder of step results on a file system that nodes share; ``.steps`` beside the results folder by default.
    device : "cpu" or "cuda", what the nodes have.
    options : further options of sbatch, such as ``"--partition=long --time=12:00:00"``.

    Returns
    -------
    The array jobs, in the order of their submission, the one that writes the results folder last; empty if every step
    is in the store or in the queue.

    Raises
    ------
    InputError : something in the study cannot be done, or SLURM is not here or refuses.

    Examples
    --------
    >>> ns.study.submit_study("digits", device="gpu")
    Traceback (most recent call last):
    neurosim.schema.InputError: submit: the device of the nodes is cpu or cuda, found 'gpu'.
    """
    if device not in DEVICES:
        raise InputError(f"submit: the device of the nodes is {' or '.join(DEVICES)}, found {device!r}.")
    path = find_study(path).resolve()
    study, _, base = read_study(path)
    folder = results_folder(study, out).resolve()
    replaceable(folder)
    check_files(study, base)
    kept = Store(store_of(folder, store).resolve())
    storage.check_writable(kept.root)
    words = ("--out", str(folder), "--store", str(kept.root), "--device", device, "--quiet")
    last = python_command("report", str(path), *words)
    return submit_steps(plan(study, base), kept, name=study.name, device=device, options=options, last=last)
