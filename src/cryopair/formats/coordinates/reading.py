"""One entry for all coordinate files. What a file is, its content says; its name does not matter."""

from __future__ import annotations

import re
from pathlib import Path

from ...errors import BadFileError
from ..star import read_star
from .box import is_numbers, read_box_places
from .cbox import BLOCK, read_cbox_places
from .cryosparc import read_locations
from .places import Places, no_scores
from .star import is_list_of_files, read_star_places
from .tables import names_columns, read_table_places

FORMATS = (
    "RELION STAR, EMAN .box, crYOLO .cbox or .star, a table of Topaz, a table of cryoSPARC (.cs) with locations, or "
    "CSV with columns x and y"
)
_NUMPY = b"\x93NUMPY"
_BLOCK = re.compile(r"^data_\S*\s*$", re.MULTILINE)


def read_places(path: str | Path) -> list[Places]:
    """Read a coordinate file of any format.

    Returns
    -------
    list of Places
        One for each image that the file names; one without a name if it is for a single image. A file of 0 bytes
        has one, with no particles: it is what EMAN and crYOLO write for an image without any.

    Raises
    ------
    BadFileError
        When the file is missing, damaged, or no coordinate file; the message says what was found instead.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise BadFileError(path, "no such file", expected=FORMATS) from None
    if content.startswith(_NUMPY):
        return read_locations(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadFileError(path, "holds bytes that are no text", expected=FORMATS) from None
    if _BLOCK.search(text):
        return _read_star(path)
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not lines:
        return [Places("", no_scores(0), no_scores(0), no_scores(0))]
    if is_numbers(lines[0]):
        return read_box_places(path, lines)
    if names_columns(lines[0]):
        return read_table_places(path, lines)
    raise BadFileError(path, f"is no coordinate file; it begins with '{lines[0].strip()[:60]}'", expected=FORMATS)


def _read_star(path: Path) -> list[Places]:
    blocks = read_star(path)
    if BLOCK in blocks:
        return read_cbox_places(path, blocks)
    if is_list_of_files(blocks):
        raise BadFileError(path, "is a list of coordinate files", expected="coordinates themselves")
    return read_star_places(path, blocks)
