"""Cutting boxes out of a micrograph and changing their sampling, as RELION's extraction does.

The conventions were established against ``relion_preprocess`` 3.1.3: a coordinate is truncated toward
zero and becomes index ``box / 2`` of its box; what lies outside the micrograph repeats its nearest edge pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]


def cut_windows(image: npt.NDArray, x: npt.ArrayLike, y: npt.ArrayLike, *, box: int) -> npt.NDArray[np.float32]:
    """Cut a square box around each coordinate.

    Parameters
    ----------
    image : numpy.ndarray
        Shape ``(height, width)``, any real type; may be a memory map.
    x, y : array_like
        Column and row of the centres, shape ``(particles,)``.
    box : int
        Even side of the box in pixels.

    Returns
    -------
    numpy.ndarray
        Shape ``(particles, box, box)``.
    """
    height, width = image.shape
    lefts = np.trunc(np.asarray(x, dtype=np.float64)).astype(np.int64) - box // 2
    tops = np.trunc(np.asarray(y, dtype=np.float64)).astype(np.int64) - box // 2
    windows = np.empty((len(lefts), box, box), dtype=np.float32)
    for window, left, top in zip(windows, lefts.tolist(), tops.tolist(), strict=True):
        if left >= 0 and top >= 0 and left + box <= width and top + box <= height:
            window[...] = image[top : top + box, left : left + box]
        else:
            rows = np.arange(top, top + box).clip(0, height - 1)
            columns = np.arange(left, left + box).clip(0, width - 1)
            window[...] = image[rows[:, np.newaxis], columns]
    return windows


def rescale(windows: Floats, size: int) -> Floats:
    """Downsample square images by cropping their Fourier transforms; grey values are kept.

    The rows kept are the frequencies ``-size/2 + 1 .. size/2``: the new Nyquist row is that of the positive
    frequency, unlike RELION's binning of movies, which takes the negative one.

    Transform, crop and transform back are linear, so along each axis they are one small matrix, and matrix products
    are several times faster than Fourier transforms of boxes as small as particles are.

    Parameters
    ----------
    windows : numpy.ndarray
        Shape ``(particles, box, box)``, float32 or float64, which is what it is computed in. In float32 take the mean
        grey level away first: what is lost is relative to the largest value.
    size : int
        Even side of the result in pixels, at most ``box``.

    Returns
    -------
    numpy.ndarray
        Shape ``(particles, size, size)``.
    """
    count, box, _ = windows.shape
    if size == box:
        return windows
    crop = _crop(box, size, windows.dtype)
    narrow = (windows.reshape(count * box, box) @ crop.across).reshape(count, box, size)
    images = crop.down @ narrow
    nyquist = (crop.nyquist @ windows) @ crop.across_imaginary  # of each image, shape (size,)
    images[:, ::2] -= nyquist[:, np.newaxis]
    images[:, 1::2] += nyquist[:, np.newaxis]
    return images


@dataclass(frozen=True)
class _Crop:
    """The matrices that downsample an image W to ``Re(D W A)``, with complex D and A.

    Only the new Nyquist row, a frequency without its negative, makes D complex. Its imaginary part is this one row
    times the alternating signs of that frequency, so ``Re(D W A) = Re(D) W Re(A) - signs (nyquist W Im(A))``.

    Attributes
    ----------
    down : numpy.ndarray
        Re(D), shape ``(size, box)``.
    across, across_imaginary : numpy.ndarray
        Re(A) and Im(A), shape ``(box, size)``.
    nyquist : numpy.ndarray
        Shape ``(box,)``.
    """

    down: Floats
    across: Floats
    across_imaginary: Floats
    nyquist: Floats


@lru_cache(maxsize=4)
def _crop(box: int, size: int, dtype: np.dtype) -> _Crop:
    half = size // 2
    rows, columns = np.arange(-half + 1, half + 1), np.arange(half + 1)
    down = _waves(size, rows).T @ _waves(box, -rows) / box
    twice = np.full(half + 1, 2.0)  # for the negative frequencies, which real images have alike
    twice[[0, half]] = 1.0
    across = (_waves(box, -columns).T * twice) @ _waves(size, columns) / box
    parts = (down.real, across.real, across.imag, down.imag[0])
    return _Crop(*(np.ascontiguousarray(part, dtype=dtype) for part in parts))


def _waves(length: int, frequencies: npt.NDArray[np.int64]) -> npt.NDArray[np.complex128]:
    """Return a wave of each frequency, in periods per `length`: shape ``(frequencies, length)``."""
    return np.exp(2j * np.pi * np.outer(frequencies, np.arange(length)) / length)
