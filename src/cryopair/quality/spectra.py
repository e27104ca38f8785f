"""Powers and correlations of half-images by spatial frequency, without ground truth.

Over Fourier ring r of images F and G, ``cov(F, G)[r]`` is the sum of ``Re(F conj(G))``, scaled so that the sum
over all rings is the covariance in real space. With R the raw and D the denoised halves of one micrograph, e
and o (Palovcak et al. 2020, IUCrJ 7:1142)::

    signal         = cov(Re, Ro)
    raw noise      = var(R) - signal                       of one half
    residual noise = var(D) - cov(De, Do)                  of one denoised half
    bias           = cov(De, Do) + signal - 2 cov(D, R')   R' being the other half

The bias is the power of what the denoiser lost or made up: the mean square of E[D | signal] - signal. An SNR
that leaves it out can be had by blurring.

The denoised half against the *other* raw half, ``cov(D, R')``, compares images whose noise has nothing in common: a
denoiser cannot raise that correlation by keeping noise, nor by making things up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LONGEST_PERIOD = 500.0
"""Structure of longer periods, in Å, is illumination and ice thickness, not signal."""
_TAPER = 1 / 16  # of the window's side, at each edge

Ring = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Spectra:
    """Powers by Fourier ring, of halves in normalised units.

    Attributes
    ----------
    frequency : numpy.ndarray
        Centre of each ring in 1/Å, shape ``(rings,)``, like all others; up to Nyquist.
    coefficients : numpy.ndarray
        Fourier coefficients in each ring (half of them independent).
    signal, noise : numpy.ndarray
        Of one raw half.
    denoised : numpy.ndarray
        Power of one denoised half.
    residual, bias : numpy.ndarray
        Noise left in one denoised half, and bias of the denoiser.
    kept : numpy.ndarray
        Covariance of a denoised half with the other raw half: the signal times what the denoiser makes of it.
    frc_raw, frc_denoised : numpy.ndarray
        Fourier ring correlation of the even and odd halves.
    frc_denoised_raw : numpy.ndarray
        Fourier ring correlation of a denoised half and the other raw half.
    """

    frequency: Ring
    coefficients: npt.NDArray[np.int64]
    signal: Ring
    noise: Ring
    denoised: Ring
    residual: Ring
    bias: Ring
    kept: Ring
    frc_raw: Ring
    frc_denoised: Ring
    frc_denoised_raw: Ring


def measure_spectra(
    raw: tuple[npt.NDArray, npt.NDArray], denoised: tuple[npt.NDArray, npt.NDArray], *, pixel_size: float
) -> Spectra:
    """Measure the powers of the even and odd halves of a window, raw and denoised.

    Parameters
    ----------
    raw, denoised : tuple of numpy.ndarray
        Even and odd half, normalised (background removed), shape ``(height, width)`` each.
    pixel_size : float
        In Å/px.
    """
    shape = raw[0].shape
    window = _taper(shape)
    raw_even, raw_odd, denoised_even, denoised_odd = (
        np.fft.rfft2((image - image.mean()) * window) for image in (*raw, *denoised)
    )
    rings = _Rings(shape, pixel_size)
    scale = 1 / (np.prod(shape, dtype=np.float64) * np.sum(window**2))

    def covariance(one: npt.NDArray, other: npt.NDArray) -> Ring:
        return scale * rings.sum((one * other.conj()).real)

    even, odd = covariance(raw_even, raw_even), covariance(raw_odd, raw_odd)
    even_after, odd_after = covariance(denoised_even, denoised_even), covariance(denoised_odd, denoised_odd)
    signal = covariance(raw_even, raw_odd)
    survived = covariance(denoised_even, denoised_odd)
    from_even, from_odd = covariance(denoised_even, raw_odd), covariance(denoised_odd, raw_even)
    kept = (from_even + from_odd) / 2
    return Spectra(
        frequency=rings.frequency,
        coefficients=rings.sum(np.ones_like(raw_even.real)).astype(np.int64),
        signal=signal,
        noise=(even + odd) / 2 - signal,
        denoised=(even_after + odd_after) / 2,
        residual=(even_after + odd_after) / 2 - survived,
        bias=survived + signal - 2 * kept,
        kept=kept,
        frc_raw=_correlation(signal, even, odd),
        frc_denoised=_correlation(survived, even_after, odd_after),
        frc_denoised_raw=(_correlation(from_even, even_after, odd) + _correlation(from_odd, odd_after, even)) / 2,
    )


def _correlation(cross: Ring, one: Ring, other: Ring) -> Ring:
    norm = np.sqrt(one * other)
    return np.divide(cross, norm, out=np.zeros_like(cross), where=norm > 0)


class _Rings:
    """Rings one Fourier pixel of the shorter side wide, from `LONGEST_PERIOD` to Nyquist."""

    def __init__(self, shape: tuple[int, ...], pixel_size: float) -> None:
        height, width = shape
        y = np.fft.fftfreq(height, pixel_size)[:, None]
        x = np.fft.rfftfreq(width, pixel_size)[None, :]
        radius = np.hypot(y, x)
        step = 1 / (min(shape) * pixel_size)
        index = np.round(radius / step).astype(np.int64)
        first = int(np.ceil(1 / LONGEST_PERIOD / step))
        count = int(0.5 / pixel_size / step) + 1
        # Columns of the half-transform stand for two coefficients each, but for the first and (even width) last.
        self._weights = np.broadcast_to(np.where((x == 0) | (np.isclose(x, 0.5 / pixel_size)), 1.0, 2.0), radius.shape)
        self._index, self._kept = np.where(index < count, index, count), slice(first, count)
        self._count = count
        self.frequency: Ring = np.arange(first, count, dtype=np.float64) * step

    def sum(self, values: npt.NDArray) -> Ring:
        """Add up values of the half-transform in each ring, shape ``(rings,)``."""
        totals = np.bincount(self._index.ravel(), weights=(values * self._weights).ravel(), minlength=self._count + 1)
        return np.asarray(totals[self._kept], dtype=np.float64)


def _taper(shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Return a window that falls to zero as a raised cosine at each edge, so that edges do not leak power."""
    sides = []
    for size in shape:
        edge = max(1, round(_TAPER * size))
        distance = np.minimum(np.arange(size), np.arange(size)[::-1]) + 0.5
        sides.append(np.where(distance < edge, np.sin(np.pi / 2 * np.minimum(distance / edge, 1)) ** 2, 1.0))
    return np.outer(*sides)
