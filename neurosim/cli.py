"""The command line: ``neurosim demo | new | check | run | submit | status | verify | report | crate | cache | doctor``
(and ``worker``).

Results go to stdout, progress to stderr (off with ``--quiet``); ``--json`` prints results for machines. Exit code 0 is
success, 2 something the user can mend, 3 a step that failed.
"""

from __future__ import annotations

import json as json_module
import shlex
import sys
import threading
import time
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

import neurosim as ns

NOTHING_TO_SUBMIT = "Every step is in the store or in the queue; neurosim report writes the results folder."
LONG, SELDOM = 2.0, 10.0  # seconds: steps that get a line of progress, and lines at most
RESULTS_STORE = Path("results") / ".steps"
USER_ERROR, STEP_ERROR, INTERRUPTED = 2, 3, 130

app = typer.Typer(
    help="Trained networks, Brian2 circuits and recorded brains, compared as representations, reproducibly.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
cache = typer.Typer(help="Results of steps and compiled code that are kept between runs.", no_args_is_help=True)
app.add_typer(cache, name="cache")
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Jobs = Annotated[int, typer.Option("-j", "--jobs", min=0, help="Steps run at once; 0 is one a core.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Results folder; results/<name> by default.")]
KeptIn = Annotated[
    Path | None, typer.Option("--store", help="Folder of step results; .steps beside the results folder by default.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No lines of progress on stderr.")]
Device = Annotated[str, typer.Option(help="What steps run on: cpu, cuda, or auto for a GPU where there is one.")]
Prefix = Annotated[str, typer.Option(help='Command that starts each worker, as "srun -n1 -c2" or "ssh node2".')]
Dask = Annotated[str, typer.Option(help="Address of a dask scheduler whose workers run the steps.")]
StudyFile = Annotated[
    Path,
    typer.Argument(help="A study file (TOML or Python), or the name of a built-in study."),
]


@app.callback(invoke_without_command=True)
def start(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Trained networks, Brian2 circuits and recorded brains, compared as representations, reproducibly."""
    if version:
        _say(f"neurosim {ns.__version__}")
        raise typer.Exit


@app.command()
def demo(
    out: Out = None,
    data: Annotated[Path | None, typer.Option(help="Folder of real data: also run the 92 objects.")] = None,
    store: KeptIn = None,
    jobs: Jobs = 0,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run the first study; where a data folder is given (or NEUROSIM_DATA set), also the one on real brains."""
    if data is not None:
        ns.use_data_folder(data)
    studies = ["digits"] + (["object_vision"] if ns.data_folder() else [])
    base = out or Path("results")
    for name in studies:
        _print_run(_run(ns.study.find_study(name), base / name, store, jobs, ns.study.Launch(), quiet), json)


@app.command()
def run(
    study: StudyFile,
    out: Out = None,
    store: KeptIn = None,
    jobs: Jobs = 0,
    launch: Prefix = "",
    dask: Dask = "",
    device: Device = "auto",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run a study; steps that are in the store are not run again."""
    where = ns.study.Launch(launch, dask, device)
    _print_run(_run(ns.study.find_study(study), out, store, jobs, where, quiet), json)


@app.command()
def submit(
    study: StudyFile,
    slurm: Annotated[bool, typer.Option("--slurm", help="To SLURM, the one queue that is known.")] = False,
    slurm_options: Annotated[str, typer.Option(help='Further options of sbatch, as "--partition=long".')] = "",
    out: Out = None,
    store: KeptIn = None,
    device: Annotated[str, typer.Option(help="What the nodes have: cpu or cuda.")] = "cpu",
    json: Json = False,
) -> None:
    """Submit a study to the queue of a cluster: one array job a kind of step; the last job writes the results."""
    if not slurm:
        raise typer.BadParameter("say which queue: --slurm.")
    file = ns.study.find_study(study)
    jobs = ns.study.submit_study(file, out=out, store=store, device=device, options=slurm_options)
    if json:
        _say(json_module.dumps([j.__dict__ for j in jobs], indent=2))
        return
    for j in jobs:
        _say(f"{j.job}  {j.name:12}  {f'{len(j.steps)} steps' if j.steps else 'writes the results folder'}")
    _say(f"Device of the nodes: {device}. neurosim status says how far it is." if jobs else NOTHING_TO_SUBMIT)


@app.command()
def worker(
    job: Annotated[Path | None, typer.Argument(help="A job description (JSON); standard input by default.")] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Take jobs, a line each, until standard input closes.")
    ] = False,
) -> None:
    """Do one step that a job description asks for; the answer is JSON on stdout, and the exit code that of the step."""
    raise typer.Exit(ns.study.do_job(job, serve=serve))


@app.command()
def check(study: StudyFile, out: Out = None, store: KeptIn = None, device: Device = "auto", json: Json = False) -> None:
    """Print the steps of a study with what the store has of them. Runs nothing."""
    looks = ns.study.check_study(ns.study.find_study(study), out=out, store=store, device=device)
    rows = [{"step": x.step.name, "state": x.state, "reads": list(x.step.inputs)} for x in looks]
    if json:
        _say(json_module.dumps(rows, indent=2))
        return
    for row in rows:
        _say(f"{row['state']:5}  {row['step']:28}  {'<- ' + ', '.join(row['reads']) if row['reads'] else ''}")
    _say(f"{sum(r['state'] == 'hit' for r in rows)} of {len(rows)} steps are in the store.")


@app.command()
def status(
    study: StudyFile, out: Out = None, store: KeptIn = None, device: Device = "auto", json: Json = False
) -> None:
    """Say how far a study is and whether its results folder is whole."""
    state = ns.study.study_status(ns.study.find_study(study), out=out, store=store, device=device)
    text = {None: "not written yet", True: "whole", False: "damaged; run again to repair it"}[state["whole"]]
    line = f"{state['hits']} of {state['steps']} steps done; {state['folder']}: {text}."
    _say(json_module.dumps(state) if json else line)


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="A results folder.")],
    rerun: Annotated[
        bool, typer.Option("--rerun", help="Recompute every step in fresh processes and compare.")
    ] = False,
    trust_code: Annotated[
        bool, typer.Option("--trust-code", help="Let --rerun run the functions of the study that the folder holds.")
    ] = False,
    jobs: Jobs = 0,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Check the files of a results folder, and with --rerun that a fresh run gives the same."""
    ns.study.check_results(folder)
    if not rerun:
        _say(json_module.dumps({"damaged": []}) if json else f"{folder}: every file is as it was written.")
        return
    with _Progress(quiet) as progress:
        verdicts = ns.study.rerun_results(folder, trust_code=trust_code, jobs=jobs or None, report=progress)
    differing = [v for v in verdicts if v.verdict == "differs"]
    changes = ns.study.environment_changes(folder)
    if json:
        _say(json_module.dumps({"steps": [v.__dict__ for v in verdicts], "environment": changes}, indent=2))
    else:
        for v in verdicts:
            _say(f"{v.verdict:16}  {v.step:28}  {v.detail}")
        for change in changes:
            _say(f"changed: {change}")
        first = f"the first that differs is {differing[0].step}" if differing else "all repeat"
        _say(f"{sum(v.verdict == 'bitwise' for v in verdicts)} of {len(verdicts)} steps and files bitwise; {first}.")
    if differing:
        raise typer.Exit(STEP_ERROR)


@app.command()
def report(
    study: StudyFile,
    out: Out = None,
    store: KeptIn = None,
    device: Device = "auto",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write the results folder and report again from the store; nothing is computed that is there."""
    _print_run(_run(ns.study.find_study(study), out, store, 1, ns.study.Launch(device=device), quiet), json)


@app.command()
def crate(
    folder: Annotated[Path, typer.Argument(help="A results folder.")],
    author: Annotated[list[str], typer.Option(help='A name, as "Ada Lovelace (ORCID)"; once for each author.')],
    licence: Annotated[str, typer.Option(help="By SPDX, as CC-BY-4.0, or an address.")],
    published: Annotated[str, typer.Option(help="The date, as 2026-11-28.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The zip; FOLDER.zip by default.")] = None,
    json: Json = False,
) -> None:
    """Write a results folder as an RO-Crate: one zip for a repository, with authors, licence, papers and software."""
    path = out or folder.with_name(f"{folder.resolve().name}.zip")
    path = ns.study.save_crate(folder, path, authors=author, licence=licence, published=published)
    _say(json_module.dumps({"crate": str(path)}) if json else f"Crate: {path}")


@app.command()
def new(folder: Annotated[Path, typer.Argument(help="Folder to write the template into.")], json: Json = False) -> None:
    """Write a working template: your model against your data."""
    files = [str(p) for p in ns.study.new_study(folder)]
    lines = [*files, f"Next: cd {shlex.quote(str(folder))}; python compare.py   or   neurosim run study.toml"]
    _say(json_module.dumps(files) if json else "\n".join(lines))


@cache.command("list")
def list_kept(store: KeptIn = None, json: Json = False) -> None:
    """Print what is kept: results of steps in a store, and compiled code."""
    _print_kept(ns.study.kept(store or RESULTS_STORE), json)


@cache.command("size")
def size_of_kept(store: KeptIn = None, json: Json = False) -> None:
    """Print how much space what is kept takes, by kind."""
    sizes: dict[str, list[int]] = {}
    for thing in ns.study.kept(store or RESULTS_STORE):
        sizes.setdefault(thing.kind, []).append(thing.size)
    if json:
        _say(json_module.dumps({kind: {"n": len(found), "bytes": sum(found)} for kind, found in sizes.items()}))
        return
    for kind, found in sizes.items():
        _say(f"{sum(found) / 2**20:10.1f} MiB  {len(found):6}  {kind}")
    _say(f"{sum(map(sum, sizes.values())) / 2**20:10.1f} MiB  in all")


@cache.command("verify")
def verify_kept(store: KeptIn = None, json: Json = False) -> None:
    """Read every file that is kept and compare it with its seal; what is damaged is named, and left as it is."""
    things = ns.study.kept(store or RESULTS_STORE, check=True)
    damaged = [thing for thing in things if thing.damage]
    _print_kept(damaged, json)
    if not json:
        _say(
            f"{len(damaged)} of {len(things)} are damaged; neurosim cache prune deletes them." if damaged else "Whole."
        )
    if damaged:
        raise typer.Exit(STEP_ERROR)


@cache.command("prune")
def prune_kept(
    store: KeptIn = None,
    older_than: Annotated[
        float | None, typer.Option(min=0, help="Also what is whole and was not used for so many days.")
    ] = None,
    json: Json = False,
) -> None:
    """Delete what is damaged, logs of failed steps and unfinished builds; nothing that neurosim did not put there."""
    gone = ns.study.prune(store or RESULTS_STORE, older_than=older_than)
    _print_kept(gone, json)
    if not json:
        _say(f"{len(gone)} deleted, {sum(t.size for t in gone) / 2**20:.1f} MiB.")


@app.command()
def doctor(json: Json = False) -> None:
    """Look at this machine: libraries, devices, disk, data folder."""
    findings = ns.study.examine_machine(Path("results"))
    if json:
        _say(json_module.dumps([f.__dict__ for f in findings], indent=2))
    else:
        for f in findings:
            _say(f"{f.state:8} {f.what:34} {f.text}")
    if any(f.state == "problem" for f in findings):
        raise typer.Exit(USER_ERROR)


def main() -> None:
    """Run the command line; errors are one line on stderr."""
    try:
        code = app(standalone_mode=False, prog_name="neurosim")
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as error:
        if not hasattr(error, "exit_code"):
            raise
        _fail(str(error), error.exit_code)
    if code == INTERRUPTED:
        _fail("stopped; what was finished is kept, run again to go on.", INTERRUPTED)
    sys.exit(code or 0)


def _run(
    path: Path, out: Path | None, store: Path | None, jobs: int, launch: ns.study.Launch, quiet: bool
) -> ns.study.Outcome:
    with _Progress(quiet) as progress:
        return ns.run_study(path, out=out, store=store, jobs=jobs or None, launch=launch, report=progress)


def _print_run(outcome: ns.study.Outcome, json: bool) -> None:
    if json:
        _say(json_module.dumps({k: str(v) if isinstance(v, Path) else v for k, v in outcome.__dict__.items()}))
        return
    n_run = outcome.n_steps - outcome.n_hits
    _say(f"{n_run} steps run, {outcome.n_hits} from the store.\nReport: {outcome.report}")


def _print_kept(things: list[ns.study.Kept], json: bool) -> None:
    if json:
        _say(json_module.dumps([{**thing.__dict__, "path": str(thing.path)} for thing in things], indent=2))
        return
    for t in things:
        name = "".join(c if c.isprintable() else "?" for c in t.name)
        _say(f"{t.size / 2**20:8.1f} MiB  {t.unused:6.1f} days  {t.kind:14}  {name:34}  {t.damage}".rstrip())


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _fail(message: str, code: int) -> NoReturn:
    if message:
        sys.stderr.write("neurosim: " + " ".join(message.split()) + "\n")
    sys.exit(code)


class _Progress:
    """Progress on stderr: a bar on a terminal, elsewhere a line now and then, for each long step, and at the end."""

    def __init__(self, quiet: bool = False) -> None:
        self.lock = threading.Lock()
        self.at_work: dict[str, str] = {}
        self.n_done = self.n_hits = self.n_steps = 0
        self.quiet = quiet
        self.bar: Any = None
        self.started = self.last = time.monotonic()

    def __enter__(self) -> _Progress:
        if sys.stderr.isatty() and not self.quiet:
            from rich.console import Console
            from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

            columns = (
                SpinnerColumn(),
                TextColumn("{task.completed} steps"),
                TimeElapsedColumn(),
                TextColumn("{task.description}"),
            )
            self.bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self.task = self.bar.add_task("starting", total=None)
            self.bar.start()
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if self.bar is not None:
            self.bar.stop()
        elif error is None and self.n_done:
            self._line(f"done in {time.monotonic() - self.started:.0f} s, {self.n_hits} from the store")

    def __call__(self, step: str, event: str, text: str) -> None:
        with self.lock:
            if event == "steps":
                self.n_steps = int(text)
            elif event in ("start", "progress"):
                self.at_work[step] = f"{step} ({text})" if text else step
            elif event in ("done", "hit", "failed"):
                self.at_work.pop(step, None)
                self.n_done += event != "failed"
                self.n_hits += event == "hit"
            elif event == "note":
                sys.stderr.write(f"note: {step}: {text}\n")
            if self.bar is not None:
                self.bar.update(self.task, completed=self.n_done, description=", ".join(self.at_work.values()))
            elif event == "done" and float(text.partition(" ")[0]) > LONG:
                self._line(f"{step} took {text}")
            elif self.at_work and time.monotonic() - self.last >= SELDOM:
                self._line(", ".join(self.at_work.values()))

    def _line(self, text: str) -> None:
        if not self.quiet:
            self.last = time.monotonic()
            sys.stderr.write(f"{self.n_done}{f' of {self.n_steps}' if self.n_steps else ''} steps; {text}\n")


if __name__ == "__main__":
    main()
