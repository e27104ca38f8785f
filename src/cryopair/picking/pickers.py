"""The pickers, and which of them works.

A picker has a name, which ends the names of its files (``a_log.star``), and is started once for all micrographs of a
shard. What it returns then gives the picks of one micrograph at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ..formats.coordinates import Coordinates
from ..formats.mrc import read_mrc
from ..micrographs import Micrographs, Row
from .log import pick_particles

PickOne = Callable[[Row], Coordinates]
"""Gives the picks of a micrograph, in pixels of the image that was picked on; raises `CryopairError` for a bad one."""


class Picker(Protocol):
    """What the stage ``pick`` needs of a picker."""

    @property
    def name(self) -> str:
        """Ends the names of the files with its picks."""

    def start(self, micrographs: Micrographs) -> PickOne:
        """Make ready to pick on these micrographs."""


def choose_picker(name: str, *, diameter: float) -> Picker:
    """Return the picker of a name.

    Parameters
    ----------
    name : str
        As ``picking.picker`` in the configuration.
    diameter : float
        Particle diameter in Å.
    """
    assert name == "log"
    return LogPicker(diameter)


@dataclass(frozen=True)
class LogPicker:
    """Laplacian of Gaussian on denoised micrographs: see `log`."""

    diameter: float
    name: str = "log"

    def start(self, micrographs: Micrographs) -> PickOne:
        """Pick on ``rlnMicrographNameDenoised``."""

        def pick(row: Row) -> Coordinates:
            name = row["rlnMicrographNameDenoised"]
            image, pixel_size = read_mrc(name), micrographs.pixel_size(row)
            picks = pick_particles(image, pixel_size=pixel_size, diameter=self.diameter)
            height, width = image.shape
            return Coordinates(picks.x, picks.y, picks.score, name, (height, width), pixel_size)

        return pick
