"""Image directories of TIFF files, classic and BigTIFF, in either byte order (TIFF 6.0, section 2).

Libraries for TIFF go on where a file is cut: they return fewer images, or zeros. Here every directory and
every strip must lie inside the file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ...errors import BadFileError
from ..mrc_header import MOST_PIXELS_ACROSS

WIDTH, HEIGHT, BITS, COMPRESSION, FILL_ORDER = 256, 257, 258, 259, 266
STRIP_OFFSETS, SAMPLES, ROWS_PER_STRIP, STRIP_BYTES = 273, 277, 278, 279
PREDICTOR, TILE_WIDTH, SAMPLE_FORMAT = 317, 322, 339
EER_SKIP_BITS, EER_HORIZONTAL_BITS, EER_VERTICAL_BITS = 65007, 65008, 65009
_IMAGE = {WIDTH, HEIGHT, BITS, COMPRESSION, FILL_ORDER, SAMPLES, PREDICTOR, SAMPLE_FORMAT}
_STORAGE = {STRIP_OFFSETS, ROWS_PER_STRIP, STRIP_BYTES, TILE_WIDTH}
_KNOWN = _IMAGE | _STORAGE | {EER_SKIP_BITS, EER_HORIZONTAL_BITS, EER_VERTICAL_BITS}
_INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}  # types of field, and their codes in struct
_MOST_EXPANSION = 2**16  # of any compression


@dataclass(frozen=True)
class Directory:
    """What a TIFF file says about one of its images.

    Attributes
    ----------
    path : Path
        The file.
    number : int
        Its place in the file, from 1.
    byte_order : str
        ``<`` or ``>``.
    fields : dict
        Values of the fields that are looked at, by tag.
    """

    path: Path
    number: int
    byte_order: str
    fields: dict[int, tuple[int, ...]]

    def value(self, tag: int, default: int | None = None) -> int:
        """Return the first value of a field.

        Raises
        ------
        BadFileError
            When the field is missing and has no default.
        """
        values = self.fields.get(tag)
        if values:
            return values[0]
        if default is None:
            raise damaged(self.path, f"image {self.number} has no field {tag}")
        return default

    @property
    def shape(self) -> tuple[int, int]:
        """``(height, width)``."""
        return self.value(HEIGHT), self.value(WIDTH)

    @property
    def strips(self) -> list[tuple[int, int]]:
        """Offset and number of bytes of each strip."""
        return list(zip(self.fields[STRIP_OFFSETS], self.fields[STRIP_BYTES], strict=True))


def damaged(path: Path, detail: str) -> BadFileError:
    """Return the error for a TIFF file that is cut or garbled."""
    return BadFileError(
        path,
        f"is not a whole TIFF movie ({detail})",
        fix="It may be truncated or still being written: copy or write it again.",
    )


def read_directories(path: Path) -> list[Directory]:
    """Read all image directories of a TIFF file, and check that the file holds what they promise.

    Raises
    ------
    BadFileError
        When the file is not TIFF, or is damaged.
    """
    try:
        with path.open("rb") as file:
            directories = _Reader(path, file).directories()
    except OSError as error:
        raise BadFileError(path, f"cannot be read ({error.strerror})") from None
    for directory in directories:
        _check(directory, path.stat().st_size)
    return directories


class _Reader:
    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        self._size = path.stat().st_size
        start = file.read(16)
        self._order = {b"II": "<", b"MM": ">"}.get(start[:2], "")
        version = struct.unpack_from(f"{self._order}H", start, 2)[0] if self._order and len(start) >= 4 else 0
        if version not in (42, 43):
            raise BadFileError(path, f"is no TIFF file (it starts with {start[:4]!r})", expected="II* or MM*")
        self._big = version == 43
        # Sizes of the count of entries, an entry, and an offset or the room for small values
        self._count, self._entry, self._offset = ("Q", "HHQ8s", "Q") if self._big else ("H", "HHI4s", "I")
        where = 8 if self._big else 4
        (self._first,) = self._unpack(where, self._offset, "its header")

    def directories(self) -> list[Directory]:
        found: list[Directory] = []
        seen: set[int] = set()
        offset = self._first
        while offset:
            what = f"image {len(found) + 1}"
            if offset in seen:
                raise damaged(self._path, f"{what} is one of those before it")
            seen.add(offset)
            (entries,) = self._unpack(offset, self._count, what)
            table = offset + struct.calcsize(self._order + self._count)
            size = struct.calcsize(self._order + self._entry)
            data = self._bytes(table, entries * size, what)
            fields = dict(self._fields(data, what))
            found.append(Directory(self._path, len(found) + 1, self._order, fields))
            (offset,) = self._unpack(table + entries * size, self._offset, what)
        if not found:
            raise damaged(self._path, "it holds no image")
        return found

    def _fields(self, data: bytes, what: str) -> Iterator[tuple[int, tuple[int, ...]]]:
        for tag, kind, count, inside in struct.iter_unpack(self._order + self._entry, data):
            if tag not in _KNOWN or kind not in _INTEGERS:
                continue
            if count > MOST_PIXELS_ACROSS:
                raise damaged(self._path, f"{what} has {count} values in field {tag}")
            layout = f"{self._order}{count}{_INTEGERS[kind]}"
            if struct.calcsize(layout) > len(inside):
                (offset,) = struct.unpack(self._order + self._offset, inside)
                inside = self._bytes(offset, struct.calcsize(layout), what)
            yield tag, struct.unpack_from(layout, inside)

    def _unpack(self, offset: int, layout: str, what: str) -> tuple[int, ...]:
        layout = self._order + layout
        return struct.unpack(layout, self._bytes(offset, struct.calcsize(layout), what))

    def _bytes(self, offset: int, count: int, what: str) -> bytes:
        if offset + count > self._size:
            raise damaged(self._path, f"{what} goes on beyond the end of the file, at {self._size} bytes")
        self._file.seek(offset)
        return self._file.read(count)


def _check(directory: Directory, file_size: int) -> None:
    """Check that an image has a size that exists, and lies inside the file."""
    path, what = directory.path, f"image {directory.number}"
    if TILE_WIDTH in directory.fields:
        raise BadFileError(path, "is in tiles", expected="strips")
    height, width = directory.shape
    if not (0 < height <= MOST_PIXELS_ACROSS and 0 < width <= MOST_PIXELS_ACROSS):
        raise damaged(path, f"{what} has {width} x {height} px")
    offsets, sizes = directory.fields.get(STRIP_OFFSETS, ()), directory.fields.get(STRIP_BYTES, ())
    if not offsets or len(offsets) != len(sizes):
        raise damaged(path, f"{what} has {len(offsets)} strips and {len(sizes)} sizes of them")
    end = max(offset + size for offset, size in zip(offsets, sizes, strict=True))
    if end > file_size:
        raise damaged(path, f"{what} ends at byte {end}, the file at {file_size}")
    if height * width > _MOST_EXPANSION * sum(sizes):
        raise damaged(path, f"{what} has {width} x {height} px in {sum(sizes)} bytes")
