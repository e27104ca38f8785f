"""Movies: stacks of frames, read a few frames at a time.

Rows come in RELION's order: as stored in MRC and EER, reversed in TIFF (the convention of IMOD, SerialEM and
MotionCor2 that RELION follows, ``rwTIFF.h``).
"""

from __future__ import annotations

from pathlib import Path

from ...errors import BadFileError
from .compressed import COMPRESSED_SUFFIXES, CompressedMrcMovie
from .eer import EER_SUFFIXES, EerMovie, EerRendering
from .movie import MovieFile
from .mrc import MRC_SUFFIXES, MrcMovie
from .tiff import TIFF_SUFFIXES, TiffMovie

__all__ = [
    "COMPRESSED_SUFFIXES",
    "EER_SUFFIXES",
    "MRC_SUFFIXES",
    "TIFF_SUFFIXES",
    "EerRendering",
    "MovieFile",
    "open_movie",
]


def open_movie(path: str | Path, *, eer: EerRendering | None = None) -> MovieFile:
    """Open a movie by its extension.

    Parameters
    ----------
    path : str or Path
        TIFF (``.tif``, ``.tiff``), MRC (``.mrc``, ``.mrcs``, ``.st``), MRC compressed by bzip2, xz or Zstandard
        (``.mrc.bz2``, ``.mrcs.xz``, ``.mrc.zst``, …) or EER (``.eer``, ``.ecc``).
    eer : EerRendering, optional
        How to make frames of an EER movie; not looked at for others.

    Raises
    ------
    BadFileError
        When the file is missing, damaged, or of a format that is not read.
    """
    path = Path(path)
    if not path.is_file():
        raise BadFileError(path, "no such file", expected="a movie", fix="Was it moved, or is a disk not mounted?")
    suffix = path.suffix.lower()
    if suffix in TIFF_SUFFIXES:
        return TiffMovie(path)
    if suffix in MRC_SUFFIXES:
        return MrcMovie(path)
    if suffix in COMPRESSED_SUFFIXES and Path(path.stem).suffix.lower() in MRC_SUFFIXES:
        return CompressedMrcMovie(path)
    if suffix in EER_SUFFIXES:
        if eer is None:
            raise BadFileError(
                path,
                "is an EER movie, of single electrons",
                expected="a grouping and an upsampling to make frames with",
                fix="Set both in 'acquisition:'.",
            )
        return EerMovie(path, eer)
    found = "".join(path.suffixes[-2:]) if suffix in COMPRESSED_SUFFIXES else suffix
    raise BadFileError(path, f"has the extension '{found}'", expected="a movie in TIFF, MRC or EER format")
