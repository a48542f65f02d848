"""The LGN-V1 front end: cells of V1 that Gabor functions wire from the LGN, shown gratings at several contrasts."""

import numpy as np
import xarray as xr
from classic import Claim, Classic
from tuning import aligned, draw_curves, gratings, judged_curves

import neurosim as ns
from neurosim import biophysics as bio

SIDE = 31  # pixels


def compute(contrasts: tuple[float, ...], n_orientations: int, trials: int, seeds: tuple[int, ...]) -> xr.Dataset:
    """Return the curve of the excitatory cells for each seed and contrast, after the first 0.1 s of a grating."""
    options, angles = bio.LGNV1Options(), 180.0 * np.arange(n_orientations) / n_orientations
    shown = gratings(angles, contrasts, SIDE, options.wavelength)
    curves = []
    for seed in seeds:
        circuit = bio.build_circuit("lgn_v1", SIDE**2, options, rng=seed)
        kept = bio.Monitors(time_bin=0.1)
        found = ns.simulate(circuit, shown, trials=trials, rng=seed, engine="torch", monitors=kept, progress=False)
        late = found.isel(time=1, unit=np.flatnonzero(found["layer"].values == "excitatory"))
        rate = late.mean("trial").values if trials > 1 else late.values
        shape = (len(contrasts), n_orientations, options.v1_grid**2, options.n_orientations, -1)
        curves.append(aligned(rate.reshape(shape).mean((2, 4)) / 0.1))
    difference = 180.0 * (np.arange(n_orientations) - n_orientations // 2) / n_orientations
    return xr.Dataset(
        {"curve": (("seed", "contrast", "difference"), np.array(curves))},
        coords={"seed": list(seeds), "contrast": list(contrasts), "difference": difference},
    )


CLASSIC = Classic(
    "lgn_v1",
    "LGN-V1 front end, tuning and contrast",
    (
        "Hubel DH, Wiesel TN (1962) J Physiol 160:106-154, https://doi.org/10.1113/jphysiol.1962.sp006837",
        "Troyer TW, Krukowski AE, Priebe NJ, Miller KD (1998) J Neurosci 18:5908-5927, "
        "https://doi.org/10.1523/JNEUROSCI.18-15-05908.1998",
        "Sclar G, Freeman RD (1982) Exp Brain Res 46:457-461, https://doi.org/10.1007/BF00238641",
    ),
    'The named circuit "lgn_v1", which takes pictures pixel by pixel, shown gratings of 31 x 31 pixels: inhibition '
    "that follows contrast keeps the width of the tuning.",
    compute,
    judged_curves,
    draw_curves,
    {
        "half width at the highest contrast": Claim(20.0, "degrees", "cat V1: about 20 (1982)", 8.0),
        "half width at the lowest contrast over it": Claim(1.0, "", "invariance with contrast, 1998 and 1982", 0.25),
        "rate at the preferred orientation": Claim("grows with contrast", "", "1982"),
    },
    full={"contrasts": (0.1, 0.3, 1.0), "n_orientations": 16, "trials": 2, "seeds": (1, 2, 3, 4, 5)},
    small={"contrasts": (0.3, 1.0), "n_orientations": 8, "trials": 1, "seeds": (1,)},
)
