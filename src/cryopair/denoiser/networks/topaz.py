"""The two-dimensional denoisers of Topaz (Bepler, Kelley, Noble, Berger 2020), for its trained weights.

The layers and their names are Topaz's, so that its weight files fit; the arithmetic is done another way, with
the same result to float rounding: most of the work of the U-Net is to convolve images that were just enlarged
by two (see `phases`). Nothing is enlarged or joined in memory, and the finest levels are decoded block by block.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .base import Network, Place, in_all
from .phases import SLOPE, convolve_doubled, convolve_to_one, first_halved, float32, rectified

TOP_CHANNELS = (64, 32)
"""Channels of the two hidden layers at full resolution."""
BLOCK = 512
"""Side in pixels of the blocks that the finest levels are decoded in: bounds their memory at about 200 MB."""

_FINEST = 2  # levels that are decoded in blocks


class TopazNetwork(Network):
    """What Topaz's denoisers have in common: images of any size, zero beyond their borders."""

    padded = False
    grey_levels = "mean-std"

    def __init__(self, **hyper_parameters: int) -> None:
        super().__init__()
        self.dimensions = 2
        self.hyper_parameters = hyper_parameters


class TopazUNet(TopazNetwork):
    """Topaz's ``unet`` and ``unet-small``.

    Parameters
    ----------
    levels : int
        Times that the image is made smaller by two: 5 in ``unet``, 3 in ``unet-small``.
    channels : int
        On the way down; twice as many on the way up.
    base_kernel, top_kernel : int
        Sides of the first kernel, and of the kernels of the last three layers.
    """

    bytes_per_pixel = 140

    def __init__(self, *, levels: int = 5, channels: int = 48, base_kernel: int = 11, top_kernel: int = 5) -> None:
        super().__init__(levels=levels, channels=channels, base_kernel=base_kernel, top_kernel=top_kernel)
        self.levels = levels
        self.grid = 2**levels
        self.receptive_radius = _reach_down(levels, base_kernel // 2) + _reach_up(levels, top_kernel // 2)
        self.enc1 = _layers((1, channels), kernel=base_kernel)
        for level in range(1, levels + 1):
            self.add_module(f"enc{level + 1}", _layers((channels, channels), kernel=3))
        wide, below = 2 * channels, channels
        for level in range(levels - 1, 0, -1):
            self.add_module(f"dec{level + 1}", _layers((below + channels, wide, wide), kernel=3))
            below = wide
        self.dec1 = _layers((wide + 1, *TOP_CHANNELS, 1), kernel=top_kernel)

    def forward(self, image: Tensor, *, place: Place | None = None) -> Tensor:
        """Denoise normalised images.

        Parameters
        ----------
        image : torch.Tensor
            Shape ``(batch, 1, height, width)``, of any size: a whole image or a tile of one.
        place : Place, optional
            Of the tile, since nearest neighbours in an image of odd size depend on where one is; by default
            it is the whole image.

        Returns
        -------
        torch.Tensor
            Same shape, float32; zero outside the core.
        """
        size = tuple(image.shape[2:])
        place = place or Place.whole(size)
        with float32(image.device):
            skips = [image, first_halved(image, *self._convolutions("enc1"))]
            for level in range(1, self.levels):
                (convolution,) = self._convolutions(f"enc{level + 1}")
                skips.append(rectified(functional.max_pool2d(convolution(skips[-1]), 2)))
            (convolution,) = self._convolutions(f"enc{self.levels + 1}")
            x = rectified(convolution(skips.pop()))
            for level in range(self.levels - 1, _FINEST - 1, -1):
                x = self._decode(level, x, skips.pop(), place)
        denoised = image.new_zeros(image.shape, dtype=torch.float32)
        reach = _reach_up(_FINEST, self._convolutions("dec1")[0].kernel_size[0] // 2)
        for core, region in _blocks(place.core, size, side=BLOCK, margin=-(-reach // 2**_FINEST) * 2**_FINEST):
            denoised[in_all(core)] = self._finest(x, skips, place, core, region)
        return denoised

    def _finest(
        self, x: Tensor, skips: Sequence[Tensor], place: Place, core: tuple[slice, ...], region: tuple[slice, ...]
    ) -> Tensor:
        """Decode the finest levels in a region of the tile, and return its core."""
        origin = tuple(o + part.start for o, part in zip(place.origin, region, strict=True))
        part = Place(origin, place.size, core)
        x = x[in_all(_at(_FINEST, region))]
        for level in range(_FINEST - 1, -1, -1):
            x = self._decode(level, x, skips[level][in_all(_at(level, region))], part)
        inner = tuple(slice(c.start - r.start, c.stop - r.start) for c, r in zip(core, region, strict=True))
        return x[in_all(inner)].float()

    def _decode(self, level: int, x: Tensor, skip: Tensor, place: Place) -> Tensor:
        """Enlarge `x` to a finer level, join it with what was there on the way down, and convolve."""
        first, *others = self._convolutions(f"dec{level + 1}")
        fine, coarse = (tuple(length >> at for length in place.size) for at in (level, level + 1))
        if all(many == 2 * few for many, few in zip(fine, coarse, strict=True)):
            x = convolve_doubled(x, skip, first)
        else:
            for axis, (many, few) in enumerate(zip(fine, coarse, strict=True)):
                start, length = place.origin[axis] >> level, skip.shape[2 + axis]
                nearest = _nearest(few, many, x.device)[start : start + length] - (place.origin[axis] >> level + 1)
                x = x.index_select(2 + axis, nearest.clamp_(0, x.shape[2 + axis] - 1))
            x = first(torch.cat([x, skip.to(x.dtype)], dim=1))
        if level:
            for convolution in others:
                x = convolution(rectified(x))
            return rectified(x)
        second, last = others
        return convolve_to_one(rectified(second(rectified(x))), last)

    def _convolutions(self, name: str) -> list[nn.Conv2d]:
        return [layer for layer in self.get_submodule(name).children() if isinstance(layer, nn.Conv2d)]


class TopazFCNN(TopazNetwork):
    """Topaz's ``fcnn``: three convolutions at full resolution.

    Parameters
    ----------
    channels : int
        Of the two hidden layers.
    kernel : int
        Side of all kernels.
    """

    grid = 1

    def __init__(self, *, channels: int = 64, kernel: int = 11) -> None:
        super().__init__(channels=channels, kernel=kernel)
        self.receptive_radius = 3 * (kernel // 2)
        self.bytes_per_pixel = 8 * channels + 8 * kernel**2
        self.net = _layers((1, channels, channels, 1), kernel=kernel)

    def forward(self, image: Tensor, *, place: Place | None = None) -> Tensor:
        """Denoise normalised images, shape ``(batch, 1, height, width)``; `place` makes no difference."""
        first, second, third = (layer for layer in self.net if isinstance(layer, nn.Conv2d))
        with float32(image.device):
            x = rectified(first(image)).contiguous(memory_format=torch.channels_last)
        return convolve_to_one(rectified(second(x)), third)


class TopazAffine(TopazNetwork):
    """Topaz's ``affine``: one convolution, a Wiener filter that was learnt.

    Parameters
    ----------
    kernel : int
        Side of the kernel.
    """

    grid = 1
    bytes_per_pixel = 16

    def __init__(self, *, kernel: int = 31) -> None:
        super().__init__(kernel=kernel)
        self.receptive_radius = kernel // 2
        self.filter = _convolution(1, 1, kernel)

    def forward(self, image: Tensor, *, place: Place | None = None) -> Tensor:
        """Denoise normalised images, shape ``(batch, 1, height, width)``; `place` makes no difference."""
        with float32(image.device):  # bfloat16 is no faster with one channel
            return self.filter(image)


def _layers(channels: Sequence[int], *, kernel: int) -> nn.Sequential:
    """Convolutions with a rectifier after each, in which they have the numbers 0, 2, 4 as in Topaz's files."""
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(channels):
        layers += [_convolution(inputs, outputs, kernel), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers)


def _convolution(inputs: int, outputs: int, kernel: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)


def _nearest(few: int, many: int, device: torch.device) -> Tensor:
    """Return which of `few` pixels is nearest to each of `many`, as torch rounds it."""
    return functional.interpolate(torch.arange(few, dtype=torch.float32, device=device)[None, None], many)[0, 0].long()


def _reach_down(levels: int, base_radius: int) -> int:
    """Return how far beyond its place a pixel of the coarsest level sees, in pixels of the image."""
    return base_radius + sum(2**level for level in range(1, levels + 1))


def _reach_up(levels: int, top_radius: int) -> int:
    """Return how far beyond its place a pixel sees on the way up from a level, in pixels of the image.

    Three convolutions at the finest level, two at the others; and nearest neighbours in images of odd size lie up
    to two pixels back.
    """
    return (
        3 * top_radius
        + sum(2 * 2**level for level in range(1, levels))
        + sum(2**level for level in range(1, levels + 1))
    )


def _blocks(
    core: tuple[slice, ...], size: tuple[int, ...], *, side: int, margin: int
) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """Cut a core into blocks of about `side` pixels; yield the core and the region of each."""
    axes = []
    for part, length in zip(core, size, strict=True):
        starts = range(part.start, part.stop, side)
        cuts = [(start, min(start + side, part.stop)) for start in starts]
        axes.append([(slice(a, b), slice(max(a - margin, 0), min(b + margin, length))) for a, b in cuts])
    for rows, columns in itertools.product(*axes):
        yield (rows[0], columns[0]), (rows[1], columns[1])


def _at(level: int, region: tuple[slice, ...]) -> tuple[slice, ...]:
    """Return a region in pixels of a level."""
    return tuple(slice(part.start >> level, part.stop >> level) for part in region)
