"""Cutting boxes out of a micrograph and changing their sampling, as RELION's extraction does.

The conventions were established against ``relion_preprocess`` 3.1.3: a coordinate is truncated toward
zero and becomes index ``box / 2`` of its box; what lies outside the micrograph repeats its nearest edge pixel.
"""

from __future__ import annotations

import os

import numpy as np
import numpy.typing as npt
import scipy.fft

Floats = npt.NDArray[np.float64]

_CORES = len(os.sched_getaffinity(0))


def cut_windows(image: npt.NDArray, x: npt.ArrayLike, y: npt.ArrayLike, *, box: int) -> Floats:
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
    offsets = np.arange(box) - box // 2
    columns = np.trunc(np.asarray(x, dtype=np.float64)).astype(np.int64)[:, np.newaxis] + offsets
    rows = np.trunc(np.asarray(y, dtype=np.float64)).astype(np.int64)[:, np.newaxis] + offsets
    columns, rows = columns.clip(0, width - 1), rows.clip(0, height - 1)
    return image[rows[:, :, np.newaxis], columns[:, np.newaxis, :]].astype(np.float64)


def rescale(windows: Floats, size: int) -> Floats:
    """Downsample square images by cropping their Fourier transforms; grey values are kept.

    The rows kept are the frequencies ``-size/2 + 1 .. size/2``: the new Nyquist row is that of the positive
    frequency, unlike RELION's binning of movies, which takes the negative one.

    Parameters
    ----------
    windows : numpy.ndarray
        Shape ``(particles, box, box)``.
    size : int
        Even side of the result in pixels, at most ``box``.

    Returns
    -------
    numpy.ndarray
        Shape ``(particles, size, size)``.
    """
    box = windows.shape[-1]
    if size == box:
        return windows
    # the columns to be cropped are dropped between the two axes, not after both
    half = scipy.fft.rfft(windows, axis=-1, workers=_CORES)[..., : size // 2 + 1]
    spectra = scipy.fft.fft(half, axis=-2, workers=_CORES)
    kept = np.concatenate([spectra[:, : size // 2 + 1], spectra[:, box - size // 2 + 1 :]], axis=1)
    return scipy.fft.irfft2(kept, s=(size, size), workers=_CORES) * (size / box) ** 2
