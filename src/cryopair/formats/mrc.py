"""MRC images and stacks as RELION reads and writes them.

Row 0 is the first row stored, x is the column; nothing is flipped. Headers carry the pixel size and the
true statistics; labels carry no dates, so that equal images are equal bytes.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import mrcfile
import numpy as np
import numpy.typing as npt

from ..errors import BadFileError
from .atomic import atomic_path

DENOISED_LABEL = "cryopair: DENOISED, for seeing and picking only. Do not extract particles."
"""First label of every denoised micrograph; extraction refuses an image that carries it."""


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
    with _opened(path) as file:
        header = file.header
        depth, height, width = int(header.nz), int(header.ny), int(header.nx)
        pixel_size = float(header.cella.x) / max(int(header.mx), 1)
        labels = tuple(bytes(label).decode("ascii", "replace").strip() for label in header.label)
        return MrcInfo((depth, height, width), pixel_size, file.data.dtype, tuple(t for t in labels if t))


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
    with _opened(path) as file:
        data = file.data
        if data.ndim == 3 and data.shape[0] == 1:
            data = data[0]
        if data.ndim != 2:
            raise BadFileError(path, f"is a stack of shape {data.shape}", expected="a single image")
        return np.array(data, dtype=np.float32)


def map_mrc(path: str | Path) -> npt.NDArray:
    """Map an MRC file read-only, in its stored type, without reading its pixels.

    Returns
    -------
    numpy.ndarray
        Shape ``(sections, height, width)``, backed by the file.

    Raises
    ------
    BadFileError
        As `read_mrc_info`.
    """
    data = _opened(path).data
    return data[np.newaxis] if data.ndim == 2 else data


def write_mrc(
    path: str | Path,
    data: npt.NDArray,
    *,
    pixel_size: float,
    labels: Sequence[str] = ("cryopair",),
) -> None:
    """Write an image ``(height, width)`` or a stack ``(images, height, width)`` as float32.

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
    """
    data = np.ascontiguousarray(data, dtype=np.float32)
    with atomic_path(path) as temporary, mrcfile.new(temporary, overwrite=True) as file:
        file.set_data(data)
        if data.ndim == 3:
            file.set_image_stack()
        file.voxel_size = pixel_size
        file.header.label = b" " * 80  # mrcfile dates its own label
        for index, label in enumerate(labels):
            file.header.label[index] = label.encode("ascii")
        file.header.nlabl = len(labels)


def _opened(path: str | Path) -> mrcfile.mrcmemmap.MrcMemmap:
    """Open by memory map; permissive, since RELION leaves the version field of its headers at 0."""
    path = Path(path)
    if not path.is_file():
        raise BadFileError(path, "no such file", expected="an MRC image")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            file = mrcfile.mmap(path, mode="r", permissive=True)
        except (ValueError, OSError) as error:
            raise BadFileError(path, f"is not a readable MRC file ({error})") from None
    if file.header is None or file.data is None:
        raise BadFileError(
            path,
            f"is not a whole MRC file ({path.stat().st_size} bytes)",
            fix="It may be truncated or still being written: copy or write it again.",
        )
    return file
