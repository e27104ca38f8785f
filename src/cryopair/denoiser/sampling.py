"""Resampling of whole micrographs between the pixel size they came with and the one a network works at.

The cosine series of the image is cut or extended: a Fourier transform of the image and its mirror image, so
that neither edge sees the opposite one. Both grids cover the same area: the centre of pixel ``i`` of the
result lies at ``(i + 1/2) · old size / new size - 1/2`` of the image. A network's input comes this way and its
output goes back, so that nothing is displaced.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import fft


def resample(image: npt.NDArray, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Resample an image to a grid of other sizes over the same area, as its band limit allows.

    Parameters
    ----------
    image : numpy.ndarray
        Shape ``(height, width)``.
    shape : tuple of int
        New ``(height, width)``.

    Returns
    -------
    numpy.ndarray
        Of that shape. The mean is kept; so is every wave that both grids can hold.
    """
    waves = np.asarray(image, np.float32)
    # Along rows first, whose pixels lie side by side: fewer columns are left for what takes longer.
    changed = [axis for axis in (1, 0) if image.shape[axis] != shape[axis]]
    for axis in changed:
        waves = fft.dct(waves, axis=axis, workers=-1, overwrite_x=axis != changed[0])
        waves = np.ascontiguousarray(waves[:, : shape[1]] if axis == 1 else waves[: shape[0]])
        waves *= np.float32(shape[axis] / image.shape[axis])
    for axis in reversed(changed):
        waves = fft.idct(waves, n=shape[axis], axis=axis, workers=-1, overwrite_x=True)
    return waves


def resampled_shape(shape: tuple[int, int], *, pixel_size: float, target: float) -> tuple[int, int]:
    """Return the sizes that bring an image of `pixel_size` close to `target`, both in Å/px, and transform fast.

    They are even, and have no prime factor above 11: a transform whose size has a large one takes twice the time. Such
    sizes are mostly within 1 % of what is wanted, and, above 300 pixels, within 3 %. Images that are within 10 % of the
    target, or coarser, are left as they are: nothing is gained.
    """
    if pixel_size > target / 1.1:
        return shape
    height, width = (_fast_even(size * pixel_size / target) for size in shape)
    return height, width


def _fast_even(wanted: float) -> int:
    """Return the size closest to what is wanted that is twice a fast one."""
    half = max(1, round(wanted / 2))
    above = fft.next_fast_len(half)
    below = next(size for size in range(half, 0, -1) if fft.next_fast_len(size) == size)
    return 2 * min(below, above, key=lambda size: abs(2 * size - wanted))
