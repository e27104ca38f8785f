"""A particle like the 20S proteasome: four stacked rings of seven subunits, symmetry D7, about 110 x 150 Å.

Residues are placed at random without clashes in ellipsoidal subunits, the same in every subunit of one kind.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from .specimen import CLOSEST_RESIDUES, Specimen, about_z

RESIDUES_PER_SUBUNIT = 232
DIAMETER = 150.0
"""Longest extent of the particle in Å."""

_SEMI_AXES = np.array([22.0, 17.0, 19.5])  # of a subunit along radius, tangent and axis, in Å
_RING_RADII = {"alpha": 35.0, "beta": 38.0}  # of the subunits' centres; the chamber is wider in the middle
_RING_HEIGHTS = {"alpha": 55.5, "beta": 18.5}
_RING_TWISTS = {"alpha": 0.0, "beta": math.radians(12.0)}


def proteasome(random: np.random.Generator) -> Specimen:
    """Make the particle, its seven-fold axis along z; `random` decides where the residues are in a subunit."""
    rings: list[npt.NDArray[np.float64]] = []
    for kind in ("alpha", "beta"):
        subunit = _subunit(random) + np.array([_RING_RADII[kind], 0.0, 0.0])
        for turn in range(7):
            angle = 2 * math.pi * turn / 7 + _RING_TWISTS[kind]
            upper = subunit @ about_z(angle).T + np.array([0.0, 0.0, _RING_HEIGHTS[kind]])
            rings += [upper, upper * [1.0, -1.0, -1.0]]  # and its image under the two-fold axis, x
    return Specimen(np.concatenate(rings))


def _subunit(random: np.random.Generator) -> npt.NDArray[np.float64]:
    """Place residues uniformly in an ellipsoid, none closer than `CLOSEST_RESIDUES` to another."""
    residues = np.empty((0, 3))
    while len(residues) < RESIDUES_PER_SUBUNIT:
        candidate = random.uniform(-1, 1, 3)
        position = candidate * _SEMI_AXES
        distances = np.linalg.norm(residues - position, axis=1)
        if candidate @ candidate <= 1 and (distances >= CLOSEST_RESIDUES).all():
            residues = np.vstack([residues, position])
    return residues
