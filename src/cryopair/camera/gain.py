"""Gain references: the factor by which each detector pixel's counts are multiplied."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import BadFileError, UsageError
from ..formats.fingerprint import fingerprint
from ..motion import Motion
from .references import is_falcon_gain, read_reference


def read_gain(path: str | Path, shape: tuple[int, int], *, eer: bool = False) -> npt.NDArray[np.float32]:
    """Read a gain reference in the orientation of the frames.

    RELION writes the gain that it has rotated and flipped to ``<job>/gain.mrc`` and names that file in
    the motion STAR, so it is applied as it is. Rows of TIFF gains are reversed like those of movies.

    Gains of EER movies are references to divide by, unless they are the camera's own ``.gain``: their value v
    becomes ``mean / v``, and 0 stays 0. They may be made on a finer or coarser grid than the movie is
    rendered on (``renderEER.h: loadEERGain``).

    Parameters
    ----------
    path : str or Path
        MRC, TIFF or ``.gain``.
    shape : tuple of int
        ``(height, width)`` of the frames.
    eer : bool
        Whether it is for an EER movie.

    Returns
    -------
    numpy.ndarray
        Shape ``(height, width)``; zeros mark defects.

    Raises
    ------
    BadFileError
        When the file cannot be read, has another size, or holds values that are no gains.
    """
    gain = read_reference(path)
    _check_values(path, gain)
    if eer:
        gain = _on_grid(gain, shape)
        if not is_falcon_gain(path):
            mean = gain.mean(dtype=np.float64)
            gain = np.divide(mean, gain, out=np.zeros_like(gain), where=gain != 0, casting="same_kind")
    if gain.shape != shape:
        raise _wrong_size(path, gain.shape, shape)
    return gain


def gain_of(motion: Motion, root: Path) -> npt.NDArray[np.float32] | None:
    """Return the gain of a movie, or None without one.

    The last one read is kept, since it is the next movie's, too: not to be written to.

    Raises
    ------
    BadFileError
        As `read_gain`.
    """
    if motion.gain is None:
        return None
    path = root / motion.gain
    return _kept(path, (motion.height, motion.width), motion.eer is not None, fingerprint(path))


@lru_cache(maxsize=1)
def _kept(path: Path, shape: tuple[int, int], eer: bool, identity: str) -> npt.NDArray[np.float32]:
    return read_gain(path, shape, eer=eer)


def orient_gain(gain: npt.NDArray[np.float32], *, rotation: int = 0, flip: int = 0) -> npt.NDArray[np.float32]:
    """Turn and flip a gain reference onto the frames, as RELION's ``--gain_rot`` and ``--gain_flip`` do.

    The rotation comes first (``motioncorr_runner.cpp``).

    Parameters
    ----------
    gain : numpy.ndarray
        Shape ``(height, width)``, or ``(width, height)`` of the frames for odd rotations.
    rotation : int
        Quarter turns, 0 to 3; clockwise where the first row is shown on top.
    flip : int
        0 for none, 1 to reverse the rows (upside down), 2 to reverse the columns (left to right).

    Raises
    ------
    UsageError
        For other numbers.
    """
    if rotation not in range(4) or flip not in range(3):
        raise UsageError(
            f"gain rotation {rotation}, gain flip {flip}: the rotation must be 0, 1, 2 or 3 quarter turns, "
            "the flip 0 (none), 1 (upside down) or 2 (left to right)."
        )
    turned = np.rot90(gain, -rotation)
    if flip:
        turned = np.flip(turned, axis=flip - 1)
    return np.ascontiguousarray(turned)


def _check_values(path: str | Path, gain: npt.NDArray[np.float32]) -> None:
    fix = "Make the gain reference again, or ask the facility for the right one."
    for bad, name in ((~np.isfinite(gain), "not finite"), (gain < 0, "negative")):
        if number := int(bad.sum()):
            raise BadFileError(
                path, f"has {number} values that are {name}", expected="a gain reference, 0 or more", fix=fix
            )
    if not gain.any():
        raise BadFileError(path, "is zero everywhere", expected="a gain reference, 0 at defects only", fix=fix)


def _on_grid(gain: npt.NDArray[np.float32], shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Repeat each pixel of a coarser gain, sum blocks of a finer one; leave sizes that do not fit."""
    (rows, columns), (height, width) = gain.shape, shape
    finer, coarser = height // rows, rows // height
    if finer > 1 and shape == (rows * finer, columns * finer):
        return gain.repeat(finer, axis=0).repeat(finer, axis=1)
    if coarser > 1 and gain.shape == (height * coarser, width * coarser):
        return gain.reshape(height, coarser, width, coarser).sum(axis=(1, 3), dtype=np.float32)
    return gain


def _wrong_size(path: str | Path, found: tuple[int, ...], expected: tuple[int, int]) -> BadFileError:
    fix = "Use the gain that the MotionCorr job used, after its rotation and flip."
    if found == expected[::-1]:
        fix = (
            "It would fit after a 90-degree rotation: set the gain rotation to 1 or 3, in the MotionCorr job or, "
            "for raw movies, in 'acquisition:'."
        )
    return BadFileError(
        path,
        f"is a gain reference of {found[1]} x {found[0]} px",
        expected=f"{expected[1]} x {expected[0]} px, the size of the movie",
        fix=fix,
    )
