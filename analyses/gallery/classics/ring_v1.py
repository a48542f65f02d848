"""The ring model of V1: tuning that recurrent excitation sharpens, of the same width at every contrast."""

import numpy as np
import xarray as xr
from classic import Claim, Classic
from tuning import aligned, draw_curves, judged_curves

import neurosim as ns
from neurosim import biophysics as bio

N, WIDTH, BASE = 16, 30.0, 0.15  # orientations shown; half width of the input (degrees), and its share at all others
SHARPNESS = np.log(2) / (1 - np.cos(np.deg2rad(2 * WIDTH)))


def shown(contrasts: tuple[float, ...]) -> xr.DataArray:
    """Return intensities (stimulus, input unit) of every orientation at every contrast."""
    angles = np.deg2rad(2 * 180.0 * np.arange(N) / N)
    broad = np.exp(SHARPNESS * (np.cos(np.subtract.outer(angles, angles)) - 1))
    return ns.as_stimuli(np.concatenate([c * (BASE + (1 - BASE) * broad) for c in contrasts]))


def compute(
    contrasts: tuple[float, ...], trials: int, n_cells: int, seconds: float, seeds: tuple[int, ...]
) -> xr.Dataset:
    """Return the curve of the excitatory cells for each seed and contrast, after the first half of the stimulus."""
    options = bio.RingV1Options(n_cells, n_cells // 4, n_orientations=N, duration=seconds)
    curves = []
    for seed in seeds:
        circuit = bio.build_circuit("ring_v1", N, options, rng=seed)
        kept = bio.Monitors(time_bin=seconds / 2)
        found = ns.simulate(
            circuit, shown(contrasts), trials=trials, rng=seed, engine="torch", monitors=kept, progress=False
        )
        late = found.isel(time=1, unit=np.flatnonzero(found["layer"].values == "excitatory"))
        rate = late.mean("trial").values / (seconds / 2)
        curves.append(aligned(rate.reshape(len(contrasts), N, n_cells)))
    difference = 180.0 * (np.arange(N) - N // 2) / N
    return xr.Dataset(
        {"curve": (("seed", "contrast", "difference"), np.array(curves))},
        coords={"seed": list(seeds), "contrast": list(contrasts), "difference": difference},
    )


def numbers(found: xr.Dataset) -> dict[str, float | str]:
    """Return widths of the tuning, and whether it is sharper than the input."""
    ours = judged_curves(found)
    is_sharper = float(ours["half width at the highest contrast"]) < 0.85 * WIDTH
    return ours | {"tuning": "sharper than the input" if is_sharper else "as broad as the input"}


CLASSIC = Classic(
    "ring_v1",
    "Ring model of V1, tuning and contrast",
    (
        "Ben-Yishai R, Bar-Or RL, Sompolinsky H (1995) PNAS 92:3844-3848, https://doi.org/10.1073/pnas.92.9.3844",
        "Somers DC, Nelson SB, Sur M (1995) J Neurosci 15:5448-5465, https://doi.org/10.1523/JNEUROSCI.15-08-05448.1995",
        "Sclar G, Freeman RD (1982) Exp Brain Res 46:457-461, https://doi.org/10.1007/BF00238641",
    ),
    'The named circuit "ring_v1": excitatory cells that prefer like orientations excite each other, inhibition is '
    "broad; Poisson input with a half width of 30 degrees at several contrasts.",
    compute,
    numbers,
    draw_curves,
    {
        "half width at the highest contrast": Claim(20.0, "degrees", "cat V1: about 20 (1982)", 8.0),
        "half width at the lowest contrast over it": Claim(1.0, "", "invariance with contrast, 1995 and 1982", 0.25),
        "rate at the preferred orientation": Claim("grows with contrast", "", "1995"),
        "tuning": Claim("sharper than the input", "", "1995, marginal phase"),
    },
    full={"contrasts": (0.2, 0.5, 1.0), "trials": 10, "n_cells": 64, "seconds": 0.4, "seeds": (1, 2, 3, 4, 5)},
    small={"contrasts": (0.3, 1.0), "trials": 3, "n_cells": 32, "seconds": 0.2, "seeds": (1,)},
)
