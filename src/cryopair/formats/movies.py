"""Movies: stacks of frames, read a few frames at a time.

Rows come in RELION's order: as stored in MRC, reversed in TIFF (the convention of IMOD, SerialEM and
MotionCor2 that RELION follows, ``rwTIFF.h``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt
import tifffile

from ..errors import BadFileError
from .mrc import map_mrc

TIFF_SUFFIXES = (".tif", ".tiff")
MRC_SUFFIXES = (".mrc", ".mrcs")


class MovieFile(Protocol):
    """An open movie, to be used in a ``with`` statement.

    Attributes
    ----------
    shape : tuple of int
        ``(frames, height, width)``.
    """

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(frames, height, width)``."""

    def read(self, frame: int) -> npt.NDArray:
        """Return a frame, 0-based, shape ``(height, width)``, in the type it is stored in.

        Raises
        ------
        BadFileError
            When the frame cannot be decoded.
        """

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...


def open_movie(path: str | Path) -> MovieFile:
    """Open a movie by its extension.

    Parameters
    ----------
    path : str or Path
        TIFF (``.tif``, ``.tiff``) or MRC (``.mrc``, ``.mrcs``).

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
        return _TiffMovie(path)
    if suffix in MRC_SUFFIXES:
        return _MrcMovie(path)
    raise BadFileError(path, f"has the extension '{suffix}'", expected="a movie in TIFF or MRC format")


class _MrcMovie:
    def __init__(self, path: Path) -> None:
        self._data = map_mrc(path)
        self.shape: tuple[int, int, int] = self._data.shape

    def read(self, frame: int) -> npt.NDArray:
        return np.asarray(self._data[frame])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        del self._data


class _TiffMovie:
    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = tifffile.TiffFile(path)
        except (tifffile.TiffFileError, ValueError, OSError) as error:
            raise self._damaged(error) from None
        try:
            pages = self._file.pages
            height, width = pages.first.shape[:2]
            self.shape: tuple[int, int, int] = (len(pages), height, width)
        except (tifffile.TiffFileError, ValueError, IndexError, OSError) as error:
            self._file.close()
            raise self._damaged(error) from None

    def read(self, frame: int) -> npt.NDArray:
        try:
            image = self._file.pages[frame].asarray()
        except Exception as error:  # codecs raise types of their own on damaged data
            raise self._damaged(error, frame) from None
        if image.shape != self.shape[1:]:
            raise BadFileError(
                self._path, f"frame {frame + 1} has shape {image.shape}", expected=f"{self.shape[1:]}, as the first"
            )
        return image[::-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def _damaged(self, error: Exception, frame: int | None = None) -> BadFileError:
        where = "" if frame is None else f" at frame {frame + 1}"
        detail = str(error).splitlines()[0] if str(error) else type(error).__name__
        return BadFileError(
            self._path,
            f"is not a whole TIFF movie{where} ({detail})",
            fix="It may be truncated or still being written: copy or write it again.",
        )
