"""The stage ``halves``: half-sums of every movie of a shard, or the halves that another program made, checked."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import torch
from tqdm import tqdm

from ..device import else_on_cpu
from ..errors import BadFileError
from ..formats.mrc import read_mrc, read_mrc_info, write_mrc
from ..micrographs import Micrographs, Row, mirrored, process
from ..motion import read_motion
from .checks import check_fit, check_unchanged
from .exposure import exposure_columns
from .given import check_given_halves
from .sums import sum_halves

COLUMNS = ("rlnMicrographNameEven", "rlnMicrographNameOdd", "cryopairCorrelationEvenOdd", "cryopairCorrelationRaw")
EXPOSURE = ("cryopairIntensity", "cryopairContamination", "cryopairCarbon")
MOTION = ("cryopairMotionEarly", "cryopairMotionLate")


def halve_micrographs(
    micrographs: Micrographs, *, out: Path, dose_weighting: bool, device: torch.device | str = "cpu"
) -> Micrographs:
    """Write ``_EVN.mrc`` and ``_ODD.mrc`` of every micrograph's movie and check them against it.

    Halves that were made elsewhere are checked and stay where they are; their sum is written if there is none.
    Micrographs that have neither movie nor halves are passed on as they are.

    Parameters
    ----------
    micrographs : Micrographs
        With ``rlnMicrographMetadata``, the motion STARs, or ``rlnMicrographNameEven`` and ``rlnMicrographNameOdd``.
    out : Path
        Folder for the half-sums, relative to the project.
    dose_weighting : bool
        Whether the micrographs are dose-weighted sums, so that even + odd is the micrograph.
    device : torch.device or str
        Where to compute.

    Returns
    -------
    Micrographs
        With `COLUMNS` (where there are halves), `EXPOSURE` and `MOTION` (of movies with their motion, in Å) added;
        movies that are missing, damaged or do not belong to their micrograph failed.
    """
    if "rlnMicrographNameEven" in micrographs.table:
        take = partial(check_given_halves, micrographs, out=out)
        return process(micrographs, "halves", take, columns=(*COLUMNS, *EXPOSURE))
    if "rlnMicrographMetadata" not in micrographs.table:
        return process(micrographs, "halves", partial(_check_single, micrographs), columns=EXPOSURE)

    def halve(row: Row) -> dict[str, object]:
        motion = read_motion(row["rlnMicrographMetadata"])
        check_unchanged(row, motion.movie, row["rlnMicrographMetadata"])
        sums = else_on_cpu(
            lambda place: sum_halves(motion, dose_weighting=dose_weighting, device=place),
            torch.device(device),
            name=f"halves: {motion.movie}",
        )
        if sums.bad_lines:
            tqdm.write(
                f"halves: {motion.movie}: replaced {sums.bad_lines} (from 0), unlike their neighbours",
                file=sys.stderr,
            )
        raw = read_mrc(row["rlnMicrographName"])
        if raw.shape != sums.even.shape:
            raise BadFileError(
                row["rlnMicrographName"],
                f"is a micrograph of {raw.shape[1]} x {raw.shape[0]} px",
                expected=f"{sums.even.shape[1]} x {sums.even.shape[0]} px, as its movie and binning give",
            )
        between, with_raw = check_fit(sums.even, sums.odd, raw, what=f"{row['rlnMicrographName']}: {motion.movie}")
        stem = out / mirrored(row["rlnMicrographName"])
        even, odd = (stem.with_name(f"{stem.name}_{half}.mrc") for half in ("EVN", "ODD"))
        write_mrc(even, sums.even, pixel_size=motion.micrograph_pixel_size)
        write_mrc(odd, sums.odd, pixel_size=motion.micrograph_pixel_size)
        return {
            **dict(zip(COLUMNS, (str(even), str(odd), between, with_raw), strict=True)),
            **exposure_columns(raw, pixel_size=motion.micrograph_pixel_size),
            **dict(zip(MOTION, motion.path_lengths, strict=True)),
        }

    return process(micrographs, "halves", halve, columns=(*COLUMNS, *EXPOSURE, *MOTION))


def _check_single(micrographs: Micrographs, row: Row) -> dict[str, object]:
    micrograph = row["rlnMicrographName"]
    check_unchanged(row, micrograph)
    sections = read_mrc_info(micrograph).shape[0]
    if sections != 1:
        raise BadFileError(micrograph, f"holds {sections} images", expected="one, a micrograph")
    return exposure_columns(read_mrc(micrograph), pixel_size=micrographs.pixel_size(row))
