"""The noise-free image of one exposure, on a canvas larger than the frame: motion brings in content."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import fft

from . import carbon
from .exposure import USUAL_ICE, Blob, Exposure, Settings
from .optics import ZERO_LOSS, frequencies, transfer
from .specimen import (
    WATER_VOLUME,
    Specimen,
    add_projection,
    displaced_ice,
    phase_of_scattering,
    residue_phase,
    rotation_matrix,
    water_phase,
)

MARGIN = 24
"""Least number of pixels between the frame and the edge of the canvas: more than anything moves."""

_ICE_STRUCTURE_FACTOR = 0.07  # of water below 1/4 Å⁻¹: molecules are far from independent
_WATER_DIFFUSION = 3.2  # Å rms: molecules jump about under the beam, so finer structure of ice averages out
_THICKNESS_VARIATION = 0.012  # rms of the transmitted intensity
_THICKNESS_SCALE = 350.0  # Å


def canvas_shape(shape: tuple[int, int]) -> tuple[int, int]:
    """Return the canvas for frames of `shape`: margins on all sides, sizes fast to transform."""
    height, width = (fft.next_fast_len(n + 2 * MARGIN, real=True) for n in shape)
    return height, width


def origin(shape: tuple[int, int]) -> tuple[int, int]:
    """Return row and column of the frame's first pixel on its canvas."""
    height, width = canvas_shape(shape)
    return (height - shape[0]) // 2, (width - shape[1]) // 2


def render(
    exposure: Exposure,
    specimen: Specimen,
    settings: Settings,
    random: np.random.Generator,
    *,
    structural_noise: bool = True,
) -> npt.NDArray[np.complex64]:
    """Return the spectrum of the image of an undamaged specimen, relative to the incident intensity.

    Parameters
    ----------
    exposure : Exposure
        What to show.
    specimen : Specimen
        The particle.
    settings : Settings
        Of the simulation.
    random : numpy.random.Generator
        Draws the ice: its structure, which is the same in all frames, and its thickness.
    structural_noise : bool
        Whether to show the structure of amorphous ice and carbon. False: what is left of the image of the
        same specimen, particles, film and contamination.

    Returns
    -------
    numpy.ndarray
        Shape ``(canvas height, canvas width // 2 + 1)``.
    """
    shape = canvas_shape(settings.shape)
    top, left = origin(settings.shape)
    phase = np.zeros(shape, np.float32)
    weight = residue_phase(settings.voltage)
    for x, y, rot, tilt, psi in exposure.particles:
        add_projection(
            phase,
            specimen,
            rotation=rotation_matrix(rot, tilt, psi),
            centre=(x + left, y + top),
            pixel_size=settings.pixel_size,
            weight=weight,
        )
    amorphous = _ice_structure(shape, settings, random)
    transmission = _transmission(shape, exposure, settings, random)
    if exposure.carbon is not None:
        film = exposure.carbon.cover(shape, pixel_size=settings.pixel_size, corner=(top, left))
        amorphous += fft.rfft2(film * _carbon_structure(shape, settings, random))
        transmission *= carbon.TRANSMISSION**film
    spectrum = fft.rfft2(phase) * displaced_ice(*frequencies(shape, settings.pixel_size))
    if structural_noise:
        spectrum += amorphous
    spectrum *= transfer(shape, pixel_size=settings.pixel_size, defocus=exposure.defocus, voltage=settings.voltage)
    spectrum *= ZERO_LOSS ** (settings.ice_thickness / USUAL_ICE - 1)  # `transfer` has that of the usual ice
    spectrum += fft.rfft2(transmission)
    return spectrum.astype(np.complex64)


def undamaged(spectrum: npt.NDArray[np.complex64], shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Return the frame ``shape`` of an image rendered on its canvas: the truth of the micrograph."""
    top, left = origin(shape)
    canvas = fft.irfft2(spectrum, s=canvas_shape(shape))
    return canvas[top : top + shape[0], left : left + shape[1]]


def illumination(exposure: Exposure, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Return the intensity of the beam over the detector, mean 1, shape ``(height, width)``."""
    height, width = shape
    y, x = (np.arange(height) / height - 0.5)[:, None], (np.arange(width) / width - 0.5)[None, :]
    slope_x, slope_y, fall = exposure.illumination
    beam = 1 + slope_x * x + slope_y * y - 4 * fall * (x**2 + y**2) / 2
    return (beam / beam.mean()).astype(np.float32)


def _ice_structure(
    shape: tuple[int, int], settings: Settings, random: np.random.Generator
) -> npt.NDArray[np.complex64]:
    """Spectrum of the phase (rad) of amorphous ice: white, but for the blur of its moving molecules."""
    molecules_per_area = settings.ice_thickness / WATER_VOLUME
    power = molecules_per_area * water_phase(settings.voltage) ** 2 * _ICE_STRUCTURE_FACTOR  # rad²Å²
    kx, ky = frequencies(shape, settings.pixel_size)
    blur = np.exp(-2 * (math.pi * _WATER_DIFFUSION) ** 2 * (kx**2 + ky**2))
    noise = random.standard_normal(shape, np.float32)
    return fft.rfft2(noise) * (math.sqrt(power) / settings.pixel_size * blur)


def _carbon_structure(
    shape: tuple[int, int], settings: Settings, random: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Phase (rad) of a whole film of amorphous carbon: white."""
    atoms_per_area = carbon.THICKNESS * carbon.ATOMS_PER_VOLUME
    atom = phase_of_scattering(carbon.SCATTERING, settings.voltage)
    power = atoms_per_area * atom**2 * carbon.STRUCTURE_FACTOR  # rad²Å²
    return np.float32(math.sqrt(power) / settings.pixel_size) * random.standard_normal(shape, np.float32)


def _transmission(
    shape: tuple[int, int], exposure: Exposure, settings: Settings, random: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Share of electrons that ice of uneven thickness and contamination let through."""
    kx, ky = frequencies(shape, settings.pixel_size)
    blur = np.exp(-2 * (math.pi * _THICKNESS_SCALE) ** 2 * (kx**2 + ky**2))
    noise = fft.irfft2(fft.rfft2(random.standard_normal(shape, np.float32)) * blur, s=shape)
    # of white noise: blurred in the plane by a Gaussian it keeps 1 / (4π s²) of its power, s in pixels
    rms = settings.pixel_size / (2 * math.sqrt(math.pi) * _THICKNESS_SCALE)
    transmission = 1 - _THICKNESS_VARIATION / rms * noise
    top, left = origin(settings.shape)
    for blob in exposure.contamination:
        transmission *= np.exp(-_optical_depth(blob, shape, (top, left), settings.pixel_size))
    return transmission.astype(np.float32)


def _optical_depth(
    blob: Blob, shape: tuple[int, int], corner: tuple[int, int], pixel_size: float
) -> npt.NDArray[np.float64]:
    """Return the shape of a lens of ice with a wavy outline: half an ellipsoid, its rim softened."""
    y = (np.arange(shape[0]) - corner[0] - blob.y)[:, None] * pixel_size
    x = (np.arange(shape[1]) - corner[1] - blob.x)[None, :] * pixel_size
    angle = np.arctan2(y, x)
    outline = np.ones(shape)
    for harmonic, (amplitude, phase) in enumerate(blob.lobes, start=2):
        outline += amplitude * np.cos(harmonic * angle + phase)
    inside = 1 - (x**2 + y**2) / (blob.radius * outline) ** 2
    soft = np.logaddexp(0, 20 * inside) / 20
    return blob.depth * np.sqrt(soft)
