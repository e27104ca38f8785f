"""Extraction, ours and RELION's: whole commands on the same micrographs and the same cores, run in turn.

    python benchmarks/extraction.py [rounds]

Prints the time and memory of each, their ratio with its spread over the rounds, and the floor: reading every byte
of the micrographs and writing every byte of the particles. Some micrographs are made; the others are links to them.
"""

import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from programs import Usage, launch, machine

from cryopair.formats.mrc import write_mrc
from cryopair.formats.star import Table, write_star

MICROGRAPHS, SIDE, PARTICLES, BOX, SIZE = 100, 4096, 300, 160, 64
DIFFERENT = 10
JOB = "MotionCorr/job002/Movies"

FLOOR = f"""
from pathlib import Path
for name in Path("{JOB}").iterdir():
    name.read_bytes()
with open("floor", "wb") as stream:
    for _ in range({MICROGRAPHS}):
        stream.write(bytes({PARTICLES * SIZE * SIZE * 4}))
"""


def make_project(root: Path) -> None:
    random = np.random.default_rng(0)
    names = [f"{JOB}/mic_{i}.mrc" for i in range(MICROGRAPHS)]
    for number, name in enumerate(names):
        if number < DIFFERENT:
            write_mrc(root / name, random.normal(30, 5, (SIDE, SIDE)), pixel_size=1)
        else:
            os.link(root / names[number % DIFFERENT], root / name)
        at = random.uniform(0, SIDE, (PARTICLES, 2))
        table = Table({"rlnCoordinateX": at[:, 0], "rlnCoordinateY": at[:, 1]})
        write_star(root / "coordinates/Movies" / f"{Path(name).stem}_log.star", {"": table})
    optics = Table({"rlnOpticsGroupName": ["og"], "rlnOpticsGroup": [1], "rlnMicrographPixelSize": [1.0]})
    optics["rlnMicrographOriginalPixelSize"] = [1.0]
    optics["rlnVoltage"], optics["rlnSphericalAberration"], optics["rlnAmplitudeContrast"] = [300.0], [2.7], [0.1]
    rows = {"rlnMicrographName": names, "rlnOpticsGroup": [1] * MICROGRAPHS}
    rows["rlnMicrographCoordinates"] = [f"coordinates/Movies/{Path(name).stem}_log.star" for name in names]
    write_star(root / "micrographs.star", {"optics": optics, "micrographs": Table(rows)})


def on(cores: int) -> list[str]:
    """Return what confines a command to as many cores."""
    chosen = sorted(os.sched_getaffinity(0))[:cores]
    return ["taskset", "--cpu-list", ",".join(map(str, chosen))]


def ours(root: Path, cores: int) -> Usage:
    options = f"--star micrographs.star --box {BOX} --rescale {SIZE} --out ours"
    return launch([*on(cores), sys.executable, "-m", "cryopair", "extract", *options.split()], folder=root)


def relions(root: Path, cores: int) -> Usage:
    radius = int(0.75 * BOX / 2 * SIZE / BOX)
    options = (
        f"--i micrographs.star --coord_dir coordinates/ --coord_suffix _log.star --part_star relion/particles.star "
        f"--part_dir relion/ --extract --extract_size {BOX} --scale {SIZE} --norm --bg_radius {radius} "
        "--white_dust -1 --black_dust -1 --invert_contrast"
    )
    mpi = ["mpirun", "--allow-run-as-root", "--oversubscribe", "-n", str(cores)]
    program = ["relion_preprocess"] if cores == 1 else [*mpi, "relion_preprocess_mpi"]
    return launch([*on(cores), *program, *options.split()], folder=root)


def floor(root: Path, cores: int) -> Usage:
    return launch([*on(cores), sys.executable, "-c", FLOOR], folder=root)


def compare(root: Path, cores: int, rounds: int) -> list[str]:
    works: tuple[Callable[[Path, int], Usage], ...] = (ours, relions, floor)
    usages: dict[str, list[Usage]] = {work.__name__: [] for work in works}
    for work in works * rounds:
        for folder in ("ours", "relion"):
            for path in (root / folder).rglob("*.*"):
                path.unlink()
        usages[work.__name__].append(work(root, cores))
    total = MICROGRAPHS * PARTICLES
    lines = [f"{cores} core{'s' * (cores > 1)}"]
    for name, values in usages.items():
        seconds = [usage.seconds for usage in values]
        middle, peak = statistics.median(seconds), max(usage.peak_bytes for usage in values)
        lines.append(
            f"  {name:8} median {middle:6.2f} s, {min(seconds):6.2f} to {max(seconds):6.2f} s"
            f"   {total / middle:7.0f} particles/s   {peak / 2**20:5.0f} MiB"
        )
    for name in ("relions", "floor"):
        pairs = zip(usages[name], usages["ours"], strict=True)
        ratios = [other.seconds / own.seconds for other, own in pairs]
        lines.append(f"  {name} / ours: median {statistics.median(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f}")
    return lines


def main(rounds: int) -> None:
    print("\n".join(machine()))
    print(f"{MICROGRAPHS} micrographs of {SIDE}², {PARTICLES} particles each, box {BOX} to {SIZE} px, {rounds} rounds")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_project(root)
        for cores in {1, len(os.sched_getaffinity(0))}:
            print("\n".join(compare(root, cores, rounds)), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
