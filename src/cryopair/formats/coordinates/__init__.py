"""Coordinates of particles: our own files, and those of every program that picks.

`read_places` reads them all, whatever their names; `picks` has the files that this package writes.
"""

from .picks import Coordinates, Floats, read_coordinate_table, read_coordinates, write_coordinates
from .places import NO_SCORE, Places
from .reading import FORMATS, read_places

__all__ = [
    "FORMATS",
    "NO_SCORE",
    "Coordinates",
    "Floats",
    "Places",
    "read_coordinate_table",
    "read_coordinates",
    "read_places",
    "write_coordinates",
]
