"""The command line: commands parse and call, nothing else.

Nothing heavy is imported before a command needs it, so that ``cryopair --help`` answers at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from . import __version__
from .errors import CryopairError

Command = Callable[[argparse.Namespace], int]

_STAR_HELP = "micrographs STAR file, of RELION or of the stage before"
_OUT_HELP = "folder for the results, relative to the project"
_TABLE_HELP = "where to write the micrographs STAR with the results (default: OUT/{name}.star)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code.

    0: all is well. 1: it failed, and a message says why. 3: done, but some micrographs failed; they are
    named in ``failed.star``.
    """
    options, others = _parser().parse_known_args(arguments)
    if others and options.command is not run_workflow:
        _parser().error(f"unknown option: {' '.join(others)} (see cryopair {options.name} --help)")
    options.others = others
    try:
        return options.command(options)
    except CryopairError as error:
        print(f"cryopair: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("cryopair: stopped", file=sys.stderr)
        return 130


# -- the session ------------------------------------------------------------------------------------


def init(options: argparse.Namespace) -> int:
    """Look at a source and write the configuration."""
    from .session.init import initialise

    lines = initialise(
        options.source,
        Path(options.config),
        output=options.output,
        diameter=options.diameter,
        settings=dict(options.set),
    )
    print("\n".join(lines))
    return 0


def plan(options: argparse.Namespace) -> int:
    """Take in new movies."""
    from .config import load_config
    from .session.workflow import Session

    session = Session(load_config(options.config))
    before = session.unplanned()
    shards = session.plan()
    print(f"{before} new movies taken in; {len(shards)} shards in {session.output}/plan/shards.")
    return 0


def run_workflow(options: argparse.Namespace) -> int:
    """Plan and run one pass of the workflow."""
    from .session.passes import run_pass

    return run_pass(Path(options.config), cores=options.cores, dry_run=options.dry_run, arguments=options.others)


def workflow(options: argparse.Namespace) -> int:
    """Print where the workflow is."""
    from .session.passes import workflow_folder

    print(workflow_folder())
    return 0


# -- the stages -------------------------------------------------------------------------------------


def halves(options: argparse.Namespace) -> int:
    """Make half-sums."""
    from .device import choose_device
    from .halves.stage import halve_micrographs
    from .micrographs import write_micrographs
    from .sources import read_source

    micrographs = halve_micrographs(
        read_source(options.star),
        out=options.out,
        dose_weighting=options.dose_weighting,
        device=choose_device(options.device),
    )
    write_micrographs(_table(options), micrographs)
    return _summary(options, len(micrographs.table), len(micrographs.failed))


def freeze(options: argparse.Namespace) -> int:
    """Choose the training set."""
    from .denoiser.training_set import freeze_training_set, write_manifest
    from .micrographs import read_micrographs

    tables = {Path(path).stem: read_micrographs(path) for path in options.star}
    pairs = freeze_training_set(list(tables.values()), max_pairs=options.pairs, seed=options.seed)
    write_manifest(options.out, pairs, shards=list(tables))
    print(f"freeze: {len(pairs)} pairs, {sum(pair.validate for pair in pairs)} of them held out, in {options.out}")
    return 0


def train(options: argparse.Namespace) -> int:
    """Train a denoiser."""
    from .denoiser.training import TrainingSettings, train
    from .device import choose_device

    settings = TrainingSettings(steps=options.steps, seed=options.seed)
    model = train(options.manifest, settings, out=options.out, device=choose_device(options.device))
    print(f"train: model {model.hash} in {options.out}")
    return 0


def denoise(options: argparse.Namespace) -> int:
    """Denoise micrographs."""
    from .denoiser.files import denoise_files
    from .denoiser.model import load_model
    from .denoiser.stage import denoise_micrographs
    from .device import choose_device
    from .errors import UsageError
    from .micrographs import read_micrographs, write_micrographs

    if bool(options.star) == bool(options.images):
        raise UsageError("give either --star or image files to denoise.")
    model, device = load_model(options.model), choose_device(options.device)
    if options.images:
        denoise_files(options.images, model, out=options.out, device=device)
        return 0
    micrographs = denoise_micrographs(read_micrographs(options.star), model, out=options.out, device=device)
    write_micrographs(_table(options), micrographs)
    return _summary(options, len(micrographs.table), len(micrographs.failed))


def measure(options: argparse.Namespace) -> int:
    """Measure what denoising did."""
    from .denoiser.model import load_model
    from .device import choose_device
    from .micrographs import read_micrographs
    from .quality.stage import measure_micrographs

    measured = measure_micrographs(
        read_micrographs(options.star),
        load_model(options.model),
        out_csv=options.out,
        device=choose_device(options.device),
    )
    return _summary(options, len(measured.table), len(measured.failed))


def pick(options: argparse.Namespace) -> int:
    """Pick particles."""
    from .micrographs import read_micrographs, write_micrographs
    from .picking.stage import pick_micrographs

    micrographs = pick_micrographs(read_micrographs(options.star), diameter=options.diameter, out=options.out)
    write_micrographs(_table(options), micrographs)
    picks = int(micrographs.table.ints("cryopairPickCount").sum())
    return _summary(options, len(micrographs.table), len(micrographs.failed), f"{picks} particles")


def handoff(options: argparse.Namespace) -> int:
    """Hand picks to the raw micrographs."""
    from .micrographs import read_micrographs, write_micrographs
    from .particles.handoff import hand_off

    micrographs = hand_off(read_micrographs(options.star), out=options.out)
    write_micrographs(_table(options), micrographs)
    return _summary(options, len(micrographs.table), len(micrographs.failed))


def extract(options: argparse.Namespace) -> int:
    """Cut particles from raw micrographs."""
    from .micrographs import read_micrographs
    from .particles.extract import extract_particles, write_particles

    particles = extract_particles(
        read_micrographs(options.star),
        out=options.out,
        box=options.box,
        scale=options.rescale,
        normalise=options.normalise,
        background_diameter=options.background_diameter,
        invert=options.invert,
    )
    write_particles(_table(options), particles)
    failed, done = particles.micrographs.failed, particles.micrographs.table
    return _summary(options, len(done), len(failed), f"{len(particles.table)} particles")


def merge(options: argparse.Namespace) -> int:
    """Join the shards' tables."""
    from .session.merge import merge_shards

    last = merge_shards(options.output, options.shards, picked=options.picked, extracted=options.extracted)
    return _summary(options, len(last.table), len(last.failed))


def report(options: argparse.Namespace) -> int:
    """Write the report."""
    from .report.page import write_report

    write_report(options.output, model=options.model)
    print(f"report: {options.output / 'report.html'}")
    return 0


# -- made-up data -----------------------------------------------------------------------------------


def simulate(options: argparse.Namespace) -> int:
    """Write a made-up RELION project."""
    from .simulate.project import simulate_project

    simulate_project(options.folder, movies=options.movies, seed=options.seed)
    return 0


def score(options: argparse.Namespace) -> int:
    """Compare a run on a made-up project with its truth."""
    from .config import load_config
    from .errors import UsageError
    from .simulate.verdict import judge

    config = load_config(options.config)
    if config.picking.diameter is None or config.extraction.box is None:
        raise UsageError(f"{options.config}: set picking.diameter and extraction.box, and run again, to be judged.")
    print("\n".join(judge(Path(config.output), diameter=config.picking.diameter).lines()))
    return 0


# -- parsing ----------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cryopair",
        description="Denoise cryoEM micrographs by Noise2Noise and pick their particles, inside a RELION project.",
        epilog="Start with: cryopair init --from MotionCorr/job002/corrected_micrographs.star; then: cryopair run",
    )
    parser.add_argument("--version", action="version", version=f"cryopair {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="name", required=True)

    def add(command: Command, name: str, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.", allow_abbrev=False)
        sub.set_defaults(command=command)
        return sub

    sub = add(init, "init", "look at a RELION job and write config/config.yaml")
    sub.add_argument("--from", dest="source", required=True, metavar="STAR", help="micrographs STAR of the job")
    sub.add_argument("--diameter", type=float, metavar="Å", help="particle diameter; without it, stop after denoising")
    sub.add_argument("--output", default="cryopair", help="folder for all results (default: %(default)s)")
    sub.add_argument(
        "--set", type=_setting, action="append", default=[], metavar="KEY=VALUE", help="e.g. training.steps=2000"
    )
    _config(sub)

    sub = add(run_workflow, "run", "take in new movies and do all that is left to do")
    _config(sub)
    sub.add_argument("--cores", type=int, metavar="N", help="processor cores to use (default: all)")
    sub.add_argument("-n", "--dry-run", action="store_true", help="only say what would be done")
    sub.epilog = "Other options are passed to snakemake."

    _config(add(plan, "plan", "seal new movies into shards"))
    add(workflow, "workflow", "print the folder of the Snakefile and its profiles")

    sub = add(halves, "halves", "sum the even and the odd frames of movies, with RELION's motion undone")
    _stage(sub)
    _device(sub)
    sub.add_argument(
        "--dose-weighting",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether the micrographs are dose-weighted sums (default: yes)",
    )

    sub = add(freeze, "freeze", "choose the pairs to train on, once")
    sub.add_argument("star", nargs="+", type=Path, metavar="HALVES", help="tables of the stage halves")
    sub.add_argument("--out", type=Path, required=True, help="manifest to write")
    sub.add_argument("--pairs", type=int, default=200, help="take no more than this many (default: %(default)s)")
    sub.add_argument("--seed", type=int, default=1, help="of the choice (default: %(default)s)")

    sub = add(train, "train", "train a denoiser on a frozen training set")
    sub.add_argument("--manifest", type=Path, required=True, help="as written by cryopair freeze")
    sub.add_argument("--out", type=Path, required=True, help="folder for the model")
    sub.add_argument("--steps", type=int, default=6000, help="training steps (default: %(default)s)")
    sub.add_argument("--seed", type=int, default=1, help="of all random choices (default: %(default)s)")
    _device(sub)

    sub = add(denoise, "denoise", "denoise micrographs")
    _model(sub)
    _stage(sub, star_required=False)
    sub.add_argument("images", nargs="*", type=Path, metavar="MRC", help="or plain images, denoised as they are")
    _device(sub)

    sub = add(measure, "measure", "measure signal, noise and bias of denoised micrographs on their halves")
    sub.add_argument("--star", type=Path, required=True, help=_STAR_HELP)
    _model(sub)
    sub.add_argument("--out", type=Path, required=True, metavar="CSV", help="table to write; curves go beside it")
    _device(sub)

    sub = add(pick, "pick", "pick particles on denoised micrographs by Laplacian of Gaussian")
    _stage(sub)
    sub.add_argument("--diameter", type=float, required=True, metavar="Å", help="particle diameter")

    _stage(add(handoff, "handoff", "turn picks into coordinates on the raw micrographs, as RELION reads them"))

    sub = add(extract, "extract", "cut particles from the RAW micrographs, as RELION's Extract job does")
    _stage(sub)
    sub.add_argument("--box", type=int, required=True, metavar="PX", help="box size in pixels of the micrograph")
    sub.add_argument("--rescale", type=int, metavar="PX", help="size of the particle images (default: the box)")
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

    sub = add(merge, "merge", "join the tables of all shards")
    sub.add_argument("--output", type=Path, required=True, help="output folder of the session")
    sub.add_argument("--shards", nargs="+", required=True, help="names, in order")
    sub.add_argument("--picked", action="store_true", help="the session picks particles")
    sub.add_argument("--extracted", action="store_true", help="the session extracts particles")

    sub = add(report, "report", "write report.html")
    sub.add_argument("--output", type=Path, required=True, help="output folder of the session")
    _model(sub)

    sub = add(simulate, "simulate", "write a made-up RELION project, with its truth")
    sub.add_argument("folder", type=Path, help="project folder; existing movies stay, missing ones are added")
    sub.add_argument("--movies", type=int, default=16, help="how many (default: %(default)s)")
    sub.add_argument("--seed", type=int, default=1, help="of everything (default: %(default)s)")

    sub = add(score, "score", "compare the results on a made-up project with its truth")
    _config(sub)
    return parser


def _setting(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"'{text}' is not KEY=VALUE")
    return key, value


def _config(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--config", default="config/config.yaml", help="settings (default: %(default)s)")


def _stage(sub: argparse.ArgumentParser, *, star_required: bool = True) -> None:
    sub.add_argument("--star", type=Path, required=star_required, help=_STAR_HELP)
    sub.add_argument("--out", type=Path, required=True, help=_OUT_HELP)
    sub.add_argument("--table", type=Path, help=_TABLE_HELP.format(name=sub.prog.split()[-1]))


def _model(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--model", type=Path, required=True, help="folder of a trained model")


def _device(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 … (default: the GPU if there is one)")


def _table(options: argparse.Namespace) -> Path:
    return options.table or options.out / f"{options.name}.star"


def _summary(options: argparse.Namespace, done: int, failed: int, more: str = "") -> int:
    """Print a stage's last line. A stage with failures has still done its work: the run says so at its end."""
    parts = [f"{done} micrographs done", *([more] if more else []), *([f"{failed} failed"] if failed else [])]
    print(f"{options.name}: {', '.join(parts)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
