"""What all open movies have in common: frames read singly, or many, decoded in parallel ahead of use."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

_MEMORY_AHEAD = 512 * 2**20
"""Bytes of decoded frames that may wait to be used."""


class MovieFile(ABC):
    """An open movie, to be used in a ``with`` statement.

    Attributes
    ----------
    path : Path
        The file.
    shape : tuple of int
        ``(frames, height, width)``.
    dtype : numpy.dtype
        Type of the frames.
    """

    path: Path
    shape: tuple[int, int, int]
    dtype: np.dtype
    _sequential = False  # whether a frame is reached only through those before it

    def read(self, frame: int) -> npt.NDArray:
        """Return a frame.

        Parameters
        ----------
        frame : int
            0-based. Frames may be read in any order, and from several threads.

        Returns
        -------
        numpy.ndarray
            Shape ``(height, width)``, in the type it is stored in.

        Raises
        ------
        BadFileError
            When the frame cannot be decoded.
        IndexError
            When there is no such frame.
        """
        if not 0 <= frame < self.shape[0]:
            raise IndexError(f"{self.path} has {self.shape[0]} frames, none of index {frame}")
        return self._decode(frame)

    def frames(self, numbers: Iterable[int], *, dtype: npt.DTypeLike | None = None) -> Iterator[npt.NDArray]:
        """Yield frames in the order asked for, decoded in parallel ahead of use.

        As many are decoded at once as there are cores, or fewer if they take too much memory.

        Parameters
        ----------
        numbers : iterable of int
            0-based.
        dtype : dtype, optional
            To convert to, in the same threads; by default frames stay as stored.

        Yields
        ------
        numpy.ndarray
            Shape ``(height, width)``, contiguous; it may be written to.

        Raises
        ------
        BadFileError, IndexError
            As `read`.
        """
        dtype = self.dtype if dtype is None else np.dtype(dtype)

        def prepare(frame: int) -> npt.NDArray:
            return np.require(self.read(frame), dtype, ["C", "W"])

        frame_bytes = self.shape[1] * self.shape[2] * max(dtype.itemsize, self.dtype.itemsize)
        at_once = 1 if self._sequential else max(1, min(_cores(), _MEMORY_AHEAD // frame_bytes))
        waiting: deque[Future[npt.NDArray]] = deque()
        with ThreadPoolExecutor(at_once) as readers:
            try:
                for number in numbers:
                    waiting.append(readers.submit(prepare, number))
                    if len(waiting) > at_once:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    @abstractmethod
    def close(self) -> None:
        """Close the file."""

    @abstractmethod
    def _decode(self, frame: int) -> npt.NDArray: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _cores() -> int:
    """Return the cores that this process may use; workflows give each job its share by OMP_NUM_THREADS."""
    share = os.environ.get("OMP_NUM_THREADS", "")
    cores = len(os.sched_getaffinity(0))
    return min(cores, int(share)) if share.isdecimal() and int(share) else cores
