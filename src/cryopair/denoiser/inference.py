"""Denoise whole micrographs of any size, in tiles that leave no trace.

A tile gives what the whole image would give if its place is a multiple of the network's grid, its margin is
at least the network's reach (and on the grid too), and the normalisation is that of the whole image.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from ..device import fast_precision, out_of_memory
from ..errors import CryopairError, DeviceError
from . import grey_levels
from .model import Ensemble, Model
from .networks.base import Network, Place, in_all
from .sampling import resample, resampled_shape

MEMORY = 1.5e9
"""Bytes that a tile may take on the CPU."""
SHARE = 0.6
"""Of the free memory of a GPU, which a tile may take."""
SIDES = (16384, 8192, 4096, 2048, 1024, 512, 256, 128, 64)
"""Sides of tiles on a GPU: few, so that what else is on it seldom changes them and so the rounding of results."""
SMALLEST = 64
"""Side of the smallest tile that is tried when memory runs out."""

_computing = threading.Lock()  # one micrograph has the device, and the memory for its tiles


@dataclass(frozen=True)
class Tile:
    """A region with its margin, and where its core lies; slices in pixels of the padded image."""

    region: tuple[slice, ...]
    core: tuple[slice, ...]
    core_in_region: tuple[slice, ...]


def micrographs_in_work(device: torch.device | str) -> int:
    """Return how many micrographs to have in work: while one is in a network, others are read, resampled or written.

    On a CPU that takes about as long as the network does. A GPU should wait for it longer; how many it wants has not
    been measured.
    """
    return 2 if torch.device(device).type == "cpu" else 6


def denoise_micrograph(
    image: npt.NDArray,
    model: Model | Ensemble,
    *,
    pixel_size: float,
    device: torch.device | str = "cpu",
    name: str | Path = "image",
) -> npt.NDArray[np.float32]:
    """Denoise a micrograph with a model, or with several and average, at the pixel size each was trained at.

    A micrograph of finer pixels is resampled to the model's, and the result back: the same pixels come out, and
    what only noise reaches costs no time. One of coarser pixels is taken as it is.

    Parameters
    ----------
    image : numpy.ndarray
        Shape ``(height, width)``.
    model : Model or Ensemble
        Its networks are moved to `device`.
    pixel_size : float
        Of the image, in Å/px.
    device : torch.device or str
        Where to compute.
    name : str or Path
        What to call the image in an error.

    Returns
    -------
    numpy.ndarray
        Shape ``(height, width)``.

    Raises
    ------
    BadFileError, CryopairError
        As `denoise` does.
    """
    height, width = image.shape

    def denoised(member: Model) -> npt.NDArray[np.float32]:
        target = member.pixel_size or pixel_size
        working = resample(image, resampled_shape((height, width), pixel_size=pixel_size, target=target))
        return resample(denoise(working, member.network, device=device, name=name), (height, width))

    return reduce(np.add, map(denoised, model.members)) / np.float32(len(model.members))


def denoise(
    image: npt.NDArray,
    network: Network,
    *,
    device: torch.device | str = "cpu",
    tile: int | None = None,
    exact: bool = False,
    name: str | Path = "image",
) -> npt.NDArray[np.float32]:
    """Denoise a micrograph, in its own grey levels, background kept.

    Parameters
    ----------
    image : numpy.ndarray
        Shape ``(height, width)``.
    network : Network
        Moved to `device`.
    device : torch.device or str
        Where to compute.
    tile : int, optional
        Side of the tiles in pixels, without margin; by default as large as memory allows.
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
    DeviceError
        When memory does not suffice for the smallest tiles.
    """
    levels = grey_levels.measure(image, network, name=name)
    denoised = denoise_normalised(levels.apply(image), network, device=device, tile=tile, exact=exact)
    if not np.isfinite(denoised).all():
        raise CryopairError(f"{name}: the denoised image has NaN or infinite pixels; train the model again.")
    if np.ptp(denoised) == 0:
        raise CryopairError(f"{name}: the denoised image is constant; the model has not learnt anything from it.")
    return levels.undo(denoised)


@torch.inference_mode()
def denoise_normalised(
    image: npt.NDArray[np.float32],
    network: Network,
    *,
    device: torch.device | str = "cpu",
    tile: int | None = None,
    exact: bool = False,
) -> npt.NDArray[np.float32]:
    """Denoise a normalised image or volume in normalised units; parameters as of `denoise`.

    When memory runs out, it is tried again with smaller tiles.
    """
    device = torch.device(device)
    network = network.to(device)
    whole = torch.from_numpy(np.ascontiguousarray(image))[None, None]
    if network.padded:
        whole = _pad_to_grid(whole, network.grid)
    side = min(tile or _tile_side(tuple(whole.shape[2:]), network, device), max(whole.shape[2:]))
    while True:
        try:
            with _computing:
                denoised = _in_tiles(whole, network, side=side, device=device, exact=exact)
            return denoised[0, 0][tuple(slice(size) for size in image.shape)].numpy()
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
        if device.type == "cuda":
            torch.cuda.empty_cache()
        if side // 2 < SMALLEST:
            raise DeviceError(
                f"{device}: not enough memory to denoise even in tiles of {side} px; wait until other programs have "
                "ended, or choose another device."
            )
        side //= 2


def tiles(sizes: tuple[int, ...], *, side: int, grid: int, radius: int) -> Iterator[Tile]:
    """Cut an image into cores of `side` pixels (rounded up to the grid) with margins that make them exact.

    Parameters
    ----------
    sizes : tuple of int
        Of the image along each axis.
    side : int
        Wanted side of the cores in pixels.
    grid, radius : int
        Of the network (see `Network`).
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


def _in_tiles(whole: torch.Tensor, network: Network, *, side: int, device: torch.device, exact: bool) -> torch.Tensor:
    """Denoise ``(1, 1, ...)`` on `device`, tile by tile; the result is on the CPU."""
    sizes = tuple(whole.shape[2:])
    whole = whole.to(device)  # all of it at once: small beside what a network needs for one tile
    output = torch.empty_like(whole)
    with ExitStack() as settings:
        if not exact:
            settings.enter_context(fast_precision(device))
        if device.type == "cuda":
            settings.enter_context(torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=not exact))
        for tile in tiles(sizes, side=side, grid=network.grid, radius=network.receptive_radius):
            part = whole[in_all(tile.region)]
            if network.padded:
                denoised = network(part)
            else:
                origin = tuple(axis.start for axis in tile.region)
                denoised = network(part, place=Place(origin, sizes, tile.core_in_region))
            output[in_all(tile.core)] = denoised[in_all(tile.core_in_region)]
    return output.cpu()


def _tile_side(sizes: tuple[int, ...], network: Network, device: torch.device) -> int:
    """Return the side of tiles that memory allows, and that cuts the longest axis into equal parts.

    On the CPU it depends on the image only, not on the memory that happens to be free, so that a rerun gives equal
    bytes.
    """
    longest = max(sizes)
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        allowed = (SHARE * free / network.bytes_per_pixel) ** (1 / len(sizes))
        largest = next((side for side in SIDES if side + 2 * network.receptive_radius <= allowed), SMALLEST)
    else:
        largest = int((MEMORY / network.bytes_per_pixel) ** (1 / len(sizes)))
    parts = -(-longest // largest)
    return _up_to_multiple(-(-longest // parts), network.grid)


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
