"""Pictures as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neurosim.arrays import PICTURE_ENDINGS
from neurosim.refusals import InputError
from neurosim.storage.failures import readable
from neurosim.storage.paths import existing

if TYPE_CHECKING:
    from PIL import Image


def read_image(path: Path) -> np.ndarray:
    """Read a picture as an array (y, x, 3) of uint8, or uint16 where it is gray of 16 bits, upright as its camera says.

    Parameters
    ----------
    path : the file.

    Raises
    ------
    StorageError : missing or damaged file. InputError : a moving picture, or numbers of which white is not known.

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
        return np.asarray(upright.convert("RGB"))


def read_picture(path: Path) -> Image.Image:
    """Read a picture of 8 bits as a PIL image in RGB, upright as its camera says, for transforms that take one.

    Parameters
    ----------
    path : the file.

    Raises
    ------
    StorageError : missing or damaged file. InputError : a moving picture, or one of more than 8 bits.

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
        return picture if picture.mode == "RGB" else picture.convert("RGB")


def pictures_in(folder: Path) -> list[Path]:
    """Return the pictures of a folder and of those in it, by name.

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
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURE_ENDINGS)
