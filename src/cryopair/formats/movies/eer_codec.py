"""The three codings of a detector frame's electrons in EER files, and their rendering on a grid.

A frame is a stream of bits, read from the lowest bit of each byte up: numbers of pixels to skip in raster
order, each followed by the place of an electron within the pixel reached. The greatest number skips without
an electron. The first bit of a place has its meaning reversed: places are signed, -2 … 1 or -1 … 0
(*EER file format*, Thermo Fisher; ``renderEER.cpp``).
"""

from __future__ import annotations

from dataclasses import dataclass

import imagecodecs
import numpy as np
import numpy.typing as npt

from ...errors import BadFileError
from .tiff_directory import COMPRESSION, EER_HORIZONTAL_BITS, EER_SKIP_BITS, EER_VERTICAL_BITS, Directory

_FIXED_8, _RUNNING_7, _RUNNING_VARIABLE = 65000, 65001, 65002
EER_COMPRESSIONS = (_FIXED_8, _RUNNING_7, _RUNNING_VARIABLE)


@dataclass(frozen=True)
class EerCodec:
    """How electrons are coded.

    Attributes
    ----------
    skip_bits : int
        Bits of a skip.
    place_bits : int
        Bits of a place within a pixel, along each axis.
    fixed : bool
        Whether a place also follows a skip that has no electron, as in the oldest files.
    """

    skip_bits: int
    place_bits: int
    fixed: bool

    def add_frame(self, image: npt.NDArray[np.uint8] | npt.NDArray[np.uint16], stream: bytes, *, finer: int) -> bool:
        """Add the electrons of a detector frame to an image, if the stream is whole.

        It is whole if its skips and electrons reach the end of the frame, and not beyond.

        Parameters
        ----------
        image : numpy.ndarray
            Counts, shape of the detector times ``2**finer``.
        stream : bytes
            The coded frame.
        finer : int
            Bits of the places to be used, at most `place_bits`.

        Returns
        -------
        bool
            Whether the stream was whole; if not, the image is as it was.
        """
        if self.fixed:
            return _add_fixed(image, stream, finer)
        shape = image.shape[0] >> finer, image.shape[1] >> finer
        counts = self._whole(stream, shape)
        if counts is None:
            return False
        if finer:
            imagecodecs.eer_decode(_even(stream + bytes(2)), image.shape, *self._bits, superres=finer, out=image)
        else:
            image += counts
        return True

    @property
    def _bits(self) -> tuple[int, int, int]:
        return self.skip_bits, self.place_bits, self.place_bits

    def _whole(self, stream: bytes, shape: tuple[int, int]) -> npt.NDArray[np.bool_] | None:
        """Return the pixels that have an electron, or None if the stream does not end where the frame ends.

        The decoder stops at the end of the frame, and is silent about streams that stop before it. What
        follows such a stream is decoded too: ones are skips, which go beyond the end, an error, or reach it by
        chance without another electron; zeros are electrons. A whole stream has as many with either.
        """
        greatest = 2**self.skip_bits - 1
        ones = b"\xff" * (shape[0] * shape[1] * self.skip_bits // (8 * greatest) + 8)
        try:
            counts, others = (
                imagecodecs.eer_decode(_even(stream + tail), shape, *self._bits) for tail in (ones, bytes(8))
            )
        except imagecodecs.EerError:
            return None
        return counts if np.count_nonzero(counts) == np.count_nonzero(others) else None


def codec_of(directory: Directory) -> EerCodec:
    """Return the codec of a frame.

    Raises
    ------
    BadFileError
        When the frame is coded in a way that no camera uses.
    """
    compression = directory.value(COMPRESSION)
    if compression == _FIXED_8:
        return EerCodec(8, 2, fixed=True)
    if compression == _RUNNING_7:
        return EerCodec(7, 2, fixed=False)
    skip_bits, across = directory.value(EER_SKIP_BITS, 7), directory.value(EER_HORIZONTAL_BITS, 2)
    down = directory.value(EER_VERTICAL_BITS, across)  # missing in files of prototypes
    if across != down or across not in (1, 2) or not 7 <= skip_bits <= 12:
        raise BadFileError(
            directory.path,
            f"codes electrons in {skip_bits} + {across} + {down} bits",
            expected="7 to 12 bits for skips, and 1 + 1 or 2 + 2 for places",
        )
    return EerCodec(skip_bits, across, fixed=False)


def _add_fixed(image: npt.NDArray[np.uint8] | npt.NDArray[np.uint16], stream: bytes, finer: int) -> bool:
    """Add a frame in codes of 8 + 4 bits: two in three bytes."""
    width = image.shape[1] >> finer
    size = (image.shape[0] >> finer) * width
    codes = len(stream) * 8 // 12
    low, middle, high = np.frombuffer(stream + bytes(-len(stream) % 3), np.uint8).reshape(-1, 3).T
    skips = np.stack([low, middle >> 4 | high << 4], axis=1).reshape(-1)[:codes]
    places = np.stack([middle & 15, high >> 4], axis=1).reshape(-1)[:codes] ^ 0b1010
    has_electron = skips < 255
    reached = np.cumsum(skips + has_electron, dtype=np.int64) - has_electron
    end = int(np.searchsorted(reached, size))
    if end == len(reached) or reached[end] != size:
        return False
    pixels, places = (values[:end][has_electron[:end]] for values in (reached, places))
    rows, columns = (
        (place << finer) | (within >> (2 - finer))
        for place, within in zip(np.divmod(pixels, width), (places >> 2, places & 3), strict=True)
    )
    image[rows, columns] += 1  # no pixel has two electrons in one detector frame
    return True


def _even(stream: bytes) -> bytes:
    """Pad to a whole number of two-byte words, which the decoder asks for."""
    return stream + bytes(len(stream) % 2)
