"""MRC files written byte by byte, by the definition of the format (MRC2014, and IMOD's mode 101)."""

from __future__ import annotations

import struct

import numpy as np

TYPES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}


def header(
    shape: tuple[int, int, int], mode: int, *, order: str = "<", extended: int = 0, stamp: bytes | None = None
) -> bytes:
    sections, height, width = shape
    data = bytearray(1024)
    struct.pack_into(f"{order}10i", data, 0, width, height, sections, mode, 0, 0, 0, width, height, 1)
    struct.pack_into(f"{order}6f", data, 40, 1.5 * width, 1.5 * height, 1.5, 90, 90, 90)
    struct.pack_into(f"{order}3i", data, 64, 1, 2, 3)
    struct.pack_into(f"{order}2i", data, 88, 0, extended)
    data[208:212] = b"MAP "
    data[212:216] = stamp if stamp is not None else {"<": b"DD\0\0", ">": b"\x11\x11\0\0"}[order]
    return bytes(data)


def mrc_bytes(
    counts: np.ndarray, mode: int, *, order: str = "<", extended: int = 0, stamp: bytes | None = None
) -> bytes:
    """Return the file of a stack, shape (sections, height, width)."""
    start = header(counts.shape, mode, order=order, extended=extended, stamp=stamp) + b"\xaa" * extended
    if mode == 101:
        return start + pack_four_bit(counts).tobytes()
    return start + counts.astype(order + TYPES[mode]).tobytes()


def pack_four_bit(counts: np.ndarray) -> np.ndarray:
    """Pack the last axis two to a byte, the first in the low half; an odd row ends with an empty half."""
    if counts.shape[-1] % 2:
        counts = np.concatenate([counts, np.zeros_like(counts[..., :1])], axis=-1)
    return (counts[..., 0::2] | counts[..., 1::2] << 4).astype(np.uint8)
