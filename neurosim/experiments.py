"""In-silico experiments: what a perturbation does to the task and to the representation of a network or circuit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from scipy.stats import binomtest

from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.circuit_perturbation import perturb_circuit
from neurosim.biophysics.simulation import choose_category, monitors_of_choice, simulate
from neurosim.networks.naming import layer_labels, layer_names, one_module
from neurosim.networks.perturbation import changed, perturbed
from neurosim.networks.recording import predict, record_responses
from neurosim.refusals import asked_by
from neurosim.responses.averages import average_trials, over_time
from neurosim.runtime import as_seed, track
from neurosim.schema import InputError, Perturbation, as_stimuli
from neurosim.similarity.comparison import compare_rdms
from neurosim.similarity.rdms import compute_rdm

if TYPE_CHECKING:
    from torch import nn


@asked_by("perturbation_effect", "record_responses", "predict", "perturbed", "simulate")
def perturbation_effect(
    subject: nn.Module | Circuit,
    perturbations: Mapping[str, Perturbation],
    stimuli: xr.DataArray,
    *,
    categories: Sequence[str] | None = None,
    layers: Sequence[str] | None = None,
    metric: str = "euclidean",
    method: str = "spearman",
    engine: str = "auto",
    rng: np.random.Generator | int = 0,
    progress: bool = True,
) -> xr.Dataset:
    """Measure what perturbations do to the task and to the representation of a network or circuit.

    Parameters
    ----------
    subject : network or circuit; it is left as it was.
    perturbations : experiments by name.
    stimuli : as the subject takes them; with ``category`` where accuracy is asked for.
    categories : names of the categories in the order of the outputs; without them no accuracy is measured.
    layers : layers of a network that are recorded (default: those that :func:`record_responses` records, and those that
        are perturbed); all populations of a circuit.
    metric, method : how RDMs are made and compared with those of the unperturbed subject.
    engine : of circuits. rng : seed of what is random in circuits, the same for all perturbations, or a generator.
    progress : show a bar.

    Returns
    -------
    Dataset along ``perturbation`` (the first is "none") and ``layer``: ``accuracy`` with ``accuracy_low`` and
    ``accuracy_high`` (Wilson, 95 %), ``similarity`` of the RDM of each layer with the unperturbed one (NaN, with
    ``n_varying`` below 3, where a layer no longer tells stimuli apart), and ``activity``, the mean relative to the
    unperturbed one. Lesioned units count neither in RDMs nor in activity.

    Raises
    ------
    InputError : no such layer or unit, no category labels, fewer than 3 stimuli.

    Examples
    --------
    >>> from torch import nn
    >>> net = nn.Sequential(nn.Linear(4, 6))
    >>> pictures = ns.as_stimuli(np.random.default_rng(0).normal(size=(5, 4)))
    >>> effect = ns.perturbation_effect(net, {"cut": ns.Perturbation("silence", "0", [0])}, pictures, progress=False)
    >>> effect.perturbation.values.tolist(), effect.layer.values.tolist()
    (['none', 'cut'], ['0'])
    """
    _check_experiments(perturbations)
    stimuli = stimuli if isinstance(stimuli, xr.DataArray) else as_stimuli(stimuli)
    _check_categories(stimuli, categories)
    with_choice = categories is not None
    if isinstance(subject, Circuit):
        if layers is not None:
            raise InputError("perturbation_effect: all populations of a circuit are recorded; layers= is for networks.")
        for perturbation in perturbations.values():
            subject.population(perturbation.layer)
        ask = _circuit_asked(subject, stimuli, engine, as_seed(rng, "perturbation_effect"), with_choice)
    else:
        hit = [one_module(subject, p.layer, "perturbation_effect") for p in perturbations.values()]
        if layers is None and not set(hit) <= set(known := layer_names(subject, None)):
            layers = list(dict.fromkeys([*known, *hit]))
        ask = _network_asked(subject, stimuli, layers, with_choice)
    everything: dict[str, Perturbation | None] = {"none": None, **perturbations}
    rows, reference = [], None
    for p in track(everything.values(), "perturbing", len(everything), progress=progress):
        found = ask(p)
        reference = found.responses if reference is None else reference
        represented = _representation(reference, found, metric, method)
        rows.append(xr.merge([represented, _accuracy(found.chosen, stimuli, categories)]))
    return (
        xr.concat(rows, dim="perturbation")
        .assign_coords(perturbation=list(everything))
        .assign_attrs(metric=metric, method=method)
    )


@dataclass(frozen=True)
class _Answers:
    """Responses (stimulus, unit), which units are lesioned (unit,), and the chosen categories (stimulus,), if asked."""

    responses: xr.DataArray
    gone: np.ndarray
    chosen: np.ndarray | None


def _circuit_asked(
    circuit: Circuit, stimuli: xr.DataArray, engine: str, seed: int, with_choice: bool
) -> Callable[[Perturbation | None], _Answers]:
    """Return what asks a circuit, perturbed or not, for its answers."""

    def ask(p: Perturbation | None) -> _Answers:
        changed_one = circuit if p is None else perturb_circuit(circuit, p)
        kept = monitors_of_choice(changed_one) if with_choice else None
        found = simulate(changed_one, stimuli, engine=engine, rng=seed, monitors=kept, progress=False)
        spikes = found["responses"] if isinstance(found, xr.Dataset) else found
        gone = _gone(spikes, p, p.layer, circuit.population(p.layer).size) if p else _gone(spikes)
        chosen = choose_category(changed_one, found) if with_choice else None
        return _Answers(over_time(average_trials(spikes)), gone, chosen)

    return ask


def _network_asked(
    network: nn.Module, stimuli: xr.DataArray, layers: Sequence[str] | None, with_choice: bool
) -> Callable[[Perturbation | None], _Answers]:
    """Return what asks a network, perturbed or not, for its answers."""

    def ask(p: Perturbation | None) -> _Answers:
        if p is None:
            answers = record_responses(network, stimuli, layers=layers, progress=False)
            return _Answers(over_time(answers), _gone(answers), predict(network, stimuli) if with_choice else None)
        with changed(network, p) as change:
            answers = record_responses(network, stimuli, layers=layers, progress=False)
        label = layer_labels(network, [one_module(network, p.layer, "perturbation_effect")])[0]
        gone = _gone(answers, p, label, change.n_units)
        with perturbed(network, p):
            return _Answers(over_time(answers), gone, predict(network, stimuli) if with_choice else None)

    return ask


def _check_experiments(perturbations: object) -> None:
    if not isinstance(perturbations, Mapping):
        raise InputError(
            "perturbation_effect: experiments by name asked, found a "
            f"{type(perturbations).__name__}; give {{'name': Perturbation(...)}}."
        )
    if "none" in perturbations:
        raise InputError("perturbation_effect: 'none' is the name of the unperturbed subject; give another name.")


def _gone(answers: xr.DataArray, p: Perturbation | None = None, label: str = "", n_units: int = 0) -> np.ndarray:
    """Return which recorded units (unit,) are lesioned: the units of a layer come one after another for each token."""
    gone = np.zeros(answers.sizes["unit"], dtype=bool)
    own = np.flatnonzero(answers["layer"].values == label)
    if p is not None and p.kind == "lesion" and len(own):
        gone[own] = np.isin(np.arange(len(own)) % n_units, p.chosen(n_units))
    return gone


def _representation(reference: xr.DataArray, found: _Answers, metric: str, method: str) -> xr.Dataset:
    """Return how far the responses of each layer are from the unperturbed ones."""
    layer, answers, gone = reference["layer"].values, found.responses, found.gone
    columns: dict[str, list[float]] = {"similarity": [], "n_varying": [], "activity": []}
    names = list(dict.fromkeys(layer.tolist()))
    for name in names:
        own = np.flatnonzero((layer == name) & ~gone)
        before, after = reference.isel(unit=own), answers.isel(unit=own)
        columns["activity"].append(float(after.mean() / before.mean()) if len(own) and before.values.mean() else np.nan)
        n_varying = 0 if not len(own) else len(np.unique(after.values, axis=0))
        columns["n_varying"].append(n_varying)
        if min(n_varying, len(np.unique(before.values, axis=0)) if len(own) else 0) < 3:
            columns["similarity"].append(np.nan)
        else:
            score = compare_rdms(compute_rdm(after, metric), compute_rdm(before, metric), method)
            columns["similarity"].append(float(score))
    return xr.Dataset({k: ("layer", v) for k, v in columns.items()}, coords={"layer": names})


def _check_categories(stimuli: xr.DataArray, categories: Sequence[str] | None) -> None:
    if categories is None:
        return
    if "category" not in stimuli.coords:
        raise InputError("perturbation_effect: the stimuli have no 'category' label, by which accuracy is measured.")
    unknown = sorted(set(stimuli["category"].values.astype(str).tolist()) - {str(c) for c in categories})
    if unknown:
        raise InputError(
            f"perturbation_effect: category {unknown[0]!r} of a stimulus is not among categories={list(categories)}."
        )


def _accuracy(chosen: np.ndarray | None, stimuli: xr.DataArray, categories: Sequence[str] | None) -> xr.Dataset:
    if chosen is None or categories is None:
        return xr.Dataset()
    if int(chosen.max()) >= len(categories):
        raise InputError(
            f"perturbation_effect: output {int(chosen.max())} was chosen, and there are {len(categories)} categories; "
            "name one for each output, in their order."
        )
    right = np.asarray(categories, dtype=str)[chosen] == stimuli["category"].values.astype(str)
    low, high = binomtest(int(right.sum()), right.size).proportion_ci(method="wilson")
    return xr.Dataset({"accuracy": float(right.mean()), "accuracy_low": low, "accuracy_high": high})
