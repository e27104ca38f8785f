"""``relion_cryopair_denoise``: a session in the folder of an External job, from micrographs or movies to particles."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ..config import Config, load_config
from ..errors import CryopairError, UsageError
from ..session.init import initialise
from ..session.passes import SOME_FAILED, WAITING
from ..session.workflow import Session
from .entry import run_job
from .job import COORDINATES, MICROGRAPHS, PARTICLES, ExternalJob, NodeKind

SHORT = {
    "diameter": "picking.diameter",
    "box": "extraction.box",
    "rescale": "extraction.rescale",
    "model": "denoising.model",
    "steps": "training.steps",
}
"""Labels that users are likely to set → keys of the configuration. Every other key goes by its own name."""

_USAGE = """\
relion_cryopair_denoise: denoise micrographs, and pick and extract particles, as an External job of RELION.

In RELION's External job give this program as 'External executable', and as input the micrographs of a MotionCorr
or CtfFind job (or the movies of an Import job, to align them here). Parameters, all optional:

  diameter   particle diameter in Å; without it the job ends after denoising
  box        box size in pixels of the raw micrograph (default: 1.5 diameters); rescale: size of the particle images
  model      folder of an existing model (default: train one on these micrographs)
  steps      training steps

and every key of config/config.yaml, such as picking.picker or training.pixel_size. Run the job again (Continue)
when new micrographs have come in: only these are processed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; return its exit code."""
    return run_job(denoise, usage=_USAGE, arguments=arguments)


def denoise(job: ExternalJob) -> list[tuple[Path, NodeKind]]:
    """Run one pass of the workflow in the job's folder.

    Raises
    ------
    CryopairError
        When it did not go through.
    """
    config = write_config(job)
    code = job.cryopair("run", "--config", job.folder / "config.yaml", "--cores", job.threads)
    if code not in (0, SOME_FAILED, WAITING):
        raise CryopairError(f"the run failed (see above, and {job.folder}/logs).")
    return nodes_of(job, config)


def write_config(job: ExternalJob) -> Config:
    """Write the settings of the session, as the job's fields give them, into the job's folder.

    Raises
    ------
    UsageError
        When there is nothing to start from, or a parameter is unknown.
    """
    source = job.inputs.get("in_mics") or job.inputs.get("in_movies")
    if not source:
        raise UsageError("neither --in_mics nor --in_movies: this job needs the STAR file of micrographs or movies.")
    plain = {label: value for label, value in job.parameters.items() if "." not in label}
    ExternalJob(job.folder, parameters=plain).check_parameters(SHORT)
    settings = {SHORT.get(label, label): value for label, value in job.parameters.items() if value is not None}
    diameter = settings.pop("picking.diameter", None)
    try:
        number = float(diameter) if diameter else None
    except ValueError:
        raise UsageError(f"parameter 'diameter' is '{diameter}'; expected a number of Å.") from None
    path = job.folder / "config.yaml"
    path.unlink(missing_ok=True)  # the fields of the job are what counts
    print("\n".join(initialise(source, path, output=str(job.folder), diameter=number, settings=settings)), flush=True)
    return load_config(path)


def nodes_of(job: ExternalJob, config: Config) -> list[tuple[Path, NodeKind]]:
    """Return the nodes that a pass with these settings has made."""
    nodes = [(job.folder / "denoised_micrographs.star", MICROGRAPHS)]
    session = Session(config)
    if session.picks:
        for_relion_3 = sorted((job.folder / "coordinates").glob("coords_suffix_*.star"))
        nodes += [(path, COORDINATES) for path in (for_relion_3 if job.of_relion_3 else [])]
        nodes += [] if job.of_relion_3 else [(job.folder / "coordinates.star", COORDINATES)]
    if session.extracts:
        nodes.append((job.folder / "particles.star", PARTICLES))
    return [(path, kind) for path, kind in nodes if path.is_file()]


if __name__ == "__main__":
    sys.exit(main())
