"""Several datasets in one training set: tables of several projects, and a fair share for each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...formats.star import Table
from ...micrographs import Micrographs, read_micrographs

SAME_PIXEL_SIZE = 1.01
"""Pixel sizes that differ by a smaller factor are calibrations of one."""

_PATHS = ("rlnMicrographName", "rlnMicrographNameEven", "rlnMicrographNameOdd")


def read_halves(path: str | Path) -> tuple[Path, Micrographs]:
    """Read a table of half-sums of any project.

    Parameters
    ----------
    path : str or Path
        Written by the stage ``halves`` in this or another project.

    Returns
    -------
    tuple of Path and Micrographs
        Folder of the table's project, and its micrographs with paths as seen from here.
    """
    micrographs = read_micrographs(path)
    project = _project(Path(path), micrographs.table)
    table = micrographs.table.select(range(len(micrographs.table)))
    for label in _PATHS:
        if label in table:
            table[label] = [(project / name).as_posix() for name in table[label]]
    return project, Micrographs(micrographs.optics, table, micrographs.failed)


def number_datasets(projects: Sequence[Path], pixel_sizes: Sequence[float]) -> list[int]:
    """Return numbers for the datasets, from 1: one is what a project has at one pixel size.

    Parameters
    ----------
    projects, pixel_sizes : sequence
        Of each micrograph; pixel sizes in Å/px.

    Returns
    -------
    list of int
        For each micrograph.
    """
    known: list[tuple[Path, float]] = []
    numbers = []
    for project, pixel_size in zip(projects, pixel_sizes, strict=True):
        same = (
            number
            for number, (other, size) in enumerate(known)
            if project == other and max(size, pixel_size) <= SAME_PIXEL_SIZE * min(size, pixel_size)
        )
        number = next(same, len(known))
        if number == len(known):
            known.append((project, pixel_size))
        numbers.append(number + 1)
    return numbers


def fair_shares(counts: Sequence[int], wanted: int) -> list[int]:
    """Share `wanted` out evenly, but give no one more than it has.

    Parameters
    ----------
    counts : sequence of int
        What each has.
    wanted : int
        In all; what cannot be shared out evenly goes to the larger ones.
    """
    shares = [0] * len(counts)
    smallest_first = sorted(range(len(counts)), key=counts.__getitem__)
    for place, index in enumerate(smallest_first):
        shares[index] = min(counts[index], (wanted - sum(shares)) // (len(counts) - place))
    return shares


def _project(path: Path, table: Table) -> Path:
    """Return the folder that the paths in a table are relative to: the nearest one above it where they lead to files.

    Not simply the working directory: projects that were made alike hold files of the same names.
    """
    names = table["rlnMicrographNameEven"][:1] if "rlnMicrographNameEven" in table else []
    project = next((above for above in path.parents if names and (above / names[0]).is_file()), Path())
    return Path() if project.resolve() == Path.cwd() else project
