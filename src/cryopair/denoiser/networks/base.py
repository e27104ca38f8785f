"""What inference and training need to know of a network."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from torch import Tensor, nn


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
        The normalisation that it works on: ``background`` (`Normalisation`) or ``mean-std``.
    """

    padded: ClassVar[bool] = True
    grey_levels: ClassVar[Literal["background", "mean-std"]] = "background"

    dimensions: int
    grid: int
    receptive_radius: int
    hyper_parameters: dict[str, Any]

    def forward(self, image: Tensor) -> Tensor:
        """Denoise normalised images, shape ``(batch, 1, height, width)``; the result has the same shape."""
        raise NotImplementedError
