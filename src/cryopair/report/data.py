"""What the report shows, read from a session's output folder.

Every piece but the half-sums and the model's card may be missing: sessions stop after denoising, models come
from elsewhere, sources give no motion. What is missing is None, empty or NaN.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from ..denoiser.card import CARD, Card, read_card
from ..denoiser.training.training_set import file_hash, read_manifest
from ..formats.coordinates import read_coordinate_table
from ..formats.star import Table, read_star
from ..micrographs import Micrographs, Row, mirrored, read_micrographs
from ..particles.handoff import LOSSES
from ..quality.selection import MEASURES
from .curves import Rings, read_rings
from .motion import accumulated_motion, readable_motion

_ROLES = {"train": "train", "validation": "validate"}
"""Of ``quality.csv``."""

SETTINGS = Path("config/config.yaml")
"""Where `cryopair init` writes the settings, in the project."""


@dataclass(frozen=True, kw_only=True)
class MicrographResult:
    """What is known of one micrograph; figures that are not known are NaN.

    Attributes
    ----------
    number : int
        Place in the order of collection, from 1.
    name : str
        The raw micrograph, relative to the project.
    denoised, motion_star, coordinates : str or None
        Denoised image, motion STAR and coordinate STAR (raw pixels), where there are any.
    pixel_size : float
        In Å/px, of the raw micrograph.
    role : str
        ``train`` or ``validate`` when it belongs to the model's training set, else empty.
    snr_raw, snr_denoised, bias : float
        In dB, as in ``quality.csv``.
    lost, invented : float
        The two parts of the bias, in dB of the signal.
    corr_even_odd : float
        Correlation of the raw half-sums.
    motion_early, motion_late : float
        Length of the drift's path before and after 4 e/Å², in Å.
    defocus : float
        Mean of the two principal defoci, in Å.
    picks : int or None
        Coordinates on the raw micrograph.
    flags : tuple of str
        What sets it apart from the others, in words.
    excluded : bool
        Whether it was kept out of training, picking or extraction by a limit of the settings.
    measures : mapping of str to float
        What else is known of it, by the names of `quality.selection.MEASURES`.
    """

    number: int
    name: str
    denoised: str | None
    motion_star: str | None
    coordinates: str | None
    pixel_size: float
    role: str
    snr_raw: float
    snr_denoised: float
    bias: float
    lost: float
    invented: float
    corr_even_odd: float
    motion_early: float
    motion_late: float
    defocus: float
    picks: int | None
    flags: tuple[str, ...] = ()
    excluded: bool = False
    measures: Mapping[str, float] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The micrograph's name below its job's folder, without extension."""
        return str(mirrored(self.name))

    @property
    def motion(self) -> float:
        """Length of the drift's path, in Å."""
        return self.motion_early + self.motion_late

    @property
    def gain(self) -> float:
        """What denoising added to the SNR, in dB."""
        return self.snr_denoised - self.snr_raw

    @property
    def held_out(self) -> bool:
        """Whether the model was validated, and not trained, on it."""
        return self.role == "validate"


@dataclass(frozen=True)
class ParticleSet:
    """The extracted particles.

    Attributes
    ----------
    images : list of str
        ``000001@stack.mrcs`` of each particle.
    size : int
        Side of the particle images, in pixels.
    pixel_size : float
        Of the particle images, in Å/px.
    """

    images: list[str]
    size: int
    pixel_size: float

    @property
    def box(self) -> float:
        """Side of the box in Å."""
        return self.size * self.pixel_size


@dataclass(frozen=True, kw_only=True)
class Results:
    """All that the report shows.

    Attributes
    ----------
    output, model : Path
        The session's folder and the model's.
    micrographs : list of MicrographResult
        Those that have half-sums, in the order of collection.
    failed, excluded : list of Row
        Rows of ``failed.star``, and of ``excluded.star``.
    drift : list of Row
        Rows of ``drift.csv``: each shard against the training set.
    rings : Rings or None
        Curves by spatial frequency.
    history : list of dict
        Lines of ``training.csv``; empty for a model without.
    card : dict
        The model's card.
    particles : ParticleSet or None
        When particles were extracted.
    settings : str or None
        The settings file as it is.
    """

    output: Path
    model: Path
    micrographs: list[MicrographResult]
    failed: list[Row]
    excluded: list[Row]
    drift: list[Row]
    rings: Rings | None
    history: list[dict[str, float]]
    card: Card
    particles: ParticleSet | None
    settings: str | None

    @property
    def total(self) -> int:
        """How many micrographs went in."""
        return len({m.name for m in self.micrographs} | self._lost)

    @property
    def done(self) -> int:
        """How many micrographs came through all stages."""
        return self.total - len(self._lost)

    @property
    def picked(self) -> bool:
        """Whether particles were picked."""
        return any(m.picks is not None for m in self.micrographs)

    @property
    def _lost(self) -> set[str]:
        return {row["rlnMicrographName"] for row in self.failed}


def read_results(output: Path, *, model: Path) -> Results:
    """Read the merged tables of a session.

    Parameters
    ----------
    output : Path
        Output folder of the session, relative to the project, which is the working directory.
    model : Path
        Folder of the model that denoised.

    Raises
    ------
    BadFileError
        When ``halves.star`` or the model's card cannot be read.
    """
    card = read_card(model / CARD)
    halves = read_micrographs(output / "halves.star")
    return Results(
        output=output,
        model=model,
        micrographs=_read_micrographs(halves, output, card),
        failed=list(_block(output / "failed.star", "failed").rows()),
        excluded=list(_block(output / "excluded.star", "excluded").rows()),
        drift=list(_csv(output / "drift.csv")),
        rings=read_rings(output / "quality_rings.csv"),
        history=[{key: number(value) for key, value in row.items()} for row in _csv(model / "training.csv")],
        card=card,
        particles=_read_particles(output / "particles.star"),
        settings=_settings(output),
    )


def number(text: str | None) -> float:
    """Read a number; NaN when there is none, or none that is finite."""
    try:
        value = float(text or "nan")
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def _read_micrographs(halves: Micrographs, output: Path, card: Card) -> list[MicrographResult]:
    seen = _block(output / "denoised_micrographs.star", "micrographs")
    denoised = _mapping(seen, "cryopairMicrographNameRaw", "rlnMicrographName")
    coordinates = _mapping(
        _block(output / "coordinates.star", "coordinate_files"),
        "rlnMicrographName",
        "rlnMicrographCoordinates",
    )
    counts = _pick_counts(output)
    quality = {row["micrograph"]: row for row in _csv(output / "quality.csv")}
    reasons: dict[str, list[str]] = {}
    for outlier in _csv(output / "outliers.csv"):
        reasons.setdefault(outlier["micrograph"], []).append(outlier["reason"])
    kept_out = {row["rlnMicrographName"] for row in _block(output / "excluded.star", "excluded").rows()}
    roles = _roles(output, card)
    results = []
    for place, row in enumerate(halves.table.rows(), start=1):
        name = row["rlnMicrographName"]
        figures = quality.get(name, {})
        early, late = accumulated_motion(row, halves.optics_row(row))
        picked_in = coordinates.get(name)
        results.append(
            MicrographResult(
                number=place,
                name=name,
                denoised=denoised.get(name),
                motion_star=readable_motion(row),
                coordinates=picked_in,
                pixel_size=halves.pixel_size(row),
                role=roles.get(name) or _ROLES.get(figures.get("used_for_training", ""), ""),
                snr_raw=number(figures.get("snr_raw_db")),
                snr_denoised=number(figures.get("snr_denoised_db")),
                bias=number(figures.get("bias_db")),
                lost=number(figures.get("lost_db")),
                invented=number(figures.get("invented_db")),
                corr_even_odd=number(row.get("cryopairCorrelationEvenOdd")),
                motion_early=early,
                motion_late=late,
                defocus=_defocus(row),
                picks=None if picked_in is None else _picks(counts.get(name), picked_in),
                flags=tuple(reasons.get(name, ())),
                excluded=name in kept_out,
                measures={key: measure.of(row) for key, measure in MEASURES.items()},
            )
        )
    return results


def _pick_counts(output: Path) -> dict[str, int]:
    """Return the number of coordinates of each micrograph as the shards' tables say: not every file need be read."""
    counts: dict[str, int] = {}
    for table in sorted(output.glob(f"coordinates/{'[0-9]' * 6}.star")):
        rows = _block(table, "micrographs")
        if all(label in rows for label in ("cryopairPickCount", *LOSSES)):
            kept = rows.ints("cryopairPickCount") - sum(rows.ints(label) for label in LOSSES)
            counts |= dict(zip(rows["rlnMicrographName"], kept.tolist(), strict=True))
    return counts


def _picks(known: int | None, coordinates: str) -> int:
    return len(read_coordinate_table(coordinates)) if known is None else known


def _defocus(row: Row) -> float:
    u = number(row.get("rlnDefocusU"))
    return (u + number(row.get("rlnDefocusV", row.get("rlnDefocusU")))) / 2


def _roles(output: Path, card: Card) -> dict[str, str]:
    """Tell which micrographs the model was trained on, if that was in this session."""
    for manifest in sorted(output.glob("training/*/manifest.star")):
        if file_hash(manifest) == card.get("manifest_sha256"):
            return {p.micrograph: "validate" if p.validate else "train" for p in read_manifest(manifest)}
    return {}


def _read_particles(path: Path) -> ParticleSet | None:
    images, optics = _block(path, "particles"), _block(path, "optics")
    if not len(images) or not len(optics):
        return None
    size, pixel_size = int(optics.ints("rlnImageSize")[0]), float(optics["rlnImagePixelSize"][0])
    return ParticleSet(images["rlnImageName"], size, pixel_size)


def _settings(output: Path) -> str | None:
    """Return the text of the settings file, unless it is another session's or cannot be read."""
    if not SETTINGS.is_file():
        return None
    text = SETTINGS.read_text(encoding="utf-8")
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError:
        return None
    mine = isinstance(values, Mapping) and Path(str(values.get("output", output))).resolve() == output.resolve()
    return text if mine else None


def _block(path: Path, block: str) -> Table:
    """Return a block of a STAR file; an empty table when there is no such file or block."""
    return read_star(path).get(block, Table()) if path.is_file() else Table()


def _mapping(table: Table, key: str, value: str) -> dict[str, str]:
    if key not in table or value not in table:
        return {}
    return dict(zip(table[key], table[value], strict=True))


def _csv(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))
