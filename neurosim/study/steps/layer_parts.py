"""What a step measured of the layers of a subject, and the parts of it that several steps measured."""

from __future__ import annotations

from dataclasses import dataclass, field

import xarray as xr

from neurosim import storage
from neurosim.study.engine.step import Job
from neurosim.study.steps.responses import interleaved

ARRAYS, ABOUT = "rdms.nc", "part.json"


@dataclass
class Measured:
    """What was measured: arrays by name and layer, the layers in their order, why some are left out."""

    arrays: dict[str, dict[str, xr.DataArray]] = field(default_factory=dict)
    layers: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    def keep(self, name: str, layer: str, values: xr.DataArray) -> None:
        """Keep what was measured of a layer."""
        self.arrays.setdefault(name, {})[layer] = values

    def dataset(self) -> xr.Dataset:
        """Return the arrays along ``layer``; the layers are those of the first."""
        result = xr.Dataset()
        for name, of_layers in self.arrays.items():
            layers = xr.DataArray(list(of_layers), dims="layer", name="layer")
            result[name] = xr.concat(list(of_layers.values()), layers)
        return result


def write_part(job: Job, measured: Measured) -> None:
    """Write ``rdms.nc``, the arrays of some of the layers, and ``part.json``, which says what became of each."""
    storage.write_dataset(job.out / ARRAYS, measured.dataset())
    storage.write_json(job.out / ABOUT, {"layers": measured.layers, "left_out": measured.left_out})


def joined(job: Job) -> Measured:
    """Return what all parts measured, in the order of the layers of the subject."""
    about = [storage.read_json(folder / ABOUT) for folder in job.inputs.values()]
    arrays = [storage.read_dataset(folder / ARRAYS) for folder in job.inputs.values()]
    layers = interleaved([part["layers"] for part in about], job.config["name"])
    whole = Measured(layers=layers)
    for i, layer in enumerate(layers):
        part = i % len(about)
        if layer in about[part]["left_out"]:
            whole.left_out[layer] = about[part]["left_out"][layer]
            continue
        for name, values in arrays[part].data_vars.items():
            whole.keep(str(name), layer, values.sel(layer=layer, drop=True))
    return whole
