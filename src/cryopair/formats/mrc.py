"""MRC images and stacks as RELION reads and writes them.

Row 0 is the first row stored, x is the column; nothing is flipped. Headers carry the pixel size and the
true statistics; labels carry no dates, so that equal images are equal bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import BadFileError, CryopairError
from .atomic import atomic_path
from .four_bit import unpack
from .mrc_header import FOUR_BIT, MrcHeader, Statistics, pack_header, read_header

DENOISED_LABEL = "cryopair: DENOISED, for seeing and picking only. Do not extract particles."
"""First label of every denoised micrograph; extraction refuses an image that carries it."""

_LARGEST_HALF = 65504.0
_BLOCK_PIXELS = 2**17  # summed at a time: a megabyte in double precision stays in the cache


@dataclass(frozen=True)
class MrcInfo:
    """What an MRC header says.

    Attributes
    ----------
    shape : tuple of int
        ``(sections, height, width)``.
    pixel_size : float
        In Å/px along x; 0 when the header does not say.
    dtype : numpy.dtype
        Type of the stored pixels.
    labels : tuple of str
        Text labels.
    """

    shape: tuple[int, int, int]
    pixel_size: float
    dtype: np.dtype
    labels: tuple[str, ...]

    @property
    def denoised(self) -> bool:
        """Whether cryopair stamped this image as denoised."""
        return any(label.startswith("cryopair: DENOISED") for label in self.labels)


def read_mrc_info(path: str | Path) -> MrcInfo:
    """Read the header of an MRC file and check the file's size against it.

    Raises
    ------
    BadFileError
        When the file is missing, is not MRC, or is shorter than its header says.
    """
    header = read_header(path)
    return MrcInfo(header.shape, header.pixel_size, header.dtype, header.labels)


def read_mrc(path: str | Path) -> npt.NDArray[np.float32]:
    """Read a single image as float32.

    Returns
    -------
    numpy.ndarray
        Shape ``(height, width)``.

    Raises
    ------
    BadFileError
        When the file is missing, truncated, not MRC, or a stack of several images.
    """
    header = read_header(path)
    if header.shape[0] != 1:
        raise BadFileError(path, f"is a stack of shape {header.shape}", expected="a single image")
    items = _map(path, header)[0]
    return np.array(unpack(items, header.shape[2]) if header.mode == FOUR_BIT else items, dtype=np.float32)


def map_mrc(path: str | Path) -> npt.NDArray:
    """Map an MRC file read-only, in its stored type, without reading its pixels.

    Returns
    -------
    numpy.ndarray
        Shape ``(sections, height, width)``, backed by the file.

    Raises
    ------
    BadFileError
        As `read_mrc_info`; also for four-bit counts (mode 101), which are not pixels until they are unpacked.
    """
    header = read_header(path)
    if header.mode == FOUR_BIT:
        raise BadFileError(path, f"is MRC of mode {FOUR_BIT}", expected="an image, not a movie of four-bit counts")
    return _map(path, header)


def write_mrc(
    path: str | Path,
    data: npt.NDArray,
    *,
    pixel_size: float,
    labels: Sequence[str] = ("cryopair",),
    half_precision: bool = False,
) -> None:
    """Write an image ``(height, width)`` or a stack ``(images, height, width)`` as float32 or float16.

    Parameters
    ----------
    path : str or Path
        Written whole or not at all.
    data : numpy.ndarray
        The pixels.
    pixel_size : float
        In Å/px, for the header.
    labels : sequence of str
        At most ten, of at most 80 characters each.
    half_precision : bool
        Write float16 (mode 12), which takes half the space; RELION 3.1 cannot read it.

    Raises
    ------
    CryopairError
        When a pixel is beyond what float16 can hold.
    """
    data = np.ascontiguousarray(data, dtype=np.float32)
    if half_precision:
        largest = float(np.abs(data).max())
        if largest > _LARGEST_HALF:
            raise CryopairError(
                f"{path}: grey values up to {largest:g} do not fit in float16, which ends at {_LARGEST_HALF:g}. "
                "Normalise, or write float32."
            )
        data = data.astype(np.float16)
    statistics = _statistics(data)
    header = pack_header(data.shape, data.dtype, pixel_size=pixel_size, statistics=statistics, labels=labels)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(header)
        data.tofile(file)


def _statistics(data: npt.NDArray) -> Statistics:
    """Return the statistics of all pixels in double precision, without a copy of them all."""
    flat = data.reshape(-1)
    blocks = range(0, flat.size, _BLOCK_PIXELS)
    mean = sum(float(flat[start : start + _BLOCK_PIXELS].sum(dtype=np.float64)) for start in blocks) / flat.size
    squares = 0.0
    for start in blocks:
        off = flat[start : start + _BLOCK_PIXELS] - np.float64(mean)
        squares += float(np.dot(off, off))
    return Statistics(float(flat.min()), float(flat.max()), mean, math.sqrt(squares / flat.size))


def _map(path: str | Path, header: MrcHeader) -> npt.NDArray:
    shape = (*header.shape[:2], header.row_items)
    return np.memmap(path, header.dtype, "r", header.data_offset, shape)
