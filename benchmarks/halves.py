"""Half-sums, ours beside RELION's motion correction, and beside decoding alone.

    python benchmarks/halves.py [rounds]
    python benchmarks/halves.py --large [rounds]

The first runs whole commands in turn, on the same cores: ``cryopair halves`` on movies of 24 frames whose local
motion is known, and ``relion_run_motioncorr``, which finds it as well. It prints the time of each, their ratios with
the spread over the rounds, and the floor: starting Python with torch, and decoding the movies.

The second sums movies of 40 frames of 5760 x 4092 px in one process, with the GPU where there is one, and compares
with decoding the same frames alone. It prints the peak memory too.
"""

import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import tifffile
from programs import Usage, devices, launch, machine

from cryopair.formats.mrc import write_mrc
from cryopair.formats.star import Table, read_star, write_star
from cryopair.motion import Motion, write_motion
from cryopair.simulate.project import simulate_project

MOVIES, FRAMES, SHAPE = 4, 24, (1024, 1440)
LARGE_MOVIES, LARGE_FRAMES, LARGE_SHAPE = 3, 40, (4092, 5760)
CORES = len(os.sched_getaffinity(0))

_START = "import torch, cryopair.halves.stage"
_DECODE = """
import sys
from cryopair.formats.movies import open_movie
for path in sys.argv[1:]:
    with open_movie(path) as movie:
        for frame in movie.frames(range(movie.shape[0])):
            pass
"""
_LARGE = """
import json, sys, time
from pathlib import Path
from cryopair.formats.movies import open_movie
from cryopair.formats.mrc import write_mrc
from cryopair.halves.sums import sum_halves
from cryopair.motion import read_motion

def decode(motion):
    with open_movie(motion.movie) as movie:
        for frame in movie.frames(motion.used_frames):
            pass

def sums(motion):
    return sum_halves(motion, dose_weighting=True, device=sys.argv[1])

def written(motion):
    halves = sums(motion)
    for half in (halves.even, halves.odd):
        write_mrc("half.mrc", half, pixel_size=motion.micrograph_pixel_size)

seconds = {"decode": [], "sums": [], "written": []}
for star in sys.argv[2:]:
    motion = read_motion(star)
    for work in (decode, sums, written):
        start = time.perf_counter()
        work(motion)
        seconds[work.__name__].append(time.perf_counter() - start)
Path("seconds.json").write_text(json.dumps(seconds))
"""


def make_movies(root: Path) -> None:
    """Simulate one movie, copy it, and let RELION align the copies, so that there are motion STARs to start from."""
    simulate_project(root / "one", movies=1, frames=FRAMES, shape=SHAPE)
    (root / "Movies").mkdir()
    shutil.copy(root / "one/Movies/gain.mrc", root / "Movies")
    names = [f"Movies/mic_{number}.tiff" for number in range(MOVIES)]
    for name in names:
        shutil.copy(root / "one/Movies/mic_0001.tiff", root / name)
    blocks = read_star(root / "one/Import/job001/movies.star")
    blocks["movies"] = Table({"rlnMicrographMovieName": names, "rlnOpticsGroup": [1] * MOVIES})
    write_star(root / "movies.star", blocks)
    align(root)
    (root / "Relion/job001").rename(root / "MotionCorr")
    star = root / "MotionCorr/corrected_micrographs.star"
    star.write_text(star.read_text().replace("Relion/job001/", "MotionCorr/"))


def align(root: Path) -> Usage:
    options = (
        f"--use_own --j {CORES} --i movies.star --o Relion/job001/ --gainref Movies/gain.mrc --patch_x 5 --patch_y 5 "
        "--bfactor 150 --dose_per_frame 1.2 --dose_weighting"
    )
    return launch(["relion_run_motioncorr", *options.split()], folder=root)


def ours(root: Path) -> Usage:
    options = "--star MotionCorr/corrected_micrographs.star --out ours"
    return launch([sys.executable, "-m", "cryopair", "halves", *options.split()], folder=root)


def start(root: Path) -> Usage:
    return launch([sys.executable, "-c", _START], folder=root)


def decode(root: Path) -> Usage:
    return launch([sys.executable, "-c", _DECODE, *map(str, sorted(root.glob("Movies/*.tiff")))])


def compare(root: Path, rounds: int) -> None:
    make_movies(root)
    works = {"ours": ours, "RELION": align, "start": start, "decode": decode}
    usages: dict[str, list[Usage]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            for folder in ("ours", "Relion"):
                shutil.rmtree(root / folder, ignore_errors=True)
            usages[name].append(work(root))
    print(f"{MOVIES} movies of {FRAMES} frames of {SHAPE[1]} x {SHAPE[0]} px, local motion, {rounds} rounds")
    for name, taken in usages.items():
        peak = max(usage.peak_bytes for usage in taken)
        print(f"{name:8} {_spread([usage.seconds for usage in taken])} s   {peak / 1e9:.2f} GB")
    seconds = np.array([[usage.seconds for usage in taken] for taken in usages.values()])
    print(f"RELION / ours: {_spread(seconds[1] / seconds[0])}")
    print(f"RELION / ours without the start: {_spread(seconds[1] / (seconds[0] - seconds[2]))}")


def make_large_movies(root: Path) -> list[str]:
    """Write noise, as hard to compress as a real movie, with a made-up drift and local motion."""
    random = np.random.default_rng(0)
    counts = random.poisson(1.0, (2, *LARGE_SHAPE)).astype(np.uint8)
    write_mrc(root / "gain.mrc", random.uniform(0.9, 1.1, LARGE_SHAPE), pixel_size=1)
    coefficients = random.normal(scale=[0.1, 1e-3, 1e-5], size=(2, 6, 3))
    for number in range(LARGE_MOVIES):
        with tifffile.TiffWriter(root / f"{number}.tiff", bigtiff=False) as file:
            for frame in range(LARGE_FRAMES):
                file.write(np.roll(counts[frame % 2], 17 * frame, axis=1), compression="lzw", photometric="minisblack")
        motion = Motion(
            movie=f"{number}.tiff",
            frames=LARGE_FRAMES,
            height=LARGE_SHAPE[0],
            width=LARGE_SHAPE[1],
            pixel_size=0.83,
            dose_per_frame=1.2,
            voltage=300,
            global_shifts=np.cumsum(random.normal(0, 0.5, (LARGE_FRAMES, 2)), axis=0),
            local_coefficients=coefficients,
            gain="gain.mrc",
        )
        write_motion(root / f"{number}.star", motion)
    return [f"{number}.star" for number in range(LARGE_MOVIES)]


def compare_large(root: Path, rounds: int) -> None:
    stars = make_large_movies(root)
    print(f"{LARGE_FRAMES} frames of {LARGE_SHAPE[1]} x {LARGE_SHAPE[0]} px, LZW, dose weights, local motion")
    for device in devices():
        usage = launch([sys.executable, "-c", _LARGE, device, stars[0], *stars * rounds], folder=root)
        seconds = {name: taken[1:] for name, taken in json.loads((root / "seconds.json").read_text()).items()}
        print(f"{device}: peak memory {usage.peak_bytes / 1e9:.2f} GB")
        for name, taken in seconds.items():
            speeds = [alone / own for alone, own in zip(seconds["decode"], taken, strict=True)]
            print(f"{name:8} {_spread(taken)} s   speed of decoding alone: {_spread(speeds)}")


def _spread(values: Iterable[float]) -> str:
    values = list(values)
    return f"median {statistics.median(values):6.2f}   {min(values):6.2f} to {max(values):6.2f}"


def main(arguments: list[str]) -> None:
    large = "--large" in arguments
    rounds = next((int(argument) for argument in arguments if argument.isdecimal()), 1 if large else 5)
    print("\n".join(machine()))
    with tempfile.TemporaryDirectory() as folder:
        (compare_large if large else compare)(Path(folder), rounds)


if __name__ == "__main__":
    main(sys.argv[1:])
