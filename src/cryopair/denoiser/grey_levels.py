"""Grey levels that networks work on: our own networks without the background, Topaz's by mean and deviation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..errors import BadFileError
from .networks.base import Network
from .normalise import Normalisation


class GreyLevels(Protocol):
    """How the grey levels of one micrograph become those that a network works on, and back."""

    @property
    def shape(self) -> tuple[int, int]:
        """``(height, width)`` of the micrograph."""
        ...

    def apply(self, image: npt.NDArray, *, origin: tuple[int, int] = (0, 0)) -> npt.NDArray[np.float32]:
        """Return a region of the micrograph, whose first pixel is at `origin`, in the network's grey levels."""
        ...

    def undo(self, normalised: npt.NDArray, *, origin: tuple[int, int] = (0, 0)) -> npt.NDArray[np.float32]:
        """Return a region in the grey levels of the micrograph."""
        ...


@dataclass(frozen=True)
class MeanStd:
    """Mean and standard deviation of one micrograph, as Topaz up to 0.2.5 normalises: over the whole of it, once.

    Attributes
    ----------
    shape : tuple of int
        ``(height, width)`` of the micrograph.
    mean, scale : float
        Of all pixels; `scale` is the square root of the mean squared deviation.
    """

    shape: tuple[int, int]
    mean: float
    scale: float

    @classmethod
    def of(cls, image: npt.NDArray, *, name: str | Path = "image") -> MeanStd:
        """Measure a micrograph, shape ``(height, width)``.

        Raises
        ------
        BadFileError
            When it has NaN or infinite pixels, or is constant; `name` is what it is called.
        """
        if not np.isfinite(image).all():
            raise BadFileError(name, "has pixels that are NaN or infinite", fix="Make its sums again.")
        mean = float(image.mean(dtype=np.float64))
        scale = float(image.std(dtype=np.float64))
        if not scale > 1e-6 * float(np.abs(image).max()):
            raise BadFileError(name, "is constant", expected="a micrograph", fix="Check the frames of its movie.")
        height, width = image.shape
        return cls((height, width), mean, scale)

    def apply(self, image: npt.NDArray, *, origin: tuple[int, int] = (0, 0)) -> npt.NDArray[np.float32]:
        """Return a region with mean 0 and deviation 1, as they are over the whole micrograph."""
        return ((image - self.mean) / self.scale).astype(np.float32)

    def undo(self, normalised: npt.NDArray, *, origin: tuple[int, int] = (0, 0)) -> npt.NDArray[np.float32]:
        """Return a normalised region in the grey levels of the micrograph."""
        return (normalised.astype(np.float32, copy=False) * self.scale + self.mean).astype(np.float32, copy=False)


def measure(image: npt.NDArray, network: Network, *, name: str | Path = "image") -> GreyLevels:
    """Measure a whole micrograph for a network.

    Parameters
    ----------
    image : numpy.ndarray
        Shape ``(height, width)``.
    network : Network
        Its `grey_levels` say how.
    name : str or Path
        What to call the image in an error.

    Raises
    ------
    BadFileError
        When the image has NaN or infinite pixels, or is constant.
    """
    if network.grey_levels == "mean-std":
        return MeanStd.of(image, name=name)
    return Normalisation.of(image, name=name)
