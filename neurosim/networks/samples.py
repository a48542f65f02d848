"""What a sample or a batch of somebody's data holds: which part is shown, which says what is right, which is a name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurosim.pictures import is_picture
from neurosim.schema import InputError

Key = str | int
Keys = tuple[Key, Key]
SHOWN = (
    "image", "images", "img", "pixel_values", "input", "inputs", "input_ids", "x", "audio", "npy", "jpg", "jpeg", "png",
    "webp",
)  # fmt: skip
RIGHT = ("label", "labels", "target", "targets", "cls", "category", "y")
NAMES = (
    "__key__", "stimulus", "id", "ids", "key", "image_id", "filename", "file_name", "file", "filepath", "file_path",
    "path", "idx", "index",
)  # fmt: skip


def parted(sample: object, keys: Keys | None, who: str) -> tuple[Any, Any]:
    """Return what is shown and what is right, None where nothing says it, of a sample or of a batch.

    Raises
    ------
    InputError : parts of which it is not certain which is which; they are asked for.
    """
    if isinstance(sample, Mapping):
        return _of_mapping(sample, keys, who)
    if isinstance(sample, list | tuple):
        if keys is not None:
            return _of_parts(sample, keys, who)
        if len(sample) > 2:
            raise InputError(
                f"{who}: samples have {len(sample)} parts; which one is shown and which one is its label is not "
                "certain; pass Data(..., keys=(0, 1))."
            )
        return (sample[0], sample[1]) if len(sample) == 2 else (sample[0], None)
    return sample, None


def _of_parts(sample: Sequence[Any], keys: Keys, who: str) -> tuple[Any, Any]:
    if not all(isinstance(k, int) and -len(sample) <= k < len(sample) for k in keys):
        raise InputError(
            f"{who}: keys = {keys!r} of samples with {len(sample)} parts; numbers of two of them are asked."
        )
    return sample[int(keys[0])], sample[int(keys[1])]


def _of_mapping(sample: Mapping[Any, Any], keys: Keys | None, who: str) -> tuple[Any, Any]:
    known = [str(k) for k in sample]
    if keys is not None:
        if missing := [k for k in keys if k not in sample]:
            raise InputError(f"{who}: keys = {keys!r}, but samples have {known}, without {missing[0]!r}.")
        return sample[keys[0]], sample[keys[1]]
    values = [k for k, v in sample.items() if str(k).lower() not in NAMES and _is_value(v)]
    right = [k for k in values if str(k).lower() in RIGHT]
    shown = [k for k in values if k not in right]
    if len(right) > 1 or len(shown) != 1 or (not right and str(shown[0]).lower() not in SHOWN):
        raise InputError(
            f"{who}: samples have the keys {known}; which one is shown and which one is its label is not certain; pass "
            "Data(..., keys=('image', 'label'))."
        )
    return sample[shown[0]], sample[right[0]] if right else None


def _is_value(value: object) -> bool:
    return not isinstance(value, str | bytes | Mapping) and value is not None


def id_of(sample: object) -> str | None:
    """Return the name that a sample carries, if any."""
    if not isinstance(sample, Mapping):
        return None
    found = next((v for k, v in sample.items() if str(k).lower() in NAMES), None)
    return None if found is None else str(found.item() if hasattr(found, "item") else found)


def tensor_of(value: object, who: str) -> Tensor:
    """Return a number, array, tensor or picture as a tensor; a picture as bytes ([channel,] y, x).

    Raises
    ------
    InputError : text, or what else is no numbers.
    """
    if isinstance(value, Tensor):
        return value
    if is_picture(value):
        return _of_picture(value)
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise InputError(
            f"{who}: samples hold {type(value).__name__} ({array.dtype}), numbers or pictures are asked; turn it into "
            "a tensor in the dataset, as by transform=."
        )
    if array.dtype == np.float64 and not isinstance(value, np.ndarray):
        array = array.astype(np.float32)  # lists and numbers of Python, as torch.tensor takes them
    return torch.from_numpy(native(array))


def intensities_of(value: object, who: str) -> Tensor:
    """Return a sample as a tensor; a picture as intensities in 0..1."""
    return tensor_of(value, who).float() / 255 if is_picture(value) else tensor_of(value, who)


def _of_picture(picture: Any) -> Tensor:
    pixels = np.array(picture if picture.mode in ("L", "RGB") else picture.convert("RGB"))
    return torch.from_numpy(pixels if pixels.ndim == 2 else np.ascontiguousarray(np.moveaxis(pixels, -1, 0)))


def native(values: np.ndarray) -> np.ndarray:
    """Return an array as torch takes it: in one piece, writable, in this machine's byte order, in 64 bits at most."""
    dtype = np.dtype(np.float64) if values.dtype.kind == "f" and values.dtype.itemsize > 8 else values.dtype
    return np.require(values, dtype.newbyteorder("="), ["C", "W"])


def stacked(values: Sequence[Tensor], who: str) -> Tensor:
    """Return tensors of one shape as a batch, in shared memory where a worker process makes it.

    Raises
    ------
    InputError : tensors of several shapes.
    """
    shapes = sorted({tuple(v.shape) for v in values})
    if len(shapes) > 1:
        raise InputError(
            f"{who}: samples of {len(shapes)} shapes, such as {shapes[0]} and {shapes[-1]}, make no batch; give them "
            "one shape in the dataset, as by transform=."
        )
    batch: Tensor = torch.utils.data.default_collate(list(values))
    return batch


def batch_of(values: object, who: str) -> Tensor:
    """Return one part of a batch as a tensor: a tensor or array, or a list with one value a stimulus."""
    if isinstance(values, list | tuple) and values and (isinstance(values[0], Tensor) or is_picture(values[0])):
        return stacked([intensities_of(v, who) for v in values], who)
    return tensor_of(values, who)
