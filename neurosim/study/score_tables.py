"""Scores as a table of a paper: LaTeX with the rules of booktabs, numbers as long as their errors allow; or CSV."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.refusals import InputError
from neurosim.study.citations import escaped

WHO = "save_scores"
LEAST_P = 1e-3  # below which a p value is said to be
NOTHING = "--"
P_VALUES = {  # variable: what its column is called; the corrected one goes before the plain one
    "p_zero_corrected": "$p$ above 0",
    "p_zero": "$p$ above 0",
    "p_ceiling_corrected": "$p$ below ceiling",
    "p_ceiling": "$p$ below ceiling",
    "p_corrected": "$p$",
}


@dataclass(frozen=True)
class _Column:
    """A column of LaTeX: its head and a cell for each row."""

    head: str
    cell: Callable[[int], str]


def is_table_of_scores(result: xr.Dataset) -> bool:
    """Whether a result is one score a row, with an error or an interval.

    >>> is_table_of_scores(xr.Dataset({"score": ("model", [0.2]), "standard_error": ("model", [0.1])}))
    True
    """
    return (
        "score" in result
        and result["score"].ndim == 1
        and result["score"].dtype.kind == "f"
        and any(_along(result, name) for name in ("standard_error", "interval"))
    )


def save_scores(path: str | Path, result: xr.Dataset, *, caption: str = "", label: str = "") -> None:
    r"""Write scores as a table: ``.tex`` for the eye, with the rules of booktabs, or ``.csv`` with every digit.

    In LaTeX a score has the digits that its standard error allows, two of the error; its interval has as many. Names
    are escaped. Below the caption stands how scores were compared, what was resampled, how p values were corrected, the
    number of subjects and stimuli and the noise ceiling, as far as the result says.

    Parameters
    ----------
    path : ends in ``.tex`` or ``.csv``.
    result : Dataset with ``score`` along one dim, as :func:`~neurosim.similarity.infer` and analyses of a study return
        it; ``standard_error``, ``interval`` and p values as it has them. Of results over places select one.
    caption, label : of a table of LaTeX; text, and a key for ``\ref``.

    Raises
    ------
    InputError : no scores along one dim, another ending, or a caption for CSV. StorageError : nothing can be written.

    Examples
    --------
    >>> import tempfile
    >>> import xarray as xr
    >>> from pathlib import Path
    >>> found = xr.Dataset(
    ...     {"score": ("model", [0.1234, 0.3]), "standard_error": ("model", [0.0312, 0.1])}, {"model": ["conv_1", "fc"]}
    ... )
    >>> with tempfile.TemporaryDirectory() as place:
    ...     ns.study.save_scores(Path(place, "scores.tex"), found)
    ...     print("".join(line for line in Path(place, "scores.tex").open() if "conv" in line).strip())
    conv\_1 & 0.123 & 0.031 \\
    """
    path = storage.as_path(path, WHO)
    if not isinstance(result, xr.Dataset) or not is_table_of_scores(result):
        found = f"dims {result['score'].dims}" if isinstance(result, xr.Dataset) and "score" in result else "none"
        raise InputError(
            f"{WHO}: a Dataset of scores along one dim, with 'standard_error' or 'interval', asked; found {found}. "
            "Select one place with .sel(...) first."
        )
    if path.suffix == ".tex":
        storage.write_text(path, _latex(result, caption, label))
    elif path.suffix == ".csv":
        if caption or label:
            raise InputError(f"{WHO}: caption and label are of LaTeX; {path.name} is CSV.")
        storage.write_table(path, _rows(result))
    else:
        raise InputError(f"{WHO}: a file .tex or .csv asked, found {path.name!r}.")


def rounded(value: float, error: float) -> str:
    """Return a number with the digits that its error allows: those of the first two of the error.

    >>> rounded(0.12345, 0.0312), rounded(12.3, 0.0996), rounded(1234.5, 120.0)
    ('0.123', '12.30', '1234')
    """
    if not math.isfinite(value):
        return NOTHING
    return f"{value:.{_decimals(error)}f}" if math.isfinite(error) and error > 0 else f"{value:.4g}"


def _decimals(error: float) -> int:
    return min(12, max(0, 1 - int(f"{error:.1e}".partition("e")[2])))


def _p(value: float) -> str:
    if not math.isfinite(value):
        return NOTHING
    return f"$<${LEAST_P:g}" if value < LEAST_P else f"{value:.2g}"


def _along(result: xr.Dataset, name: str) -> bool:
    """Whether a variable says something of each score: along its dim, and an interval with both its bounds."""
    dim = result["score"].dims[0]
    wanted = (dim, "bound") if name == "interval" else (dim,)
    return name in result and result[name].dims == wanted


def _rows(result: xr.Dataset) -> xr.Dataset:
    """Return what is known of each score, along its dim; what is one of all is repeated."""
    dim = str(result["score"].dims[0])
    kept = [n for n in ("score", "standard_error", "df", *P_VALUES) if _along(result, n)]
    rows = result[kept].drop_vars([n for n in result[kept].coords if n != dim])
    if _along(result, "interval"):
        low, high = (result["interval"].values[:, k] for k in (0, 1))
        rows = rows.assign(interval_low=(dim, low), interval_high=(dim, high))
    said = {k: v for k, v in _said(result).items() if v is not None}
    return rows.assign({k: (dim, np.full(rows.sizes[dim], v)) for k, v in said.items()})


def _said(result: xr.Dataset) -> dict[str, float | None]:
    """Return the numbers of subjects and stimuli and the noise ceiling, where the result says them."""
    subjects = result.attrs.get("n_subjects", result.sizes.get("subject"))
    ceiling = result["ceiling"].values if "ceiling" in result and result["ceiling"].shape == (2,) else (None, None)
    return {
        "n_subjects": None if subjects is None else int(subjects),
        "n_stimuli": int(result.attrs["n_stimuli"]) if "n_stimuli" in result.attrs else None,
        "ceiling_low": ceiling[0],
        "ceiling_high": ceiling[1],
    }


def _latex(result: xr.Dataset, caption: str, label: str) -> str:
    dim = str(result["score"].dims[0])
    names = [str(v) for v in (result[dim].values if dim in result.coords else np.arange(result.sizes[dim]))]
    columns = [_Column(escaped(dim), lambda i: escaped(names[i])), *_columns(result)]
    lines = [" & ".join(c.cell(i) for c in columns) + r" \\" for i in range(len(names))]
    said = " ".join(part for part in (" ".join(caption.split()), _note(result)) if part)
    return "\n".join(
        [
            r"% \usepackage{booktabs}",
            r"\begin{table}",
            r"  \centering",
            *([f"  \\caption{{{escaped(said)}}}"] if said else []),
            *([f"  \\label{{{_key(label)}}}"] if label else []),
            f"  \\begin{{tabular}}{{l{'r' * (len(columns) - 1)}}}",
            r"    \toprule",
            "    " + " & ".join(c.head for c in columns) + r" \\",
            r"    \midrule",
            *(f"    {line}" for line in lines),
            r"    \bottomrule",
            r"  \end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _columns(result: xr.Dataset) -> list[_Column]:
    """Return the columns of numbers, those of which there is anything to say."""
    score = result["score"].values
    interval = result["interval"].values if _along(result, "interval") else None
    errors = result["standard_error"].values if _along(result, "standard_error") else None
    allow = errors if errors is not None else np.ptp(np.asarray(interval), axis=1) / 4  # about two errors each way
    found = [_Column("score", lambda i: rounded(score[i], allow[i]))]
    if errors is not None:
        found.append(_Column("s.e.", lambda i: rounded(errors[i], errors[i])))
    if interval is not None:
        level = f"{100 * (1 - float(result.attrs['alpha'])):g}\\,\\% " if "alpha" in result.attrs else ""
        both = interval
        found.append(_Column(f"{level}interval", lambda i: _from_to(both[i], allow[i])))
    for head in dict.fromkeys(P_VALUES.values()):
        name = next((n for n, h in P_VALUES.items() if h == head and _along(result, n)), None)
        if name is not None and np.isfinite(result[name].values).any():
            found.append(_Column(head, lambda i, values=result[name].values: _p(float(values[i]))))  # type: ignore[misc]
    return found


def _from_to(bounds: np.ndarray, error: float) -> str:
    low, high = (rounded(float(v), error) for v in bounds)
    return NOTHING if NOTHING in (low, high) else f"{low} to {high}"


def _note(result: xr.Dataset) -> str:
    """Return what the numbers are, as far as the result says."""
    said, attrs = _said(result), result.attrs
    errors = result["ceiling_standard_error"].values if "ceiling_standard_error" in result else (math.nan, math.nan)
    low, high = (said["ceiling_low"], said["ceiling_high"])
    corrected = any(n.endswith("_corrected") and _along(result, n) for n in P_VALUES)
    parts = [
        f"Compared by {attrs['method']}" if "method" in attrs else "",
        f"{said['n_subjects']} subjects" if said["n_subjects"] is not None else "",
        f"{said['n_stimuli']} stimuli" if said["n_stimuli"] is not None else "",
        f"resampled: {attrs['resample']}" if "resample" in attrs else "",
        f"p corrected: {attrs['correction']}" if corrected and "correction" in attrs else "",
        f"noise ceiling {rounded(float(low), errors[0])} to {rounded(float(high), errors[1])}"
        if low is not None and high is not None
        else "",
        f"p above 0 not tested: {attrs['no_p_zero']}" if "no_p_zero" in attrs else "",
    ]
    text = "; ".join(part for part in parts if part)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _key(label: str) -> str:
    if not all(c.isascii() and (c.isalnum() or c in ":-_./+") for c in label):
        raise InputError(f"{WHO}: label = {label[:40]!r}; letters, digits and : - _ . / + asked.")
    return label
