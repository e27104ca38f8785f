"""A set of particles as its STAR file has it, and the files that it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...errors import BadFileError, CryopairError
from ...formats.coordinates import Floats
from ...formats.mrc import MrcInfo, read_mrc_info
from ...formats.star import Table, read_star, require

_NEEDED = ("rlnImageName", "rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY", "rlnOpticsGroup")
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class ParticleSet:
    """Particles with their optics groups.

    Attributes
    ----------
    optics, table : Table
        ``data_optics`` and ``data_particles``.
    """

    optics: Table
    table: Table

    @classmethod
    def read(cls, path: str | Path) -> ParticleSet:
        """Read a particles STAR of RELION 3.1 or later.

        Raises
        ------
        BadFileError
            When it has no particles, or their table lacks what every extracted particle has.
        """
        blocks = read_star(path)
        fix = "Give the particles.star of an Extract job of RELION 3.1 or later, or of cryopair extract."
        optics = require(path, blocks, "optics", "rlnOpticsGroup", fix=fix)
        table = require(path, blocks, "particles", *_NEEDED, fix=fix)
        if not len(table):
            raise BadFileError(path, "has no particles", fix=fix)
        return cls(optics, table)

    @cached_property
    def x(self) -> Floats:
        """Columns of the particles on their micrographs."""
        return self.table.floats("rlnCoordinateX")

    @cached_property
    def y(self) -> Floats:
        """Rows of the particles on their micrographs."""
        return self.table.floats("rlnCoordinateY")

    @cached_property
    def indices(self) -> npt.NDArray[np.int64]:
        """Number of each particle in its stack, from 1."""
        return np.array([int(name.partition("@")[0]) for name in self.table["rlnImageName"]])

    @cached_property
    def by_micrograph(self) -> dict[str, Rows]:
        """Rows of the particles of each micrograph."""
        return _grouped(self.table["rlnMicrographName"])

    @cached_property
    def by_stack(self) -> dict[str, Rows]:
        """Rows of the particles of each stack."""
        return _grouped([name.partition("@")[2] for name in self.table["rlnImageName"]])

    @cached_property
    def micrographs(self) -> dict[str, MrcInfo | CryopairError]:
        """Header of each micrograph, or why there is none."""
        return {name: _header(name) for name in self.by_micrograph}

    @cached_property
    def stacks(self) -> dict[str, MrcInfo | CryopairError]:
        """Header of each stack, or why there is none."""
        return {name: _header(name) for name in self.by_stack}

    def optics_row(self, row: int) -> Mapping[str, str]:
        """Return the optics group of a particle; empty if it is in none."""
        return self._optics.get(int(float(self.table["rlnOpticsGroup"][row])), {})

    def good_micrographs(self) -> Iterator[tuple[str, Rows, MrcInfo]]:
        """Yield the micrographs that are there, with their particles and headers."""
        for name, rows in self.by_micrograph.items():
            header = self.micrographs[name]
            if isinstance(header, MrcInfo):
                yield name, rows, header

    def good_stacks(self) -> Iterator[tuple[str, Rows, MrcInfo]]:
        """Yield the stacks that are there, with their particles and headers."""
        for name, rows in self.by_stack.items():
            header = self.stacks[name]
            if isinstance(header, MrcInfo):
                yield name, rows, header

    @cached_property
    def _optics(self) -> dict[int, dict[str, str]]:
        return {int(float(row["rlnOpticsGroup"])): row for row in self.optics.rows()}


def _grouped(names: list[str]) -> dict[str, Rows]:
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        rows.setdefault(name, []).append(row)
    return {name: np.array(chosen, dtype=np.intp) for name, chosen in rows.items()}


def _header(path: str) -> MrcInfo | CryopairError:
    try:
        return read_mrc_info(path)
    except CryopairError as error:
        return error
