"""The frozen list of even/odd pairs that a model is trained on.

It is chosen once, from what had been collected by then, and never changes: a model can say exactly what it
was trained on, and new movies do not retrain it.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import BadFileError, UsageError
from ..formats.atomic import sealed_path
from ..formats.mrc import read_mrc_info
from ..formats.star import Table, read_star, require, write_star
from ..micrographs import Micrographs, Row, stop_if_most_fail

BLOCK = "training_pairs"
SHARDS_BLOCK = "training_shards"
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
    """

    micrograph: str
    even: str
    odd: str
    pixel_size: float
    shape: tuple[int, int]
    hash_even: str
    hash_odd: str
    validate: bool


def freeze_training_set(halves: Sequence[Micrographs], *, max_pairs: int = 128, seed: int = 0) -> list[TrainingPair]:
    """Choose training pairs, spread evenly over all micrographs, and hold out every tenth.

    Parameters
    ----------
    halves : sequence of Micrographs
        With ``rlnMicrographNameEven`` and ``rlnMicrographNameOdd``, in the order of collection.
    max_pairs : int
        Take no more than this many: one from each of as many equal stretches of the session.
    seed : int
        Of the choice within each stretch.

    Raises
    ------
    UsageError
        When there are fewer than `FEWEST_PAIRS`, or the pixel sizes differ.
    CryopairError
        When too many of the micrographs have failed.
    BadFileError
        When a half is missing or the halves of a pair differ in size.
    """
    rows = [(part, row) for part in halves for row in part.table.rows()]
    lost = [reason for part in halves for reason in part.failed["cryopairReason"]]
    stop_if_most_fail("freeze", failed=len(lost), total=len(rows) + len(lost), last=lost[-1] if lost else "")
    if len(rows) < FEWEST_PAIRS:
        raise UsageError(
            f"{len(rows)} even/odd pairs are too few to train on; at least {FEWEST_PAIRS} are needed, and "
            "10 or more are better. Wait for more movies, or use a model trained on similar data."
        )
    if min(len(rows), max_pairs) < FEWEST_PAIRS:
        raise UsageError(f"max_pairs is {max_pairs}; at least {FEWEST_PAIRS} pairs are needed for training.")
    chosen = _spread(len(rows), max_pairs, seed)
    pairs = [
        _pair(*rows[index], validate=place % VALIDATION_SHARE == FEWEST_PAIRS - 1) for place, index in enumerate(chosen)
    ]
    check_pixel_sizes(pairs)
    return pairs


def check_pixel_sizes(pairs: Sequence[TrainingPair]) -> float:
    """Return the pixel size of all pairs, in Å/px.

    Raises
    ------
    UsageError
        When they differ by more than 1 %.
    """
    smallest = min(pairs, key=lambda pair: pair.pixel_size)
    largest = max(pairs, key=lambda pair: pair.pixel_size)
    if largest.pixel_size > 1.01 * smallest.pixel_size:
        raise UsageError(
            f"the training pairs differ in pixel size: {smallest.micrograph} has {smallest.pixel_size:g} Å/px, "
            f"{largest.micrograph} has {largest.pixel_size:g} Å/px. Train one model for each pixel size."
        )
    return float(np.median([pair.pixel_size for pair in pairs]))


def write_manifest(path: str | Path, pairs: Sequence[TrainingPair], *, shards: Sequence[str] = ()) -> None:
    """Write a training set to a STAR file, once.

    Parameters
    ----------
    path : str or Path
        Of the manifest.
    pairs : sequence of TrainingPair
        The training set.
    shards : sequence of str
        The shards that the pairs were chosen from, so that the choice is not asked for again.

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
    with sealed_path(path) as candidate:
        write_star(candidate, {BLOCK: table, SHARDS_BLOCK: Table({"cryopairShard": shards})})


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


def _spread(count: int, wanted: int, seed: int) -> list[int]:
    """Choose one index at random from each of `wanted` equal stretches of ``range(count)``; all if few."""
    if count <= wanted:
        return list(range(count))
    edges = np.linspace(0, count, wanted + 1).astype(int)
    generator = np.random.default_rng(seed)
    return [int(generator.integers(low, high)) for low, high in itertools.pairwise(edges)]


def _pair(halves: Micrographs, row: Row, *, validate: bool) -> TrainingPair:
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
    )
