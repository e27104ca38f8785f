"""What a session costs beside its stages' work: planning, Snakemake and the merge, as it grows.

    python benchmarks/session.py [movies ...]       default: 1000 5000 20000 100000

Movies exist on paper: their files are tiny, and the stages only copy tables that were made up beforehand, with as many
rows as real ones. The planner, the Snakefile and the merge are the real ones. Prints, for each number of movies, the
first plan, the first pass, a pass with nothing to do, and passes with one more shard; and the memory of the largest
process that is not a stage, in the first pass and in all others. What the stages and the merge took is what the rules'
benchmark files say.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cryopair.config import Config
from cryopair.config.rendering import render_yaml
from cryopair.formats.star import Table, write_star
from cryopair.session.workflow import Session

SHARD, PARTICLES, RINGS, TRAINED_ON, MORE = 64, 50, 100, 256, 3
JOB, SOURCE = "MotionCorr/job002", "CtfFind/job003/micrographs_ctf.star"
OPTICS = Table(
    {
        "rlnOpticsGroupName": ["opticsGroup1"],
        "rlnOpticsGroup": [1],
        "rlnMicrographOriginalPixelSize": [0.83],
        "rlnVoltage": [300.0],
        "rlnSphericalAberration": [2.7],
        "rlnAmplitudeContrast": [0.1],
        "rlnMicrographPixelSize": [0.83],
    }
)
MOTION = """
data_general

_rlnImageSizeX 16
_rlnImageSizeY 16
_rlnImageSizeZ 2
_rlnMicrographMovieName {movie}
_rlnMicrographBinning 1.0
_rlnMicrographOriginalPixelSize 0.83
_rlnMicrographDoseRate 1.0
_rlnMicrographPreExposure 0.0
_rlnVoltage 300.0
_rlnMicrographStartFrame 1
_rlnMotionModelVersion 0

data_global_shift

loop_
_rlnMicrographFrameNumber #1
_rlnMicrographShiftX #2
_rlnMicrographShiftY #3
1 0.0 0.0
2 0.5 0.2
"""
MODEL = "v1-0123abcd"
QUALITY = (
    "micrograph,used_for_training,snr_raw_db,snr_denoised_db,concerns,bias_db,lost_db,invented_db,corr_even_odd,"
    "corr_even_odd_denoised,corr_near_nyquist,signal_power_std2,noise_power_std2,residual_noise_power_std2,"
    "bias_power_std2,lost_power_std2,invented_power_std2,excess_error_power_std2,grid_peak_db,seam_std,seam_at"
)
QUALITY_OF_ONE = (
    ",-11.9836,0.128969,blurred,-0.159793,-0.161451,-34.3437,0.030695,0.169318,0.00176799,0.0264161,0.834184,"
    "0.000362723,0.0254618,0.0254521,9.71634e-06,0.0258246,3.58603,5.40668,column 216"
)
RING = (
    "micrograph,spatial_frequency_per_A,coefficients,frc_raw,frc_denoised,frc_denoised_raw,signal_power_std2,"
    "noise_power_std2,residual_noise_power_std2,bias_power_std2"
)
RINGS_OF_ONE = "{name},{frequency:g},14,0.989252,0.752974,0.610539,0.00971494,0.000206023,7.60875e-06,0.00912081"
STAGE = """#!/bin/bash
# Stands for all stages but the merge: copies what was made up beforehand.
stage=$1
case $stage in merge) exec {python} -m cryopair "$@" ;; esac
while [ $# -gt 0 ]; do
    case $1 in --table) table=${{2#*/}} ;; --out) out=$2 ;; --output) output=$2 ;; esac
    shift
done
case $stage in
    train) touch $out/model.safetensors $out/model.json $out/training.csv ;;
    freeze) cp made/manifest.star $out ;;
    measure) shard=$(basename $out .csv); cp made/quality/$shard.csv made/quality/${{shard}}_rings.csv ${{out%/*}} ;;
    report) mkdir -p $output/report/{{figures,tables}}; touch $output/report.html ;;
    *) cp made/${{table%%/*}}/${{table##*/}} cryopair/$table ;;
esac
"""


class Cost(NamedTuple):
    """What a command took: seconds by the clock, seconds of processors by it and its jobs, and MB of memory."""

    clock: float
    processor: float
    memory: float


class OneMore(NamedTuple):
    """A pass with one more shard: what it took, and the seconds that its merge and its other stages were at work."""

    cost: Cost
    merge: float
    stages: float

    @property
    def beyond(self) -> float:
        """Seconds beyond its work."""
        return self.cost.clock - self.merge - self.stages


class Paper:
    """A project with made-up movies.

    Parameters
    ----------
    root : Path
        Its folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.movies = self.shards = 0
        config = Config(source=SOURCE, picking={"diameter": 150}, extraction={"box": 256})  # type: ignore[arg-type]
        self.session = Session(config)
        (root / "config").mkdir(parents=True)
        (root / "config/config.yaml").write_text(render_yaml(config))
        shards = Table({"cryopairShard": ["000001", "000002", "000003", "000004"]})
        write_star(root / "made/manifest.star", {"training_shards": shards})
        self._environment()

    def _environment(self) -> None:
        """Make a Python beside which `cryopair` only copies, with what a workstation has: no plugin for Slurm."""
        binaries = self.root / "python/bin"
        binaries.mkdir(parents=True)
        self.python = binaries / "python"
        self.python.symlink_to(Path(sys.executable).resolve())
        (self.root / "python/pyvenv.cfg").write_text(f"home = {Path(sys.executable).resolve().parent}\n")
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        packages = self.root / "python/lib" / version / "site-packages"
        packages.mkdir(parents=True)
        for path in map(Path, sys.path):
            if path.name == "site-packages":
                for entry in path.iterdir():
                    if "slurm" not in entry.name:
                        (packages / entry.name).symlink_to(entry)
        (binaries / "cryopair").write_text(STAGE.format(python=self.python))
        (binaries / "cryopair").chmod(0o755)

    def add(self, movies: int) -> None:
        """Add movies to the source, and what the stages will say of them."""
        first = self.movies
        (self.root / "Movies").mkdir(exist_ok=True)
        (self.root / JOB / "Movies").mkdir(parents=True, exist_ok=True)
        for number in range(first, first + movies):
            (self.root / f"Movies/mic_{number:06d}.tiff").write_bytes(b"%06d" % number)
            (self.root / f"{JOB}/Movies/mic_{number:06d}.star").write_text(
                MOTION.format(movie=f"Movies/mic_{number:06d}.tiff")
            )
        self.movies += movies
        write_star(self.root / SOURCE, {"optics": OPTICS, "micrographs": micrographs(range(self.movies))})
        for start in range(first, self.movies, SHARD):
            self.shards += 1
            self._make_up(f"{self.shards:06d}", range(start, min(start + SHARD, self.movies)))

    def _make_up(self, shard: str, numbers: Sequence[int]) -> None:
        made = self.root / "made"
        table = micrographs(numbers)
        names = table["rlnMicrographName"]
        stems = [f"Movies/{Path(name).stem}" for name in names]
        table["cryopairFingerprint"] = ["352554-f91f1ce817f1da59+2462-6d4ed9fc26d3199e"] * len(names)
        steps: list[tuple[str, dict[str, list[object]]]] = [
            (
                "halves",
                {
                    "rlnMicrographNameEven": [f"cryopair/halves/{stem}_EVN.mrc" for stem in stems],
                    "rlnMicrographNameOdd": [f"cryopair/halves/{stem}_ODD.mrc" for stem in stems],
                    "cryopairCorrelationEvenOdd": [0.1] * len(names),
                    "cryopairCorrelationRaw": [1.0] * len(names),
                    "cryopairIntensity": [10.985435] * len(names),
                    "cryopairContamination": [0.0] * len(names),
                    "cryopairCarbon": [0.133333] * len(names),
                    "cryopairMotionEarly": [3.209572] * len(names),
                    "cryopairMotionLate": [3.581526] * len(names),
                },
            ),
            (
                "denoised",
                {
                    "rlnMicrographNameDenoised": [f"cryopair/denoised/{MODEL}/{stem}.mrc" for stem in stems],
                    "cryopairModel": [MODEL] * len(names),
                },
            ),
            (
                "picks",
                {
                    "cryopairPicker": ["blob"] * len(names),
                    "cryopairPicks": [f"cryopair/picks/{stem}_blob.star" for stem in stems],
                    "cryopairPickCount": [PARTICLES] * len(names),
                },
            ),
            (
                "coordinates",
                {
                    "rlnMicrographCoordinates": [f"cryopair/coordinates/{stem}_blob.star" for stem in stems],
                    "cryopairPicksOutside": [0] * len(names),
                    "cryopairPicksNearEdge": [0] * len(names),
                    "cryopairPicksTooClose": [0] * len(names),
                },
            ),
        ]
        for stage, columns in steps:
            for label, values in columns.items():
                table[label] = values
            write_star(made / stage / f"{shard}.star", {"optics": OPTICS, "micrographs": table})
        write_particles(made / "particles" / f"{shard}.star", names, stems)
        (made / "quality").mkdir(exist_ok=True)
        role = "train" if numbers[0] < TRAINED_ON else "none"
        quality = [QUALITY, *(f"{name},{role}{QUALITY_OF_ONE}" for name in names)]
        (made / f"quality/{shard}.csv").write_text("\n".join(quality) + "\n")
        rings = [RINGS_OF_ONE.format(name=name, frequency=k / 400) for name in names for k in range(RINGS)]
        (made / f"quality/{shard}_rings.csv").write_text("\n".join([RING, *rings]) + "\n")

    def run(self, *command: str) -> Cost:
        """Run cryopair, and say what it cost."""
        start = time.perf_counter()
        pid = os.posix_spawn(
            str(self.python),
            [str(self.python), "-m", "cryopair", *command],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 1, str(self.root / "said.txt"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
        )
        _, status, usage = os.wait4(pid, 0)
        seconds = time.perf_counter() - start
        assert status == 0, (self.root / "said.txt").read_text()
        return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)

    def work(self, shard: str | None = None) -> dict[str, float]:
        """Return the seconds of each stage of a shard (and of the merge), as the rules' benchmark files say."""
        folder = self.root / "cryopair/benchmarks"
        files = {"merge": folder / "merge.tsv"}
        for stage in ("halves", "denoise", "measure", "pick", "handoff", "extract"):
            (files[stage],) = (folder / stage).rglob(f"{shard}.tsv")
        return {stage: float(file.read_text().splitlines()[1].split()[0]) for stage, file in files.items()}


def micrographs(numbers: Sequence[int]) -> Table:
    """Return a list of micrographs as CtfFind writes it."""
    names = [f"{JOB}/Movies/mic_{number:06d}" for number in numbers]
    return Table(
        {
            "rlnMicrographName": [f"{name}.mrc" for name in names],
            "rlnOpticsGroup": [1] * len(names),
            "rlnDefocusU": [12778.295282] * len(names),
            "rlnDefocusV": [12514.131691] * len(names),
            "rlnCtfAstigmatism": [264.163591] * len(names),
            "rlnDefocusAngle": [81.388950] * len(names),
            "rlnCtfFigureOfMerit": [0.13696] * len(names),
            "rlnCtfMaxResolution": [4.959013] * len(names),
            "rlnMicrographMetadata": [f"{name}.star" for name in names],
        }
    )


def write_particles(path: Path, names: Sequence[str], stems: Sequence[str]) -> None:
    """Write particles as the stage extract does."""
    one = Table({"rlnCoordinateX": [105.0], "rlnCoordinateY": [111.0], "rlnAutopickFigureOfMerit": [0.428052]})
    one["rlnClassNumber"], one["rlnAnglePsi"], one["rlnImageName"] = [0], [0.0], ["IMAGE"]
    one["rlnMicrographName"], one["rlnOpticsGroup"] = ["NAME"], [1]
    for label in ("rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle", "rlnCtfMaxResolution", "rlnCtfFigureOfMerit"):
        one[label] = [1234.567]
    one["rlnCtfBfactor"], one["rlnCtfScalefactor"], one["rlnPhaseShift"] = [0.0], [1.0], [0.0]
    write_star(path, {"optics": OPTICS, "particles": one})
    head, row = path.read_text().removesuffix(" \n").rsplit("\n", 2)[:2]
    row = row.replace("       IMAGE", "{i:06d}@cryopair/particles/{stem}.mrcs").replace("        NAME", "{name}")
    rows = [
        row.format(i=i, stem=stem, name=name)
        for name, stem in zip(names, stems, strict=True)
        for i in range(1, PARTICLES + 1)
    ]
    path.write_text("\n".join([head, *rows, " ", ""]))


def one_more(paper: Paper) -> OneMore:
    """Take in one more shard."""
    paper.add(SHARD)
    cost = paper.run("run")
    work = paper.work(f"{paper.shards:06d}")
    return OneMore(cost, work.pop("merge"), sum(work.values()))


def measure(movies: int, folder: Path) -> None:
    """Print one line of the growth curve."""
    paper = Paper(folder / str(movies))
    paper.add(movies)
    os.chdir(paper.root)
    plan = paper.run("plan")
    first = paper.run("run", "--cores", "64")
    nothing = paper.run("run")
    assert "Nothing to be done" in (paper.root / "cryopair/logs/run.log").read_text()
    passes = sorted((one_more(paper) for _ in range(MORE)), key=lambda one: one.beyond)
    more = passes[MORE // 2]
    shown = [f"{cost.clock:8.1f} ({cost.processor:6.1f})" for cost in (plan, first, nothing, more.cost)]
    memory = max(cost.memory for cost in (plan, nothing, more.cost))
    beyond = f"{more.beyond:7.1f} ({passes[0].beyond:.1f} to {passes[-1].beyond:.1f})"
    print(
        f"{movies:7d} {' '.join(shown)} {more.merge:7.1f} {more.stages:7.1f} {beyond:>20}"
        f" {first.memory:9.0f} {memory:7.0f}",
        flush=True,
    )
    shutil.rmtree(paper.root)


def main() -> None:
    """Measure all sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("movies", nargs="*", type=int, default=[1000, 5000, 20000, 100000])
    options = parser.parse_args()
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "?: ?")
    print(f"{model.split(': ')[1]}, {len(os.sched_getaffinity(0))} shared cores")
    print(f"shards of {SHARD}, {PARTICLES} particles and {RINGS} rings of spectra per movie")
    print(
        "seconds by the clock (and of processors); of three passes with one more shard the middle one, the seconds of"
    )
    print(
        "its merge and its stages, and those beyond them (of all three); MB of memory in the first pass, and in others"
    )
    print(
        " movies       first plan        first pass    nothing to do         +1 shard    merge  stages               "
        "beyond  MB first  others"
    )
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        for movies in options.movies:
            measure(movies, Path(folder))
            os.chdir(here)


if __name__ == "__main__":
    main()
