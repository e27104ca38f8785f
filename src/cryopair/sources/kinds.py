"""The kinds of lists that a source gives, told apart by their columns alone."""

from __future__ import annotations

from enum import Enum

from ..formats.star import Table
from ..micrographs import Row


class Kind(Enum):
    """What is known of each micrograph; the value is what to call them."""

    MOTION = "movies with their motion"
    HALVES = "halves made elsewhere"
    RAW = "raw movies"
    SINGLE = "micrographs without movies or halves"


def kind_of(table: Table) -> Kind:
    """Tell the kind of a list of micrographs."""
    if {"rlnMicrographNameEven", "rlnMicrographNameOdd"} <= set(table.labels):
        return Kind.HALVES
    if "rlnMicrographMetadata" in table:
        return Kind.MOTION
    if "rlnMicrographMovieName" in table:
        return Kind.RAW
    return Kind.SINGLE


def files_of(row: Row) -> tuple[str, ...]:
    """Return the files, but for movies with motion, that a micrograph is made from."""
    if "rlnMicrographNameEven" in row:
        return row["rlnMicrographNameEven"], row["rlnMicrographNameOdd"]
    return (row.get("rlnMicrographMovieName") or row["rlnMicrographName"],)
