"""Gabor features of images: what simple and complex cells of early visual cortex see."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neurosim.schema import InputError, as_stimuli, labelled, stimulus_labels
from neurosim.stimuli.images import to_gray


def gabor_bank(size: int, wavelength: float, n_orientations: int = 4) -> np.ndarray:
    """Return quadrature pairs of Gabor filters (https://doi.org/10.1152/jn.1987.58.6.1233).

    Parameters
    ----------
    size : odd side of a filter, pixels.
    wavelength : period of the carrier, pixels.
    n_orientations : orientations, evenly spaced over 180 degrees.

    Returns
    -------
    array (orientation, phase, y, x); phases 0 and 90 degrees; zero mean, unit norm.

    Examples
    --------
    >>> gabor_bank(5, 4.0).shape
    (4, 2, 5, 5)
    """
    half = size // 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(float)
    envelope = np.exp(-(x**2 + y**2) / (2 * (0.4 * wavelength) ** 2))
    bank = []
    for theta in np.pi * np.arange(n_orientations) / n_orientations:
        along = x * np.cos(theta) + y * np.sin(theta)
        pair = [envelope * np.cos(2 * np.pi * along / wavelength + phase) for phase in (0.0, np.pi / 2)]
        pair = [f - f.sum() * envelope / envelope.sum() for f in pair]
        bank.append([f / np.linalg.norm(f) for f in pair])
    return np.asarray(bank)


def gabor_energy(
    images: xr.DataArray, *, wavelength: float = 4.0, n_orientations: int = 4, grid: int = 4
) -> xr.DataArray:
    """Return the Gabor energy of images on a grid of positions (https://doi.org/10.1364/JOSAA.2.000284).

    Parameters
    ----------
    images : stimuli (stimulus, [channel,] y, x).
    wavelength : period of the carrier, pixels.
    n_orientations : orientations over 180 degrees.
    grid : positions along each side; the energy is averaged inside each cell of the grid.

    Returns
    -------
    stimuli (stimulus, unit), non-negative, with ``orientation_deg``, ``y_position`` and ``x_position`` along ``unit``.

    Raises
    ------
    InputError : the image has no y, x dims or is smaller than the grid.

    Examples
    --------
    >>> ns.stimuli.gabor_energy(ns.load_digits()[:3]).shape
    (3, 64)
    """
    from scipy.ndimage import convolve

    images = labelled(images, "gabor_energy", "stimuli")
    if "y" not in images.dims or "x" not in images.dims:
        raise InputError(f"gabor_energy: images have dims y and x, found {tuple(images.dims)}.")
    pixels = np.asarray(to_gray(images).transpose("stimulus", "y", "x").values, dtype=float)
    height, width = pixels.shape[1:]
    if min(height, width) < grid:
        raise InputError(
            f"gabor_energy: images of {height} x {width} pixels are smaller than the grid {grid} x {grid}."
        )
    bank = gabor_bank(2 * int(np.ceil(wavelength)) // 2 * 2 + 1, wavelength, n_orientations)
    rows, columns = (np.arange(n) * grid // n for n in (height, width))
    features = np.empty((len(pixels), n_orientations, grid, grid))
    for o, pair in enumerate(bank):
        energy = np.sqrt(sum(convolve(pixels, f[None], mode="nearest") ** 2 for f in pair))
        for gy in range(grid):
            for gx in range(grid):
                features[:, o, gy, gx] = energy[:, rows == gy][:, :, columns == gx].mean(axis=(1, 2))
    orientation, row, column = np.meshgrid(
        180 * np.arange(n_orientations) / n_orientations, np.arange(grid), np.arange(grid), indexing="ij"
    )
    energy_map = as_stimuli(
        features.reshape(len(pixels), -1),
        dims=("stimulus", "unit"),
        ids=images.stimulus.values.tolist(),
        coords=stimulus_labels(images),
    )
    return energy_map.assign_coords(
        orientation_deg=("unit", orientation.ravel()),
        y_position=("unit", row.ravel()),
        x_position=("unit", column.ravel()),
    )
