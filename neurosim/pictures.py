"""Layout and scale of pictures: recognised where they are certain, asked for where they are not."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import xarray as xr

from neurosim.refusals import SchemaError

Layout = Literal["NCHW", "NHWC"]
COLOURS = (1, 3, 4)
ROUNDING = 1e-6
LAYOUTS = {
    "NCHW": ("stimulus", "channel", "y", "x"),
    "NHWC": ("stimulus", "y", "x", "channel"),
}


def is_picture(value: object) -> bool:
    """Return whether `value` is a PIL image."""
    return hasattr(value, "getbands") and hasattr(value, "convert")


def is_transparent(picture: Any) -> bool:
    """Return whether something shows through a PIL image: a pixel of it has an alpha below that of what covers."""
    if picture.mode not in ("RGBA", "LA", "PA", "RGBa", "La") and "transparency" not in picture.info:
        return False
    return bool(picture.convert("RGBA").getchannel("A").getextrema()[0] < 255)


def on_ground(picture: Any, background: float | None, who: object) -> Any:
    """Return a PIL image in RGB: where it is transparent, on a ground of that gray, 0 (black) to 1 (white).

    What lies under transparent pixels is arbitrary, and is seen where alpha is merely dropped.

    Raises
    ------
    SchemaError : a picture is transparent and no ground is said.
    """
    from PIL import Image

    if not is_transparent(picture):
        return picture.convert("RGB")
    if background is None:
        raise SchemaError(
            f"{who}: the picture is transparent in places, and what lies behind is not known; "
            "load_stimuli(folder, background=0.5) shows gray there (0 black, 1 white), or save it on a ground."
        )
    covering = picture.convert("RGBA")
    ground = Image.new("RGBA", covering.size, (*[round(255 * background)] * 3, 255))
    return Image.alpha_composite(ground, covering).convert("RGB")


def check_background(background: Any, who: str) -> float | None:
    """Return the gray of a ground in 0..1, or None where none is said; refuse others."""
    number = isinstance(background, int | float | np.integer | np.floating) and not isinstance(background, bool)
    if background is not None and not (number and 0 <= background <= 1):
        raise SchemaError(f"{who}: background = {background!r}; a gray from 0 (black) to 1 (white) is asked.")
    return background if background is None else float(background)


def of_pictures(pictures: Any, who: str) -> np.ndarray:
    """Return PIL images of one size as bytes: (stimulus, y, x) where all are gray, else RGB (stimulus, y, x, channel).

    Raises
    ------
    SchemaError : sizes differ, a mode of more than 8 bits, or a picture that is transparent in places.
    """
    deep = sorted(
        {p.mode for p in pictures} - {"1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LA", "PA", "HSV", "LAB"}
    )
    if deep:
        raise SchemaError(f"{who}: pictures of mode {deep}; give their values as an array, with scale=.")
    sizes = sorted({p.size for p in pictures})
    if len(sizes) > 1:
        raise SchemaError(f"{who}: pictures have {len(sizes)} sizes, such as {sizes[:2]}; resize them to one.")
    coloured = [on_ground(p, None, who) for p in pictures]
    if {p.mode for p in pictures} <= {"1", "L"}:
        return np.stack([np.asarray(p.convert("L")) for p in pictures])
    return np.stack([np.asarray(p) for p in coloured])


def picture_dims(shape: tuple[int, ...], layout: str | None, who: str) -> tuple[str, ...] | None:
    """Return the dims of a bare array of pictures, or None where its number of dims says nothing.

    The channel is the dim of 1, 3 or 4 (or 2 in front); where both ends are, the reading whose pictures are square.

    >>> picture_dims((5, 32, 32, 3), None, "here")
    ('stimulus', 'y', 'x', 'channel')
    """
    if layout is not None:
        if not isinstance(layout, str) or layout not in LAYOUTS or len(shape) != 4:
            raise SchemaError(f"{who}: layout = {layout!r} of shape {shape}; 'NCHW' or 'NHWC' of 4 dims asked.")
        return LAYOUTS[layout]
    if len(shape) == 3 and shape[2] in COLOURS[1:] and shape[1] > 4 and shape[0] > 4:
        raise SchemaError(
            f"{who}: shape {shape} may be one picture (y, x, channel), or {shape[0]} of them; array[None] for one, "
            "dims=('stimulus', 'y', 'x') for many."
        )
    if len(shape) != 4:
        return None
    first, last = shape[1] in (*COLOURS, 2), shape[3] in COLOURS
    if first and last:
        first, last = shape[2] == shape[3], shape[1] == shape[2]
    if first == last:
        raise SchemaError(
            f"{who}: shape {shape} does not say which dim is the channel; pass layout='NCHW' (channel, y, x), "
            "layout='NHWC' (y, x, channel), or dims=(...)."
        )
    found = LAYOUTS["NCHW" if first else "NHWC"]
    if shape[found.index("channel")] == 4:
        raise SchemaError(
            f"{who}: shape {shape} has 4 channels: where the last is transparency, lay the pictures on a ground first, "
            f"(values - ground) * alpha + ground; where it is a colour, dims={found} says so."
        )
    return found


def in_range(stimuli: xr.DataArray, scale: float | None, who: str) -> xr.DataArray:
    """Return pictures in 0..1: bytes are divided by 255, others by `scale`, which is asked for where it is not certain.

    What is no picture passes, and so do values that lie in 0..1 already, or on both sides of 0.

    Raises
    ------
    SchemaError : whole numbers, or numbers above 2, of which nothing says what white is, or values beyond the white
        that is said.
    """
    if scale is not None:
        number = isinstance(scale, int | float | np.integer | np.floating) and not isinstance(scale, bool)
        if not number or not np.isfinite(scale) or scale <= 0:
            raise SchemaError(f"{who}: scale = {scale!r}; the value of white, above 0, is asked (255 for bytes).")
        scaled = stimuli if scale == 1 else (stimuli / scale).astype(np.result_type(stimuli.dtype, np.float32))
        if scale != 1 and {"y", "x"} <= set(stimuli.dims) and stimuli.size and float(scaled.max()) > 1 + ROUNDING:
            raise SchemaError(
                f"{who}: scale = {scale:g} is the value of white, and pictures reach {float(stimuli.max()):g}; pass "
                f"scale={_white(stimuli, float(stimuli.max())):g}, or scale=1 where the values are meant as they are."
            )
        return scaled.assign_attrs({**stimuli.attrs, "scale": float(scale)})
    kind = stimuli.dtype.kind
    if not {"y", "x"} <= set(stimuli.dims) or kind == "b" or "scale" in stimuli.attrs or not stimuli.size:
        return stimuli
    moving, low, high = "time" in stimuli.dims, float(stimuli.min()), float(stimuli.max())
    if stimuli.dtype == np.uint8 and not moving and high != 1:
        return (stimuli / np.float32(255)).astype(np.float32).assign_attrs(stimuli.attrs)
    still_bytes = stimuli.dtype == np.uint8 and not moving
    counted = moving and stimuli.dtype != np.uint8
    if counted or (not still_bytes and (low < 0 or high <= (2 if kind == "f" else 1))):
        return stimuli
    raise SchemaError(
        f"{who}: pictures of {stimuli.dtype} in {low:g}..{high:g}; pass scale={_white(stimuli, high):g} (the value of "
        "white, to be divided by), or scale=1 where the values are meant as they are."
    )


def _white(stimuli: xr.DataArray, high: float) -> float:
    """Return the value of white that pictures of a dtype may have: that of 8 or 16 bits, or else the largest."""
    if high <= 255 and stimuli.dtype != np.uint16:
        return 255.0
    return 65535.0 if high <= 65535 else high


def resized_and_cropped(image: np.ndarray, size: int, crop: int) -> np.ndarray:
    """Return an image (y, x, 3) with its shorter side resized to `size` pixels (bilinear), and its middle cut out."""
    from PIL import Image

    scale = size / min(image.shape[:2])
    shape = (max(size, round(image.shape[1] * scale)), max(size, round(image.shape[0] * scale)))
    large = resampled(image, shape, Image.Resampling.BILINEAR)
    top, left = (large.shape[0] - crop) // 2, (large.shape[1] - crop) // 2
    return large[top : top + crop, left : left + crop]


def resampled(image: np.ndarray, shape: tuple[int, int], kernel: int) -> np.ndarray:
    """Return an image (y, x, 3) of 8 or 16 bits in another shape (x, y); those of 16 bits are gray."""
    from PIL import Image

    if image.dtype == np.uint8:
        return np.asarray(Image.fromarray(image).resize(shape, Image.Resampling(kernel)))
    gray = Image.fromarray(image[..., 0].astype(np.float32)).resize(shape, Image.Resampling(kernel))
    white = np.iinfo(image.dtype).max
    return np.repeat(np.rint(np.asarray(gray)).clip(0, white).astype(image.dtype)[..., None], 3, axis=2)
