"""What is done to every particle, in RELION's order: cut, downsample, crop, normalise, invert.

The sign is changed after the normalisation, so that the background has mean 0 and standard deviation 1 either way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import UsageError
from .normalise import background_radius, normalise
from .windows import cut_windows, rescale

_BATCH_BYTES = 2 * 2**20
"""Boxes that are in work at a time; so few that they stay in the processor's cache."""


@dataclass(frozen=True)
class Sampling:
    """How particles are cut and processed; all that RELION's Extract job asks.

    Attributes
    ----------
    box : int
        Even side of the box in pixels of the micrograph.
    scale : int, optional
        Even side of the downsampled image, at most `box`; `box` if not given.
    window : int, optional
        Even side of the centre of that image to keep, at most `scale`; all of it if not given. RELION's ``--window``
        cuts an image that was downsampled before off its centre; this does not.
    normalise : bool
        Whether to level the background and bring it to mean 0 and standard deviation 1.
    background_diameter : float, optional
        Diameter of the circle around the particle, in pixels of the micrograph, outside which is background;
        three quarters of what the image shows if not given.
    invert : bool
        Whether to change the sign, so that protein is bright.
    """

    box: int
    scale: int | None = None
    window: int | None = None
    normalise: bool = True
    background_diameter: float | None = None
    invert: bool = True

    def __post_init__(self) -> None:
        for name, value in (("box", self.box), ("scale", self.scaled), ("window", self.size)):
            if value <= 0 or value % 2:
                raise UsageError(f"The particles' {name} is {value} px; expected an even number above 0.")
        if self.scaled > self.box:
            raise UsageError(
                f"The particles' scale is {self.scaled} px for a box of {self.box} px; expected at most the box: "
                "particles can be downsampled, not upsampled."
            )
        if self.size > self.scaled:
            raise UsageError(
                f"The particles' window is {self.size} px for images of {self.scaled} px; expected at most these: it "
                "is their centre, after downsampling."
            )
        diameter, shown = self.background_diameter, self.size * self.box / self.scaled
        if diameter is not None and not 0 < diameter <= shown:
            raise UsageError(
                f"The background diameter is {diameter:g} px for particle images that show {shown:g} px; expected more "
                "than 0 and at most these, in pixels of the micrograph."
            )

    @property
    def scaled(self) -> int:
        """Side of the downsampled box in pixels."""
        return self.box if self.scale is None else self.scale

    @property
    def size(self) -> int:
        """Side of the final image in pixels."""
        return self.scaled if self.window is None else self.window

    @property
    def radius(self) -> int:
        """Radius of the circle around the particle in pixels of the final image."""
        scale = self.scaled / self.box
        return background_radius(shown=self.size / scale, scale=scale, diameter=self.background_diameter)

    def pixel_size(self, of_micrograph: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the pixel size of the particle images, given that of the micrograph, in Å/px."""
        return np.asarray(of_micrograph, dtype=np.float64) * self.box / self.scaled


def cut_particles(
    image: npt.NDArray, x: npt.ArrayLike, y: npt.ArrayLike, sampling: Sampling
) -> npt.NDArray[np.float32]:
    """Cut and process the particles of one micrograph.

    Parameters
    ----------
    image : numpy.ndarray
        The micrograph, shape ``(height, width)``; may be a memory map.
    x, y : array_like
        Column and row of the particles, shape ``(particles,)``.
    sampling : Sampling
        Box, scale and normalisation.

    Returns
    -------
    numpy.ndarray
        Shape ``(particles, size, size)``.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    particles = np.empty((len(x), sampling.size, sampling.size), dtype=np.float32)
    margin = (sampling.scaled - sampling.size) // 2
    centre = slice(margin, margin + sampling.size)
    for batch in _batches(len(x), sampling.box):
        windows = cut_windows(image, x[batch], y[batch], box=sampling.box)
        level = _typical(windows)  # float32 has seven digits: they shall go to what stands out from the grey level
        windows -= level
        images = rescale(windows, sampling.scaled)[:, centre, centre]
        images = normalise(images, sampling.radius) if sampling.normalise else images + level
        np.multiply(images, -1 if sampling.invert else 1, out=particles[batch])
    return particles


def _typical(windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return a pixel of each window that is neither very bright nor very dark, shape ``(particles, 1, 1)``.

    As it is one of its pixels, a window of one grey level is exactly 0 without it.
    """
    steps = np.linspace(0, windows.shape[-1] - 1, 5).astype(np.int64)
    sample = windows[:, steps[:, np.newaxis], steps].reshape(len(windows), steps.size**2)
    return np.partition(sample, steps.size**2 // 2, axis=1)[:, steps.size**2 // 2, np.newaxis, np.newaxis]


def _batches(count: int, box: int) -> Iterator[slice]:
    step = max(1, _BATCH_BYTES // (4 * box * box))
    for start in range(0, count, step):
        yield slice(start, start + step)
