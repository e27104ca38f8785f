"""Extraction, ours and RELION's: whole commands on the same micrographs, run in turn.

    python benchmarks/extraction.py [rounds]

Prints the time of each, their ratio with its spread over the rounds, and the floor: reading every byte of the
micrographs and writing every byte of the particles.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cryopair.formats.mrc import write_mrc
from cryopair.formats.star import Table, write_star

MICROGRAPHS, SIDE, PARTICLES, BOX, SIZE = 6, 4096, 300, 256, 128
JOB = "MotionCorr/job002/Movies"


def make_project(root: Path) -> None:
    random = np.random.default_rng(0)
    names = [f"{JOB}/mic_{i}.mrc" for i in range(MICROGRAPHS)]
    for name in names:
        write_mrc(root / name, random.normal(30, 5, (SIDE, SIDE)), pixel_size=1)
        at = random.uniform(0, SIDE, (PARTICLES, 2))
        table = Table({"rlnCoordinateX": at[:, 0], "rlnCoordinateY": at[:, 1]})
        write_star(root / "coordinates/Movies" / f"{Path(name).stem}_log.star", {"": table})
    optics = Table({"rlnOpticsGroupName": ["og"], "rlnOpticsGroup": [1], "rlnMicrographPixelSize": [1.0]})
    optics["rlnMicrographOriginalPixelSize"] = [1.0]
    optics["rlnVoltage"], optics["rlnSphericalAberration"], optics["rlnAmplitudeContrast"] = [300.0], [2.7], [0.1]
    rows = {"rlnMicrographName": names, "rlnOpticsGroup": [1] * MICROGRAPHS}
    rows["rlnMicrographCoordinates"] = [f"coordinates/Movies/{Path(name).stem}_log.star" for name in names]
    write_star(root / "micrographs.star", {"optics": optics, "micrographs": Table(rows)})


def ours(root: Path) -> None:
    options = f"--star micrographs.star --box {BOX} --rescale {SIZE} --out ours"
    subprocess.run([sys.executable, "-m", "cryopair", "extract", *options.split()], cwd=root, check=True, **QUIET)


def relions(root: Path) -> None:
    radius = int(0.75 * BOX / 2 * SIZE / BOX)
    options = (
        f"--i micrographs.star --coord_dir coordinates/ --coord_suffix _log.star --part_star relion/particles.star "
        f"--part_dir relion/ --extract --extract_size {BOX} --scale {SIZE} --norm --bg_radius {radius} "
        "--white_dust -1 --black_dust -1 --invert_contrast"
    )
    subprocess.run(["relion_preprocess", *options.split()], cwd=root, check=True, **QUIET)


def floor(root: Path) -> None:
    for name in (root / JOB).iterdir():
        name.read_bytes()
    (root / "floor").write_bytes(bytes(MICROGRAPHS * PARTICLES * SIZE * SIZE * 4))


QUIET: dict = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def timed(work: Callable[[Path], None], root: Path) -> float:
    for folder in ("ours", "relion"):
        shutil.rmtree(root / folder, ignore_errors=True)
    start = time.perf_counter()
    work(root)
    return time.perf_counter() - start


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_project(root)
        seconds = {work.__name__: [] for work in (ours, relions, floor)}
        for _ in range(rounds):
            for work in (ours, relions, floor):
                seconds[work.__name__].append(timed(work, root))
    print(f"{MICROGRAPHS} micrographs of {SIDE}², {PARTICLES} particles each, box {BOX} to {SIZE} px, {rounds} rounds")
    for name, values in seconds.items():
        print(f"{name:8} median {statistics.median(values):6.2f} s   {min(values):6.2f} to {max(values):6.2f} s")
    for name in ("relions", "floor"):
        ratios = [other / own for other, own in zip(seconds[name], seconds["ours"], strict=True)]
        print(f"{name} / ours: median {statistics.median(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
