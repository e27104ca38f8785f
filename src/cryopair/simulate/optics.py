"""Electron optics: from specimen phase to image contrast, and how exposure destroys it.

Frequencies k in 1/Å, lengths in Å, voltages in kV, doses in e/Å².
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import UsageError

AMPLITUDE_CONTRAST = 0.1
SPHERICAL_ABERRATION = 2.7
"""In mm."""
ENVELOPE_B_FACTOR = 60.0
"""In Å²: partial coherence and the blur of motion within a frame, a typical good microscope."""
ZERO_LOSS = 0.85
"""Share of electrons that lose no energy in 500 Å of ice, exp(-500/3100), and so form the phase contrast."""
MEASURED_CONTRAST = 0.65
"""Contrast of real images relative to theory: motion and charging of the specimen within a frame, potentials
of bound atoms below those of free ones (Henderson 1992 measured less still, on film)."""
CRITICAL_DOSE_SCALE = {300: 1.0, 200: 0.8}
"""Critical doses relative to those at 300 kV (Grant & Grigorieff 2015), by voltage."""

_REST_ENERGY = 510.99895  # of the electron, in keV


def electron_wavelength(voltage: float) -> float:
    """Return the relativistic wavelength in Å: 0.0197 at 300 kV."""
    return 12.398420 / math.sqrt(voltage * (2 * _REST_ENERGY + voltage))


def interaction_parameter(voltage: float) -> float:
    """Return the phase shift per projected potential in rad/(V·Å): 6.53e-4 at 300 kV.

    ``sigma = 2π/(λV) · (m₀c² + eV)/(2m₀c² + eV)`` (Kirkland, Advanced Computing in Electron Microscopy).
    """
    ratio = (_REST_ENERGY + voltage) / (2 * _REST_ENERGY + voltage)
    return 2 * math.pi / (electron_wavelength(voltage) * voltage * 1e3) * ratio


@dataclass(frozen=True, kw_only=True)
class Defocus:
    """Defocus of a micrograph, as RELION and CTFFIND state it.

    Attributes
    ----------
    u, v : float
        Underfocus along the two axes of astigmatism in Å, ``u >= v``.
    angle : float
        Of the axis of `u`, from x towards y, in degrees.
    """

    u: float
    v: float
    angle: float


def frequencies(shape: tuple[int, int], pixel_size: float) -> tuple[npt.NDArray, npt.NDArray]:
    """Return kx ``(1, width // 2 + 1)`` and ky ``(height, 1)`` of a half-complex spectrum, in 1/Å."""
    height, width = shape
    return np.fft.rfftfreq(width, pixel_size)[None, :], np.fft.fftfreq(height, pixel_size)[:, None]


def ctf(kx: npt.NDArray, ky: npt.NDArray, *, defocus: Defocus, voltage: float) -> npt.NDArray[np.float64]:
    """Return the contrast transfer function ``-sin(χ + asin A)``: negative at low frequency in underfocus.

    ``χ = π λ Δf(θ) k² - π/2 Cs λ³ k⁴`` with ``Δf(θ) = (U+V)/2 + (U-V)/2 cos 2(θ - angle)`` and the amplitude
    contrast A (Rohou & Grigorieff 2015). As more matter means more phase, particles come out dark.

    Parameters
    ----------
    kx, ky : numpy.ndarray
        Frequencies in 1/Å, of shapes that broadcast.
    defocus : Defocus
        Of the image.
    voltage : float
        In kV.
    """
    wavelength = electron_wavelength(voltage)
    k2 = kx**2 + ky**2
    angle = math.radians(defocus.angle)
    # k² cos 2(θ - angle), without the polar angle θ itself
    k2_astigmatism = (kx**2 - ky**2) * math.cos(2 * angle) + 2 * kx * ky * math.sin(2 * angle)
    k2_defocus = 0.5 * (defocus.u + defocus.v) * k2 + 0.5 * (defocus.u - defocus.v) * k2_astigmatism
    aberration = 0.5 * math.pi * SPHERICAL_ABERRATION * 1e7 * wavelength**3 * k2**2
    return -np.sin(math.pi * wavelength * k2_defocus - aberration + math.asin(AMPLITUDE_CONTRAST))


def transfer(shape: tuple[int, int], *, pixel_size: float, defocus: Defocus, voltage: float) -> npt.NDArray:
    """Return what turns the spectrum of the specimen's phase (rad) into that of its image contrast.

    The weak-phase image ``I/I₀ - 1 = 2 · CTF · envelope · φ``, times `ZERO_LOSS` and `MEASURED_CONTRAST`,
    integrated over square pixels of an ideal counting detector (``sinc`` in x and y). Its noise stays white,
    since every electron is counted once.

    Returns
    -------
    numpy.ndarray
        Shape ``(height, width // 2 + 1)``.
    """
    kx, ky = frequencies(shape, pixel_size)
    envelope = np.exp(-0.25 * ENVELOPE_B_FACTOR * (kx**2 + ky**2))
    pixel = np.sinc(kx * pixel_size) * np.sinc(ky * pixel_size)
    scale = 2 * ZERO_LOSS * MEASURED_CONTRAST
    return scale * ctf(kx, ky, defocus=defocus, voltage=voltage) * envelope * pixel


def damage_rate(shape: tuple[int, int], *, pixel_size: float, voltage: float) -> npt.NDArray[np.float64]:
    """Return the rate at which exposure attenuates the signal, per e/Å².

    After a dose D the amplitude at frequency k is ``exp(-D · rate(k))`` with ``rate = 1 / (2 Nc(k))`` and the
    critical dose ``Nc(k) = 0.245 k^-1.665 + 2.81`` at 300 kV (Grant & Grigorieff 2015, eq. 3).

    Raises
    ------
    UsageError
        For voltages at which no critical doses were measured.
    """
    if voltage not in CRITICAL_DOSE_SCALE:
        raise UsageError(f"radiation damage is not known at {voltage:g} kV; simulate at 300 or 200 kV.")
    kx, ky = frequencies(shape, pixel_size)
    k = np.sqrt(kx**2 + ky**2)
    k[0, 0] = np.inf
    rate = 0.5 / (CRITICAL_DOSE_SCALE[int(voltage)] * (0.245 * k**-1.665 + 2.81))
    rate[0, 0] = 0.0
    return rate
