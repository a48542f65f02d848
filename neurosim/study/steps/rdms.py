"""Step: the RDMs of one subject, for every layer, and for every layer and time bin."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.networks.naming import layer_labels
from neurosim.networks.recording import iterate_layers
from neurosim.networks.specifications import SpikingConvNetSpecification, SpikingMLPSpecification
from neurosim.recordings.files import load_responses
from neurosim.responses.averages import average_trials, over_time, rebin
from neurosim.schema import InputError, as_responses, same_stimuli
from neurosim.similarity.rdms import compute_rdm
from neurosim.stimuli.encoders import encode_rate
from neurosim.study.engine.step import Job
from neurosim.study.steps.train import fitted_stimuli, specification_of, trained_network

log = logging.getLogger(__name__)
MAX_TIME_BINS = 12
SPIKING = (SpikingConvNetSpecification, SpikingMLPSpecification)


def run(job: Job) -> None:
    """Write ``rdms.nc``: ``rdm`` and ``euclidean`` (layer, ...), and ``rdm_time`` (layer, time, ...) if it has time."""
    stimuli = storage.read_array(job.input("stimuli") / "stimuli.nc")
    metric = job.config["metric"]
    whole, euclidean, timed, left_out = {}, {}, {}, {}
    for layer, responses in _layers(job, stimuli):
        try:
            still = over_time(responses)
            whole[layer] = compute_rdm(
                still, metric if "trial" in still.dims or metric != "crossnobis" else "euclidean"
            )
            euclidean[layer] = compute_rdm(still, "crossnobis" if still.sizes.get("trial", 1) > 1 else "euclidean")
        except InputError as error:
            left_out[layer] = str(error)
            log.warning("%s", error)
            continue
        if "time" in responses.dims:
            timed[layer] = _over_bins(average_trials(responses), metric, job.config["time_bin"])
    if not whole:
        raise InputError(
            f"{job.config['name']}: no layer has RDMs: {next(iter(left_out.values()), 'it has no layers')}"
        )
    result = xr.Dataset({"rdm": _stack(whole), "euclidean": _stack(euclidean)})
    if timed:
        result["rdm_time"] = _stack(timed)
    result.attrs.update(metric=metric, left_out=left_out, subject=job.config["name"])
    storage.write_dataset(job.out / "rdms.nc", result)


def _layers(job: Job, stimuli: xr.DataArray) -> Iterator[tuple[str, xr.DataArray]]:
    """Yield the responses of one layer after the other; a network's activity is never held whole."""
    if job.config["kind"] == "network":
        yield from _network_layers(job, stimuli)
        return
    if job.config["kind"] == "responses":
        responses = load_responses(job.files["responses"], time_bin=job.config["time_bin"])
        responses = same_stimuli(stimuli, responses, job.config["name"])
    else:
        responses = storage.read_array(job.input("simulate:") / "responses.nc")
    if "layer" not in responses.coords:
        yield "all", responses
        return
    names = responses["layer"].values
    for name in dict.fromkeys(names.tolist()):
        yield str(name), responses.isel(unit=np.flatnonzero(names == name))


def _network_layers(job: Job, stimuli: xr.DataArray) -> Iterator[tuple[str, xr.DataArray]]:
    network = trained_network(job.config, job.input("train:"))
    specification = specification_of(job.config)
    spiking = isinstance(specification, SpikingMLPSpecification)
    shown = fitted_stimuli(stimuli, network, job.input("train:"), job.config["name"])
    if spiking:
        step = specification.dt  # type: ignore[union-attr]
        shown = encode_rate(shown, n_steps=specification.n_steps, time_step=step, rng=job.config["seed"])  # type: ignore[union-attr]
    time_step = float(getattr(network, "time_step", 1.0))
    for name, array in iterate_layers(network, shown, double=spiking):
        yield (
            layer_labels(network, [name])[0],
            as_responses(
                array,
                dims=("stimulus", "time", "unit") if array.ndim == 3 else ("stimulus", "unit"),
                stimuli=stimuli,
                quantity="spike_count" if isinstance(specification, SPIKING) else "activation",
                time_step=time_step if array.ndim == 3 else None,
            ),
        )


def _over_bins(responses: xr.DataArray, metric: str, time_bin: float | None) -> xr.DataArray:
    """Return RDMs in at most 12 time bins; NaN where some pattern does not vary, as before the first spikes."""
    step = float(responses.attrs["time_step"])
    ratio = max(1, -(-responses.sizes["time"] // MAX_TIME_BINS))
    binned = rebin(responses, time_bin or ratio * step)
    metric = "euclidean" if metric == "crossnobis" else metric
    parts = []
    for i in range(binned.sizes["time"]):
        now = binned.isel(time=i, drop=True)
        try:
            parts.append(compute_rdm(now, metric))
        except InputError:
            parts.append(xr.full_like(compute_rdm(now, "euclidean"), np.nan))
    return xr.concat(parts, xr.DataArray(binned["time"].values, dims="time", name="time"))


def _stack(rdms: dict[str, xr.DataArray]) -> xr.DataArray:
    names = list(rdms)
    return xr.concat(list(rdms.values()), xr.DataArray(names, dims="layer", name="layer"))
