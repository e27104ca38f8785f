"""Halves that another program made, matched by their names: MotionCor2 and 3, RELION 5, Warp, or anybody's rule."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import BadFileError
from ..formats.star import Table
from ..micrographs import Micrographs
from .files import is_twin, matching, optics_of

_BRACES = re.compile(r"\{([^{},]*),([^{},]*)\}")
_WILDCARDS = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}


@dataclass(frozen=True)
class HalfPattern:
    """A pattern of file names with two alternatives in braces: ``average/{even,odd}/*.mrc``.

    Attributes
    ----------
    before, after : str
        The pattern around the braces.
    even, odd : str
        The alternatives, in this order.
    """

    before: str
    even: str
    odd: str
    after: str

    @classmethod
    def parse(cls, pattern: str) -> HalfPattern | None:
        """Take a pattern apart; None for one without two alternatives in braces."""
        braces = _BRACES.search(pattern)
        if braces is None:
            return None
        return cls(pattern[: braces.start()], braces[1], braces[2], pattern[braces.end() :])

    def pairs(self) -> dict[str, tuple[str, str]]:
        """Match halves by what their names have in common.

        Returns
        -------
        dict
            Common name → even and odd half, by the even halves' names. A half without the other one is left out:
            the other may be on its way.
        """
        names = re.compile(f"({_expression(self.before)}){re.escape(self.even)}({_expression(self.after)})")
        found = {}
        for even in matching(self.before + self.even + self.after):
            parts = names.fullmatch(even)
            if parts is None:
                continue
            odd = parts[1] + self.odd + parts[2]
            if Path(odd).is_file():
                found[_common_name(parts[1], parts[2])] = even, odd
        return {name: pair for name, pair in found.items() if not is_twin(name, found)}


def read_halves(pattern: HalfPattern, *, pixel_size: float | None, output: str) -> Micrographs:
    """List the halves that match a pattern, with their sums where those are.

    Parameters
    ----------
    pattern : HalfPattern
        Of the names.
    pixel_size : float or None
        Where the headers do not have it, in Å/px.
    output : str
        Output folder of the session, where the stage ``halves`` will write the sums that are missing.

    Returns
    -------
    Micrographs
        With ``rlnMicrographNameEven`` and ``rlnMicrographNameOdd``.

    Raises
    ------
    BadFileError
        When no two halves belong together, or the pixel size is not known.
    UsageError
        When files lie outside the project.
    """
    pairs = pattern.pairs()
    if not pairs:
        counts = [len(matching(pattern.before + half + pattern.after)) for half in (pattern.even, pattern.odd)]
        raise BadFileError(
            f"{pattern.before}{{{pattern.even},{pattern.odd}}}{pattern.after}",
            f"{counts[0]} even and {counts[1]} odd halves, and no two of them belong together",
            expected=f"pairs whose names differ in '{pattern.even}' and '{pattern.odd}' only",
        )
    even, odd = zip(*pairs.values(), strict=True)
    sums = [next((str(path) for path in _sums(name) if path.is_file()), sum_name(name, output)) for name in pairs]
    table = Table({"rlnMicrographName": sums, "rlnOpticsGroup": [1] * len(sums)})
    table["rlnMicrographNameEven"], table["rlnMicrographNameOdd"] = even, odd
    return Micrographs(optics_of(even[0], pixel_size), table)


def sum_name(name: str, output: str) -> str:
    """Return where the sum of halves is written that have none: below a ``jobNNN`` folder, as RELION has it."""
    return f"{output}/halves/job001/{name}"


def _common_name(before: str, after: str) -> str:
    """Return the name of the sum: ``MC/a.mrc`` of ``MC/a_``, ``.mrc``; ``mean/a.mrc`` of ``mean/``, ``/a.mrc``."""
    path = PurePosixPath(before + after.lstrip("/") if before.endswith("/") or not before else before + after)
    return str(path.with_name(path.stem.rstrip("_-.") + path.suffix))


def _sums(name: str) -> Iterator[Path]:
    """Give where programs put the sum of two halves, or their mean."""
    path = Path(name)
    yield path  # MotionCor2 and 3, RELION; Warp, whose folder 'average' holds 'even' and 'odd'
    yield path.parent / "average" / path.name  # 'average' beside them


def _expression(pattern: str) -> str:
    """Return a part of a pattern as a regular expression without groups of its own."""
    return "".join(_WILDCARDS.get(part, re.escape(part)) for part in re.split(r"(\*\*/|\*|\?)", pattern))
