"""What a picker finds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Picks:
    """Particles found on an image, best first.

    Attributes
    ----------
    x, y : numpy.ndarray
        Column and row of each particle, shape ``(picks,)``, in pixels of the image.
    score : numpy.ndarray
        How much each looks like a particle, shape ``(picks,)``; higher is better, and only the picker knows in
        what unit.
    """

    x: Floats
    y: Floats
    score: Floats

    def __len__(self) -> int:
        return len(self.x)

    @classmethod
    def none(cls) -> Picks:
        """Return no picks."""
        return cls(np.zeros(0), np.zeros(0), np.zeros(0))
