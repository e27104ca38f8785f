"""Which coordinate file is for which micrograph: strictly by name, and with nothing left out in silence."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import CryopairError
from ...formats.coordinates import Places, read_places
from ...formats.fingerprint import fingerprint
from .files import files_in_list, find_files
from .names import MicrographNames

_SHOWN = 20


@dataclass(frozen=True)
class Source:
    """Where the coordinates of a micrograph are.

    Attributes
    ----------
    file : str
        The coordinate file.
    image : str
        The micrograph as a table of many calls it; ``""`` if the file is for this micrograph alone.
    fingerprint : str
        Another one means that the coordinates have changed.
    """

    file: str
    image: str
    fingerprint: str


@dataclass
class Matches:
    """Coordinate files and micrographs that belong together, and what is left over.

    Attributes
    ----------
    sources : dict of str to Source
        By micrograph.
    unmatched : list of str
        Files, and images in tables, that belong to none of the micrographs, with the reason.
    ambiguous : list of str
        Files that may belong to several micrographs, and micrographs with several files; none of them is used.
    """

    sources: dict[str, Source] = field(default_factory=dict)
    unmatched: list[str] = field(default_factory=list)
    ambiguous: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Say what is left over; nothing if all is well."""
        lines = []
        for what, items in (("belong to no micrograph", self.unmatched), ("are ambiguous", self.ambiguous)):
            if items:
                lines.append(f"{len(items)} of the coordinate files or their entries {what} and are not used:")
                lines += [f"  {item}" for item in items[:_SHOWN]]
                lines += [f"  ... and {len(items) - _SHOWN} more"] * (len(items) > _SHOWN)
        return lines


def match_files(where: str, micrographs: Sequence[str]) -> Matches:
    """Find the coordinate file of each micrograph.

    Parameters
    ----------
    where : str
        As for `files.find_files`.
    micrographs : sequence of str
        Paths of *all* raw micrographs, so that a name that two of them share is noticed.
    """
    return _Matching(micrographs).match(where)


class _Matching:
    def __init__(self, micrographs: Sequence[str]) -> None:
        self._micrographs = micrographs
        self._names = MicrographNames(micrographs)
        self._claims: dict[str, list[Source]] = {}
        self._matches = Matches()

    def match(self, where: str) -> Matches:
        for file, ending in find_files(where):
            if not self._claim(file, named=file, ending=ending):
                self._look_inside(file)
        for micrograph in self._micrographs:
            sources = self._claims.get(micrograph, [])
            if len(sources) == 1:
                self._matches.sources[micrograph] = sources[0]
            elif sources:
                files = ", ".join(source.file for source in sources)
                self._matches.ambiguous.append(f"{micrograph}: has {len(sources)} coordinate files ({files})")
        return self._matches

    def _claim(self, file: str, *, named: str, ending: str = "", image: str = "", places: Places | None = None) -> bool:
        """Give a file, or an image in a table, to the micrograph that a name means; return whether it means any."""
        found = self._names.find(named, ending=ending)
        if len(found) > 1:
            self._matches.ambiguous.append(f"{file}: '{named}' may be any of {', '.join(found)}")
        elif found:
            claims = self._claims.setdefault(found[0], [])
            if all(Path(file).resolve() != Path(claim.file).resolve() for claim in claims):
                claims.append(Source(file, image, _digest(places) if places else fingerprint(file)))
        return bool(found)

    def _look_inside(self, file: str) -> None:
        """Take a file that is not named after a micrograph as a list of files, or as a table of many micrographs."""
        listed = files_in_list(file)
        for micrograph, coordinates, image in listed or []:
            if not self._claim(coordinates, named=micrograph, image=image):
                self._matches.unmatched.append(f"{file}: lists {micrograph}")
        if listed is not None:
            return
        try:
            tables = read_places(file)
        except CryopairError as error:
            self._matches.unmatched.append(str(error))
            return
        for places in tables:
            if not places.image:
                self._matches.unmatched.append(f"{file}: no micrograph has its name")
            elif not self._claim(file, named=places.image, image=places.image, places=places):
                self._matches.unmatched.append(f"{file}: has {len(places)} particles on '{places.image}'")


def _digest(places: Places) -> str:
    digest = hashlib.sha256(b"".join(values.tobytes() for values in (places.x, places.y, places.score)))
    return f"{len(places)}-{digest.hexdigest()[:16]}"
