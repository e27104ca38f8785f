"""What a source is: a list of a program, a folder, or a pattern of file names."""

from __future__ import annotations

import glob
from pathlib import Path

from ..errors import BadFileError, CryopairError, UsageError
from ..micrographs import Micrographs, mirrored, place_below_job
from .cryosparc import read_exposures
from .files import read_files
from .folders import list_in, pattern_in
from .halves import HalfPattern, read_halves
from .kinds import Kind, kind_of
from .relion import read_list

WAYS = (
    "the STAR file of a RELION job, the job's folder, a folder of movies or halves, a pattern such as 'Movies/*.tif' "
    "or '{even,odd}/*.mrc' in quotes, or a table of cryoSPARC (.cs)"
)


def read_source(source: str | Path, *, pixel_size: float | None = None, output: str | None = None) -> Micrographs:
    """Read a source; it may grow between two calls.

    Parameters
    ----------
    source : str or Path
        STAR file of a RELION job or the job's folder; table of cryoSPARC; folder or pattern of files. Relative to
        the working directory, the project.
    pixel_size : float, optional
        Of halves and micrographs whose headers do not have it, in Å/px.
    output : str, optional
        Output folder of the session, where the micrographs of raw movies will be, and the sums of halves that have
        none.

    Returns
    -------
    Micrographs
        Of one of the kinds of `kinds.Kind`; each name is there once.

    Raises
    ------
    BadFileError
        When it cannot be read, or lists nothing.
    UsageError
        When it is none of these.
    """
    path = Path(source)
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())  # as RELION writes paths
    source = str(path)
    if path.is_dir():
        found = list_in(path) or pattern_in(path)
        if found is None:
            raise UsageError(f"{source}: holds no movies, halves or micrographs, and no list of them. Give {WAYS}.")
        return read_source(found, pixel_size=pixel_size, output=output)
    micrographs = _read(source, pixel_size=pixel_size, output=output)
    _check(source, micrographs)
    if output is not None and kind_of(micrographs.table) is Kind.RAW:
        _name_micrographs(micrographs, output)
    return micrographs


def _read(source: str, *, pixel_size: float | None, output: str | None) -> Micrographs:
    path = Path(source)
    halves = HalfPattern.parse(source)
    if halves is not None:
        return read_halves(halves, pixel_size=pixel_size, output=output or ".")
    if glob.has_magic(source) and not path.exists():
        return read_files(source, pixel_size=pixel_size)
    if path.suffix == ".star":
        return read_list(path)
    if path.suffix == ".cs":
        return read_exposures(path)
    if not path.exists():
        raise BadFileError(path, "no such file or folder", expected=WAYS)
    raise UsageError(f"{source}: is no list. Give {WAYS}.")


def _name_micrographs(movies: Micrographs, output: str) -> None:
    """Name the micrographs that the stage ``align`` will make of movies: below a ``jobNNN`` folder, as RELION's are."""
    names = []
    for movie in movies.table["rlnMicrographMovieName"]:
        try:
            names.append(f"{output}/motion/job001/{mirrored(movie)}.mrc")
        except CryopairError:  # a path outside the project: it fails later, by name
            names.append(movie)
    movies.table["rlnMicrographName"] = names


def _check(source: str, micrographs: Micrographs) -> None:
    """Refuse a list that names a micrograph twice, or none, unless all have failed in the stage that wrote it."""
    names = micrographs.table["rlnMicrographName"]
    if not names and not len(micrographs.failed):
        raise BadFileError(source, "lists no micrographs", fix="Has the job finished its first movies?")
    seen: set[str] = set()
    for place in map(place_below_job, names):
        if place in seen:
            raise BadFileError(
                source, f"names the micrograph {place} twice", expected="different names below the job folder"
            )
        seen.add(place)
