"""A particle made of pseudo-atoms, one per residue, and its projections.

The contrast follows from physics alone: the electron scattering factors of a mean residue, less those of the
ice it displaces.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .optics import interaction_parameter

RESIDUE_VOLUME = 133.0
"""In Å³: 110 Da at 1.21 Å³/Da."""
RESIDUE_SCATTERING = 22.5
"""Sum of f(0) in Å (Peng et al. 1996) over a mean residue, C4.9 N1.35 O1.47 H7.7 S0.04."""
WATER_SCATTERING = 3.04
"""Sum of f(0) of H₂O in Å."""
WATER_VOLUME = 32.2
"""Of a molecule of amorphous ice at 0.93 g/cm³, in Å³."""
RESIDUE_SIGMA = 1.6
"""Gaussian radius of a residue in Å."""
DISPLACED_SIGMA = RESIDUE_VOLUME ** (1 / 3) / math.sqrt(2 * math.pi)
"""Gaussian radius in Å of the ice that a residue displaces: 2.04, a Gaussian of its volume (Fraser et al. 1978)."""
CLOSEST_RESIDUES = 4.0
"""Least distance of two residues in Å."""

_POTENTIAL_PER_SCATTERING = 47.878  # h²/(2π m e) in V·Å²: projected potential of one Å of f(0)
_REACH = 4.0  # standard deviations to which a pseudo-atom is drawn; it has lost 3e-4 of its mass there


@dataclass(frozen=True)
class Specimen:
    """A particle made of equal pseudo-atoms.

    Attributes
    ----------
    positions : numpy.ndarray
        Shape ``(atoms, 3)``, x, y, z in Å, about the particle's centre.
    """

    positions: npt.NDArray[np.float64]


def residue_phase(voltage: float) -> float:
    """Return the phase shift of a residue in ice, integrated over area, in rad·Å²: 0.311 at 300 kV."""
    return phase_of_scattering(RESIDUE_SCATTERING - WATER_SCATTERING * RESIDUE_VOLUME / WATER_VOLUME, voltage)


def displaced_ice(kx: npt.NDArray, ky: npt.NDArray) -> npt.NDArray[np.float64]:
    """Return what turns the spectrum of residues drawn with their net phase into that of residues in ice.

    A residue is smaller than the ice it displaces, whose Gaussians overlap and are nearly flat inside a particle.
    So ice takes more than half of the contrast of the particle's outline and little of that of its inner structure:
    the factor is 1 at zero frequency, 1.10 at 1/20, 1.34 at 1/10 and 1.90 at 1/5 Å⁻¹.

    Parameters
    ----------
    kx, ky : numpy.ndarray
        Frequencies in 1/Å, of shapes that broadcast.
    """
    ice = WATER_SCATTERING * RESIDUE_VOLUME / WATER_VOLUME
    wider = np.exp(-2 * math.pi**2 * (DISPLACED_SIGMA**2 - RESIDUE_SIGMA**2) * (kx**2 + ky**2))
    return (RESIDUE_SCATTERING - ice * wider) / (RESIDUE_SCATTERING - ice)


def water_phase(voltage: float) -> float:
    """Return the phase shift of a water molecule, integrated over area, in rad·Å²."""
    return phase_of_scattering(WATER_SCATTERING, voltage)


def phase_of_scattering(amplitude: float, voltage: float) -> float:
    """Return the phase shift of an atom with scattering amplitude f(0) in Å, integrated over area, in rad·Å²."""
    return interaction_parameter(voltage) * _POTENTIAL_PER_SCATTERING * amplitude


def rotation_matrix(rot: float, tilt: float, psi: float) -> npt.NDArray[np.float64]:
    """Return the matrix that turns the particle so that its projection along z is the one of these angles.

    Parameters
    ----------
    rot, tilt, psi : float
        RELION's ZYZ angles in degrees (``rlnAngleRot``, ``rlnAngleTilt``, ``rlnAnglePsi``): positions become
        ``Rz(-psi) Ry(-tilt) Rz(-rot) r`` in the usual right-handed rotations.
    """
    cosine, sine = math.cos(math.radians(tilt)), math.sin(math.radians(tilt))
    about_y = np.array([[cosine, 0.0, -sine], [0.0, 1.0, 0.0], [sine, 0.0, cosine]])
    return about_z(-math.radians(psi)) @ about_y @ about_z(-math.radians(rot))


def add_projection(
    image: npt.NDArray[np.float32],
    specimen: Specimen,
    *,
    rotation: npt.NDArray[np.float64],
    centre: tuple[float, float],
    pixel_size: float,
    weight: float,
) -> None:
    """Add the projection of a rotated particle to an image, in place; parts beyond the edges are cut off.

    Each pseudo-atom is a Gaussian, sampled at the centres of pixels, so no 3D grid and no interpolation come
    between the model and the image.

    Parameters
    ----------
    image : numpy.ndarray
        Shape ``(height, width)``.
    specimen : Specimen
        The particle.
    rotation : numpy.ndarray
        Shape ``(3, 3)``.
    centre : tuple of float
        x and y of the particle's centre in pixels.
    pixel_size : float
        In Å/px.
    weight : float
        Integral of one pseudo-atom over area in Å², e.g. rad·Å² to make an image in rad.
    """
    sigma = RESIDUE_SIGMA / pixel_size
    reach = math.ceil(_REACH * sigma)
    x, y = (specimen.positions @ rotation[:2].T / pixel_size + centre).T
    left, top = np.rint(x).astype(np.int64) - reach, np.rint(y).astype(np.int64) - reach
    steps = np.arange(2 * reach + 1)
    across = np.exp(-0.5 * ((left - x)[:, None] + steps) ** 2 / sigma**2)
    down = np.exp(-0.5 * ((top - y)[:, None] + steps) ** 2 / sigma**2)

    x0, y0 = int(left.min()), int(top.min())
    width, height = int(left.max()) - x0 + steps.size, int(top.max()) - y0 + steps.size
    pixels = ((top - y0)[:, None] + steps)[:, :, None] * width + ((left - x0)[:, None] + steps)[:, None, :]
    values = down[:, :, None] * across[:, None, :]
    box = np.bincount(pixels.ravel(), values.ravel(), minlength=height * width).reshape(height, width)

    rows = slice(max(y0, 0), min(y0 + height, image.shape[0]))
    columns = slice(max(x0, 0), min(x0 + width, image.shape[1]))
    if rows.start < rows.stop and columns.start < columns.stop:
        inside = box[rows.start - y0 : rows.stop - y0, columns.start - x0 : columns.stop - x0]
        image[rows, columns] += weight / (2 * math.pi * RESIDUE_SIGMA**2) * inside


def about_z(angle: float) -> npt.NDArray[np.float64]:
    """Return the matrix of a right-handed rotation about z by an angle in radians."""
    cosine, sine = math.cos(angle), math.sin(angle)
    return np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
