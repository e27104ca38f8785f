"""What every coordinate file comes down to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

NO_SCORE = -999.0
"""What RELION writes for the figure of merit of a particle that a person has picked."""


@dataclass(frozen=True)
class Places:
    """Where a file says that particles are on one image.

    Attributes
    ----------
    image : str
        The image as the file names it; ``""`` if the file is for one image and does not say which.
    x, y : numpy.ndarray
        Column and row of the centre of each particle, shape ``(particles,)``, in pixels of that image, row 0 being
        the first row stored.
    score : numpy.ndarray
        Shape ``(particles,)``; higher is better, `NO_SCORE` where the file gives none.
    shape : tuple of int, optional
        ``(height, width)`` of the image, if the file says it.
    pixel_size : float, optional
        In Å/px, of the image, if the file says it.
    """

    image: str
    x: Floats
    y: Floats
    score: Floats
    shape: tuple[int, int] | None = None
    pixel_size: float | None = None

    def __len__(self) -> int:
        return len(self.x)


def by_image(images: Sequence[str], x: Floats, y: Floats, score: Floats) -> list[Places]:
    """Split one table of many images, each image at its first appearance."""
    rows: dict[str, list[int]] = {}
    for row, image in enumerate(images):
        rows.setdefault(image, []).append(row)
    return [Places(image, x[chosen], y[chosen], score[chosen]) for image, chosen in rows.items()]


def no_scores(count: int) -> Floats:
    """Return `count` times `NO_SCORE`."""
    return np.full(count, NO_SCORE)
