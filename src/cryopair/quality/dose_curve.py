"""How much dose picking needs: the first quarter, half, three quarters of the frames, denoised and picked on.

A lab that only looks for particles can stop earlier, or record more movies in the same time. What the model makes of
fewer frames is measured as always, and the picks are compared with those at full dose.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..denoiser.inference import denoise_micrograph
from ..denoiser.model import Ensemble, Model
from ..errors import UsageError
from ..halves.sums import sum_halves
from ..micrographs import Micrographs, Row
from ..motion import Motion, read_motion
from ..picking.agreement import f1, match_picks
from ..picking.blob import pick_blobs
from .snr import summarise
from .spectra import measure_spectra
from .tables import format_table
from .windows import mean_halves, windows_of

SHARES = (0.25, 0.5, 0.75, 1.0)
SAME = 0.25
"""Picks within this share of the diameter are of one particle."""
_FEWEST_FRAMES = 4

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class DosePoint:
    """One movie summed up to one dose.

    Attributes
    ----------
    micrograph : str
        Its name.
    share : float
        Of the frames that were used.
    frames : int
        Their number.
    dose : float
        Up to the last of them, without pre-exposure, in e/Å²; 0 where it is not known.
    snr_raw_db, snr_denoised_db, bias_db : float
        As in ``quality.csv``, of the sum up to this dose.
    picks : int
        Particles that were found.
    agreement : float
        F1 of the picks against those of the same movie at full dose.
    """

    micrograph: str
    share: float
    frames: int
    dose: float
    snr_raw_db: float
    snr_denoised_db: float
    bias_db: float
    picks: int
    agreement: float


def dose_curve(
    micrographs: Micrographs,
    model: Model | Ensemble,
    *,
    diameter: float,
    dose_weighting: bool,
    movies: int = 4,
    shares: Sequence[float] = SHARES,
    device: torch.device | str = "cpu",
) -> Iterator[DosePoint]:
    """Sum, denoise, measure and pick a few movies at several doses.

    Parameters
    ----------
    micrographs : Micrographs
        With ``rlnMicrographMetadata``, the motion STARs.
    model : Model or Ensemble
        Its networks are moved to `device`.
    diameter : float
        Of the particle, in Å.
    dose_weighting : bool
        As for the half-sums that the model was trained on.
    movies : int
        How many movies, evenly spread over the list.
    shares : sequence of float
        Of the frames, from the first one on; all of them are always added.
    device : torch.device or str
        Where to compute.

    Raises
    ------
    UsageError
        When there are no movies, or the shares make no sense.
    """
    if "rlnMicrographMetadata" not in micrographs.table:
        raise UsageError("a dose curve needs movies with their motion: column _rlnMicrographMetadata.")
    if not shares or not all(0 < share <= 1 for share in shares):
        raise UsageError("shares of the frames are above 0 and at most 1 (100 %).")
    rows = list(micrographs.table.rows())
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(movies, len(rows))).round().astype(int))
    for index in chosen:
        row = rows[index]
        full: Points | None = None
        points: list[DosePoint] = []
        for share in sorted({*shares, 1.0}, reverse=True):
            point, picks = _at(row, share, full, model, diameter, dose_weighting, device)
            full = picks if full is None else full
            points.append(point)
        yield from reversed(points)


def first_frames(motion: Motion, share: float) -> Motion:
    """Return the motion of a movie that ends after a share of the used frames (rounded, and at least four)."""
    used = motion.used_frames
    count = min(len(used), max(_FEWEST_FRAMES, round(share * len(used))))
    shifts = motion.global_shifts.copy()
    shifts[used[count - 1] + 1 :] = np.nan
    return replace(motion, global_shifts=shifts)


def _at(
    row: Row,
    share: float,
    full: Points | None,
    model: Model | Ensemble,
    diameter: float,
    dose_weighting: bool,
    device: torch.device | str,
) -> tuple[DosePoint, Points]:
    """Measure one movie at one dose; return its picks too."""
    name = row["rlnMicrographName"]
    motion = first_frames(read_motion(row["rlnMicrographMetadata"]), share)
    sums = sum_halves(motion, dose_weighting=dose_weighting, device=device)
    pixel_size = motion.micrograph_pixel_size
    raw, members = windows_of((sums.even, sums.odd), (name, name), model, pixel_size=pixel_size, device=device)
    quality = summarise(measure_spectra(raw, mean_halves(members), pixel_size=pixel_size))
    denoised = denoise_micrograph(sums.full, model, pixel_size=pixel_size, device=device, name=name)
    found = pick_blobs(denoised, pixel_size=pixel_size, diameter=diameter)
    picks: Points = list(zip(map(float, found.x), map(float, found.y), strict=True))
    point = DosePoint(
        micrograph=name,
        share=share,
        frames=len(motion.used_frames),
        dose=len(motion.used_frames) * motion.dose_per_frame,
        snr_raw_db=quality.snr_raw_db,
        snr_denoised_db=quality.snr_denoised_db,
        bias_db=quality.bias_db,
        picks=len(picks),
        agreement=f1(*match_picks(picks, picks if full is None else full, SAME * diameter / pixel_size)),
    )
    return point, picks


def medians(points: Sequence[DosePoint]) -> list[DosePoint]:
    """Return the medians over the movies for each share, in the order of the shares; NaN are left out."""
    summary = []
    for share in sorted({point.share for point in points}):
        ours = [point for point in points if point.share == share]

        def middle(name: str, ours: list[DosePoint] = ours) -> float:
            values = [value for point in ours if not math.isnan(value := float(getattr(point, name)))]
            return float(np.median(values)) if values else math.nan

        summary.append(
            DosePoint(
                micrograph="median",
                share=share,
                frames=round(middle("frames")),
                dose=middle("dose"),
                snr_raw_db=middle("snr_raw_db"),
                snr_denoised_db=middle("snr_denoised_db"),
                bias_db=middle("bias_db"),
                picks=round(middle("picks")),
                agreement=middle("agreement"),
            )
        )
    return summary


def format_dose_curve(points: Sequence[DosePoint]) -> str:
    """Return points as CSV, with units in the header."""
    rows = [
        {
            "micrograph": point.micrograph,
            "share_of_frames": point.share,
            "frames": point.frames,
            "dose_e_per_A2": point.dose,
            "snr_raw_db": point.snr_raw_db,
            "snr_denoised_db": point.snr_denoised_db,
            "bias_db": point.bias_db,
            "picks": point.picks,
            "f1_with_full_dose": point.agreement,
        }
        for point in points
    ]
    return format_table(rows)
