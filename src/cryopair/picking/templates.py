"""Templates made of a session's own micrographs, once, and kept.

Discs that are darker than their rim (`blob`) are the first picks. They are sorted into classes and averaged; the
averages are matched with the micrographs, which finds more particles and their centres better; what was found is
averaged again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import BadFileError, CryopairError
from ..formats.atomic import sealed_path
from ..formats.mrc import DENOISED_LABEL, map_mrc, read_mrc_info, write_mrc
from ..formats.star import Table, read_star, require, write_star
from ..micrographs import Micrographs
from .blob import find_blobs
from .classes import ANGLES, average_classes, render, sample_circles
from .images import Images
from .matching import REACH, match
from .peaks import Peaks, refined
from .picks import Floats
from .ready import Ready, make_ready

MICROGRAPHS = 24
"""Templates are made of no more than this many micrographs, spread over those there are."""

_PIXELS_PER_DIAMETER = 24
_CLASSES = 5
_MATCHES = 2  # rounds of matching and averaging again, after the first averages
_BEST = 300  # particles of each micrograph that are averaged, at most
_FEWEST = 20  # particles in all: fewer are no ground to stand on

STAR, STACK = "templates.star", "templates.mrcs"
SHARDS_BLOCK = "template_shards"


@dataclass(frozen=True)
class Templates:
    """Averages of particles.

    Attributes
    ----------
    images : numpy.ndarray
        Shape ``(templates, size, size)`` with an odd size; protein dark. The most frequent one first.
    pixel_size : float
        In Å/px.
    counts : numpy.ndarray
        Particles in each.
    diameter : float
        Of the particles, in Å, as it was given.
    """

    images: Floats
    pixel_size: float
    counts: npt.NDArray[np.intp]
    diameter: float


def make_templates(images: Iterable[tuple[npt.NDArray, float]], *, diameter: float) -> Templates:
    """Make templates of the particles on micrographs.

    Parameters
    ----------
    images : iterable of (numpy.ndarray, float)
        Denoised micrographs, protein dark, and their pixel sizes in Å/px.
    diameter : float
        Particle diameter in Å.

    Raises
    ------
    CryopairError
        When there are too few particles.
    """
    pixel_size = diameter / _PIXELS_PER_DIAMETER
    micrographs = [make_ready(image, pixel_size=size, diameter=diameter) for image, size in images]
    micrographs = [ready for ready in micrographs if ready.has_room]
    averages, counts = _averaged([(ready, *find_blobs(ready)) for ready in micrographs], pixel_size)
    for _ in range(_MATCHES):
        found = [(ready, *match(ready, averages, scale=ready.pixel_size / pixel_size)) for ready in micrographs]
        averages, counts = _averaged(found, pixel_size)
    return Templates(averages, pixel_size, counts, diameter)


def templates_of(tables: Sequence[Micrographs], images: Images, *, diameter: float) -> Templates:
    """Make templates of the particles on the micrographs of some shards.

    Raises
    ------
    CryopairError
        When there are too few particles, or no micrographs.
    """
    rows = [(row, table.pixel_size(row)) for table in tables for row in table.table.rows()]
    if not rows:
        raise CryopairError("There are no micrographs to make templates of.")
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(MICROGRAPHS, len(rows))).round().astype(int))
    return make_templates(((images.read(rows[i][0]), rows[i][1]) for i in chosen), diameter=diameter)


def write_templates(folder: Path, templates: Templates, *, shards: Sequence[str] = ()) -> None:
    """Write templates, once, as RELION's references are: a stack, and a STAR file that lists it.

    Parameters
    ----------
    folder : Path
        For both files, relative to the project.
    templates : Templates
        The templates.
    shards : sequence of str
        Shards that they were made of, so that the choice is not asked for again.

    Raises
    ------
    UsageError
        When the folder has other templates.
    """
    table = Table(
        {
            "rlnReferenceImage": [f"{n:06d}@{folder / STACK}" for n in range(1, len(templates.images) + 1)],
            "cryopairParticleCount": list(templates.counts),
            "cryopairDiameter": [templates.diameter] * len(templates.images),
        }
    )
    with sealed_path(folder / STACK) as candidate:
        write_mrc(candidate, templates.images, pixel_size=templates.pixel_size, labels=["cryopair", DENOISED_LABEL])
    with sealed_path(folder / STAR) as candidate:
        write_star(candidate, {"": table, SHARDS_BLOCK: Table({"cryopairShard": list(shards)})})


def read_templates(folder: Path) -> Templates:
    """Read templates.

    Raises
    ------
    BadFileError
        When they are not there, or are no templates.
    """
    labels = ("rlnReferenceImage", "cryopairParticleCount", "cryopairDiameter")
    fix = "Make them with: cryopair templates."
    table = require(folder / STAR, read_star(folder / STAR), "", *labels, fix=fix)
    stack, info = map_mrc(folder / STACK), read_mrc_info(folder / STACK)
    if len(stack) != len(table) or stack.shape[1] != stack.shape[2] or stack.shape[1] % 2 == 0:
        raise BadFileError(
            folder / STACK,
            f"has images of shape {stack.shape}",
            expected=f"{len(table)} square ones of an odd size, as {STAR} says",
            fix=fix,
        )
    images = np.asarray(stack, dtype=np.float64)
    counts = table.ints("cryopairParticleCount")
    return Templates(images, info.pixel_size, counts, float(table["cryopairDiameter"][0]))


def _averaged(found: Sequence[tuple[Ready, Floats, Peaks]], pixel_size: float) -> tuple[Floats, npt.NDArray[np.intp]]:
    """Return averages of the particles that were found, and how many are in each."""
    circles = int(REACH * _PIXELS_PER_DIAMETER) + 1
    samples = [np.zeros((0, circles, ANGLES))]
    for ready, response, peaks in found:
        best = peaks.where(np.argsort(np.argsort(-peaks.height, kind="stable"), kind="stable") < _BEST)
        spacing = pixel_size / ready.pixel_size
        samples.append(sample_circles(ready.flat, *refined(response, best), circles=circles, spacing=spacing))
    particles = np.concatenate(samples)
    if len(particles) < _FEWEST:
        raise CryopairError(
            f"Only {len(particles)} particles stand out on {len(found)} micrographs; {_FEWEST} are needed to make "
            "templates of. Is the diameter right, in Å? Or set picking.picker: blob."
        )
    averages, counts = average_classes(particles, classes=_CLASSES)
    return render(averages), counts
