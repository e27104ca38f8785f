"""Electron event movies (EER) of Falcon cameras: lists of electrons, rendered into frames as RELION does."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...errors import BadFileError
from .eer_codec import EER_COMPRESSIONS, codec_of
from .movie import MovieFile
from .tiff_directory import COMPRESSION, read_directories

EER_SUFFIXES = (".eer", ".ecc")

_HALF = -1
_FINER = {_HALF: 0, 1: 0, 2: 1, 3: 2}
"""Bits of an electron's place within its pixel that each upsampling uses."""


@dataclass(frozen=True)
class EerRendering:
    """How frames are made of the electrons of an EER movie.

    Attributes
    ----------
    grouping : int
        Detector frames summed to one frame; what is left at the end is not used.
    upsampling : int
        1 for the grid of the detector, 2 and 3 for one 2 and 4 times as fine, -1 for one half as fine.

    Raises
    ------
    ValueError
        For other numbers.
    """

    grouping: int
    upsampling: int

    def __post_init__(self) -> None:
        if self.grouping < 1:
            raise ValueError(f"EER grouping {self.grouping}: it must be 1 or more")
        if self.upsampling not in _FINER:
            raise ValueError(f"EER upsampling {self.upsampling}: it must be 1, 2, 3 or -1")


class EerMovie(MovieFile):
    """An EER movie, rendered into frames of electron counts.

    Frame i is the sum of detector frames ``i * grouping … (i + 1) * grouping - 1``. Detector frames that are
    damaged are left out, with a warning. Rows are as stored.

    Parameters
    ----------
    path : Path
        The file.
    rendering : EerRendering
        How to make frames.

    Raises
    ------
    BadFileError
        When it is damaged, or cannot be rendered so.
    """

    def __init__(self, path: Path, rendering: EerRendering) -> None:
        self.path = path
        self._grouping = rendering.grouping
        self._half = rendering.upsampling == _HALF
        self._finer = _FINER[rendering.upsampling]
        # Some programs put the sum of all frames first.
        self._directories = [
            directory for directory in read_directories(path) if directory.value(COMPRESSION, 1) in EER_COMPRESSIONS
        ]
        if not self._directories:
            raise BadFileError(path, "holds no electron events", expected="an EER movie")
        first = self._directories[0]
        self._codec = codec_of(first)
        for directory in self._directories:
            if directory.shape != first.shape or codec_of(directory) != self._codec:
                raise BadFileError(
                    path,
                    f"has image {directory.number} unlike the first",
                    expected="detector frames that are all alike",
                )
        height, width = first.shape
        if self._finer > self._codec.place_bits or (self._half and (height % 2 or width % 2)):
            raise BadFileError(
                path,
                f"cannot be rendered with upsampling {rendering.upsampling} (it has {width} x {height} px, "
                f"each in {2**self._codec.place_bits} x {2**self._codec.place_bits} parts)",
                fix="Set a smaller upsampling.",
            )
        frames = len(self._directories) // self._grouping
        if frames == 0:
            raise BadFileError(
                path,
                f"has {len(self._directories)} detector frames",
                expected=f"at least {self._grouping}, the EER grouping",
            )
        self._finer_shape = height << self._finer, width << self._finer
        rendered = (height // 2, width // 2) if self._half else self._finer_shape
        self.shape = (frames, *rendered)
        most = self._grouping * (4 if self._half else 1)
        self.dtype = np.dtype(np.uint8 if most <= np.iinfo(np.uint8).max else np.uint16)
        self._file = path.open("rb")

    def _decode(self, frame: int) -> npt.NDArray:
        image = np.zeros(self._finer_shape, self.dtype)
        added = sum(self._add(image, number) for number in range(frame * self._grouping, (frame + 1) * self._grouping))
        if not added:
            raise BadFileError(self.path, f"has no whole detector frame for frame {frame + 1}")
        if self._half:
            rows = image[0::2] + image[1::2]
            return rows[:, 0::2] + rows[:, 1::2]
        return image

    def _add(self, image: npt.NDArray, number: int) -> bool:
        strips = self._directories[number].strips
        stream = b"".join(os.pread(self._file.fileno(), size, offset) for offset, size in strips)
        whole = self._codec.add_frame(image, stream, finer=self._finer)
        if not whole:
            warnings.warn(
                f"{self.path}: detector frame {number + 1} does not end at its last pixel; it is left out.",
                stacklevel=2,
            )
        return whole

    def close(self) -> None:
        """Close the file."""
        self._file.close()
