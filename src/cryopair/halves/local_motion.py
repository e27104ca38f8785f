"""Local motion undone by interpolation, frame by frame, as RELION does it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

_STRIP_PIXELS = {"cpu": 1 << 18}
"""Pixels handled at once: on a CPU, a strip's temporaries stay in its cache."""
_MOST_STRIP_PIXELS = 1 << 22
"""Elsewhere, the fewer strips the better, within bounded memory."""


def add_interpolated(
    total: torch.Tensor, frame: torch.Tensor, terms: npt.NDArray[np.float64], *, strip: int | None = None
) -> None:
    """Undo the local motion of a frame and add the result to a sum, in place.

    Each pixel ``(ix, iy)`` of the result is sampled bilinearly at ``(ix - dx, iy - dy)``; where that needs
    a pixel outside the frame, the nearest pixel is taken without interpolation
    (``motioncorr_runner.cpp: realSpaceInterpolation_ThirdOrderPolynomial``).

    Parameters
    ----------
    total : torch.Tensor
        Shape ``(height, width)``.
    frame : torch.Tensor
        Shape ``(height, width)``.
    terms : numpy.ndarray
        Shape ``(2, 6)``: the shifts dx and dy as polynomials, from `Motion.local_terms`.
    strip : int, optional
        Rows handled at once.
    """
    height, width = frame.shape
    device = frame.device
    pixels = frame.contiguous().view(-1)
    # Sub-pixel offsets, not positions, are kept in float32: they are small, so they are exact enough.
    columns = torch.arange(width, device=device)
    x = (columns.to(torch.float64) / width - 0.5)[None, :]
    strip = strip or max(_STRIP_PIXELS.get(device.type, _MOST_STRIP_PIXELS) // width, 1)
    for top in range(0, height, strip):
        rows = torch.arange(top, min(top + strip, height), device=device)
        y = (rows.to(torch.float64) / height - 0.5)[:, None]
        step_x, part_x = _whole_and_part(-_polynomial(terms[0], x, y))
        step_y, part_y = _whole_and_part(-_polynomial(terms[1], x, y))
        left, above = columns[None, :] + step_x, rows[:, None] + step_y
        inside = (left >= 0) & (above >= 0) & (left < width - 1) & (above < height - 1)
        corner = above.clamp_(0, height - 1).mul_(width).add_(left.clamp_(0, width - 1))
        right = corner + inside
        part_x.mul_(inside)
        part_y.mul_(inside)
        upper = torch.lerp(pixels[corner], pixels[right], part_x)
        below = inside.to(torch.int64).mul_(width)
        lower = torch.lerp(pixels[corner.add_(below)], pixels[right.add_(below)], part_x)
        total[top : top + strip] += torch.lerp(upper, lower, part_y)


def _polynomial(terms: npt.NDArray[np.float64], x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    one, x1, x2, y1, y2, xy = (float(term) for term in terms)
    at_row = (one + y1 * y + y2 * y**2).to(torch.float32)
    slope = (x1 + xy * y).to(torch.float32)
    x32 = x.to(torch.float32)
    return torch.addcmul(at_row + x2 * x32**2, slope, x32)


def _whole_and_part(value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    whole = torch.floor(value)
    return whole.to(torch.int64), value - whole
