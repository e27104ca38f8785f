"""What inference and training need to know of a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from torch import Tensor, nn


@dataclass(frozen=True)
class Place:
    """Where in an image a tile lies.

    Attributes
    ----------
    origin : tuple of int
        Of the tile in the image, in pixels along each axis.
    size : tuple of int
        Of the whole image.
    core : tuple of slice
        The part of the tile that is wanted; what the network gives elsewhere is not used.
    """

    origin: tuple[int, ...]
    size: tuple[int, ...]
    core: tuple[slice, ...]

    @classmethod
    def whole(cls, size: tuple[int, ...]) -> Place:
        """Return the place of a tile that is the whole image."""
        return cls((0,) * len(size), size, tuple(slice(0, length) for length in size))


def in_all(region: tuple[slice, ...]) -> tuple[slice, ...]:
    """Return the index of a region in all images and channels of a batch."""
    return (slice(None), slice(None), *region)


class Network(nn.Module):
    """A network from images of one channel to images of one channel and the same size.

    Attributes
    ----------
    dimensions : int
        2 for images, 3 for volumes.
    grid : int
        Offsets between tiles must be multiples of this many pixels.
    receptive_radius : int
        The output at a pixel depends on no input further away than this, in pixels along any axis.
    hyper_parameters : dict
        What the network was made with; ``type(network)(**hyper_parameters)`` makes another.
    padded : bool
        Whether images are padded to multiples of `grid` before they are given to it.
    grey_levels : str
        The normalisation that it works on: ``background`` (`Normalisation`) or ``mean-std`` (`MeanStd`).
    bytes_per_pixel : int
        Memory that it takes for each pixel of a tile in float32, beside the weights, measured.
    """

    padded: ClassVar[bool] = True
    grey_levels: ClassVar[Literal["background", "mean-std"]] = "background"

    dimensions: int
    grid: int
    receptive_radius: int
    hyper_parameters: dict[str, Any]
    bytes_per_pixel: int = 250

    def forward(self, image: Tensor) -> Tensor:
        """Denoise normalised images, shape ``(batch, 1, height, width)``; the result has the same shape.

        A network that is not `padded` also takes ``place=``, the `Place` of a tile, since what it does may
        depend on the size of the whole image.
        """
        raise NotImplementedError
