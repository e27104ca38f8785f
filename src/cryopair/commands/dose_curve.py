"""The command ``dose-curve``."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_dose_curve_options(sub: argparse.ArgumentParser) -> None:
    """Add its options, but for those of the model and the device."""
    add = sub.add_argument
    add("--star", type=Path, required=True, help="micrographs STAR file with the motion of their movies")
    add("--diameter", type=float, required=True, metavar="Å", help="particle diameter")
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
    add(
        "--dose-weighting",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="as for the halves that the model was trained on (default: yes)",
    )


def dose_curve(options: argparse.Namespace) -> int:
    """Measure and pick a few movies at several doses."""
    from ..denoiser.model import load_models
    from ..device import choose_device
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
            device=choose_device(options.device),
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
