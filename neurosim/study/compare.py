"""Bring your own: any torch module, circuit or responses, in a few lines, through the same engine as a study file."""

from __future__ import annotations

import inspect
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from neurosim import storage
from neurosim.arrays import in_pandas, is_spike_table
from neurosim.biophysics import circuit, circuit_files
from neurosim.networks import recording
from neurosim.recordings.files import load_responses
from neurosim.recordings.spikes import bin_spikes
from neurosim.refusals import asked_by
from neurosim.schema import InputError, as_responses, as_stimuli, same_stimuli, suggest
from neurosim.study.files import builtin_models, model_of
from neurosim.study.outcome import Outcome
from neurosim.study.run import run_study
from neurosim.study.study import DEFAULT_ANALYSES, Study, checked
from neurosim.study.tables import NAME_PATTERN, Table, as_row


def compare_subjects(
    stimuli: npt.ArrayLike | Sequence[object] | Table | Mapping[str, object],
    subjects: Mapping[str, Any],
    brains: Mapping[str, Any],
    *,
    out: str | Path,
    layers: Mapping[str, Sequence[str]] | None = None,
    metric: str = "correlation",
    method: str = "spearman",
    analyses: Mapping[str, Any] | None = None,
    title: str = "",
    seed: int = 0,
    jobs: int | None = None,
) -> Outcome:
    """Compare your models with your data and write the whole report.

    Makes a :class:`~neurosim.study.Study` of what is given and runs it; the study and its inputs are kept in the
    results folder, so that ``neurosim run`` repeats it.

    Parameters
    ----------
    stimuli : what was shown, (stimulus, [channel,] y, x), a list of pictures or a DataArray as of ``load_digits``; or
        the table of a source, as in ``{"source": "digits"}``.
    subjects : by name, a ``torch.nn.Module`` (it is shown the stimuli), a ``Circuit``, a responses array or file, the
        name of a built-in model, a function of your own at the top of a Python file, or whatever a study takes: a row
        such as ``{"kind": "circuit", "circuit": "gabor_adex"}``.
        Responses that name their stimuli are matched by name, with or without the ending of a picture.
    brains : by name, responses (an array, a DataArray with ``subject`` along ``unit``, a table, or a file .nc, .npz,
        .csv), or whatever a study takes. A table with columns ``stimulus``, ``unit`` and ``time`` holds spikes, as a
        .csv does.
    out : results folder.
    layers : by subject, the layers of a module to record.
    metric, method : of the three analyses that are made by default.
    analyses : by name, in place of those.
    title : title of the report.
    seed : seed of everything drawn.
    jobs : steps run at once.

    Returns
    -------
    the results: ``.report``, ``.scores``, ``.rdms``, ``.figures``.

    Raises
    ------
    InputError : stimuli that do not match, NaN, an unknown name, or a value that a study file would not accept.

    Examples
    --------
    >>> import tempfile
    >>> pictures = ns.load_digits()[:6]
    >>> area = np.random.default_rng(0).normal(size=(6, 5))
    >>> with tempfile.TemporaryDirectory() as place:
    ...     outcome = ns.compare_subjects(
    ...         pictures, {"pixels": pictures.values.reshape(6, -1)}, {"area": area}, out=f"{place}/mine", jobs=1
    ...     )
    ...     outcome.scores["rsa:area"].sizes["model"]
    1
    """
    _check_names(subjects, brains, layers or {})
    out = Path(out)
    with tempfile.TemporaryDirectory(prefix="neurosim-study-") as name, asked_by("compare_subjects", "study"):
        folder = Path(name).resolve()
        shown, source = _shown(stimuli, folder)
        rows: dict[str, dict[str, Any]] = {"subjects": {}, "brains": {}}
        for subject, given in subjects.items():
            recorded = (layers or {}).get(subject)
            rows["subjects"][subject] = _row(subject, given, shown, folder, layers=recorded, model=True)
        for brain, given in brains.items():
            rows["brains"][brain] = _row(brain, given, shown, folder, layers=None, model=False)
        content = {
            "name": re.sub(r"[^A-Za-z0-9_-]", "_", out.name).lstrip("_-")[:64] or "study",
            "title": title or f"{', '.join(subjects)} and {', '.join(brains)}",
            "seed": seed,
            "stimuli": source,
            "analyses": analyses
            or {n: row | {"metric": metric, "method": method} for n, row in DEFAULT_ANALYSES.items()},
        }
        study = checked(as_row(Study, content | rows, "compare_subjects"))
        return run_study(study, out=out, jobs=jobs)


def _shown(stimuli: Any, folder: Path) -> tuple[xr.DataArray | None, Any]:
    """Return the stimuli, where they are given as an array, and the row of a study for them."""
    if isinstance(stimuli, Table) or (isinstance(stimuli, Mapping) and "source" in stimuli):
        return None, stimuli
    with asked_by("compare_subjects", "as_stimuli"):
        shown = as_stimuli(stimuli)
    storage.write_dataset(folder / "stimuli.nc", shown.rename("stimuli"))
    return shown, {"source": "file", "path": folder / "stimuli.nc"}


def _row(
    name: str, given: object, stimuli: xr.DataArray | None, folder: Path, *, layers: Sequence[str] | None, model: bool
) -> Any:
    """Return the row of one subject or brain; its responses are written to `folder`."""
    if isinstance(given, Table) or (isinstance(given, Mapping) and "kind" in given):
        return given
    if model and isinstance(given, str) and given in builtin_models():
        if layers is not None:
            raise InputError(f"compare_subjects: layers of {name!r} are asked, and a built-in model brings its own.")
        return model_of(given)
    who = f"compare_subjects, {name!r}"
    if model and isinstance(given, circuit.Circuit):
        if layers is not None and not all(isinstance(layer, str) for layer in layers):
            raise InputError(f"{who}: names of layers asked, found {layers!r}.")
        path = storage.inside(folder, f"{name}.circuit.nc")
        circuit_files.save_circuit(path, given)
        return {"kind": "circuit", "path": path, "layers": layers}
    if callable(given) and inspect.isfunction(given):
        return given
    if stimuli is None:
        raise InputError(
            f"{who}: a {type(given).__name__} is matched with stimuli; give these as an array, not a table."
        )
    with asked_by(who, "load_responses", "record_responses", "as_responses"):
        responses = same_stimuli(stimuli, _responses(given, stimuli, layers, who), who)
    path = storage.inside(folder, f"{name}.nc" if name != "stimuli" else "stimuli_.nc")
    storage.write_dataset(path, responses.rename("responses"))
    return {"kind": "responses", "path": path}


def _responses(given: Any, stimuli: xr.DataArray, layers: Sequence[str] | None, who: str) -> xr.DataArray:
    if hasattr(given, "named_modules") and not isinstance(given, type):
        return recording.record_responses(given, stimuli, layers=layers)
    if layers is not None:
        raise InputError(f"{who}: layers are asked of a {type(given).__name__}; only a torch module is recorded.")
    if isinstance(given, str | Path):
        if isinstance(given, str) and not Path(given).suffix:
            raise InputError(
                f"{who}: {given!r} is no file and no built-in model; models: {', '.join(builtin_models())}."
                f"{suggest(given, builtin_models())}"
            )
        return load_responses(given)
    given = in_pandas(given, who)
    if is_spike_table(given):
        return bin_spikes(given, name=who)
    if type(given).__module__.partition(".")[0] == "brian2":
        raise InputError(
            f"{who}: a Brian2 {type(given).__name__} does not say how it is shown a stimulus; give "
            "ns.study.Brian2NetworkSubject(...), of kind 'brian2_network', or what record_brian2 returns."
        )
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
            found = "none" if isinstance(given, Mapping) else type(given).__name__
            raise InputError(f"compare_subjects: {what} by name asked, {{'name': ...}}, found {found}.")
        bad = [n for n in given if not (isinstance(n, str) and re.match(NAME_PATTERN, n))]
        if bad:
            raise InputError(
                f"compare_subjects: {bad[0]!r} is no name that a file can have; up to 64 letters, digits, '_' and '-' "
                "are asked."
            )
    both = next((n for n in subjects if n in brains), None)
    if both is not None:
        raise InputError(f"compare_subjects: {both!r} is a subject and a brain; give one of them another name.")
    unknown = next((n for n in layers if n not in subjects), None)
    if unknown is not None:
        raise InputError(
            f"compare_subjects: layers of {unknown!r} are asked, which is no subject.{suggest(str(unknown), subjects)}"
        )
