"""The study file: what is shown, to whom, compared how. TOML in, validated records out.

Files choose subjects, models and data by name and give numbers; they never name code.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from neurosim import storage
from neurosim.biophysics.ladder import RUNGS
from neurosim.networks.specifications import ARCHITECTURES
from neurosim.recordings.datasets import list_datasets, list_recordings
from neurosim.schema import InputError, suggest
from neurosim.similarity.inference import INFERENCE_METHODS

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_\-]{0,63}$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Count = Annotated[int, Field(ge=1, le=10**7)]


class StudyError(InputError):
    """The study file asks for something that cannot be done."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DigitsStimuli(_Strict):
    """Held-back digits of scikit-learn, `n_per_category` of each."""

    source: Literal["digits"]
    n_per_category: Count = 10


class DatasetStimuli(_Strict):
    """The stimuli of a published set."""

    source: Literal["dataset"]
    dataset: str


class FolderStimuli(_Strict):
    """A folder of pictures, resized to `size` pixels."""

    source: Literal["folder"]
    path: str
    size: Count | None = None


class FileStimuli(_Strict):
    """Stimuli in a netCDF file."""

    source: Literal["file"]
    path: str


class GivenStimuli(_Strict):
    """No pictures: the stimuli are known only by the labels of the responses."""

    source: Literal["labels"]


Stimuli = Annotated[
    DigitsStimuli | DatasetStimuli | FolderStimuli | FileStimuli | GivenStimuli, Field(discriminator="source")
]


class Training(_Strict):
    """What a network learns and for how long; `n_images` limits the training set."""

    task: Literal["digits", "cifar10"]
    epochs: Count = 20
    batch_size: Count = 64
    learning_rate: float = Field(default=3e-3, gt=0, lt=10)
    n_images: Count | None = None


class NetworkSubject(_Strict):
    """A torch network: architecture by name, its parameters, its training (none: weights as they come)."""

    kind: Literal["network"]
    title: str = ""
    architecture: str
    parameters: dict[str, Any] = {}
    training: Training | None = None


class TwinSubject(_Strict):
    """The twin of a spiking network of this study, on a rung of the ladder of realism.

    Above the first rung it is calibrated on training images and, with `retuning_epochs`, retuned on
    `retuning_stimuli` of them; `test_stimuli` held-back images measure its accuracy.
    """

    kind: Literal["twin"]
    title: str = ""
    of: Name
    rung: str = "exact"
    calibration_stimuli: Count = 60
    retuning_epochs: Annotated[int, Field(ge=0, le=10**4)] = 0
    retuning_stimuli: Count = 2000
    test_stimuli: Count = 1000


class CircuitSubject(_Strict):
    """A hand-built circuit: Gabor energy as Poisson spikes onto AdEx neurons."""

    kind: Literal["circuit"]
    title: str = ""
    circuit: Literal["gabor_adex"]
    n_excitatory: Count = 128
    n_inhibitory: Count = 32
    wavelength: float = Field(default=4.0, gt=1, lt=1000)
    grid: Count = 4
    image_size: Count | None = None
    duration: float = Field(default=0.15, gt=0, le=10)
    n_trials: Count = 2
    max_probability: float = Field(default=0.3, gt=0, le=1)


class ResponsesSubject(_Strict):
    """Responses that were computed or recorded elsewhere, in a file (.nc, .npz, .csv of spikes)."""

    kind: Literal["responses"]
    title: str = ""
    path: str
    time_bin: float | None = Field(default=None, gt=0)


Subject = Annotated[NetworkSubject | TwinSubject | CircuitSubject | ResponsesSubject, Field(discriminator="kind")]


class SyntheticBrain(_Strict):
    """A synthetic recording whose units are tuned to `tuning`, features by weight: gabor energy, pixels, the
    category, and its prototype, the mean picture of the category.
    """

    kind: Literal["synthetic"]
    title: str = ""
    tuning: dict[Literal["gabor", "pixels", "category", "prototype"], float] = Field(min_length=1)
    n_subjects: Count = 8
    n_trials: Count = 4
    n_units: Count = 60
    trial_noise: float = Field(default=1.0, ge=0)
    individuality: float = Field(default=0.5, ge=0)
    metric: str = "correlation"


class DatasetBrain(_Strict):
    """RDMs of a published recording."""

    kind: Literal["dataset"]
    title: str = ""
    dataset: str
    recording: str


class ResponsesBrain(_Strict):
    """A recording in a file; ``subject`` along ``unit`` tells individuals apart, else it is one."""

    kind: Literal["responses"]
    title: str = ""
    path: str
    time_bin: float | None = Field(default=None, gt=0)
    metric: str = "correlation"


Brain = Annotated[SyntheticBrain | DatasetBrain | ResponsesBrain, Field(discriminator="kind")]


SPIKING = ("SpikingMLP", "SpikingConvNet")
METRICS = ("correlation", "cosine", "euclidean", "manhattan", "crossnobis")


class Comparison(_Strict):
    """How subjects are compared: `metric` of RDMs, `method` between RDMs, inference."""

    metric: str = "correlation"
    method: str = "spearman"
    resample: tuple[Literal["subject", "stimulus"], ...] = ("subject", "stimulus")
    estimate: Literal["jackknife", "bootstrap"] = "jackknife"
    n_bootstrap: Annotated[int, Field(ge=50, le=10**6)] = 1000
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    correction: Literal["holm", "fdr"] = "holm"
    time_bin: float | None = Field(default=None, gt=0)


class Study(_Strict):
    """A whole study, all subjects and brains spelled out."""

    schema_version: Literal[1] = 1
    name: Name
    title: str = ""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    stimuli: Stimuli
    subjects: dict[Name, Subject] = Field(min_length=1)
    brains: dict[Name, Brain] = Field(min_length=1)
    comparison: Comparison = Comparison()


def builtin(kind: str, name: str) -> Path | None:
    """Return the file of a built-in model or analysis, from the wheel or the source tree."""
    package = Path(__file__).resolve().parent.parent
    for root in (package / "builtin", package.parent):
        path = root / kind / name
        if path.is_file():
            return path
    return None


def builtin_models() -> list[str]:
    """Return the names of the built-in models."""
    package = Path(__file__).resolve().parent.parent
    folders = (package / "builtin" / "models", package.parent / "models")
    return sorted({p.stem for folder in folders for p in folder.glob("*.toml")})


def load_study(path: str | Path) -> Study:
    """Read, complete and check a study file.

    Raises
    ------
    StudyError : not TOML, unknown key or name (the nearest known one is given), or a value out of range.
    StorageError : no such file.
    """
    path = Path(path)
    content = _read_toml(path)
    subjects = content.get("subjects")
    if isinstance(subjects, dict):
        content["subjects"] = {k: _model(v, path.parent, f"subjects.{k}") for k, v in subjects.items()}
    return parse_study(content, path.name)


def parse_study(content: dict[str, Any], name: str = "study") -> Study:
    """Check the content of a study file."""
    try:
        study = Study.model_validate(content)
    except ValidationError as error:
        raise StudyError(_explain(error, name)) from None
    _check_names(study, name)
    return study


def specification(subject: NetworkSubject) -> Any:
    """Return the network specification of a subject, validated."""
    known = ARCHITECTURES[subject.architecture]
    keys = known.__dataclass_fields__
    for key in subject.parameters:
        if key not in keys:
            raise StudyError(f"{subject.architecture}: unknown parameter {key!r}.{suggest(key, keys)}")
    try:
        return TypeAdapter(known).validate_python(subject.parameters)
    except ValidationError as error:
        raise StudyError(_explain(error, subject.architecture)) from None


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(storage.read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"{path}: not valid TOML: {error}.") from error


def _model(value: Any, folder: Path, place: str) -> Any:
    """Return the table that a subject given by name or path stands for; a table may add keys to a model."""
    extra: dict[str, Any] = {}
    if isinstance(value, dict) and "model" in value:
        extra = {k: v for k, v in value.items() if k != "model"}
        value = value["model"]
    if not isinstance(value, str):
        return value
    if value.endswith(".toml"):
        return _read_toml(storage.inside(folder, value)) | extra
    path = builtin("models", f"{value}.toml")
    if path is None:
        known = builtin_models()
        raise StudyError(f"{place}: no model {value!r}. Models: {', '.join(known)}.{suggest(value, known)}")
    return _read_toml(path) | extra


def _check_names(study: Study, name: str) -> None:
    def one_of(value: str, known: Any, place: str) -> None:
        if value not in known:
            raise StudyError(
                f"{name}: {place} = {value!r} is not known. Known: {', '.join(known)}.{suggest(value, known)}"
            )

    one_of(study.comparison.metric, METRICS, "comparison.metric")
    one_of(study.comparison.method, INFERENCE_METHODS, "comparison.method")
    if isinstance(study.stimuli, DatasetStimuli):
        one_of(study.stimuli.dataset, list_datasets(), "stimuli.dataset")
    for key, subject in study.subjects.items():
        place = f"subjects.{key}"
        if isinstance(subject, NetworkSubject):
            one_of(subject.architecture, tuple(ARCHITECTURES), f"{place}.architecture")
            specification(subject)
        if isinstance(subject, TwinSubject):
            one_of(subject.of, tuple(study.subjects), f"{place}.of")
            one_of(subject.rung, tuple(RUNGS), f"{place}.rung")
            original = study.subjects[subject.of]
            if (
                not isinstance(original, NetworkSubject)
                or original.architecture not in SPIKING
                or not original.training
            ):
                raise StudyError(
                    f"{name}: {place}.of = {subject.of!r} is no trained {' or '.join(SPIKING)}; only those have a twin."
                )
        if isinstance(study.stimuli, GivenStimuli) and not isinstance(subject, ResponsesSubject):
            raise StudyError(
                f"{name}: {place} needs pictures, but stimuli.source is 'labels'; give stimuli or responses."
            )
    for key, brain in study.brains.items():
        place = f"brains.{key}"
        if isinstance(brain, DatasetBrain):
            one_of(brain.dataset, list_datasets(), f"{place}.dataset")
            one_of(brain.recording, list_recordings(brain.dataset), f"{place}.recording")
        else:
            one_of(brain.metric, METRICS, f"{place}.metric")


def _explain(error: ValidationError, name: str) -> str:
    """Return one line about the first thing that is wrong, with the nearest known key."""
    unknown = ("extra_forbidden", "unexpected_keyword_argument")
    first = min(error.errors(), key=lambda e: e["type"] not in unknown)
    where = [str(p) for p in first["loc"] if p != "[key]"]
    place = ".".join(where)
    if first["type"] in unknown:
        known = _known_keys()
        return f"{name}: unknown key {place!r}.{suggest(where[-1], known)}"
    if first["type"] == "missing":
        return f"{name}: the key {place!r} is missing."
    message = first["msg"][0].lower() + first["msg"][1:]
    found = first.get("input")
    shown = f", found {found!r}" if isinstance(found, str | int | float | bool) else ""
    return f"{name}: {place or 'the file'}: {message}{shown}."


def _known_keys() -> list[str]:
    """Return every key that any table of a study knows; the nearest is what was meant."""
    records = (
        *(Study, Training, Comparison, NetworkSubject, TwinSubject, CircuitSubject, ResponsesSubject),
        *(DigitsStimuli, DatasetStimuli, FolderStimuli, FileStimuli, SyntheticBrain, DatasetBrain, ResponsesBrain),
    )
    keys = {k for record in records for k in record.model_fields}
    keys |= {k for spec in ARCHITECTURES.values() for k in spec.__dataclass_fields__}
    return sorted(keys)
