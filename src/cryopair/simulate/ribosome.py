"""A particle like the 70S ribosome: two unlike subunits with their stalks, no symmetry, 2.3 MDa, about 250 Å.

Two thirds of it are RNA. A nucleotide scatters beyond the ice it displaces like 2.98 residues (f(0) of C9.5 N3.75
O7 H10.75 P is 57.2 Å, in 292 Å³), so it is as many pseudo-atoms of the same kind, packed more densely.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from .specimen import CLOSEST_RESIDUES, Specimen, about_z

DIAMETER = 250.0
"""Longest extent of the particle in Å."""
PSEUDO_ATOMS = 20_900
"""2.3 MDa in residues of 110 Da."""

# Ellipsoids: centre x, y, z, semi-axes and turn about z in degrees. The interface of the subunits is the plane
# x = 0; the tunnel and the cleft of the head are what the lobes leave out.
_LOBES = np.array(
    [
        [56.0, 0.0, 4.0, 55.0, 82.0, 76.0, 0.0],  # large subunit, body
        [62.0, 4.0, 52.0, 42.0, 58.0, 40.0, 8.0],  # its crown
        [26.0, 12.0, 92.0, 18.0, 20.0, 26.0, 0.0],  # central protuberance
        [38.0, 92.0, 38.0, 15.0, 34.0, 13.0, -12.0],  # L1 stalk
        [30.0, -92.0, 28.0, 13.0, 34.0, 12.0, 20.0],  # L7/L12 stalk
        [-42.0, -4.0, -42.0, 37.0, 56.0, 58.0, -5.0],  # small subunit, body
        [-36.0, 24.0, -6.0, 30.0, 42.0, 32.0, 15.0],  # its platform
        [-42.0, -6.0, 50.0, 32.0, 50.0, 33.0, 10.0],  # its head
        [-36.0, -50.0, 52.0, 14.0, 20.0, 14.0, 0.0],  # the head's beak
        [-46.0, 14.0, -100.0, 15.0, 16.0, 24.0, 0.0],  # spur
    ]
)
_BATCH = 200_000  # candidates drawn at a time


def ribosome(random: np.random.Generator) -> Specimen:
    """Make the particle; `random` decides where its pseudo-atoms are.

    They are placed one by one, uniformly in the lobes and none closer than `CLOSEST_RESIDUES` to another.
    """
    low = (_LOBES[:, :3] - _LOBES[:, 3:6].max(axis=1, keepdims=True)).min(axis=0)
    high = (_LOBES[:, :3] + _LOBES[:, 3:6].max(axis=1, keepdims=True)).max(axis=0)
    placed = np.empty((0, 3))
    while len(placed) < PSEUDO_ATOMS:
        candidates = random.uniform(low, high, (_BATCH, 3))
        candidates = candidates[_inside(candidates)]
        if len(placed):
            candidates = candidates[cKDTree(placed).query(candidates)[0] >= CLOSEST_RESIDUES]
        placed = np.concatenate([placed, _without_clashes(candidates)])
    positions = placed[:PSEUDO_ATOMS]
    return Specimen(positions - positions.mean(axis=0))


def _inside(positions: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    inside = np.zeros(len(positions), bool)
    for *lobe, turn in _LOBES:
        centre, semi_axes = np.array(lobe[:3]), np.array(lobe[3:])
        inside |= (((positions - centre) @ about_z(math.radians(turn)) / semi_axes) ** 2).sum(axis=1) <= 1
    return inside


def _without_clashes(candidates: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Keep a candidate if no earlier one that was kept is too close."""
    kept = np.ones(len(candidates), bool)
    clashes = cKDTree(candidates).query_pairs(CLOSEST_RESIDUES, output_type="ndarray")
    for first, second in clashes[np.lexsort((clashes[:, 0], clashes[:, 1]))]:
        kept[second] &= not kept[first]
    return candidates[kept]
