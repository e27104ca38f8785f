"""The edge of a hole in the carbon film that carries the ice."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

THICKNESS = 200.0
"""Of the film in Å, as in common holey grids."""
ATOMS_PER_VOLUME = 0.1
"""Of amorphous carbon at 2.0 g/cm³, per Å³."""
SCATTERING = 2.51
"""f(0) of a carbon atom in Å (Peng et al. 1996)."""
STRUCTURE_FACTOR = 0.3
"""Of amorphous carbon below 1/4 Å⁻¹: its atoms are bonded, so far from independent."""
TRANSMISSION = math.exp(-THICKNESS / 1500)
"""Share of electrons that 200 Å of carbon lets through the aperture and the energy filter, beside ice."""

_RIM = 40.0  # Å over which the film thins out at the edge
_STRAIGHTEST = 60_000.0  # largest radius of curvature in Å: 0.17 px off a straight line over 128 px
_SMALLEST_HOLE = 5_000.0  # radius in Å


@dataclass(frozen=True)
class CarbonEdge:
    """A hole, round, in a film of carbon.

    Attributes
    ----------
    x, y : float
        Centre of the hole in pixels of the image; far outside it as a rule.
    radius : float
        Of the hole in Å.
    """

    x: float
    y: float
    radius: float

    def cover(self, shape: tuple[int, int], *, pixel_size: float, corner: tuple[int, int]) -> npt.NDArray[np.float32]:
        """Return the thickness of the film relative to its full one: 0 in the hole, 1 on the carbon.

        Parameters
        ----------
        shape : tuple of int
            ``(height, width)`` of the result.
        pixel_size : float
            In Å/px.
        corner : tuple of int
            Row and column of the image's first pixel in the result.
        """
        y = (np.arange(shape[0]) - corner[0] - self.y)[:, None] * pixel_size
        x = (np.arange(shape[1]) - corner[1] - self.x)[None, :] * pixel_size
        return (1 / (1 + np.exp(np.clip(4 * (self.radius - np.hypot(x, y)) / _RIM, -60, 60)))).astype(np.float32)

    def carries(self, x: float, y: float, *, pixel_size: float) -> bool:
        """Tell whether a point of the image, in pixels, lies on carbon."""
        return math.hypot(x - self.x, y - self.y) * pixel_size > self.radius


def draw_carbon_edge(random: np.random.Generator, shape: tuple[int, int], pixel_size: float) -> CarbonEdge:
    """Draw an edge that leaves carbon on about a tenth to a half of the image, straight or curved."""
    height, width = shape
    direction = random.uniform(0, 2 * math.pi)  # from the hole's centre towards the carbon
    across, down = math.cos(direction), math.sin(direction)
    half_extent = 0.5 * (abs(across) * width + abs(down) * height)
    offset = random.uniform(0.05, 0.6) * half_extent  # of the edge from the middle of the image
    radius = math.exp(random.uniform(math.log(_SMALLEST_HOLE), math.log(_STRAIGHTEST)))
    distance = radius / pixel_size - offset
    return CarbonEdge(x=width / 2 - distance * across, y=height / 2 - distance * down, radius=radius)
