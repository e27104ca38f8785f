"""Names of micrographs as other programs change them, and back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ...micrographs import mirrored

_JOB_FOLDER = re.compile(r"^.*job\d{3,}/")
_ENDINGS = re.compile(
    r"_(autopick|manualpick|log|template|topaz|imported|picks?|particles|coords?|coordinates|boxes|extract)$"
    r"|(_rigid|_patch)_aligned(_doseweighted)?$"  # cryoSPARC
)
_UID = re.compile(r"^\d{15,21}_")  # cryoSPARC puts the number of an exposure before its name

Parts = tuple[str, ...]


class MicrographNames:
    """Finds the micrograph that a name means, by its folders or, where they differ, by a name that only one has.

    Parameters
    ----------
    names : sequence of str
        Paths of all raw micrographs.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._by_stem: dict[str, list[tuple[Parts, str]]] = {}
        for name in names:
            parts = mirrored(name).parts
            self._by_stem.setdefault(parts[-1], []).append((parts, name))

    def find(self, name: str, *, ending: str = "") -> list[str]:
        """Return the micrographs that a name may mean: one, none, or several among which it cannot be told.

        Parameters
        ----------
        name : str
            Path of a file, or an image's name in a table.
        ending : str
            What its end is known to be, such as ``_mypicks.star``; else the endings of the known pickers count.
        """
        for candidate in _candidates(name, ending):
            parts = tuple(part for part in candidate.split("/") if part not in ("", "."))
            same = self._by_stem.get(parts[-1], []) if parts else []
            if same:
                return self._in_folder(parts, same)
        return []

    @staticmethod
    def _in_folder(parts: Parts, same: Sequence[tuple[Parts, str]]) -> list[str]:
        """Return those whose folders are at the end of `parts`, or the other way round; else all of the same name."""
        below = [(len(own), name) for own, name in same if _ends_with(parts, own)]
        if below:
            most = max(length for length, _ in below)
            return [name for length, name in below if length == most]
        above = [name for own, name in same if len(parts) > 1 and _ends_with(own, parts)]
        return above or [name for _, name in same]


def _candidates(name: str, ending: str) -> Iterator[str]:
    """Yield what is left of a name when what programs add is taken away, least first."""
    path = _JOB_FOLDER.sub("", name)
    if ending and path.endswith(ending):
        yield path.removesuffix(ending)
    folder, _, last = path.rpartition("/")
    without_suffix = last.rpartition(".")[0]
    for stem in (last, without_suffix):
        for short in (stem, _ENDINGS.sub("", stem), _ENDINGS.sub("", _UID.sub("", stem))):
            if short:
                yield f"{folder}/{short}" if folder else short


def _ends_with(parts: Parts, end: Parts) -> bool:
    return parts[-len(end) :] == end
