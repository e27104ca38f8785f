"""The report of long sessions: seconds to write it, its size, and seconds until a browser shows it.

    python benchmarks/report.py [--micrographs 2000 20000]

Tables of made-up sessions, with images of 4096² for those that the report shows. The browser is headless Chromium: from
its start to the page's load event, less the same for an empty page. Prints a table, kept in `benchmarks/results`.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from programs import launch, machine, machine_name

from cryopair.denoiser.card import CARD
from cryopair.formats.mrc import write_mrc
from cryopair.formats.star import Table, write_star

SIDE, RINGS, SHARD = 4096, 512, 64
OUT, MODEL = Path("cryopair"), Path("cryopair/models/v1")


def make_session(count: int) -> None:
    """Write a session's merged tables into the working directory; images are links to the same two."""
    rng = np.random.default_rng(1)
    names = [f"MotionCorr/job002/Movies/session_grid1_{n:05d}_fractions.mrc" for n in range(count)]
    stems = [Path(name).stem for name in names]
    for image, deviation in (("raw.mrc", 3.0), ("denoised.mrc", 0.4)):
        write_mrc(image, rng.normal(30, deviation, (SIDE, SIDE)).astype(np.float32), pixel_size=1.0)
    for folder, image in (("MotionCorr/job002/Movies", "raw.mrc"), (f"{OUT}/denoised/Movies", "denoised.mrc")):
        Path(folder).mkdir(parents=True)
        for stem in stems:
            (Path(folder) / f"{stem}.mrc").symlink_to(Path(image).resolve())
    optics = Table({"rlnOpticsGroup": [1], "rlnMicrographPixelSize": [1.0], "rlnMicrographOriginalPixelSize": [1.0]})
    rows = {
        "rlnMicrographName": names,
        "rlnOpticsGroup": [1] * count,
        "rlnAccumMotionEarly": rng.gamma(4, 2, count),
        "rlnAccumMotionLate": rng.gamma(4, 3, count),
        "rlnDefocusU": rng.uniform(8000, 22000, count),
        "rlnDefocusV": rng.uniform(8000, 22000, count),
        "cryopairCorrelationEvenOdd": rng.normal(0.2, 0.02, count),
    }
    write_star(OUT / "halves.star", {"optics": optics, "micrographs": Table(rows)})
    seen = {"rlnMicrographName": [f"{OUT}/denoised/Movies/{stem}.mrc" for stem in stems]}
    seen |= {"rlnOpticsGroup": [1] * count, "cryopairMicrographNameRaw": names}
    write_star(OUT / "denoised_micrographs.star", {"optics": optics, "micrographs": Table(seen)})
    make_picks(names, rng)
    make_quality(names, rng)
    MODEL.mkdir(parents=True)
    card = {"format_version": 1, "sha256": "ab" * 32, "architecture": {"name": "UNet"}, "pixel_size": 3.0}
    (MODEL / CARD).write_text(json.dumps(card))


def make_picks(names: list[str], rng: np.random.Generator) -> None:
    files = [f"{OUT}/coordinates/Movies/{Path(name).stem}_log.star" for name in names]
    place = Table({axis: rng.uniform(0, SIDE, 300) for axis in ("rlnCoordinateX", "rlnCoordinateY")})
    write_star("picks.star", {"": place})
    (OUT / "coordinates/Movies").mkdir(parents=True)
    for file in files:
        Path(file).symlink_to(Path("picks.star").resolve())
    columns = {"rlnMicrographName": names, "rlnMicrographCoordinates": files}
    write_star(OUT / "coordinates.star", {"coordinate_files": Table(columns)})
    for shard, start in enumerate(range(0, len(names), SHARD), start=1):
        part = names[start : start + SHARD]
        table = Table({"rlnMicrographName": part, "cryopairPickCount": rng.poisson(300, len(part))})
        for label in ("Outside", "NearEdge", "TooClose"):
            table[f"cryopairPicks{label}"] = [0] * len(part)
        write_star(OUT / f"coordinates/{shard:06d}.star", {"micrographs": table})


def make_quality(names: list[str], rng: np.random.Generator) -> None:
    with (OUT / "quality.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("micrograph", "snr_raw_db", "snr_denoised_db", "bias_db"))
        raw, bad = rng.normal(-8, 1, len(names)), rng.random(len(names)) < 0.01
        for name, snr, lost in zip(names, raw, bad, strict=True):
            writer.writerow((name, f"{snr:.5g}", f"{snr + 15:.5g}", f"{-1.5 if lost else rng.normal(-9, 1):.5g}"))
    frequency = np.arange(1, RINGS + 1) / (2 * RINGS)
    signal = np.exp(-20 * frequency)
    frc = signal / (signal + 0.5)
    powers = np.stack([frequency, np.full(RINGS, 500), frc, np.sqrt(frc), signal, np.full(RINGS, 0.5)])
    lines = [",".join(f"{value:.6g}" for value in (*ring, 0.01, 0.1 * ring[4])) for ring in powers.T]
    with (OUT / "quality_rings.csv").open("w") as stream:
        figures = "signal_power_std2,noise_power_std2,residual_noise_power_std2,bias_power_std2"
        stream.write(f"micrograph,spatial_frequency_per_A,coefficients,frc_raw,frc_denoised,{figures}\n")
        for name in names:
            stream.writelines(f"{name},{line}\n" for line in lines)


def seconds_to_open(page: Path, folder: Path, *, rounds: int = 3) -> float:
    """Return the least time from the browser's start until all of the page has been loaded and laid out."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        raise SystemExit("no chromium on the PATH: cannot tell how fast the report opens")
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}", "--dump-dom"]
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        done = subprocess.run([program, *options, page.as_uri()], capture_output=True, timeout=300)
        times.append(time.perf_counter() - start)
        assert done.returncode == 0 and done.stdout
    return min(times)


def measure(count: int, work: Path) -> str:
    work.mkdir()
    os.chdir(work)
    make_session(count)
    command = [sys.executable, "-m", "cryopair", "report", "--output", str(OUT), "--model", str(MODEL)]
    usage = launch(command)
    page, empty = (OUT / "report.html").resolve(), work / "empty.html"
    empty.write_text("<!DOCTYPE html><title>empty</title>")
    text = page.read_text(encoding="utf-8")
    images = len(re.findall(r'<article class="view"', text))
    opened = seconds_to_open(page, work) - seconds_to_open(empty, work)
    return (
        f"{count:8,}  {usage.seconds:7.1f} s  {usage.peak_bytes / 1e9:5.2f} GB  {page.stat().st_size / 1e6:6.1f} MB  "
        f"{images:6}  {opened:6.2f} s"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--micrographs", type=int, nargs="+", default=[2000, 20000], metavar="N")
    chosen = parser.parse_args()
    home = Path(__file__).resolve().parent
    lines = [*machine(), "", "micrographs  write     memory       size  images  open"]
    with tempfile.TemporaryDirectory() as folder:
        for number in chosen.micrographs:
            lines.append(measure(number, Path(folder) / str(number)))
            print(lines[-1], flush=True)
    (home / "results" / f"report-{machine_name()}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
