"""Coordinates at the wrong scale, told by how far they reach on all micrographs together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...formats.coordinates import Floats

_ENOUGH, _MANY = 20, 200  # particles
_FACTOR_OF_ENOUGH, _FACTOR_OF_MANY = 1.6, 1.2
_AGREE = 0.1
_MAX_OUTSIDE = 0.05


@dataclass(frozen=True)
class Located:
    """Particles of one micrograph in its pixels.

    Attributes
    ----------
    x, y : numpy.ndarray
        Shape ``(particles,)``; not clipped.
    shape : tuple of int
        ``(height, width)`` of the micrograph.
    """

    x: Floats
    y: Floats
    shape: tuple[int, int]

    def outside(self) -> int:
        """Return how many lie outside the micrograph."""
        height, width = self.shape
        return int((~((self.x > -1) & (self.x < width) & (self.y > -1) & (self.y < height))).sum())


def wrong_scale(micrographs: Sequence[Located]) -> str | None:
    """Say what is wrong with the scale of coordinates, or None if nothing seems to be.

    Particles lie all over micrographs, and pickers keep the same distance from all edges. So the smallest and the
    largest coordinate add up to the width and to the height; where both fall short by the same factor, the
    coordinates are those of a smaller image. Where many lie outside, they are those of a larger one.

    Parameters
    ----------
    micrographs : sequence of Located
        The more of them, the more is seen; too few particles are never wrong.
    """
    x, y = (
        np.concatenate([getattr(one, axis) / one.shape[side] for one in micrographs] or [np.zeros(0)])
        for axis, side in (("x", 1), ("y", 0))
    )
    count = len(x)
    outside = sum(one.outside() for one in micrographs)
    if count < _ENOUGH:
        return None
    reach = np.array([x.min() + x.max(), y.min() + y.max()])  # 1 where particles lie all over
    if outside > _MAX_OUTSIDE * count:
        return (
            f"{outside} of {count} particles lie outside the micrographs: x reaches to {x.max():.0%} of the width, y "
            f"to {y.max():.0%} of the height. They were picked on a larger image, such as an unbinned or "
            f"super-resolution one ({reach.max():.2g} times as large?), or on other micrographs."
        )
    factors = 1 / np.maximum(reach, 1e-9)
    agree = abs(factors[0] - factors[1]) < _AGREE * factors.mean()
    if agree and factors.min() > (_FACTOR_OF_MANY if count >= _MANY else _FACTOR_OF_ENOUGH):
        return (
            f"all {count} particles lie in one corner of the micrographs: x reaches to {x.max():.0%} of the width, y "
            f"to {y.max():.0%} of the height. They were picked on a smaller image, binned by about "
            f"{factors.mean():.2g}."
        )
    return None
