"""Guarding what particles are cut from: raw micrographs only.

A denoiser is not linear: it moves density, and it does so in the same way wherever the image looks the
same, so that its errors do not average out over particles and both half-maps share them. What is left of
the noise no longer tells how far the signal can be trusted.
"""

from __future__ import annotations

import os.path

import numpy as np
import numpy.typing as npt

from ..errors import UsageError
from ..formats.mrc import MrcInfo
from ..micrographs import Row

_PATCH = 128
_MIDDLE_BAND = (0.15, 0.25)
_HIGH_BAND = (0.40, 0.50)
_MIN_RATIO = 0.01


def refuse_denoised(row: Row, info: MrcInfo) -> None:
    """Raise if the micrograph of a row is a denoised image, by its STAR or by its MRC header.

    Raises
    ------
    UsageError
        With the reason, and what to do instead.
    """
    name, denoised = row["rlnMicrographName"], row.get("rlnMicrographNameDenoised")
    same = denoised is not None and os.path.normpath(name) == os.path.normpath(denoised)
    if not (info.denoised or same):
        return
    evidence = "its MRC header says so" if info.denoised else "rlnMicrographNameDenoised names the same file"
    raise UsageError(
        f"{name}: this is a denoised micrograph ({evidence}), and particles must be cut from the raw ones. "
        "Denoising is not linear: its errors depend on the signal and do not average out over particles, and the "
        "noise that remains is correlated with the model. Give the STAR file of the raw micrographs, with "
        "coordinates from `cryopair handoff`."
    )


def looks_denoised(image: npt.NDArray) -> bool:
    """Whether the finest detail of an image is far weaker than in any image that a camera has recorded.

    The noise of counting electrons reaches to the Nyquist frequency. Interpolation and the camera's transfer
    function weaken it there by a factor of ten or so, denoising by orders of magnitude.

    Parameters
    ----------
    image : numpy.ndarray
        Shape ``(height, width)``.
    """
    middle, high = _band_powers(image)
    return high < _MIN_RATIO * middle


def _band_powers(image: npt.NDArray) -> tuple[float, float]:
    """Return the median power between 0.15 and 0.25, and between 0.4 and 0.5, cycles per pixel.

    Medians over the frequencies of a band disregard the lines that gain references leave on the axes.
    """
    side = min(_PATCH, *image.shape)
    window = (np.hanning(side)[:, np.newaxis] * np.hanning(side)).astype(np.float32)
    patches = [
        np.asarray(image[top : top + side, left : left + side], dtype=np.float32)
        for top in np.linspace(0, image.shape[0] - side, 3).astype(int)
        for left in np.linspace(0, image.shape[1] - side, 3).astype(int)
    ]
    spectra = np.fft.rfft2([(patch - patch.mean()) * window for patch in patches])
    power = (np.abs(spectra) ** 2).mean(axis=0)
    frequency = np.hypot(np.fft.fftfreq(side)[:, np.newaxis], np.fft.rfftfreq(side))
    bands = (_MIDDLE_BAND, _HIGH_BAND)
    middle, high = (float(np.median(power[(frequency >= a) & (frequency <= b)])) for a, b in bands)
    return middle, high
