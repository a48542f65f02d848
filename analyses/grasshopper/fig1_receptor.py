"""Figure 1 of the grasshopper: what drives an auditory receptor neuron, and how well a spiking neuron predicts it.

Rokem et al. 2006 (rokem2006): the stimulus before spikes; a leaky neuron with escape noise, run in Brian2 and driven by
the envelope of the sound, against a rate model (linear-nonlinear Poisson) and a Poisson model with a memory of spikes
(GLM). All are fitted to the first half of each stimulus; Gamma is their coincidence with the spikes of the second half,
which each saw once, so that its ceiling is not known. Intervals: bootstrap over the five held-back seconds.

Run: NEUROSIM_DATA=... python analyses/grasshopper/fig1_receptor.py [folder] (half a minute)
"""

import sys
from pathlib import Path

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.biophysics.fitting.driven import fit_driven
from neurosim.biophysics.fitting.receptive_field import fit_poisson, spike_triggered_average
from neurosim.plots.canvas import PAGE, PALETTE, Axes, Figure, figure_bytes, house_style, letter_panels, new_figure
from neurosim.recordings.datasets import load_dataset
from neurosim.responses.averages import rebin
from neurosim.responses.spike_matching import coincidence_rate

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import called

MODELS = {"spiking": "spiking neuron (Brian2)", "rate": "rate model (LNP)", "glm": "Poisson with memory (GLM)"}
STEP, TOLERANCE, N_TRIALS, N_BLOCKS, N_BOOTSTRAP = 2e-4, 2e-3, 20, 5, 2000
SHOWN = 0.5


def compute(stimuli: xr.DataArray, responses: xr.DataArray) -> xr.Dataset:
    """Average the stimulus before spikes; fit three models to the first half and test them on the second."""
    average = spike_triggered_average(stimuli, responses)
    spikes = rebin(responses, STEP)
    factor = round(STEP / stimuli.attrs["time_step"])
    envelope = stimuli.coarsen(time=factor, boundary="trim").mean().assign_attrs(time_step=STEP)
    half = spikes.sizes["time"] // 2
    first, second = {"time": slice(0, half)}, {"time": slice(half, 2 * half)}
    gamma, bits, rasters, delays = [], [], [], []
    for s in range(spikes.sizes["stimulus"]):
        sound, train = envelope.isel(stimulus=[s]), spikes.isel(stimulus=[s])
        neuron = fit_driven(sound.isel(first), train.isel(first))
        rate = fit_poisson(sound.isel(first), train.isel(first), reach=20e-3)
        glm = fit_poisson(sound.isel(first), train.isel(first), reach=20e-3, history=60e-3)
        drawn = [
            neuron.simulate(sound.isel(second), trials=N_TRIALS, engine="brian2"),
            *(m.simulate(sound.isel(second), trials=N_TRIALS) for m in (rate, glm)),
        ]
        held = train.isel(second)
        gamma.append([_blocks(held, d) for d in drawn])
        bits.append([m.bits_per_spike for m in (neuron, rate, glm)])
        delays.append(neuron.delay)
        n = round(SHOWN / STEP)
        rasters.append(np.concatenate([held.values[0, None, :n, 0], *(d.values[0, :5, :n, 0] for d in drawn)]))
    dims = ("stimulus", "model")
    return xr.Dataset(
        {
            "average": (("stimulus", "lag"), average.average.values[:, 0]),
            "average_error": (("stimulus", "lag"), average.standard_error.values[:, 0]),
            "peak_lag": ("stimulus", average.peak_lag.values[:, 0]),
            "gamma": ((*dims, "block"), np.array(gamma)),
            "bits_per_spike": (dims, np.array(bits)),
            "delay": ("stimulus", delays),
            "raster": (("stimulus", "row", "time"), np.array(rasters).astype(np.uint8)),
        },
        coords={"stimulus": stimuli["stimulus"].values, "lag": average.lag.values, "model": list(MODELS)},
    )


def _blocks(observed: xr.DataArray, predicted: xr.DataArray) -> np.ndarray:
    """Gamma in each of the held-back seconds."""
    size = observed.sizes["time"] // N_BLOCKS
    blocks = [{"time": slice(k * size, (k + 1) * size)} for k in range(N_BLOCKS)]
    return np.array([float(coincidence_rate(observed.isel(b), predicted.isel(b), tolerance=TOLERANCE)) for b in blocks])


def intervals(blocks: np.ndarray) -> tuple[float, float, float]:
    """Mean over blocks (block,) and its 95 % bootstrap interval."""
    rng = np.random.default_rng(0)
    means = blocks[rng.integers(0, len(blocks), (N_BOOTSTRAP, len(blocks)))].mean(1)
    return float(blocks.mean()), *(float(q) for q in np.quantile(means, [0.025, 0.975]))


def draw(results: xr.Dataset) -> Figure:
    """Draw the average stimulus, half a held-back second of spikes, and Gamma of the models."""
    figure = new_figure(PAGE, 5.2)
    grid = figure.add_gridspec(2, 2, height_ratios=(1, 1.1))
    axes = [figure.add_subplot(place) for place in (grid[0, 0], grid[0, 1], grid[1, :])]
    _averages(axes[0], results)
    _coincidences(axes[1], results)
    _spikes(axes[2], results.raster.isel(stimulus=0).values)
    letter_panels(axes, 7)
    return figure


def _averages(ax: Axes, results: xr.Dataset) -> None:
    """Draw the stimulus before a spike, its peak told where it stands."""
    lag = results.lag.values * 1e3
    for s, name in enumerate(results.stimulus.values):
        one, colour = results.isel(stimulus=s), PALETTE[s]
        ax.plot(lag, one.average, color=colour)
        low, high = one.average - 2 * one.average_error, one.average + 2 * one.average_error
        ax.fill_between(lag, low, high, color=colour, alpha=0.25, lw=0)
        peak, side = 1e3 * float(one.peak_lag), "right" if s else "left"
        ax.annotate(
            f"{_told(name)}\n{peak:.2f} ms",
            (peak, float(one.average.max())),
            xytext=(-6 if s else 6, -8),
            textcoords="offset points",
            color=colour,
            fontsize=6,
            ha=side,
            va="center",
        )
    ax.axvline(0, color="0.6", lw=0.6)
    ax.set(xlabel="time from spike (ms)", ylabel="envelope, less its mean")
    ax.set_title("stimulus before a spike (\u00b1 2 s.e.)")


def _coincidences(ax: Axes, results: xr.Dataset) -> None:
    """Draw Gamma of every model with its interval, one row a model and stimulus."""
    names = results.stimulus.values
    for k, model in enumerate(MODELS):
        for s in range(len(names)):
            mean, low, high = intervals(results.gamma.sel(model=model).values[s])
            row = k + s * (len(MODELS) + 0.7)
            ax.barh(row, mean, 0.8, color=PALETTE[k])
            ax.plot([low, high], [row, row], color="0.25", lw=0.8)
    places = [k + s * (len(MODELS) + 0.7) for s in range(len(names)) for k in range(len(MODELS))]
    ax.set_yticks(places, list(MODELS.values()) * len(names), fontsize=6)
    for s, name in enumerate(names):
        ax.text(
            0.98, 1 + s * (len(MODELS) + 0.7), _told(name), transform=ax.get_yaxis_transform(), ha="right", fontsize=6
        )
    ax.invert_yaxis()
    ax.axvline(0, color="0.6", lw=0.6)
    ax.set(xlabel=f"coincidence rate \u0393 within {1e3 * TOLERANCE:g} ms", title="the 5 s held back, 95 % intervals")


def _spikes(ax: Axes, raster: np.ndarray) -> None:
    """Draw recorded spikes and five draws of each model."""
    colours = ["black"] + [PALETTE[k] for k in range(len(MODELS)) for _ in range(5)]
    for row, (train, colour) in enumerate(zip(raster, colours, strict=True)):
        at = np.flatnonzero(train) * STEP * 1e3
        ax.scatter(at, np.full(len(at), -row), marker="|", s=12, lw=0.7, color=colour)
    ax.set_yticks([0, -3, -8, -13], ["recorded", "spiking", "rate", "GLM"])
    ax.set(
        xlabel="time (ms)", title="first held-back half second, cut-off 200 Hz: the neuron once, each model five times"
    )


def _told(stimulus: str) -> str:
    """Return the name of a stimulus as a reader writes it: cutoff_200Hz is "cut-off 200 Hz"."""
    return stimulus.replace("cutoff_", "cut-off ").replace("Hz", " Hz")


def table(results: xr.Dataset) -> dict[str, object]:
    """Return the numbers that a text quotes."""
    found: dict[str, object] = {}
    for s, name in enumerate(results.stimulus.values):
        one = results.isel(stimulus=s)
        found[str(name)] = {
            "peak of the spike-triggered average (ms)": round(1e3 * float(one.peak_lag), 3),
            "delay of the spiking neuron (ms)": round(1e3 * float(one.delay), 3),
            "gamma (mean, low, high)": {
                m: [round(v, 3) for v in intervals(one.gamma.sel(model=m).values)] for m in MODELS
            },
            "bits per spike, training half": {m: round(float(one.bits_per_spike.sel(model=m)), 3) for m in MODELS},
        }
    return found | {"tolerance (ms)": 1e3 * TOLERANCE}


def main(folder: Path) -> None:
    """Compute, keep the numbers, and draw from them."""
    recorded = load_dataset("rokem2006")
    storage.write_dataset(folder / "fig1_receptor.nc", compute(recorded.stimuli, recorded.responses["receptor"]))
    gathered = storage.read_dataset(folder / "fig1_receptor.nc")
    storage.write_json(folder / "fig1_receptor.json", table(gathered))
    with house_style():
        storage.write_bytes(folder / "fig1_receptor.png", figure_bytes(draw(gathered))["png"])
    print(folder / "fig1_receptor.png")


if __name__ == "__main__":
    with called(__doc__) as given:
        main(given.folder("results/grasshopper"))
