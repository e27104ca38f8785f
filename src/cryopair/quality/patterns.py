"""Traces that a network or its tiles leave in an image: patterns with the period of its grid, and seams.

A network that halves the resolution a few times treats pixels differently by their place on its coarsest grid, and one
that was badly trained shows it: a chequerboard. Tiles that are normalised or padded each by itself do not fit at their
borders. Neither is seen in an SNR.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

GRID_PEAK_DB = 18.0
"""A grid pattern stands out above this. Of a random image, one of a thousand peaks exceeds it once in 10²⁴ images."""
SEAM = 8.0
"""Seams stand out above this many robust standard deviations of the lines around; see `seam`."""

_OFFSETS = (0, -5, -4, -3, 3, 4, 5)  # in Fourier pixels: a frequency and those it is compared with
_TOO_FAINT = 0.003  # of the image's standard deviation: the rms of a pattern that nobody sees
_PIECE = 256  # pixels of a line that are averaged: tiles along it may jump up and down
_LINES = 8  # on either side of a line, that its step is compared with
_EULER = 0.5772  # -E[ln x] of the power x of noise, whose distribution is exponential
_GAUSSIAN_MAD = 0.6745


def grid_peak_db(image: npt.NDArray, period: tuple[float, float]) -> float:
    """Return how far the highest peak at the frequencies of a grid stands out of the power spectrum, in dB.

    The power at each multiple of ``1 / period`` along both axes is compared with the power of noise that the mean
    logarithm of the frequencies around it tells (a neighbouring peak hardly moves it), and with what a pattern of
    0.3 % of the image's standard deviation would have: fainter ones are not seen by anybody. In an image without a
    pattern the power of one frequency is exponentially distributed, so that the highest of the 130 of a grid of 16
    pixels is near ``10 lg(ln 130)``, 7 dB.

    Parameters
    ----------
    image : numpy.ndarray
        Denoised, shape ``(height, width)``.
    period : tuple of float
        Of the network's grid along y and x, in pixels of the image, 2 or more.

    Returns
    -------
    float
        NaN when the image is constant or is smaller than four periods.
    """
    height, width = image.shape
    if height < 4 * period[0] or width < 4 * period[1]:
        return math.nan
    taper = np.outer(np.hanning(height), np.hanning(width)).astype(np.float32)
    flat = (image - image.mean(dtype=np.float64)).astype(np.float32)
    faint = (_TOO_FAINT * float(flat.std()) * float(taper.sum())) ** 2 / 10 ** (GRID_PEAK_DB / 10)
    if not faint > 0:
        return math.nan
    most = [int(length / 2 + 1e-9) for length in period]
    down, across = np.arange(most[0] + 1), np.arange(-most[1], most[1] + 1)
    power = (
        np.abs(_waves(down / period[0], height) @ (flat * taper) @ _waves(across / period[1], width).T).astype(
            np.float64
        )
        ** 2
    ).reshape(len(down), len(_OFFSETS), len(across), len(_OFFSETS))
    noise = np.exp(np.log(np.maximum(power[:, 1:, :, 1:], 1e-3 * faint)).mean(axis=(1, 3)) + _EULER)
    peaks = power[:, 0, :, 0] / np.maximum(noise, faint)
    peaks[0, : most[1] + 1] = 0  # the mean and, since the image is real, what is in the other half of the frequencies
    return 10 * math.log10(max(float(peaks.max()), 1e-30))


def seam(image: npt.NDArray) -> tuple[float, str]:
    """Find the line across which the image jumps the most, wherever the borders of tiles are.

    For each pair of neighbouring columns (and of rows) the step across it is compared with the mean of the steps before
    and after it, which takes away slopes; the mean of this over the whole line is zero but for chance, unless the two
    sides differ in level. What is returned is the largest, in robust standard deviations of the lines around.

    Parameters
    ----------
    image : numpy.ndarray
        Denoised, shape ``(height, width)``.

    Returns
    -------
    float
        How far the worst line stands out; NaN for an image too small to tell.
    str
        Which line, such as ``column 512``: the first one after the border, from 0.
    """
    flat = image - np.float32(image.mean(dtype=np.float64))
    worst, place = math.nan, ""
    for along, name in enumerate(("column", "row")):
        length, count = image.shape[along], image.shape[1 - along]
        if count < 4 * _LINES:
            continue
        starts = np.arange(0, max(length - _PIECE // 2, 1), _PIECE)
        pieces = np.add.reduceat(flat, starts, axis=along)
        means = (pieces if along == 0 else pieces.T) / np.diff([*starts, length])[:, None]
        steps = np.diff(means, axis=1)
        jump = np.sqrt(np.mean((steps[:, 1:-1] - (steps[:, :-2] + steps[:, 2:]) / 2) ** 2, axis=0))
        typical = _typical(jump)
        score = np.divide(jump, typical, out=np.zeros_like(jump), where=typical > 0)
        line = int(np.argmax(score))
        if not score[line] <= worst:
            worst, place = float(score[line]), f"{name} {line + 2}"
    return worst, place


def _waves(frequencies: npt.NDArray[np.float64], size: int) -> npt.NDArray[np.complex64]:
    """Return the waves of frequencies and of those around them, shape ``(frequencies * offsets, size)``."""
    all_of_them = (frequencies[:, None] + np.array(_OFFSETS) / size).ravel()
    return np.exp(-2j * np.pi * np.outer(all_of_them, np.arange(size))).astype(np.complex64)


def _typical(jumps: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the robust standard deviation of the lines around each; a seam is in three lines, so not near ones."""
    padded = np.pad(jumps, _LINES, mode="reflect")
    shifts = [shift for shift in range(-_LINES, _LINES + 1) if abs(shift) > 2]
    around = [padded[_LINES + shift : _LINES + shift + len(jumps)] for shift in shifts]
    return np.median(around, axis=0) / _GAUSSIAN_MAD
