"""The door to disk: atomic, checksummed, schema-checked, never unpickles.

Everything that neurosim writes or reads from outside passes here.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import gzip
import hashlib
import json
import math
import os
import re
import shutil
import struct
import subprocess
import tarfile
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neurosim.schema import InputError

DATA_FOLDER_VARIABLE = "NEUROSIM_DATA"
MAX_BYTES = 16 * 2**30
SMALL = 4096
AT_CWD, EXCHANGE = -100, 2  # of Linux's renameat2
LEFTOVER = re.compile(r"\.[0-9a-f]{64}\.[a-z0-9_]{8}")
MAT_COMPRESSED = 15
ID_COLUMNS = ("stimulus", "unit", "trial")
WHOLE = re.compile(r" *(0|-?[1-9][0-9]{0,17}) *")
COMPRESSED = {"compression": "gzip", "compression_opts": 4}
FULL_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class StorageError(InputError):
    """A file is missing, damaged, unsafe or cannot be written."""


def cache_folder(kind: str) -> Path:
    """Return the folder in which compiled code is kept between processes."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "neurosim" / kind


def compiled_library(source: Path, compiler: str, flags: tuple[str, ...]) -> Path:
    """Return the shared library of a C++ file of this package, built once for this compiler, processor and these flags.

    Raises
    ------
    StorageError : the compiler fails, or the cache cannot be written.
    """
    target = subprocess.run([compiler, *flags, "-Q", "--help=target"], capture_output=True, check=False).stdout
    key = hashlib.sha256(b"\0".join([source.read_bytes(), target, *(f.encode() for f in (compiler, *flags))]))
    path = cache_folder("libraries") / f"{source.stem}-{key.hexdigest()[:32]}.so"
    if not path.exists():
        with atomic_file(path) as temporary:
            command = [compiler, *flags, "-shared", "-fPIC", "-x", "c++", str(source), "-o", str(temporary)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise StorageError(f"{compiler} cannot build {source.name}: {done.stderr.strip()[-300:]}")
    return path


# --- writing -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; what was written there appears under `path` whole or not at all."""
    path = Path(path)
    with _as_storage_error(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o644)
            _sync(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: Path, listed: frozenset[str] | None = None, *, first_stays: bool = False) -> Iterator[Path]:
    """Give an empty temporary folder that replaces `path` when the block ends without an error.

    Parameters
    ----------
    path : where it goes. listed : names inside an old folder that may go; everything else in it moves to the new one.
        By default all of an old folder goes. first_stays : leave a folder that is there by then as it is.
    """
    path = Path(path)
    with _as_storage_error(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
        try:
            yield temporary
            temporary.chmod(0o755)
            for file in temporary.rglob("*"):
                if file.is_file():
                    _sync(file)
            if first_stays:
                _put_first(temporary, path)
            else:
                replace_folder(temporary, path, listed)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def remove_leftovers(folder: Path, older_than: float = 86400.0) -> None:
    """Remove half-written entries, named after a digest, that runs killed `older_than` seconds ago left in `folder`."""
    for path in folder.glob(".*.*"):
        with contextlib.suppress(OSError):
            if LEFTOVER.fullmatch(path.name) and time.time() - path.lstat().st_mtime > older_than:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def replace_folder(new: Path, path: Path, listed: frozenset[str] | None = None) -> None:
    """Put the folder `new` in the place of `path`, which then is gone but for what is not `listed`.

    Where the file system can exchange two names, there is no moment without a folder.
    """
    if not path.exists():
        new.replace(path)
        return
    if _exchanged(new, path):
        old = new
    else:
        old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.old.")) / path.name
        path.replace(old)
        new.replace(path)
    if listed is not None:
        for file in [p for p in old.rglob("*") if p.is_symlink() or not p.is_dir()]:
            name = file.relative_to(old).as_posix()
            if name not in listed:
                _kept(file, path / name)
    shutil.rmtree(old, ignore_errors=True)
    if old is not new:
        shutil.rmtree(old.parent, ignore_errors=True)


def _put_first(new: Path, path: Path) -> None:
    """Give the folder `new` the name `path` unless a folder that holds something has it."""
    try:
        new.replace(path)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise


def _exchanged(a: Path, b: Path) -> bool:
    """Exchange two names in one step, if the system knows how."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    return rename is not None and not rename(AT_CWD, os.fsencode(a), AT_CWD, os.fsencode(b), EXCHANGE)


def _kept(file: Path, target: Path) -> None:
    """Move a file of the user's to the new folder; beside a new file of its name it is called ``NAME.old``."""
    while target.is_symlink() or target.exists():
        target = target.with_name(f"{target.name}.old")
    target.parent.mkdir(parents=True, exist_ok=True)
    file.replace(target)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content`."""
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, value: Any, *, sort_keys: bool = True) -> None:
    """Write `value` as JSON without NaN; keys are sorted unless their order means something."""
    try:
        text = json.dumps(value, indent=2, sort_keys=sort_keys, allow_nan=False)
    except ValueError as error:
        raise StorageError(f"{path.name}: {error}; JSON holds no NaN or infinity.") from error
    write_text(path, text + "\n")


def write_dataset(path: Path, dataset: xr.Dataset | xr.DataArray) -> None:
    """Write a labelled array as netCDF-4 with a checksum on every block; the same content gives the same bytes.

    The file is made in memory first (peak: twice the array), so that a full disk is met by one plain write.
    """
    if isinstance(dataset, xr.DataArray):
        dataset = dataset.to_dataset(name=str(dataset.name or "values"))
    plain = dataset.copy()
    plain.attrs = {k: _plain_attribute(v) for k, v in dataset.attrs.items()}
    encoding: dict[str, dict[str, Any]] = {}
    for name, variable in plain.variables.items():
        variable.attrs = {k: _plain_attribute(v) for k, v in variable.attrs.items()}
        if variable.dtype.kind in "biuf" and variable.ndim:
            small = variable.size <= SMALL
            encoding[str(name)] = {"fletcher32": True, "_FillValue": None} | ({} if small else COMPRESSED)
    write_bytes(path, bytes(plain.to_netcdf(engine="h5netcdf", encoding=encoding)))


@contextlib.contextmanager
def growing_array(
    path: Path, labels: xr.Dataset, name: str, dims: tuple[str, ...], shape: tuple[int, ...], dtype: np.dtype, rows: int
) -> Iterator[Callable[[int, np.ndarray], None]]:
    """Give a function (first row, values) that writes rows of an array into a netCDF-4 file, which appears when all is
    written: for arrays larger than memory.

    Parameters
    ----------
    path : file. labels : coordinates and attributes that go with the array. name, dims, shape, dtype : of the array.
    rows : rows written at once, the chunk of the file.
    """
    import h5netcdf

    plain = labels.copy()
    plain.attrs = {k: _plain_attribute(v) for k, v in labels.attrs.items()}
    with atomic_file(path) as temporary:
        plain.to_netcdf(temporary, engine="h5netcdf")
        with h5netcdf.File(temporary, "a") as file:
            for dim, size in zip(dims, shape, strict=True):
                if dim not in file.dimensions:
                    file.dimensions[dim] = size
            chunk = (min(rows, shape[0]), *shape[1:])
            variable = file.create_variable(name, dims, dtype, chunks=chunk, fletcher32=True)

            def put(start: int, values: np.ndarray) -> None:
                variable[start : start + len(values)] = values

            yield put


def write_table(path: Path, dataset: xr.Dataset | xr.DataArray) -> None:
    """Write labelled arrays as one CSV table, numbers in 10 digits.

    Variables of the same dims become columns, one row a cell; variables of different dims are written below each
    other, with their name in the column ``variable``.
    """
    import pandas as pd

    named = dataset if isinstance(dataset, xr.Dataset) else dataset.to_dataset(name=str(dataset.name or "values"))
    frames = {str(n): _frame(v.rename("value")) for n, v in named.data_vars.items()}
    if len({v.dims for v in named.data_vars.values()}) == 1 and next(iter(named.data_vars.values())).dims:
        table = named.to_dataframe().reset_index()
    else:
        table = pd.concat([f.assign(variable=n) for n, f in frames.items()])
        table = table[["variable", *(c for c in table.columns if c not in ("variable", "value")), "value"]]
    write_text(path, table.to_csv(index=False, float_format="%.10g", lineterminator="\n"))


def write_weights(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Write named arrays as safetensors."""
    from safetensors.numpy import save

    write_bytes(path, save({k: np.ascontiguousarray(v) for k, v in sorted(tensors.items())}))


def check_writable(folder: Path) -> None:
    """Raise :class:`StorageError` now if nothing can be written in `folder`, rather than after hours of work."""
    with _as_storage_error(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"neurosim")


# --- reading -----------------------------------------------------------------------------------------------------


def read_text(path: Path, encoding: str = "utf-8") -> str:
    """Read UTF-8 text."""
    try:
        return existing(path).read_text(encoding=encoding)
    except UnicodeDecodeError as error:
        raise StorageError(f"{path}: not a text file ({error.reason} at byte {error.start}).") from error


def as_path(path: Any, who: str) -> Path:
    """Return a path that was given as text or as a path object.

    Raises
    ------
    InputError : anything else, or a name that no file can have.

    Examples
    --------
    >>> as_path("a/b.nc", "here").name
    'b.nc'
    """
    if not isinstance(path, str | os.PathLike) or isinstance(os.fspath(path), bytes):
        raise InputError(f"{who}: the path of a file asked, as text or pathlib.Path, found {type(path).__name__}.")
    if "\0" in os.fspath(path):
        raise StorageError(f"{who}: {os.fspath(path)!r} is no path; it holds a null character.")
    return Path(path)


def is_folder(path: Path) -> bool:
    """Whether a path is a folder that can be reached."""
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):
        return False


def existing(path: Path, *, any_size: bool = False) -> Path:
    """Return the path of a file that is there and small enough to be read at once, unless `any_size` is bearable.

    Raises
    ------
    StorageError : no such file, it cannot be reached, or is too large.
    """
    path = Path(path)
    try:
        size = path.stat().st_size if path.is_file() else -1
    except (OSError, ValueError) as error:
        raise StorageError(f"{path}: cannot be reached ({getattr(error, 'strerror', error)}).") from error
    if size < 0:
        raise StorageError(f"{path}: no such file.")
    if size > MAX_BYTES and not any_size:
        raise StorageError(f"{path}: {size / 2**30:.0f} GiB is more than is read at once (16 GiB).")
    return path


def read_json(path: Path) -> Any:
    """Read JSON."""
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise StorageError(f"{path}: not valid JSON ({error.msg} in line {error.lineno}).") from error
    except RecursionError as error:
        raise StorageError(f"{path}: not valid JSON (nested too deeply).") from error


def read_dataset(path: Path) -> xr.Dataset:
    """Read a netCDF-4 file into memory, after its links and sizes were found harmless."""
    _check_hdf5(existing(path))
    with readable(path, "netCDF"), xr.open_dataset(path, engine="h5netcdf") as opened:
        return opened.load()


def check_hdf5(path: Path, *, soft_links: bool = False, any_size: bool = False) -> Path:
    """Return `path` after the links and sizes of this HDF5 file of a public format were found harmless.

    With `soft_links`, names for other places of the same file are welcome; they are not followed. With `any_size` the
    file and its arrays may be large: they are not read at once.

    Raises
    ------
    StorageError : no such file, not HDF5 or truncated, data outside the file, absurd sizes.
    """
    _check_hdf5(existing(path, any_size=any_size), soft_links, any_size)
    return Path(path)


def open_dataset(path: Path) -> xr.Dataset:
    """Open a netCDF-4 file (``.nc``) or a Zarr folder (``.zarr``) lazily: values are read when they are used."""
    path = Path(path)
    if path.suffix.lower() == ".zarr":
        if not is_folder(path):
            raise StorageError(f"{path}: no such folder.")
        with readable(path, "Zarr"):
            check_links(path)
            return xr.open_zarr(path, chunks=None)
    check_hdf5(path, any_size=True)
    with readable(path, "netCDF"):
        return xr.open_dataset(path, engine="h5netcdf")


def read_array(path: Path, name: str | None = None) -> xr.DataArray:
    """Read one variable of a netCDF-4 file; `name` may be left out when there is only one."""
    dataset = read_dataset(path)
    names = [str(v) for v in dataset.data_vars]
    if name is None and len(names) != 1:
        raise StorageError(f"{path}: holds {len(names)} variables ({', '.join(names[:8])}); say which one.")
    if name is not None and name not in names:
        raise StorageError(f"{path}: no variable {name!r}; it holds {', '.join(names[:8])}.")
    return dataset[name or names[0]]


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Read a ``.npz`` file of plain arrays; pickled objects, and arrays larger than their file says, are refused."""
    with readable(path, "npz"):
        _check_expansion(existing(path))
        with np.load(path, allow_pickle=False) as archive:
            return {k: archive[k] for k in archive.files}


def read_npy(path: Path) -> np.ndarray:
    """Read a ``.npy`` file of a plain array; pickled objects are refused."""
    with readable(path, "npy"), existing(path).open("rb") as file:
        _check_header(path, path.name, file, path.stat().st_size)
        return np.asarray(np.load(path, allow_pickle=False))


def read_table(path: Path, ids: tuple[str, ...] = ID_COLUMNS) -> Any:
    """Read a table as a pandas DataFrame: ``.csv``, ``.tsv``, or ``.parquet`` (columns of plain numbers and text).

    Parameters
    ----------
    path : the file. ids : columns of names, which a file of text gives as they are written: 01 and 1 are two, NA is a
        name, and only nothing at all is missing. A column of plain whole numbers alone is one of integers.

    Raises
    ------
    StorageError : missing, truncated or unsafe file. InputError : a column that is there twice.
    """
    import pandas as pd

    path = Path(path)
    if path.suffix.lower() == ".parquet":
        with readable(path, "Parquet"):
            _check_parquet(existing(path))
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


def read_mat(path: Path) -> dict[str, Any]:
    """Read a MATLAB file (version 7.2 or older) without its private variables."""
    import scipy.io

    with readable(path, "MATLAB"):
        check_inflation(existing(path))
        content = scipy.io.loadmat(path, squeeze_me=True)
    return {k: v for k, v in content.items() if not k.startswith("__")}


def read_image(path: Path) -> np.ndarray:
    """Read a picture as an array (y, x, 3) of uint8, upright as its camera says; 16-bit gray is scaled to 255.

    Raises
    ------
    StorageError : missing or damaged file. InputError : a moving picture, or numbers of which white is not known.
    """
    from PIL import Image, ImageOps

    with readable(path, "image"), Image.open(existing(path)) as picture:
        frames = getattr(picture, "n_frames", 1)
        if frames > 1 and picture.format != "MPO":
            raise InputError(f"{path}: holds {frames} pictures, one asked; save each frame as a file.")
        gray16 = picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format == "PNG")
        if picture.mode in ("I", "F") and not gray16:
            raise InputError(
                f"{path}: its pixels are numbers of mode {picture.mode!r}, of which white is not known; save it with 8 "
                "or 16 bits, or pass the values in 0..1 to as_stimuli."
            )
        upright = ImageOps.exif_transpose(picture)
        if gray16:
            gray = np.rint(np.asarray(upright).astype(float) / 257).astype(np.uint8)
            return np.repeat(gray[..., None], 3, axis=2)
        return np.asarray(upright.convert("RGB"))


def read_tar_member(path: Path, name: str) -> bytes:
    """Return the content of one plain file inside a tar archive; nothing is extracted to disk."""
    with readable(path, "tar"), tarfile.open(existing(path)) as archive:
        member = archive.getmember(name)
        content = archive.extractfile(member) if member.isfile() and member.size <= MAX_BYTES else None
        if content is None:
            raise StorageError(f"{path}: {name!r} is not a plain file of bearable size.")
        return content.read()


def fetch(url: str, known_hash: str, folder: str, who: str, advice: str) -> Path:
    """Return the path of a public file, fetched once into the cache of pooch and checked.

    Parameters
    ----------
    url : where it was published; empty when it has no address of its own.
    known_hash : its checksum, as ``"sha256:..."`` or ``"md5:..."``.
    folder : folder inside the cache.
    who : who asks, for errors.
    advice : what the user can do without a network: which file goes where.

    Raises
    ------
    StorageError : no connection, wrong checksum, or pooch is not installed; the message ends with `advice`.
    """
    name = url.rsplit("/", 1)[-1]
    if not url:
        raise StorageError(f"{who} is not here: {advice}.")
    try:
        import pooch

        cache = pooch.os_cache("neurosim") / folder
        return Path(pooch.retrieve(url, known_hash=known_hash, path=cache, fname=name, progressbar=False))
    except ImportError as error:
        raise StorageError(f"{who} is not here: {advice}; or pip install 'neurosim[data]' to fetch it.") from error
    except (OSError, ValueError) as error:
        reason = "wrong checksum" if isinstance(error, ValueError) else "no connection"
        raise StorageError(f"{who} cannot be fetched ({reason}): {advice}.") from error


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """Read named arrays from safetensors."""
    from safetensors.numpy import load

    with readable(path, "safetensors"):
        return dict(load(existing(path).read_bytes()))


def inside(folder: Path, name: str) -> Path:
    """Return `folder`/`name`, or raise :class:`StorageError` when `name` leads out of `folder`.

    >>> inside(Path("data"), "../secret")
    Traceback (most recent call last):
    ...
    neurosim.storage.StorageError: '../secret' leads out of its folder; give a path inside it.
    """
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise StorageError(f"{name!r} leads out of its folder; give a path inside it.")
    return path


def use_data_folder(folder: Path | str) -> None:
    """Look for real data in `folder` from now on, in this process and those it starts."""
    os.environ[DATA_FOLDER_VARIABLE] = str(Path(folder).resolve())


def data_folder() -> Path | None:
    """Return the folder of real data that the variable ``NEUROSIM_DATA`` names, or None."""
    name = os.environ.get(DATA_FOLDER_VARIABLE, "").strip()
    return Path(name).expanduser().resolve() if name else None


# --- checksums ---------------------------------------------------------------------------------------------------


def data_file(folder: str, name: str, who: str, holds: str, home: str) -> Path:
    """Return the path of a file of the data folder.

    Raises
    ------
    StorageError : it is not there; the message says what goes where, what it `holds` and where it comes from.
    """
    root = data_folder()
    path = root / folder / name if root else Path(name)
    if root is None or not path.is_file():
        raise StorageError(
            f"{who}: put {name} ({holds}) into the folder {folder} of the data folder and name the data folder in the "
            f"variable {DATA_FOLDER_VARIABLE} (now: {root or 'not set'}); it comes from {home}"
        )
    return path


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_sha256(path: Path, expected: str) -> None:
    """Raise :class:`StorageError` unless the file has the checksum it should have."""
    found = sha256(existing(path))
    if found != expected:
        raise StorageError(
            f"{path.name}: wrong checksum, expected {expected[:12]}…, found {found[:12]}…; "
            "the file is damaged or another version: fetch it again."
        )


def write_manifest(folder: Path, name: str = "MANIFEST.sha256") -> None:
    """List every file of `folder` with its checksum, in the format of ``sha256sum -c``."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != name)
    lines = [f"{sha256(p)}  {p.relative_to(folder).as_posix()}\n" for p in files]
    write_text(folder / name, "".join(lines))


def damaged_files(folder: Path, name: str = "MANIFEST.sha256") -> list[str]:
    """Return the names of the files of `folder` that its manifest lists and that are missing or changed."""
    bad = []
    for line in read_text(folder / name).splitlines():
        digest, _, relative = line.partition("  ")
        path = inside(folder, relative)
        if not path.is_file() or sha256(path) != digest:
            bad.append(relative)
    return bad


# --- helpers -----------------------------------------------------------------------------------------------------


def check_links(folder: Path) -> None:
    """Refuse a folder of which a part lies elsewhere."""
    root = folder.resolve()
    for path in folder.rglob("*"):
        try:
            inside_of_it = path.resolve().is_relative_to(root)
        except (OSError, RuntimeError):
            inside_of_it = False
        if not inside_of_it:
            raise StorageError(f"{folder}: {path.name!r} links to another place; such folders are not opened.")


def _check_expansion(path: Path) -> None:
    """Refuse an archive of arrays that expands without bound, or whose arrays claim more than they hold."""
    with zipfile.ZipFile(path) as archive:
        total = sum(member.file_size for member in archive.infolist())
        if total > MAX_BYTES:
            raise StorageError(f"{path}: expands to {total} bytes, more than is read at once ({MAX_BYTES}).")
        for member in archive.infolist():
            with archive.open(member) as file:
                _check_header(path, member.filename, file, member.file_size)


def check_inflation(path: Path) -> None:
    """Refuse a MATLAB file whose compressed elements expand without bound; they are inflated piece by piece."""
    total = 0
    with path.open("rb") as file:
        order = "<" if file.read(128)[126:128] == b"IM" else ">"
        while len(tag := file.read(8)) == 8:
            kind, size = struct.unpack(f"{order}II", tag)
            if kind != MAT_COMPRESSED:
                file.seek(size, os.SEEK_CUR)
                continue
            inflate, end = zlib.decompressobj(), file.tell() + size
            while (left := end - file.tell()) > 0 and (piece := file.read(min(left, 2**20))):
                while piece:
                    total += len(inflate.decompress(piece, 2**24))
                    piece = inflate.unconsumed_tail
                    if total > MAX_BYTES:
                        raise StorageError(f"{path}: expands to more than is read at once ({MAX_BYTES} bytes).")


def pieces(path: Path) -> Iterator[bytes]:
    """Give the content of a file piece by piece, unpacked where it is packed by gzip.

    Raises
    ------
    StorageError : it unpacks to more than is read at once.
    """
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    total = 0
    with gzip.open(path) if packed else path.open("rb") as file:
        while piece := file.read(2**20):
            total += len(piece)
            if packed and total > MAX_BYTES:
                raise StorageError(f"{path}: unpacks to more than is read at once ({MAX_BYTES} bytes); unpack it.")
            yield piece


def _ids(column: Any) -> Any:
    """Names as they are written, or integers where all are plain whole numbers; nothing at all is missing."""
    if len(column) and column.map(lambda v: WHOLE.fullmatch(v) is not None).all():
        return column.astype("int64")
    return column.astype(object).where(column != "", None)


def _check_parquet(path: Path) -> None:
    """Refuse a table whose columns unpack without bound."""
    import pyarrow.parquet  # type: ignore[import-untyped]

    about = pyarrow.parquet.read_metadata(path)
    packed = sum(about.row_group(g).total_byte_size for g in range(about.num_row_groups))
    claimed = max(packed, 8 * about.num_rows * about.num_columns)
    if claimed > MAX_BYTES:
        raise StorageError(f"{path}: expands to {claimed} bytes, more than is read at once ({MAX_BYTES}).")


def _check_header(path: Path, name: str, file: Any, held: int) -> None:
    version = np.lib.format.read_magic(file)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read is None:
        raise StorageError(f"{path}: {name} is of npy version {version}; save plain arrays with names in ASCII.")
    shape, _, dtype = read(file)
    if not dtype.hasobject and math.prod(shape) * dtype.itemsize > held:
        raise StorageError(f"{path}: {name} claims {math.prod(shape)} values and holds {held} bytes; it is damaged.")


@contextlib.contextmanager
def readable(path: Path, kind: str) -> Iterator[None]:
    """Turn whatever a reader of a public format raises into one line: truncated, or not such a file."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise StorageError(f"{path}: cannot be read as {kind}, truncated or not such a file ({reason}).") from error


@contextlib.contextmanager
def _as_storage_error(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in FULL_DISK:
            raise StorageError(f"{path}: the disk is full; free some space and run again, nothing is lost.") from error
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}:
            raise StorageError(f"{path}: cannot be written ({error.strerror}); choose another folder.") from error
        raise


def _frame(array: xr.DataArray) -> Any:
    import pandas as pd

    return array.to_dataframe().reset_index() if array.dims else pd.DataFrame({"value": [array.item()]})


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _plain_attribute(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    return json.dumps(value, sort_keys=True) if isinstance(value, dict | list | tuple | type(None)) else value


def _check_hdf5(path: Path, soft_links: bool = False, any_size: bool = False) -> None:
    import h5py

    def visit(file: h5py.File) -> None:
        waiting, seen, total = [file], set(), 0
        while waiting:
            group = waiting.pop()
            for name in group:
                link = group.get(name, getlink=True)
                if soft_links and isinstance(link, h5py.SoftLink):
                    continue
                if not isinstance(link, h5py.HardLink):
                    raise StorageError(f"{path}: the entry {name!r} links to another place; such files are not opened.")
                item = group[name]
                place = h5py.h5o.get_info(item.id).addr
                if place in seen:
                    continue
                seen.add(place)
                if isinstance(item, h5py.Group):
                    waiting.append(item)
                if not isinstance(item, h5py.Dataset):
                    continue
                if item.external or item.is_virtual:
                    raise StorageError(f"{path}: {name!r} keeps its data outside the file; such files are not opened.")
                total += item.nbytes
                if total > MAX_BYTES and not any_size:
                    raise StorageError(
                        f"{path}: claims {total / 2**30:.0f} GiB, {item.nbytes / 2**30:.0f} of them in {name!r}."
                    )

    with readable(path, "HDF5"), h5py.File(path, "r") as file:
        visit(file)
