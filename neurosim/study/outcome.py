"""What a run of a study leaves: a results folder, read as tables, RDMs and figures."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import xarray as xr

from neurosim import storage
from neurosim.study.folder import step_folder


@dataclass(frozen=True)
class Outcome:
    """Where the results of a run are, and how many of its steps were already in the store.

    Parameters
    ----------
    folder : the results folder.
    n_steps, n_hits : steps of the study; those taken from the store.

    Examples
    --------
    >>> from pathlib import Path
    >>> ns.study.Outcome(Path("results/digits"), 30, 30).report.name
    'report.html'
    """

    folder: Path
    n_steps: int
    n_hits: int

    @property
    def report(self) -> Path:
        """The page to open."""
        return self.folder / "report.html"

    @cached_property
    def scores(self) -> Mapping[str, xr.Dataset]:
        """Result of every step of an analysis by name, such as "rsa:V4": Dataset along ``model``, or as it has it."""
        steps = storage.read_json(self.folder / "provenance.json")["analyses"]
        return {name: storage.read_dataset(file) for name in steps for file in self._files(name)}

    @cached_property
    def predictions(self) -> Mapping[str, xr.Dataset]:
        """What predicted every unit, fold by fold, by step, such as "ridge:net:V4": Dataset along ``model``.

        One layer of each, ``.sel(model="net/conv1")``, is what ``compare_predictions`` compares.
        """
        found: dict[str, xr.Dataset] = {}
        for name in storage.read_json(self.folder / "provenance.json")["analyses"]:
            path = self.folder / "results" / step_folder(name) / "predictions.nc"
            found |= {name: storage.read_dataset(path)} if path.is_file() else {}
        return found

    @cached_property
    def rdms(self) -> Mapping[str, xr.Dataset]:
        """RDMs by subject or brain: ``rdm`` (layer, stimulus, stimulus_other), or along ``subject`` for a brain."""
        found = {}
        for prefix in ("rdms_", "brain_"):
            for place in sorted((self.folder / "results").glob(f"{prefix}*")):
                found[place.name.removeprefix(prefix)] = storage.read_dataset(place / "rdms.nc")
        return found

    @property
    def figures(self) -> Mapping[str, Path]:
        """Figures by name, as SVG."""
        return {p.stem: p for p in sorted((self.folder / "figures").glob("*.svg"))}

    def _files(self, step: str) -> list[Path]:
        return sorted((self.folder / "results" / step_folder(step)).glob("*.nc"))[:1]

    def _repr_html_(self) -> str:
        """Return the figures of the scores, with the way to the report, for a notebook."""
        shown = [path for name, path in self.figures.items() if name.startswith("scores")] or [*self.figures.values()][
            :1
        ]
        drawn = "".join(f"<div>{storage.read_text(path)[_start(path) :]}</div>" for path in shown)
        where = html.escape(str(self.report))
        return (
            f"<p><b>{html.escape(self.folder.name)}</b>: {self.n_steps - self.n_hits} steps run, {self.n_hits} from "
            f'the store. <a href="{where}">{where}</a></p>{drawn}'
        )


def _start(path: Path) -> int:
    return max(0, storage.read_text(path).find("<svg"))
