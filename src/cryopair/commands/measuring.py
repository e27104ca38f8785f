"""Commands that measure: what denoising did, also at picks, and what a lower dose would do."""

from __future__ import annotations

import argparse
from pathlib import Path

from .options import STAR_HELP, add_device, add_diameter, add_dose_weighting, add_model, device_of
from .replaced import add_journal, current
from .stage import finish


def add_measure_options(sub: argparse.ArgumentParser) -> None:
    """Add the options of ``measure``."""
    add = sub.add_argument
    add("--star", type=Path, required=True, help=STAR_HELP)
    add_model(sub)
    add("--out", type=Path, required=True, metavar="CSV", help="table to write; curves go beside it")
    add("--manifest", type=Path, help="training set of the model, so that micrographs it was trained on are marked")
    add("--baselines", action="store_true", help="measure simple filters too, into CSV_baselines.csv")
    add_device(sub)
    add_journal(sub)


def measure(options: argparse.Namespace) -> int:
    """Measure what denoising did."""
    from ..denoiser.model import load_models
    from ..denoiser.training.training_set import read_manifest
    from ..micrographs import read_micrographs
    from ..quality.stage import measure_micrographs

    measured = measure_micrographs(
        current(options, read_micrographs(options.star)),
        load_models(options.model),
        out_csv=options.out,
        training_set=read_manifest(options.manifest) if options.manifest else (),
        with_baselines=options.baselines,
        device=device_of(options),
    )
    return finish(options, measured)


def add_measure_picks_options(sub: argparse.ArgumentParser) -> None:
    """Add the options of ``measure-picks``."""
    sub.add_argument("--star", type=Path, required=True, help="table of the stage handoff: coordinates/<shard>.star")
    add_diameter(sub)
    sub.add_argument("--out", type=Path, required=True, metavar="CSV", help="table to write")


def measure_picks(options: argparse.Namespace) -> int:
    """Measure the SNR at picks."""
    from ..micrographs import read_micrographs
    from ..quality.annotated import measure_at_picks

    measured = measure_at_picks(read_micrographs(options.star), diameter=options.diameter, out_csv=options.out)
    return finish(options, measured)


def add_dose_curve_options(sub: argparse.ArgumentParser) -> None:
    """Add the options of ``dose-curve``."""
    add = sub.add_argument
    add("--star", type=Path, required=True, help="micrographs STAR file with the motion of their movies")
    add_diameter(sub)
    add("--out", type=Path, required=True, metavar="DIR", help="folder for dose_curve.csv and dose_curve.png")
    add("--movies", type=int, default=4, metavar="N", help="how many, evenly spread (default: %(default)s)")
    add(
        "--shares",
        type=float,
        nargs="+",
        default=[25, 50, 75, 100],
        metavar="PERCENT",
        help="of the frames (default: 25 50 75 100)",
    )
    add_dose_weighting(sub, "as for the halves that the model was trained on")
    add_model(sub)
    add_device(sub)


def dose_curve(options: argparse.Namespace) -> int:
    """Measure and pick a few movies at several doses."""
    from ..denoiser.model import load_models
    from ..formats.atomic import write_text
    from ..quality.dose_curve import dose_curve, format_dose_curve, medians
    from ..quality.dose_figure import draw_dose_curve
    from ..sources import read_source

    points = list(
        dose_curve(
            read_source(options.star),
            load_models(options.model),
            diameter=options.diameter,
            dose_weighting=options.dose_weighting,
            movies=options.movies,
            shares=[share / 100 for share in options.shares],
            device=device_of(options),
        )
    )
    write_text(options.out / "dose_curve.csv", format_dose_curve(points))
    draw_dose_curve(options.out / "dose_curve.png", points)
    print("dose (e/Å²)  frames  SNR raw (dB)  denoised (dB)  picks  F1 with full dose")
    for point in medians(points):
        print(
            f"{point.dose:11.1f}  {point.frames:6d}  {point.snr_raw_db:12.1f}  {point.snr_denoised_db:13.1f}  "
            f"{point.picks:5d}  {point.agreement:17.3f}"
        )
    return 0
