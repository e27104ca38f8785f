"""Halves that another program made, matched by their names: MotionCor2 and 3, RELION 5, Warp, or anybody's rule."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import BadFileError
from ..formats.star import Table
from ..micrographs import FAILED_LABELS, Micrographs
from .files import first_readable, is_twin, matching, optics_of

_BRACES = re.compile(r"\{([^{},]*),([^{},]*)\}")
_WILDCARDS = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
_PARTS = re.compile(r"(\*\*/|\*|\?|\[!?\]?[^\]/]*\])")


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

    def pairs(self) -> tuple[list[tuple[str, str, str]], list[tuple[str, str]]]:
        """Match halves by what their names have in common.

        Returns
        -------
        pairs : list of tuple
            Common name, even and odd half, by the even halves' names.
        alone : list of tuple
            Each half without the other one, and what the other would be called; it may be on its way.
        """
        even, odd = self._files(self.even), self._files(self.odd)
        names = {parts: _common_name(*parts) for parts in even | odd}
        plain = set(names.values())
        own = [parts for parts, name in names.items() if not is_twin(name, plain)]
        pairs = [(names[parts], even[parts], odd[parts]) for parts in own if parts in even and parts in odd]
        without_odd = [(even[p], p[0] + self.odd + p[1]) for p in own if p not in odd]
        without_even = [(odd[p], p[0] + self.even + p[1]) for p in own if p not in even]
        return pairs, without_odd + without_even

    def _files(self, half: str) -> dict[tuple[str, str], str]:
        """Return the files of one alternative by what stands before and after it in their names."""
        names = re.compile(f"({_expression(self.before)}){re.escape(half)}({_expression(self.after)})")
        found = ((names.fullmatch(file), file) for file in matching(self.before + half + self.after))
        return {(parts[1], parts[2]): file for parts, file in found if parts is not None}


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
        With ``rlnMicrographNameEven`` and ``rlnMicrographNameOdd``; halves without the other one failed.

    Raises
    ------
    BadFileError
        When no two halves belong together, or the pixel size is not known.
    UsageError
        When files lie outside the project.
    """
    pairs, alone = pattern.pairs()
    if not pairs:
        counts = [len(matching(pattern.before + half + pattern.after)) for half in (pattern.even, pattern.odd)]
        raise BadFileError(
            f"{pattern.before}{{{pattern.even},{pattern.odd}}}{pattern.after}",
            f"{counts[0]} even and {counts[1]} odd halves, and no two of them belong together",
            expected=f"pairs whose names differ in '{pattern.even}' and '{pattern.odd}' only",
        )
    names, even, odd = zip(*pairs, strict=True)
    sums = [next((str(path) for path in _sums(name) if path.is_file()), sum_name(name, output)) for name in names]
    table = Table({"rlnMicrographName": sums, "rlnOpticsGroup": [1] * len(sums)})
    table["rlnMicrographNameEven"], table["rlnMicrographNameOdd"] = even, odd
    waiting = [(half, "source", f"{half}: there is no {other}") for half, other in alone]
    failed = Table.from_rows([dict(zip(FAILED_LABELS, values, strict=True)) for values in waiting], FAILED_LABELS)
    return Micrographs(optics_of(first_readable(even), pixel_size), table, failed)


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
    return "".join(_WILDCARDS.get(part) or _literal_or_class(part) for part in _PARTS.split(pattern))


def _literal_or_class(part: str) -> str:
    """Return plain text, or a class such as ``[0-9]`` or ``[!a]``, as a regular expression."""
    if not _PARTS.fullmatch(part):
        return re.escape(part)
    none_of = part.startswith("[!")
    characters = part[2 if none_of else 1 : -1].replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    return f"[{'^' * none_of}{characters.replace('^', chr(92) + '^')}]"
