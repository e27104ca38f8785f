"""The frames of a movie as alignment sees them: corrected, and averaged down to what they can tell.

Shifts are found from detail that is much coarser than a pixel, since a single frame has next to no signal
beyond. Frames are therefore cropped in Fourier space to `COARSE` Å/px, which bounds memory too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from ..camera.bad_lines import find_bad_lines
from ..camera.bad_pixels import BadPixels, find_bad_pixels
from ..camera.gain import read_gain
from ..errors import BadFileError
from ..formats.movies import MovieFile, open_movie
from ..fourier import crop, inverse, transform
from ..motion import Motion

COARSE = 3.0
"""Å/px; detail down to 6 Å takes part."""
_HOT = 6.0  # standard deviations above the mean of the sum of all frames, as in RELION


@dataclass(frozen=True)
class CoarseFrames:
    """The frames of one movie on a coarse grid.

    Attributes
    ----------
    images : torch.Tensor
        Shape ``(frames, height, width)``, of mean 0.
    pixel_size : tuple of float
        Along rows (y) and columns (x) in Å/px; the two differ a little, as the grid has whole pixels.
    """

    images: torch.Tensor
    pixel_size: tuple[float, float]


def read_frames(motion: Motion, *, root: Path, device: torch.device) -> tuple[CoarseFrames, Motion]:
    """Read the frames to be aligned, with gain and bad pixels corrected.

    The movie is read twice: hot pixels are found on the sum of its frames.

    Parameters
    ----------
    motion : Motion
        The movie, and the frames to use.
    root : Path
        Project folder.
    device : torch.device
        Where to compute and to keep the frames.

    Returns
    -------
    CoarseFrames
        Of the used frames.
    Motion
        With the hot pixels.

    Raises
    ------
    BadFileError
        When the movie, the gain or the defect file cannot be read, or they do not fit each other.
    """
    shape = motion.height, motion.width
    gain = read_gain(root / motion.gain, shape, eer=motion.eer is not None) if motion.gain else None
    with open_movie(root / motion.movie, eer=motion.eer) as movie:
        total = _sum(movie, motion.used_frames, gain)
        if not total.any():
            raise BadFileError(root / motion.movie, "is zero everywhere", expected="a movie with electrons")
        motion = replace(motion, hot_pixels=_find_hot_pixels(total))
        find_bad_pixels(motion, gain, root).replace(total)
        bad = find_bad_pixels(motion, gain, root, lines=find_bad_lines(total))
        return _coarse(movie, motion, gain, bad, device), motion


def _sum(movie: MovieFile, used: range, gain: npt.NDArray[np.float32] | None) -> npt.NDArray[np.float32]:
    total = np.zeros(movie.shape[1:], np.float32)
    for frame in movie.frames(used):
        total += frame
    return total if gain is None else total * gain


def _find_hot_pixels(total: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    limit = total.mean(dtype=np.float64) + _HOT * total.std(dtype=np.float64)
    rows, columns = np.nonzero(total > limit)
    return np.stack([columns, rows], axis=1)


def _coarse(
    movie: MovieFile, motion: Motion, gain: npt.NDArray[np.float32] | None, bad: BadPixels, device: torch.device
) -> CoarseFrames:
    height, width = (_coarse_size(size, motion.pixel_size) for size in (motion.height, motion.width))
    images = torch.empty((len(motion.used_frames), height, width), device=device)
    for index, frame in enumerate(movie.frames(motion.used_frames, dtype=np.float32)):
        if gain is not None:
            frame *= gain
        bad.replace(frame)
        spectrum = transform(torch.from_numpy(frame).to(device))
        spectrum[0, 0] = 0
        images[index] = inverse(crop(spectrum, (height, width)), (height, width))
    pixel_size = (motion.pixel_size * motion.height / height, motion.pixel_size * motion.width / width)
    return CoarseFrames(images, pixel_size)


def _coarse_size(size: int, pixel_size: float) -> int:
    return 2 * (int(size * min(pixel_size / COARSE, 1)) // 2)
