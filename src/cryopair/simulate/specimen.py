"""A particle like the 20S proteasome: four stacked rings of seven subunits, symmetry D7, about 110 x 150 Å.

It is made of one pseudo-atom per residue, placed at random without clashes in ellipsoidal subunits, the
same in every subunit of one kind. The contrast follows from physics alone: the electron scattering factors
of a mean residue, less those of the ice it displaces.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .optics import interaction_parameter

RESIDUES_PER_SUBUNIT = 232
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
DIAMETER = 150.0
"""Longest extent of the particle in Å."""

_POTENTIAL_PER_SCATTERING = 47.878  # h²/(2π m e) in V·Å²: projected potential of one Å of f(0)
_SEMI_AXES = np.array([22.0, 17.0, 19.5])  # of a subunit along radius, tangent and axis, in Å
_RING_RADII = {"alpha": 35.0, "beta": 38.0}  # of the subunits' centres; the chamber is wider in the middle
_RING_HEIGHTS = {"alpha": 55.5, "beta": 18.5}
_RING_TWISTS = {"alpha": 0.0, "beta": math.radians(12.0)}
_CLOSEST_RESIDUES = 4.0  # Å
_REACH = 4.0  # standard deviations to which a pseudo-atom is drawn; it has lost 3e-4 of its mass there


@dataclass(frozen=True)
class Specimen:
    """A particle made of equal pseudo-atoms.

    Attributes
    ----------
    positions : numpy.ndarray
        Shape ``(atoms, 3)``, x, y, z in Å, about the particle's centre; the seven-fold axis is z.
    """

    positions: npt.NDArray[np.float64]


def proteasome(random: np.random.Generator) -> Specimen:
    """Make the particle; `random` decides where the residues are in a subunit."""
    rings: list[npt.NDArray[np.float64]] = []
    for kind in ("alpha", "beta"):
        subunit = _subunit(random) + np.array([_RING_RADII[kind], 0.0, 0.0])
        for turn in range(7):
            angle = 2 * math.pi * turn / 7 + _RING_TWISTS[kind]
            upper = subunit @ _about_z(angle).T + np.array([0.0, 0.0, _RING_HEIGHTS[kind]])
            rings += [upper, upper * [1.0, -1.0, -1.0]]  # and its image under the two-fold axis, x
    return Specimen(np.concatenate(rings))


def residue_phase(voltage: float) -> float:
    """Return the phase shift of a residue in ice, integrated over area, in rad·Å²: 0.311 at 300 kV."""
    excess = RESIDUE_SCATTERING - WATER_SCATTERING * RESIDUE_VOLUME / WATER_VOLUME
    return interaction_parameter(voltage) * _POTENTIAL_PER_SCATTERING * excess


def water_phase(voltage: float) -> float:
    """Return the phase shift of a water molecule, integrated over area, in rad·Å²."""
    return interaction_parameter(voltage) * _POTENTIAL_PER_SCATTERING * WATER_SCATTERING


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
    return _about_z(-math.radians(psi)) @ about_y @ _about_z(-math.radians(rot))


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


def _subunit(random: np.random.Generator) -> npt.NDArray[np.float64]:
    """Place residues uniformly in an ellipsoid, none closer than `_CLOSEST_RESIDUES` to another."""
    residues = np.empty((0, 3))
    while len(residues) < RESIDUES_PER_SUBUNIT:
        candidate = random.uniform(-1, 1, 3)
        position = candidate * _SEMI_AXES
        distances = np.linalg.norm(residues - position, axis=1)
        if candidate @ candidate <= 1 and (distances >= _CLOSEST_RESIDUES).all():
            residues = np.vstack([residues, position])
    return residues


def _about_z(angle: float) -> npt.NDArray[np.float64]:
    cosine, sine = math.cos(angle), math.sin(angle)
    return np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
