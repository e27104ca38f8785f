"""Gain references: the factor by which each detector pixel's counts are multiplied."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import BadFileError
from ..formats.movies import TIFF_SUFFIXES, open_movie
from ..formats.mrc import read_mrc


def read_gain(path: str | Path, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Read a gain reference in the orientation of the frames.

    RELION writes the gain that it has rotated and flipped to ``<job>/gain.mrc`` and names that file in
    the motion STAR, so it is applied as it is. Rows of TIFF gains are reversed like those of movies.

    Parameters
    ----------
    path : str or Path
        MRC or TIFF.
    shape : tuple of int
        ``(height, width)`` of the frames.

    Returns
    -------
    numpy.ndarray
        Shape ``(height, width)``; zeros mark defects.

    Raises
    ------
    BadFileError
        When the file cannot be read or has another size.
    """
    if Path(path).suffix.lower() in TIFF_SUFFIXES:
        with open_movie(path) as file:
            gain = np.asarray(file.read(0), dtype=np.float32)
    else:
        gain = read_mrc(path)
    if gain.shape != shape:
        height, width = gain.shape
        raise BadFileError(
            path,
            f"is a gain reference of {width} x {height} px",
            expected=f"{shape[1]} x {shape[0]} px, the size of the movie",
            fix="Use the gain that the MotionCorr job used, after its rotation and flip.",
        )
    return gain
