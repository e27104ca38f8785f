"""The even and odd half-sums of one movie.

The steps and their order are those of RELION's own implementation (``motioncorr_runner.cpp:
executeOwnMotionCorrection``): gain, bad pixels, early binning, global shift, dose weights, local motion,
sum. Only the sum differs: the 1st, 3rd, 5th … frame used goes to the even half, the others to the odd one
(RELION 5's names), so that even + odd is the micrograph.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from ..camera.bad_lines import BadLines, find_bad_lines
from ..camera.bad_pixels import BadPixels, find_bad_pixels
from ..camera.gain import gain_of
from ..errors import BadFileError, UsageError
from ..formats.movies import MovieFile, open_movie
from ..fourier import DoseWeights, crop, inverse, shift, transform
from ..motion import Motion
from .local_motion import add_interpolated

_NO_BINNING = 0.01
"""RELION takes a binning this close to 1 as none."""


@dataclass(frozen=True)
class HalfSums:
    """Sums of the even and of the odd frames of one movie.

    Attributes
    ----------
    even, odd : numpy.ndarray
        float32, shape ``(height, width)`` of the micrograph.
    bad_lines : BadLines
        Rows and columns of the movie that are unlike their neighbours. They were replaced, as bad pixels are.
    """

    even: npt.NDArray[np.float32]
    odd: npt.NDArray[np.float32]
    bad_lines: BadLines = field(default_factory=BadLines)

    @property
    def full(self) -> npt.NDArray[np.float32]:
        """The micrograph: even + odd."""
        return self.even + self.odd


def sum_halves(
    motion: Motion, *, dose_weighting: bool, root: str | Path = ".", device: torch.device | str = "cpu"
) -> HalfSums:
    """Sum the even and the odd frames of a movie, with its motion undone.

    A few frames are in memory at a time, decoded ahead of use, whatever the length of the movie. Where
    whole rows or columns turn out to be bad, the movie is summed again without them.

    Parameters
    ----------
    motion : Motion
        The movie, its gain, its bad pixels and its motion.
    dose_weighting : bool
        Weight frames by exposure, normalised over the whole movie, so that even + odd is the
        dose-weighted micrograph.
    root : str or Path
        Project folder, to which the paths in `motion` are relative.
    device : torch.device or str
        Where to compute.

    Raises
    ------
    BadFileError
        When the movie or the gain is missing, damaged or of the wrong size.
    UsageError
        When RELION could not have made a micrograph with this binning or voltage.
    """
    root = Path(root)
    device = torch.device(device)
    grid, pixel_size, binning = _aligned_grid(motion)
    with open_movie(root / motion.movie, eer=motion.eer) as movie:
        _check_shape(movie, motion, root)
        gain = gain_of(motion, root)
        factors = None if gain is None else torch.from_numpy(gain).to(device)
        weights = _dose_weights(motion, grid, pixel_size, device) if dose_weighting else None

        def add_up(bad_pixels: BadPixels) -> tuple[torch.Tensor, torch.Tensor]:
            """Return the halves, shape (2, height, width) of the grid, and the sum of the frames as they came."""
            spectra = torch.zeros((2, grid[0], grid[1] // 2 + 1), dtype=torch.complex64, device=device)
            images = torch.zeros((2, *grid), device=device)
            unaligned = torch.zeros((motion.height, motion.width), device=device)
            for index, frame in enumerate(movie.frames(motion.used_frames)):
                image = torch.from_numpy(frame).to(device).to(torch.float32)
                if factors is not None:
                    image *= factors
                bad_pixels.replace(image)
                unaligned += image
                spectrum = transform(image)
                if grid != tuple(image.shape):
                    spectrum = crop(spectrum, grid)
                number = motion.used_frames[index]
                x, y = motion.global_shifts[number] / binning
                if x or y:
                    spectrum = shift(spectrum, grid, x, y)
                if weights is not None:
                    spectrum *= weights[index]
                terms = motion.local_terms(number)
                if terms.any():
                    add_interpolated(images[index % 2], inverse(spectrum, grid), terms)
                else:
                    spectra[index % 2] += spectrum
            images += inverse(spectra, grid)  # frames without local motion are transformed back once, together
            return images, unaligned

        images, unaligned = add_up(find_bad_pixels(motion, gain, root))
        if bad_lines := find_bad_lines(unaligned):
            images, _ = add_up(find_bad_pixels(motion, gain, root, lines=bad_lines))
    even, odd = (_at_micrograph_size(image, motion).cpu().numpy() for image in images)
    return HalfSums(even, odd, bad_lines)


def _check_shape(movie: MovieFile, motion: Motion, root: Path) -> None:
    frames, height, width = movie.shape
    if frames != motion.frames:
        raise BadFileError(
            root / motion.movie,
            f"has {frames} frames",
            expected=f"{motion.frames}, as its motion STAR says",
            fix="It may be truncated, or not the movie that was aligned.",
        )
    if (height, width) != (motion.height, motion.width):
        raise BadFileError(
            root / motion.movie,
            f"has frames of {width} x {height} px",
            expected=f"{motion.width} x {motion.height} px, as its motion STAR says",
        )


def _is_binned(motion: Motion) -> bool:
    return abs(motion.binning - 1) >= _NO_BINNING


def _aligned_grid(motion: Motion) -> tuple[tuple[int, int], float, float]:
    """Return the shape, pixel size (Å/px) and binning of the grid that frames are aligned on."""
    if not _is_binned(motion) or not motion.early_binning:
        return (motion.height, motion.width), motion.pixel_size, 1.0
    height, width = motion.micrograph_shape
    if height % 2 or width % 2:
        raise UsageError(
            f"{motion.movie}: binning {motion.binning:g} makes a micrograph of {width} x {height} px; "
            "RELION needs even sizes."
        )
    return (height, width), motion.micrograph_pixel_size, motion.binning


def _at_micrograph_size(image: torch.Tensor, motion: Motion) -> torch.Tensor:
    if not _is_binned(motion) or motion.early_binning:
        return image
    return inverse(crop(transform(image), motion.micrograph_shape), motion.micrograph_shape)


def _dose_weights(motion: Motion, grid: tuple[int, int], pixel_size: float, device: torch.device) -> DoseWeights:
    # RELION counts the dose from the start of the movie, also when the first frames are left out.
    doses = [motion.pre_exposure + motion.dose_per_frame * (frame + 1) for frame in motion.used_frames]
    try:
        return DoseWeights(grid, pixel_size=pixel_size, doses=doses, voltage=motion.voltage, device=device)
    except ValueError as error:
        raise UsageError(f"{motion.movie}: {error}. Set 'dose_weighting: false'.") from None
