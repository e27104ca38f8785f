"""Denoising of real micrographs whose halves have very unequal noise: one frame, and the mean of some 41 others.

    python benchmarks/real_pairs.py [--topaz PROGRAM] [--steps N] [--pixel-size Å] [--data FOLDER]

Eight micrographs of apoferritin (EMPIAR-10146). Trains on five pairs, denoises the single frames of the three others,
and scores them by their correlation with the rest of the movie, which no program saw, after a high-pass (less a
Gaussian blur of 40 px). Prints a table, keeps it in `benchmarks/results`, and makes the picture for the documentation,
`docs/images/apoferritin.png`.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from programs import TOPAZ, Program, devices, launch, machine, machine_name, topaz
from scipy.ndimage import gaussian_filter

from cryopair.denoiser.sampling import resample
from cryopair.denoiser.training.train import TrainingSettings
from cryopair.denoiser.training.training_set import freeze_training_set, write_manifest
from cryopair.formats.mrc import read_mrc, write_mrc
from cryopair.formats.star import Table
from cryopair.micrographs import Micrographs, write_micrographs
from cryopair.quality.baselines import SIGMAS

REPOSITORY = Path(__file__).resolve().parents[1]
DATA = REPOSITORY.parent / "shared/data/apoferritin-10146"
PICTURE = REPOSITORY / "docs/images/apoferritin.png"
RESULTS = REPOSITORY / "benchmarks/results"
TESTING = ("May08_03.05.02", "May08_04.32.27", "May08_05.24.39")
PIXEL_SIZE = 1.5
HIGH_PASS = 40.0
"""Sigma in pixels of the blur that is subtracted before images are compared."""

_PANEL, _CROP = 340, 600  # px of the picture, and of the micrograph

Micrograph = npt.NDArray[np.float32]


def unpack(data: Path, folder: Path) -> tuple[list[str], list[str]]:
    """Write the images as float32, which Topaz needs; return the names of those to train on and to test on."""
    names = sorted(path.name.removesuffix("_frame.mrc") for path in data.glob("*_frame.mrc"))
    for name in names:
        for part in ("frame", "rest"):
            write_mrc(folder / f"{name}_{part}.mrc", read_mrc(data / f"{name}_{part}.mrc"), pixel_size=PIXEL_SIZE)
    return [name for name in names if name not in TESTING], list(TESTING)


def train(folder: Path, names: list[str], model: Path, *, options: argparse.Namespace) -> float:
    """Train our default network on all pairs; return the seconds."""
    table = Table(
        {
            "rlnMicrographName": [f"{folder}/{name}_frame.mrc" for name in names],
            "rlnMicrographNameEven": [f"{folder}/{name}_frame.mrc" for name in names],
            "rlnMicrographNameOdd": [f"{folder}/{name}_rest.mrc" for name in names],
            "rlnOpticsGroup": [1 for _ in names],
        }
    )
    optics = Table({"rlnOpticsGroup": [1], "rlnMicrographPixelSize": [PIXEL_SIZE]})
    pairs = freeze_training_set([Micrographs(optics, table)])
    # Five are few: the one that is held out, for a look at the progress, is trained on as well.
    pairs = [*(replace(pair, validate=False) for pair in pairs), *(pair for pair in pairs if pair.validate)]
    write_manifest(folder / "manifest.star", pairs)
    command = [
        sys.executable,
        "-m",
        "cryopair",
        "train",
        "--manifest",
        str(folder / "manifest.star"),
        "--out",
        str(model),
    ]
    command += ["--steps", str(options.steps), "--device", devices()[-1]]
    command += ["--pixel-size", str(options.pixel_size)] if options.pixel_size else []
    return launch(command).seconds


def run(program: Program, folder: Path, names: list[str], *, part: str, out: Path) -> list[Micrograph]:
    """Denoise one image of each pair."""
    rows = {"rlnMicrographName": [f"{name}_{part}.mrc" for name in names], "rlnOpticsGroup": [1 for _ in names]}
    optics = Table({"rlnOpticsGroup": [1], "rlnMicrographPixelSize": [PIXEL_SIZE]})
    write_micrographs(folder / "images.star", Micrographs(optics, Table(rows)))
    program.run(folder / "images.star", range(len(names)), out=out, device=devices()[-1])
    return [read_mrc(program.result(name, out)) for name in rows["rlnMicrographName"]]


def correlation(image: Micrograph, other: Micrograph) -> float:
    passed = [each - gaussian_filter(each, HIGH_PASS) for each in (image, other)]
    return float(np.corrcoef(passed[0].ravel(), passed[1].ravel())[0, 1])


def draw(panels: dict[str, Micrograph]) -> None:
    """Write the middle of images side by side, each with its own range of greys."""
    gap, head = 6, 24
    width = len(panels) * (_PANEL + gap) - gap
    picture = Image.new("L", (width, _PANEL + head), 255)
    pen = ImageDraw.Draw(picture)
    for number, (label, image) in enumerate(panels.items()):
        top, left = ((size - _CROP) // 2 for size in image.shape)
        # The coarse background says nothing here, and would take most of the greys.
        flat = (image - gaussian_filter(image, HIGH_PASS))[top : top + _CROP, left : left + _CROP]
        small = resample(flat, (_PANEL, _PANEL))
        low, high = np.percentile(small, (0.5, 99.5))
        greys = np.clip((small - low) / (high - low) * 255, 0, 255).astype(np.uint8)
        # 64 greys: the eye sees no more in noise, and the file is smaller by a quarter.
        picture.paste(Image.fromarray(greys & 0xFC), (number * (_PANEL + gap), head))
        pen.text((number * (_PANEL + gap) + 2, 2), label, fill=0, font=ImageFont.load_default(16))
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    picture.save(PICTURE, optimize=True)


def main(options: argparse.Namespace, folder: Path) -> list[str]:
    training, testing = unpack(options.data, folder)
    frames, rests = ([read_mrc(folder / f"{name}_{part}.mrc") for name in testing] for part in ("frame", "rest"))
    model = (options.model or folder / "model").resolve()
    ours = Program("ours", "images", str(model))
    seconds = train(folder, training, model, options=options)
    results = {"raw": frames}
    blurred = [[gaussian_filter(frame, sigma) for sigma in SIGMAS] for frame in frames]
    pairs = zip(blurred, rests, strict=True)
    results["best Gaussian"] = [max(all_, key=lambda one, rest=rest: correlation(one, rest)) for all_, rest in pairs]
    if topaz():
        results["Topaz's unet"] = run(Program("", "topaz-whole"), folder, testing, part="frame", out=folder / "out")
    results[f"ours, {options.steps} steps, {seconds / 60:.1f} min"] = denoised = run(
        ours, folder, testing, part="frame", out=folder / "out"
    )
    table = {
        name: np.array([correlation(image, rest) for image, rest in zip(images, rests, strict=True)])
        for name, images in results.items()
    }
    own = table[list(results)[-1]]
    short = (name.removeprefix("May08_") for name in testing)
    lines = [*machine(), "", f"{'correlation with the rest':28} {' '.join(short)}  ours beyond it by"]
    for name, figures in table.items():
        beyond = " ".join(f"{100 * gain:6.0f} %" for gain in own / figures - 1) if figures is not own else ""
        lines.append(f"{name:28} {' '.join(f'{figure:8.4f}' for figure in figures)}  {beyond}".rstrip())
    clean = run(ours, folder, testing, part="rest", out=folder / "out")
    labels = ("one frame", "the other frames", "one frame, denoised", "the other frames, denoised")
    draw(dict(zip(labels, (frames[0], rests[0], denoised[0], clean[0]), strict=True)))
    print(f"{PICTURE.relative_to(REPOSITORY)}: {PICTURE.stat().st_size / 1000:.0f} kB", file=sys.stderr)
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--topaz", metavar="PROGRAM", help="where the program topaz is (default: on the PATH)")
    parser.add_argument(
        "--steps", type=int, default=TrainingSettings().steps, help="of training (default: %(default)s)"
    )
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="where to keep our network (default: nowhere)")
    parser.add_argument("--pixel-size", type=float, metavar="Å", help="that our network works at (default: 3)")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the images (default: %(default)s)")
    chosen = parser.parse_args()
    if not chosen.data.is_dir():
        print(f"skipped: {chosen.data} is not there; the images are shared beside the repository, not part of it.")
        sys.exit()
    if chosen.topaz:
        os.environ[TOPAZ] = chosen.topaz
    with tempfile.TemporaryDirectory() as work:
        table = "\n".join(main(chosen, Path(work))) + "\n"
    print(table)
    target = RESULTS / f"apoferritin-{machine_name()}.txt"
    target.write_text(table, encoding="utf-8")
    print(f"kept in {target.relative_to(REPOSITORY)}", file=sys.stderr)
