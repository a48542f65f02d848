"""Bring your own: any torch module, any responses, in a few lines, through the same engine as a study file."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.networks.recording import record_responses
from neurosim.recordings.files import load_responses
from neurosim.recordings.synthetic import BrainOptions, synthetic_brain
from neurosim.refusals import asked_by
from neurosim.schema import InputError, as_responses, as_stimuli, same_stimuli, suggest
from neurosim.study.config import NAME_PATTERN, builtin_models, load_study
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
    with asked_by("compare_subjects", "as_stimuli"):
        shown = as_stimuli(stimuli)
    _check_names(subjects, brains, layers or {})
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
            "name": re.sub(r"[^A-Za-z0-9_-]", "_", out.name).lstrip("_-")[:64] or "study",
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
        if layers is not None:
            raise InputError(f"compare_subjects: layers of {name!r} are asked, and a built-in model brings its own.")
        return {"model": given}
    who = f"compare_subjects, {name!r}"
    with asked_by(who, "load_responses", "record_responses", "as_responses"):
        responses = same_stimuli(stimuli, _responses(given, stimuli, layers, who), who)
    storage.write_dataset(storage.inside(folder / "inputs", f"{name}.nc"), responses.rename("responses"))
    return {"kind": "responses", "path": f"inputs/{name}.nc"}


def _responses(given: Any, stimuli: xr.DataArray, layers: Sequence[str] | None, who: str) -> xr.DataArray:
    if hasattr(given, "named_modules") and not isinstance(given, type):
        return record_responses(given, stimuli, layers=layers)
    if layers is not None:
        raise InputError(f"{who}: layers are asked of a {type(given).__name__}; only a torch module is recorded.")
    if isinstance(given, str | Path):
        if isinstance(given, str) and not Path(given).suffix:
            raise InputError(
                f"{who}: {given!r} is no file and no built-in model; models: {', '.join(builtin_models())}."
                f"{suggest(given, builtin_models())}"
            )
        return load_responses(given)
    if not hasattr(given, "__array__") and not isinstance(given, list | tuple):
        raise InputError(
            f"{who}: found a {type(given).__name__}; give a torch module, an array, a file or the name of a built-in "
            f"model ({', '.join(builtin_models())})."
        )
    if not isinstance(given, xr.DataArray) and np.ndim(given) > 2:
        raise InputError(
            f"{who}: an array of shape {tuple(np.shape(given))} may hold trials or time; label it with "
            "as_responses(values, dims=(...))."
        )
    responses = as_responses(given, stimuli=stimuli)
    if "time" in responses.dims and not responses.attrs.get("time_step"):
        raise InputError(f"{who}: responses over time without a time step; as_responses(..., time_step=seconds).")
    return responses


def _check_names(subjects: Any, brains: Any, layers: Mapping[str, Any]) -> None:
    for what, given in (("subjects", subjects), ("brains", brains)):
        if not isinstance(given, Mapping) or not given:
            raise InputError(f"compare_subjects: {what} by name asked, {{'name': ...}}, found {type(given).__name__}.")
        bad = [n for n in given if not (isinstance(n, str) and re.match(NAME_PATTERN, n))]
        if bad:
            raise InputError(
                f"compare_subjects: {bad[0]!r} leads out of what a name may hold: letters, digits, '_' and '-', up to "
                "64 of them."
            )
    unknown = next((n for n in layers if n not in subjects), None)
    if unknown is not None:
        raise InputError(
            f"compare_subjects: layers of {unknown!r} are asked, which is no subject.{suggest(str(unknown), subjects)}"
        )


def _toml(content: dict[str, Any]) -> str:
    """Write plain tables of strings, numbers and lists as TOML."""
    lines = [f"{k} = {_toml_value(v)}" for k, v in content.items() if not isinstance(v, dict)]
    for table in ("stimuli", "comparison"):
        lines += ["", f"[{table}]", *(f"{k} = {_toml_value(v)}" for k, v in content[table].items() if v is not None)]
    for group in ("subjects", "brains"):
        for name, entry in content[group].items():
            lines += ["", f"[{group}.{name}]", *(f"{k} = {_toml_value(v)}" for k, v in entry.items())]
    return "\n".join(lines) + "\n"


def _toml_value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml_value(v) for v in value) + "]"
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, str):
        return json.dumps(plain.replace("\n", " "), ensure_ascii=False).replace("\x7f", "\\u007f")
    if not isinstance(plain, bool | int | float):
        raise InputError(f"compare_subjects: texts, numbers and lists of them asked, found a {type(plain).__name__}.")
    return str(plain).lower()


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
    storage.write_dataset(folder / "my_recording.nc", synthetic_brain(pixels, BrainOptions(n_subjects=6)).rename("responses"))
    return [*made, folder / "my_stimuli.nc", folder / "my_recording.nc"]
