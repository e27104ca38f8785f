"""Images that describe the detector, gain references and defect maps, in the orientation of the frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import BadFileError
from ..formats.movies import TIFF_SUFFIXES
from ..formats.movies.tiff import TiffMovie
from ..formats.mrc import read_mrc

_FALCON_SUFFIX = ".gain"
_DIGITAL_MICROGRAPH_SUFFIXES = (".dm", ".dm2", ".dm3", ".dm4")


def read_reference(path: str | Path) -> npt.NDArray[np.float32]:
    """Read an image of the detector, its rows in the order of the frames.

    As RELION reads them: rows of MRC as stored, of TIFF reversed like those of TIFF movies, and of ``.gain``,
    the TIFF that Falcon cameras write, as stored like those of EER movies.

    Parameters
    ----------
    path : str or Path
        TIFF (``.tif``, ``.tiff``, ``.gain``), or else MRC.

    Returns
    -------
    numpy.ndarray
        Shape ``(height, width)``.

    Raises
    ------
    BadFileError
        When the file is missing, damaged, a stack, or of DigitalMicrograph.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in _DIGITAL_MICROGRAPH_SUFFIXES:
        raise BadFileError(
            path,
            "is an image of DigitalMicrograph, whose orientation depends on the program that reads it",
            expected="MRC, TIFF or .gain",
            fix=f"Convert it with IMOD: 'dm2mrc {path.name} {path.stem}.mrc', and compare it with a movie's sum.",
        )
    if suffix in TIFF_SUFFIXES:
        return _read_tiff(path)
    if is_falcon_gain(path):
        return np.ascontiguousarray(_read_tiff(path)[::-1])
    return read_mrc(path)


def is_falcon_gain(path: str | Path) -> bool:
    """Tell a Falcon camera's ``.gain``, which is multiplicative, from other gains of EER movies, which are not."""
    return Path(path).suffix.lower() == _FALCON_SUFFIX


def _read_tiff(path: Path) -> npt.NDArray[np.float32]:
    if not path.is_file():
        raise BadFileError(path, "no such file", expected="a TIFF image")
    with TiffMovie(path) as file:
        if file.shape[0] != 1:
            raise BadFileError(path, f"is a stack of {file.shape[0]} images", expected="a single image")
        return np.array(file.read(0), dtype=np.float32, order="C")
