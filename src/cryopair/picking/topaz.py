"""Topaz as a picker: its pretrained detectors, or one trained on a user's picks.

All micrographs of a shard are given to Topaz at once, since most of its time goes into starting. It sees them scaled
down to some 8 Å/px, which its detectors were trained at; what it finds is brought back to the pixels of the image. It
knows images by the last part of their name only, so they go in under numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ..errors import BadFileError, UsageError
from ..formats.atomic import atomic_path
from ..formats.coordinates import Coordinates, read_coordinates
from ..formats.mrc import read_mrc_info, write_mrc
from ..micrographs import Micrographs, Row
from ..topaz import run_topaz
from .images import Images

PRETRAINED = ("resnet8", "resnet16")
_COARSE = 8.0  # Å/px that Topaz works at
_WIDEST = 30.0  # pixels per diameter at most: the detector must have all of a particle in view
_LIKELY = -3.0  # log-likelihood ratio from which a place is a pick
_RADIUS = 3  # pixels around a user's pick that are particle, in training
_MORE = 1.25  # particles expected on a micrograph, for each that the user picked


@dataclass(frozen=True)
class Sampled:
    """An image as Topaz sees it.

    Attributes
    ----------
    micrograph : str
        The raw micrograph.
    name : str
        The image of it that is picked on.
    shape, small : tuple of int
        ``(height, width)`` of the image, and of what Topaz sees. Both have the centre of their first pixel in common.
    pixel_size : float
        Of the image, in Å/px.
    """

    micrograph: str
    name: str
    shape: tuple[int, int]
    small: tuple[int, int]
    pixel_size: float

    @property
    def scale(self) -> tuple[float, float]:
        """Pixels of the image per pixel that Topaz sees, along x and y."""
        return self.shape[1] / self.small[1], self.shape[0] / self.small[0]


@dataclass(frozen=True)
class TopazPicker:
    """Picks by a detector of Topaz.

    Attributes
    ----------
    images : Images
        What to pick on. The pretrained detectors learnt from raw micrographs.
    diameter : float
        Particle diameter in Å.
    detector : str
        One of `PRETRAINED`, or a file that ``topaz train`` wrote.
    min_score : float, optional
        Log-likelihood ratio below which nothing is a pick.
    """

    images: Images
    diameter: float
    detector: str = PRETRAINED[-1]
    min_score: float | None = None
    name: str = "topaz"

    def start(self, micrographs: Micrographs) -> Callable[[Row], Coordinates]:
        """Let Topaz pick on all micrographs.

        Raises
        ------
        UsageError
            When Topaz is not installed, or there is no such detector.
        ProgramError
            When Topaz fails.
        """
        if self.detector not in PRETRAINED and not Path(self.detector).is_file():
            raise UsageError(
                f"{self.detector}: no such detector of Topaz. Give {' or '.join(PRETRAINED)}, or a file that "
                "cryopair train-topaz wrote."
            )
        picks: dict[str, Coordinates] = {}
        with TemporaryDirectory() as work:
            images, failures = _sample(micrographs, self.images, diameter=self.diameter, folder=Path(work))
            if images:
                found = Path(work) / "found.txt"
                radius = max(round(self.diameter / 2 / _coarsest(images)), 1)
                limit = _LIKELY if self.min_score is None else self.min_score
                options = ("--radius", str(radius), f"--threshold={limit}", "--output", found)
                run_topaz("extract", "--model", self.detector, *options, files=_files(images, Path(work)))
                picks = _read_picks(found, images)

        def pick_one(row: Row) -> Coordinates:
            name = row["rlnMicrographName"]
            if name in failures:
                raise failures[name]
            return picks[name]

        return pick_one


def train_detector(
    micrographs: Micrographs, images: Images, *, diameter: float, out: Path, epochs: int, updates: int = 1000
) -> int:
    """Train a detector of Topaz on picks.

    Parameters
    ----------
    micrographs : Micrographs
        With ``cryopairPicks``, in which all particles that were picked are right; some may be missing.
    images : Images
        What the detector shall pick on.
    diameter : float
        Particle diameter in Å.
    out : Path
        Where to write the detector.
    epochs, updates : int
        Rounds of training, and updates in each.

    Returns
    -------
    int
        How many picks it was trained on.

    Raises
    ------
    UsageError
        When there are no picks, or Topaz is not installed.
    ProgramError
        When Topaz fails.
    """
    if "cryopairPicks" not in micrographs.table:
        raise UsageError("the list has no picks (_cryopairPicks); expected one that cryopair import-coordinates wrote.")
    picks = {row["rlnMicrographName"]: read_coordinates(row["cryopairPicks"]) for row in micrographs.table.rows()}
    picked = micrographs.table.select(i for i, at in enumerate(picks.values()) if len(at.x))
    count = sum(len(at.x) for at in picks.values())
    if not count:
        raise UsageError("there is not one pick to train on.")
    with TemporaryDirectory() as work:
        folder = Path(work)
        images_by_number, failures = _sample(
            Micrographs(micrographs.optics, picked), images, diameter=diameter, folder=folder
        )
        for error in failures.values():
            raise error
        targets = ["image_name\tx_coord\ty_coord"]
        for number, image in images_by_number.items():
            at = picks[image.micrograph]
            x, y = (values * at.pixel_size / image.pixel_size for values in (at.x, at.y))
            scale_x, scale_y = image.scale
            for column, row in zip((x / scale_x).round().astype(int), (y / scale_y).round().astype(int), strict=True):
                targets.append(f"{number}\t{column}\t{row}")
        (folder / "targets.txt").write_text("\n".join(targets) + "\n")
        expected = max(round(_MORE * count / len(picked)), 1)
        options = (
            "--num-particles",
            str(expected),
            "--radius",
            str(_RADIUS),
            "--num-epochs",
            str(epochs),
            "--epoch-size",
            str(updates),
        )
        places = ("--train-images", folder / "small", "--train-targets", folder / "targets.txt")
        results = ("--save-prefix", folder / "detector", "--output", folder / "curve.txt")
        run_topaz("train", *places, *options, *results)
        (last,) = folder.glob(f"detector_epoch{epochs}.sav")
        with atomic_path(out) as temporary:
            temporary.write_bytes(last.read_bytes())
    return count


def _sample(
    micrographs: Micrographs, images: Images, *, diameter: float, folder: Path
) -> tuple[dict[str, Sampled], dict[str, BadFileError]]:
    """Let Topaz normalise images and scale them down; return them by number, and what is wrong with others."""
    failures: dict[str, BadFileError] = {}
    sampled: dict[str, Sampled] = {}
    scales: dict[int, list[str]] = {}
    (folder / "full").mkdir()
    for index, row in enumerate(micrographs.table.rows()):
        name, pixel_size, number = row["rlnMicrographName"], micrographs.pixel_size(row), f"{index:06d}"
        try:
            pixels = images.read(row)  # which Topaz could not, if it was float16
        except BadFileError as error:
            failures[name] = error
            continue
        write_mrc(folder / "full" / f"{number}.mrc", pixels, pixel_size=pixel_size)
        height, width = pixels.shape
        sampled[number] = Sampled(name, images.name_of(row), (height, width), (0, 0), pixel_size)
        scale = max(round(max(_COARSE, diameter / _WIDEST) / pixel_size), 1)
        scales.setdefault(scale, []).append(number)
    for scale, numbers in scales.items():
        files = [folder / "full" / f"{number}.mrc" for number in numbers]
        run_topaz("preprocess", "--scale", str(scale), "--destdir", folder / "small", files=files)
    for number, image in sampled.items():
        _, height, width = read_mrc_info(folder / "small" / f"{number}.mrc").shape
        sampled[number] = replace(image, small=(height, width))
    return sampled, failures


def _coarsest(images: dict[str, Sampled]) -> float:
    """Return the largest of the pixel sizes that Topaz sees, in Å/px."""
    return max(image.pixel_size * max(image.scale) for image in images.values())


def _files(images: dict[str, Sampled], folder: Path) -> list[Path]:
    return [folder / "small" / f"{number}.mrc" for number in images]


def _read_picks(path: Path, images: dict[str, Sampled]) -> dict[str, Coordinates]:
    """Read Topaz's table, and bring it to pixels of the images, best first."""
    found: dict[str, list[tuple[float, float, float]]] = {number: [] for number in images}
    for line in path.read_text().splitlines()[1:]:
        number, *values = line.split("\t")[:4]
        column, row, score = map(float, values)
        found[number].append((-score, row, column))
    picks = {}
    for number, image in images.items():
        rows = np.array(sorted(found[number])).reshape(-1, 3)
        x, y = rows[:, 2] * image.scale[0], rows[:, 1] * image.scale[1]
        picks[image.micrograph] = Coordinates(x, y, -rows[:, 0], image.name, image.shape, image.pixel_size)
    return picks
