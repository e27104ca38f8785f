"""The stage ``extract``: particles cut from the raw micrographs, as ``relion_preprocess --extract`` does."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from ..errors import BadFileError, CryopairError, UsageError
from ..formats.coordinates import read_coordinate_table
from ..formats.mrc import map_mrc, read_mrc_info, write_mrc
from ..formats.star import Table, write_star
from ..micrographs import Micrographs, Row, mirrored, process
from .raw import looks_denoised, refuse_denoised
from .sampling import Sampling, cut_particles
from .tables import particle_optics, particle_rows

COLUMNS = ("cryopairParticleCount",)


@dataclass
class Particles:
    """Particles with their optics groups, and the micrographs that they come from.

    Attributes
    ----------
    optics : Table
        ``data_optics``, with the size and pixel size of the particle images.
    table : Table
        ``data_particles``; without any column when there are no particles.
    micrographs : Micrographs
        The input with `COLUMNS` added, and those that failed.
    """

    optics: Table
    table: Table
    micrographs: Micrographs


def write_particles(path: str | Path, particles: Particles, *, of_shard: bool = False) -> None:
    """Write a particles STAR, whole or not at all; without particles it has no ``data_particles``, as in RELION.

    Micrographs that failed are listed in a file beside it, or, for a shard, in the table itself, where ``merge`` finds
    them. Other programs than RELION, such as cryoSPARC, cannot read values with spaces, as the reasons are.
    """
    blocks = {"optics": particles.optics, "particles": particles.table}
    failed = {"failed": particles.micrographs.failed} if len(particles.micrographs.failed) else {}
    write_star(path, blocks | failed if of_shard else blocks)
    if failed and not of_shard:
        write_star(failed_beside(path), failed)
    else:
        failed_beside(path).unlink(missing_ok=True)


def failed_beside(path: str | Path) -> Path:
    """Return where the micrographs that failed are listed: ``particles_failed.star`` beside ``particles.star``."""
    return Path(path).with_name(f"{Path(path).stem}_failed.star")


def extract_particles(
    micrographs: Micrographs,
    sampling: Sampling,
    *,
    out: Path,
    half_precision: bool = False,
    workers: int | None = None,
) -> Particles:
    """Cut the particles of every micrograph into one stack per micrograph.

    Parameters
    ----------
    micrographs : Micrographs
        Raw micrographs with ``rlnMicrographCoordinates``, coordinate STARs in raw pixels.
    sampling : Sampling
        Box, scale and normalisation.
    out : Path
        Folder for the stacks, relative to the project.
    half_precision : bool
        Write float16, which RELION 3.1 cannot read.
    workers : int, optional
        Micrographs in work at a time; as many as this process may use cores if not given.

    Returns
    -------
    Particles
        In the order of the micrographs and of their coordinate files. A micrograph without coordinates has
        no stack.

    Raises
    ------
    UsageError
        When there are no coordinates, a box is larger than its micrograph, or a micrograph is a denoised image.
    """
    if "rlnMicrographCoordinates" not in micrographs.table:
        raise UsageError(
            "The micrographs have no column _rlnMicrographCoordinates; expected the STAR file that "
            "`cryopair handoff` writes."
        )
    tables, result = cut_stacks(
        micrographs,
        lambda row: read_coordinate_table(row["rlnMicrographCoordinates"]),
        sampling,
        out=out,
        half_precision=half_precision,
        workers=workers,
    )
    return Particles(particle_optics(micrographs.optics, sampling), Table.concatenate(tables), result)


def cut_stacks(
    micrographs: Micrographs,
    coordinates_of: Callable[[Row], Table],
    sampling: Sampling,
    *,
    out: Path,
    half_precision: bool = False,
    workers: int | None = None,
) -> tuple[list[Table], Micrographs]:
    """Write one stack of particles for every micrograph that has any.

    Parameters
    ----------
    coordinates_of : callable
        Gives the coordinates of a micrograph in its own pixels, with all columns that its particles shall have.

    Returns
    -------
    tables : list of Table
        The particles of each micrograph that has any, in order.
    micrographs : Micrographs
        The input with `COLUMNS` added, and those that failed.
    """
    for row in micrographs.table.rows():
        with suppress(BadFileError):  # a missing or damaged one costs only itself, later
            refuse_denoised(row, read_mrc_info(row["rlnMicrographName"]))
    tables: dict[str, Table] = {}
    smooth: list[str] = []

    def extract(row: Row) -> dict[str, object]:
        coordinates = coordinates_of(row)
        if not len(coordinates):
            return {"cryopairParticleCount": 0}
        name = row["rlnMicrographName"]
        image = _raw_image(name, sampling.box)
        x, y = coordinates.floats("rlnCoordinateX"), coordinates.floats("rlnCoordinateY")
        _check_inside(row, x, y, image.shape)
        stack = out / f"{mirrored(name)}.mrcs"
        images = cut_particles(image, x, y, sampling)
        pixel_size = float(sampling.pixel_size(micrographs.pixel_size(row)))
        write_mrc(stack, images, pixel_size=pixel_size, half_precision=half_precision)
        tables[name] = particle_rows(row, coordinates, stack)
        if looks_denoised(image):
            smooth.append(name)
        return {"cryopairParticleCount": len(coordinates)}

    workers = workers or len(os.sched_getaffinity(0))
    with threadpool_limits(1):  # micrographs are shared out already
        result = process(micrographs, "extract", extract, columns=COLUMNS, workers=workers)
    if smooth:
        tqdm.write(
            f"extract: warning: {len(smooth)} of {len(micrographs.table)} micrographs have next to no noise at high "
            f"frequencies, as if they had been denoised or low-pass filtered; one is {min(smooth)}. "
            "Particles should be cut from raw micrographs.",
            file=sys.stderr,
        )
    return [tables[name] for name in result.table["rlnMicrographName"] if name in tables], result


def _raw_image(name: str, box: int) -> npt.NDArray:
    images = map_mrc(name)
    if len(images) != 1:
        raise BadFileError(name, f"is a stack of {len(images)} images", expected="a single micrograph")
    height, width = images[0].shape
    if box > min(height, width):
        raise UsageError(f"{name}: a box of {box} px is larger than the micrograph ({width} x {height} px).")
    return images[0]


def _check_inside(row: Row, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], shape: tuple[int, ...]) -> None:
    height, width = shape
    outside = np.flatnonzero(~((x > -1) & (x < width) & (y > -1) & (y < height)))  # as truncation leaves them
    if len(outside):
        first = outside[0]
        raise CryopairError(
            f"{row['rlnMicrographCoordinates']}: {len(outside)} of {len(x)} coordinates, the first at "
            f"({x[first]:g}, {y[first]:g}), are outside {row['rlnMicrographName']}, which is {width} x {height} px. "
            "They belong to another micrograph or to another binning: hand off the picks again."
        )
