"""The stage ``align``: raw movies to micrographs with motion, as a MotionCorr job of RELION makes them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from ..device import else_on_cpu
from ..errors import UsageError
from ..formats.fingerprint import fingerprint
from ..formats.mrc import write_mrc
from ..halves.checks import check_unchanged
from ..halves.sums import HalfSums, sum_halves
from ..micrographs import Micrographs, Row, mirrored, process
from ..motion import Motion, write_motion
from .acquisition import Acquisition
from .estimate import Paths, estimate_global, estimate_local
from .frames import read_frames

COLUMNS = (
    "rlnMicrographName",
    "rlnMicrographMetadata",
    "rlnAccumMotionTotal",
    "rlnAccumMotionEarly",
    "rlnAccumMotionLate",
)

Extent = Literal["none", "global", "patch"]


def align_movie(
    motion: Motion, *, extent: Extent, root: str | Path = ".", device: torch.device | str = "cpu"
) -> Motion:
    """Find how the specimen moved in a movie.

    Parameters
    ----------
    motion : Motion
        The movie; its shifts only say which frames are used.
    extent : str
        ``none`` for frames that are aligned already, ``global`` for shifts of whole frames, ``patch`` for local
        motion too.
    root : str or Path
        Project folder, to which the paths in `motion` are relative.
    device : torch.device or str
        Where to compute.

    Returns
    -------
    Motion
        With shifts, local model and hot pixels.

    Raises
    ------
    BadFileError
        When the movie, the gain or the defect file cannot be read, or they do not fit each other.
    """
    frames, motion = read_frames(motion, root=Path(root), device=torch.device(device))
    if extent == "none":
        return motion
    numbers = np.arange(len(motion.used_frames), dtype=np.float64)
    doses = motion.pre_exposure + motion.dose_per_frame * numbers
    paths = estimate_global(frames, doses)
    if extent == "patch":
        paths = estimate_local(frames, doses, paths)
    return _with_paths(motion, paths)


def align_micrographs(
    movies: Micrographs,
    acquisition: Acquisition,
    *,
    out: Path,
    extent: Extent = "patch",
    dose_weighting: bool = True,
    device: torch.device | str = "cpu",
) -> Micrographs:
    """Align movies and write their motion STARs and micrographs.

    Parameters
    ----------
    movies : Micrographs
        With ``rlnMicrographMovieName``. Failures are named by ``rlnMicrographName``, which may be the movie's.
    acquisition : Acquisition
        How they were recorded.
    out : Path
        Folder for the results, relative to the project: ``<movie>.star`` and ``<movie>.mrc``.
    extent : str
        See `align_movie`.
    dose_weighting : bool
        Whether micrographs are dose-weighted sums.
    device : torch.device or str
        Where to compute.

    Returns
    -------
    Micrographs
        With `COLUMNS`, as in ``corrected_micrographs.star``; movies that are missing or damaged failed.

    Raises
    ------
    UsageError
        When settings are missing or contradict the movies' table, it lists no movies, or the gain or the defect file
        is not there: no movie would fare better, and those that failed would not be tried again.
    """
    if "rlnMicrographMovieName" not in movies.table:
        raise UsageError(
            "the list names no movies (_rlnMicrographMovieName). Micrographs that RELION has aligned need no other "
            "alignment: give them to 'cryopair halves'."
        )
    if dose_weighting and not acquisition.dose_per_frame > 0:
        raise UsageError(
            "acquisition: the dose per frame is not known, so frames cannot be dose-weighted. Give the dose, "
            "or switch dose weighting off."
        )
    movies = Micrographs(acquisition.completed(movies.optics), movies.table, movies.failed)
    for name, path in (("gain", acquisition.gain), ("defects", acquisition.defects)):
        if path is not None and not Path(path).is_file():
            raise UsageError(f"acquisition.{name}: {path}: no such file.")
    recorded = acquisition.with_oriented_gain(out)

    def aligned(still: Motion, place: torch.device) -> tuple[Motion, HalfSums]:
        motion = align_movie(still, extent=extent, device=place)
        return motion, sum_halves(motion, dose_weighting=dose_weighting, device=place)

    def align(row: Row) -> dict[str, object]:
        movie = row["rlnMicrographMovieName"]
        stem = out / mirrored(movie)
        check_unchanged(row, movie)
        still = recorded.still(row, movies.optics_row(row), root=Path())
        motion, sums = else_on_cpu(partial(aligned, still), torch.device(device), name=f"align: {movie}")
        star, micrograph = (stem.with_name(f"{stem.name}.{suffix}") for suffix in ("star", "mrc"))
        write_mrc(micrograph, sums.full, pixel_size=motion.micrograph_pixel_size)
        write_motion(star, motion)
        early, late = (length / motion.pixel_size for length in motion.path_lengths)  # RELION's are in raw pixels
        results = dict(zip(COLUMNS, (str(micrograph), str(star), early + late, early, late), strict=True))
        if "cryopairFingerprint" in row:
            results["cryopairFingerprint"] = fingerprint(movie, star)
        return results

    planned = ("cryopairFingerprint",) if "cryopairFingerprint" in movies.table else ()
    return process(movies, "align", align, columns=COLUMNS + planned)


def _with_paths(motion: Motion, paths: Paths) -> Motion:
    """Store paths as RELION does: shifts in raw pixels, the local model in those of the micrograph."""
    shifts = np.full((motion.frames, 2), np.nan)
    shifts[motion.used_frames] = paths.shifts / motion.pixel_size
    if not paths.local.any():
        return replace(motion, global_shifts=shifts)
    last = len(motion.used_frames) - 1
    coefficients = np.zeros((2, 6, 3))  # the first of six terms is the constant in space
    coefficients[:, 1:] = paths.local / last ** np.arange(1, 4) / motion.micrograph_pixel_size
    return replace(motion, global_shifts=shifts, local_coefficients=coefficients, early_binning=True)
