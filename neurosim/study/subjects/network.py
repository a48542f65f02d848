"""A torch network as a subject: built by name, trained or with its weights as they come, every layer recorded."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

import xarray as xr
from pydantic import Field

from neurosim import storage
from neurosim.lessons import build_task, check_lesson, find_lesson, lesson_names, look_at
from neurosim.networks import computing, naming, optimization, recording, training
from neurosim.networks.architecture import (
    ARCHITECTURES,
    Network,
    Specification,
    architecture_of,
    build_network,
    kind_of,
)
from neurosim.networks.learning_rule import LEARNING_RULES, asked_rule
from neurosim.runtime import n_threads, seed_of, torch_seeded
from neurosim.schema import responses_to
from neurosim.stimuli.encoders import bernoulli_spikes, encode_rate
from neurosim.stimuli.images import resize_images
from neurosim.stimuli.source import SOURCES
from neurosim.study.citations import PYTORCH
from neurosim.study.engine.step import Job, Step
from neurosim.study.given import PlanLike, Source, StudyLike
from neurosim.study.instances import CITED as SEVERAL
from neurosim.study.instances import instances_in, name_of_all, spread
from neurosim.study.kinds import Citation, SubjectKind, Told
from neurosim.study.results import Results
from neurosim.study.steps.responses import places_of
from neurosim.study.tables import Count, Layers, Several, StudyError, Table, as_row, as_values, one_of, placed
from neurosim.tasks.classification import ClassificationTask
from neurosim.tasks.lazy import LazyTask
from neurosim.tasks.task import Task
from neurosim.tasks.trials import CognitiveTask

OPTIONS_AT = "training.options"
OPTIONS = ("epochs", "batch_size", "learning_rate")


class Training(Table):
    """What a network learns, with the `options` of that task, and for how long; `n_train` limits the training set.

    `rule` is the name of a learning rule, and `rule_options` are its options by name.

    Examples
    --------
    >>> ns.study.Training(task="mnist", n_train=1000).batch_size
    64
    """

    task: str
    options: dict[str, Any] = Field(default_factory=dict)
    epochs: Count = 20
    batch_size: Count = 64
    learning_rate: float = Field(default=3e-3, gt=0, lt=10)
    n_train: Count | None = None
    rule: str = "backpropagation"
    rule_options: dict[str, Any] = Field(default_factory=dict)


class NetworkSubject(Table):
    """A torch network: architecture by name, its parameters, its training (none: weights as they come).

    Of `instances` of it, each is trained in a step of its own and is a subject of its own, NAME_1, NAME_2, ...: they
    differ in their first weights and in what is drawn in training, as its order, and in nothing else. The first is the
    network without `instances`; `instance` says which one a row is, and is filled in when the study is read.

    References
    ----------
    Mehrer J, Spoerer CJ, Kriegeskorte N, Kietzmann TC (2020) Nat Commun 11:5725,
    https://doi.org/10.1038/s41467-020-19632-w

    Examples
    --------
    >>> ns.study.NetworkSubject(architecture="MLP", training={"task": "digits"}).training.epochs
    20
    """

    kind: Literal["network"] = "network"
    title: str = ""
    architecture: str
    parameters: dict[str, Any] = Field(default_factory=dict)
    training: Training | None = None
    layers: Layers | None = None
    layer_steps: Several = 1
    instances: Several = 1
    instance: Count | None = None

    def named_paths(self) -> dict[str, Path]:
        """Return the files and folders that it learns from, where its task takes one's own."""
        source = SOURCES.get(self.training.task) if self.training else None
        if source is None or self.training is None:
            return {}
        hints = get_type_hints(source.options)
        given = {k: v for k, v in self.training.options.items() if Path in (hints.get(k), *get_args(hints.get(k)))}
        return {f"{OPTIONS_AT}.{k}": Path(v) for k, v in given.items() if isinstance(v, str | Path)}


def check(row: NetworkSubject, place: str, study: StudyLike) -> None:
    """Refuse an architecture, parameter or data set that is not there, and what the architecture cannot learn."""
    one_of(row.architecture, tuple(ARCHITECTURES), f"{place}.architecture")
    if row.instances > 1 and row.training is None:
        raise StudyError(f"{place}.instances = {row.instances} are of a training, and this network has none.")
    if row.instance is not None and not (row.instance <= row.instances and place.endswith(f"_{row.instance}")):
        raise StudyError(f"{place}.instance is filled in when the study is read; leave it out.")
    architecture = ARCHITECTURES[row.architecture]
    specification = specification_of(row.architecture, row.parameters, f"{place}.parameters")
    if architecture.requires is not None and not architecture.requires.is_met:
        raise StudyError(f"{place}: {architecture.name} needs pip install 'neurosim[{architecture.requires.extra}]'.")
    sizes: Collection[str] = "yx" if len(architecture.shape or ()) == 2 else ("channel", "y", "x")
    if row.training is None:
        reason = None if architecture.shape else f"{architecture.name} comes without weights; give it [training]."
    else:
        one_of(row.training.task, lesson_names(), f"{place}.training.task")
        check_rule(row.training, architecture.name, f"{place}.training")
        lesson = look_at(row.training.task, learned(row.training, f"{place}.training"), place)
        sizes = lesson.sizes or ()
        known = lesson.sizes is not None or lesson.learns != "categories"  # else the files say, see check_files
        reason = (
            architecture.refusal(specification, lesson.sizes or {}, lesson.learns, lesson.n_outputs) if known else None
        )
    if reason is not None:
        raise StudyError(f"{place}: {reason}")
    source = SOURCES.get(study.stimuli.source)
    if source is not None and source.dims and kind_of(sizes) in ("gray", "colour"):
        check_pictures(source.dims, "channel" in sizes, place)


def check_rule(training: Training, architecture: str, place: str) -> None:
    """Refuse a learning rule that is not there, or that does not learn an architecture."""
    one_of(training.rule, tuple(LEARNING_RULES), f"{place}.rule")
    as_row(LEARNING_RULES[training.rule].options, training.rule_options, f"{place}.rule_options")
    if reason := LEARNING_RULES[training.rule].refusal(architecture):
        raise StudyError(f"{place}: {reason}")


def check_pictures(dims: Collection[Hashable], in_colour: bool, who: str) -> None:
    """Refuse stimuli that are no pictures of the kind, colour or gray, that a network takes."""
    if "y" not in dims or in_colour != ("channel" in dims):
        kind = "colour" if in_colour else "gray"
        raise StudyError(f"{who}: it takes {kind} pictures, the stimuli have dims {tuple(dims)}.")


def check_files(row: NetworkSubject, name: str, folder: Path) -> None:
    """Look for the training images; those of one's own lie below the folder of the study and must fit the network."""
    if row.training is None:
        return
    files: dict[str, Path] = {}
    for key, path in row.named_paths().items():
        try:
            files[key] = storage.inside(folder, str(path))
        except storage.StorageError as error:
            raise StudyError(f"subjects.{name}.{key}: {error}") from None
        if not files[key].exists():
            raise StudyError(f"subjects.{name}.{key}: {path}: no such file or folder (looked in {folder.resolve()}).")
    check_lesson(row.training.task, learned(row.training))
    if files:
        specification = specification_of(row.architecture, row.parameters)
        task = task_of(as_values(row.training), specification, 0, files)
        if not isinstance(task, CognitiveTask):
            n_categories = len(task.categories)
            reason = architecture_of(specification).refusal(specification, task.sizes, "categories", n_categories)
            if reason is not None:
                raise StudyError(f"subjects.{name}: {reason}")


def plan(row: NetworkSubject, name: str, made: PlanLike) -> Source:
    """Add the training and return what the network is read from."""
    config, files = learning_of(row, name, made)
    if row.training:
        config["learned"] = dict(look_at(row.training.task, learned(row.training)).files)
    work = "neurosim.study.subjects.network:run_training"
    trained = made.add(Step(f"train:{name}", work, config, files=files, on_gpu=True))
    return Source(config | {"layers": row.layers}, (trained,), on_gpu=True)


def learning_of(row: NetworkSubject, name: str, made: PlanLike) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what the weights of a network depend on, and where the files of the user's that it learns from are.

    The first instance is the network that has no others.
    """
    checksums, places = made.files(row)
    config = made.seeded(row, name_of_all(name, row), "layers", "layer_steps", "instances", "instance")
    config |= {"files": checksums} if checksums else {}
    return config | ({"instance": row.instance} if row.instance and row.instance > 1 else {}), places


def run_training(job: Job) -> None:
    """Write ``weights.safetensors``, ``training.nc`` and ``network.json``."""
    config, asked = job.config, job.config["training"]
    which = [config["instance"]] if "instance" in config else []
    seed = seed_of(config["seed"], "train", config["name"], *which)
    specification = specification_of(config["architecture"], config["parameters"])
    task = task_of(asked, specification, config["seed"], job.files) if asked else None
    made_for = architecture_of(specification)
    shape = task.image_shape if task else made_for.shape or (3, 224, 224)
    n_categories = len(task.categories) if task else made_for.n_outputs or 1000
    with torch_seeded(seed):
        network = build_network(specification, shape, n_categories)
    about: dict[str, Any] = {"image_shape": list(shape), "categories": list(task.categories) if task else []}
    about["n_outputs"] = n_categories
    if isinstance(task, ClassificationTask | LazyTask) and "time" in task.sizes:
        about["sequences"] = task.sizes
    if task:
        options = optimization.TrainingOptions(**{k: asked[k] for k in OPTIONS})
        readers = computing.Runtime(workers=n_threads() if isinstance(task, LazyTask) else 0)  # change no byte
        rule = asked_rule(asked["rule"], asked["rule_options"])
        history = training.train(network, task, options, rule=rule.options, runtime=readers, rng=seed)
        storage.write_dataset(job.out / "training.nc", history)
        about |= {"test_accuracy": float(history["test_accuracy"]), "n_test": task.n_test}
    storage.write_weights(job.out / "weights.safetensors", training.weights_of(network))
    about["n_parameters"] = sum(p.numel() for p in network.parameters())
    storage.write_json(job.out / "network.json", about)


def answers(job: Job, stimuli: xr.DataArray) -> Iterator[tuple[str, xr.DataArray]]:
    """Yield layer and responses, one layer after the other; the activity is never held whole."""
    row = job.config["row"]
    network = trained_network(row, job.input("train:"))
    specification = specification_of(row["architecture"], row["parameters"])
    architecture = architecture_of(specification)
    shown = fitted_stimuli(stimuli, network, job.input("train:"), job.config["name"])
    shown = encoded(shown, specification, row["seed"])
    time_step = float(getattr(network, "time_step", 1.0))
    double, places = architecture.encoding is not None, places_of(job)
    for name, array in recording.iterate_layers(network, shown, row["layers"], double=double, places=places):
        yield (
            naming.layer_labels(network, [name])[0],
            responses_to(
                stimuli,
                array,
                dims=("stimulus", "time", "unit") if array.ndim == 3 else ("stimulus", "unit"),
                quantity=architecture.quantity,
                time_step=time_step if array.ndim == 3 else None,
            ),
        )


def specification_of(architecture: str, parameters: dict[str, Any], place: str = "") -> Specification:
    """Return the record of a network from plain values, which stand at `place` of a study."""
    row: Specification = as_row(ARCHITECTURES[architecture].specification, parameters, place or architecture)
    return row


def learned(training: Training, place: str = "training") -> Any:
    """Return the options of what is learned, as its record."""
    return as_row(find_lesson(training.task, place).options, training.options, f"{place}.options")


def task_of(training: dict[str, Any], specification: Specification, seed: int, files: Mapping[str, Path]) -> Task:
    """Return what a network learns, from `files` by dotted key; images become spikes for networks that take spikes."""
    whole = placed({"training": training}, {k: str(p) for k, p in files.items() if k.startswith(OPTIONS_AT)})
    options = learned(Training.model_validate(whole["training"]))
    task = build_task(training["task"], options, rng=seed, n_train=training["n_train"])
    encoding = architecture_of(specification).encoding
    if encoding is not None and not isinstance(task, CognitiveTask):
        task = task.with_encoder(partial(bernoulli_spikes, n_steps=encoding(specification).n_steps))
    return task


def trained_network(row: dict[str, Any], folder: Path) -> Network:
    """Return the network that a ``train`` step left in `folder`."""
    about = storage.read_json(folder / "network.json")
    specification = specification_of(row["architecture"], row["parameters"])
    network = build_network(specification, tuple(about["image_shape"]), about["n_outputs"])
    training.load_weights(network, storage.read_weights(folder / "weights.safetensors"))
    return network


def fitted_stimuli(stimuli: xr.DataArray, network: Network, folder: Path, name: str) -> xr.DataArray:
    """Return the pictures in the size that the network which `folder` holds was made for; sequences as they are."""
    about = storage.read_json(folder / "network.json")
    shape, sequences = about["image_shape"], about.get("sequences")
    if sequences is not None or "time" in stimuli.dims:
        sizes = {str(dim): n for dim, n in stimuli.sizes.items() if dim != "stimulus"}
        if sizes != sequences:
            raise StudyError(f"{name}: it learned {sequences or 'pictures'}, a stimulus of the study has {sizes}.")
        return stimuli
    check_pictures(stimuli.dims, len(shape) == 3, name)
    size = getattr(network, "image_size", shape[-1])
    return stimuli if stimuli.sizes["x"] == stimuli.sizes["y"] == size else resize_images(stimuli, size)


def encoded(images: xr.DataArray, specification: Specification, seed: int) -> xr.DataArray:
    """Return images as the network takes them: as input spikes, or as they are."""
    encoding = architecture_of(specification).encoding
    if encoding is None:
        return images
    how = encoding(specification)
    return encode_rate(images, n_steps=how.n_steps, time_step=how.time_step, rng=seed)


def tell(row: NetworkSubject, name: str, results: Results) -> Told:
    """Tell the test accuracy of a trained network, and with the first of several instances that of all."""
    about = results.json(f"train:{name}", "network.json")
    if "test_accuracy" not in about:
        return Told()
    numbers: dict[str, Any] = {"accuracy": {name: about["test_accuracy"]}}
    all_of_them = name_of_all(name, row)
    names = instances_in(results.study.subjects).get(all_of_them, [])
    if len(names) < 2 or name != names[0]:
        return Told(numbers)
    each = [results.json(f"train:{n}", "network.json")["test_accuracy"] for n in names]
    found = spread(each)
    line = (
        f"{all_of_them}: {found['n']:.0f} instances, {', '.join(names)}, have a test accuracy of {found['mean']:.1%} "
        f"(standard deviation over instances {found['standard_deviation']:.1%}, range {found['least']:.1%} to "
        f"{found['most']:.1%}; {about['n_test']} test stimuli)."
    )
    return Told(numbers | {"accuracy_over_instances": {all_of_them: found}}, sentences=[line])


def cite(row: NetworkSubject) -> list[Citation]:
    """Cite torch, the architecture and the training images."""
    found = [PYTORCH, (row.architecture, ARCHITECTURES[row.architecture].citation)]
    learning = find_lesson(row.training.task, "cite").citation if row.training else ""
    found += [("training", learning)] if learning else []
    if row.training and row.training.rule != "backpropagation":
        found += [("learning rule", LEARNING_RULES[row.training.rule].citation)]
    return found + ([SEVERAL] if row.instances > 1 else [])


def describe(row: NetworkSubject) -> str:
    """Say what it is, and which instance of how many."""
    which = f", instance {row.instance} of {row.instances}" if row.instance else ""
    return f"{row.title or row.architecture}{which}"


NETWORK = SubjectKind(
    name="network",
    table=NetworkSubject,
    plan=plan,
    answers="neurosim.study.subjects.network:answers",
    describe=describe,
    check=check,
    check_files=check_files,
    tell=tell,
    cite=cite,
    may_spike=lambda row: ARCHITECTURES[row.architecture].is_spiking,
    learns_here=lambda row: row.training is not None and ARCHITECTURES[row.architecture].shape is None,
)
