"""How to cite what was used: tools, methods, data sets and models by name, functions, results and whole studies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, get_args

import xarray as xr

from neurosim import storage
from neurosim.namespaces import public_names
from neurosim.recordings.datasets import list_datasets, load_citation
from neurosim.refusals import InputError, suggest
from neurosim.registry import Registry
from neurosim.study.citations import ADDRESS, as_bibtex, as_text, citations_of, cited_inference, in_full, tools_in_use
from neurosim.study.kinds import Citation
from neurosim.study.outcome import Outcome
from neurosim.study.study import Study

Form = Literal["text", "bibtex"]
PAPERS_AT = ("https://doi.org/10.", "https://arxiv.org/abs/")
REGISTRIES = (  # of records that know their paper, by the name that a citation of them may begin with
    "neurosim.similarity.metric:METRICS",
    "neurosim.similarity.method:METHODS",
    "neurosim.similarity.measure:MEASURES",
    "neurosim.similarity.predictor:PREDICTORS",
    "neurosim.similarity.spike_distance:SPIKE_DISTANCES",
    "neurosim.similarity.model_kind:MODEL_KINDS",
    "neurosim.similarity.map_statistic:MAP_STATISTICS",
    "neurosim.similarity.weighting:WEIGHTINGS",
    "neurosim.similarity.shrinkage:SHRINKAGES",
    "neurosim.responses.decoders:DECODERS",
    "neurosim.responses.curves:CURVES",
    "neurosim.responses.synchrony_measures:SYNCHRONY_MEASURES",
    "neurosim.responses.clusterings:CLUSTERINGS",
    "neurosim.responses.rate_kernels:RATE_KERNELS",
    "neurosim.responses.embeddings:EMBEDDINGS",
    "neurosim.networks.architecture:ARCHITECTURES",
    "neurosim.networks.learning_rule:LEARNING_RULES",
    "neurosim.biophysics.models:NEURONS",
    "neurosim.biophysics.models:SYNAPSES",
    "neurosim.biophysics.rules:PLASTICITY",
    "neurosim.biophysics.rules:RELEASES",
    "neurosim.biophysics.injection:CURRENTS",
    "neurosim.biophysics.named_circuits:CIRCUITS",
    "neurosim.stimuli.source:SOURCES",
    "neurosim.stimuli.event_set:EVENT_DATA",
    "neurosim.tasks.task:TASKS",
    "neurosim.recordings.reader:READERS",
)
SAID_BY = {  # attribute of a result: where what it names is looked for
    "metric": ("METRICS", "SPIKE_DISTANCES", "MODEL_KINDS"),
    "method": ("METHODS", "PREDICTORS", "MEASURES", "CLUSTERINGS", "EMBEDDINGS", "MAP_STATISTICS"),
}


def cite(*used: object, form: Form = "text") -> str:
    """Return how to cite what was used: this package, the tools that are loaded, and whatever is given.

    Nothing watches what a session calls: tools are known by being loaded, results by what their attributes say, and
    all else is named. A study that was run knows everything, as its report and its ``citations.bib`` do.

    Parameters
    ----------
    used : any of: the name of a metric, method, model, task, format or data set, "crossnobis", where two kinds have the
        name with its registry before it, "METRICS.cosine"; the name of a public function, "similarity.infer", or a
        function itself; a labelled result; a :class:`Study`; the outcome of one, or its results folder, as a path.
    form : "text", a line each; "bibtex", an entry a paper, with what the reference says: no titles, which are at the
        DOI.

    Returns
    -------
    the citations, without repetition.

    Raises
    ------
    InputError : an unknown name, with the nearest one, or one that two kinds have; something that is none of these.
    StorageError : a folder that holds no results, or of a version that did not keep them.

    Examples
    --------
    >>> print(ns.cite("crossnobis", ns.infer).splitlines()[-1])
    infer: Schuett HH, Kipnis AD, Diedrichsen J, Kriegeskorte N (2023) eLife 12:e82566, https://doi.org/10.7554/eLife...
    """
    if form not in get_args(Form):
        raise InputError(f"cite: form = {form!r}; {' or '.join(map(repr, get_args(Form)))} asked.")
    found = [*tools_in_use(), *(citation for thing in used for citation in _cited(thing))]
    return as_text(in_full(found)) if form == "text" else as_bibtex(in_full(found))


def _cited(thing: Any) -> list[Citation]:
    if isinstance(thing, str):
        return _of_name(thing)
    if isinstance(thing, Study):
        return citations_of(thing)
    if isinstance(thing, Outcome | Path):
        return citations_in(thing if isinstance(thing, Path) else thing.folder)
    if isinstance(thing, xr.DataArray | xr.Dataset):
        return _of_result(thing)
    reference = getattr(thing, "citation", None) or getattr(thing, "reference", None)
    if isinstance(reference, str):
        return [(getattr(thing, "caption", "") or str(getattr(thing, "name", "")), reference)]
    if callable(thing):
        return _of_docstring(str(getattr(thing, "__name__", thing)), thing)
    raise InputError(
        "cite: the name of something, a function, a labelled result, a study or a results folder asked, found "
        f"{type(thing).__name__}."
    )


def _of_name(name: str) -> list[Citation]:
    """Return how to cite what is called `name`, of whatever kind it is."""
    registry, _, short = name.rpartition(".")
    found = {
        f"{place}.{short}": record
        for place, records in _registries().items()
        if registry in ("", place) and (record := records.get(short)) is not None
    }
    if len(found) > 1:
        raise InputError(f"cite: {name!r} is the name of several things; say which: {', '.join(found)}.")
    if found:
        record = next(iter(found.values()))
        reference = str(getattr(record, "citation", "") or getattr(record, "reference", ""))
        return [(f"{_kind_of(next(iter(found)))} '{short}'", reference)] if reference else []
    if name in list_datasets():
        return [(f"data set '{name}'", load_citation(name))]
    functions = _functions()
    if name.removeprefix("neurosim.") in functions:
        dotted = functions[name.removeprefix("neurosim.")]
        return _of_docstring(name, getattr(import_module(dotted.rpartition(".")[0]), dotted.rpartition(".")[2]))
    known = [*(n for records in _registries().values() for n in records), *list_datasets(), *functions]
    folder = " A results folder is given as a pathlib.Path." if storage.is_folder(Path(name)) else ""
    raise InputError(f"cite: nothing is called {name[:60]!r}.{suggest(name, known)}{folder}")


def _registries() -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for place in REGISTRIES:
        module, _, name = place.partition(":")
        found[name] = getattr(import_module(module), name)
    return found


def _kind_of(place: str) -> str:
    records = _registries()[place.partition(".")[0]]
    return records.kind if isinstance(records, Registry) else ""


def _functions() -> dict[str, str]:
    """Return the public names, as "infer" and as "similarity.infer", with the dotted name of each."""
    rooms = public_names()
    dotted = [f"{room}.{name}" for room, names in rooms.items() for name in names]
    return {name.removeprefix("neurosim."): name for name in dotted} | {n.rpartition(".")[2]: n for n in dotted}


def _of_docstring(name: str, function: object) -> list[Citation]:
    """Return the papers that a function names in its documentation."""
    said = [match[0].rstrip(").:`") for match in ADDRESS.finditer(function.__doc__ or "")]
    return [(name, address) for address in said if address.startswith(PAPERS_AT)]


def _of_result(result: xr.DataArray | xr.Dataset) -> list[Citation]:
    """Return how to cite what the attributes of a result name."""
    found = [citation for key in SAID_BY for citation in _of_attribute(result, key)]
    if isinstance(result, xr.Dataset) and {"estimate", "resample", "correction"} <= result.attrs.keys():
        found += cited_inference([result])
    own = result.attrs.get("citation")
    return [*found, ("recording", str(own))] if own else found


def _of_attribute(result: xr.DataArray | xr.Dataset, key: str) -> Iterator[Citation]:
    said, records = str(result.attrs.get(key, "")), _registries()
    for place in SAID_BY[key]:
        for name in (said, said.removesuffix("_spikes")):
            if name in records[place]:
                yield from _of_name(f"{place}.{name}")
                return
    if said in _functions():
        yield from _of_name(said)


def citations_in(folder: Path) -> list[Citation]:
    """Return what a results folder keeps of what its study used."""
    said = storage.read_json_object(folder / "provenance.json").get("citations")
    if not isinstance(said, list) or not all(
        isinstance(c, list) and len(c) == 2 and all(isinstance(v, str) for v in c) for c in said
    ):
        raise storage.StorageError(
            f"{folder}: it does not say what is to be cited, as results of earlier versions; neurosim report writes it "
            "again."
        )
    return [(what, reference) for what, reference in said]
