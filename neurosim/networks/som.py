"""A self-organising map: units on a sheet whose preferred stimuli come to vary smoothly along it."""

from __future__ import annotations

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from neurosim.networks.asked import Task
from neurosim.networks.door import check_subject
from neurosim.runtime import as_seed, stream, track
from neurosim.schema import InputError


class SelfOrganisingMap(nn.Module):
    """Units on a grid that prefer the stimulus their weights equal (https://doi.org/10.1007/BF00337288).

    Parameters
    ----------
    n_inputs : values of a stimulus. rows, columns : of the sheet; unit ``row * columns + column``.

    Raises
    ------
    InputError : fewer than 2 rows or columns.

    Examples
    --------
    >>> import torch
    >>> ns.networks.SelfOrganisingMap(4, rows=3, columns=3)(torch.zeros(2, 4)).shape
    torch.Size([2, 9])
    """

    def __init__(self, n_inputs: int, rows: int = 10, columns: int = 10) -> None:
        super().__init__()
        if rows < 2 or columns < 2:
            raise InputError(f"SelfOrganisingMap: at least 2 x 2 units asked, found {rows} x {columns}.")
        self.rows, self.columns = rows, columns
        self.register_buffer("weights", torch.zeros(rows * columns, n_inputs))
        grid = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)).float()
        self.register_buffer("place", grid)
        self.sheet = nn.Identity()
        self.recorded = ("sheet",)

    def forward(self, stimuli: Tensor) -> Tensor:
        """Return the activity (batch, unit): minus the distance of each unit's weights from each stimulus."""
        answer: Tensor = self.sheet(-torch.cdist(stimuli.flatten(1), self.weights))  # type: ignore[arg-type]
        return answer


def train_som(
    network: SelfOrganisingMap,
    task: Task,
    *,
    epochs: int = 20,
    widths: tuple[float, float] = (4.0, 0.6),
    rng: np.random.Generator | int = 0,
    progress: bool = True,
) -> xr.Dataset:
    """Organise the map, all stimuli at once an epoch (the batch rule), while the neighbourhood shrinks.

    Parameters
    ----------
    network : organised in place. task : its training stimuli are used, its labels are not.
    epochs : passes. widths : standard deviation of the neighbourhood at first and at last, units of the grid.
    rng : seed of the stimuli that the units start from, or a generator. progress : show a bar over epochs.

    Returns
    -------
    Dataset along ``epoch``: ``quantization_error``, the mean distance of a stimulus from its best unit, and
    ``topographic_error``, the share of stimuli whose two best units are no neighbours
    (https://doi.org/10.1007/978-3-642-59861-1); and ``test_quantization_error``, ``test_topographic_error``.

    Raises
    ------
    InputError : stimuli of another size, or widths that do not shrink.

    Examples
    --------
    >>> digits = ns.tasks.classification_task(ns.load_digits()[:200])
    >>> found = ns.networks.train_som(ns.networks.SelfOrganisingMap(64, 4, 4), digits, epochs=5, progress=False)
    >>> bool(found.quantization_error[-1] < found.quantization_error[0])
    True
    """
    check_subject("train_som", network, task)
    seed = as_seed(rng, "train_som")
    if not widths[0] >= widths[1] > 0 or epochs < 1:
        raise InputError(f"train_som: widths that shrink towards a number above 0 asked, found {widths}.")
    stimuli = _all(task.batches(0, 4096, seed))
    if stimuli.shape[1] != network.weights.shape[1]:  # type: ignore[index]
        raise InputError(
            f"train_som: the map takes {network.weights.shape[1]} values, stimuli have {stimuli.shape[1]}."  # type: ignore[index]
        )
    drawn = stream(seed, "som")
    weights = stimuli[torch.from_numpy(drawn.choice(len(stimuli), len(network.place)))].clone()  # type: ignore[arg-type]
    apart = torch.cdist(network.place, network.place)  # type: ignore[arg-type]
    rows = []
    for epoch in track(range(epochs), "organising the map", progress=progress):
        width = widths[0] * (widths[1] / widths[0]) ** (epoch / max(1, epochs - 1))
        best = torch.cdist(stimuli, weights).argmin(1)
        counts = torch.bincount(best, minlength=len(weights)).float()
        sums = torch.zeros_like(weights).index_add_(0, best, stimuli)
        near = torch.exp(-0.5 * (apart / width) ** 2)
        reached = near @ counts
        new = (near @ sums) / reached[:, None].clamp(min=1e-12)
        weights = torch.where(reached[:, None] > 1e-12, new, weights)
        rows.append(map_errors(stimuli, weights, apart))
    network.weights.copy_(weights)  # type: ignore[operator]
    values, tested = np.array(rows), map_errors(_all(task.test_batches(4096, seed)), weights, apart)
    data = {"quantization_error": ("epoch", values[:, 0]), "topographic_error": ("epoch", values[:, 1])}
    last = {"test_quantization_error": tested[0], "test_topographic_error": tested[1]}
    return xr.Dataset(data | last, coords={"epoch": np.arange(epochs)})


def map_errors(stimuli: Tensor, weights: Tensor, apart: Tensor) -> tuple[float, float]:
    """Return quantization and topographic error; neighbours touch along an edge or a corner of the grid."""
    distance, two = torch.cdist(stimuli, weights).topk(2, dim=1, largest=False)
    torn = apart[two[:, 0], two[:, 1]] > 2**0.5 + 1e-6
    return float(distance[:, 0].mean()), float(torn.float().mean())


def _all(batches: object) -> Tensor:
    return torch.cat([torch.from_numpy(x).flatten(1) for x, _ in batches])  # type: ignore[attr-defined]
