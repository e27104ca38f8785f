"""The central windows of a micrograph's halves, raw and denoised: enough of it to measure, at a part of the cost."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from ..denoiser import grey_levels
from ..denoiser.grey_levels import GreyLevels
from ..denoiser.inference import denoise_normalised
from ..denoiser.model import Ensemble, Model
from ..denoiser.normalise import Normalisation
from ..denoiser.sampling import resample, resampled_shape
from ..errors import BadFileError
from ..formats.mrc import read_mrc

WINDOW = 1024
"""Side of the central window that is measured, in pixels."""

_INTERPOLATED = 64  # pixels that interpolation reaches: beyond, unknown ones change less than a hundredth

Image = npt.NDArray[np.float32]
Halves = tuple[Image, Image]
Window = tuple[slice, ...]


def central(shape: tuple[int, ...], side: int = WINDOW) -> Window:
    """Return the central window of an image, at most `side` pixels along each axis."""
    starts = [max(0, size - side) // 2 for size in shape]
    return tuple(slice(start, min(start + side, size)) for start, size in zip(starts, shape, strict=True))


def read_halves(even: str | Path, odd: str | Path) -> Halves:
    """Read both halves of a micrograph.

    Raises
    ------
    BadFileError
        When one is missing or damaged, or they differ in size.
    """
    images = read_mrc(even), read_mrc(odd)
    if images[0].shape != images[1].shape:
        raise BadFileError(odd, f"has shape {images[1].shape}", expected=f"{images[0].shape}, as {even} has")
    return images


def windows_of(
    halves: Halves,
    names: tuple[str, str],
    model: Model | Ensemble,
    *,
    pixel_size: float,
    device: torch.device | str = "cpu",
) -> tuple[Halves, list[Halves]]:
    """Return the central windows of both halves, raw and as each member of a model denoises them.

    Parameters
    ----------
    halves : tuple of numpy.ndarray
        Even and odd, shape ``(height, width)``.
    names : tuple of str
        What to call them in an error.
    model : Model or Ensemble
        Its networks are moved to `device`.
    pixel_size : float
        In Å/px.
    device : torch.device or str
        Where to compute.

    Returns
    -------
    tuple of numpy.ndarray
        Even and odd raw window, without background and in units of the noise of the half.
    list of tuple of numpy.ndarray
        Even and odd denoised window of each member, in the same units.
    """
    raw: list[Image] = []
    denoised: list[list[Image]] = []
    for image, name in zip(halves, names, strict=True):
        levels, window = Normalisation.of(image, name=name), central(image.shape)
        raw.append(normalised_window(image, levels, window))
        denoised.append(denoised_window(image, model, levels, window, pixel_size=pixel_size, device=device))
    return (raw[0], raw[1]), list(zip(*denoised, strict=True))


def mean_halves(members: Sequence[Halves]) -> Halves:
    """Average what several models made of the halves."""
    if len(members) == 1:
        return members[0]
    return np.mean([even for even, _ in members], axis=0), np.mean([odd for _, odd in members], axis=0)


def normalised_window(image: npt.NDArray, levels: Normalisation, window: Window) -> Image:
    """Return a window without its background, in units of the noise of the whole image."""
    return levels.apply(image[window], origin=_origin(window))


def denoised_window(
    image: npt.NDArray,
    model: Model | Ensemble,
    levels: Normalisation,
    window: Window,
    *,
    pixel_size: float,
    device: torch.device | str = "cpu",
) -> list[Image]:
    """Denoise a window with each member of a model, as if the whole image had been denoised.

    Only the window and the network's reach around it are given to the network, on its grid and in the grey levels
    of the whole image.

    Parameters
    ----------
    image : numpy.ndarray
        One half, shape ``(height, width)``.
    model : Model or Ensemble
        Its networks are moved to `device`.
    levels : Normalisation
        Of the whole image.
    window : tuple of slice
        Rows and columns that are wanted.
    pixel_size : float
        Of the image, in Å/px.
    device : torch.device or str
        Where to compute.

    Returns
    -------
    list of numpy.ndarray
        One for each member, in the units of `normalised_window`.
    """
    background = levels.background(origin=_origin(window), shape=_shape(window))
    return [
        (_in_its_levels(image, member, levels, window, pixel_size=pixel_size, device=device) - background)
        / np.float32(levels.scale)
        for member in model.members
    ]


def _in_its_levels(
    image: npt.NDArray,
    model: Model,
    levels: Normalisation,
    window: Window,
    *,
    pixel_size: float,
    device: torch.device | str,
) -> Image:
    """Return the denoised window in the grey levels of the image."""
    network = model.network
    height, width = image.shape
    shape = resampled_shape((height, width), pixel_size=pixel_size, target=model.pixel_size or pixel_size)
    working = resample(image, shape)
    own: GreyLevels = levels
    if shape != image.shape or network.grey_levels != "background":
        own = grey_levels.measure(working, network)
    reach = max(network.receptive_radius, _INTERPOLATED) + network.grid
    region = tuple(
        slice(
            _down_to_multiple(part.start * new // old - reach, network.grid),
            min(new, -(-part.stop * new // old) + reach),
        )
        for part, old, new in zip(window, image.shape, shape, strict=True)
    )
    denoised = denoise_normalised(own.apply(working[region], origin=_origin(region)), network, device=device)
    if shape == image.shape:
        core = tuple(
            slice(part.start - around.start, part.stop - around.start)
            for part, around in zip(window, region, strict=True)
        )
        return own.undo(denoised[core], origin=_origin(window))
    whole = own.undo(np.zeros(shape, np.float32))  # the background: beyond the region nothing else is known
    whole[region] = own.undo(denoised, origin=_origin(region))
    rows, columns = (
        _interpolation(old, new, wanted.start, wanted.stop)
        for old, new, wanted in zip(shape, image.shape, window, strict=True)
    )
    return np.asarray(rows @ whole @ columns.T, np.float32)


@lru_cache(maxsize=4)
def _interpolation(old: int, new: int, start: int, stop: int) -> Image:
    """Return the matrix by which `resample` brings `old` pixels to some of `new`, shape ``(stop - start, old)``."""
    return resample(np.eye(old, dtype=np.float32), (new, old))[start:stop].copy()


def _down_to_multiple(start: int, grid: int) -> int:
    return max(0, start // grid * grid)


def _origin(window: Window) -> tuple[int, int]:
    return window[0].start, window[1].start


def _shape(window: Window) -> tuple[int, int]:
    return window[0].stop - window[0].start, window[1].stop - window[1].start
