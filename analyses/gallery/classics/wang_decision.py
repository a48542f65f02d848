"""The decision circuit of Wang 2002: who wins, and when, by the coherence of what is shown."""

import numpy as np
import xarray as xr
from classic import Claim, Classic

import neurosim as ns
from neurosim import biophysics as bio
from neurosim.plots.canvas import PALETTE, Figure

POOLS, BIN, LEVEL = ("first", "second"), 0.02, 15.0  # s; spikes/s at which a pool has decided
SHOWN = 6  # trials that are drawn


def compute(
    coherence: tuple[float, ...],
    trials: int,
    n_excitatory: int,
    strength: float,
    seconds: float,
    dt: float,
    seeds: tuple[int, ...],
) -> xr.Dataset:
    """Return the rates of both pools, (coherence, trial, time); the first is shown more."""
    options = bio.DecisionOptions(n_excitatory, n_excitatory // 4, strength=strength, duration=seconds, dt=dt)
    n = round(options.selective * n_excitatory)
    circuit = bio.build_circuit("decision", 2 * n, options)
    shown = ns.as_stimuli(np.stack([np.repeat([(1 + c) / 2, (1 - c) / 2], n) for c in coherence]))
    kept = bio.Monitors(time_bin=BIN)
    answers = [  # one coherence after the other: the background of all trials at once would fill the memory
        ns.simulate(circuit, shown[[k]], trials=trials, rng=seeds[0], engine="torch", monitors=kept, progress=False)
        for k in range(len(coherence))
    ]
    found = np.concatenate([one.transpose("stimulus", "trial", "time", "unit").values for one in answers])
    layer = answers[0]["layer"].values
    rate = np.stack([found[..., layer == pool].mean(-1) / BIN for pool in POOLS])
    kernel = np.ones(3) / 3  # 60 ms
    rate = np.apply_along_axis(lambda course: np.convolve(course, kernel, "same"), -1, rate)
    return xr.Dataset(
        {"rate": (("pool", "coherence", "trial", "time"), rate)},
        coords={"pool": list(POOLS), "coherence": list(coherence), "time": (np.arange(rate.shape[-1]) + 0.5) * BIN},
    )


def choices(found: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return whether the first pool reached the level before the second, 1 or 0, and when (s); NaN where none did."""
    above = found["rate"] > LEVEL
    time = xr.where(above.any("time"), found["time"].values[above.argmax("time")], np.inf)
    first, second = time.sel(pool="first").values, time.sel(pool="second").values
    when = np.minimum(first, second)
    ahead = (found["rate"].isel(time=slice(-5, None)).mean("time").diff("pool")[0] < 0).values  # where both at once
    chosen = np.where(first == second, ahead, first < second)
    decided = np.isfinite(when)
    return np.where(decided, chosen, np.nan), np.where(decided, when, np.nan)


def numbers(found: xr.Dataset) -> dict[str, float]:
    """Return the share of correct choices and the time of decisions at the ends of the coherences."""
    correct, when = choices(found)
    weak, strong = np.argsort(found["coherence"].values)[[0, -1]]
    end = found["rate"].isel(coherence=strong, time=slice(-6, -1)).mean("time")
    ours = {
        "correct at the highest coherence": float(np.nanmean(correct[strong])),
        "rate of the winner at the end": float(end.max("pool").mean()),
        "rate of the loser at the end": float(end.min("pool").mean()),
    }
    if len(found["coherence"]) > 2:
        ours["choices of the first pool at coherence 0"] = float(np.nanmean(correct[weak]))
        ours["time at coherence 0 over that at the highest"] = float(np.nanmean(when[weak]) / np.nanmean(when[strong]))
    return ours


def draw(found: xr.Dataset, figure: Figure) -> None:
    """Draw rates of some trials, choices and times of decisions by coherence."""
    axes = figure.subplots(1, 3)
    correct, when = choices(found)
    for k, (pool, what) in enumerate(zip(POOLS, ("pool that is shown more", "other pool"), strict=True)):
        courses = found["rate"].sel(pool=pool)[-1, :SHOWN]
        axes[0].plot(found["time"], courses.T, color=PALETTE[k], lw=0.7, label=[what] + ["_"] * (SHOWN - 1))
    axes[0].axhline(LEVEL, color="0.5", lw=0.8, ls="--")
    axes[0].text(float(found["time"][-1]), LEVEL + 1, "decided", fontsize=6, color="0.4", ha="right")
    axes[0].legend(fontsize=6, loc="upper left", borderaxespad=0)
    axes[0].set(xlabel="time (s)", ylabel="rate (spikes/s)", ylim=(None, 1.25 * float(found["rate"].max())))
    axes[0].set_title(f"{SHOWN} trials, coherence {float(found['coherence'][-1]):.1%}")
    percent = 100 * found["coherence"].values
    n = np.isfinite(correct).sum(1)
    share, mean, error = np.nanmean(correct, 1), np.nanmean(when, 1), np.nanstd(when, 1) / np.sqrt(n)
    axes[1].errorbar(percent, 100 * share, 100 * np.sqrt(share * (1 - share) / n), fmt="o-", ms=4, color=PALETTE[0])
    axes[1].axhline(50, color="0.5", lw=0.8, ls="--")
    axes[1].set(xlabel="coherence (%)", ylabel="correct, at 0 the first (%)", ylim=(0, 103))
    axes[1].set_title(f"{found.sizes['trial']} trials each (\u00b1 s.e.)")
    axes[2].errorbar(percent, 1e3 * mean, 1e3 * error, fmt="o-", ms=4, color=PALETTE[1])
    axes[2].set(
        xlabel="coherence (%)", ylabel="time of decision (ms)", ylim=(0, None), title="those that decided (\u00b1 s.e.)"
    )


CLASSIC = Classic(
    "wang_decision",
    "Wang 2002, decision circuit",
    ("Wang XJ (2002) Neuron 36:955-968, https://doi.org/10.1016/S0896-6273(02)01092-9",),
    'Two pools compete through slow excitation and shared inhibition, in the named circuit "decision" with 500 '
    "of the paper's 2,000 cells and 1.8 as the weight within pools, where the paper has 1.7. A pool decides when its "
    "rate, over 60 ms, reaches 15 spikes/s.",
    compute,
    numbers,
    draw,
    {
        "correct at the highest coherence": Claim(1.0, "", "figure 3", 0.05),
        "choices of the first pool at coherence 0": Claim(
            0.5, "", "symmetry", 0.22, full_only=True,
            outside="8 of 11 trials that decided; a fair coin is as far from one half in 23 % of such experiments.",
        ),
        "time at coherence 0 over that at the highest": Claim(2.5, "", "figure 3: two to three", 1.2, full_only=True),
        "rate of the winner at the end": Claim(50.0, "spikes/s", "figure 2: some tens", 30.0),
        "rate of the loser at the end": Claim(0.0, "spikes/s", "figure 2: near 0", 5.0),
    },
    full={
        "coherence": (0.0, 0.064, 0.128, 0.256, 0.512), "trials": 12, "n_excitatory": 400, "strength": 1.8,
        "seconds": 2.0, "dt": 5e-4, "seeds": (1,),
    },
    small={
        "coherence": (0.0, 0.6), "trials": 2, "n_excitatory": 200, "strength": 2.1, "seconds": 0.8, "dt": 5e-4,
        "seeds": (1,),
    },
)  # fmt: skip
