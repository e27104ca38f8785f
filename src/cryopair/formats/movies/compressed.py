"""Movies in MRC stacks compressed as a whole: decompressed as they are read, from the first frame on."""

from __future__ import annotations

import bz2
import io
import lzma
import threading
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import zstandard

from ...errors import BadFileError
from ..mrc_header import HEADER_BYTES, parse_header
from .movie import MovieFile
from .mrc import section

_PIECE = 2**20


def _open_zstandard(path: Path) -> io.BufferedIOBase:
    # Files of the parallel programs pzstd and mcmz are many Zstandard frames, one after the other.
    decompressor = zstandard.ZstdDecompressor()
    return cast(io.BufferedIOBase, decompressor.stream_reader(path.open("rb"), read_across_frames=True, closefd=True))


_OPENERS: dict[str, Callable[[Path], io.BufferedIOBase]] = {
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
    ".zst": _open_zstandard,
}
COMPRESSED_SUFFIXES = tuple(_OPENERS)


class CompressedMrcMovie(MovieFile):
    """A movie in an MRC stack compressed by bzip2, xz or Zstandard.

    One frame is decompressed at a time. To go back, the file is read from its start again.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    BadFileError
        When it is not compressed so, or holds no MRC file.
    """

    _sequential = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._stream: io.BufferedIOBase | None = None
        self._next = 0
        self._rewind()
        try:
            self._header = parse_header(path, self._take(HEADER_BYTES, "its header").tobytes())
            self._take(self._header.data_offset - HEADER_BYTES, "its extended header", keep=False)
        except BadFileError:
            self.close()
            raise
        self.shape = self._header.shape
        self.dtype = self._header.dtype.newbyteorder("=")

    def _decode(self, frame: int) -> npt.NDArray:
        with self._lock:
            if frame < self._next:
                self._rewind()
                self._take(self._header.data_offset, "its header", keep=False)
            for skipped in range(self._next, frame):
                self._take(self._header.section_bytes, f"frame {skipped + 1}", keep=False)
            data = self._take(self._header.section_bytes, f"frame {frame + 1}")
            self._next = frame + 1
        return section(data, self._header)

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _rewind(self) -> None:
        self.close()
        self._next = 0
        try:
            self._stream = _OPENERS[self.path.suffix.lower()](self.path)
        except OSError as error:
            raise BadFileError(self.path, f"cannot be read ({error.strerror})") from None

    def _take(self, count: int, what: str, *, keep: bool = True) -> npt.NDArray[np.uint8]:
        """Decompress the next bytes."""
        assert self._stream is not None
        kept = np.empty(count if keep else min(count, _PIECE), np.uint8)
        taken = 0
        while taken < count:
            place = kept[taken:] if keep else kept[: count - taken]
            try:
                read = self._stream.readinto(place.data)
            except (OSError, EOFError, ValueError, lzma.LZMAError, zstandard.ZstdError) as error:
                raise self._damaged(what, str(error)) from None
            if not read:
                raise self._damaged(what, "the data end there")
            taken += read
        return kept

    def _damaged(self, what: str, detail: str) -> BadFileError:
        return BadFileError(
            self.path,
            f"is not a whole compressed MRC movie: {what} cannot be decompressed ({detail.rstrip('.')})",
            fix="It may be truncated or still being written: copy or write it again.",
        )
