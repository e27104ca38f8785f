"""The denoising network: a U-Net that works on pixels regrouped 2 x 2, in two or three dimensions.

Regrouping (a space-to-depth stem) makes each layer four times cheaper without losing a pixel, and doubles
the reach of the network. There is no normalisation layer, so that the output at a pixel depends on its
surroundings only and tiles are exact. Nothing in the way up can draw a grid: upsampling is linear, and what
the last regrouping leaves at the grid's own frequencies is removed by a filter that is zero there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .base import Network

STEM = 2
"""Pixels per side that the stem gathers into channels."""
KERNEL = 3

_CONV = {2: nn.Conv2d, 3: nn.Conv3d}
_MEAN = {2: functional.avg_pool2d, 3: functional.avg_pool3d}
_LINEAR = {2: "bilinear", 3: "trilinear"}


class UNet(Network):
    """U-Net from one channel to one channel, over images ``(batch, 1, height, width)`` or volumes.

    Parameters
    ----------
    channels : sequence of int
        Channels of each level, from fine to coarse.
    dimensions : {2, 3}
        Of the images.

    Attributes
    ----------
    grid : int
        Sizes of the input, and offsets between tiles, must be multiples of this many pixels.
    receptive_radius : int
        The output at a pixel depends on no input further away than this, in pixels along any axis.
    hyper_parameters : dict
        What `UNet` was made with; ``UNet(**hyper_parameters)`` makes another.
    """

    def __init__(self, *, channels: Sequence[int] = (32, 48, 64, 96), dimensions: int = 2) -> None:
        super().__init__()
        self.hyper_parameters = {"channels": list(channels), "dimensions": dimensions}
        self.dimensions = dimensions
        self.grid = STEM * 2 ** (len(channels) - 1)
        self.receptive_radius = _receptive_radius(len(channels))
        cells = STEM**dimensions
        fine, coarse = list(channels[:-1]), list(channels[1:])
        self.down = nn.ModuleList(_block(i, o, dimensions) for i, o in zip([cells, *fine], channels, strict=True))
        self.lift = nn.ModuleList(_convolution(i, o, dimensions, 1) for i, o in zip(coarse, fine, strict=True))
        self.up = nn.ModuleList(_block(skip, skip, dimensions) for skip in fine)
        self.last = _CONV[dimensions](channels[0], cells, KERNEL, padding=KERNEL // 2)
        nn.init.zeros_(self.last.weight)  # start from the mean, the best guess before anything is learnt
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, image: Tensor) -> Tensor:
        """Denoise normalised images; sizes must be multiples of `grid`.

        Parameters
        ----------
        image : torch.Tensor
            Shape ``(batch, 1, height, width)`` (or ``(batch, 1, depth, height, width)``).

        Returns
        -------
        torch.Tensor
            Same shape, float32.
        """
        x = _gather(image, self.dimensions)
        if self.dimensions == 2:
            x = x.contiguous(memory_format=torch.channels_last)
        skips: list[Tensor] = []
        for block in self.down:
            if skips:
                x = _MEAN[self.dimensions](x, 2)
            x = block(x)
            skips.append(x)
        skips.pop()
        for lift, block in zip(reversed(self.lift), reversed(self.up), strict=True):
            # Fewer channels first, then more pixels, and a sum in place of more channels: half the arithmetic and
            # memory of the usual concatenation at the finest level, where nearly all of both is.
            x = block(_doubled(lift(x)).add_(skips.pop()))
        return _without_grid(_scatter(self.last(x).float(), self.dimensions))


def _block(inputs: int, outputs: int, dimensions: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [_convolution(channels, outputs, dimensions, KERNEL), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def _convolution(inputs: int, outputs: int, dimensions: int, kernel: int) -> nn.Module:
    convolution = _CONV[dimensions](inputs, outputs, kernel, padding=kernel // 2)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
    return convolution


def _gather(image: Tensor, dimensions: int) -> Tensor:
    """Space to depth: ``(batch, 1, h, w)`` → ``(batch, STEM², h/STEM, w/STEM)``, for any dimensions."""
    batch, sizes = image.shape[0], image.shape[2:]
    split = image.reshape(batch, *(part for size in sizes for part in (size // STEM, STEM)))
    cells = [2 + 2 * axis for axis in range(dimensions)]
    places = [1 + 2 * axis for axis in range(dimensions)]
    gathered = split.permute(0, *cells, *places)
    return gathered.reshape(batch, STEM**dimensions, *(size // STEM for size in sizes))


def _scatter(cells: Tensor, dimensions: int) -> Tensor:
    """Depth to space, the inverse of `_gather`."""
    batch, sizes = cells.shape[0], cells.shape[2:]
    split = cells.reshape(batch, *[STEM] * dimensions, *sizes)
    order = [place for axis in range(dimensions) for place in (1 + dimensions + axis, 1 + axis)]
    return split.permute(0, *order).reshape(batch, 1, *(size * STEM for size in sizes))


def _doubled(x: Tensor) -> Tensor:
    """Enlarge each axis by two, linearly."""
    return _enlarged(x) if x.is_cpu else Doubling.apply(x)


def _enlarged(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode=_LINEAR[x.ndim - 2])


class Doubling(torch.autograd.Function):
    """Linear enlargement by two for GPUs, with gradients that are the same bits each time.

    torch's own gradient adds up in any order on a GPU, or, where it must not, goes a way that torch itself calls slow.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Enlarge by torch's own operator: the gradient only is another."""
        operator = torch.ops.aten.upsample_bilinear2d if x.ndim == 4 else torch.ops.aten.upsample_trilinear3d
        return operator.vec(x, None, False, [2.0] * (x.ndim - 2))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """Gather for each pixel ``(1, 3, 3, 1) / 4`` of the four that it went into; borders went into themselves."""
        kind, gradient = gradient.dtype, gradient.float()
        for axis in range(2, gradient.ndim):
            first, second = gradient.unflatten(axis, (-1, 2)).unbind(axis + 1)
            inner = first.shape[axis] - 1
            before = torch.cat([first.narrow(axis, 0, 1), second.narrow(axis, 0, inner)], dim=axis)
            after = torch.cat([first.narrow(axis, 1, inner), second.narrow(axis, inner, 1)], dim=axis)
            gradient = 0.75 * (first + second) + 0.25 * (before + after)
        return gradient.to(kind)


def _without_grid(image: Tensor) -> Tensor:
    """Filter each axis by (1, 2, 1)/4: exactly zero at the period of `STEM` = 2 pixels, where a grid would be.

    The network learns to make up for the loss at all other frequencies.
    """
    for axis in range(2, image.ndim):
        size = image.shape[axis]
        before = torch.cat([image.narrow(axis, 0, 1), image.narrow(axis, 0, size - 1)], dim=axis)
        after = torch.cat([image.narrow(axis, 1, size - 1), image.narrow(axis, size - 1, 1)], dim=axis)
        image = (before + 2 * image + after) / 4
    return image


def _receptive_radius(levels: int) -> int:
    """Sum what each layer reaches, in input pixels: convolutions, pooling, linear upsampling, the last filter."""
    convolution = KERNEL // 2
    scales = [STEM * 2**level for level in range(levels)]
    radius = STEM - 1 + 1  # the stem's cell; the last filter
    radius += 2 * convolution * scales[-1] + convolution * scales[0]
    for scale in scales[:-1]:
        radius += 4 * convolution * scale  # two on the way down, two on the way up
        radius += scale  # the mean over 2 cells
        radius += 2 * scale  # linear upsampling: one cell of the coarser level
    return radius
