"""A whole session on made-up movies, compared with the truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import BadFileError
from ..formats.coordinates import read_coordinate_table
from ..formats.mrc import read_mrc, read_mrc_info
from ..formats.star import read_star
from ..micrographs import mirrored, read_micrographs
from ..picking.agreement import PickScore, add_scores, f1, score_picks
from ..picking.blob import pick_blobs
from ..quality.against_truth import snr_db_against_truth
from .project import SETTINGS

_TRUTH = Path("truth")


@dataclass(frozen=True)
class Verdict:
    """How good a session's results are.

    Attributes
    ----------
    snr_raw_db, snr_denoised_db : numpy.ndarray
        Against the noise-free images, one value a micrograph.
    f1_denoised, f1_raw : float
        Of the session's picks, and of the same picker on the raw micrographs.
    particles : int
        How many were extracted.
    from_raw : int
        How many of them were cut from a raw micrograph.
    """

    snr_raw_db: npt.NDArray[np.float64]
    snr_denoised_db: npt.NDArray[np.float64]
    f1_denoised: float
    f1_raw: float
    particles: int
    from_raw: int

    def lines(self) -> list[str]:
        """Describe the results, one fact a line."""
        gain = np.median(self.snr_denoised_db - self.snr_raw_db)
        return [
            f"SNR against the truth  raw {np.median(self.snr_raw_db):.1f} dB, denoised "
            f"{np.median(self.snr_denoised_db):.1f} dB: {gain:+.1f} dB (medians of {len(self.snr_raw_db)} micrographs)",
            f"picking (F1)           {self.f1_denoised:.3f} on denoised, {self.f1_raw:.3f} on raw micrographs",
            f"particles              {self.particles}, {self.from_raw} of them cut from raw micrographs",
        ]


def judge(output: Path, *, diameter: float) -> Verdict:
    """Compare a finished session with the truth of the project it ran in.

    Parameters
    ----------
    output : Path
        Output folder of the session; the working directory is the made-up project.
    diameter : float
        Particle diameter in Å, as it was given to the picker.

    Raises
    ------
    BadFileError
        When the project has no truth, or the session is not finished.
    """
    if not Path(SETTINGS).is_file():
        raise BadFileError(SETTINGS, "no such file", expected="a project made by cryopair simulate")
    denoised = read_micrographs(output / "denoised_micrographs.star")
    files = read_star(output / "coordinates.star")["coordinate_files"]
    coordinates = dict(zip(files["rlnMicrographName"], files["rlnMicrographCoordinates"], strict=True))
    before, after = [], []
    on_denoised = on_raw = PickScore(0, 0, 0)
    for row in denoised.table.rows():
        name, pixel_size = row["cryopairMicrographNameRaw"], denoised.pixel_size(row)
        stem = _TRUTH / mirrored(name)
        truth, raw = read_mrc(stem.with_suffix(".mrc")), read_mrc(name)
        before.append(snr_db_against_truth(raw, truth, pixel_size=pixel_size))
        after.append(snr_db_against_truth(read_mrc(row["rlnMicrographName"]), truth, pixel_size=pixel_size))
        particles = _positions(stem.with_suffix(".star"))
        picked = pick_blobs(raw, pixel_size=pixel_size, diameter=diameter)
        reach = diameter / pixel_size
        on_raw = add_scores(on_raw, score_picks(np.stack([picked.x, picked.y], axis=1), particles, raw.shape, reach))
        on_denoised = add_scores(on_denoised, score_picks(_positions(coordinates[name]), particles, raw.shape, reach))
    names = read_star(output / "particles.star")["particles"]["rlnMicrographName"]
    raw_names = [name for name in set(names) if not read_mrc_info(name).denoised]
    return Verdict(
        snr_raw_db=np.array(before),
        snr_denoised_db=np.array(after),
        f1_denoised=f1(*on_denoised),
        f1_raw=f1(*on_raw),
        particles=len(names),
        from_raw=sum(name in raw_names for name in names),
    )


def _positions(path: str | Path) -> npt.NDArray[np.float64]:
    table = read_coordinate_table(path)
    return np.stack([table.floats("rlnCoordinateX"), table.floats("rlnCoordinateY")], axis=1)
