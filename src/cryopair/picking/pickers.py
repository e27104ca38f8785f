"""The pickers, and which of them works.

A picker has a name, which ends the names of its files (``a_blob.star``), and is started once for all micrographs of a
shard. What it returns then gives the picks of one micrograph at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ..formats.coordinates import Coordinates
from ..formats.mrc import read_mrc
from ..micrographs import Micrographs, Row
from .blob import pick_blobs

PickOne = Callable[[Row], Coordinates]
"""Gives the picks of a micrograph, in pixels of the image that was picked on; raises `CryopairError` for a bad one."""


class Picker(Protocol):
    """What the stage ``pick`` needs of a picker."""

    @property
    def name(self) -> str:
        """Ends the names of the files with its picks."""

    def start(self, micrographs: Micrographs) -> PickOne:
        """Make ready to pick on these micrographs."""


def choose_picker(name: str, *, diameter: float, diameter_max: float | None = None) -> Picker:
    """Return the picker of a name.

    Parameters
    ----------
    name : str
        As ``picking.picker`` in the configuration.
    diameter : float
        Particle diameter in Å, of the smallest if they differ in size.
    diameter_max : float, optional
        Diameter of the largest, in Å.
    """
    assert name == "blob"
    return BlobPicker(diameter, diameter_max)


@dataclass(frozen=True)
class BlobPicker:
    """Discs darker than their rim, on denoised micrographs: see `blob`."""

    diameter: float
    diameter_max: float | None = None
    name: str = "blob"

    def start(self, micrographs: Micrographs) -> PickOne:
        """Pick on ``rlnMicrographNameDenoised``."""

        def pick(row: Row) -> Coordinates:
            name = row["rlnMicrographNameDenoised"]
            image, pixel_size = read_mrc(name), micrographs.pixel_size(row)
            picks = pick_blobs(image, pixel_size=pixel_size, diameter=self.diameter, diameter_max=self.diameter_max)
            height, width = image.shape
            return Coordinates(picks.x, picks.y, picks.score, name, (height, width), pixel_size)

        return pick
