"""Movies in TIFF stacks: one image a frame, in strips."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import numpy.typing as npt

from ...errors import BadFileError
from ..four_bit import is_packed_tiff, unpack
from .movie import MovieFile
from .tiff_directory import (
    BITS,
    COMPRESSION,
    FILL_ORDER,
    PREDICTOR,
    ROWS_PER_STRIP,
    SAMPLE_FORMAT,
    SAMPLES,
    Directory,
    damaged,
    read_directories,
)

TIFF_SUFFIXES = (".tif", ".tiff")

_DTYPES = {(8, 1): "u1", (8, 2): "i1", (16, 1): "u2", (16, 2): "i2", (32, 3): "f4"}
"""By bits and sample format (TIFF 6.0, section 19)."""


_DECOMPRESS: dict[int, Callable[..., bytes | bytearray]] = {
    1: lambda data, out: data,
    5: imagecodecs.lzw_decode,
    8: imagecodecs.zlib_decode,
    32773: imagecodecs.packbits_decode,
    32946: imagecodecs.zlib_decode,
    50000: imagecodecs.zstd_decode,
}


_HORIZONTAL_DIFFERENCES, _FLOAT_DIFFERENCES = 2, 3


class TiffMovie(MovieFile):
    """A movie in a TIFF stack. Rows are reversed; sizes of cameras' four-bit frames are unpacked, as in IMOD.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    BadFileError
        When it is damaged, its frames differ in size or type, or are stored in a way that movies are not.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._directories = read_directories(path)
        first, self._stored_type = self._directories[0], _dtype(self._directories[0])
        for directory in self._directories:
            _check_like(first, directory)
        height, width = first.shape
        self._packed = self._stored_type == np.uint8 and is_packed_tiff(height, width)
        self.shape = (len(self._directories), height, 2 * width if self._packed else width)
        self.dtype = self._stored_type.newbyteorder("=")
        self._file = path.open("rb")

    def _decode(self, frame: int) -> npt.NDArray:
        directory = self._directories[frame]
        height, width = directory.shape
        image = np.empty((height, width), self.dtype)
        rows = min(directory.value(ROWS_PER_STRIP, height), height)
        strip_bytes = rows * width * self.dtype.itemsize
        for top, (offset, size) in zip(range(0, height, rows), directory.strips, strict=True):
            part = image[top : top + rows]
            stored = os.pread(self._file.fileno(), size, offset)
            try:
                data = _DECOMPRESS[directory.value(COMPRESSION, 1)](stored, out=strip_bytes)
            except Exception as error:  # each codec raises a type of its own
                raise damaged(self.path, f"frame {frame + 1} cannot be decompressed: {error}") from None
            if len(data) < part.nbytes:
                raise damaged(self.path, f"frame {frame + 1} has {len(data)} of {part.nbytes} bytes in a strip")
            part[:] = _without_predictor(data[: part.nbytes], directory, self._stored_type, part.shape)
        if self._packed:
            image = unpack(image, self.shape[2])
        return image[::-1]

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _without_predictor(
    data: bytes | bytearray, directory: Directory, stored: np.dtype, shape: tuple[int, ...]
) -> npt.NDArray:
    """Return the pixels of a strip; they may be stored as differences along rows."""
    strip = np.frombuffer(data, stored).reshape(shape)
    predictor = directory.value(PREDICTOR, 1)
    if predictor == _HORIZONTAL_DIFFERENCES:
        native = stored.newbyteorder("=")
        unsigned = np.dtype(f"u{native.itemsize}")  # differences wrap around
        return np.cumsum(strip.astype(native).view(unsigned), axis=1, dtype=unsigned).view(native)
    if predictor == _FLOAT_DIFFERENCES:
        return imagecodecs.floatpred_decode(strip, axis=-1)
    return strip


def _dtype(directory: Directory) -> np.dtype:
    """Return the stored type of the pixels, with its byte order."""
    samples, bits, kind = directory.value(SAMPLES, 1), directory.value(BITS, 1), directory.value(SAMPLE_FORMAT, 1)
    if samples != 1:
        raise BadFileError(directory.path, f"has {samples} values per pixel", expected="grey frames")
    if (bits, kind) not in _DTYPES:
        raise BadFileError(
            directory.path,
            f"has pixels of {bits} bits, sample format {kind}",
            expected="8- or 16-bit integers or 32-bit floats",
        )
    return np.dtype(directory.byte_order + _DTYPES[bits, kind])


def _check_like(first: Directory, directory: Directory) -> None:
    """Check that a frame is like the first, and stored in a way that is read here."""
    path, what = directory.path, f"frame {directory.number}"
    if directory.shape != first.shape:
        (height, width), (first_height, first_width) = directory.shape, first.shape
        raise BadFileError(
            path, f"{what} has {width} x {height} px", expected=f"{first_width} x {first_height} px, as the first"
        )
    if _dtype(directory) != _dtype(first):
        raise BadFileError(path, f"{what} has pixels of {_dtype(directory)}", expected=f"{_dtype(first)}, as the first")
    compression = directory.value(COMPRESSION, 1)
    if compression not in _DECOMPRESS:
        raise BadFileError(
            path, f"is compressed by scheme {compression} of TIFF", expected="none, LZW, ZIP, PackBits or Zstandard"
        )
    if directory.value(FILL_ORDER, 1) != 1:
        raise BadFileError(path, "has the bits of its bytes reversed", expected="fill order 1")
    rows = directory.value(ROWS_PER_STRIP, first.shape[0])
    if rows < 1 or -(-first.shape[0] // rows) != len(directory.strips):
        raise damaged(path, f"{what} has {len(directory.strips)} strips of {rows} rows for {first.shape[0]} rows")
