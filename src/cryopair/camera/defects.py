"""Defects of the detector, listed by the user: rectangles, or a map."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import BadFileError
from .references import read_reference

_SERIALEM_KEYS = ("CameraSizeX", "CameraSizeY", "RotationFlip", "UsableArea", "BadColumns", "BadRows", "BadPixels")


def read_defects(path: str | Path, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Read a defect file, in the orientation of the frames.

    Parameters
    ----------
    path : str or Path
        ``.txt`` with lines ``x y width height``, 0-based, of which only what lies in the frame counts, as in
        RELION; or an image whose non-zero pixels are bad, with rows as in a gain reference.
    shape : tuple of int
        ``(height, width)`` of the frames.

    Returns
    -------
    numpy.ndarray
        Shape ``(height, width)``, true at defects.

    Raises
    ------
    BadFileError
        When the file is missing, of SerialEM, of another size, or a line is not a rectangle.
    """
    path = Path(path)
    if path.suffix.lower() == ".txt":
        return _read_rectangles(path, shape)
    defects = read_reference(path) != 0
    if defects.shape != shape:
        raise BadFileError(
            path,
            f"is a defect map of {defects.shape[1]} x {defects.shape[0]} px",
            expected=f"{shape[1]} x {shape[0]} px, the size of the movie",
        )
    return defects


def _read_rectangles(path: Path, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    if not path.is_file():
        raise BadFileError(path, "no such file", expected="a list of defects")
    text = path.read_text(errors="replace")
    if any(key in text for key in _SERIALEM_KEYS):
        raise BadFileError(
            path,
            "is a defect list of SerialEM",
            expected="lines 'x y width height'",
            fix=f"Make a map of it with IMOD: 'clip defect -D {path.name} -f tif MOVIE defects.tif'.",
        )
    defects = np.zeros(shape, dtype=bool)
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            x, y, width, height = (int(word) for word in line.split())
        except ValueError:
            raise BadFileError(path, f"line {number} is '{line[:80]}'", expected="'x y width height'") from None
        defects[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)] = True
    return defects
