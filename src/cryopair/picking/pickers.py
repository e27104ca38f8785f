"""The pickers, and which of them works.

A picker has a name, which ends the names of its files (``a_blob.star``), and is started once for all micrographs of a
shard. What it returns then gives the picks of one micrograph at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy.typing as npt

from ..errors import UsageError
from ..formats.coordinates import Coordinates
from ..micrographs import Micrographs, Row
from .blob import pick_blobs
from .images import Images
from .matching import pick_matches
from .picks import Picks
from .templates import read_templates
from .topaz import PRETRAINED, TopazPicker

PickOne = Callable[[Row], Coordinates]
"""Gives the picks of a micrograph, in pixels of the image that was picked on; raises `CryopairError` for a bad one."""


class Picker(Protocol):
    """What the stage ``pick`` needs of a picker."""

    @property
    def name(self) -> str:
        """Ends the names of the files with its picks."""

    def start(self, micrographs: Micrographs) -> PickOne:
        """Make ready to pick on these micrographs."""


def choose_picker(
    name: str,
    images: Images,
    *,
    diameter: float,
    diameter_max: float | None = None,
    templates: Path | None = None,
    detector: str | None = None,
    min_score: float | None = None,
) -> Picker:
    """Return the picker of a name.

    Parameters
    ----------
    name : str
        As ``picking.picker`` in the configuration.
    images : Images
        What to pick on.
    diameter : float
        Particle diameter in Å, of the smallest if they differ in size.
    diameter_max : float, optional
        Diameter of the largest, in Å.
    templates : Path, optional
        Folder of templates, for the picker of that name.
    detector : str, optional
        Of Topaz: see `topaz.TopazPicker`.
    min_score : float, optional
        Below which nothing is a pick, where the picker can make use of it.

    Raises
    ------
    UsageError
        When the picker lacks what it needs.
    """
    if name == "template":
        if templates is None:
            raise UsageError("the picker 'template' needs --templates: a folder that cryopair templates wrote.")
        return TemplatePicker(images, templates)
    if name == "topaz":
        return TopazPicker(images, diameter, detector or PRETRAINED[-1], min_score)
    return BlobPicker(images, diameter, diameter_max)


@dataclass(frozen=True)
class BlobPicker:
    """Discs darker than their rim: see `blob`."""

    images: Images
    diameter: float
    diameter_max: float | None = None
    name: str = "blob"

    def start(self, micrographs: Micrographs) -> PickOne:
        """Make ready to pick, image by image."""

        def pick(image: npt.NDArray, pixel_size: float) -> Picks:
            return pick_blobs(image, pixel_size=pixel_size, diameter=self.diameter, diameter_max=self.diameter_max)

        return _image_by_image(micrographs, self.images, pick)


@dataclass(frozen=True)
class TemplatePicker:
    """Averages of the session's own particles, matched with micrographs: see `templates` and `matching`."""

    images: Images
    templates: Path
    name: str = "template"

    def start(self, micrographs: Micrographs) -> PickOne:
        """Read the templates."""
        templates = read_templates(self.templates)

        def pick(image: npt.NDArray, pixel_size: float) -> Picks:
            return pick_matches(
                image,
                templates.images,
                pixel_size=pixel_size,
                template_pixel_size=templates.pixel_size,
                diameter=templates.diameter,
            )

        return _image_by_image(micrographs, self.images, pick)


def _image_by_image(micrographs: Micrographs, images: Images, pick: Callable[[npt.NDArray, float], Picks]) -> PickOne:
    """Return what picks on a micrograph, given what picks on an image with its pixel size."""

    def pick_one(row: Row) -> Coordinates:
        image, pixel_size = images.read(row), micrographs.pixel_size(row)
        picks = pick(image, pixel_size)
        height, width = image.shape
        return Coordinates(picks.x, picks.y, picks.score, images.name_of(row), (height, width), pixel_size)

    return pick_one
