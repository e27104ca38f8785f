"""The command line: which commands there are. What they do, and their options, are in `cryopair.commands`.

Nothing heavy is imported before a command needs it, so that ``cryopair --help`` answers at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from . import __version__
from .commands import (
    comparing,
    coordinates,
    denoising,
    inspection,
    measuring,
    movies,
    particles,
    picking,
    session,
    simulated,
)
from .commands.options import add_config
from .errors import CryopairError, StorageError


@dataclass(frozen=True)
class Command:
    """A command.

    Attributes
    ----------
    name : str
        As the user types it.
    text : str
        What it does, for the help.
    run : callable
        Does it, and returns the exit code.
    add_options : callable or None
        Adds its options to its parser.
    """

    name: str
    text: str
    run: Callable[[argparse.Namespace], int]
    add_options: Callable[[argparse.ArgumentParser], None] | None


_COMMANDS = (
    Command(
        "init",
        "look at what there is to start from and write config/config.yaml",
        session.init,
        session.add_init_options,
    ),
    Command(
        "inspect",
        "say what movies, gains, images, STAR files or models are",
        inspection.inspect,
        inspection.add_inspect_options,
    ),
    Command("run", "take in new movies and do all that is left to do", session.run, session.add_run_options),
    Command(
        "watch",
        "take in movies and process them as they arrive, until stopped",
        session.watch,
        session.add_watch_options,
    ),
    Command("status", "say how a session is, whether it is watched or not", session.status, add_config),
    Command("plan", "seal new movies into shards", session.plan, add_config),
    Command("workflow", "print the folder of the Snakefile and its profiles", session.workflow, None),
    Command(
        "align",
        "align raw movies, and write their motion and micrographs as RELION's MotionCorr job does",
        movies.align,
        movies.add_align_options,
    ),
    Command(
        "halves",
        "sum the even and the odd frames of movies, with RELION's motion undone",
        movies.halves,
        movies.add_halves_options,
    ),
    Command("freeze", "choose the pairs to train on, once", denoising.freeze, denoising.add_freeze_options),
    Command("train", "train a denoiser on a frozen training set", denoising.train, denoising.add_train_options),
    Command("denoise", "denoise micrographs", denoising.denoise, denoising.add_denoise_options),
    Command(
        "measure",
        "measure signal, noise and bias of denoised micrographs on their halves",
        measuring.measure,
        measuring.add_measure_options,
    ),
    Command(
        "templates",
        "average particles into templates for picking, once",
        picking.templates,
        picking.add_templates_options,
    ),
    Command("train-topaz", "train a detector of Topaz on picks", picking.train_topaz, picking.add_train_topaz_options),
    Command("pick", "pick particles on denoised or raw micrographs", picking.pick, picking.add_pick_options),
    Command(
        "import-coordinates",
        "take over particles that were picked elsewhere, on raw or denoised micrographs",
        coordinates.import_coordinates,
        coordinates.add_import_options,
    ),
    Command(
        "handoff",
        "turn picks into coordinates on the raw micrographs, as RELION reads them",
        coordinates.handoff,
        coordinates.add_handoff_options,
    ),
    Command(
        "export-coordinates",
        "write coordinates for EMAN, crYOLO, Topaz, cryoSPARC and others",
        coordinates.export_coordinates,
        coordinates.add_export_options,
    ),
    Command(
        "extract",
        "cut particles from the RAW micrographs, as RELION's Extract job does",
        particles.extract,
        particles.add_extract_options,
    ),
    Command(
        "check",
        "audit a set of particles: are they raw, at their pixel, whole, with CTF?",
        particles.check,
        particles.add_check_options,
    ),
    Command("merge", "join the tables of all shards", session.merge, session.add_merge_options),
    Command(
        "measure-picks",
        "measure raw and denoised micrographs at picks and beside them",
        measuring.measure_picks,
        measuring.add_measure_picks_options,
    ),
    Command(
        "dose-curve",
        "denoise and pick movies summed to part of their dose: how much is needed",
        measuring.dose_curve,
        measuring.add_dose_curve_options,
    ),
    Command(
        "import-model",
        "turn a denoiser that Topaz trained into a model, without running anything in its file",
        denoising.import_model,
        denoising.add_import_model_options,
    ),
    Command(
        "report",
        "write report.html, and its figures and tables into report/",
        session.report,
        session.add_report_options,
    ),
    Command(
        "compare",
        "compare denoised folders and models on the same half-sums",
        comparing.compare,
        comparing.add_compare_options,
    ),
    Command(
        "simulate", "write a made-up RELION project, with its truth", simulated.simulate, simulated.add_simulate_options
    ),
    Command("score", "compare the results on a made-up project with its truth", simulated.score, add_config),
)
COMMANDS = {command.name: command for command in _COMMANDS}


def make_parser() -> argparse.ArgumentParser:
    """Return the parser; the command that was given is in ``name``."""
    parser = argparse.ArgumentParser(
        prog="cryopair",
        description="Denoise cryoEM micrographs by Noise2Noise and pick their particles, inside a RELION project.",
        epilog="Start with: cryopair init --from MotionCorr/job002/corrected_micrographs.star; then: cryopair run",
    )
    parser.add_argument("--version", action="version", version=f"cryopair {__version__}")
    parsers = parser.add_subparsers(title="commands", metavar="COMMAND", dest="name", required=True)
    for command in COMMANDS.values():
        text = command.text
        described = f"{text[0].upper()}{text[1:]}."
        sub = parsers.add_parser(command.name, help=text, description=described, allow_abbrev=False)
        if command.add_options:
            command.add_options(sub)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code.

    0: all is well. 1: it failed, and a message says why. 3: done, but some micrographs failed; they are
    named in ``failed.star``. 4: done, but some micrographs wait for coordinates that are made elsewhere.
    """
    parser = make_parser()
    options, others = parser.parse_known_args(arguments)
    if others and options.name not in ("run", "watch"):
        parser.error(f"unknown option: {' '.join(others)} (see cryopair {options.name} --help)")
    options.others = others
    try:
        return COMMANDS[options.name].run(options)
    except CryopairError as error:
        print(f"cryopair: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        if not error.filename:
            raise
        print(f"cryopair: {StorageError(error.filename, error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("cryopair: stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
