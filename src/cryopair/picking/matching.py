"""Particles found by matching templates, turned all ways, with a micrograph.

The measure is normalised cross-correlation: the correlation coefficient of template and image over a disc. All
templates at all angles are combinations of a few of their principal components, so that only these are correlated by
Fourier transforms.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import affine_transform

from .peaks import Peaks
from .picks import Floats, Picks
from .ready import Ready, make_ready

REACH = 0.65  # radius of the templates, in diameters: the ice around a particle is part of its picture
_TURNS = 24
_EXPLAINED = 0.98  # of the templates' power, by the components that are kept
_AT_ONCE = 16  # templates that are put together of components, to save memory


def pick_matches(
    image: npt.NDArray, templates: Floats, *, pixel_size: float, template_pixel_size: float, diameter: float
) -> Picks:
    """Find particles that look like one of some templates.

    Parameters
    ----------
    image : numpy.ndarray
        Micrograph, best denoised, shape ``(height, width)``.
    templates : numpy.ndarray
        Shape ``(templates, size, size)`` with an odd size; protein dark, as in the micrograph.
    pixel_size, template_pixel_size : float
        Of the image and of the templates, in Å/px.
    diameter : float
        Particle diameter in Å.

    Returns
    -------
    Picks
        None of them closer to the edge than half a diameter; their score is the correlation coefficient, at most 1.
        Empty if there are no particles, or no room for one.
    """
    ready = make_ready(image, pixel_size=pixel_size, diameter=diameter)
    if not ready.has_room:
        return Picks.none()
    response, peaks = match(ready, templates, scale=ready.pixel_size / template_pixel_size)
    return ready.picks(response, peaks, peaks.height)


def match(ready: Ready, templates: Floats, *, scale: float) -> tuple[Floats, Peaks]:
    """Match templates with an image that is ready.

    Parameters
    ----------
    ready : Ready
        The image.
    templates : numpy.ndarray
        Shape ``(templates, size, size)``.
    scale : float
        Pixels of a template per pixel of the image.

    Returns
    -------
    response : numpy.ndarray
        The highest correlation coefficient around each pixel, of all templates and angles.
    peaks : Peaks
        Those that are particles.
    """
    radius = REACH * ready.width
    half = int(np.ceil(radius))
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    disc = np.hypot(y, x) <= radius
    turned = _normalised(np.stack(list(_turned(templates, half=half, scale=scale))), disc)
    combine, components = _principal(turned)
    padded = np.pad(ready.flat, half, mode="symmetric")
    shape = tuple(next_fast_len(size, real=True) for size in padded.shape)
    spectrum = rfft2(padded, shape)

    def correlate(kernel: Floats) -> Floats:
        whole = irfft2(spectrum * rfft2(kernel, shape).conj(), shape)
        return whole[: ready.flat.shape[0], : ready.flat.shape[1]].astype(np.float32)

    parts = np.stack([correlate(component) for component in components])
    highest = np.full(ready.flat.shape, -np.inf, dtype=np.float32)
    lowest = np.full(ready.flat.shape, np.inf, dtype=np.float32)
    for start in range(0, len(combine), _AT_ONCE):
        some = np.tensordot(combine[start : start + _AT_ONCE].astype(np.float32), parts, axes=1)
        np.maximum(highest, some.max(axis=0), out=highest)
        np.minimum(lowest, some.min(axis=0), out=lowest)
    strength = _local_deviation(padded, shape, disc, ready.flat.shape)
    response = highest / strength
    return response, ready.believed(response, -lowest / strength)


def _turned(templates: Floats, *, half: int, scale: float) -> Iterator[Floats]:
    """Give each template at each angle, at the scale of the image."""
    size = 2 * half + 1
    for template in templates:
        for turn in range(_TURNS):
            angle = 2 * np.pi * turn / _TURNS
            matrix = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            offset = np.full(2, template.shape[0] // 2) - matrix @ np.full(2, half)
            yield affine_transform(template, matrix, offset, (size, size), order=1, mode="nearest")


def _normalised(images: Floats, disc: npt.NDArray[np.bool_]) -> Floats:
    """Return images with mean 0 over the disc and 0 outside, whose correlation with a like image is its deviation."""
    inside = images[:, disc]
    inside = inside - inside.mean(axis=1, keepdims=True)
    inside /= np.maximum(np.linalg.norm(inside, axis=1, keepdims=True), 1e-12) * np.sqrt(disc.sum())
    images = np.zeros_like(images)
    images[:, disc] = inside
    return images


def _principal(images: Floats) -> tuple[Floats, Floats]:
    """Return factors, shape ``(images, components)``, and components that give the images as sums."""
    flat = images.reshape(len(images), -1)
    left, size, right = np.linalg.svd(flat, full_matrices=False)
    kept = int(np.searchsorted(np.cumsum(size**2) / (size**2).sum(), _EXPLAINED)) + 1
    return left[:, :kept] * size[:kept], right[:kept].reshape(-1, *images.shape[1:])


def _local_deviation(
    padded: Floats, shape: tuple[int, ...], disc: npt.NDArray[np.bool_], inner: tuple[int, ...]
) -> Floats:
    """Return the standard deviation of the image over a disc around each pixel.

    Where the image is flatter than usual it is taken to be as usual, so that faint ripples of the right shape do not
    count as particles.
    """
    kernel = rfft2(disc / disc.sum(), shape).conj()
    mean, square = (
        irfft2(rfft2(values, shape) * kernel, shape)[: inner[0], : inner[1]] for values in (padded, padded**2)
    )
    local = np.sqrt(np.maximum(square - mean**2, 0))
    return np.maximum(local, max(float(np.median(local)), 1e-12))
