"""Motion from frames: global shifts, and local motion in RELION's third-order model.

All shifts are found together, by Newton's method on their likelihood (`likelihood`) and prior (`priors`). For the
local part the images are cut into patches, whose shifts are not found one by one, where noise decides: the
coefficients of the model that they all follow are fitted to the whole of them, which is a least squares
fit to the patches' paths in which each step is weighted by what the frames tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from ..fourier import inverse, shift, transform
from .frames import CoarseFrames
from .likelihood import Spectra, Weights, measure_weights, slopes
from .priors import SPACE_TERMS, TIME_TERMS, local_precision, path_precision

Array = npt.NDArray[np.float64]

MIN_FRAMES = 3
_PATCHES = 7  # along either axis, each a quarter of the image wide: they overlap by half
_LEAST_PATCH = 16  # coarse pixels
_TAPER = 0.1  # of the image, at each edge
_ROUNDS, _STEPS, _SMALL_STEP = 4, 10, 0.01  # the last in Å
_GROWTH = 1.25  # finer detail than the whole frames showed may come in once they are aligned


@dataclass(frozen=True)
class Paths:
    """How the content of frames must be moved to align it.

    Attributes
    ----------
    shifts : numpy.ndarray
        Shape ``(frames, 2)``: of the whole frames, x and y in Å; 0 for the first.
    local : numpy.ndarray
        Shape ``(2, 5, 3)``: axis; x, x², y, y², xy from -0.5 to 0.5; τ, τ², τ³ from 0 to 1. In Å.
    finest : float
        Frequency in 1/Å up to which single frames share signal; 0 when they share none.
    """

    shifts: Array
    local: Array
    finest: float


def estimate_global(frames: CoarseFrames, doses: Array) -> Paths:
    """Find the shifts of whole frames.

    Parameters
    ----------
    frames : CoarseFrames
        At least three.
    doses : numpy.ndarray
        Accumulated at each frame, in e/Å².

    Returns
    -------
    Paths
        Without local motion.
    """
    height, width = frames.images.shape[1:]
    taper = _edge(height, frames)[:, None] * _edge(width, frames)
    spectra = Spectra.of(frames.images * taper, frames.pixel_size)
    none = np.zeros((1, spectra.frames, 0))
    shifts, _, finest = _fit(spectra, none, doses, start=np.zeros((spectra.frames, 2)), share=1.0)
    return Paths(shifts, np.zeros((2, SPACE_TERMS, TIME_TERMS)), finest)


def estimate_local(frames: CoarseFrames, doses: Array, whole: Paths) -> Paths:
    """Find local motion, and refine the global shifts together with it.

    Parameters
    ----------
    frames : CoarseFrames
        As for `estimate_global`.
    doses : numpy.ndarray
        Accumulated at each frame, in e/Å².
    whole : Paths
        From `estimate_global`.
    """
    if not whole.finest or min(_patch_size(frames)) < _LEAST_PATCH:
        return whole
    spectra, x, y, share = _cut_patches(frames, whole)
    space = np.stack([x, x**2, y, y**2, x * y], axis=1)
    time = np.linspace(0, 1, spectra.frames)[:, None] ** np.arange(1, TIME_TERMS + 1)
    basis = np.einsum("ps,tq->ptsq", space, time).reshape(len(x), spectra.frames, -1)
    shifts, coefficients, finest = _fit(spectra, basis, doses, start=whole.shifts, share=share)
    return Paths(shifts, coefficients.T.reshape(2, SPACE_TERMS, TIME_TERMS), finest)


def _cut_patches(frames: CoarseFrames, whole: Paths) -> tuple[Spectra, Array, Array, float]:
    """Return the patches of the globally aligned frames, their centres, and the image's share in their area.

    What patches tell adds up to more than the image has, as they overlap; the share makes up for it.
    """
    height, width = frames.images.shape[1:]
    shifts = whole.shifts / np.array(frames.pixel_size)[::-1]
    aligned = torch.empty_like(frames.images)
    for image, back, step in zip(frames.images, aligned, shifts, strict=True):
        back[:] = inverse(shift(transform(image), (height, width), *step), (height, width))
    tall, wide = _patch_size(frames)
    window = _half_sine(tall, frames)[:, None] * _half_sine(wide, frames)
    tops, lefts = (
        np.linspace(0, size - part, _PATCHES).round().astype(int) for size, part in ((height, tall), (width, wide))
    )

    def patches() -> Iterator[Spectra]:
        for top in tops:
            for left in lefts:
                patch = aligned[:, top : top + tall, left : left + wide]
                patch = (patch - patch.mean(dim=(1, 2), keepdim=True)) * window
                yield Spectra.of(patch, frames.pixel_size, finest=_GROWTH * whole.finest)

    x, y = np.meshgrid((lefts + wide / 2) / width - 0.5, (tops + tall / 2) / height - 0.5)
    share = height * width / (_PATCHES**2 * tall * wide)
    return Spectra.stack(patches(), len(tops) * len(lefts)), x.ravel(), y.ravel(), min(share, 1.0)


def _patch_size(frames: CoarseFrames) -> tuple[int, int]:
    height, width = (2 * (size // (_PATCHES + 1)) for size in frames.images.shape[1:])
    return height, width


def _fit(spectra: Spectra, basis: Array, doses: Array, *, start: Array, share: float) -> tuple[Array, Array, float]:
    """Find the path of all patches and the coefficients of `basis`.

    A patch p moves in frame t by ``path[t] - start[t] + basis[p, t] @ coefficients`` further than by `start`, which
    is in the spectra already.

    Returns
    -------
    path : numpy.ndarray
        Shape ``(frames, 2)``, in Å; `start` where the frames share no signal.
    coefficients : numpy.ndarray
        Shape ``(terms, 2)``, in Å.
    finest : float
        See `Paths`.
    """
    patches, frames, terms = basis.shape
    design = np.concatenate([np.broadcast_to(np.eye(frames), (patches, frames, frames)), basis], axis=2)
    overlap = np.einsum("ptk,ptl->kl", design, design)
    begun = np.concatenate([start, np.zeros((terms, 2))])
    found = begun.copy()
    finest = 0.0
    for _ in range(_ROUNDS):
        weights = measure_weights(spectra, design @ (found - begun))
        if weights is None:
            return start, np.zeros((terms, 2)), 0.0
        changed = weights.finest != finest
        finest = weights.finest
        band = spectra.up_to(finest)
        curvature = share * weights.information * overlap
        before = found.copy()
        for _ in range(_STEPS):
            step = _step(band, weights, design, curvature, found, begun, doses, share)
            found += step
            found[:frames] -= found[0].copy()
            if np.abs(step).max() < _SMALL_STEP:
                break
        if not changed and np.abs(found - before).max() < _SMALL_STEP:
            break
    return found[:frames], found[frames:], finest


def _step(
    band: Spectra,
    weights: Weights,
    design: Array,
    curvature: Array,
    found: Array,
    begun: Array,
    doses: Array,
    share: float,
) -> Array:
    """Return Newton's step for paths and coefficients."""
    frames = band.frames
    slope = share * np.einsum("ptk,pta->ka", design, slopes(band, weights, design @ (found - begun)))
    prior = np.zeros_like(curvature)
    per_frame = curvature[0, 0]
    prior[:frames, :frames] = path_precision(found[:frames] + slope[:frames] / per_frame, 1 / per_frame, doses)
    prior[:frames, :frames] += np.eye(frames) * (1e-9 * per_frame)  # else a constant is free
    if len(found) > frames:
        # What the frames tell of the coefficients once the paths have been fitted to them.
        path = curvature[:frames, :frames] + prior[:frames, :frames]
        through = np.linalg.solve(path, curvature[:frames, frames:]).T
        own = curvature[frames:, frames:] - through @ curvature[:frames, frames:]
        covariance = np.asarray(np.linalg.inv(own), np.float64)
        pull = slope[frames:] - through @ (slope[:frames] - prior[:frames, :frames] @ found[:frames])
        prior[frames:, frames:] = local_precision(found[frames:] + covariance @ pull, covariance)
    step: Array = np.linalg.solve(curvature + prior, slope - prior @ found)
    return step


def _edge(size: int, frames: CoarseFrames) -> torch.Tensor:
    """Return weights that rise along a quarter of a sine over `_TAPER` of the size at both ends."""
    place = (torch.arange(size, device=frames.images.device) + 0.5) / size
    return torch.sin(torch.clamp(torch.minimum(place, 1 - place) / _TAPER, max=1) * (torch.pi / 2))


def _half_sine(size: int, frames: CoarseFrames) -> torch.Tensor:
    place = (torch.arange(size, device=frames.images.device) + 0.5) / size
    return torch.sin(torch.pi * place)
