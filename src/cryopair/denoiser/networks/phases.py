"""Convolutions of images at two scales, the same to rounding as torch's own, computed faster.

A kernel that sees pixels in cells of 2 x 2 (because they were just enlarged from one pixel each, or because the
largest of each cell is all that is kept) can be applied to cells in place of pixels: the outputs for the four
places in a cell, its *phases*, are then four times as many channels at half the size. Where all four pixels of
a cell are the same, the taps that fall on them are summed before, and are fewer: 9 in place of 25.
Activations lie in memory with channels last throughout, which is how processors convolve them fastest.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

SLOPE = 0.1
"""Of the leaky rectifiers, below zero."""

_STRIP = 1 << 16  # cells whose phases are in memory at once


def rectified(x: Tensor) -> Tensor:
    """Return the leaky rectifier of `x`, computed in place."""
    return functional.leaky_relu_(x, SLOPE)


def float32(device: torch.device) -> torch.autocast:
    """Return a context in which autocast is off.

    The rounding of weights to bfloat16 shifts the mean of what comes out, most of all in the first layer and
    at the coarse levels, where all of the arithmetic is a fifth of the whole; so these stay in float32.
    """
    return torch.autocast(device.type, enabled=False)


def first_halved(image: Tensor, convolution: nn.Conv2d) -> Tensor:
    """Convolve an image of one channel, keep the maximum of each cell of 2 x 2 pixels, and rectify.

    The image is regrouped into four channels of half its size, and all phases are outputs of one convolution
    of those: a processor multiplies by four channels more than four times as fast as by one.
    """
    kernel, outputs = convolution.kernel_size[0], convolution.out_channels
    height, width = image.shape[2:]
    radius = kernel // 2
    padding = (radius, radius - width % 2, radius, radius - height % 2)
    cells = _channels_last(functional.pixel_unshuffle(functional.pad(image, padding), 2))
    weight = _weight_of_cells(convolution.weight, (0, 1))
    bias = convolution.bias.repeat(4)  # type: ignore[union-attr]
    strips = []
    rows = max(1, 2 * _STRIP // width)
    for start in range(0, height // 2, rows):
        stop = min(start + rows, height // 2)
        phases = functional.conv2d(cells[:, :, start : stop + radius], weight, bias)
        strips.append(_channels_first(_pixels(phases).unflatten(3, (4, outputs)).amax(dim=3)))
    return rectified(torch.cat(strips, dim=2))


def convolve_doubled(small: Tensor, skip: Tensor, convolution: nn.Conv2d) -> Tensor:
    """Enlarge `small` by two, append the channels of `skip`, and convolve.

    A kernel of side 4m + 1 covers the same small pixels in both phases of an axis, one of side 4m + 3 has its
    second phase shifted by one pixel: then one row and one column more are computed, and each phase takes its part.
    """
    kernel = convolution.kernel_size[0]
    shifted = kernel // 2 % 2
    offsets = (1, 0) if shifted else (0, 1)
    weight, weight_of_skip = convolution.weight.split((small.shape[1], skip.shape[1]), dim=1)
    weight = _weight_of_cells(weight, offsets).unflatten(1, (-1, 4)).sum(dim=2)  # the four pixels are one and the same
    apart = bool(shifted) or skip.shape[1] > 1
    if not apart:  # an image of one channel costs less as four channels of half its size
        weight = torch.cat([weight, _weight_of_cells(weight_of_skip, offsets)], dim=1)
        cells = _channels_last(functional.pixel_unshuffle(skip, 2).to(small.dtype))
        small = torch.cat([_channels_last(small), cells], dim=1)
    bias = None if apart else convolution.bias.repeat(4)  # type: ignore[union-attr]
    phases = _pixels(functional.conv2d(_channels_last(small), weight, bias, padding=(kernel // 2 + 1) // 2))
    batch, height, width = phases.shape[0], phases.shape[1] - shifted, phases.shape[2] - shifted
    outputs = convolution.out_channels
    image, row, column, _ = phases.stride()
    steps = (image, row, shifted * row + 2 * outputs, column, shifted * column + outputs, 1)
    placed = phases.as_strided((batch, height, 2, width, 2, outputs), steps)
    if apart:
        joined = _pixels(functional.conv2d(_channels_last(skip), weight_of_skip, convolution.bias, padding=kernel // 2))
        joined.view(placed.shape).add_(placed)
        return _channels_first(joined)
    return _channels_first(placed.reshape(batch, 2 * height, 2 * width, outputs))


def convolve_to_one(x: Tensor, convolution: nn.Conv2d) -> Tensor:
    """Convolve to a single channel: multiply by all taps as one matrix, then add up what belongs to each pixel."""
    kernel, (height, width) = convolution.kernel_size[0], x.shape[2:]
    with float32(x.device):
        taps = convolution.weight[0].flip(1, 2).flatten(1)
        products = torch.matmul(taps.t(), _pixels(x).float().flatten(1, 2).transpose(1, 2))
        summed = functional.fold(products, (height, width), kernel, padding=kernel // 2)
        return summed + convolution.bias  # type: ignore[operator]


def _weight_of_cells(weight: Tensor, offsets: tuple[int, int]) -> Tensor:
    """Return the kernels that do on cells of 2 x 2 pixels what a kernel does on pixels, for each phase.

    Shape ``(outputs, inputs, side, side)`` → ``(2·2·outputs, inputs·2·2, cells, cells)``. Along an axis, tap ``t``
    of a phase falls on pixel ``offset + t``, which is place ``s`` of cell ``c`` where that is ``2 c + s``.
    """
    kernel = weight.shape[-1]
    pixel = torch.tensor(offsets, device=weight.device)[:, None] + torch.arange(kernel, device=weight.device)
    cells = torch.arange(2 * (kernel // 2 + 1), device=weight.device).view(-1, 2)
    falls = (pixel[:, None, None] == cells[:, :, None]).to(weight.dtype)  # phase, cell, place, tap
    with float32(weight.device):
        placed = torch.einsum("oiyx,acsy,bdtx->aboistcd", weight, falls, falls)
    return placed.flatten(3, 5).flatten(0, 2)


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def _pixels(x: Tensor) -> Tensor:
    """Return ``(batch, channels, height, width)`` as ``(batch, height, width, channels)``, in that order in memory."""
    return x.permute(0, 2, 3, 1).contiguous()


def _channels_first(pixels: Tensor) -> Tensor:
    """Undo `_pixels`, leaving the order in memory."""
    return pixels.permute(0, 3, 1, 2)
