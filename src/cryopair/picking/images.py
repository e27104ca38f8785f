"""Which image of a micrograph is picked on."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import numpy.typing as npt

from ..errors import UsageError
from ..formats.mrc import read_mrc
from ..micrographs import Row


class Images(StrEnum):
    """Denoised or raw micrographs."""

    DENOISED = "denoised"
    RAW = "raw"

    def name_of(self, row: Row) -> str:
        """Return the file of a micrograph's image.

        Raises
        ------
        UsageError
            When the list does not have it.
        """
        label = "rlnMicrographNameDenoised" if self is Images.DENOISED else "rlnMicrographName"
        if label not in row:
            raise UsageError(
                f"the list of micrographs has no column _{label}; expected the one that cryopair denoise writes. "
                "To pick on raw micrographs: --images raw."
            )
        return row[label]

    def read(self, row: Row) -> npt.NDArray[np.float32]:
        """Read a micrograph's image, shape ``(height, width)``."""
        return read_mrc(self.name_of(row))
