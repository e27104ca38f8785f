"""EER files written from lists of electrons, bit by bit, by the rules of Thermo Fisher's *EER file format*."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_METADATA = (
    '<metadata><item name="numberOfFrames">{frames}</item>'
    '<item name="sensorImageHeight">{0}</item><item name="sensorImageWidth">{1}</item>'
    '<item name="sensorPixelSize.height" unit="m">1e-10</item><item name="sensorPixelSize.width" unit="m">1e-10</item>'
    '<item name="totalDose" unit="e/pixel">{frames}</item></metadata>'
)

FIXED_8, RUNNING_7, RUNNING_VARIABLE = 65000, 65001, 65002


@dataclass(frozen=True)
class Coding:
    """A compression scheme; bits of skips, and of places along each axis."""

    compression: int
    skip_bits: int
    place_bits: int
    vertical_tag: bool = True


FALCON_4_EARLY = Coding(FIXED_8, 8, 2)
FALCON_4 = Coding(RUNNING_7, 7, 2)
FALCON_4I = Coding(RUNNING_VARIABLE, 7, 2)
FALCON_C = Coding(RUNNING_VARIABLE, 7, 1)


@dataclass(frozen=True)
class Electrons:
    """Electrons of one detector frame, in raster order, at most one per pixel.

    ``rows`` and ``columns`` are pixels; ``down`` and ``across`` are places within them, 0 … 2**place_bits - 1.
    """

    rows: np.ndarray
    columns: np.ndarray
    down: np.ndarray
    across: np.ndarray


def random_electrons(rng: np.random.Generator, shape: tuple[int, int], number: int, place_bits: int = 2) -> Electrons:
    pixels = np.sort(rng.choice(shape[0] * shape[1], number, replace=False))
    rows, columns = np.divmod(pixels, shape[1])
    down, across = rng.integers(2**place_bits, size=(2, number))
    return Electrons(rows, columns, down, across)


def counts(frames: Sequence[Electrons], shape: tuple[int, int], *, upsampling: int, place_bits: int = 2) -> np.ndarray:
    """Count the electrons in each pixel of the rendered grid: one electron after the other."""
    scale = {-1: 0.5, 1: 1, 2: 2, 3: 4}[upsampling]
    image = np.zeros((int(shape[0] * scale), int(shape[1] * scale)), int)
    for frame in frames:
        for row, column, down, across in zip(frame.rows, frame.columns, frame.down, frame.across, strict=True):
            y = (row + (down + 0.5) / 2**place_bits) * scale
            x = (column + (across + 0.5) / 2**place_bits) * scale
            image[int(y), int(x)] += 1
    return image


def encode(electrons: Electrons, shape: tuple[int, int], coding: Coding, *, padding: int = 8) -> bytes:
    """Code a detector frame, padded with zeros to a multiple of `padding` bytes."""
    bits: list[int] = []  # in the order of the stream

    def put(value: int, width: int) -> None:
        bits.extend((value >> bit) & 1 for bit in range(width))

    greatest = 2**coding.skip_bits - 1
    flip = 1 << (coding.place_bits - 1)
    unused_place = 2 * coding.place_bits if coding.compression == FIXED_8 else 0

    def long_skips(pixels: int) -> int:
        for _ in range(pixels // greatest):
            put(greatest, coding.skip_bits)
            put(0, unused_place)
        return pixels % greatest

    reached = 0
    places = zip(electrons.rows, electrons.columns, electrons.down, electrons.across, strict=True)
    for row, column, down, across in places:
        pixel = int(row) * shape[1] + int(column)
        put(long_skips(pixel - reached), coding.skip_bits)
        put(int(across) ^ flip, coding.place_bits)
        put(int(down) ^ flip, coding.place_bits)
        reached = pixel + 1
    left = shape[0] * shape[1] - reached
    rest = long_skips(left)
    if rest or not left:  # decoders stop as soon as a skip reaches the end
        put(rest, coding.skip_bits)
        put(0, unused_place)
    stream = np.packbits(np.array(bits, np.uint8), bitorder="little").tobytes()
    return stream + bytes(-len(stream) % padding)


def write_eer(
    path: Path,
    streams: Sequence[bytes],
    shape: tuple[int, int],
    coding: Coding,
    *,
    strips: int = 1,
    first_image: np.ndarray | None = None,
) -> None:
    """Write coded frames as little-endian BigTIFF, as cameras do; `first_image` is stored before them, as it is."""
    fields = []
    if coding.compression == RUNNING_VARIABLE:
        fields = [(65007, 3, [coding.skip_bits]), (65008, 3, [coding.place_bits])]
        if coding.vertical_tag:
            fields.append((65009, 3, [coding.place_bits]))
    images = [(stream, coding.compression, strips, fields) for stream in streams]
    if first_image is not None:
        images.insert(0, (first_image.astype("<u4").tobytes(), 1, 1, [(258, 3, [32])]))
    file = bytearray(struct.pack("<2sHHHQ", b"II", 43, 8, 0, 0))
    link = 8
    metadata = (65001, 7, list(_METADATA.format(*shape, frames=len(streams)).encode()))
    for index, (data, compression, number, more) in enumerate(images):
        size = -(-len(data) // number)
        starts = range(0, len(data), size)
        image_fields = [
            (256, 4, [shape[1]]),
            (257, 4, [shape[0]]),
            (259, 3, [compression]),
            (262, 3, [1]),
            (273, 16, [len(file) + start for start in starts]),
            (278, 4, [-(-shape[0] // len(starts))]),
            (279, 16, [len(data[start : start + size]) for start in starts]),
            *more,
            *([metadata] if index == 0 else []),
        ]
        file += data
        link = _append_directory(file, image_fields, link)
    path.write_bytes(file)


def _append_directory(file: bytearray, fields: Sequence[tuple[int, int, list[int]]], link: int) -> int:
    """Append a directory and its long values, link to it from `link`, return where its own link is."""
    entries = bytearray()
    for tag, kind, values in sorted(fields):
        value = b"".join(number.to_bytes({3: 2, 4: 4, 7: 1, 16: 8}[kind], "little") for number in values)
        if len(value) > 8:
            where = len(file)
            file += value
            value = struct.pack("<Q", where)
        entries += struct.pack("<HHQ8s", tag, kind, len(values), value)
    struct.pack_into("<Q", file, link, len(file))
    file += struct.pack("<Q", len(fields)) + entries + bytes(8)
    return len(file) - 8
