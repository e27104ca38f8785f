"""All checks of a set of particles, one after the other."""

from __future__ import annotations

from pathlib import Path

from .findings import Finding
from .particles import ParticleSet
from .pixels import check_cut, check_raw
from .tables import check_counts, check_ctf, check_duplicates, check_images, check_inside, check_stacks


def audit_particles(path: str | Path, *, seed: int = 1) -> list[Finding]:
    """Check a particles STAR, of cryopair or of RELION, against the files that it names.

    Parameters
    ----------
    path : str or Path
        The particles STAR; the files that it names are looked for from the working directory.
    seed : int
        Which micrographs and particles are looked at where not all of them are.

    Raises
    ------
    BadFileError
        When it is no set of extracted particles at all.
    """
    particles = ParticleSet.read(path)
    return [
        check_stacks(particles),
        check_images(particles),
        check_inside(particles),
        check_raw(particles, seed=seed),
        check_cut(particles, seed=seed),
        check_ctf(particles),
        check_duplicates(particles),
        check_counts(particles),
    ]
