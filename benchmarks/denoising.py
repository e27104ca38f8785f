"""Denoising, ours and Topaz's: whole commands on the same micrographs, run in turn.

    python benchmarks/denoising.py [--large] [--quick] [--topaz PROGRAM] [--pairs FOLDER] [--model FOLDER]

Trains our default network on 16 simulated pairs, scores it and Topaz against the truth of 8 others, and times them on
2048² micrographs (4096² too with --large, where Topaz takes nine minutes each on two cores). Times are per micrograph,
reading and writing included; the time that the same command takes on a micrograph of 256² (starting up) is taken off
and shown apart. Prints a table and keeps it in `benchmarks/results`.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
from programs import TOPAZ, Program, devices, launch, machine, machine_name, topaz
from scores import Score, read_truth, score, score_filters, summary
from simulated_pairs import PIXEL_SIZE, SHAPE, simulate_pairs

from cryopair.denoiser.training.train import TrainingSettings
from cryopair.formats.mrc import read_mrc, write_mrc
from cryopair.formats.star import Table
from cryopair.micrographs import Micrographs, read_micrographs, write_micrographs

SMALL = 256
TOPAZ_NAMES = ("topaz denoise", "topaz denoise --patch-size 0")


def programs(model: str) -> list[Program]:
    theirs = [Program(TOPAZ_NAMES[0], "topaz"), Program(TOPAZ_NAMES[1], "topaz-whole")]
    same = [
        Program("ours, topaz:unet, float32", "exact", "topaz:unet"),
        Program("ours, topaz:unet", "images", "topaz:unet"),
    ]
    return [*(theirs + same if topaz() else []), Program("ours", "halves", model)]


# -- quality ----------------------------------------------------------------------------------------


def train(pairs: Path, model: Path, *, steps: int, device: str) -> float:
    """Train our default network; return the seconds."""
    command = [sys.executable, "-m", "cryopair"]
    manifest = model.parent / "manifest.star"
    if not manifest.exists():
        launch([*command, "freeze", str(pairs / "training.star"), "--out", str(manifest)])
    options = ["--manifest", str(manifest), "--out", str(model), "--steps", str(steps), "--device", device]
    return launch([*command, "train", *options]).seconds


def topaz_training_speed(pairs: Path, work: Path, *, device: str, crop: int) -> float:
    """Let Topaz go on with the training of its unet; return the area it trains on in Mpx/s."""
    names = read_micrographs(pairs / "training.star").table["rlnMicrographName"]
    for folder, suffix in (("a", "_EVN"), ("b", "_ODD")):
        (work / folder).mkdir()
        for name in names:
            target = stem(pairs, name)
            (work / folder / name).symlink_to(target.with_name(f"{target.name}{suffix}.mrc"))
    epochs = 1 if device == "cpu" else 20
    options = f"--dir-a a --dir-b b --crop {crop} --num-epochs {epochs} --save-prefix topaz"
    place = "-1" if device == "cpu" else "0"
    usage = launch([str(topaz()), "denoise", "--device", place, *options.split()], folder=work)
    held_out = max(1, len(names) // 10)
    return (len(names) - held_out) * epochs * crop**2 / usage.seconds / 1e6


def score_program(program: Program, pairs: Path, *, out: Path, device: str) -> list[Score]:
    star = pairs / "testing.star"
    names = read_micrographs(star).table["rlnMicrographName"]
    program.run(star, range(len(names)), out=out, device=device)
    return [score(read_mrc(program.result(name, out)), read_truth(stem(pairs, name))) for name in names]


def compare_on_halves(pairs: Path, model: str, out: Path, *, device: str) -> list[str]:
    """Let `cryopair compare` measure ours, Topaz's weights and the simple filters on the halves; return its table."""
    models = [f"ours={model}", *(["topaz:unet"] if topaz() else [])]
    options = [part for one in models for part in ("--model", one)]
    command = [sys.executable, "-m", "cryopair", "compare", "--star", "testing.star", *options, "--device", device]
    launch([*command, "--out", str(out)], folder=pairs)
    with (out / "summary.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    columns = [name for name in rows[0] if name.endswith("_db") and any(row[name] for row in rows)]
    head = ["", *(name.removesuffix("_db").replace("_", " ") + " dB" for name in columns)]
    return _aligned([head, *([row["method"], *(_rounded(row[name]) for name in columns)] for row in rows)])


def _rounded(value: str) -> str:
    return f"{float(value):.2f}" if value else "-"


def stem(pairs: Path, name: str) -> Path:
    return (pairs / name).with_suffix("")


# -- speed ------------------------------------------------------------------------------------------


def make_micrographs(folder: Path, pairs: Path, *, sides: list[int], count: int) -> None:
    """Write micrographs with halves, made of a simulated one and its mirror images; a list for each side."""
    source = read_micrographs(pairs / "testing.star")
    first, optics = stem(pairs, source.table["rlnMicrographName"][0]), source.optics
    for side in sides:
        names = [f"{side}_{number}" for number in range(count)]
        for suffix in ("", "_EVN", "_ODD"):
            image = read_mrc(first.with_name(f"{first.name}{suffix}.mrc"))[:side, :side]
            widths = [(0, side - size) for size in image.shape]
            for name in names:
                write_mrc(folder / f"{name}{suffix}.mrc", np.pad(image, widths, "symmetric"), pixel_size=PIXEL_SIZE)
        columns = {"rlnMicrographName": "", "rlnMicrographNameEven": "_EVN", "rlnMicrographNameOdd": "_ODD"}
        table = Table({label: [f"{name}{suffix}.mrc" for name in names] for label, suffix in columns.items()})
        table["rlnOpticsGroup"] = [1] * count
        write_micrographs(folder / f"{side}.star", Micrographs(optics, table))


def time_programs(
    all_programs: list[Program], folder: Path, *, side: int, rounds: int, count: int, device: str
) -> dict[str, tuple[list[float], float, float]]:
    """Return for each program: seconds per micrograph in each round, seconds to start, peak memory in bytes."""
    starts: dict[str, list[float]] = {}
    seconds: dict[str, list[float]] = {}
    peaks: dict[str, float] = {}
    for number in range(rounds):
        for program in all_programs:
            print(f"{device} {side}², round {number + 1} of {rounds}: {program.name}", file=sys.stderr, flush=True)
            # Topaz's minutes need no averaging over micrographs.
            micrographs = 1 if program.kind.startswith("topaz") and device == "cpu" else count
            out = folder / "out"
            start = program.run(folder / f"{SMALL}.star", [0], out=out, device=device)
            usage = program.run(folder / f"{side}.star", range(micrographs), out=out, device=device)
            starts.setdefault(program.name, []).append(start.seconds)
            seconds.setdefault(program.name, []).append((usage.seconds - start.seconds) / micrographs)
            peaks[program.name] = max(peaks.get(program.name, 0), usage.peak_bytes)
    return {name: (seconds[name], statistics.median(starts[name]), peaks[name]) for name in seconds}


# -- the table --------------------------------------------------------------------------------------


def training_lines(pairs: Path, model: Path, *, steps: int, crop: int) -> list[str]:
    """Train our network for some time, twice as long, and twice that, each with the whole schedule."""
    device, work, settings = devices()[-1], model.parent, TrainingSettings()
    lines = ["Training our own network on simulated pairs, scored against the truth of others:"]
    for part in (steps // 4, steps // 2, steps):
        folder = model if part == steps else work / f"model{part}"
        seconds = train(pairs, folder, steps=part, device=device)
        scores = score_program(Program("", "halves", str(folder)), pairs, out=work / "out", device=device)
        snr = np.mean([one.snr_db for one in scores])
        lines.append(f"  {part:5} steps  {seconds / 60:5.1f} min on the {device}  {snr:6.2f} dB")
    ours = steps * settings.batch * settings.crop**2 / seconds / 1e6
    lines.append(f"  ours trains on {ours:.2f} Mpx/s")
    if topaz():
        theirs = topaz_training_speed(pairs, work, device=device, crop=crop)
        lines[-1] += f", Topaz's unet on {theirs:.3f} Mpx/s: {ours / theirs:.1f} times faster"
    return [*lines, ""]


def quality_lines(scores: dict[str, list[Score]]) -> list[str]:
    head = ["", "SNR dB", "gain dB", "worst gain", "FRC-0.5 Å", "below raw"]
    return _aligned([head, *([name, *summary(one, scores["raw"])] for name, one in scores.items())])


def speed_lines(times: dict[str, tuple[list[float], float, float]]) -> list[str]:
    rows = [["", "s/micrograph", "min to max", "start s", "peak GB", "times faster", "memory"]]
    for name, (seconds, start, peak) in times.items():
        row = [name, f"{statistics.median(seconds):.2f}", f"{min(seconds):.2f} to {max(seconds):.2f}"]
        row += [f"{start:.1f}", f"{peak / 1e9:.2f}"]
        if TOPAZ_NAMES[0] in times:
            reference, _, most = times[TOPAZ_NAMES[0]]
            # On a busy machine, or with small images, starting up can hide the work: then there is nothing to compare.
            ratios = [theirs / own for theirs, own in zip(reference, seconds, strict=True) if min(theirs, own) > 0]
            row += [f"{statistics.median(ratios):.1f}" if ratios else "-", f"{peak / most:.2f}"]
        rows.append(row)
    return _aligned(rows)


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows if i < len(row)) for i in range(max(map(len, rows)))]
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows]


def main(options: argparse.Namespace, work: Path) -> list[str]:
    quick = options.quick
    pairs = (options.pairs or work / "pairs").resolve()
    if not (pairs / "testing.star").exists():
        size = {"training": 12, "testing": 2, "shape": (384, 512)} if quick else {}
        simulate_pairs(pairs, **size)
    device, lines = devices()[-1], [*machine(), ""]

    model = (options.model or work / "model").resolve()
    if not options.model:
        lines += training_lines(pairs, model, steps=4 if quick else options.steps, crop=128 if quick else 800)
    everything = programs(str(model))
    stems = [stem(pairs, name) for name in read_micrographs(pairs / "testing.star").table["rlnMicrographName"]]
    scores = {"raw": [score(read_mrc(one.with_suffix(".mrc")), read_truth(one)) for one in stems]}
    scores |= score_filters(stems)
    for program in everything:
        print(f"scoring {program.name}", file=sys.stderr, flush=True)
        scores[program.name] = score_program(program, pairs, out=work / "out", device=device)
    height, width = (384, 512) if quick else SHAPE
    lines += [
        f"Against the truth of {len(stems)} simulated micrographs of {width} x {height}:",
        *quality_lines(scores),
        "",
    ]

    lines += ["On the same micrographs, measured on their halves without the truth (cryopair compare):"]
    lines += [*compare_on_halves(pairs, str(model), work / "compare", device=device), ""]

    sides = [512] if quick else [2048, *([4096] if options.large else [])]
    count, rounds = (2, 1) if quick else (options.count, options.rounds)
    make_micrographs(work / "speed", pairs, sides=[SMALL, *sides], count=count)
    for side in sides:
        for place in devices():
            times = time_programs(everything, work / "speed", side=side, rounds=rounds, count=count, device=place)
            lines += [f"{side}² on the {place}, {rounds} rounds in turn:", *speed_lines(times), ""]
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", action="store_true", help="time 4096² micrographs too")
    parser.add_argument("--quick", action="store_true", help="only see that the benchmark runs; keeps nothing")
    parser.add_argument("--topaz", metavar="PROGRAM", help="where the program topaz is (default: on the PATH)")
    parser.add_argument("--pairs", type=Path, metavar="FOLDER", help="of simulated_pairs.py; made if missing")
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="use this model, train none")
    parser.add_argument(
        "--steps", type=int, default=TrainingSettings().steps, help="of training (default: %(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=3, help="of timing (default: %(default)s)")
    parser.add_argument("--count", type=int, default=8, help="micrographs per timing of ours (default: %(default)s)")
    chosen = parser.parse_args()
    if chosen.topaz:
        os.environ[TOPAZ] = chosen.topaz
    with tempfile.TemporaryDirectory() as folder:
        table = "\n".join(main(chosen, Path(folder))).rstrip() + "\n"
    print(table)
    if not chosen.quick:
        target = Path(__file__).parent / "results" / f"denoising-{machine_name()}.txt"
        target.write_text(table, encoding="utf-8")
        print(f"kept in {target}", file=sys.stderr)
