"""The stage ``halves``: half-sums of every movie of a shard."""

from __future__ import annotations

from pathlib import Path

import torch

from ..errors import BadFileError, CryopairError
from ..formats.fingerprint import MISSING, fingerprint
from ..formats.mrc import read_mrc, write_mrc
from ..micrographs import Micrographs, Row, mirrored, process
from ..motion.model import read_motion
from .checks import MIN_CORRELATION_WITH_RAW, correlation
from .sums import sum_halves

COLUMNS = ("rlnMicrographNameEven", "rlnMicrographNameOdd", "cryopairCorrelationEvenOdd", "cryopairCorrelationRaw")


def halve_micrographs(
    micrographs: Micrographs, *, out: Path, dose_weighting: bool, device: torch.device | str = "cpu"
) -> Micrographs:
    """Write ``_EVN.mrc`` and ``_ODD.mrc`` of every micrograph's movie and check them against it.

    Parameters
    ----------
    micrographs : Micrographs
        With ``rlnMicrographMetadata``, the motion STARs.
    out : Path
        Folder for the half-sums, relative to the project.
    dose_weighting : bool
        Whether the micrographs are dose-weighted sums, so that even + odd is the micrograph.
    device : torch.device or str
        Where to compute.

    Returns
    -------
    Micrographs
        With `COLUMNS` added; movies that are missing, damaged or do not belong to their micrograph failed.
    """

    def halve(row: Row) -> dict[str, object]:
        motion = read_motion(row["rlnMicrographMetadata"])
        _check_unchanged(row, motion.movie)
        sums = sum_halves(motion, dose_weighting=dose_weighting, device=device)
        raw = read_mrc(row["rlnMicrographName"])
        if raw.shape != sums.even.shape:
            raise BadFileError(
                row["rlnMicrographName"],
                f"is a micrograph of {raw.shape[1]} x {raw.shape[0]} px",
                expected=f"{sums.even.shape[1]} x {sums.even.shape[0]} px, as its movie and binning give",
            )
        between, with_raw = correlation(sums.even, sums.odd), correlation(sums.full, raw)
        if not (between > 0 and with_raw > MIN_CORRELATION_WITH_RAW):
            raise CryopairError(
                f"{row['rlnMicrographName']}: the half-sums of {motion.movie} do not fit: correlation "
                f"{between:.3f} between even and odd (expected above 0), {with_raw:.3f} of their sum with the "
                f"micrograph (expected above {MIN_CORRELATION_WITH_RAW:g}). Is it another movie, or an empty one?"
            )
        stem = out / mirrored(row["rlnMicrographName"])
        even, odd = (stem.with_name(f"{stem.name}_{half}.mrc") for half in ("EVN", "ODD"))
        write_mrc(even, sums.even, pixel_size=motion.micrograph_pixel_size)
        write_mrc(odd, sums.odd, pixel_size=motion.micrograph_pixel_size)
        return dict(zip(COLUMNS, (str(even), str(odd), between, with_raw), strict=True))

    return process(micrographs, "halves", halve, columns=COLUMNS)


def _check_unchanged(row: Row, movie: str) -> None:
    """Compare the movie and its motion with what the planner saw, if it did."""
    planned = row.get("cryopairFingerprint")
    now = fingerprint(movie, row["rlnMicrographMetadata"])
    if now == MISSING:
        raise BadFileError(movie, "no such file", expected="a movie", fix="Was it moved, or is a disk not mounted?")
    if planned is not None and now != planned:
        raise BadFileError(
            movie,
            "has changed since it was planned, or its motion STAR has",
            fix="Run again: the next pass takes in the new file.",
        )
