"""Commands about movies: aligning them, and summing their halves."""

from __future__ import annotations

import argparse

from .options import add_device, add_dose_weighting, device_of
from .replaced import current
from .stage import add_stage, finish, table_of


def add_align_options(sub: argparse.ArgumentParser) -> None:
    """Add the options of ``align``."""
    add_stage(sub, star_help="movies.star of an Import job, or a folder or pattern of movies")
    sub.add_argument(
        "--motion",
        choices=("patch", "global", "none"),
        default="patch",
        help="what to correct: local motion too, shifts of whole frames, or nothing, for stacks that are aligned "
        "already (default: %(default)s)",
    )
    add_dose_weighting(sub)
    _add_acquisition(sub)
    add_device(sub)


def _add_acquisition(sub: argparse.ArgumentParser) -> None:
    group = sub.add_argument_group(
        "acquisition", "The first four are for movies whose optics groups do not have them; RELION's have."
    )
    add = group.add_argument
    add("--pixel-size", type=float, metavar="Å", help="of the movies, in Å/px")
    add("--voltage", type=float, metavar="KV", help="in kV")
    add("--spherical-aberration", type=float, metavar="MM", help="in mm")
    add("--amplitude-contrast", type=float, metavar="SHARE", help="from 0 to 1")
    add("--dose-per-frame", type=float, default=0.0, metavar="DOSE", help="in e/Å²; EER: of a grouped frame")
    add("--pre-exposure", type=float, default=0.0, metavar="DOSE", help="in e/Å² (default: %(default)s)")
    add("--gain", metavar="FILE", help="gain reference: MRC, TIFF, or .gain of a Falcon camera")
    add("--gain-rotation", type=int, default=0, metavar="N", help="as RELION's --gain_rot: 0 to 3 quarter turns")
    add("--gain-flip", type=int, default=0, metavar="N", help="as RELION's --gain_flip: 1 upside down, 2 left to right")
    add("--defects", metavar="FILE", help="lines 'x y width height' (.txt), or a map")
    add("--eer-grouping", type=int, metavar="N", help="raw frames per frame of an EER movie")
    add("--eer-upsampling", type=int, metavar="N", help="1: the pixels of the detector, 2: twice as fine, -1: half")
    add("--binning", type=float, default=1.0, help="raw pixels per micrograph pixel and axis (default: %(default)s)")
    add("--first-frame", type=int, default=1, metavar="N", help="first frame to use (default: %(default)s)")
    add("--last-frame", type=int, metavar="N", help="last frame to use (default: the last there is)")


def align(options: argparse.Namespace) -> int:
    """Align raw movies."""
    from ..alignment.acquisition import Acquisition
    from ..alignment.stage import align_micrographs
    from ..errors import UsageError
    from ..formats.movies import EerRendering
    from ..micrographs import write_micrographs
    from ..sources import read_source

    if bool(options.eer_grouping) != bool(options.eer_upsampling):
        raise UsageError("EER movies need both --eer-grouping and --eer-upsampling.")
    try:
        eer = EerRendering(options.eer_grouping, options.eer_upsampling) if options.eer_grouping else None
    except ValueError as error:
        raise UsageError(str(error)) from None
    micrographs = align_micrographs(
        current(options, read_source(options.star)),
        Acquisition(
            pixel_size=options.pixel_size,
            voltage=options.voltage,
            spherical_aberration=options.spherical_aberration,
            amplitude_contrast=options.amplitude_contrast,
            dose_per_frame=options.dose_per_frame,
            pre_exposure=options.pre_exposure,
            gain=options.gain,
            gain_rotation=options.gain_rotation,
            gain_flip=options.gain_flip,
            defects=options.defects,
            eer=eer,
            binning=options.binning,
            first_frame=options.first_frame,
            last_frame=options.last_frame,
        ),
        out=options.out,
        extent=options.motion,
        dose_weighting=options.dose_weighting,
        device=device_of(options),
    )
    write_micrographs(table_of(options), micrographs)
    return finish(options, micrographs)


def add_halves_options(sub: argparse.ArgumentParser) -> None:
    """Add the options of ``halves``."""
    add_stage(sub)
    add_device(sub)
    add_dose_weighting(sub)


def halves(options: argparse.Namespace) -> int:
    """Make half-sums."""
    from ..halves.stage import halve_micrographs
    from ..micrographs import write_micrographs
    from ..sources import read_source

    micrographs = halve_micrographs(
        current(options, read_source(options.star)),
        out=options.out,
        dose_weighting=options.dose_weighting,
        device=device_of(options),
    )
    write_micrographs(table_of(options), micrographs)
    return finish(options, micrographs)
