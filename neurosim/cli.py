"""The command line: ``neurosim demo | new | check | run | status | verify | report | doctor``.

Results go to stdout, progress to stderr; ``--json`` prints results for machines. Exit code 0 is success,
2 something the user can mend, 3 a step that failed.
"""

from __future__ import annotations

import json as json_module
import sys
import threading
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

import neurosim as ns

USER_ERROR, STEP_ERROR, INTERRUPTED = 2, 3, 130

app = typer.Typer(
    help="Trained networks, Brian2 circuits and recorded brains, compared as representations, reproducibly.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Jobs = Annotated[int, typer.Option("-j", "--jobs", min=0, help="Steps run at once; 0 is one a core.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Results folder; results/<name> by default.")]
StudyFile = Annotated[Path, typer.Argument(help="A study file (TOML), or the name of a built-in study.")]


@app.command()
def demo(
    out: Out = None,
    data: Annotated[Path | None, typer.Option(help="Folder of real data: also run the 92 objects.")] = None,
    jobs: Jobs = 0,
    json: Json = False,
) -> None:
    """Run the first study; where a data folder is given (or NEUROSIM_DATA set), also the one on real brains."""
    if data is not None:
        ns.use_data_folder(data)
    studies = ["digits"] + (["object_vision"] if ns.data_folder() else [])
    base = out or Path("results")
    for name in studies:
        _print_run(_run(ns.study.find_study(name), base / name, jobs), json)


@app.command()
def run(study: StudyFile, out: Out = None, jobs: Jobs = 0, json: Json = False) -> None:
    """Run a study; steps that are in the store are not run again."""
    _print_run(_run(ns.study.find_study(study), out, jobs), json)


@app.command()
def check(study: StudyFile, out: Out = None, json: Json = False) -> None:
    """Print the steps of a study with what the store has of them. Runs nothing."""
    looks = ns.study.check_study(ns.study.find_study(study), out=out)
    rows = [{"step": x.step.name, "state": x.state, "reads": list(x.step.inputs)} for x in looks]
    if json:
        _say(json_module.dumps(rows, indent=2))
        return
    for row in rows:
        _say(f"{row['state']:5}  {row['step']:28}  {'<- ' + ', '.join(row['reads']) if row['reads'] else ''}")
    _say(f"{sum(r['state'] == 'hit' for r in rows)} of {len(rows)} steps are in the store.")


@app.command()
def status(study: StudyFile, out: Out = None, json: Json = False) -> None:
    """Say how far a study is and whether its results folder is whole."""
    state = ns.study.study_status(ns.study.find_study(study), out=out)
    text = {None: "not written yet", True: "whole", False: "damaged; run again to repair it"}[state["whole"]]
    line = f"{state['hits']} of {state['steps']} steps done; {state['folder']}: {text}."
    _say(json_module.dumps(state) if json else line)


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="A results folder.")],
    rerun: Annotated[
        bool, typer.Option("--rerun", help="Recompute every step in fresh processes and compare.")
    ] = False,
    jobs: Jobs = 0,
    json: Json = False,
) -> None:
    """Check the files of a results folder, and with --rerun that a fresh run gives the same."""
    ns.study.check_results(folder)
    if not rerun:
        _say(json_module.dumps({"damaged": []}) if json else f"{folder}: every file is as it was written.")
        return
    with _Progress() as progress:
        verdicts = ns.study.rerun_results(folder, jobs=jobs or None, report=progress)
    differing = [v for v in verdicts if v.verdict == "differs"]
    changes = ns.study.environment_changes(folder)
    if json:
        _say(json_module.dumps({"steps": [v.__dict__ for v in verdicts], "environment": changes}, indent=2))
    else:
        for v in verdicts:
            _say(f"{v.verdict:16}  {v.step:28}  {v.detail}")
        for change in changes:
            _say(f"changed: {change}")
        first = f"the first step that differs is {differing[0].step}" if differing else "every step repeats"
        _say(f"{sum(v.verdict == 'bitwise' for v in verdicts)} of {len(verdicts)} steps bitwise; {first}.")
    if differing:
        raise typer.Exit(STEP_ERROR)


@app.command()
def report(study: StudyFile, out: Out = None, json: Json = False) -> None:
    """Write the results folder and report again from the store; nothing is computed that is there."""
    _print_run(_run(ns.study.find_study(study), out, 1), json)


@app.command()
def new(folder: Annotated[Path, typer.Argument(help="Folder to write the template into.")], json: Json = False) -> None:
    """Write a working template: your model against your data."""
    files = [str(p) for p in ns.study.new_study(folder)]
    lines = [*files, f"Next: cd {folder}; python compare.py   or   neurosim run study.toml"]
    _say(json_module.dumps(files) if json else "\n".join(lines))


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
        code = app(standalone_mode=False)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as error:
        if not hasattr(error, "exit_code"):
            raise
        _fail(str(error), error.exit_code)
    if code == INTERRUPTED:
        _fail("stopped; what was finished is kept, run again to go on.", INTERRUPTED)
    sys.exit(code or 0)


def _run(path: Path, out: Path | None, jobs: int) -> Any:
    with _Progress() as progress:
        return ns.run_study(path, out=out, jobs=jobs or None, report=progress)


def _print_run(outcome: Any, json: bool) -> None:
    if json:
        _say(json_module.dumps({k: str(v) if isinstance(v, Path) else v for k, v in outcome.__dict__.items()}))
        return
    n_run = outcome.n_steps - outcome.n_hits
    _say(f"{n_run} steps run, {outcome.n_hits} from the store.\nReport: {outcome.report}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _fail(message: str, code: int) -> NoReturn:
    if message:
        sys.stderr.write("neurosim: " + " ".join(message.split()) + "\n")
    sys.exit(code)


class _Progress:
    """Progress on stderr: a bar over steps and the ones at work on a terminal, nothing elsewhere."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.at_work: dict[str, str] = {}
        self.n_done = 0
        self.bar: Any = None

    def __enter__(self) -> _Progress:
        if sys.stderr.isatty():
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

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.stop()

    def __call__(self, step: str, event: str, text: str) -> None:
        with self.lock:
            if event in ("start", "progress"):
                self.at_work[step] = f"{step} ({text})" if text else step
            elif event in ("done", "hit", "failed"):
                self.at_work.pop(step, None)
                self.n_done += event != "failed"
            elif event == "note":
                sys.stderr.write(f"note: {step}: {text}\n")
            if self.bar is not None:
                self.bar.update(self.task, completed=self.n_done, description=", ".join(self.at_work.values()))


if __name__ == "__main__":
    main()
