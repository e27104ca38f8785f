"""The picker ``files``: it finds nothing by itself, but takes what was picked elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from tqdm import tqdm

from ...errors import BadFileError, CryopairError, UsageError
from ...formats.coordinates import NO_SCORE, Coordinates, Places, read_places
from ...formats.mrc import read_mrc, read_mrc_info
from ...micrographs import Micrographs, Row
from ..pickers import PickOne
from .contrast import measure_contrast
from .extent import Located, wrong_scale
from .geometry import PickedOn
from .matching import Source

_IMAGES_TO_COMPARE = 10


@dataclass(frozen=True)
class FilesPicker:
    """Picks from files, in pixels of the micrograph.

    Attributes
    ----------
    sources : mapping of str to Source
        By raw micrograph.
    picked_on : PickedOn
        What is known of the images that were picked on.
    min_score : float, optional
        Particles with less are left out.
    diameter : float, optional
        Of the particles in Å; only sharpens the test for coordinates that are upside down.
    """

    sources: Mapping[str, Source]
    picked_on: PickedOn = field(default_factory=PickedOn)
    min_score: float | None = None
    diameter: float | None = None
    name: str = "imported"

    def start(self, micrographs: Micrographs) -> PickOne:
        """Read all files, and make sure that they can be right.

        Raises
        ------
        UsageError
            When the coordinates are at another scale, upside down, or have no scores to choose by.
        """
        picks: dict[str, Coordinates | CryopairError] = {}
        for row in micrographs.table.rows():
            name = row["rlnMicrographName"]
            try:
                picks[name] = self._read(row, micrographs.pixel_size(row))
            except UsageError:
                raise
            except CryopairError as error:
                picks[name] = error
        good = {name: found for name, found in picks.items() if isinstance(found, Coordinates)}
        self._check_scale(good)
        self._check_contrast(good, micrographs)
        _report_empty(good, self.sources)

        def pick(row: Row) -> Coordinates:
            found = picks[row["rlnMicrographName"]]
            if isinstance(found, CryopairError):
                raise found
            return found

        return pick

    def _read(self, row: Row, pixel_size: float) -> Coordinates:
        name = row["rlnMicrographName"]
        source = self.sources[name]
        places = _places(source)
        image = row.get("rlnMicrographNameDenoised", name)
        _, height, width = read_mrc_info(name).shape
        x, y = self.picked_on.to_micrograph(places, file=source.file, shape=(height, width), pixel_size=pixel_size)
        kept = np.arange(len(places))
        if self.min_score is not None and len(places):
            if (places.score == NO_SCORE).all():
                raise UsageError(f"{source.file}: has no scores, and only those above {self.min_score:g} are wanted.")
            kept = np.flatnonzero(places.score >= self.min_score)
        return Coordinates(x[kept], y[kept], places.score[kept], image, (height, width), pixel_size)

    def _check_scale(self, picks: Mapping[str, Coordinates]) -> None:
        wrong = wrong_scale([Located(one.x, one.y, one.shape) for one in picks.values()])
        if wrong is None:
            return
        if not self.picked_on.says_scale:
            raise UsageError(
                f"{self._files()}: {wrong} Say what they were picked on: its pixel size in Å/px, or its binning "
                "(--pixel-size, --binning; in the configuration 'imported.pixel_size', 'imported.binning'). If the "
                "coordinates are right as they are, say so with --binning 1."
            )
        tqdm.write(f"pick: warning: {self._files()}: {wrong}", file=sys.stderr)

    def _check_contrast(self, picks: Mapping[str, Coordinates], micrographs: Micrographs) -> None:
        some = [name for name, one in picks.items() if len(one.x)]
        some = some[:: max(len(some) // _IMAGES_TO_COMPARE, 1)][:_IMAGES_TO_COMPARE]
        images = []
        for name in some:
            try:
                images.append((read_mrc(picks[name].image), picks[name].x, picks[name].y))
            except CryopairError:
                continue  # a bad image is named by the stage that needs it
        if not images:
            return
        pixel_size = picks[some[0]].pixel_size
        contrast = measure_contrast(images, diameter=self.diameter and self.diameter / pixel_size)
        if contrast.upside_down:
            flag = "without" if self.picked_on.flip_y else "with"
            raise UsageError(
                f"{self._files()}: the coordinates are upside down. At {contrast.picks} picks the micrographs show "
                "nothing, but at the same places with rows counted from the other end they differ from what is "
                f"around, by {abs(contrast.turned):.0f} standard errors. Import them {flag} --flip-y (in the "
                f"configuration 'imported.flip_y: {str(not self.picked_on.flip_y).lower()}')."
            )
        if contrast.on_nothing:
            tqdm.write(
                f"pick: warning: {self._files()}: at {contrast.picks} picks the micrographs show nothing that differs "
                f"from what is around them ({abs(contrast.here):.1f} standard errors). Are these the right coordinates "
                "for these micrographs?",
                file=sys.stderr,
            )

    def _files(self) -> str:
        files = sorted({source.file for source in self.sources.values()})
        return files[0] + (f" and {len(files) - 1} more" if len(files) > 1 else "")


def _places(source: Source) -> Places:
    """Return the places of the one micrograph of a source."""
    found = read_places(source.file)
    if not source.image:
        if len(found) != 1:
            names = ", ".join(places.image for places in found[:3])
            raise BadFileError(
                source.file, f"is a table of {len(found)} images ({names}), named as if for one", expected="one image"
            )
        return found[0]
    for places in found:
        if places.image == source.image:
            return places
    raise BadFileError(source.file, f"no longer has particles on '{source.image}'")


def _report_empty(picks: Mapping[str, Coordinates], sources: Mapping[str, Source]) -> None:
    empty = [sources[name].file for name, one in picks.items() if not len(one.x)]
    if not empty:
        return
    tqdm.write(
        f"pick: {len(empty)} of {len(picks)} coordinate files give no particle, the first is {empty[0]}",
        file=sys.stderr,
    )
