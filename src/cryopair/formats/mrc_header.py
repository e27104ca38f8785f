"""The header of MRC files: what RELION reads of it, checked against the size of the file.

The byte order is told by the header's numbers, not by its machine stamp, which programs often leave wrong;
origin, space group, axis order and version are not looked at, as in RELION (``rwMRC.h``).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import BadFileError

HEADER_BYTES = 1024
MOST_PIXELS_ACROSS = 32768
"""No image is wider or higher: twice the finest grid that a detector's counts are put on."""

FOUR_BIT = 101
_LABELS, _LABEL_BYTES = 10, 80
_MRC_2014 = 20141
_DTYPES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2", FOUR_BIT: "u1"}


@dataclass(frozen=True)
class MrcHeader:
    """What the header of an MRC file says.

    Attributes
    ----------
    shape : tuple of int
        ``(sections, height, width)``.
    mode : int
        0 (signed), 1, 2, 6, 12, or 101 (four-bit counts, two to a byte).
    dtype : numpy.dtype
        Of the stored bytes, with their byte order.
    data_offset : int
        Bytes before the first pixel.
    pixel_size : float
        In Å/px along x; 0 when the header does not say.
    labels : tuple of str
        Text labels.
    """

    shape: tuple[int, int, int]
    mode: int
    dtype: np.dtype
    data_offset: int
    pixel_size: float
    labels: tuple[str, ...]

    @property
    def row_items(self) -> int:
        """Stored items in a row; rows of four-bit counts fill whole bytes."""
        width = self.shape[2]
        return (width + 1) // 2 if self.mode == FOUR_BIT else width

    @property
    def section_bytes(self) -> int:
        """Bytes of a section."""
        return self.shape[1] * self.row_items * self.dtype.itemsize

    @property
    def file_bytes(self) -> int:
        """Bytes that the whole file must have at least."""
        return self.data_offset + self.shape[0] * self.section_bytes


@dataclass(frozen=True)
class Statistics:
    """Least, greatest and mean grey value, and the standard deviation, of all pixels of a file."""

    least: float
    most: float
    mean: float
    deviation: float


def read_header(path: str | Path) -> MrcHeader:
    """Read the header of an MRC file and check the file's size against it.

    Raises
    ------
    BadFileError
        When the file is missing, is not MRC, or is shorter than its header says.
    """
    path = Path(path)
    if not path.is_file():
        raise BadFileError(path, "no such file", expected="an MRC image")
    try:
        with path.open("rb") as file:
            header = parse_header(path, file.read(HEADER_BYTES))
    except OSError as error:
        raise BadFileError(path, f"cannot be read ({error.strerror})") from None
    size = path.stat().st_size
    if size < header.file_bytes:
        raise _cut(path, f"{size} bytes", f"{header.file_bytes} for the {_described(header.shape)} of its header")
    return header


def parse_header(path: Path, data: bytes) -> MrcHeader:
    """Interpret the first `HEADER_BYTES` of an MRC file.

    Raises
    ------
    BadFileError
        When they are too few, or not those of an MRC image that is read here.
    """
    if len(data) < HEADER_BYTES:
        raise _cut(path, f"{len(data)} bytes", f"a header of {HEADER_BYTES}")
    order = _byte_order(path, data)
    width, height, sections, mode = struct.unpack_from(f"{order}4i", data)
    if mode not in _DTYPES:
        raise BadFileError(
            path, f"is MRC of mode {mode}", expected=f"one of modes {', '.join(str(known) for known in _DTYPES)}"
        )
    (intervals,) = struct.unpack_from(f"{order}i", data, 28)
    (cell,) = struct.unpack_from(f"{order}f", data, 40)
    (extended,) = struct.unpack_from(f"{order}i", data, 92)
    if sections < 1 or extended < 0:
        raise BadFileError(
            path,
            f"has a header of {_described((sections, height, width))} after {extended} extra bytes",
            expected="MRC",
        )
    labels = (data[start : start + 80].decode("ascii", "replace").strip(" \0") for start in range(224, 1024, 80))
    return MrcHeader(
        shape=(sections, height, width),
        mode=mode,
        dtype=np.dtype(order + _DTYPES[mode]),
        data_offset=HEADER_BYTES + extended,
        pixel_size=cell / max(intervals, 1) if np.isfinite(cell) else 0.0,
        labels=tuple(label for label in labels if label),
    )


def pack_header(
    shape: tuple[int, ...], dtype: np.dtype, *, pixel_size: float, statistics: Statistics, labels: Sequence[str]
) -> bytes:
    """Return the header of an image ``(height, width)`` or a stack of images ``(images, height, width)``.

    Parameters
    ----------
    shape : tuple of int
        Of the pixels.
    dtype : numpy.dtype
        float32 or float16.
    pixel_size : float
        In Å/px.
    statistics : Statistics
        Of the pixels.
    labels : sequence of str
        At most ten, of at most 80 characters each.
    """
    (height, width), sections = shape[-2:], shape[0] if len(shape) == 3 else 1
    (mode,) = (mode for mode, code in _DTYPES.items() if np.dtype("<" + code) == dtype)
    size = np.array([width, height, 1])  # along z too, since these are images and not sections of a volume
    header = bytearray(HEADER_BYTES)
    struct.pack_into("<4i", header, 0, width, height, sections, mode)
    struct.pack_into("<3i3f3f", header, 28, *size, *(size * pixel_size), 90.0, 90.0, 90.0)
    struct.pack_into("<3i3f", header, 64, 1, 2, 3, statistics.least, statistics.most, statistics.mean)
    struct.pack_into("<i", header, 108, _MRC_2014)
    struct.pack_into("<4s4sfi", header, 208, b"MAP ", b"\x44\x44\0\0", statistics.deviation, len(labels))
    lines = [label.encode("ascii").ljust(_LABEL_BYTES) for label in labels]
    if len(lines) > _LABELS or any(len(line) > _LABEL_BYTES for line in lines):
        raise ValueError(f"{labels}: expected at most {_LABELS} labels of at most {_LABEL_BYTES} characters each")
    header[224:] = b"".join(lines).ljust(_LABELS * _LABEL_BYTES)
    return bytes(header)


def _byte_order(path: Path, data: bytes) -> str:
    """Return the order in which width and height are those of an image; they cannot be in both."""
    for order in "<>":
        width, height = struct.unpack_from(f"{order}2i", data)
        if 0 < width <= MOST_PIXELS_ACROSS and 0 < height <= MOST_PIXELS_ACROSS:
            return order
    width, height = struct.unpack_from("<2i", data)
    raise BadFileError(
        path,
        f"is no MRC image (its header gives {width} x {height} px)",
        expected=f"at most {MOST_PIXELS_ACROSS} px each way",
    )


def _described(shape: tuple[int, int, int]) -> str:
    sections, height, width = shape
    return f"{sections} sections of {width} x {height} px"


def _cut(path: Path, found: str, expected: str) -> BadFileError:
    return BadFileError(
        path,
        f"is not a whole MRC file ({found})",
        expected=expected,
        fix="It may be truncated or still being written: copy or write it again.",
    )
