"""The stage ``extract``: particles cut from the raw micrographs, as ``relion_preprocess --extract`` does.

The order of operations is RELION's: cut, downsample, normalise, invert. The sign is changed after the
normalisation, so that the background has mean 0 and standard deviation 1 either way.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from ..errors import BadFileError, CryopairError, UsageError
from ..formats.coordinates import read_coordinate_table
from ..formats.mrc import map_mrc, read_mrc_info, write_mrc
from ..formats.star import Table, write_star
from ..micrographs import Micrographs, Row, mirrored, process
from .normalise import background_radius, normalise
from .raw import looks_denoised, refuse_denoised
from .windows import cut_windows, rescale

COLUMNS = ("cryopairParticleCount",)
_BATCH_BYTES = 64 * 2**20

_OPTIONAL_CTF = ("rlnCtfMaxResolution", "rlnCtfFigureOfMerit")
_CTF_DEFAULTS = {"rlnDefocusAngle": 0.0, "rlnCtfBfactor": 0.0, "rlnCtfScalefactor": 1.0, "rlnPhaseShift": 0.0}
_BEAM_TILT = ("rlnBeamTiltX", "rlnBeamTiltY", "rlnBeamTiltClass")


@dataclass(frozen=True)
class Sampling:
    """How particles are cut and processed; all that RELION's Extract job asks.

    Attributes
    ----------
    box : int
        Even side of the box in pixels of the micrograph.
    scale : int, optional
        Even side of the downsampled image, at most `box`; `box` if not given.
    normalise : bool
        Whether to level the background and bring it to mean 0 and standard deviation 1.
    background_diameter : float, optional
        Diameter of the circle around the particle, in pixels of the micrograph, outside which is background;
        three quarters of the box if not given.
    invert : bool
        Whether to change the sign, so that protein is bright.
    """

    box: int
    scale: int | None = None
    normalise: bool = True
    background_diameter: float | None = None
    invert: bool = True

    def __post_init__(self) -> None:
        for name, value in (("box", self.box), ("scale", self.size)):
            if value <= 0 or value % 2:
                raise UsageError(f"The particles' {name} is {value} px; expected an even number above 0.")
        if self.size > self.box:
            raise UsageError(
                f"The particles' scale is {self.size} px for a box of {self.box} px; expected at most the box: "
                "particles can be downsampled, not upsampled."
            )
        diameter = self.background_diameter
        if diameter is not None and not 0 < diameter <= self.box:
            raise UsageError(
                f"The background diameter is {diameter:g} px for a box of {self.box} px; expected more than 0 and "
                "at most the box, in pixels of the micrograph."
            )

    @property
    def size(self) -> int:
        """Side of the final image in pixels."""
        return self.box if self.scale is None else self.scale


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


def write_particles(path: str | Path, particles: Particles) -> None:
    """Write a particles STAR, whole or not at all; without particles it has no ``data_particles``, as in RELION."""
    blocks = {"optics": particles.optics, "particles": particles.table}
    if len(particles.micrographs.failed):
        blocks["failed"] = particles.micrographs.failed
    write_star(path, blocks)


def extract_particles(
    micrographs: Micrographs,
    *,
    out: Path,
    box: int,
    scale: int | None = None,
    normalise: bool = True,
    background_diameter: float | None = None,
    invert: bool = True,
) -> Particles:
    """Cut the particles of every micrograph into one stack per micrograph.

    Parameters
    ----------
    micrographs : Micrographs
        Raw micrographs with ``rlnMicrographCoordinates``, coordinate STARs in raw pixels.
    out : Path
        Folder for the stacks, relative to the project.
    box, scale, normalise, background_diameter, invert
        See `Sampling`.

    Returns
    -------
    Particles
        In the order of the micrographs and of their coordinate files. A micrograph without coordinates has
        no stack.

    Raises
    ------
    UsageError
        When the sizes make no sense, there are no coordinates, or a micrograph is a denoised image.
    """
    sampling = Sampling(box, scale, normalise, background_diameter, invert)
    if "rlnMicrographCoordinates" not in micrographs.table:
        raise UsageError(
            "The micrographs have no column _rlnMicrographCoordinates; expected the STAR file that "
            "`cryopair handoff` writes."
        )
    for row in micrographs.table.rows():
        with suppress(BadFileError):  # a missing or damaged one costs only itself, later
            refuse_denoised(row, read_mrc_info(row["rlnMicrographName"]))
    tables: list[Table] = []
    smooth: list[str] = []

    def extract(row: Row) -> dict[str, object]:
        coordinates = read_coordinate_table(row["rlnMicrographCoordinates"])
        if not len(coordinates):
            return {"cryopairParticleCount": 0}
        name = row["rlnMicrographName"]
        image = _raw_image(name, sampling.box)
        x, y = coordinates.floats("rlnCoordinateX"), coordinates.floats("rlnCoordinateY")
        _check_inside(row, x, y, image.shape)
        stack = out / f"{mirrored(name)}.mrcs"
        images = cut_particles(image, x, y, sampling)
        write_mrc(stack, images, pixel_size=micrographs.pixel_size(row) * sampling.box / sampling.size)
        tables.append(_particle_rows(row, coordinates, stack))
        if looks_denoised(image):
            smooth.append(name)
        return {"cryopairParticleCount": len(coordinates)}

    result = process(micrographs, "extract", extract, columns=COLUMNS)
    if smooth:
        tqdm.write(
            f"extract: warning: {len(smooth)} of {len(micrographs.table)} micrographs have next to no noise at high "
            f"frequencies, as if they had been denoised or low-pass filtered; the first is {smooth[0]}. "
            "Particles should be cut from raw micrographs.",
            file=sys.stderr,
        )
    return Particles(particle_optics(micrographs.optics, sampling), Table.concatenate(tables), result)


def cut_particles(
    image: npt.NDArray, x: npt.ArrayLike, y: npt.ArrayLike, sampling: Sampling
) -> npt.NDArray[np.float32]:
    """Cut and process the particles of one micrograph.

    Parameters
    ----------
    image : numpy.ndarray
        The micrograph, shape ``(height, width)``; may be a memory map.
    x, y : array_like
        Column and row of the particles, shape ``(particles,)``.
    sampling : Sampling
        Box, scale and normalisation.

    Returns
    -------
    numpy.ndarray
        Shape ``(particles, size, size)``.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    radius = background_radius(box=sampling.box, size=sampling.size, diameter=sampling.background_diameter)
    particles = np.empty((len(x), sampling.size, sampling.size), dtype=np.float32)
    for batch in _batches(len(x), sampling.box):
        images = rescale(cut_windows(image, x[batch], y[batch], box=sampling.box), sampling.size)
        if sampling.normalise:
            images = normalise(images, radius)
        particles[batch] = -images if sampling.invert else images
    return particles


def particle_optics(optics: Table, sampling: Sampling) -> Table:
    """Return the optics table of particles: the pixel size of the micrograph gives way to that of the images."""
    pixel_size = optics.floats("rlnMicrographPixelSize") * sampling.box / sampling.size
    table = optics.without("rlnMicrographPixelSize")
    table["rlnImagePixelSize"] = pixel_size
    table["rlnImageSize"] = [sampling.size] * len(optics)
    table["rlnImageDimensionality"] = [2] * len(optics)
    return table


def _batches(count: int, box: int) -> Iterator[slice]:
    step = max(1, _BATCH_BYTES // (8 * box * box))
    for start in range(0, count, step):
        yield slice(start, start + step)


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


def _particle_rows(row: Row, coordinates: Table, stack: Path) -> Table:
    """Return the particles of one micrograph, with RELION's columns in RELION's order."""
    count = len(coordinates)
    table = coordinates.select(range(count))
    table["rlnImageName"] = [f"{number:06d}@{stack}" for number in range(1, count + 1)]
    table["rlnMicrographName"] = [row["rlnMicrographName"]] * count
    if "rlnOpticsGroup" not in coordinates:
        table["rlnOpticsGroup"] = [row["rlnOpticsGroup"]] * count
    if "rlnDefocusU" in row and "rlnDefocusU" not in coordinates:
        for label, value in _ctf(row).items():
            table[label] = [value] * count
    return table


def _ctf(row: Row) -> dict[str, object]:
    values: dict[str, object] = {label: row[label] for label in _OPTIONAL_CTF if label in row}
    values |= {"rlnDefocusU": row["rlnDefocusU"], "rlnDefocusV": row.get("rlnDefocusV", row["rlnDefocusU"])}
    values |= {label: row.get(label, default) for label, default in _CTF_DEFAULTS.items()}
    return values | {label: row[label] for label in _BEAM_TILT if label in row}
