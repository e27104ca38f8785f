"""The options of every command."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from . import __version__
from .commands.annotated import add_measure_picks_options
from .commands.comparing import add_compare_options
from .commands.coordinates import add_export_options, add_import_options
from .commands.dose_curve import add_dose_curve_options
from .commands.limits import add_limits
from .commands.particles import add_check_options
from .commands.picking import add_pick_options, add_templates_options, add_train_topaz_options
from .commands.replaced import add_journal
from .report.live import LIVE

_STAR_HELP = "micrographs STAR file, of RELION or of the stage before"
_OUT_HELP = "folder for the results, relative to the project"
_TABLE_HELP = "where to write the micrographs STAR with the results (default: OUT/{name}.star)"


def make_parser() -> argparse.ArgumentParser:
    """Return the parser; the command that was given is in ``name``."""
    parser = argparse.ArgumentParser(
        prog="cryopair",
        description="Denoise cryoEM micrographs by Noise2Noise and pick their particles, inside a RELION project.",
        epilog="Start with: cryopair init --from MotionCorr/job002/corrected_micrographs.star; then: cryopair run",
    )
    parser.add_argument("--version", action="version", version=f"cryopair {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="name", required=True)

    def add(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.", allow_abbrev=False)

    sub = add("init", "look at what there is to start from and write config/config.yaml")
    sub.add_argument(
        "--from", dest="source", required=True, metavar="X", help="list or folder of a RELION job, or pattern of files"
    )
    sub.add_argument("--diameter", type=float, metavar="Å", help="particle diameter; without it, stop after denoising")
    sub.add_argument("--output", default="cryopair", help="folder for all results (default: %(default)s)")
    sub.add_argument(
        "--set", type=_setting, action="append", default=[], metavar="KEY=VALUE", help="e.g. training.steps=2000"
    )
    _config(sub)

    sub = add("inspect", "say what movies, gains, images, STAR files or models are")
    sub.add_argument("files", nargs="+", type=Path, metavar="FILE", help="or the folder of a model")

    sub = add("run", "take in new movies and do all that is left to do")
    _config(sub)
    sub.add_argument("--cores", type=int, metavar="N", help="processor cores to use (default: all)")
    _profile(sub)
    sub.add_argument("-n", "--dry-run", action="store_true", help="only say what would be done")
    sub.epilog = "Other options are passed to snakemake."

    sub = add("watch", "take in movies and process them as they arrive, until stopped")
    _config(sub)
    sub.add_argument("--cores", type=int, metavar="N", help="processor cores to use (default: all)")
    _profile(sub)
    sub.add_argument(
        "--interval", type=float, default=15.0, metavar="SECONDS", help="between looks (default: %(default)s)"
    )
    sub.add_argument("--once", action="store_true", help="look once, do what there is to do, and end; for cron")
    sub.add_argument(
        "--until-idle",
        type=float,
        metavar="MINUTES",
        help="finish as `run` does, and end, after so long without a movie",
    )
    sub.epilog = "Other options are passed to snakemake. `cryopair status` says from elsewhere how things are."

    _config(add("status", "say how a session is, whether it is watched or not"))
    _config(add("plan", "seal new movies into shards"))
    add("workflow", "print the folder of the Snakefile and its profiles")

    sub = add("align", "align raw movies, and write their motion and micrographs as RELION's MotionCorr job does")
    _stage(sub, star_help="movies.star of an Import job, or a folder or pattern of movies")
    sub.add_argument(
        "--motion",
        choices=("patch", "global", "none"),
        default="patch",
        help="what to correct: local motion too, shifts of whole frames, or nothing, for stacks that are aligned "
        "already (default: %(default)s)",
    )
    sub.add_argument(
        "--dose-weighting",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether the micrographs are dose-weighted sums (default: yes)",
    )
    _acquisition(sub)
    _device(sub)

    sub = add("halves", "sum the even and the odd frames of movies, with RELION's motion undone")
    _stage(sub)
    _device(sub)
    sub.add_argument(
        "--dose-weighting",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether the micrographs are dose-weighted sums (default: yes)",
    )

    sub = add("freeze", "choose the pairs to train on, once")
    sub.add_argument(
        "star",
        nargs="+",
        type=Path,
        metavar="HALVES",
        help="tables of the stage halves. They may be of several projects and pixel sizes: what a project has at one "
        "pixel size is a dataset, and all datasets have equal shares, here and in training",
    )
    sub.add_argument("--out", type=Path, required=True, help="manifest to write")
    sub.add_argument("--pairs", type=int, default=200, help="take no more than this many (default: %(default)s)")
    sub.add_argument("--seed", type=int, default=1, help="of the choice (default: %(default)s)")
    add_limits(sub)

    sub = add("train", "train a denoiser on a frozen training set")
    sub.add_argument("--manifest", type=Path, required=True, help="as written by cryopair freeze")
    sub.add_argument("--out", type=Path, required=True, help="folder for the model")
    sub.add_argument("--steps", type=int, default=6000, help="training steps (default: %(default)s)")
    sub.add_argument("--seed", type=int, default=1, help="of all random choices (default: %(default)s)")
    sub.add_argument(
        "--pixel-size",
        metavar="Å",
        help="pixel size to work at, if the micrographs are finer, or 'native' (default: 3, or that of --from)",
    )
    sub.add_argument(
        "--from", dest="parent", metavar="MODEL", help="go on from this model (fine-tuning), at a tenth of the rate"
    )
    sub.add_argument("--gpus", type=int, metavar="N", help="GPUs to share the work (default: all that there are)")
    _device(sub)
    sub.epilog = "Stopped at any moment and started again, it goes on where it was, and ends with the same model."

    sub = add("denoise", "denoise micrographs")
    _model(sub)
    _stage(sub, star_required=False)
    sub.add_argument(
        "--what",
        choices=("sum", "halves", "both"),
        default="sum",
        help="with --star: denoise the sum of the halves, each half and add the results, or both, averaged "
        "(default: %(default)s)",
    )
    sub.add_argument("images", nargs="*", type=Path, metavar="MRC", help="or plain images, denoised as they are")
    _device(sub)

    sub = add("measure", "measure signal, noise and bias of denoised micrographs on their halves")
    sub.add_argument("--star", type=Path, required=True, help=_STAR_HELP)
    _model(sub)
    sub.add_argument("--out", type=Path, required=True, metavar="CSV", help="table to write; curves go beside it")
    sub.add_argument(
        "--manifest", type=Path, help="training set of the model, so that micrographs it was trained on are marked"
    )
    sub.add_argument("--baselines", action="store_true", help="measure simple filters too, into CSV_baselines.csv")
    _device(sub)
    add_journal(sub)

    sub = add("templates", "average particles into templates for picking, once")
    add_templates_options(sub)

    sub = add("train-topaz", "train a detector of Topaz on picks")
    add_train_topaz_options(sub)

    sub = add("pick", "pick particles on denoised or raw micrographs")
    _stage(sub)
    add_pick_options(sub)
    add_limits(sub)

    sub = add("import-coordinates", "take over particles that were picked elsewhere, on raw or denoised micrographs")
    _stage(sub)
    add_import_options(sub)
    add_limits(sub)

    sub = add("handoff", "turn picks into coordinates on the raw micrographs, as RELION reads them")
    _stage(sub)
    sub.add_argument(
        "--edge-margin",
        type=float,
        default=0.0,
        metavar="Å",
        help="drop picks nearer to an edge (default: keep all whose centre is on the micrograph, as RELION does)",
    )
    sub.add_argument(
        "--min-distance",
        type=float,
        default=0.0,
        metavar="Å",
        help="of picks nearer to each other keep the best (default: drop only a second one on the same pixel)",
    )

    add_export_options(add("export-coordinates", "write coordinates for EMAN, crYOLO, Topaz, cryoSPARC and others"))

    sub = add("extract", "cut particles from the RAW micrographs, as RELION's Extract job does")
    _stage(sub)
    sub.add_argument("--box", type=int, required=True, metavar="PX", help="box size in pixels of the micrograph")
    sub.add_argument("--rescale", type=int, metavar="PX", help="size that the box is downsampled to (default: the box)")
    sub.add_argument("--window", type=int, metavar="PX", help="keep only the centre of that, of this size")
    sub.add_argument(
        "--normalise",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="subtract a ramp, and scale the background to mean 0 and std 1 (default: yes)",
    )
    sub.add_argument(
        "--background-diameter",
        type=float,
        metavar="PX",
        help="outside it is background, in pixels of the micrograph (default: 75 %% of the box)",
    )
    sub.add_argument(
        "--invert", action=argparse.BooleanOptionalAction, default=True, help="make particles white (default: yes)"
    )
    sub.add_argument("--reextract", type=Path, metavar="STAR", help="cut the particles of this refinement anew")
    sub.add_argument("--recenter", action="store_true", help="with --reextract: move the boxes by the refined shifts")
    sub.add_argument("--reset-offsets", action="store_true", help="with --reextract: set the refined shifts to 0")
    sub.add_argument("--float16", action="store_true", help="halve the files (MRC mode 12; RELION 3.1 cannot read it)")
    sub.add_argument("--threads", type=int, metavar="N", help="micrographs at a time (default: as many as cores)")
    add_limits(sub)

    add_check_options(add("check", "audit a set of particles: are they raw, at their pixel, whole, with CTF?"))

    sub = add("merge", "join the tables of all shards")
    sub.add_argument("--output", type=Path, required=True, help="output folder of the session")
    sub.add_argument("--shards", nargs="+", required=True, help="names, in order")
    sub.add_argument("--picked", action="store_true", help="the session picks particles")
    sub.add_argument(
        "--waiting", nargs="+", default=[], metavar="SHARD", help="those that wait for coordinates made elsewhere"
    )
    sub.add_argument("--extracted", action="store_true", help="the session extracts particles")
    add_limits(sub)

    sub = add("measure-picks", "measure raw and denoised micrographs at picks and beside them")
    add_measure_picks_options(sub)

    sub = add("dose-curve", "denoise and pick movies summed to part of their dose: how much is needed")
    add_dose_curve_options(sub)
    _model(sub)
    _device(sub)

    sub = add("import-model", "turn a denoiser that Topaz trained into a model, without running anything in its file")
    sub.add_argument(
        "file", metavar="FILE", help="weights or whole model, as Topaz wrote it (.sav), or topaz:unet etc."
    )
    sub.add_argument("--out", type=Path, required=True, help="folder for the model")
    sub.add_argument("--name", help="what to call the model in its card (default: as the file)", dest="title")

    sub = add("report", "write report.html, and its figures and tables into report/")
    sub.add_argument("--output", type=Path, required=True, help="output folder of the session")
    sub.add_argument("--model", type=Path, required=True, help="folder of the model that denoised")
    sub.add_argument(
        "--live",
        type=int,
        default=os.environ.get(LIVE) or None,
        metavar="SECONDS",
        help=f"the session is running: the open page reads itself again after so long (default: that of {LIVE})",
    )

    add_compare_options(add("compare", "compare denoised folders and models on the same half-sums"))

    sub = add("simulate", "write a made-up RELION project, with its truth")
    sub.add_argument("folder", type=Path, help="project folder; existing movies stay, missing ones are added")
    sub.add_argument("--movies", type=int, default=16, help="how many (default: %(default)s)")
    sub.add_argument("--specimen", default="proteasome", help="or ribosome (default: %(default)s)")
    sub.add_argument(
        "--carbon-every", type=int, default=0, metavar="N", help="one in N movies shows the edge of the carbon film"
    )
    sub.add_argument("--seed", type=int, default=1, help="of everything (default: %(default)s)")

    sub = add("score", "compare the results on a made-up project with its truth")
    _config(sub)
    return parser


def _setting(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"'{text}' is not KEY=VALUE")
    return key, value


def _profile(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--profile",
        default="default",
        metavar="NAME",
        help="where jobs run: default (this machine), slurm (a cluster), or a folder with a profile of Snakemake",
    )


def _config(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--config", default="config/config.yaml", help="settings (default: %(default)s)")


def _stage(sub: argparse.ArgumentParser, *, star_required: bool = True, star_help: str = _STAR_HELP) -> None:
    sub.add_argument("--star", type=Path, required=star_required, help=star_help)
    sub.add_argument("--out", type=Path, required=True, help=_OUT_HELP)
    sub.add_argument("--table", type=Path, help=_TABLE_HELP.format(name=sub.prog.split()[-1]))
    add_journal(sub)


def _acquisition(sub: argparse.ArgumentParser) -> None:
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


def _model(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--model",
        action="append",
        required=True,
        help="folder of a model, or topaz:NAME (unet, unet-small, fcnn, affine, unet-v0.2.1) with the weights of an "
        "installed Topaz; the results of several are averaged: --model A --model B",
    )


def _device(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 … (default: the GPU if there is one)")
