"""From pixels of the image that was picked on to pixels of the micrograph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import BadFileError, UsageError
from ...formats.coordinates import Floats, Places


@dataclass(frozen=True)
class PickedOn:
    """What is known of the images that were picked on, beyond what coordinate files say themselves.

    Attributes
    ----------
    pixel_size : float, optional
        In Å/px.
    binning : float, optional
        Pixels of the micrograph per pixel and axis; instead of `pixel_size`.
    origin : tuple of float
        Column and row of the micrograph where the centre of the image's first pixel lies, in pixels of the
        micrograph: above 0 for an image that was cropped, below for one that was padded.
    flip_y : bool
        Whether rows count from the other end.
    """

    pixel_size: float | None = None
    binning: float | None = None
    origin: tuple[float, float] = (0.0, 0.0)
    flip_y: bool = False

    def __post_init__(self) -> None:
        if self.pixel_size is not None and self.binning is not None:
            raise UsageError("The picked images have a pixel size and a binning; give one of them.")
        for name, value in (("pixel size", self.pixel_size), ("binning", self.binning)):
            if value is not None and not 0 < value < np.inf:
                raise UsageError(f"The picked images have a {name} of {value:g}; expected more than 0.")

    @property
    def says_scale(self) -> bool:
        """Whether the user has said how large pixels are."""
        return self.pixel_size is not None or self.binning is not None

    def to_micrograph(
        self, places: Places, *, file: str, shape: tuple[int, int], pixel_size: float
    ) -> tuple[Floats, Floats]:
        """Convert places to pixels of the micrograph; they are neither rounded nor clipped.

        Images of different binning share the centre of their first pixel, as Fourier cropping leaves them.

        Parameters
        ----------
        places : Places
            As the file `file` has them.
        file : str
            For messages.
        shape : tuple of int
            ``(height, width)`` of the micrograph.
        pixel_size : float
            In Å/px, of the micrograph.

        Raises
        ------
        BadFileError
            When the image that was picked on cannot show the same field of view.
        """
        scale = self._scale(places, file=file, shape=shape, pixel_size=pixel_size)
        x, y = places.x * scale + self.origin[0], places.y * scale + self.origin[1]
        return x, (shape[0] - 1) - y if self.flip_y else y

    def _scale(self, places: Places, *, file: str, shape: tuple[int, int], pixel_size: float) -> float:
        """Return how many pixels of the micrograph one of the image is: as given, as the file says, or 1."""
        if self.binning is not None:
            scale = self.binning
        elif self.pixel_size is not None:
            scale = self.pixel_size / pixel_size
        elif places.pixel_size is not None:
            scale = places.pixel_size / pixel_size
        elif places.shape is not None:
            scale = float(np.sqrt(np.prod(shape) / np.prod(places.shape)))
        else:
            return 1.0
        if places.shape is not None and self.origin == (0.0, 0.0):
            off = np.abs(np.array(places.shape) * scale - np.array(shape))
            if np.any(off > 2 * max(scale, 1.0)):  # binned sizes are cut to even numbers
                raise BadFileError(
                    file,
                    f"was picked on an image of {places.shape[1]} x {places.shape[0]} px, {scale:.4g} times as coarse "
                    f"as the micrograph of {shape[1]} x {shape[0]} px",
                    expected="two images of the same field of view",
                    fix="Check the pixel size of the picked image; if it was cropped or padded, say where its first "
                    "pixel lies (origin).",
                )
        return scale
