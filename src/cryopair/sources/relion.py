"""Lists of RELION: of movies, or of micrographs that came from a MotionCorr job or another program."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from ..errors import BadFileError, UsageError
from ..formats.star import Table, read_star
from ..micrographs import Micrographs, read_micrographs
from ..micrographs import read_list as read_plain_list
from .folders import HALF_SUFFIX

_OTHER_HALF = "_ODD.mrc"


def read_list(path: str | Path) -> Micrographs:
    """Read a list of RELION 3.1 or later and find the motion STAR, or the halves, of each micrograph.

    MotionCorr jobs name the motion STAR in ``rlnMicrographMetadata``; CtfFind drops that column, but the file lies
    beside the micrograph under the same name. Where there are no such files, halves of RELION 5 or MotionCor2 may
    lie there; where there are neither, micrographs are all that there is.

    Parameters
    ----------
    path : str or Path
        ``corrected_micrographs.star``, ``micrographs_ctf.star``, ``micrographs_selected.star``, ``movies.star``, …

    Raises
    ------
    BadFileError
        When it is no such list.
    UsageError
        When it is a list of tilt series.
    """
    blocks = read_star(path)
    if any(label.startswith("rlnTomo") for table in blocks.values() for label in table.labels):
        raise UsageError(f"{path}: lists tilt series; cryopair takes single-particle movies only.")
    if "movies" in blocks or _has_movies_only(blocks):
        return _movies(path)
    micrographs = read_micrographs(path)
    table = micrographs.table
    if "rlnMicrographMetadata" in table or "rlnMicrographNameEven" in table or not len(table):
        return micrographs
    stems = [PurePosixPath(name).with_suffix("") for name in table["rlnMicrographName"]]
    motion = [f"{stem}.star" for stem in stems]
    halves = [[f"{stem}{suffix}" for stem in stems] for suffix in (HALF_SUFFIX, _OTHER_HALF)]
    if not Path(motion[0]).is_file():
        if Path(halves[0][0]).is_file() and Path(halves[1][0]).is_file():
            table["rlnMicrographNameEven"], table["rlnMicrographNameOdd"] = halves
            return micrographs
        if not _from_motion_correction(table["rlnMicrographName"][0]):
            return micrographs
    table["rlnMicrographMetadata"] = motion
    return micrographs


def _movies(path: str | Path) -> Micrographs:
    movies = read_plain_list(path)
    if "rlnMicrographMovieName" not in movies.table:
        raise BadFileError(path, "lists no movies", expected="_rlnMicrographMovieName in data_movies")
    if "rlnMicrographName" not in movies.table:
        movies.table["rlnMicrographName"] = movies.table["rlnMicrographMovieName"]
    return movies


def _has_movies_only(blocks: dict[str, Table]) -> bool:
    table = blocks.get("micrographs", Table())
    return "rlnMicrographMovieName" in table and "rlnMicrographMetadata" not in table


def _from_motion_correction(name: str) -> bool:
    """Tell by its path whether a micrograph is of a MotionCorr job, so that its motion STAR is not there but lost."""
    return name.startswith("MotionCorr/")
