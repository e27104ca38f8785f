"""Halves that another program made: MotionCor2 and 3, RELION 5, Warp."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import BadFileError
from ..formats.mrc import read_mrc, read_mrc_info, write_mrc
from ..micrographs import Micrographs, Row
from .checks import check_fit, check_unchanged
from .exposure import exposure_columns

_PIXEL_SIZE_TOLERANCE = 0.01  # relative: programs round it


def check_given_halves(micrographs: Micrographs, row: Row, *, out: Path) -> dict[str, object]:
    """Check a pair of halves, and write their sum where the source has none.

    Parameters
    ----------
    micrographs : Micrographs
        The list that the row is of.
    row : mapping of str to str
        With ``rlnMicrographNameEven``, ``rlnMicrographNameOdd``, and ``rlnMicrographName``: a micrograph of the
        source, or one in `out` that is to be written.
    out : Path
        Folder of the stage.

    Returns
    -------
    dict
        The values of `stage.COLUMNS` and `stage.EXPOSURE`.

    Raises
    ------
    BadFileError
        When a file is missing or damaged, or sizes or pixel sizes differ.
    CryopairError
        When the halves do not belong together.
    """
    even_name, odd_name, name = (row[f"rlnMicrographName{which}"] for which in ("Even", "Odd", ""))
    ours = Path(name).is_relative_to(out)
    check_unchanged(row, even_name, odd_name, *([] if ours else [name]))
    even, odd = read_mrc(even_name), read_mrc(odd_name)
    _check_same_shape(odd_name, odd.shape, even_name, even.shape)
    _check_pixel_size(odd_name, even_name)
    _check_pixel_size(even_name, next(filter(os.path.isfile, micrographs.table["rlnMicrographNameEven"])))
    if ours:
        raw = even + odd
        write_mrc(name, raw, pixel_size=micrographs.pixel_size(row))
    else:
        raw = read_mrc(name)
        _check_same_shape(name, raw.shape, even_name, even.shape)
    between, with_raw = check_fit(even, odd, raw, what=f"{name}: {even_name} and {odd_name}")
    return {
        "rlnMicrographNameEven": even_name,
        "rlnMicrographNameOdd": odd_name,
        "cryopairCorrelationEvenOdd": between,
        "cryopairCorrelationRaw": with_raw,
        **exposure_columns(raw, pixel_size=micrographs.pixel_size(row)),
    }


def _check_same_shape(name: str, shape: tuple[int, ...], other: str, expected: tuple[int, ...]) -> None:
    if shape != expected:
        raise BadFileError(
            name, f"has {shape[1]} x {shape[0]} px", expected=f"{expected[1]} x {expected[0]} px, as {other} has"
        )


def _check_pixel_size(name: str, other: str) -> None:
    """Compare headers; whether they are right is another question, which 'acquisition.pixel_size' may answer."""
    found, expected = (read_mrc_info(each).pixel_size for each in (name, other))
    if found and expected and abs(found - expected) > _PIXEL_SIZE_TOLERANCE * expected:
        raise BadFileError(
            name,
            f"has {found:g} Å/px",
            expected=f"{expected:g} Å/px, as {other} has",
            fix="Process data of different pixel sizes apart, each with an 'output:' of its own.",
        )
