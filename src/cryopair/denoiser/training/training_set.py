"""The frozen list of even/odd pairs that a model is trained on.

It is chosen once, from what had been collected by then, and never changes: a model can say exactly what it
was trained on, and new movies do not retrain it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import BadFileError, UsageError
from ...formats.atomic import sealed_path
from ...formats.mrc import read_mrc_info
from ...formats.star import Table, read_star, require, write_star
from ...micrographs import Micrographs, Row, natural_order, stop_if_most_fail
from .choice import good_pairs, spread
from .datasets import fair_shares, number_datasets

BLOCK = "training_pairs"
FEWEST_PAIRS = 4
"""Fewer pairs teach a network those micrographs, not the specimen."""
VALIDATION_SHARE = 10
"""One pair in this many is held out (and always at least one)."""

_LABELS = (
    "rlnMicrographName",
    "rlnMicrographNameEven",
    "rlnMicrographNameOdd",
    "cryopairPixelSize",
    "cryopairSizeX",
    "cryopairSizeY",
    "cryopairHashEven",
    "cryopairHashOdd",
    "cryopairRole",
)
_DATASET = "cryopairDataset"  # a column that only sets of several datasets have


@dataclass(frozen=True)
class TrainingPair:
    """The two half-sums of one movie.

    Attributes
    ----------
    micrograph, even, odd : str
        Raw micrograph and half-sums, as paths relative to the project.
    pixel_size : float
        In Å/px.
    shape : tuple of int
        ``(height, width)``.
    hash_even, hash_odd : str
        SHA-256 of the files.
    validate : bool
        Whether the pair is held out from training.
    dataset : int
        Number of its dataset, from 1.
    """

    micrograph: str
    even: str
    odd: str
    pixel_size: float
    shape: tuple[int, int]
    hash_even: str
    hash_odd: str
    validate: bool
    dataset: int = 1


def freeze_training_set(
    halves: Sequence[Micrographs], *, max_pairs: int = 128, seed: int = 0, projects: Sequence[Path] | None = None
) -> list[TrainingPair]:
    """Choose training pairs, spread evenly over the session and over defocus, and hold out every tenth of each dataset.

    Micrographs whose halves have hardly anything in common are left out. The choice depends on which micrographs
    there are, on their names, and on the seed, but not on the order in which they came or on how they are grouped.

    Parameters
    ----------
    halves : sequence of Micrographs
        With ``rlnMicrographNameEven`` and ``rlnMicrographNameOdd``.
    max_pairs : int
        Take no more than this many: one from each of as many equal stretches of the session, which is sorted by
        name. Several datasets (what a project has at one pixel size) have equal shares of it.
    seed : int
        Of the choice within each stretch.
    projects : sequence of Path, optional
        Which project each of `halves` is of; by default all are of one.

    Raises
    ------
    UsageError
        When there are fewer than `FEWEST_PAIRS`.
    CryopairError
        When too many of the micrographs have failed.
    BadFileError
        When a half is missing or the halves of a pair differ in size.
    """
    sources = _sources(halves, projects or [Path()] * len(halves))
    lost = [reason for part in halves for reason in part.failed["cryopairReason"]]
    stop_if_most_fail("freeze", failed=len(lost), total=len(sources) + len(lost), last=lost[-1] if lost else "")
    if len(sources) < FEWEST_PAIRS:
        raise UsageError(
            f"{len(sources)} even/odd pairs are too few to train on; at least {FEWEST_PAIRS} are needed, and "
            "10 or more are better. Wait for more movies, or use a model trained on similar data."
        )
    if min(len(sources), max_pairs) < FEWEST_PAIRS:
        raise UsageError(f"max_pairs is {max_pairs}; at least {FEWEST_PAIRS} pairs are needed for training.")
    datasets = number_datasets(
        [project for project, _, _ in sources], [part.pixel_size(row) for _, part, row in sources]
    )
    members = [
        good_pairs([(part, row) for (_, part, row), its in zip(sources, datasets, strict=True) if its == dataset])
        for dataset in sorted(set(datasets))
    ]
    shares = fair_shares([len(member) for member in members], max_pairs)
    chosen = [
        (dataset, *member[index])
        for dataset, (member, share) in enumerate(zip(members, shares, strict=True), start=1)
        for index in spread([row for _, row in member], share, seed)
    ]
    held_out = _held_out([dataset for dataset, _, _ in chosen])
    return [
        _pair(part, row, dataset=dataset, validate=validate)
        for validate, (dataset, part, row) in zip(held_out, chosen, strict=True)
    ]


def write_manifest(path: str | Path, pairs: Sequence[TrainingPair]) -> None:
    """Write a training set to a STAR file, once.

    Parameters
    ----------
    path : str or Path
        Of the manifest.
    pairs : sequence of TrainingPair
        The training set.

    Raises
    ------
    UsageError
        When the file exists with other content.
    """
    rows = [
        (
            pair.micrograph,
            pair.even,
            pair.odd,
            pair.pixel_size,
            pair.shape[1],
            pair.shape[0],
            pair.hash_even,
            pair.hash_odd,
            "validate" if pair.validate else "train",
        )
        for pair in pairs
    ]
    table = Table.from_rows([dict(zip(_LABELS, row, strict=True)) for row in rows], _LABELS)
    if len({pair.dataset for pair in pairs}) > 1:
        table[_DATASET] = [pair.dataset for pair in pairs]
    with sealed_path(path) as candidate:
        write_star(candidate, {BLOCK: table})


def read_manifest(path: str | Path) -> list[TrainingPair]:
    """Read a training set.

    Raises
    ------
    BadFileError
        When it is not one.
    """
    table = require(path, read_star(path), BLOCK, *_LABELS)
    return [
        TrainingPair(
            micrograph=row["rlnMicrographName"],
            even=row["rlnMicrographNameEven"],
            odd=row["rlnMicrographNameOdd"],
            pixel_size=float(row["cryopairPixelSize"]),
            shape=(int(row["cryopairSizeY"]), int(row["cryopairSizeX"])),
            hash_even=row["cryopairHashEven"],
            hash_odd=row["cryopairHashOdd"],
            validate=row["cryopairRole"] == "validate",
            dataset=int(row.get(_DATASET, 1)),
        )
        for row in table.rows()
    ]


def file_hash(path: str | Path) -> str:
    """Return the SHA-256 of a file, as 64 hexadecimal digits.

    Raises
    ------
    BadFileError
        When there is no such file.
    """
    try:
        with Path(path).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        raise BadFileError(path, "no such file") from None


def _sources(halves: Sequence[Micrographs], projects: Sequence[Path]) -> list[tuple[Path, Micrographs, Row]]:
    """Return all micrographs, project after project, sorted by name; of one that was replaced, the last."""
    last = {
        (projects.index(project), row["rlnMicrographName"]): (project, part, row)
        for project, part in zip(projects, halves, strict=True)
        for row in part.table.rows()
    }
    return [last[key] for key in sorted(last, key=lambda key: (key[0], natural_order(key[1])))]


def _held_out(datasets: Sequence[int]) -> list[bool]:
    """Return which are held out: of a dataset with `FEWEST_PAIRS`, one in `VALIDATION_SHARE`; at least one in all."""
    seen: Counter[int] = Counter()
    held_out = []
    for dataset in datasets:
        held_out.append(seen[dataset] % VALIDATION_SHARE == FEWEST_PAIRS - 1)
        seen[dataset] += 1
    if not any(held_out):
        held_out[-1] = True
    return held_out


def _pair(halves: Micrographs, row: Row, *, dataset: int, validate: bool) -> TrainingPair:
    even, odd = row["rlnMicrographNameEven"], row["rlnMicrographNameOdd"]
    shapes = [read_mrc_info(path).shape[1:] for path in (even, odd)]
    if shapes[0] != shapes[1]:
        raise BadFileError(odd, f"has {shapes[1]} pixels", expected=f"{shapes[0]}, as {even} has")
    return TrainingPair(
        micrograph=row["rlnMicrographName"],
        even=even,
        odd=odd,
        pixel_size=halves.pixel_size(row),
        shape=shapes[0],
        hash_even=file_hash(even),
        hash_odd=file_hash(odd),
        validate=validate,
        dataset=dataset,
    )
