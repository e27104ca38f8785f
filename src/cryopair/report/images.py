"""Micrographs and particles as small grey images inside the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..formats.mrc import map_mrc

JPEG_QUALITY = 85
_PER_MAD = 1.4826  # standard deviations of a normal distribution per median absolute deviation

Floats = npt.NDArray[np.float32]
Grey = npt.NDArray[np.uint8]


def shrink(image: npt.NDArray, width: int) -> Floats:
    """Average an image down to at most `width` pixels across; smaller ones stay as they are.

    Parameters
    ----------
    image : numpy.ndarray
        Shape ``(height, width)``.
    width : int
        Of the result, in pixels.
    """
    image = np.asarray(image, dtype=np.float32)
    height, full = image.shape
    if full <= width:
        return image
    size = (width, max(1, round(height * width / full)))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))


def contrast(image: npt.NDArray, *, deviations: float) -> tuple[float, float]:
    """Return the values to show black and white: the median, and so many robust deviations to each side.

    The deviation is from the median absolute deviation, so that ice and carbon on a part of the image do not
    take the contrast from the rest.
    """
    finite = image[np.isfinite(image)]
    if not finite.size:
        return 0.0, 1.0
    middle = float(np.median(finite))
    reach = deviations * _PER_MAD * float(np.median(np.abs(finite - middle)))
    return middle - (reach or 1.0), middle + (reach or 1.0)


def grey(image: npt.NDArray, limits: tuple[float, float]) -> Grey:
    """Map `limits` to black and white; what is beyond them is clipped, what is not finite is mid-grey."""
    low, high = limits
    scaled = (np.asarray(image, dtype=np.float64) - low) / (high - low)
    return np.round(np.clip(np.nan_to_num(scaled, nan=0.5), 0, 1) * 255).astype(np.uint8)


def jpeg_uri(image: Grey) -> str:
    """Return a grey image as a data URI."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, format="JPEG", quality=JPEG_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def contact_sheet(names: Sequence[str], *, columns: int, side: int, gap: int = 6) -> Grey:
    """Lay out particles in rows, each with its own contrast, on white.

    Parameters
    ----------
    names : sequence of str
        ``000001@stack.mrcs``, as in ``rlnImageName``.
    columns : int
        Particles in a row.
    side, gap : int
        Of a particle, and between two, in pixels.
    """
    rows = -(-len(names) // columns)
    sheet = np.full((rows * (side + gap) - gap, columns * (side + gap) - gap), 255, dtype=np.uint8)
    for place, name in enumerate(names):
        section, stack = name.split("@", 1)
        particle = np.asarray(map_mrc(stack)[int(section) - 1], dtype=np.float32)
        tile = Image.fromarray(grey(particle, contrast(particle, deviations=3.5)))
        y, x = (side + gap) * (place // columns), (side + gap) * (place % columns)
        sheet[y : y + side, x : x + side] = np.asarray(tile.resize((side, side), Image.Resampling.BICUBIC))
    return sheet


def choose_particles(names: Sequence[str], count: int, *, seed: int = 0) -> list[str]:
    """Choose particles at random, and give them in their order; stacks that are gone are passed over."""
    order = np.random.default_rng(seed).permutation(len(names))
    chosen: list[int] = []
    for index in map(int, order):
        if Path(names[index].split("@", 1)[-1]).is_file():
            chosen.append(index)
        if len(chosen) == count:
            break
    return [names[index] for index in sorted(chosen)]
