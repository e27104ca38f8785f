"""Even/odd half-sums of made-up movies with their noise-free truth, for training and testing denoisers.

    python benchmarks/simulated_pairs.py FOLDER

Writes `training.star` (16 movies) and `testing.star` (8 others) as `cryopair freeze` reads them, and for each movie
`NN.mrc` (the full sum), `NN_EVN.mrc`, `NN_ODD.mrc` and `NN_truth.mrc`, what the full sum would be without counting
noise and without the structure of amorphous ice and carbon, which is noise to everybody who looks for particles. Paths
in the lists are relative to the folder.

Half of the images show proteasome-like particles, half ribosome-like ones, in ice of 300 to 800 Å, at 8,000 to 22,000 Å
defocus. One in four has the edge of the carbon film, one in three contamination, one in four a steep gradient of
illumination. Signal fades with exposure, so detail that damage took is not in the truth. The halves are what perfect
motion correction would give: the same signal with independent counting noise.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from cryopair.formats.mrc import write_mrc
from cryopair.formats.star import Table
from cryopair.micrographs import Micrographs, write_micrographs
from cryopair.simulate.exposure import Exposure, Settings, draw_exposure
from cryopair.simulate.kinds import KINDS
from cryopair.simulate.optics import AMPLITUDE_CONTRAST, SPHERICAL_ABERRATION, damage_rate
from cryopair.simulate.scene import canvas_shape, illumination, render, undamaged

SHAPE, PIXEL_SIZE, FRAMES, DOSE_PER_FRAME = (1024, 1440), 2.0, 40, 1.2
TRAINING, TESTING = 16, 8
STEEP = 0.5  # relative difference of the beam between opposite sides


def simulate_pairs(
    folder: Path, *, training: int = TRAINING, testing: int = TESTING, shape: tuple[int, int] = SHAPE, seed: int = 1
) -> None:
    """Write half-sums, truth and lists. An image depends on its number, the shape and the seed only."""
    numbers = range(1, training + testing + 1)
    specimens = {name: kind.make(np.random.default_rng([seed, 0, 1])) for name, kind in KINDS.items()}

    def write(number: int) -> None:
        settings, exposure = draw(number, shape=shape, seed=seed)
        random = np.random.default_rng([seed, number, 1])
        signal, truth = (
            damaged(
                render(exposure, specimens[settings.specimen], settings, generator, structural_noise=structure),
                settings,
            )
            * illumination(exposure, shape)
            for generator, structure in ((random, True), (np.random.default_rng([seed, number, 1]), False))
        )
        even, odd = (random.poisson(signal / 2) for _ in range(2))
        for suffix, pixels in (("", even + odd), ("_EVN", even), ("_ODD", odd), ("_truth", truth)):
            write_mrc(folder / f"{number:02d}{suffix}.mrc", pixels.astype(np.float32), pixel_size=PIXEL_SIZE)

    with ThreadPoolExecutor(2) as pool:
        list(tqdm(pool.map(write, numbers), total=len(numbers), desc="simulate", unit="pair", file=sys.stderr))
    for name, part in (("training", numbers[:training]), ("testing", numbers[training:])):
        write_micrographs(folder / f"{name}.star", _table(part))


def damaged(spectrum: npt.NDArray[np.complex64], settings: Settings) -> npt.NDArray[np.float32]:
    """Return the electrons per pixel of a whole movie, its signal fading as exposure goes on."""
    dose = settings.frames * settings.dose_per_frame
    pixel_size, shape = settings.pixel_size, settings.shape
    damage = dose * damage_rate(canvas_shape(shape), pixel_size=pixel_size, voltage=settings.voltage)
    mean = np.divide(-np.expm1(-damage), damage, out=np.ones_like(damage), where=damage > 0)
    return dose * pixel_size**2 * undamaged((spectrum * mean).astype(np.complex64), shape)


def draw(number: int, *, shape: tuple[int, int], seed: int) -> tuple[Settings, Exposure]:
    """Return what the image with this number shows."""
    settings = Settings(
        seed=seed,
        frames=FRAMES,
        shape=shape,
        pixel_size=PIXEL_SIZE,
        dose_per_frame=DOSE_PER_FRAME,
        voltage=300.0,
        specimen="ribosome" if number % 2 else "proteasome",
        carbon_every=int(number // 2 % 4 == 0),
        ice_thickness=float(np.random.default_rng([seed, number, 2]).uniform(300, 800)),
    )
    exposure = draw_exposure(settings, number)
    if number % 3:
        exposure = replace(exposure, contamination=())
    if number // 2 % 4 == 1:
        x, y, fall = exposure.illumination
        exposure = replace(exposure, illumination=np.array([*np.array([x, y]) * STEEP / np.hypot(x, y), fall]))
    return settings, exposure


def _table(numbers: range) -> Micrographs:
    optics = {
        "rlnOpticsGroupName": ["opticsGroup1"],
        "rlnOpticsGroup": [1],
        "rlnMicrographPixelSize": [PIXEL_SIZE],
        "rlnMicrographOriginalPixelSize": [PIXEL_SIZE],
        "rlnVoltage": [300.0],
        "rlnSphericalAberration": [SPHERICAL_ABERRATION],
        "rlnAmplitudeContrast": [AMPLITUDE_CONTRAST],
    }
    rows = {
        "rlnMicrographName": [f"{n:02d}.mrc" for n in numbers],
        "rlnOpticsGroup": [1 for _ in numbers],
        "rlnMicrographNameEven": [f"{n:02d}_EVN.mrc" for n in numbers],
        "rlnMicrographNameOdd": [f"{n:02d}_ODD.mrc" for n in numbers],
    }
    return Micrographs(optics=Table(optics), table=Table(rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    simulate_pairs(parser.parse_args().folder.resolve())
