"""Held-back digits as stimuli: no network of the study was trained on them."""

from __future__ import annotations

from typing import Literal

import xarray as xr

from neurosim.stimuli.source import load_source
from neurosim.study.engine.step import Job
from neurosim.study.kinds import StimulusKind
from neurosim.study.tables import Count, Table

CITED = "Alpaydin E, Kaynak C (1998) Optical recognition of handwritten digits, https://doi.org/10.24432/C50P49"


class DigitsStimuli(Table):
    """Held-back digits of scikit-learn, `n_per_category` of each."""

    source: Literal["digits"] = "digits"
    n_per_category: Count = 10


def shown_digits(n_per_category: int, seed: int) -> xr.DataArray:
    """Return held-back digits, `n_per_category` of each: no network of the same seed was trained on them."""
    return load_source("digits", {"n_per_category": n_per_category}, rng=seed)


def load(job: Job) -> xr.DataArray:
    """Return the digits that are shown."""
    row = job.config["row"]
    return shown_digits(row["n_per_category"], row["seed"])


DIGITS = StimulusKind(
    name="digits",
    table=DigitsStimuli,
    load="neurosim.study.shown.digits:load",
    known=lambda row, seed: shown_digits(row.n_per_category, seed),
    method="The digits shown are held back: no network of this study was trained on them.",
    cite=lambda _row: [("stimuli", CITED)],
)
