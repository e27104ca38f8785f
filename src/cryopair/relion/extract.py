"""``relion_cryopair_extract``: particles from raw micrographs and given coordinates, as an External job."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import BadFileError, CryopairError, UsageError
from ..formats.coordinates.star import is_list_of_files, listed_files
from ..formats.star import read_star
from ..micrographs import Micrographs, mirrored, read_micrographs, write_micrographs
from .entry import run_job
from .job import PARTICLES, ExternalJob, NodeKind

_NUMBERS = ("box", "rescale", "window", "background_diameter")
_SWITCHES = {"normalise": True, "invert": True, "float16": False, "recenter": False, "reset_offsets": False}
_USAGE = """\
relion_cryopair_extract: cut particles from RAW micrographs, as an External job of RELION.

In RELION's External job give this program as 'External executable', as micrographs the raw ones (of a MotionCorr or,
with CTF, a CtfFind job), and as coordinates those of a picking job, an Import job, or relion_cryopair_denoise; or, in
their place, the particles of a refinement, to cut them anew. Parameters:

  box                  box size in pixels of the micrograph (needed)
  rescale              size that it is downsampled to
  window               centre of that to keep
  background_diameter  outside it is background, in pixels of the micrograph (default: 75 % of the box)
  normalise, invert    yes or no (default: yes)
  float16              yes or no (default: no); RELION 3.1 cannot read it
  recenter             with particles: yes moves the boxes by the refined shifts
  reset_offsets        with particles: yes forgets the refined shifts"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; return its exit code."""
    return run_job(extract, usage=_USAGE, arguments=arguments)


def extract(job: ExternalJob) -> list[tuple[Path, NodeKind]]:
    """Cut the particles.

    Raises
    ------
    CryopairError
        When something is missing, or there was no particle to cut.
    """
    job.check_parameters((*_NUMBERS, *_SWITCHES))
    options = _options(job)
    micrographs = read_micrographs(job.need("in_mics", "the STAR file of the raw micrographs"))
    star = job.folder / "micrographs.star"
    if "in_parts" in job.inputs:
        options += ["--reextract", job.inputs["in_parts"]]
    else:
        with_coordinates = find_coordinates(micrographs, job.need("in_coords", "coordinates, or particles"))
        print(f"{len(with_coordinates.table)} of {len(micrographs.table)} micrographs have coordinates", flush=True)
        micrographs = with_coordinates
    write_micrographs(star, micrographs)
    particles = job.folder / "particles.star"
    particles.unlink(missing_ok=True)
    if job.cryopair("extract", "--star", star, "--out", job.folder, "--table", particles, *options):
        raise CryopairError("extraction failed, see above.")
    return [(particles, PARTICLES)]


def find_coordinates(micrographs: Micrographs, path: str) -> Micrographs:
    """Add ``rlnMicrographCoordinates`` to micrographs, and leave out those without.

    Parameters
    ----------
    micrographs : Micrographs
        The raw ones.
    path : str
        Of RELION 3.1 ``FOLDER/coords_suffix_NAME.star``: the files are ``FOLDER/Movies/a_NAME.star``. Of RELION 4 and
        5 a STAR file that names them (``data_coordinate_files``).

    Raises
    ------
    BadFileError
        When no micrograph has coordinates there.
    """
    folder, prefix, ending = path.rpartition("coords_suffix")
    if prefix and "/" not in ending:
        candidates = {name: f"{folder}{mirrored(name)}{ending}" for name in micrographs.table["rlnMicrographName"]}
        found = {name: file for name, file in candidates.items() if Path(file).is_file()}
        expected = f"files such as {next(iter(candidates.values()), folder)}"
    else:
        blocks = read_star(path)
        if not is_list_of_files(blocks):
            raise BadFileError(path, "names no coordinate files", expected="data_coordinate_files of a picking job")
        found = {row[0]: row[1] for row in listed_files(path, blocks)}
        expected = f"micrographs such as {next(iter(micrographs.table['rlnMicrographName']), 'MotionCorr/…')}"
    names = micrographs.table["rlnMicrographName"]
    table = micrographs.table.select(i for i, name in enumerate(names) if name in found)
    if not len(table):
        raise BadFileError(
            path,
            f"has coordinates for none of the {len(names)} micrographs",
            expected=expected,
            fix="Give the raw micrographs that the picks were made for, by the same names.",
        )
    table["rlnMicrographCoordinates"] = [found[name] for name in table["rlnMicrographName"]]
    return Micrographs(micrographs.optics, table, micrographs.failed)


def _options(job: ExternalJob) -> list[str]:
    """Return the options of ``cryopair extract`` that the job's parameters stand for."""
    given = {label: value for label in _NUMBERS if (value := job.parameters.get(label))}
    if "box" not in given:
        raise UsageError("parameter 'box' is missing; expected the box size in pixels of the micrograph.")
    options = [word for label, value in given.items() for word in (f"--{label.replace('_', '-')}", value)]
    if job.of_relion_3 and job.is_on("float16", usually=False):
        raise UsageError("parameter 'float16' is yes, but this project is of RELION 3.1, which cannot read float16.")
    for label, usual in _SWITCHES.items():
        on = job.is_on(label, usually=usual)
        if on != usual:
            options.append(f"--{'' if on else 'no-'}{label.replace('_', '-')}")
    return [*options, "--threads", str(job.threads)]


if __name__ == "__main__":
    sys.exit(main())
