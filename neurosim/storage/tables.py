"""Tables of text and numbers: CSV, TSV and Parquet."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Any

import xarray as xr

from neurosim.refusals import InputError
from neurosim.storage.atomic import write_text
from neurosim.storage.bounds import check_parquet, pieces
from neurosim.storage.failures import StorageError, readable
from neurosim.storage.paths import existing, read_start

ID_COLUMNS = ("stimulus", "unit", "trial")
WHOLE = re.compile(r" *(0|-?[1-9][0-9]{0,17}) *")
WITH_COMMA = re.compile(r" *[-+]?[0-9]+(,[0-9]+)?([eE][-+]?[0-9]+)? *")
QUOTED = re.compile(r'"[^"]*"')
BEGIN_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
SAYS_SEPARATOR = re.compile(r'"?sep=([,;\t|])"?[,;\t|]*', re.IGNORECASE)
WESTERN = "western"  # Windows-1252 or Latin-1
UNDEFINED = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")  # no letters of Windows-1252
PACKED = b"\x1f\x8b"
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

    Text may be packed by gzip (``.csv.gz``). Its letters are UTF-8, else Windows-1252 or Latin-1, or UTF-16 where it
    says so. Columns of a ``.csv`` are parted by what a first line ``sep=;`` says, else by that of comma, semicolon and
    tab which its first line has most often; between semicolons a number may be written with a comma.

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
        form = _form(existing(path))
        header = pd.read_csv(path, **form, header=None, nrows=1, dtype=str).iloc[0].dropna().tolist()
        twice = [c for c in header if header.count(c) > 1]
        if twice:
            raise InputError(f"{path.name}: the column {twice[0]!r} is there twice; rename or drop one.")
        table = pd.read_csv(path, **form)
        written = [c for c in ids if c in header]
        text = pd.read_csv(path, **form, usecols=written, dtype=str, keep_default_na=False) if written else table
        table = table.assign(**{c: _ids(text[c].fillna("")) for c in written})
        if form["sep"] == ";":
            table = table.assign(**{str(n): _with_point(c) for n, c in table.items() if n not in ids})
        return table


def _form(path: Path) -> dict[str, Any]:
    """Return how a table of text is written: packed or not, in which letters, with what between its columns.

    Letters are those of UTF-8, else of Windows-1252, as Excel and older programs of Western Europe write them, or of
    Latin-1 where there are others; UTF-16 says so itself. A first line ``sep=;`` is of Excel. Spaces after what parts
    the columns are left out where the head of the table has one after each.
    """
    decoder, encoding, head = codecs.getincrementaldecoder("utf-8")(), "", b""
    western = "cp1252"
    for piece in pieces(path, "CSV"):
        head = head or piece
        if head.startswith(BEGIN_UTF16):
            encoding = "utf-16"
        elif b"\0" in piece:
            raise StorageError(f"{path}: cannot be read as CSV; it holds null characters, as no text does.")
        elif not encoding:
            encoding = "" if _decodes(decoder, piece) else WESTERN
        western = "latin-1" if UNDEFINED.search(piece) else western
    if not encoding:
        encoding = "utf-8" if _decodes(decoder, b"", final=True) else WESTERN
    encoding = western if encoding == WESTERN else encoding
    lines = head.decode(encoding, "replace").removeprefix("\ufeff").splitlines()
    said = SAYS_SEPARATOR.fullmatch(lines[0]) if lines else None
    first = QUOTED.sub("", next(iter(lines[1:] if said else lines), ""))
    is_tsv = path.name.lower().removesuffix(".gz").endswith(".tsv")
    between = said[1] if said else "\t" if is_tsv else max(",;\t", key=first.count)
    return {
        "sep": between,
        "encoding": encoding,
        "compression": "gzip" if read_start(path, 2) == PACKED else None,
        "skiprows": 1 if said else 0,
        "skipinitialspace": 0 < first.count(between) == first.count(f"{between} "),
    }


def _decodes(decoder: codecs.IncrementalDecoder, piece: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(piece, final)
    except UnicodeDecodeError:
        return False
    return True


def _with_point(column: Any) -> Any:
    """Return numbers that are written with a comma as numbers; a column that has others stays text."""
    held = column.dropna()
    if not len(held) or not all(isinstance(v, str) and WITH_COMMA.fullmatch(v) for v in held):
        return column
    return column.str.replace(",", ".").astype(float)


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
