"""What an inference is asked for: what is resampled, what is fitted, and at which level it is tested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from neurosim.labels import check_named
from neurosim.refusals import InputError, asked_by, check_alpha, check_known
from neurosim.similarity.weighting import WEIGHTINGS

FACTORS = ("subject", "stimulus")
ESTIMATES = ("jackknife", "bootstrap")
CORRECTIONS = ("holm", "fdr")
MIN_SAMPLES = 20
MIN_STIMULI = 6
MIN_GROUPS = 4


@dataclass(frozen=True)
class Resampling:
    """To what a result is meant to generalise, and how its variance is estimated.

    Parameters
    ----------
    over : "subject", "stimulus" or both: new ones of these are meant. With one subject only "stimulus" is possible.
    estimate : of the variance. "jackknife" leaves out every subject, every stimulus and pairs of stimuli, and counts
        once what subjects and stimuli share (of more than 50 stimuli, pairs of 50 that are spread evenly over the
        sorted names): deterministic, whatever the order of rows, and in simulated experiments of 12 subjects and 30
        stimuli
        its variance is 1.0 to 1.2 times the true one. "bootstrap" draws samples; over subjects alone
        its variance counts n / (n - 1) times, as that of a mean does; its two-factor form is
        ``2 (V_subject + V_stimulus) - V_both``, kept between the larger single variance and V_both
        (https://doi.org/10.7554/eLife.82566). With few stimuli it is conservative where stimuli dominate (8 subjects,
        14 stimuli: 1.45 times the true variance, 2 % false positives at 5 %) and liberal between models where noise
        dominates (up to 10 %).
    n_samples : of the bootstrap.
    groups : a label along ``stimulus`` such as "category": whole groups are resampled and held out.

    Raises
    ------
    InputError : unknown names, or fewer than 20 samples.

    Examples
    --------
    >>> ns.similarity.Resampling("stimulus", groups="category").over
    ('stimulus',)
    """

    over: Sequence[str] | str = FACTORS
    estimate: str = "jackknife"
    n_samples: int = 1000
    groups: str | None = None

    def __post_init__(self) -> None:
        asked = (self.over,) if isinstance(self.over, str) else tuple(self.over)
        over = tuple(f for f in FACTORS if f in asked)
        if not over or len(over) != len(set(asked)):
            raise InputError(f"Resampling: resample is 'subject', 'stimulus' or both, found {asked}.")
        object.__setattr__(self, "over", over)
        check_known(self.estimate, ESTIMATES, "Resampling: no estimate")
        if not isinstance(self.n_samples, int | np.integer) or self.n_samples < MIN_SAMPLES:
            raise InputError(
                f"Resampling: {self.n_samples} samples are too few for a standard error; give {MIN_SAMPLES} or more."
            )


@dataclass(frozen=True)
class Fitting:
    """How flexible models are fitted to the other stimuli of the other subjects, and scored on those held out.

    Parameters
    ----------
    weights : a name in ``WEIGHTINGS``: "select" (the best component), "weighted", "nonnegative" or "interpolated"
        (between neighbouring components); the closed-form optimum of the method, of "corr" for rank methods.
    folds : number of folds of stimuli, or ``{"stimulus": 5, "subject": 2}``.

    Raises
    ------
    InputError : unknown names.

    Examples
    --------
    >>> ns.similarity.Fitting("nonnegative", folds={"stimulus": 3}).weights
    'nonnegative'
    """

    weights: str = "weighted"
    folds: int | Mapping[str, int] | None = None

    def __post_init__(self) -> None:
        WEIGHTINGS.find(self.weights, "Fitting")
        unknown = sorted(set(self.folds_of) - set(FACTORS))
        if unknown:
            raise InputError(f"Fitting: folds are of 'stimulus' and 'subject', found {unknown}.")

    @property
    def folds_of(self) -> dict[str, int]:
        """Return the number of folds of what was named."""
        return {"stimulus": self.folds} if isinstance(self.folds, int) else dict(self.folds or {})


@dataclass(frozen=True)
class Significance:
    """At which level models are tested, and how p values of several models are corrected.

    Parameters
    ----------
    alpha : one minus the coverage of the intervals.
    correction : "holm" (https://www.jstor.org/stable/4615733) or "fdr"
        (https://doi.org/10.1111/j.2517-6161.1995.tb02031.x).

    Raises
    ------
    InputError : unknown names, or a level that is not between 0 and 1.

    Examples
    --------
    >>> ns.similarity.Significance(alpha=0.01).correction
    'holm'
    """

    alpha: float = 0.05
    correction: str = "holm"

    def __post_init__(self) -> None:
        check_known(self.correction, CORRECTIONS, "Significance: no correction")
        check_alpha(self.alpha, "Significance")


def as_resampling(given: Resampling | Sequence[str] | str, n_subjects: int, who: str) -> Resampling:
    """Return the record of what was named, or refuse to resample one subject."""
    with asked_by(who, "Resampling"):
        found = given if isinstance(given, Resampling) else Resampling(given)
    if "subject" in found.over and n_subjects < 2:
        raise InputError(f"{who}: one subject cannot be resampled; pass resample=('stimulus',).")
    return found


def levels_of(data: xr.DataArray, resampling: Resampling) -> np.ndarray:
    """Return the index (K,) of what is resampled as one: the stimulus itself, or its group."""
    groups = resampling.groups
    if groups is None:
        return np.arange(data.sizes["stimulus"])
    if not isinstance(groups, str) or groups not in data.coords or data[groups].dims != ("stimulus",):
        labels = [str(k) for k, v in data.coords.items() if v.dims == ("stimulus",) and k != "stimulus"]
        raise InputError(
            f"infer: no label {str(groups)!r} along stimulus of the data. Labels: {', '.join(labels) or 'none'}."
        )
    names, levels = np.unique(check_named(data[groups].values, groups, "infer"), return_inverse=True)
    if len(names) < MIN_GROUPS and "stimulus" in resampling.over:
        raise InputError(
            f"infer: {len(names)} groups of {groups!r} are too few to resample; at least {MIN_GROUPS} are needed."
        )
    return levels


def as_fitting(given: Fitting | str | None) -> Fitting | None:
    """Return the record of the weights that were named, if any."""
    with asked_by("infer", "Fitting"):
        return Fitting(given) if isinstance(given, str) else given


def correct_p(p: np.ndarray, correction: str) -> np.ndarray:
    """Return p values corrected for their number, "holm" (https://www.jstor.org/stable/4615733) or "fdr".

    >>> correct_p(np.array([0.01, 0.04]), "holm").tolist()
    [0.02, 0.04]
    """
    if correction == "fdr":
        from scipy import stats

        found: np.ndarray = stats.false_discovery_control(p)
        return found
    order = np.argsort(p)
    scaled = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    out = np.empty_like(p)
    out[order] = np.minimum(scaled, 1.0)
    return out


AT_5_PERCENT = Significance()
