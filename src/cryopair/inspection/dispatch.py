"""Which kind of file it is, and so what describes it."""

from __future__ import annotations

from pathlib import Path

from ..denoiser.card import CARD
from ..errors import BadFileError, UsageError
from ..formats.movies import COMPRESSED_SUFFIXES, EER_SUFFIXES, MRC_SUFFIXES, TIFF_SUFFIXES
from .images import GAIN_SUFFIX, describe_image, describe_movie, is_single_image
from .models import describe_model
from .tables import describe_coordinates, describe_cryosparc, describe_star

Line = tuple[str, str]
"""What is said, and of what."""

_COORDINATE_SUFFIXES = (".box", ".cbox", ".txt", ".csv", ".tsv")
_KINDS = (
    "a movie or image (.tif, .mrc, .mrcs, .eer, compressed MRC), a gain (.gain), a STAR file, "
    "a table of cryoSPARC (.cs), coordinates (.box, .cbox, .txt, .csv), or the folder of a model"
)


def inspect(path: str | Path) -> list[str]:
    """Describe a file.

    Parameters
    ----------
    path : str or Path
        A movie, gain, image, STAR file, cryoSPARC table, or the folder of a model.

    Returns
    -------
    list of str
        One fact a line.

    Raises
    ------
    BadFileError
        When it is missing, damaged, or no such file; the message says what is wrong.
    UsageError
        When it is a folder that holds no model.
    """
    path = Path(path)
    lines = _describe(path)
    width = max(len(what) for what, _ in lines) + 2
    return [f"{what:<{width}}{said}" for what, said in lines]


def _describe(path: Path) -> list[Line]:
    suffix = path.suffix.lower()
    if path.is_dir():
        if not (path / CARD).is_file():
            raise UsageError(f"{path} is a folder without {CARD}: give a file, or the folder of a model.")
        return describe_model(path)
    if not path.exists():
        raise BadFileError(path, "no such file", expected=_KINDS)
    if suffix == ".star":
        return describe_star(path)
    if suffix == ".cs":
        return describe_cryosparc(path)
    if path.name == CARD or suffix == ".safetensors":
        return describe_model(path.parent)
    if suffix == GAIN_SUFFIX or is_single_image(path):
        return describe_image(path)
    if suffix in (*TIFF_SUFFIXES, *MRC_SUFFIXES, *EER_SUFFIXES, *COMPRESSED_SUFFIXES):
        return describe_movie(path)
    if suffix in _COORDINATE_SUFFIXES:
        return describe_coordinates(path)
    raise BadFileError(path, f"has the extension '{suffix}'", expected=_KINDS)
