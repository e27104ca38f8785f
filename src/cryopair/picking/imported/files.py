"""Where coordinate files may be: a folder, a pattern, a table of many micrographs, or a list of a RELION job."""

from __future__ import annotations

from pathlib import Path

from ...errors import CryopairError
from ...formats.coordinates.star import is_list_of_files, listed_files
from ...formats.star import read_star

_SUFFIX_FILE = "coords_suffix"
_JOB_FILES = {
    "job.star",
    "job_pipeline.star",
    "default_pipeline.star",
    "note.txt",
    "summary.star",
    "RELION_OUTPUT_NODES.star",
}
_NO_COORDINATES = {
    *(".mrc", ".mrcs", ".tif", ".tiff", ".eer", ".png", ".jpg", ".jpeg", ".eps", ".pdf", ".svg"),
    *(".log", ".out", ".err", ".json", ".yaml", ".h5", ".py", ".sh", ".zip", ".gz"),
}


def find_files(where: str) -> list[tuple[str, str]]:
    """Return all files that may hold coordinates.

    Parameters
    ----------
    where : str
        A file; a folder, with all below it; a pattern such as ``Picks/*_mine.star``; or the ``coords_suffix`` file
        of a picking job of RELION 3, which stands for the files of that job.

    Returns
    -------
    list of tuple of str
        The path, and the end of its name that is not the micrograph's, as far as `where` tells; sorted.
    """
    path = Path(where)
    if path.name.startswith(_SUFFIX_FILE) and path.is_file():
        ending = path.name.removeprefix(_SUFFIX_FILE)
        return [(str(file), ending) for file in sorted(path.parent.rglob(f"*{ending}")) if file != path]
    if path.is_file():
        return [(where, "")]
    if path.is_dir():
        return [(str(file), "") for file in sorted(path.rglob("*")) if _may_hold_coordinates(file)]
    _, star, ending = path.name.rpartition("*")
    found = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
    return [(str(file), ending if star else "") for file in found if file.is_file()]


def files_in_list(path: str) -> list[tuple[str, str, str]] | None:
    """Return what a list of coordinate files holds, as picking jobs of RELION 4 and 5 write it; None if it is none."""
    try:
        blocks = read_star(path)
    except CryopairError:
        return None
    return listed_files(path, blocks) if is_list_of_files(blocks) else None


def _may_hold_coordinates(path: Path) -> bool:
    hidden = path.name.startswith((".", _SUFFIX_FILE, "RELION_JOB"))
    return not hidden and path.name not in _JOB_FILES and path.suffix.lower() not in _NO_COORDINATES and path.is_file()
