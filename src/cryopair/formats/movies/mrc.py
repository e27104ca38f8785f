"""Movies in MRC stacks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...errors import BadFileError
from ..four_bit import unpack
from ..mrc_header import FOUR_BIT, MrcHeader, read_header
from .movie import MovieFile

MRC_SUFFIXES = (".mrc", ".mrcs", ".st")


class MrcMovie(MovieFile):
    """A movie in an MRC stack; each section is a frame, and a single image is a movie of one frame.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    BadFileError
        When it is not MRC, or shorter than its header says.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._header = read_header(path)
        self.shape = self._header.shape
        self.dtype = self._header.dtype.newbyteorder("=")

    def close(self) -> None:
        """Do nothing: the file is open only while a frame is read."""

    def _decode(self, frame: int) -> npt.NDArray:
        header = self._header
        try:
            # Read, not mapped: a map of a file that shrinks meanwhile would kill the process.
            data = np.fromfile(
                self.path,
                np.uint8,
                header.section_bytes,
                offset=header.data_offset + frame * header.section_bytes,
            )
        except OSError as error:
            raise BadFileError(self.path, f"cannot be read at frame {frame + 1} ({error.strerror})") from None
        if data.size < header.section_bytes:
            raise BadFileError(self.path, f"ends inside frame {frame + 1}", fix="Was it cut while it was read?")
        return section(data, header)


def section(data: npt.NDArray[np.uint8], header: MrcHeader) -> npt.NDArray:
    """Return the image in the bytes of a section, in native byte order, shape ``(height, width)``."""
    _, height, width = header.shape
    items = data.view(header.dtype).reshape(height, header.row_items)
    if header.mode == FOUR_BIT:
        return unpack(items, width)
    return items.astype(header.dtype.newbyteorder("="), copy=False)
