"""What is random about one movie: its particles, contamination, defocus, motion and illumination.

All of it is drawn from the seed and the movie's number alone, so a project can be extended by movies
without touching those that exist, and the STAR lists can be written without making the movies again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from .carbon import CarbonEdge, draw_carbon_edge
from .kinds import KINDS
from .optics import Defocus

USUAL_ICE = 500.0
"""Thickness in Å for which `optics.ZERO_LOSS` holds."""

# In diameters of the particle:
_EDGE = 0.5  # how far beyond the edges of the image particles and contamination are placed
_CLOSEST = 1.15  # between centres of particles
_CLEARANCE = 0.6  # between the rim of contamination and the centre of a particle
_PARTICLES_PER_AREA = 1.75e-5 * 150.0**2  # about 50 of 150 Å in 2048 x 1536 Å
_ATTEMPTS = 200  # at placing each particle


@dataclass(frozen=True)
class Settings:
    """The part of a simulation that is the same for all its movies.

    Attributes
    ----------
    seed : int
        Of everything random.
    frames : int
        Per movie.
    shape : tuple of int
        ``(height, width)`` of a frame.
    pixel_size : float
        In Å/px.
    dose_per_frame : float
        In e/Å².
    voltage : float
        In kV.
    specimen : str
        One of `kinds.KINDS`.
    carbon_every : int
        Every how many movies one shows the edge of the hole in the carbon film; 0 for none.
    ice_thickness : float
        In Å.
    """

    seed: int
    frames: int
    shape: tuple[int, int]
    pixel_size: float
    dose_per_frame: float
    voltage: float
    specimen: str = "proteasome"
    carbon_every: int = 0
    ice_thickness: float = USUAL_ICE

    @property
    def diameter(self) -> float:
        """Of the particle, in Å."""
        return KINDS[self.specimen].diameter


@dataclass(frozen=True)
class Blob:
    """A piece of crystalline ice on the specimen.

    Attributes
    ----------
    x, y : float
        Centre in pixels of the image.
    radius : float
        Mean radius in Å.
    depth : float
        Optical depth at its thickest: the intensity falls to ``exp(-depth)``.
    lobes : numpy.ndarray
        Shape ``(3, 2)``: amplitude and phase of the outline's 2nd, 3rd and 4th harmonic.
    """

    x: float
    y: float
    radius: float
    depth: float
    lobes: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Exposure:
    """Everything that tells one movie from another, but for noise.

    Attributes
    ----------
    defocus : Defocus
        Of the whole image.
    ctf_resolution, ctf_merit : float
        What a CTF program would say of the fit, in Å and as a correlation. Made up.
    particles : numpy.ndarray
        Shape ``(n, 5)``: x, y in pixels of the micrograph, rot, tilt, psi in degrees. Includes particles
        whose centre lies outside the image.
    contamination : tuple of Blob
        Pieces of ice.
    drift : numpy.ndarray
        Shape ``(frames, 2)``: how far the whole specimen has moved since the first frame, x and y in pixels.
    local_coefficients : numpy.ndarray
        Shape ``(2, 6, 3)``: local motion in RELION's form and sign, see `motion.Motion`.
    illumination : numpy.ndarray
        Shape ``(3,)``: slopes along x and y across the image, and the fall from its centre to its sides.
    carbon : CarbonEdge or None
        The edge of the hole, where the image shows it; no particles lie on the carbon.
    """

    defocus: Defocus
    ctf_resolution: float
    ctf_merit: float
    particles: npt.NDArray[np.float64]
    contamination: tuple[Blob, ...]
    drift: npt.NDArray[np.float64]
    local_coefficients: npt.NDArray[np.float64]
    illumination: npt.NDArray[np.float64]
    carbon: CarbonEdge | None = None


def draw_exposure(settings: Settings, number: int) -> Exposure:
    """Draw the movie with this number, counted from 1."""
    random = np.random.default_rng([settings.seed, number])
    mean, astigmatism = random.uniform(8_000, 22_000), random.uniform(50, 400)
    contamination = _draw_contamination(random, settings)
    exposure = Exposure(
        defocus=Defocus(u=mean + astigmatism / 2, v=mean - astigmatism / 2, angle=random.uniform(0, 180)),
        ctf_resolution=random.uniform(4.2, 6.5),
        ctf_merit=random.uniform(0.08, 0.2),
        contamination=contamination,
        particles=_draw_particles(random, settings, contamination),
        drift=_draw_drift(random, settings.frames, settings.dose_per_frame),
        local_coefficients=_draw_local_motion(random, settings.frames),
        illumination=_draw_illumination(random),
    )
    if settings.carbon_every == 0 or number % settings.carbon_every:
        return exposure
    # Drawn last, so that the rest of the exposure is what it would be without.
    carbon = draw_carbon_edge(random, settings.shape, settings.pixel_size)
    hanging = [not carbon.carries(x, y, pixel_size=settings.pixel_size) for x, y in exposure.particles[:, :2]]
    return replace(exposure, carbon=carbon, particles=exposure.particles[np.array(hanging, bool)])


def _draw_positions(random: np.random.Generator, settings: Settings) -> npt.NDArray[np.float64]:
    """Draw a point in the image or within `_EDGE` diameters of it, in pixels."""
    height, width = settings.shape
    edge = _EDGE * settings.diameter / settings.pixel_size
    return random.uniform([-edge, -edge], [width + edge, height + edge])


def _draw_contamination(random: np.random.Generator, settings: Settings) -> tuple[Blob, ...]:
    blobs = []
    for _ in range(random.integers(0, 5)):
        x, y = _draw_positions(random, settings)
        amplitudes, phases = random.uniform(0.0, 0.12, 3), random.uniform(0, 2 * math.pi, 3)
        blobs.append(
            Blob(
                x=float(x),
                y=float(y),
                radius=random.uniform(80, 180),
                depth=random.uniform(0.15, 0.45),
                lobes=np.stack([amplitudes, phases], axis=1),
            )
        )
    return tuple(blobs)


def _draw_particles(
    random: np.random.Generator, settings: Settings, contamination: tuple[Blob, ...]
) -> npt.NDArray[np.float64]:
    """Place particles one by one, where they touch neither each other nor contamination."""
    height, width = (n * settings.pixel_size + 2 * _EDGE * settings.diameter for n in settings.shape)
    wanted = round(_PARTICLES_PER_AREA / settings.diameter**2 * height * width * random.uniform(0.85, 1.15))
    clearance = _CLEARANCE * settings.diameter
    blocked = [(blob.x, blob.y, (blob.radius + clearance) / settings.pixel_size) for blob in contamination]
    placed: list[npt.NDArray] = []
    for _ in range(wanted * _ATTEMPTS):
        if len(placed) == wanted:
            break
        x, y = _draw_positions(random, settings)
        if all((x - bx) ** 2 + (y - by) ** 2 >= distance**2 for bx, by, distance in blocked):
            blocked.append((x, y, _CLOSEST * settings.diameter / settings.pixel_size))
            tilt = math.degrees(math.acos(random.uniform(-1, 1)))  # uniform over all orientations
            rot, psi = random.uniform(-180, 180, 2)
            placed.append(np.array([x, y, rot, tilt, psi]))
    return np.array(placed).reshape(-1, 5)


def _draw_drift(random: np.random.Generator, frames: int, dose_per_frame: float) -> npt.NDArray[np.float64]:
    """Drift fast over the first 3 to 6 e/Å², then steadily, with a little jitter; some 2 to 9 px in all."""
    number = np.arange(frames)
    settling = 1 - np.exp(-number * dose_per_frame / random.uniform(3.0, 6.0))
    steady = number / max(frames - 1, 1)
    directions = random.uniform(0, 2 * math.pi, 2)
    lengths = [random.uniform(2.0, 6.0), random.uniform(0.5, 3.0)]
    jitter = np.cumsum(random.normal(0, 0.05, (frames, 2)), axis=0)
    path: npt.NDArray[np.float64] = jitter - jitter[0]
    for direction, length, progress in zip(directions, lengths, (settling, steady), strict=True):
        path += length * progress[:, None] * [math.cos(direction), math.sin(direction)]
    return path


def _draw_local_motion(random: np.random.Generator, frames: int) -> npt.NDArray[np.float64]:
    """Draw bending of the ice: up to 1 or 2 px in the corners by the last frame, mostly at the beginning."""
    last = max(frames - 1, 1)
    amplitudes = np.zeros((2, 6))
    amplitudes[:, [1, 3]] = random.normal(0, 0.9, (2, 2))
    amplitudes[:, [2, 4, 5]] = random.normal(0, 1.2, (2, 3))
    early = 3 * np.array([1, -1, 1 / 3])  # 1 - (1 - τ)³ in powers of τ
    steady = np.array([1.0, 0.0, 0.0])
    share = random.uniform(0.4, 1.0, (2, 6, 1))
    in_relative_time = amplitudes[:, :, None] * (share * early + (1 - share) * steady)
    return in_relative_time / last ** np.arange(1, 4)


def _draw_illumination(random: np.random.Generator) -> npt.NDArray[np.float64]:
    """Draw a gradient: up to ±8 % in most movies, ±15 % in one of eight."""
    direction = random.uniform(0, 2 * math.pi)
    slope = 0.3 if random.uniform() < 1 / 8 else random.uniform(0.02, 0.16)
    return np.array([slope * math.cos(direction), slope * math.sin(direction), random.uniform(0.0, 0.06)])
