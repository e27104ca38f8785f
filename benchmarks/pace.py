"""What a live session costs beyond its stages' own work: more real movies, with real stages, on one core.

    python benchmarks/pace.py [shards a pass ...] [--movies 8] [--shape 768 1024] [--frames 24]       default: 1 2

A session that has its model takes in more shards, three times, each time by a pass of its own. The stages' own work is
what the rules' benchmark files say of the pass's jobs, loading Python and torch included; that of the merge and the
report is shown apart from that of shards. All else that the pass takes is beyond it: planning, Snakemake, what is said
at the end. A session that keeps up has one shard in a pass; one that comes to the limit of its machine has as many as
came meanwhile. The demo has two. Prints the medians of the passes.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cryopair.formats.star import Table, read_star, write_star
from cryopair.simulate.project import simulate_project

SOURCE, JOB, DISTINCT, PASSES = "CtfFind/job003/micrographs_ctf.star", "MotionCorr/job002", 4, 3
STAGES, JOINING = ("halves", "denoise", "measure", "pick", "handoff", "extract"), ("merge", "report")


class Pace(NamedTuple):
    """Seconds of a pass: by the clock, those of its shards' stages, and those of the merge and the report."""

    clock: float
    shards: float
    joining: float

    @property
    def beyond(self) -> float:
        """Seconds beyond the stages' own work."""
        return self.clock - self.shards - self.joining


class Session:
    """A made-up session whose movies come shard by shard; a few different ones under many names."""

    def __init__(self, root: Path, *, shard: int, frames: int, shape: tuple[int, int]) -> None:
        self.root, self.shard, self.shards = root, shard, 0
        simulate_project(root, movies=DISTINCT, frames=frames, shape=shape)
        self.listed = read_star(root / SOURCE)
        self.known = list(self.listed["micrographs"].rows())
        self.rows: list[dict[str, str]] = []
        self.add()
        settings = {"shards.size": shard, "training.steps": 20, "extraction.box": 96}
        options = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
        self.cryopair("init", "--from", SOURCE, "--diameter", "150", *options)
        self.cryopair("run", "--cores", "1")

    def cryopair(self, *arguments: str) -> None:
        """Run a command on one core."""
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "cryopair", *arguments]
        subprocess.run(command, cwd=self.root, env=environment, check=True, stdout=subprocess.DEVNULL)

    def add(self) -> None:
        """Give one more shard of movies."""
        for number in range(len(self.rows), len(self.rows) + self.shard):
            row = self.known[number % DISTINCT]
            old = Path(row["rlnMicrographName"]).stem
            new = f"live_{number:05d}"
            for path in [*(self.root / "Movies").glob(f"{old}.*"), *(self.root / JOB / "Movies").glob(f"{old}[._]*")]:
                copy = path.with_name(path.name.replace(old, new))
                if path.suffix == ".star":
                    copy.write_text(path.read_text().replace(old, new))
                else:
                    copy.hardlink_to(path)
            self.rows.append({label: value.replace(old, new) for label, value in row.items()})
        write_star(self.root / SOURCE, self.listed | {"micrographs": Table.from_rows(self.rows)})
        self.shards += 1

    def more(self, shards: int) -> Pace:
        """Take in more shards by one pass."""
        names = []
        for _ in range(shards):
            self.add()
            names.append(f"{self.shards:06d}")
        start = time.perf_counter()
        self.cryopair("run", "--cores", "1")
        clock = time.perf_counter() - start
        folder = self.root / "cryopair/benchmarks"
        files = [path for stage in STAGES for name in names for path in (folder / stage).rglob(f"{name}.tsv")]
        assert len(files) == len(STAGES) * shards
        return Pace(clock, _seconds(files), _seconds([folder / f"{stage}.tsv" for stage in JOINING]))


def _seconds(files: Sequence[Path]) -> float:
    return sum(float(path.read_text().splitlines()[1].split()[0]) for path in files)


def loading() -> float:
    """Return the seconds that loading Python and torch takes."""
    seconds = []
    for _ in range(PASSES):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import cryopair.denoiser.stage"], check=True)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def main() -> None:
    """Measure passes of all sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", nargs="*", type=int, default=[1, 2])
    parser.add_argument("--movies", type=int, default=8)
    parser.add_argument("--shape", nargs=2, type=int, default=(768, 1024))
    parser.add_argument("--frames", type=int, default=24)
    options = parser.parse_args()
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "?: ?")
    print(f"{model.split(': ')[1]}, one core; load of the machine {os.getloadavg()[0]:.1f} of {os.cpu_count()} cores")
    height, width = options.shape
    print(
        f"shards of {options.movies} movies of {options.frames} frames of {width} x {height} px; "
        f"seconds, medians of {PASSES} passes (lowest to highest)"
    )
    print(f"loading Python and torch, which counts as work: {loading():.1f} s a job, {len(STAGES)} jobs a shard")
    print(" shards a pass    pass    shards' stages  merge, report    beyond them             share of the stages")
    with tempfile.TemporaryDirectory() as folder:
        session = Session(Path(folder), shard=options.movies, frames=options.frames, shape=(height, width))
        for shards in options.shards:
            paces = [session.more(shards) for _ in range(PASSES)]
            clock, stages, joining, beyond = (
                statistics.median(getattr(pace, name) for pace in paces)
                for name in ("clock", "shards", "joining", "beyond")
            )
            low, high = min(pace.beyond for pace in paces), max(pace.beyond for pace in paces)
            print(
                f"{shards:14d} {clock:7.1f} {stages:17.1f} {joining:14.1f} {beyond:7.1f} ({low:.1f} to {high:.1f})"
                f" {beyond / (stages + joining):16.1%}",
                flush=True,
            )


if __name__ == "__main__":
    main()
