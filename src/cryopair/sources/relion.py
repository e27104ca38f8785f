"""Jobs of RELION: MotionCorr, or any later one whose micrographs came from it."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from ..errors import BadFileError
from ..micrographs import Micrographs, mirrored, read_micrographs


def read_source(path: str | Path) -> Micrographs:
    """Read the micrographs STAR of a RELION job and find the motion STAR of each micrograph.

    MotionCorr jobs name it in ``rlnMicrographMetadata``; CtfFind drops that column, but the file lies
    beside the micrograph under the same name.

    Parameters
    ----------
    path : str or Path
        ``corrected_micrographs.star``, ``micrographs_ctf.star``, ``micrographs_selected.star``, …

    Returns
    -------
    Micrographs
        As in the file, with ``rlnMicrographMetadata`` set for every row.

    Raises
    ------
    BadFileError
        When it is not a micrographs STAR of RELION 3.1 or later, is empty, or names a micrograph twice.
    """
    micrographs = read_micrographs(path)
    names = micrographs.table["rlnMicrographName"]
    if not names:
        raise BadFileError(path, "lists no micrographs", fix="Has the job finished its first movies?")
    if len(set(map(mirrored, names))) < len(names):
        twice = next(name for name in names if [mirrored(other) for other in names].count(mirrored(name)) > 1)
        raise BadFileError(
            path, f"names the micrograph {mirrored(twice)} twice", expected="different names below the job folder"
        )
    if "rlnMicrographMetadata" not in micrographs.table:
        micrographs.table["rlnMicrographMetadata"] = [str(PurePosixPath(n).with_suffix(".star")) for n in names]
    return micrographs
