"""How well shifts fit the frames: the likelihood of motion, its slope and its curvature.

Every frame shows one image S under white-ish noise N, moved by an unknown shift. For given shifts, let A be
the spectra of the frames moved back, and M those of the mean of all *other* frames. Then the
log-likelihood of a frame's shift is, but for a constant, ::

    L = sum_k w(k) Re[conj(M) A],   w = S / (N (S + N / (frames - 1)))

a cross-correlation with the sum of the other frames, as in RELION and MotionCor2, where a filter measured on
this movie takes the place of a B-factor of choice: S and N are the mean powers over rings of the products of
different frames and of what is left. What does not rise above its noise gets no weight, so frames
without signal say nothing; as alignment gets better, finer detail comes in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt
import torch

_FINEST_RING = 1 / 300  # 1/Å
_COARSEST = 400.0  # Å; beyond is the illumination, which does not move
_SIGNIFICANT = 2.0  # standard deviations
_LEAST_NOISE = 1e-9  # of the largest power; movies without noise exist in tests only
_B_FACTOR = 300.0  # Å²; without effect on images, but the pattern of a bad gain reaches to all frequencies


@dataclass(frozen=True)
class Spectra:
    """Fourier transforms of patches in all frames, within a band.

    Attributes
    ----------
    values : torch.Tensor
        complex64, shape ``(patches, frames, rows, columns)``.
    rows, columns : torch.Tensor
        Frequencies in 1/Å, shapes ``(rows,)`` and ``(columns,)``; those of columns are not negative.
    counts : torch.Tensor
        Shape ``(rows, columns)``: for how many coefficients of the whole transform each stands.
    ring : float
        Width in 1/Å of the rings that powers are measured in; those of small patches are wider, so that none is
        empty.
    """

    values: torch.Tensor
    rows: torch.Tensor
    columns: torch.Tensor
    counts: torch.Tensor
    ring: float

    @property
    def patches(self) -> int:
        """Number of patches."""
        return self.values.shape[0]

    @property
    def frames(self) -> int:
        """Number of frames."""
        return self.values.shape[1]

    @classmethod
    def of(cls, images: torch.Tensor, pixel_size: tuple[float, float], *, finest: float = np.inf) -> Self:
        """Transform one patch.

        Parameters
        ----------
        images : torch.Tensor
            Shape ``(frames, height, width)``, of even size, tapered at the edges.
        pixel_size : tuple of float
            Along y and x in Å/px.
        finest : float
            Largest frequency to keep, in 1/Å.
        """
        height, width = images.shape[-2:]
        rows = torch.fft.fftfreq(height, d=pixel_size[0], device=images.device)
        columns = torch.fft.rfftfreq(width, d=pixel_size[1], device=images.device)
        counts = torch.full((height, width // 2 + 1), 2.0, device=images.device)
        counts[:, [0, -1]] = 1
        counts *= torch.hypot(rows[:, None], columns) > 1 / _COARSEST
        ring = max(_FINEST_RING, 1 / (height * pixel_size[0]), 1 / (width * pixel_size[1]))
        spectra = cls(torch.fft.rfft2(images, norm="forward")[None], rows, columns, counts, ring)
        return spectra.up_to(finest)

    @classmethod
    def stack(cls, patches: Iterator[Self], number: int) -> Self:
        """Join patches of equal size, of which only one is held beside the result."""
        first = next(patches)
        values = first.values.new_empty((number, *first.values.shape[1:]))
        values[0] = first.values[0]
        for index, patch in enumerate(patches, start=1):
            values[index] = patch.values[0]
        return replace(first, values=values)

    def up_to(self, frequency: float) -> Self:
        """Return the rows and columns of at most this frequency, in 1/Å."""
        rows, columns = self.rows.abs() <= frequency, int((self.columns <= frequency).sum())
        return replace(
            self,
            values=self.values[:, :, rows, :columns],
            rows=self.rows[rows],
            columns=self.columns[:columns],
            counts=self.counts[rows, :columns],
        )

    def moved(self, patch: int, shifts: npt.NDArray[np.float64]) -> torch.Tensor:
        """Return the spectra of a patch with its content moved by shifts ``(frames, 2)``, x and y in Å."""
        x, y = torch.from_numpy(shifts.T.astype(np.float32)).to(self.values.device)
        across = torch.polar(torch.ones_like(self.columns), -2 * torch.pi * x[:, None] * self.columns)
        down = torch.polar(torch.ones_like(self.rows), -2 * torch.pi * y[:, None] * self.rows)
        return self.values[patch] * down[:, :, None] * across[:, None, :]


@dataclass(frozen=True)
class Weights:
    """The filter w of the likelihood.

    Attributes
    ----------
    values : torch.Tensor
        Shape ``(rows, columns)`` of the spectra within `finest`.
    finest : float
        Frequency in 1/Å beyond which weights are 0.
    information : float
        Expected curvature of the likelihood in the shift of one frame of one patch, in 1/Å² along either
        axis: the inverse of the variance of that shift.
    """

    values: torch.Tensor
    finest: float
    information: float


def measure_weights(spectra: Spectra, shifts: npt.NDArray[np.float64]) -> Weights | None:
    """Measure signal and noise at given shifts.

    Parameters
    ----------
    spectra : Spectra
        Of all patches.
    shifts : numpy.ndarray
        Shape ``(patches, frames, 2)``, in Å.

    Returns
    -------
    Weights or None
        None when there is no signal that the frames share.
    """
    patches, frames = spectra.patches, spectra.frames
    frequencies = torch.hypot(spectra.rows[:, None], spectra.columns)
    width = spectra.ring
    rings = (frequencies / width).to(torch.int64)
    per_patch = _ring_sums(rings, spectra.counts)
    numbers = np.maximum(per_patch * patches, 1)
    signal, power = np.zeros_like(per_patch), np.zeros_like(per_patch)
    for patch in range(patches):
        own = spectra.values[patch].abs().square_().sum(0)
        together = spectra.moved(patch, shifts[patch]).sum(0).abs().square_()
        signal += _ring_sums(rings, (together - own) * spectra.counts) / (frames * (frames - 1))
        power += _ring_sums(rings, own * spectra.counts) / frames
    signal, power = signal / numbers, power / numbers
    noise = np.maximum(power - signal, _LEAST_NOISE * power.max())
    # Half of the coefficients are the conjugates of the others, so there are half as many samples.
    deviation = noise * np.sqrt(2 / (frames * (frames - 1))) / np.sqrt(np.maximum(numbers / 2, 1))
    seen = (signal > _SIGNIFICANT * deviation) & (per_patch > 0)
    end = _end_of_signal(seen, first=int(1 / _COARSEST / width) + 1)
    seen[end:] = False
    if not seen.any():
        return None
    middle = (np.arange(len(seen)) + 0.5) * width
    signal[~seen] = 0
    by_ring = signal / (noise * (signal + noise / (frames - 1))) * np.exp(-_B_FACTOR / 4 * middle**2)
    information = float((by_ring * signal * per_patch * (2 * np.pi * middle) ** 2 / 2).sum())
    finest = end * width
    kept = torch.from_numpy(by_ring.astype(np.float32)).to(rings.device)[rings] * spectra.counts
    columns = int((spectra.columns <= finest).sum())
    return Weights(kept[spectra.rows.abs() <= finest][:, :columns], finest, information)


def slopes(spectra: Spectra, weights: Weights, shifts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the slope of the log-likelihood in each shift.

    Parameters
    ----------
    spectra : Spectra
        Within the band of the weights.
    weights : Weights
        From `measure_weights`.
    shifts : numpy.ndarray
        Shape ``(patches, frames, 2)``, x and y in Å.

    Returns
    -------
    numpy.ndarray
        In 1/Å, of the same shape.
    """
    result = np.empty(shifts.shape)
    scale = weights.values * (2 * torch.pi / (spectra.frames - 1))
    for patch in range(spectra.patches):
        moved = spectra.moved(patch, shifts[patch])
        total = moved.sum(0)
        # conj(total - own) * own has the imaginary part of conj(total) * own
        turned = (moved * total.conj()).imag * scale
        along_x = (turned.sum(1) * spectra.columns).sum(1)
        along_y = (turned.sum(2) * spectra.rows).sum(1)
        result[patch] = torch.stack([along_x, along_y], dim=1).cpu().numpy()
    return result


def _ring_sums(rings: torch.Tensor, values: torch.Tensor) -> npt.NDArray[np.float64]:
    # On the host: sums by index are not reproducible on GPUs.
    sums = np.bincount(rings.cpu().numpy().ravel(), values.cpu().numpy().ravel())
    return np.asarray(sums, np.float64)


def _end_of_signal(seen: npt.NDArray[np.bool_], *, first: int) -> int:
    """Return the number of rings before two in a row are without signal."""
    gaps = np.flatnonzero(~seen[first:-1] & ~seen[first + 1 :])
    return first + int(gaps[0]) if len(gaps) else len(seen)
