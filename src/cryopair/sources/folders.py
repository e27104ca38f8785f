"""Folders: of RELION's jobs, and of other programs."""

from __future__ import annotations

import glob
from collections import Counter
from pathlib import Path

from ..formats.movies import COMPRESSED_SUFFIXES, EER_SUFFIXES, MRC_SUFFIXES, TIFF_SUFFIXES

LISTS = (
    "micrographs_ctf.star",
    "corrected_micrographs.star",
    "micrographs.star",
    "micrographs_selected.star",
    "movies.star",
)
"""What RELION's jobs call their lists: CtfFind, MotionCorr, Select of two versions, Import."""
HALF_SUFFIX = "_EVN.mrc"
"""Of MotionCor2, MotionCor3 and RELION 5; the other half has ``_ODD.mrc``."""

_HALF_FOLDERS = ("", "average/")  # Warp: beside the averages or below them


def list_in(folder: Path) -> Path | None:
    """Return the list of micrographs in the folder of a RELION job."""
    return next((folder / name for name in LISTS if (folder / name).is_file()), None)


def list_file(source: str | Path) -> Path | None:
    """Return the file of a source that is a list, or a job with one; None for files that nobody listed."""
    path = Path(source)
    return list_in(path) if path.is_dir() else path if path.is_file() else None


def pattern_in(folder: Path) -> str | None:
    """Return the pattern of the halves, movies or micrographs in a folder; of movies, those of the commonest kind."""
    escaped = glob.escape(str(folder))
    for below in _HALF_FOLDERS:
        if (folder / below / "even").is_dir() and (folder / below / "odd").is_dir():
            return f"{escaped}/{below}{{even,odd}}/*.mrc"
    names = [path.name for path in folder.iterdir() if path.is_file()]
    if any(name.endswith(HALF_SUFFIX) for name in names):
        return f"{escaped}/*_{{EVN,ODD}}.mrc"
    kinds = Counter(kind for kind in map(_kind, names) if kind)
    return f"{escaped}/*{kinds.most_common(1)[0][0]}" if kinds else None


def _kind(name: str) -> str:
    """Return the ending of a movie's or micrograph's name, ``.mrc.zst`` for instance; ``""`` for other files."""
    suffixes = Path(name).suffixes[-2:]
    if suffixes and suffixes[-1].lower() in COMPRESSED_SUFFIXES:
        return "".join(suffixes) if suffixes[0].lower() in MRC_SUFFIXES else ""
    known = (*TIFF_SUFFIXES, *MRC_SUFFIXES, *EER_SUFFIXES)
    return suffixes[-1] if suffixes and suffixes[-1].lower() in known else ""
