"""Counts of four bits, two to a byte, as IMOD and SerialEM store them: the first pixel in the low half."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_SUPER_RESOLUTION = ((7676, 7420), (7680, 7424), (11520, 8184))
"""Sizes of super-resolution frames of K2 (cropped and whole) and K3."""
_TOLERANCE = 2


def unpack(packed: npt.NDArray[np.uint8], width: int) -> npt.NDArray[np.uint8]:
    """Unpack rows of four-bit counts.

    Parameters
    ----------
    packed : numpy.ndarray
        uint8, shape ``(height, ceil(width / 2))``; each row starts a new byte.
    width : int
        Pixels in a row.

    Returns
    -------
    numpy.ndarray
        Shape ``(height, width)``, values 0 to 15.
    """
    counts = np.empty((packed.shape[0], 2 * packed.shape[1]), np.uint8)
    np.bitwise_and(packed, 15, out=counts[:, 0::2])
    np.right_shift(packed, 4, out=counts[:, 1::2])
    return counts[:, :width]


def is_packed_tiff(height: int, width: int) -> bool:
    """Tell by its size whether a TIFF of bytes holds four-bit counts: no camera has frames of half this width.

    TIFF cannot say so; IMOD and RELION go by the size as well (IMOD, ``sizeCanBe4BitK2SuperRes``).
    """
    return any(
        abs(2 * width - across) <= 2 * _TOLERANCE and abs(height - down) <= _TOLERANCE
        for long, short in _SUPER_RESOLUTION
        for across, down in ((long, short), (short, long))
    )
