"""A particle like the 70S ribosome: two unlike subunits with their stalks, no symmetry, 2.3 MDa, about 250 Å.

Two thirds of it are RNA, in bundles of double helices; the rest is protein, in globules near the surface. There is
water between them: the whole is a third larger than its dry volume. Helices, grooves and globules are what an image
shows at 10 to 30 Å; a solid body of the same outline would show nearly nothing there.

A nucleotide scatters beyond the ice it displaces like 2.98 residues (f(0) of C9.5 N3.75 O7 H10.75 P is 57.2 Å, in
292 Å³), so it is three pseudo-atoms of the same kind: phosphate, sugar and base.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from .specimen import CLOSEST_RESIDUES, Specimen, about_z, rotation_matrix

DIAMETER = 250.0
"""Longest extent of the particle in Å."""
NUCLEOTIDES = 4_566
"""Of the 23S, 5S and 16S RNA of Escherichia coli: 2,904 + 120 + 1,542."""
RESIDUES = 7_200
"""Of about 50 proteins, 0.8 MDa."""

# Ellipsoids: centre x, y, z, semi-axes and turn about z in degrees. The interface of the subunits is the plane
# x = 0; the tunnel and the cleft of the head are what the lobes leave out.
_LOBES = np.array(
    [
        [58.0, 0.0, 2.0, 60.0, 96.0, 86.0, 0.0],  # large subunit, body
        [66.0, 4.0, 56.0, 48.0, 66.0, 46.0, 8.0],  # its crown
        [26.0, 12.0, 92.0, 20.0, 22.0, 24.0, 0.0],  # central protuberance
        [38.0, 91.0, 38.0, 16.0, 28.0, 14.0, -12.0],  # L1 stalk
        [30.0, -91.0, 28.0, 14.0, 28.0, 13.0, 20.0],  # L7/L12 stalk
        [-46.0, -4.0, -44.0, 42.0, 64.0, 64.0, -5.0],  # small subunit, body
        [-40.0, 26.0, -6.0, 34.0, 48.0, 36.0, 15.0],  # its platform
        [-46.0, -6.0, 56.0, 36.0, 56.0, 37.0, 10.0],  # its head
        [-40.0, -56.0, 58.0, 15.0, 22.0, 15.0, 0.0],  # the head's beak
        [-50.0, 16.0, -98.0, 16.0, 17.0, 18.0, 0.0],  # spur
    ]
)

# RNA of the A form: a base pair every 2.81 Å along the axis, 11 to a turn.
_RISE, _TWIST = 2.81, math.radians(32.7)
# Phosphate, sugar and base of the first strand: distance from the axis, angle about it, height of a pair; the second
# strand is its image under the two-fold axis, x.
_NUCLEOTIDE = np.array(
    [[8.7, math.radians(70.5), -3.75], [8.9, math.radians(43.0), -1.5], [5.1, math.radians(32.0), -0.5]]
)
_SPACING = 22.0  # Å between the axes of packed helices: they touch
_BUNDLES = 24  # of about 60 kDa of RNA, the size of the larger domains' parts
_GLOBULES = 50  # one a protein
_RIND = 0.8  # the globules' centres lie outside the lobes when these are made smaller by this factor
_CANDIDATES = 200_000  # places for residues: as many as make proteins of 133 Å³ a residue
_ENOUGH = 12  # of these places for one residue


def ribosome(random: np.random.Generator) -> Specimen:
    """Make the particle; `random` decides where its helices and residues are."""
    globules = _points(random, _GLOBULES * 40)
    globules = globules[~_inside(globules, _RIND)][:_GLOBULES]
    rna = _rna(random, globules)
    positions = np.concatenate([rna, _protein(random, globules, rna)])
    return Specimen(positions - positions.mean(axis=0))


def _rna(random: np.random.Generator, globules: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Fill the lobes with bundles of helices, each reaching as far as no other is nearer, but for the globules."""
    centres = _points(random, _BUNDLES)
    nearest = cKDTree(centres)
    placed = np.empty((0, 3, 3))
    for number, centre in enumerate(centres):
        nucleotides = _bundle(random) + centre
        middles = nucleotides.mean(axis=1)
        own = nearest.query(middles)[1] == number
        nucleotides = nucleotides[own & _inside(nucleotides.reshape(-1, 3)).reshape(-1, 3).all(axis=1)]
        if len(placed) and len(nucleotides):
            gaps = cKDTree(placed.reshape(-1, 3)).query(nucleotides.reshape(-1, 3))[0].reshape(-1, 3)
            nucleotides = nucleotides[(gaps >= CLOSEST_RESIDUES).all(axis=1)]
        placed = np.concatenate([placed, nucleotides])
    furthest_first = np.argsort(-cKDTree(globules).query(placed.mean(axis=1))[0], kind="stable")
    return placed[furthest_first[:NUCLEOTIDES]].reshape(-1, 3)


def _bundle(random: np.random.Generator) -> npt.NDArray[np.float64]:
    """Pack parallel helices about the origin, far enough to fill any bundle; shape ``(nucleotides, 3, 3)``."""
    reach = 4
    pairs = np.arange(-30, 30)
    helices = []
    for row in range(-reach, reach + 1):
        for column in range(-reach, reach + 1):
            axis = _SPACING * np.array([column + row / 2, row * math.sqrt(0.75), 0.0])
            turn, height = random.uniform(0, 2 * math.pi), random.uniform(0, _RISE)
            for strand in (1, -1):
                angle = strand * _NUCLEOTIDE[:, 1] + _TWIST * pairs[:, None] + turn
                along = strand * _NUCLEOTIDE[:, 2] + _RISE * pairs[:, None] + height
                around = _NUCLEOTIDE[:, 0] * np.stack([np.cos(angle), np.sin(angle)])
                helices.append(np.stack([*around, along], axis=-1) + axis)
    tilt = math.degrees(math.acos(random.uniform(-1, 1)))
    rotation = rotation_matrix(random.uniform(-180, 180), tilt, 0.0)
    turned: npt.NDArray[np.float64] = np.concatenate(helices) @ rotation.T
    return turned


def _protein(
    random: np.random.Generator, globules: npt.NDArray[np.float64], rna: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Place residues at random near the centres of the globules, none closer than `CLOSEST_RESIDUES` to anything."""
    places = _points(random, _CANDIDATES)
    places = places[cKDTree(rna).query(places)[0] >= CLOSEST_RESIDUES]
    places = places[np.argsort(cKDTree(globules).query(places)[0], kind="stable")]
    return _without_clashes(places[: _ENOUGH * RESIDUES])[:RESIDUES]


def _points(random: np.random.Generator, count: int) -> npt.NDArray[np.float64]:
    """Draw points uniformly in the lobes, shape ``(count, 3)``."""
    extents = _LOBES[:, 3:6].max(axis=1, keepdims=True)
    low, high = (_LOBES[:, :3] - extents).min(axis=0), (_LOBES[:, :3] + extents).max(axis=0)
    points = np.empty((0, 3))
    while len(points) < count:
        drawn = random.uniform(low, high, (4 * count, 3))
        points = np.concatenate([points, drawn[_inside(drawn)]])
    return points[:count]


def _inside(positions: npt.NDArray[np.float64], factor: float = 1.0) -> npt.NDArray[np.bool_]:
    """Tell which positions lie in the lobes, made smaller by a factor."""
    inside = np.zeros(len(positions), bool)
    for *lobe, turn in _LOBES:
        centre, semi_axes = np.array(lobe[:3]), factor * np.array(lobe[3:])
        inside |= (((positions - centre) @ about_z(math.radians(turn)) / semi_axes) ** 2).sum(axis=1) <= 1
    return inside


def _without_clashes(candidates: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Keep a candidate if no earlier one that was kept is too close."""
    kept = np.ones(len(candidates), bool)
    clashes = cKDTree(candidates).query_pairs(CLOSEST_RESIDUES, output_type="ndarray")
    for first, second in clashes[np.lexsort((clashes[:, 0], clashes[:, 1]))]:
        kept[second] &= not kept[first]
    return candidates[kept]
