"""Tables of text and numbers: CSV, TSV and Parquet."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import xarray as xr

from neurosim.refusals import InputError
from neurosim.storage.atomic import write_text
from neurosim.storage.bounds import check_parquet
from neurosim.storage.failures import readable
from neurosim.storage.paths import existing

ID_COLUMNS = ("stimulus", "unit", "trial")
WHOLE = re.compile(r" *(0|-?[1-9][0-9]{0,17}) *")
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_table(path: Path, dataset: xr.Dataset | xr.DataArray) -> None:
    """Write labelled arrays as one CSV table, numbers in 10 digits.

    Variables of the same dims become columns, one row a cell; variables of different dims are written below each
    other, with their name in the column ``variable``. Text that a spreadsheet would take for a formula gets a quote
    before it.

    Parameters
    ----------
    path : the file. dataset : arrays of any dims.

    Raises
    ------
    StorageError : the disk is full, or nothing can be written there.

    Examples
    --------
    >>> import tempfile
    >>> import xarray as xr
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.csv"
    ...     rates = xr.DataArray([1.5, -2], dims="unit", coords={"unit": ["a", "=b"]}, name="rate")
    ...     ns.storage.write_table(path, rates)
    ...     print(path.read_text())
    unit,rate
    a,1.5
    '=b,-2
    """
    import pandas as pd

    named = dataset if isinstance(dataset, xr.Dataset) else dataset.to_dataset(name=str(dataset.name or "values"))
    frames = {str(n): _frame(v.rename("value")) for n, v in named.data_vars.items()}
    if len({v.dims for v in named.data_vars.values()}) == 1 and next(iter(named.data_vars.values())).dims:
        table = named.to_dataframe().reset_index()
    else:
        table = pd.concat([f.assign(variable=n) for n, f in frames.items()])
        table = table[["variable", *(c for c in table.columns if c not in ("variable", "value")), "value"]]
    text = table.select_dtypes(exclude=["number", "bool"]).columns
    for column in text:
        table[column] = table[column].map(_harmless)
    table = table.rename(columns=_harmless)
    write_text(path, table.to_csv(index=False, float_format="%.10g", lineterminator="\n"))


def read_table(path: Path, ids: tuple[str, ...] = ID_COLUMNS) -> Any:
    r"""Read a table as a pandas DataFrame: ``.csv``, ``.tsv``, or ``.parquet`` (columns of plain numbers and text).

    Parameters
    ----------
    path : the file. ids : columns of names, which a file of text gives as they are written: 01 and 1 are two, NA is a
        name, and only nothing at all is missing. A column of plain whole numbers alone is one of integers.

    Raises
    ------
    StorageError : missing, truncated or unsafe file. InputError : a column that is there twice.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ns.storage.write_text(Path(folder) / "a.csv", "unit,rate\n01,1.5\n02,2\n")
    ...     print(ns.storage.read_table(Path(folder) / "a.csv").unit.tolist())
    ['01', '02']
    """
    import pandas as pd

    path = Path(path)
    if path.suffix.lower() in (".parquet", ".pqt"):
        with readable(path, "Parquet"):
            check_parquet(existing(path))
            return pd.read_parquet(path, engine="pyarrow")
    with readable(path, "CSV"):
        sep = "\t" if path.suffix.lower() == ".tsv" else ","
        first = pd.read_csv(existing(path), sep=sep, compression=None, header=None, nrows=1, dtype=str)
        header = first.iloc[0].dropna().tolist()
        twice = [c for c in header if header.count(c) > 1]
        if twice:
            raise InputError(f"{path.name}: the column {twice[0]!r} is there twice; rename or drop one.")
        table = pd.read_csv(path, sep=sep, compression=None)
        written = [c for c in ids if c in header]
        if not written:
            return table
        text = pd.read_csv(path, sep=sep, compression=None, usecols=written, dtype=str, keep_default_na=False)
        return table.assign(**{c: _ids(text[c].fillna("")) for c in written})


def _ids(column: Any) -> Any:
    """Names as they are written, or integers where all are plain whole numbers; nothing at all is missing."""
    if len(column) and column.map(lambda v: WHOLE.fullmatch(v) is not None).all():
        return column.astype("int64")
    return column.astype(object).where(column != "", None)


def _frame(array: xr.DataArray) -> Any:
    import pandas as pd

    return array.to_dataframe().reset_index() if array.dims else pd.DataFrame({"value": [array.item()]})


def _harmless(cell: object) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell
