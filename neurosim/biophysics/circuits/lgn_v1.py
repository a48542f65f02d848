"""A front end for pictures: ON and OFF cells of the LGN, and oriented cells of V1 that are wired from them.

A cell of the LGN sums a picture with a centre and a surround (https://doi.org/10.1016/0042-6989(65)90033-7); an
excitatory cell of V1 sums ON and OFF cells where its Gabor function is above and below 0
(https://doi.org/10.1113/jphysiol.1962.sp006837, https://doi.org/10.1152/jn.1987.58.6.1187). Inhibitory cells of V1 sum
all cells of the LGN around them and divide by contrast, whatever its orientation
(https://doi.org/10.1523/JNEUROSCI.18-15-05908.1998).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurosim.biophysics.background import Poisson
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.inputs import INPUT, Input
from neurosim.biophysics.named_circuits import NamedCircuit
from neurosim.biophysics.neurons import adex, lif
from neurosim.biophysics.neurons.adex import AdExParameters
from neurosim.biophysics.neurons.lif import LIFParameters
from neurosim.biophysics.plain_numbers import convert, number, whole
from neurosim.biophysics.populations import Population
from neurosim.biophysics.projections import Projection
from neurosim.biophysics.synapses import exponential_conductance
from neurosim.biophysics.synapses.exponential_conductance import ExponentialConductanceParameters
from neurosim.refusals import InputError

ON, OFF, EXCITATORY, INHIBITORY = "lgn_on", "lgn_off", "excitatory", "inhibitory"
PHASES = 4  # of the receptive fields at each place and orientation, 90 degrees apart
SURROUND, ASPECT = 3.0, 1.5  # widths of the surround and of a Gabor along its bars, over those of centre and across
RELAY = LIFParameters()
SPONTANEOUS, CONTRAST = 1.5e-10, 6e-10  # A: in the dark; of a centre of 1 in a surround of 0
REGULAR = AdExParameters()
FAST = AdExParameters(capacitance=100e-12, g_leak=10e-9, a=0.0, b=0.0, tau_w=30e-3, refractory=1e-3)
FROM_LGN = {EXCITATORY: 250e-9, INHIBITORY: 60e-9}  # S: the sum of the weights onto a cell
WITHIN = {  # (source, target): sum of the weights onto a cell, S, and how alike orientations are, degrees
    (EXCITATORY, EXCITATORY): (12e-9, 20.0),
    (EXCITATORY, INHIBITORY): (8e-9, 40.0),
    (INHIBITORY, EXCITATORY): (60e-9, 60.0),
    (INHIBITORY, INHIBITORY): (20e-9, 60.0),
}


@dataclass(frozen=True)
class LGNV1Options:
    """Options of the LGN-V1 front end.

    Parameters
    ----------
    lgn_grid : ON cells along each side of the picture, and OFF cells.
    v1_grid : places of V1 along each side. n_orientations : at each place, over 180 degrees.
    wavelength : period of the receptive fields of V1, in sides of the picture.
    duration : how long a picture is shown, s. dt : step of the simulation, s.

    Raises
    ------
    InputError : a number out of range, or a wavelength below two cells of the LGN.

    Examples
    --------
    >>> ns.biophysics.LGNV1Options(v1_grid=6).n_orientations
    8
    """

    lgn_grid: int = 12
    v1_grid: int = 4
    n_orientations: int = 8
    wavelength: float = 0.3
    duration: float = 0.2
    dt: float = 2.5e-4

    def __post_init__(self) -> None:
        convert(self, "LGNV1Options", lgn_grid=whole, v1_grid=whole, n_orientations=whole)
        convert(self, "LGNV1Options", wavelength=number, duration=number, dt=number)
        bounds = {
            "lgn_grid": (4, 100), "v1_grid": (1, 50), "n_orientations": (2, 64), "wavelength": (0.02, 2.0),
            "duration": (1e-3, 100.0), "dt": (1e-6, 1e-3),
        }  # fmt: skip
        for name, (low, high) in bounds.items():
            if not low <= getattr(self, name) <= high:
                raise InputError(f"LGNV1Options: {name} from {low:g} to {high:g} asked, found {getattr(self, name):g}.")
        if self.wavelength * self.lgn_grid < 2:
            raise InputError(
                f"LGNV1Options: a wavelength of two cells of the LGN or more asked, found {self.wavelength:g} of a "
                f"side that has {self.lgn_grid}; take a larger lgn_grid."
            )


def build(options: LGNV1Options, n_inputs: int, rng: np.random.Generator) -> Circuit:
    """Return the circuit; its input is a grey picture as high as wide, pixel by pixel from 0 to 1."""
    side = round(np.sqrt(n_inputs))
    if side**2 != n_inputs or side < 4:
        raise InputError(
            f"lgn_v1: pictures of one channel, as high as wide and of 4 pixels or more, asked; found {n_inputs} units."
        )
    lgn, cells = _centres(options.lgn_grid), _cells(options)
    weights = CONTRAST * _centre_surround(_centres(side), lgn, max(0.6 / options.lgn_grid, 0.5 / side))
    noise = Poisson(800.0, 0.5e-3)
    receptors = {
        "ampa": ExponentialConductanceParameters(5e-3, 0.0),
        "gaba": ExponentialConductanceParameters(10e-3, -80e-3),
    }
    outside = Poisson(1000.0, 1e-9, "ampa")
    populations = (
        *(Population(name, len(lgn), RELAY, SPONTANEOUS, background=(noise,)) for name in (ON, OFF)),
        Population(EXCITATORY, len(cells[EXCITATORY]), REGULAR, synapses=receptors, background=(outside,)),
        Population(INHIBITORY, len(cells[INHIBITORY]), FAST, synapses=receptors, background=(outside,)),
    )
    fields = {
        EXCITATORY: _gabors(lgn, cells[EXCITATORY], options),
        INHIBITORY: _envelopes(lgn, cells[INHIBITORY], options),
    }
    thalamic = tuple(
        Projection(source, target, FROM_LGN[target] * np.maximum(sign * field, 0) / np.abs(field).sum(0), 1e-3, "ampa")
        for target, field in fields.items()
        for source, sign in ((ON, 1.0), (OFF, -1.0 if target == EXCITATORY else 1.0))
    )
    cortical = tuple(
        Projection(a, b, total * _alike(cells[a], cells[b], width, rng), 1e-3, "gaba" if a == INHIBITORY else "ampa")
        for (a, b), (total, width) in WITHIN.items()
    )
    shown = (Projection(INPUT, ON, weights), Projection(INPUT, OFF, -weights))
    inputs = Input(n_inputs, "current", options.duration)
    return Circuit("LGN-V1", inputs, populations, (*shown, *thalamic, *cortical), dt=options.dt, step=1e-3, rung="adex")


def _centres(n: int) -> np.ndarray:
    """Return the places (y, x) of n x n cells in a picture whose sides are 1."""
    along = (np.arange(n) + 0.5) / n
    return np.stack(np.meshgrid(along, along, indexing="ij"), -1).reshape(-1, 2)


def _cells(options: LGNV1Options) -> dict[str, np.ndarray]:
    """Return place (y, x), orientation and phase (radians) of each cell of V1; inhibitory ones have no phase."""
    places = 0.15 + 0.7 * _centres(options.v1_grid)
    angles = np.pi * np.arange(options.n_orientations) / options.n_orientations
    found = {}
    for name, n_phases in ((EXCITATORY, PHASES), (INHIBITORY, 1)):
        phases = 2 * np.pi * np.arange(n_phases) / n_phases
        found[name] = np.array([(*place, a, f) for place in places for a in angles for f in phases])
    return found


def _centre_surround(pixels: np.ndarray, lgn: np.ndarray, width: float) -> np.ndarray:
    """Return weights (pixel, cell) of a centre less its surround, each of sum 1: what is uniform brings nothing."""
    apart = ((pixels[:, None] - lgn[None]) ** 2).sum(-1)
    centre, around = (np.exp(-apart / (2 * (width * k) ** 2)) for k in (1.0, SURROUND))
    return np.asarray(centre / centre.sum(0) - around / around.sum(0))


def _gabors(lgn: np.ndarray, cells: np.ndarray, options: LGNV1Options) -> np.ndarray:
    """Return Gabor functions of the cells of V1 at the places of the LGN, (lgn, cell); sums are 0."""
    y, x = (lgn[:, None] - cells[None, :, :2]).transpose(2, 0, 1)
    angle, phase, width = cells[:, 2], cells[:, 3], 0.4 * options.wavelength
    across, along = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    envelope = np.exp(-(across**2 + (along / ASPECT) ** 2) / (2 * width**2))
    wave = envelope * np.cos(2 * np.pi * across / options.wavelength + phase)
    wave -= envelope * wave.sum(0) / envelope.sum(0)
    return np.where(envelope > 0.05, wave, 0.0)


def _envelopes(lgn: np.ndarray, cells: np.ndarray, options: LGNV1Options) -> np.ndarray:
    """Return bells around the cells of V1 at the places of the LGN, (lgn, cell)."""
    apart = ((lgn[:, None] - cells[None, :, :2]) ** 2).sum(-1)
    envelope = np.exp(-apart / (2 * (0.5 * options.wavelength) ** 2))
    return np.where(envelope > 0.05, envelope, 0.0)


def _alike(sources: np.ndarray, targets: np.ndarray, width: float, rng: np.random.Generator) -> np.ndarray:
    """Return weights (source, target) of sum 1 a target: random, larger where place and orientation are alike."""
    apart = np.linalg.norm(sources[:, None, :2] - targets[None, :, :2], axis=-1)
    turned = np.angle(np.exp(2j * (sources[:, None, 2] - targets[None, :, 2]))) / 2
    likely = np.exp(-((turned / np.deg2rad(width)) ** 2) / 2) * np.exp(-((apart / 0.15) ** 2) / 2)
    if sources is targets:
        np.fill_diagonal(likely, 0.0)  # none onto itself
    weights = np.where(likely > 0.05, likely * rng.uniform(0.5, 1.5, likely.shape), 0.0)
    return np.asarray(weights / weights.sum(0))


CIRCUIT = NamedCircuit(
    "lgn_v1",
    LGNV1Options,
    build,
    caption="ON and OFF cells of the LGN, and oriented cells of V1 wired from them",
    uses=(lif.MODEL, adex.MODEL, exponential_conductance.MODEL),
    reference="Hubel DH, Wiesel TN (1962) J Physiol 160:106-154, https://doi.org/10.1113/jphysiol.1962.sp006837",
    encoder="luminance",
    layers=lambda _options: (ON, OFF, EXCITATORY, INHIBITORY),
)
