"""The spectrum of simulated micrographs beside that of real ones, of the same protein at the same defocus.

    python benchmarks/real_spectrum.py [--data FOLDER]

The power that the halves of a pair share is the signal's, whatever its noise. Takes it from eight micrographs of
apoferritin (EMPIAR-10146), and simulates as many of a shell of residues as large and as heavy as apoferritin, packed as
densely, at the defocus whose first zero is theirs. Prints in which share of the power of 400 to 10 Å each band has, and
keeps the table in `benchmarks/results`. Shares, since the dose of a real frame is not known.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from real_pairs import DATA, PIXEL_SIZE, RESULTS
from scipy.ndimage import gaussian_filter
from simulated_pairs import damaged

from cryopair.formats.mrc import read_mrc
from cryopair.simulate.exposure import Settings, draw_exposure
from cryopair.simulate.optics import Defocus
from cryopair.simulate.scene import render
from cryopair.simulate.specimen import CLOSEST_RESIDUES, Specimen

BANDS = (400, 150, 100, 65, 50, 40, 33, 28, 24, 20, 15, 10)  # Å
SHAPE, DIAMETER, PARTICLES = (1200, 1240), 120.0, 163  # the last two as by hand, per micrograph
DEFOCUS = Defocus(u=23_800, v=23_400, angle=10)  # first zero at 22 Å
RADII, RESIDUES = (39.0, 60.0), 24 * 174

_HIGH_PASS = 75.0  # px: sigma of the blur that is subtracted
_FRAMES = 42


def shared_power(one: npt.NDArray, other: npt.NDArray) -> npt.NDArray[np.float64]:
    """Return the share of the power that both images have in each band."""
    window = np.hanning(one.shape[0])[:, None] * np.hanning(one.shape[1])
    first, second = (np.fft.rfft2((image - gaussian_filter(image, _HIGH_PASS)) * window) for image in (one, other))
    across, down = np.fft.rfftfreq(one.shape[1], PIXEL_SIZE), np.fft.fftfreq(one.shape[0], PIXEL_SIZE)
    ring = np.digitize(np.hypot(down[:, None], across), 1 / np.array(BANDS))
    power = np.bincount(ring.ravel(), (first * second.conj()).real.ravel(), minlength=len(BANDS) + 1)[1:-1]
    share: npt.NDArray[np.float64] = power / power.sum()
    return share


def shell(random: np.random.Generator) -> Specimen:
    """Place residues in a shell, none closer than `CLOSEST_RESIDUES` to another."""
    positions = np.empty((RESIDUES, 3))
    placed = 0
    while placed < RESIDUES:
        direction = random.normal(size=3)
        radius = random.uniform(RADII[0] ** 3, RADII[1] ** 3) ** (1 / 3)
        position = radius * direction / np.linalg.norm(direction)
        if (((positions[:placed] - position) ** 2).sum(axis=1) >= CLOSEST_RESIDUES**2).all():
            positions[placed] = position
            placed += 1
    return Specimen(positions)


def simulated(specimen: Specimen, number: int) -> npt.NDArray[np.float32]:
    """Make a noise-free micrograph, ice and all."""
    random = np.random.default_rng([1, number])
    settings = Settings(seed=1, frames=_FRAMES, shape=SHAPE, pixel_size=PIXEL_SIZE, dose_per_frame=1.0, voltage=300.0)
    particles: list[list[float]] = []
    while len(particles) < PARTICLES:
        x, y = random.uniform((0, 0), SHAPE[::-1])
        if all(math.hypot(x - a, y - b) * PIXEL_SIZE >= DIAMETER for a, b, *_ in particles):
            tilt = math.degrees(math.acos(random.uniform(-1, 1)))
            particles.append([x, y, random.uniform(-180, 180), tilt, random.uniform(-180, 180)])
    exposure = replace(
        draw_exposure(settings, number), contamination=(), particles=np.array(particles), defocus=DEFOCUS
    )
    return damaged(render(exposure, specimen, settings, random), settings)


def main(data: Path) -> list[str]:
    frames = sorted(data.glob("*_frame.mrc"))
    pairs = (
        [read_mrc(path.with_name(path.name.replace("frame", part))) for part in ("frame", "rest")] for path in frames
    )
    real = np.mean([shared_power(*(image.astype(np.float64) for image in pair)) for pair in pairs], axis=0)
    specimen = shell(np.random.default_rng(1))
    images = (simulated(specimen, number) for number in range(1, len(frames) + 1))
    made_up = np.mean([shared_power(image, image) for image in images], axis=0)
    lines = [
        f"Share of the signal's power, {len(frames)} micrographs of apoferritin each:",
        "      Å      real  simulated",
    ]
    for (low, high), one, other in zip(itertools.pairwise(BANDS), real, made_up, strict=True):
        lines.append(f"{low:3} to {high:3}  {100 * one:5.1f} %    {100 * other:5.1f} %")
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the images (default: %(default)s)")
    folder = parser.parse_args().data
    if not folder.is_dir():
        print(f"skipped: {folder} is not there; the images are shared beside the repository, not part of it.")
        sys.exit()
    table = "\n".join(main(folder)) + "\n"
    print(table)
    (RESULTS / "spectrum-apoferritin.txt").write_text(table, encoding="utf-8")
