"""Files that no program listed: movies or micrographs by a pattern of their names."""

from __future__ import annotations

import glob
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

from ..errors import BadFileError, UsageError
from ..formats.movies import MRC_SUFFIXES
from ..formats.mrc import read_mrc_info
from ..formats.star import Table
from ..micrographs import Micrographs

_GROUP = "opticsGroup1"
_TWINS = ("_DW", "_DWS", "_PS", "_noDW", "_EVN", "_ODD")
"""Endings of what MotionCor2 and RELION write beside a micrograph."""


def read_files(pattern: str, *, pixel_size: float | None) -> Micrographs:
    """List the files that match a pattern.

    Parameters
    ----------
    pattern : str
        As in a shell, with ``**`` for folders of any depth.
    pixel_size : float or None
        Of micrographs whose headers do not have it, in Å/px.

    Returns
    -------
    Micrographs
        Sorted by name. Raw movies; or micrographs if the first file holds a single image, with the motion STARs
        that lie beside them.

    Raises
    ------
    BadFileError
        When nothing matches, or the pixel size of micrographs is not known.
    UsageError
        When files lie outside the project.
    """
    names = matching(pattern)
    if not names:
        raise BadFileError(pattern, "no file matches", expected="movies, halves or micrographs")
    if Path(names[0]).suffix.lower() in MRC_SUFFIXES and read_mrc_info(first_readable(names)).shape[0] == 1:
        there = set(names)
        names = [name for name in names if not is_twin(name, there)]
        micrographs = Micrographs(optics_of(first_readable(names), pixel_size), _table(names))
        motion = [str(PurePosixPath(name).with_suffix(".star")) for name in names]
        if Path(motion[0]).is_file():  # the folder of a job, without its list
            micrographs.table["rlnMicrographMetadata"] = motion
        return micrographs
    table = _table(names)
    table["rlnMicrographMovieName"] = names
    return Micrographs(Table({"rlnOpticsGroupName": [_GROUP], "rlnOpticsGroup": [1]}), table)


def matching(pattern: str) -> list[str]:
    """Return the files that match a pattern, sorted.

    Raises
    ------
    UsageError
        When one lies outside the project.
    """
    found = glob.glob(pattern, recursive=True)  # noqa: PTH207 (Path.glob takes no absolute pattern, to say so below)
    names = sorted(name for name in found if Path(name).is_file())
    outside = next((n for n in names if PurePosixPath(n).is_absolute() or ".." in PurePosixPath(n).parts), None)
    if outside is not None:
        raise UsageError(
            f"'{outside}' lies outside the project, and paths are relative to it. Link its folder into the project "
            "(ln -s) and give the path of the link."
        )
    return [str(PurePosixPath(name)) for name in names]


def first_readable(names: Sequence[str]) -> str:
    """Return the first of MRC files that is whole; others may be on their way. The first one if none is."""
    for name in names:
        try:
            read_mrc_info(name)
        except BadFileError:
            continue
        return name
    return names[0]


def is_twin(name: str, names: Collection[str]) -> bool:
    """Tell whether a file is another version, weighted for instance, of a micrograph that is there as well."""
    path = PurePosixPath(name)
    plain = (path.stem.removesuffix(ending) for ending in _TWINS if path.stem.endswith(ending))
    return any(str(path.with_name(stem + path.suffix)) in names for stem in plain)


def optics_of(name: str, pixel_size: float | None) -> Table:
    """Return the one optics group of micrographs, or of halves, like this one.

    Raises
    ------
    BadFileError
        When neither it nor the user says what a pixel is.
    """
    known = pixel_size or read_mrc_info(name).pixel_size
    if not known:
        raise BadFileError(
            name,
            "does not say its pixel size",
            expected="one in the header, or 'pixel_size' in 'acquisition:'",
            fix="With cryopair init: --set acquisition.pixel_size=1.06, for instance.",
        )
    return Table({"rlnOpticsGroupName": [_GROUP], "rlnOpticsGroup": [1], "rlnMicrographPixelSize": [float(known)]})


def _table(names: list[str]) -> Table:
    return Table({"rlnMicrographName": names, "rlnOpticsGroup": [1] * len(names)})
