"""The STAR lists of a simulated project, and the tables of what is truly in a movie."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..formats.star import Table, write_star
from .exposure import Exposure, Settings
from .optics import AMPLITUDE_CONTRAST, SPHERICAL_ABERRATION

MOVIES = "Import/job001/movies.star"
MICROGRAPHS = "MotionCorr/job002/corrected_micrographs.star"
MICROGRAPHS_CTF = "CtfFind/job003/micrographs_ctf.star"
TRUE_PARTICLES = "truth/particles.star"

_EARLY_DOSE = 4.0  # e/Å²: RELION's --dose_motionstats_cutoff


def write_lists(root: Path, exposures: dict[str, Exposure], settings: Settings) -> None:
    """Write the STAR lists of a project.

    Parameters
    ----------
    root : Path
        The project folder.
    exposures : dict of str to Exposure
        All movies, by name.
    settings : Settings
        Of the simulation.
    """
    optics: dict[str, list[object]] = {
        "rlnOpticsGroupName": ["opticsGroup1"],
        "rlnOpticsGroup": [1],
        "rlnMicrographOriginalPixelSize": [settings.pixel_size],
        "rlnVoltage": [settings.voltage],
        "rlnSphericalAberration": [SPHERICAL_ABERRATION],
        "rlnAmplitudeContrast": [AMPLITUDE_CONTRAST],
    }
    movies: dict[str, list[object]] = {
        "rlnMicrographMovieName": [f"Movies/{name}.tiff" for name in exposures],
        "rlnOpticsGroup": [1 for _ in exposures],
    }
    write_star(root / MOVIES, {"optics": Table(optics), "movies": Table(movies)})

    # RELION writes the pixel size of the micrographs last.
    micrograph_optics = Table({**optics, "rlnMicrographPixelSize": [settings.pixel_size]})
    corrected: list[dict[str, object]] = []
    with_ctf: list[dict[str, object]] = []
    particles: list[Table] = []
    for name, exposure in exposures.items():
        path = f"MotionCorr/job002/Movies/{name}"
        total, early = _accumulated_motion(exposure, settings)
        corrected.append(
            {
                "rlnMicrographNameNoDW": f"{path}_noDW.mrc",
                "rlnMicrographName": f"{path}.mrc",
                "rlnMicrographMetadata": f"{path}.star",
                "rlnOpticsGroup": 1,
                "rlnAccumMotionTotal": total,
                "rlnAccumMotionEarly": early,
                "rlnAccumMotionLate": total - early,
            }
        )
        with_ctf.append(
            {
                "rlnMicrographName": f"{path}.mrc",
                "rlnOpticsGroup": 1,
                "rlnDefocusU": exposure.defocus.u,
                "rlnDefocusV": exposure.defocus.v,
                "rlnCtfAstigmatism": exposure.defocus.u - exposure.defocus.v,
                "rlnDefocusAngle": exposure.defocus.angle,
                "rlnCtfFigureOfMerit": exposure.ctf_merit,
                "rlnCtfMaxResolution": exposure.ctf_resolution,
            }
        )
        table = particle_table(exposure, settings)
        table["rlnMicrographName"] = [f"{path}.mrc"] * len(table)
        table["rlnOpticsGroup"] = [1] * len(table)
        particles.append(table)
    for star, rows in ((MICROGRAPHS, corrected), (MICROGRAPHS_CTF, with_ctf)):
        write_star(root / star, {"optics": micrograph_optics, "micrographs": Table.from_rows(rows)})
    truth = {"optics": micrograph_optics, "particles": Table.concatenate(particles)}
    write_star(root / TRUE_PARTICLES, truth)


def particle_table(exposure: Exposure, settings: Settings) -> Table:
    """List the particles whose centre lies in the image."""
    height, width = settings.shape
    x, y = exposure.particles[:, 0], exposure.particles[:, 1]
    inside = (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)
    x, y, rot, tilt, psi = exposure.particles[inside].T
    return Table(
        {
            "rlnCoordinateX": x,
            "rlnCoordinateY": y,
            "rlnAngleRot": rot,
            "rlnAngleTilt": tilt,
            "rlnAnglePsi": psi,
            "rlnDefocusU": np.full(len(x), exposure.defocus.u),
            "rlnDefocusV": np.full(len(x), exposure.defocus.v),
            "rlnDefocusAngle": np.full(len(x), exposure.defocus.angle),
        }
    )


def contamination_table(exposure: Exposure, settings: Settings) -> Table:
    """List contamination, with mean radii in pixels; centres may lie outside the image."""
    blobs = exposure.contamination
    return Table(
        {
            "rlnCoordinateX": [blob.x for blob in blobs],
            "rlnCoordinateY": [blob.y for blob in blobs],
            "cryopairRadius": [blob.radius / settings.pixel_size for blob in blobs],
        }
    )


def _accumulated_motion(exposure: Exposure, settings: Settings) -> tuple[float, float]:
    """Return the path length of the drift in pixels, in all and up to `_EARLY_DOSE`, as RELION counts it."""
    steps = np.linalg.norm(np.diff(exposure.drift, axis=0), axis=1)
    second_frame = np.arange(2, settings.frames + 1)
    early = second_frame <= _EARLY_DOSE / settings.dose_per_frame
    return float(steps.sum()), float(steps[early].sum())
