"""What a finished study left: the results of its steps, read by those who report on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from neurosim import storage
from neurosim.study.given import StudyLike


@dataclass(frozen=True)
class Results:
    """The folders and configurations of finished steps by name, and the study that they are of."""

    study: StudyLike
    folders: Mapping[str, Path]
    configs: Mapping[str, Any]

    def has(self, step: str, file: str) -> bool:
        """Whether a step was run and left such a file."""
        return step in self.folders and (self.folders[step] / file).is_file()

    def dataset(self, step: str, file: str) -> xr.Dataset:
        """Return a netCDF file that a step left."""
        return storage.read_dataset(self.folders[step] / file)

    def json(self, step: str, file: str) -> Any:
        """Return a JSON file that a step left."""
        return storage.read_json(self.folders[step] / file)

    def named(self, prefix: str) -> dict[str, str]:
        """Return the steps whose names start with `prefix`, by the rest of their names."""
        return {name.removeprefix(prefix): name for name in self.folders if name.startswith(prefix)}
