"""Pictures as files."""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from neurosim.arrays import PICTURE_ENDINGS
from neurosim.pictures import is_transparent, on_ground
from neurosim.refusals import InputError
from neurosim.storage import bounds
from neurosim.storage.failures import StorageError, readable
from neurosim.storage.paths import existing

if TYPE_CHECKING:
    from PIL import Image


def read_image(path: Path, *, background: float | None = None) -> np.ndarray:
    """Read a picture as an array (y, x, 3) of uint8, or uint16 where it is gray of 16 bits, upright as its camera says.

    Parameters
    ----------
    path : the file.
    background : gray, 0 (black) to 1 (white), seen where the picture is transparent; asked for where it is.

    Raises
    ------
    StorageError : missing or damaged file. InputError : a moving picture, numbers of which white is not known, or
        transparency without `background`.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("L", (4, 3), 255).save(Path(folder) / "white.png")
    ...     ns.storage.read_image(Path(folder) / "white.png").shape
    (3, 4, 3)
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
            return np.repeat(np.asarray(upright).astype(np.uint16)[..., None], 3, axis=2)
        return np.asarray(on_ground(upright, background, path))


def read_picture(path: Path, *, background: float | None = None) -> Image.Image:
    """Read a picture of 8 bits as a PIL image in RGB, upright as its camera says, for transforms that take one.

    Parameters
    ----------
    path : the file.
    background : as for :func:`read_image`.

    Raises
    ------
    StorageError : missing or damaged file. InputError : a moving picture, one of more than 8 bits, or transparency
        without `background`.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("L", (4, 3), 255).save(Path(folder) / "white.png")
    ...     ns.storage.read_picture(Path(folder) / "white.png").size
    (4, 3)
    """
    from PIL import Image, ImageOps

    with readable(path, "image"), Image.open(existing(path)) as picture:
        if getattr(picture, "n_frames", 1) > 1 and picture.format != "MPO":
            raise InputError(f"{path}: holds several pictures, one asked; save each frame as a file.")
        if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
            raise InputError(f"{path}: its pixels have more than 8 bits, and a transform is given 8; save it with 8.")
        picture.load()
        ImageOps.exif_transpose(picture, in_place=True)
        if picture.mode == "RGB" and not is_transparent(picture):
            return picture
        ground: Image.Image = on_ground(picture, background, path)
        return ground


def read_picture_archive(path: Path) -> dict[str, np.ndarray]:
    """Read the pictures of 8 bits of a zip archive as arrays (y, x, 3) of uint8, by file name, in order of name.

    Nothing is extracted to disk, and folders and hidden files in the archive are passed over.

    Parameters
    ----------
    path : the archive.

    Raises
    ------
    StorageError : missing or damaged archive, or one that expands to more than is read at once. InputError : two
        pictures of one name, a file that is no picture, a picture that is transparent in places.

    Examples
    --------
    >>> import io, tempfile, zipfile
    >>> from PIL import Image
    >>> from pathlib import Path
    >>> white = io.BytesIO()
    >>> Image.new("L", (4, 3), 255).save(white, "png")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with zipfile.ZipFile(Path(folder) / "a.zip", "w") as archive:
    ...         archive.writestr("pictures/", b"")
    ...         archive.writestr("pictures/white.png", white.getvalue())
    ...     found = ns.storage.read_picture_archive(Path(folder) / "a.zip")
    >>> {name: pixels.shape for name, pixels in found.items()}
    {'white.png': (3, 4, 3)}
    """
    from PIL import Image

    pictures: dict[str, np.ndarray] = {}
    with readable(path, "zip"), zipfile.ZipFile(existing(path)) as archive:
        members = [m for m in archive.infolist() if not m.is_dir() and not is_hidden(PurePosixPath(m.filename))]
        total = sum(m.file_size for m in members)
        if total > bounds.MAX_BYTES:
            raise StorageError(f"{path}: expands to {total} bytes, more than is read at once ({bounds.MAX_BYTES}).")
        for member in sorted(members, key=lambda m: PurePosixPath(m.filename).name):
            name = PurePosixPath(member.filename).name
            if name in pictures or PurePosixPath(name).suffix.lower() not in PICTURE_ENDINGS:
                found = "a second time" if name in pictures else "which is no picture"
                raise InputError(f"{path}: holds {member.filename!r} {found}; pack pictures of unique names alone.")
            with archive.open(member) as file, Image.open(file) as picture:
                pictures[name] = np.asarray(on_ground(picture, None, f"{path}, {name}"))
    return pictures


def pictures_in(folder: Path) -> list[Path]:
    """Return the pictures of a folder and of those in it, by name, without hidden ones.

    Parameters
    ----------
    folder : the folder.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ns.storage.pictures_in(Path(folder))
    []
    """
    return files_of(folder, PICTURE_ENDINGS)


def files_of(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    """Return the files of some endings in a folder and in those in it, by name, without hidden ones.

    Parameters
    ----------
    folder : the folder. endings : in small letters, with the dot.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "a.WAV").write_bytes(b"")
    ...     [path.name for path in ns.storage.files_of(Path(folder), (".wav",))]
    ['a.WAV']
    """
    found = (p for p in folder.rglob("*") if p.suffix.lower() in endings)
    return sorted(p for p in found if not is_hidden(p.relative_to(folder)))


def is_hidden(path: Path | PurePosixPath) -> bool:
    """Return whether a file is none that listings show, as the ``._a.png`` that macOS writes beside ``a.png``.

    >>> is_hidden(Path("cat/._a.png")), is_hidden(Path(".ipynb_checkpoints/a.png")), is_hidden(Path("a.png"))
    (True, True, False)
    """
    return any(part.startswith(".") and part != ".." for part in path.parts)
