"""Drift of the movies, for the report: path lengths and one example track, in Å."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..micrographs import Row
from ..motion import Motion, read_motion


def accumulated_motion(row: Row, optics: Row) -> tuple[float, float]:
    """Return the early and late length of a micrograph's drift in Å; NaN when it is not known.

    Taken from ``cryopairMotionEarly`` and ``cryopairMotionLate``, which the stage halves writes, from
    ``rlnAccumMotionEarly`` and ``rlnAccumMotionLate`` (pixels of the raw movie), or computed from
    the motion STAR in the same way, since CtfFind jobs drop these columns.

    Parameters
    ----------
    row : Row
        The micrograph.
    optics : Row
        Its optics group.
    """
    if "cryopairMotionEarly" in row and "cryopairMotionLate" in row:
        return _length(row["cryopairMotionEarly"]), _length(row["cryopairMotionLate"])
    if "rlnAccumMotionEarly" in row and "rlnAccumMotionLate" in row:
        pixel_size = float(optics.get("rlnMicrographOriginalPixelSize", "nan"))
        return float(row["rlnAccumMotionEarly"]) * pixel_size, float(row["rlnAccumMotionLate"]) * pixel_size
    star = readable_motion(row)
    return (np.nan, np.nan) if star is None else read_motion(star).path_lengths


def _length(text: str) -> float:
    """Return a length; NaN where the movie's motion is not known."""
    try:
        return float(text)
    except ValueError:
        return np.nan


def readable_motion(row: Row) -> str | None:
    """Return the motion STAR of a micrograph if it is there."""
    star = row.get("rlnMicrographMetadata")
    return star if star and Path(star).is_file() else None


def track(motion: Motion) -> npt.NDArray[np.float64]:
    """Return the drift of the specimen in Å, from the first frame on, shape ``(used frames, 2)``, x and y.

    Shifts are what was added to the frames to undo the drift, so the specimen moved the other way.
    """
    shifts = motion.global_shifts[np.isfinite(motion.global_shifts[:, 0])]
    return (shifts[0] - shifts) * motion.pixel_size
