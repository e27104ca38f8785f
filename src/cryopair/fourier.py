"""Frames in Fourier space: transform, crop, shift and dose weights, each as RELION does it.

Spectra are half-complex, shape ``(height, width // 2 + 1)``, divided by the number of pixels on the way
in (``norm="forward"``), so that cropping keeps the mean of a pixel.
"""

from __future__ import annotations

import torch

_CRITICAL_DOSE_SCALE = {300: 1.0, 200: 0.8, 100: 0.64}
"""Ratio of critical doses to those at 300 kV, by voltage in kV (``motioncorr_runner.cpp``)."""


def transform(image: torch.Tensor) -> torch.Tensor:
    """Return the spectrum of an image ``(height, width)``."""
    return torch.fft.rfft2(image, norm="forward")


def inverse(spectrum: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    """Return the image of ``shape`` that has this spectrum."""
    return torch.fft.irfft2(spectrum, s=shape, norm="forward")


def crop(spectrum: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    """Crop a spectrum to an image of ``shape``, both even.

    The new Nyquist row is taken from the negative frequency, the Nyquist column is taken unchanged
    (``fftw.h: cropInFourierSpace``).
    """
    height, width = shape
    columns = width // 2 + 1
    return torch.cat([spectrum[: height // 2, :columns], spectrum[-(height // 2) :, :columns]])


def row_frequencies(height: int, device: torch.device) -> torch.Tensor:
    """Return signed row indices 0, 1, … in float64; the Nyquist row counts as positive."""
    rows = torch.arange(height, dtype=torch.float64, device=device)
    return torch.where(rows <= height // 2, rows, rows - height)


def column_frequencies(width: int, device: torch.device) -> torch.Tensor:
    """Return column indices 0 … width/2 in float64."""
    return torch.arange(width // 2 + 1, dtype=torch.float64, device=device)


def shift(spectrum: torch.Tensor, shape: tuple[int, int], x: float, y: float) -> torch.Tensor:
    """Move the content of an image by ``(x, y)`` px, sub-pixel and periodic.

    Parameters
    ----------
    spectrum : torch.Tensor
        Of an image of `shape`.
    shape : tuple of int
        ``(height, width)``.
    x, y : float
        Added to the position of the content, in px.
    """
    height, width = shape
    rows = -2 * torch.pi * y / height * row_frequencies(height, spectrum.device)
    columns = -2 * torch.pi * x / width * column_frequencies(width, spectrum.device)
    one = torch.ones((), dtype=torch.float64, device=spectrum.device)
    down = torch.polar(one.expand_as(rows), rows).to(spectrum.dtype)
    across = torch.polar(one.expand_as(columns), columns).to(spectrum.dtype)
    return spectrum * down[:, None] * across[None, :]


class DoseWeights:
    """Exposure filter of Grant & Grigorieff (2015), eqs. 3-5, normalised over the frames used.

    ``weight_i(k) = exp(-D_i / 2 Nc(k)) / sqrt(sum_j exp(-D_j / 2 Nc(k))²)`` with the critical dose
    ``Nc(k) = 0.245 k^-1.665 + 2.81`` e/Å² at 300 kV, and ``D_i`` the dose at the end of frame i. The sum
    runs over all frames used, so that the weighted halves add up to the weighted micrograph; at k = 0
    each frame weighs ``1/sqrt(frames)``, as in RELION.

    Parameters
    ----------
    shape : tuple of int
        ``(height, width)`` of the frames.
    pixel_size : float
        In Å/px.
    doses : list of float
        Accumulated dose at the end of each frame used, in e/Å².
    voltage : float
        In kV; within 2 kV of 300, 200 or 100.
    device : torch.device
        Where the weights are computed.

    Raises
    ------
    ValueError
        For other voltages, for which no critical doses are known.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        *,
        pixel_size: float,
        doses: list[float],
        voltage: float,
        device: torch.device,
    ) -> None:
        known = [scale for kv, scale in _CRITICAL_DOSE_SCALE.items() if abs(voltage - kv) <= 2]
        if not known:
            raise ValueError(f"dose weighting is not defined at {voltage:g} kV; known: 300, 200, 100 kV")
        height, width = shape
        rows = row_frequencies(height, device) / height
        columns = column_frequencies(width, device) / (2 * (width // 2))
        frequency = torch.sqrt(rows[:, None] ** 2 + columns[None, :] ** 2) / pixel_size
        frequency[0, 0] = 1  # k = 0 is set below
        critical = 0.245 * frequency**-1.665 + 2.81
        self._decay = (-0.5 / (critical * known[0])).to(torch.float32)
        self._decay[0, 0] = 0
        self._doses = doses
        norm = torch.zeros_like(self._decay)
        for dose in doses:
            norm += torch.exp(2 * dose * self._decay)
        self._scale = norm.rsqrt_()

    def __getitem__(self, index: int) -> torch.Tensor:
        """Return the weights of the index-th frame used, shape ``(height, width // 2 + 1)``."""
        return torch.exp(self._doses[index] * self._decay).mul_(self._scale)
