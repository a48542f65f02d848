"""Bring your own: any torch module, any responses, in a few lines, through the same engine as a study file."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from neurosim import storage
from neurosim.networks.recording import record_responses
from neurosim.recordings.files import load_responses
from neurosim.recordings.synthetic import synthetic_brain
from neurosim.schema import InputError, as_responses, as_stimuli, same_stimuli
from neurosim.study.config import builtin_models, load_study
from neurosim.study.run import Outcome, results_folder, run_study
from neurosim.study.steps.stimuli import shown_digits


def compare_subjects(
    stimuli: Any,
    subjects: Mapping[str, Any],
    brains: Mapping[str, Any],
    *,
    out: str | Path,
    layers: Mapping[str, Sequence[str]] | None = None,
    title: str = "",
    seed: int = 0,
    jobs: int | None = None,
    **comparison: Any,
) -> Outcome:
    """Compare your models with your data and write the whole report.

    Writes a study file and the responses of your models into the results folder, so that ``neurosim run`` repeats it.

    Parameters
    ----------
    stimuli : what was shown, (stimulus, [channel,] y, x), a list of pictures or a DataArray as of ``load_digits``.
    subjects : by name, a ``torch.nn.Module`` (it is shown the stimuli), a responses array or file, or the name of a
        built-in model. Responses that name their stimuli are matched by name, with or without the ending of a picture.
    brains : by name, responses (an array, a DataArray with ``subject`` along ``unit``, or a file .nc, .npz, .csv).
    out : results folder.
    layers : by subject, the layers of a module to record.
    title : title of the report.
    seed : seed of everything drawn.
    jobs : steps run at once.
    **comparison : ``metric``, ``method``, ``n_bootstrap``, ... as in the ``[comparison]`` table of a study file.

    Returns
    -------
    the results folder and the path of its report.

    Raises
    ------
    InputError : stimuli that do not match, NaN, an unknown name, or a value that a study file would not accept.
    """
    shown = as_stimuli(stimuli)
    out = Path(out)
    entries: dict[str, dict[str, Any]] = {"subjects": {}, "brains": {}}
    with tempfile.TemporaryDirectory(prefix="neurosim-study-") as name:
        folder = Path(name)
        storage.write_dataset(folder / "inputs" / "stimuli.nc", shown.rename("stimuli"))
        for subject, given in subjects.items():
            recorded = (layers or {}).get(subject)
            entries["subjects"][subject] = _entry(subject, given, shown, folder, layers=recorded, model=True)
        for brain, given in brains.items():
            entries["brains"][brain] = _entry(brain, given, shown, folder, layers=None, model=False)
        content = {
            "name": out.name,
            "title": title or f"{', '.join(subjects)} and {', '.join(brains)}",
            "seed": seed,
            "stimuli": {"source": "file", "path": "inputs/stimuli.nc"},
            **entries,
            "comparison": comparison,
        }
        storage.write_text(folder / "study.toml", _toml(content))
        return run_study(folder / "study.toml", out=results_folder(load_study(folder / "study.toml"), out), jobs=jobs)


def _entry(
    name: str, given: Any, stimuli: xr.DataArray, folder: Path, *, layers: Sequence[str] | None, model: bool
) -> dict[str, Any]:
    """Return the table of one subject or brain; its responses are written beside the study file."""
    if model and isinstance(given, str) and given in builtin_models():
        return {"model": given}
    if isinstance(given, str | Path):
        responses = load_responses(given)
    elif hasattr(given, "named_modules"):
        responses = record_responses(given, stimuli, layers=layers)
    elif hasattr(given, "__array__") or isinstance(given, list | tuple):
        responses = as_responses(given, stimuli=stimuli)
    else:
        raise InputError(
            f"compare_subjects: {name!r} is a {type(given).__name__}; give a torch module, an array, a file or the "
            f"name of a built-in model ({', '.join(builtin_models())})."
        )
    responses = same_stimuli(stimuli, responses, f"compare_subjects: {name}")
    storage.write_dataset(storage.inside(folder / "inputs", f"{name}.nc"), responses.rename("responses"))
    return {"kind": "responses", "path": f"inputs/{name}.nc"}


def _toml(content: dict[str, Any]) -> str:
    """Write plain tables of strings, numbers and lists as TOML."""
    lines = [f"{k} = {_toml_value(v)}" for k, v in content.items() if not isinstance(v, dict)]
    for table in ("stimuli", "comparison"):
        lines += ["", f"[{table}]", *(f"{k} = {_toml_value(v)}" for k, v in content[table].items())]
    for group in ("subjects", "brains"):
        for name, entry in content[group].items():
            lines += ["", f"[{group}.{name}]", *(f"{k} = {_toml_value(v)}" for k, v in entry.items())]
    return "\n".join(lines) + "\n"


def _toml_value(value: Any) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml_value(v) for v in value) + "]"
    return repr(value)


def new_study(folder: str | Path) -> list[Path]:
    """Write a working template: your model against your data, as a script and as a study file.

    Raises
    ------
    InputError : the folder is there and not empty.
    """
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"new: {folder} is not empty; name a new folder.")
    template = Path(__file__).with_name("template")
    storage.check_writable(folder)
    made = []
    for source in sorted(p for p in template.iterdir() if p.is_file()):
        shutil.copyfile(source, folder / source.name)
        made.append(folder / source.name)
    stimuli = shown_digits(n_per_category=10, seed=0)
    pixels = as_stimuli(stimuli.values.reshape(len(stimuli), -1), ids=stimuli["stimulus"].values.tolist())
    storage.write_dataset(folder / "my_stimuli.nc", stimuli.rename("stimuli"))
    storage.write_dataset(folder / "my_recording.nc", synthetic_brain(pixels, n_subjects=6).rename("responses"))
    return [*made, folder / "my_stimuli.nc", folder / "my_recording.nc"]
