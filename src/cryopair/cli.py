"""The command line: commands parse and call, nothing else.

Nothing heavy is imported before a command needs it, so that ``cryopair --help`` answers at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from .arguments import make_parser
from .commands.annotated import measure_picks
from .commands.comparing import compare
from .commands.coordinates import export_coordinates, import_coordinates
from .commands.dose_curve import dose_curve
from .commands.limits import within_limits
from .commands.particles import check
from .commands.picking import pick, templates, train_topaz
from .commands.replaced import current
from .errors import CryopairError, StorageError


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
        return COMMANDS[options.name](options)
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


def inspect(options: argparse.Namespace) -> int:
    """Describe files, also those after a bad one."""
    from .inspection import inspect

    bad = 0
    for path in options.files:
        print(path)
        try:
            print("\n".join(f"  {line}" for line in inspect(path)))
        except CryopairError as error:
            print(f"  {error}")
            bad += 1
    return 1 if bad else 0


def plan(options: argparse.Namespace) -> int:
    """Take in new movies."""
    from .config import load_config
    from .session.workflow import Session

    session = Session(load_config(options.config))
    taken = session.plan()
    print(f"{taken.added} new movies taken in; {len(taken.shards)} shards in {session.output}/plan/shards.")
    return 0


def run_workflow(options: argparse.Namespace) -> int:
    """Plan and run one pass of the workflow."""
    from .session.passes import run_pass, stop_on_signals

    stop_on_signals()
    return run_pass(
        Path(options.config),
        cores=options.cores,
        dry_run=options.dry_run,
        arguments=options.others,
        profile=options.profile,
    )


def watch(options: argparse.Namespace) -> int:
    """Plan and run passes as movies arrive."""
    from .session.passes import stop_on_signals
    from .session.watch import Watcher

    stop_on_signals()
    watcher = Watcher(
        Path(options.config),
        cores=options.cores,
        interval=options.interval,
        until_idle=options.until_idle,
        arguments=options.others,
        profile=options.profile,
    )
    return watcher.run(once=options.once)


def status(options: argparse.Namespace) -> int:
    """Say how a session is."""
    from .config import load_config
    from .session.status import describe

    lines, well = describe(Path(load_config(options.config).output))
    print("\n".join(lines))
    return 0 if well else 1


def workflow(options: argparse.Namespace) -> int:
    """Print where the workflow is."""
    from .session.passes import workflow_folder

    print(workflow_folder())
    return 0


# -- the stages -------------------------------------------------------------------------------------


def align(options: argparse.Namespace) -> int:
    """Align raw movies."""
    from .device import choose_device
    from .errors import UsageError
    from .formats.movies import EerRendering
    from .micrographs import write_micrographs
    from .motion.acquisition import Acquisition
    from .motion.stage import align_micrographs
    from .sources import read_source

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
        device=choose_device(options.device),
    )
    write_micrographs(_table(options), micrographs)
    return _summary(options, len(micrographs.table), len(micrographs.failed))


def halves(options: argparse.Namespace) -> int:
    """Make half-sums."""
    from .device import choose_device
    from .halves.stage import halve_micrographs
    from .micrographs import write_micrographs
    from .sources import read_source

    micrographs = halve_micrographs(
        current(options, read_source(options.star)),
        out=options.out,
        dose_weighting=options.dose_weighting,
        device=choose_device(options.device),
    )
    write_micrographs(_table(options), micrographs)
    return _summary(options, len(micrographs.table), len(micrographs.failed))


def freeze(options: argparse.Namespace) -> int:
    """Choose the training set."""
    from .denoiser.training.datasets import read_halves
    from .denoiser.training.training_set import freeze_training_set, write_manifest

    projects, tables = zip(*(read_halves(path) for path in options.star), strict=True)
    tables = tuple(within_limits(options, table) for table in tables)
    pairs = freeze_training_set(tables, max_pairs=options.pairs, seed=options.seed, projects=projects)
    write_manifest(options.out, pairs)
    held_out, datasets = sum(pair.validate for pair in pairs), len({pair.dataset for pair in pairs})
    of = f" of {datasets} datasets" if datasets > 1 else ""
    print(f"freeze: {len(pairs)} pairs{of}, {held_out} of them held out, in {options.out}")
    return 0


def train(options: argparse.Namespace) -> int:
    """Train a denoiser."""
    from functools import partial

    from .denoiser.model import load_model
    from .denoiser.training import PIXEL_SIZE, TrainingSettings, processes, train
    from .device import choose_device

    device = choose_device(options.device)
    parent = load_model(options.parent) if options.parent else None
    pixel_size = _pixel_size(options.pixel_size, default=None if parent else PIXEL_SIZE)
    settings = TrainingSettings(steps=options.steps, pixel_size=pixel_size, seed=options.seed)
    gpus = processes.gpus(options.gpus, device, most=settings.batch)
    work = partial(train, out=options.out, device=device, parent=parent)
    processes.run(gpus, work, options.manifest, settings)
    if processes.is_first():
        print(f"train: model {load_model(options.out).hash} in {options.out}")
    return 0


def _pixel_size(text: str | None, *, default: float | None) -> float | None:
    from .errors import UsageError

    if text in (None, "native"):
        return default if text is None else None
    try:
        pixel_size = float(text or "")
    except ValueError:
        pixel_size = 0.0
    if not 0 < pixel_size < 100:
        raise UsageError(f"--pixel-size is '{text}'; expected Å/px, such as 3, or native.")
    return pixel_size


def denoise(options: argparse.Namespace) -> int:
    """Denoise micrographs."""
    from .denoiser.files import denoise_files
    from .denoiser.model import load_models
    from .denoiser.stage import denoise_micrographs
    from .device import choose_device
    from .errors import UsageError
    from .micrographs import read_micrographs, write_micrographs

    if bool(options.star) == bool(options.images):
        raise UsageError("give either --star or image files to denoise.")
    model, device = load_models(options.model), choose_device(options.device)
    if options.images:
        denoise_files(options.images, model, out=options.out, device=device)
        return 0
    micrographs = current(options, read_micrographs(options.star))
    micrographs = denoise_micrographs(micrographs, model, out=options.out, what=options.what, device=device)
    write_micrographs(_table(options), micrographs)
    return _summary(options, len(micrographs.table), len(micrographs.failed))


def measure(options: argparse.Namespace) -> int:
    """Measure what denoising did."""
    from .denoiser.model import load_models
    from .denoiser.training.training_set import read_manifest
    from .device import choose_device
    from .micrographs import read_micrographs
    from .quality.stage import measure_micrographs

    measured = measure_micrographs(
        current(options, read_micrographs(options.star)),
        load_models(options.model),
        out_csv=options.out,
        training_set=read_manifest(options.manifest) if options.manifest else (),
        with_baselines=options.baselines,
        device=choose_device(options.device),
    )
    return _summary(options, len(measured.table), len(measured.failed))


def import_model(options: argparse.Namespace) -> int:
    """Turn a denoiser of Topaz into a model."""
    from .denoiser.model import import_model

    model = import_model(options.file, out=options.out, name=options.title)
    print(f"import-model: model {model.hash} ({model.card['architecture']['name']}) in {options.out}")
    return 0


def handoff(options: argparse.Namespace) -> int:
    """Hand picks to the raw micrographs."""
    from .micrographs import read_micrographs, write_micrographs
    from .particles.handoff import LOSSES, hand_off

    micrographs = hand_off(
        current(options, read_micrographs(options.star)),
        out=options.out,
        edge_margin=options.edge_margin,
        min_distance=options.min_distance,
    )
    write_micrographs(_table(options), micrographs)
    table = micrographs.table
    lost = [f"{count} picks {why}" for label, why in LOSSES.items() if (count := int(table.ints(label).sum()))]
    return _summary(options, len(table), len(micrographs.failed), ", ".join(lost))


def extract(options: argparse.Namespace) -> int:
    """Cut particles from raw micrographs."""
    from .micrographs import read_micrographs
    from .particles.extract import extract_particles, write_particles
    from .particles.reextract import reextract_particles
    from .particles.sampling import Sampling

    sampling = Sampling(
        box=options.box,
        scale=options.rescale,
        window=options.window,
        normalise=options.normalise,
        background_diameter=options.background_diameter,
        invert=options.invert,
    )
    micrographs = within_limits(options, read_micrographs(options.star))
    files = {"out": options.out, "half_precision": options.float16, "workers": options.threads}
    if options.reextract:
        shifts = {"recenter": options.recenter, "reset_offsets": options.reset_offsets}
        particles = reextract_particles(micrographs, options.reextract, sampling, **files, **shifts)
    else:
        particles = extract_particles(micrographs, sampling, **files)
    write_particles(_table(options), particles)
    failed, done = particles.micrographs.failed, particles.micrographs.table
    return _summary(options, len(done), len(failed), f"{len(particles.table)} particles")


def merge(options: argparse.Namespace) -> int:
    """Join the shards' tables."""
    from .session.merge import merge_shards

    last = merge_shards(
        options.output,
        options.shards,
        picked=options.picked,
        extracted=options.extracted,
        waiting=options.waiting,
        limits=dict(options.limit),
    )
    return _summary(options, len(last.table), len(last.failed))


def report(options: argparse.Namespace) -> int:
    """Write the report."""
    from .report.page import write_report

    write_report(options.output, model=options.model, live=options.live)
    print(f"report: {options.output / 'report.html'}")
    return 0


# -- made-up data -----------------------------------------------------------------------------------


def simulate(options: argparse.Namespace) -> int:
    """Write a made-up RELION project."""
    from .simulate.project import simulate_project

    simulate_project(
        options.folder,
        movies=options.movies,
        specimen=options.specimen,
        carbon_every=options.carbon_every,
        seed=options.seed,
    )
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


def _table(options: argparse.Namespace) -> Path:
    return options.table or options.out / f"{options.name}.star"


def _summary(options: argparse.Namespace, done: int, failed: int, more: str = "") -> int:
    """Print a stage's last line. A stage with failures has still done its work: the run says so at its end."""
    parts = [f"{done} micrographs done", *([more] if more else []), *([f"{failed} failed"] if failed else [])]
    print(f"{options.name}: {', '.join(parts)}")
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "init": init,
    "inspect": inspect,
    "plan": plan,
    "run": run_workflow,
    "watch": watch,
    "status": status,
    "workflow": workflow,
    "align": align,
    "halves": halves,
    "freeze": freeze,
    "train": train,
    "denoise": denoise,
    "measure": measure,
    "measure-picks": measure_picks,
    "dose-curve": dose_curve,
    "import-model": import_model,
    "templates": templates,
    "train-topaz": train_topaz,
    "pick": pick,
    "import-coordinates": import_coordinates,
    "handoff": handoff,
    "export-coordinates": export_coordinates,
    "extract": extract,
    "check": check,
    "merge": merge,
    "report": report,
    "compare": compare,
    "simulate": simulate,
    "score": score,
}


if __name__ == "__main__":
    sys.exit(main())
