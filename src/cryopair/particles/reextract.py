"""Cutting refined particles anew, as ``relion_preprocess --reextract_data_star`` does.

At another size or sampling, or centred by the shifts that the refinement found. Particles belong to the micrograph
whose path below its job folder is the same: those that were cut from images of another job, be it a denoised one, come
from the raw ones afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..errors import BadFileError, CryopairError, UsageError
from ..formats.star import Table, read_star, require
from ..micrographs import Micrographs, Row, mirrored
from .extract import Particles, cut_stacks
from .sampling import Sampling

_SHIFTS = {"rlnCoordinateX": "rlnOriginXAngst", "rlnCoordinateY": "rlnOriginYAngst"}


def reextract_particles(
    micrographs: Micrographs,
    refined: str | Path,
    sampling: Sampling,
    *,
    out: Path,
    recenter: bool = False,
    reset_offsets: bool = False,
    half_precision: bool = False,
    workers: int | None = None,
) -> Particles:
    """Cut particles of a refinement from the raw micrographs, with all that is known of them.

    Parameters
    ----------
    micrographs : Micrographs
        Raw micrographs.
    refined : str or Path
        Particles STAR of RELION 3.1 or later.
    sampling : Sampling
        Box, scale and normalisation.
    out : Path
        Folder for the stacks, relative to the project.
    recenter : bool
        Move the boxes by the whole pixels of the shifts, and keep the rest of these.
    reset_offsets : bool
        Set the shifts to 0 in place of that.
    half_precision, workers
        As in `extract_particles`.

    Returns
    -------
    Particles
        In the order of the micrographs, and of the particles in each. Columns are those of the refinement.

    Raises
    ------
    BadFileError
        When there are no refined particles in the file, or none of them is of these micrographs.
    UsageError
        When both `recenter` and `reset_offsets` are asked for.
    """
    if recenter and reset_offsets:
        raise UsageError("give either --recenter or --reset-offsets: without shifts there is nothing to recentre by.")
    blocks = read_star(refined)
    optics = require(refined, blocks, "optics", "rlnOpticsGroup", "rlnOpticsGroupName")
    labels = ("rlnMicrographName", "rlnOpticsGroup", *_SHIFTS, *(_SHIFTS.values() if recenter else ()))
    particles = require(refined, blocks, "particles", *labels, fix="Give the run_data.star of a refinement.")
    parts = _by_micrograph(particles, micrographs)
    lost = len(particles) - sum(len(rows) for rows in parts.values())
    if lost == len(particles):
        raise BadFileError(
            refined,
            f"has {len(particles)} particles of '{next(iter(particles['rlnMicrographName']), '')}' and others, none of "
            "which is among the micrographs",
            expected="the same paths below the job folders",
        )
    if lost:
        print(f"extract: {lost} of {len(particles)} particles are of micrographs that are not given, and are left out")

    def refined_of(row: Row) -> Table:
        rows = parts[row["rlnMicrographName"]]
        if rows and reset_offsets:
            for shift in _SHIFTS.values():
                if shift in rows:
                    rows[shift] = np.zeros(len(rows))
        return _recentred(rows, micrographs.pixel_size(row)) if rows and recenter else rows

    tables, result = cut_stacks(
        micrographs, refined_of, sampling, out=out, half_precision=half_precision, workers=workers
    )
    cut = Table.concatenate(tables)
    return Particles(_optics(optics, micrographs.optics, cut, sampling), cut, result)


def _by_micrograph(particles: Table, micrographs: Micrographs) -> Mapping[str, Table]:
    """Return the particles of each micrograph by its name."""
    where: dict[str, list[int]] = {}
    for index, name in enumerate(particles["rlnMicrographName"]):
        where.setdefault(str(mirrored(name)), []).append(index)
    names = micrographs.table["rlnMicrographName"]
    return {name: particles.select(where.get(str(mirrored(name)), [])) for name in names}


def _recentred(particles: Table, pixel_size: float) -> Table:
    """Move coordinates by the whole pixels of the shifts (halves away from 0), and keep what remains, in Å."""
    for coordinate, shift in _SHIFTS.items():
        pixels = particles.floats(shift) / pixel_size
        whole = np.trunc(pixels + np.copysign(0.5, pixels))
        particles[coordinate] = particles.floats(coordinate) - whole
        particles[shift] = (pixels - whole) * pixel_size
    return particles


def _optics(refined: Table, raw: Table, particles: Table, sampling: Sampling) -> Table:
    """Return the refinement's optics groups with the new sampling, those that the micrographs have, too, by name.

    Raises
    ------
    CryopairError
        When particles are of a group that the micrographs do not have.
    """
    sizes = dict(zip(raw["rlnOpticsGroupName"], raw.floats("rlnMicrographPixelSize"), strict=True))
    names = refined["rlnOpticsGroupName"]
    used = set(particles.ints("rlnOpticsGroup").tolist()) if len(particles) else set()
    for number, name in zip(refined.ints("rlnOpticsGroup").tolist(), names, strict=True):
        if name not in sizes and number in used:
            raise CryopairError(
                f"particles are of optics group '{name}', which the micrographs do not have (they have "
                f"{', '.join(sizes)}). Give the micrographs that they were cut from."
            )
    table = refined.select(index for index, name in enumerate(names) if name in sizes)
    table["rlnImagePixelSize"] = sampling.pixel_size([sizes[name] for name in table["rlnOpticsGroupName"]])
    table["rlnImageSize"] = [sampling.size] * len(table)
    table["rlnImageDimensionality"] = [2] * len(table)
    return table
