"""Denoise whole micrographs of any size, in tiles that leave no trace.

A tile gives what the whole image would give if its place is a multiple of the network's grid, its margin is
at least the network's reach (and on the grid too), and the normalisation is that of the whole image.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from ..device import fast_precision
from ..errors import CryopairError
from .networks.unet import UNet
from .normalise import Normalisation

LARGEST_TILE = {2: 2048, 3: 128}
"""Side of the largest tile in pixels, by dimensions: bounds memory at about 1.5 GB for the default network."""


@dataclass(frozen=True)
class Tile:
    """A region with its margin, and where its core lies; slices in pixels of the padded image."""

    region: tuple[slice, ...]
    core: tuple[slice, ...]
    core_in_region: tuple[slice, ...]


def denoise(
    image: npt.NDArray,
    network: UNet,
    *,
    device: torch.device | str = "cpu",
    normalisation: Normalisation | None = None,
    tile: int | None = None,
    exact: bool = False,
    name: str | Path = "image",
) -> npt.NDArray[np.float32]:
    """Denoise a micrograph, in its own grey levels, background kept.

    Parameters
    ----------
    image : numpy.ndarray
        Shape ``(height, width)``.
    network : UNet
        Moved to `device`.
    device : torch.device or str
        Where to compute.
    normalisation : Normalisation, optional
        Of this image, if known already.
    tile : int, optional
        Side of the tiles in pixels, without margin; by default as few tiles as `LARGEST_TILE` allows.
    exact : bool
        Compute in float32 even where bfloat16 is faster.
    name : str or Path
        What to call the image in an error.

    Returns
    -------
    numpy.ndarray
        Shape ``(height, width)``.

    Raises
    ------
    BadFileError
        When the image is constant or has NaN pixels.
    CryopairError
        When the network's output is constant or not finite.
    """
    normalisation = normalisation or Normalisation.of(image, name=name)
    denoised = denoise_normalised(normalisation.apply(image), network, device=device, tile=tile, exact=exact)
    if not np.isfinite(denoised).all():
        raise CryopairError(f"{name}: the denoised image has NaN or infinite pixels; train the model again.")
    if np.ptp(denoised) == 0:
        raise CryopairError(f"{name}: the denoised image is constant; the model has not learnt anything from it.")
    return normalisation.undo(denoised)


@torch.inference_mode()
def denoise_normalised(
    image: npt.NDArray[np.float32],
    network: UNet,
    *,
    device: torch.device | str = "cpu",
    tile: int | None = None,
    exact: bool = False,
) -> npt.NDArray[np.float32]:
    """Denoise a normalised image or volume in normalised units; parameters as of `denoise`."""
    device = torch.device(device)
    network = network.to(device)
    padded = _pad_to_grid(torch.from_numpy(np.ascontiguousarray(image))[None, None], network.grid)
    sizes = tuple(padded.shape[2:])
    side = tile or _tile_side(sizes, network)
    output = torch.empty_like(padded)
    with nullcontext() if exact else fast_precision(device):
        for part in tiles(sizes, side=side, grid=network.grid, radius=network.receptive_radius):
            denoised = network(padded[_in_all(part.region)].to(device))
            output[_in_all(part.core)] = denoised[_in_all(part.core_in_region)].to("cpu", torch.float32)
    return output[0, 0][tuple(slice(size) for size in image.shape)].numpy()


def tiles(sizes: tuple[int, ...], *, side: int, grid: int, radius: int) -> Iterator[Tile]:
    """Cut an image into cores of `side` pixels (rounded up to the grid) with margins that make them exact.

    Parameters
    ----------
    sizes : tuple of int
        Of the image along each axis, multiples of `grid`.
    side : int
        Wanted side of the cores in pixels.
    grid, radius : int
        Of the network (see `UNet`).
    """
    side = _up_to_multiple(side, grid)
    margin = _up_to_multiple(radius, grid)
    for origin in itertools.product(*(range(0, size, side) for size in sizes)):
        ends = [min(start + side, size) for start, size in zip(origin, sizes, strict=True)]
        # No margin beyond the image: there the network meets the same border as in the whole image.
        begins = [max(start - margin, 0) for start in origin]
        stops = [min(end + margin, size) for end, size in zip(ends, sizes, strict=True)]
        yield Tile(
            region=tuple(slice(b, s) for b, s in zip(begins, stops, strict=True)),
            core=tuple(slice(o, e) for o, e in zip(origin, ends, strict=True)),
            core_in_region=tuple(slice(o - b, e - b) for o, e, b in zip(origin, ends, begins, strict=True)),
        )


def _tile_side(sizes: tuple[int, ...], network: UNet) -> int:
    """Return the side that cuts the longest axis into as few equal parts as `LARGEST_TILE` allows.

    It depends on the image only, not on the memory that happens to be free, so that a rerun gives equal bytes.
    """
    longest = max(sizes)
    parts = -(-longest // LARGEST_TILE[network.dimensions])
    return _up_to_multiple(-(-longest // parts), network.grid)


def _in_all(region: tuple[slice, ...]) -> tuple[slice, ...]:
    """Return the index of a region in all images and channels of a batch."""
    return (slice(None), slice(None), *region)


def _pad_to_grid(image: torch.Tensor, grid: int) -> torch.Tensor:
    """Pad the end of each axis of ``(1, 1, ...)`` by reflection to a multiple of `grid`."""
    missing = [_up_to_multiple(size, grid) - size for size in image.shape[2:]]
    if not any(missing):
        return image
    widths = [width for size in reversed(missing) for width in (0, size)]
    # An axis shorter than what it lacks cannot be reflected.
    small = any(lack >= size for lack, size in zip(missing, image.shape[2:], strict=True))
    return functional.pad(image, widths, mode="replicate" if small else "reflect")


def _up_to_multiple(size: int, grid: int) -> int:
    return -(-size // grid) * grid
