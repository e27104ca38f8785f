"""Particles that are picked elsewhere: which shard has coordinates, and which micrographs wait for theirs.

Planning looks for coordinate files and writes a list of them for each shard, in the format of RELION's picking jobs,
with a fingerprint of what each micrograph has. The list is an input of the stage ``pick``: it changes when, and only
when, coordinates of the shard come in, change or go, and then its particles are taken over again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..formats.coordinates import FORMATS
from ..formats.coordinates.star import IMAGE_IN_TABLE
from ..formats.mrc import read_mrc_info
from ..formats.star import Table, read_star, write_star
from ..micrographs import mirrored, read_list
from ..picking.imported.matching import match_files
from .plan import shard_file

_LABELS = ("rlnMicrographName", "rlnMicrographCoordinates", IMAGE_IN_TABLE, "cryopairFingerprint")


class GivenCoordinates:
    """The coordinates that a session gets from elsewhere.

    Parameters
    ----------
    output : Path
        Output folder of the session.
    where : str
        File, folder or pattern: see `picking.imported.files.find_files`.

    Attributes
    ----------
    leftover : list of str
        What was found when it was planned last and is not used, with the reasons.
    """

    def __init__(self, output: Path, where: str) -> None:
        self.output = output
        self.where = where
        self.leftover: list[str] = []
        self._listed: dict[str, list[str]] = {}

    def list_of(self, shard: str) -> str:
        """Return the path of the list of a shard's coordinate files."""
        return str(self.output / "plan" / "coordinates" / f"{shard}.star")

    def plan(self, shards: Sequence[str]) -> None:
        """Look for coordinate files and bring the lists of all shards up to date."""
        names = {shard: read_list(shard_file(self.output, shard)).table["rlnMicrographName"] for shard in shards}
        matches = match_files(self.where, list(dict.fromkeys(name for some in names.values() for name in some)))
        self.leftover = matches.lines()
        for shard in shards:
            rows = [(name, matches.sources[name]) for name in names[shard] if name in matches.sources]
            columns = [(name, source.file, source.image, source.fingerprint) for name, source in rows]
            table = Table.from_rows([dict(zip(_LABELS, row, strict=True)) for row in columns], _LABELS)
            path = Path(self.list_of(shard))
            if not path.is_file() or read_star(path).get("coordinate_files") != table:
                write_star(path, {"coordinate_files": table})
        self._listed.clear()

    def has(self, shard: str) -> bool:
        """Tell whether any micrograph of a shard has coordinates, as planned last."""
        return bool(self._micrographs(shard))

    def waiting(self, shards: Sequence[str], denoised: Table) -> tuple[int, list[str]]:
        """Count the micrographs that wait for coordinates, and say how they get them.

        What has come in since it was planned last waits for the next pass.

        Parameters
        ----------
        shards : sequence of str
            All that are sealed.
        denoised : Table
            ``denoised_micrographs.star``.
        """
        self._listed.clear()
        given = {name for shard in shards for name in self._micrographs(shard)}
        raw = denoised["cryopairMicrographNameRaw"]
        waiting = [index for index, name in enumerate(raw) if name not in given]
        if not waiting:
            return 0, []
        seen, name = denoised["rlnMicrographName"][waiting[0]], mirrored(raw[waiting[0]])
        header = read_mrc_info(seen)
        _, height, width = header.shape
        return len(waiting), [
            f"{len(waiting)} of {len(raw)} denoised micrographs wait for your coordinates, the first is {seen}.",
            f"  pick on:  {self.output / 'denoised_micrographs.star'} (RELION), or the images below "
            f"{self.output / 'denoised'}: {width} x {height} px, {header.pixel_size:.4g} Å/px",
            f"  put them: where 'imported.files' says, {self.where}: a file for each micrograph, such as "
            f"{name}_manualpick.star or {name.name}.box, or one table that names the micrographs",
            f"  formats:  {FORMATS}; if you pick on binned images, set 'imported.binning'",
            "  then:     cryopair run, again and again as they come in",
        ]

    def _micrographs(self, shard: str) -> list[str]:
        """Return the micrographs of a shard that have coordinates, as planned last."""
        if shard not in self._listed:
            path = Path(self.list_of(shard))
            self._listed[shard] = read_star(path)["coordinate_files"]["rlnMicrographName"] if path.is_file() else []
        return self._listed[shard]
