"""A simulated RELION project: movies, their motion, corrected micrographs, CTF, and the truth.

::

    Movies/mic_0001.tiff, Movies/gain.mrc
    Import/job001/movies.star
    MotionCorr/job002/corrected_micrographs.star, Movies/mic_0001{.star,.mrc,_noDW.mrc}
    CtfFind/job003/micrographs_ctf.star
    truth/Movies/mic_0001.mrc      the noise-free image, aligned with the micrograph
    truth/Movies/mic_0001.star     data_particles, data_contamination
    truth/particles.star           all particles whose centre lies in an image
    truth/simulation.star          the settings
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tifffile
import torch
from tqdm import tqdm

from ..errors import UsageError
from ..formats.atomic import atomic_path
from ..formats.mrc import write_mrc
from ..formats.star import Table, read_star, write_star
from ..halves.sums import sum_halves
from ..motion import Motion, write_motion
from .exposure import Exposure, Settings, draw_exposure
from .kinds import KINDS
from .lists import contamination_table, particle_table, write_lists
from .movie import Detector, make_counts, make_detector
from .optics import CRITICAL_DOSE_SCALE
from .scene import illumination, render, undamaged
from .specimen import Specimen

GAIN = "Movies/gain.mrc"
SETTINGS = "truth/simulation.star"

_MOST_COUNTS = 100.0  # per pixel and frame: 8-bit counts end at 255
_WORKERS = 2  # movies made at a time

# Streams of random numbers are seeded with [seed, movie number, ...]. Movies count from 1, so 0 is for
# what they share; no list ends in 0, since numpy takes [1, 2] and [1, 2, 0] for the same seed.
_SPECIMEN, _DETECTOR = [0, 1], [0, 2]
_SCENE, _FIRST_FRAME = 1, 2


def simulate_project(
    root: Path,
    *,
    movies: int = 16,
    frames: int = 24,
    shape: tuple[int, int] = (768, 1024),
    pixel_size: float = 2.0,
    dose_per_frame: float = 1.2,
    voltage: float = 300.0,
    specimen: str = "proteasome",
    carbon_every: int = 0,
    seed: int = 1,
) -> None:
    """Write a RELION project of made-up movies with known truth.

    A movie depends on the settings and its number only. Movies that exist are left alone, so a later call
    with more `movies` adds to the project, byte for byte as if all had been made at once; the STAR lists
    are written anew.

    The contrast follows from physics: the electron scattering of a mean protein residue, less that of the ice
    it displaces, gives the particle a phase of 0.1 to 0.2 rad, reduced to what real images show
    (`optics.ZERO_LOSS`, `optics.MEASURED_CONTRAST`). Under 29 e/Å² the full sum has a power SNR of 0.05.

    Parameters
    ----------
    root : Path
        The project folder; made if missing.
    movies : int
        Number of movies the project shall have.
    frames : int
        Per movie.
    shape : tuple of int
        ``(height, width)`` of a frame.
    pixel_size : float
        In Å/px.
    dose_per_frame : float
        In e/Å².
    voltage : float
        300 or 200 kV.
    specimen : str
        The particle, one of `kinds.KINDS`.
    carbon_every : int
        Every how many movies one shows the edge of the hole in the carbon film; 0 for none.
    seed : int
        Of everything random.

    Raises
    ------
    UsageError
        When `root` holds a simulation with other settings, or the settings make no sense.
    """
    root = Path(root)
    settings = Settings(
        seed=seed,
        frames=frames,
        shape=shape,
        pixel_size=float(pixel_size),
        dose_per_frame=float(dose_per_frame),
        voltage=float(voltage),
        specimen=specimen,
        carbon_every=carbon_every,
    )
    _check(settings, movies)
    _claim(root, settings)
    detector = make_detector(shape, _random(settings, _DETECTOR))
    if not (root / GAIN).is_file():
        write_mrc(root / GAIN, detector.gain, pixel_size=settings.pixel_size)

    numbers = range(1, movies + 1)
    exposures = {_name(number): draw_exposure(settings, number) for number in numbers}
    missing = [n for n in numbers if not all(path.is_file() for path in _outputs(root, n))]
    if missing:
        particle = KINDS[settings.specimen].make(_random(settings, _SPECIMEN))

        def write(number: int) -> None:
            _write_movie(root, number, exposures[_name(number)], settings, particle, detector)

        with _one_torch_thread(), ThreadPoolExecutor(_WORKERS) as pool:
            written = pool.map(write, missing)
            list(tqdm(written, total=len(missing), desc="simulate", unit="movie", file=sys.stderr))
    write_lists(root, exposures, settings)


def true_motion(exposure: Exposure, settings: Settings, name: str, detector: Detector) -> Motion:
    """Return the motion of a movie as RELION would store it if it measured without error."""
    height, width = settings.shape
    return Motion(
        movie=f"Movies/{name}.tiff",
        frames=settings.frames,
        height=height,
        width=width,
        pixel_size=settings.pixel_size,
        dose_per_frame=settings.dose_per_frame,
        voltage=settings.voltage,
        global_shifts=-exposure.drift,  # a stored shift is what brings drifted content back
        local_coefficients=exposure.local_coefficients,
        gain=GAIN,
        hot_pixels=detector.hot_pixels,
    )


def _check(settings: Settings, movies: int) -> None:
    if movies < 1 or settings.frames < 1 or settings.seed < 0:
        raise UsageError("a simulation needs at least one movie, one frame, and a seed that is not negative.")
    if settings.specimen not in KINDS:
        raise UsageError(f"there is no specimen '{settings.specimen}'; choose from {', '.join(KINDS)}.")
    if settings.carbon_every < 0:
        raise UsageError(f"carbon in every {settings.carbon_every}th movie makes no sense; 0 is for none.")
    if settings.voltage not in CRITICAL_DOSE_SCALE:
        raise UsageError(f"{settings.voltage:g} kV: radiation damage is only known at 300 and 200 kV.")
    counts = settings.dose_per_frame * settings.pixel_size**2
    if not 0 < counts <= _MOST_COUNTS:
        raise UsageError(
            f"{settings.dose_per_frame:g} e/Å² per frame at {settings.pixel_size:g} Å/px make {counts:g} "
            f"electrons per pixel; expected more than 0 and at most {_MOST_COUNTS:g}, for 8-bit counts."
        )


def _claim(root: Path, settings: Settings) -> None:
    """Record the settings, or refuse when other ones are on record."""
    # On record only where they are not the usual: a folder from before they could be chosen can still grow.
    special: dict[str, list[object]] = {}
    if settings.specimen != Settings.specimen:
        special["cryopairSpecimen"] = [settings.specimen]
    if settings.carbon_every != Settings.carbon_every:
        special["cryopairCarbonEvery"] = [settings.carbon_every]
    wanted = Table(
        {
            "cryopairSeed": [settings.seed],
            "rlnImageSizeX": [settings.shape[1]],
            "rlnImageSizeY": [settings.shape[0]],
            "rlnImageSizeZ": [settings.frames],
            "rlnMicrographOriginalPixelSize": [settings.pixel_size],
            "rlnMicrographDoseRate": [settings.dose_per_frame],
            "rlnVoltage": [settings.voltage],
            **special,
        }
    )
    if not (root / SETTINGS).is_file():
        write_star(root / SETTINGS, {"simulation": wanted}, lists=("simulation",))
        return
    found, asked = read_star(root / SETTINGS)["simulation"].row(0), wanted.row(0)
    labels = dict.fromkeys([*asked, *found])
    pairs = ((label, found.get(label, "as usual"), asked.get(label, "as usual")) for label in labels)
    other = [f"{label} is {old}, not {new}" for label, old, new in pairs if old != new]
    if other:
        raise UsageError(f"{root} holds a simulation with other settings ({'; '.join(other)}). Choose another folder.")


def _write_movie(
    root: Path, number: int, exposure: Exposure, settings: Settings, specimen: Specimen, detector: Detector
) -> None:
    tiff, motion_star, weighted, unweighted, truth, truth_star = _outputs(root, number)
    motion = true_motion(exposure, settings, _name(number), detector)
    beam = illumination(exposure, settings.shape)
    spectrum = render(exposure, specimen, settings, _random(settings, [number, _SCENE]))
    counts = make_counts(
        spectrum,
        motion,
        detector,
        beam,
        noise=lambda frame: _random(settings, [number, _FIRST_FRAME + frame]),
    )
    _write_tiff(tiff, counts)
    write_motion(motion_star, motion)
    for path, dose_weighting in ((weighted, True), (unweighted, False)):
        sums = sum_halves(motion, dose_weighting=dose_weighting, root=root)
        write_mrc(path, sums.full, pixel_size=settings.pixel_size)
    write_mrc(truth, undamaged(spectrum, settings.shape) * beam, pixel_size=settings.pixel_size)
    write_star(
        truth_star,
        {
            "particles": particle_table(exposure, settings),
            "contamination": contamination_table(exposure, settings),
        },
    )


def _write_tiff(path: Path, counts: npt.NDArray[np.uint8]) -> None:
    """Write with rows reversed: RELION, like IMOD, takes the first row of a TIFF for the last."""
    with atomic_path(path) as temporary:
        tifffile.imwrite(
            temporary,
            counts[:, ::-1],
            compression="lzw",
            photometric="minisblack",
            metadata=None,
            software=False,
        )


@contextmanager
def _one_torch_thread() -> Iterator[None]:
    """Keep torch to one thread per movie, so that not even the last bit depends on the number of cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _random(settings: Settings, stream: list[int]) -> np.random.Generator:
    return np.random.default_rng([settings.seed, *stream])


def _name(number: int) -> str:
    return f"mic_{number:04d}"


def _outputs(root: Path, number: int) -> tuple[Path, ...]:
    """Files of one movie: its frames, motion, two micrographs, truth image and truth STAR."""
    name = _name(number)
    corrected, truth = root / "MotionCorr/job002/Movies", root / "truth/Movies"
    return (
        root / "Movies" / f"{name}.tiff",
        corrected / f"{name}.star",
        corrected / f"{name}.mrc",
        corrected / f"{name}_noDW.mrc",
        truth / f"{name}.mrc",
        truth / f"{name}.star",
    )
