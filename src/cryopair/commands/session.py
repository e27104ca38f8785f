"""Commands about a session as a whole: setting it up, running it, and what is made of all its results."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ..report.live import LIVE
from .limits import add_limits
from .options import add_config, add_output
from .stage import finish


def add_init_options(sub: argparse.ArgumentParser) -> None:
    """Add the options of ``init``."""
    add = sub.add_argument
    add("--from", dest="source", required=True, metavar="X", help="list or folder of a RELION job, or pattern of files")
    add("--diameter", type=float, metavar="Å", help="particle diameter; without it, stop after denoising")
    add("--output", default="cryopair", help="folder for all results (default: %(default)s)")
    add("--set", type=_setting, action="append", default=[], metavar="KEY=VALUE", help="e.g. training.steps=2000")
    add_config(sub)


def init(options: argparse.Namespace) -> int:
    """Look at a source and write the configuration."""
    from ..session.init import initialise

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
    from ..config import load_config
    from ..session.workflow import Session

    session = Session(load_config(options.config))
    taken = session.plan()
    print(f"{taken.added} new movies taken in; {len(taken.shards)} shards in {session.output}/plan/shards.")
    return 0


def add_run_options(sub: argparse.ArgumentParser) -> None:
    """Add the options of ``run``."""
    _add_passes(sub)
    sub.add_argument("-n", "--dry-run", action="store_true", help="only say what would be done")
    sub.epilog = "Other options are passed to snakemake."


def run(options: argparse.Namespace) -> int:
    """Plan and run one pass of the workflow."""
    from ..session.passes import run_pass, stop_on_signals

    stop_on_signals()
    return run_pass(
        Path(options.config),
        cores=options.cores,
        dry_run=options.dry_run,
        arguments=options.others,
        profile=options.profile,
    )


def add_watch_options(sub: argparse.ArgumentParser) -> None:
    """Add the options of ``watch``."""
    _add_passes(sub)
    add = sub.add_argument
    add("--interval", type=float, default=15.0, metavar="SECONDS", help="between looks (default: %(default)s)")
    add("--once", action="store_true", help="look once, do what there is to do, and end; for cron")
    add(
        "--until-idle",
        type=float,
        metavar="MINUTES",
        help="finish as `run` does, and end, after so long without a movie",
    )
    sub.epilog = "Other options are passed to snakemake. `cryopair status` says from elsewhere how things are."


def watch(options: argparse.Namespace) -> int:
    """Plan and run passes as movies arrive."""
    from ..session.passes import stop_on_signals
    from ..session.watch import Watcher

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
    from ..config import load_config
    from ..session.status import describe

    lines, well = describe(Path(load_config(options.config).output))
    print("\n".join(lines))
    return 0 if well else 1


def workflow(options: argparse.Namespace) -> int:
    """Print where the workflow is."""
    from ..session.launch import workflow_folder

    print(workflow_folder())
    return 0


def add_merge_options(sub: argparse.ArgumentParser) -> None:
    """Add the options of ``merge``."""
    add = sub.add_argument
    add_output(sub)
    add("--shards", nargs="+", required=True, help="names, in order")
    add("--picked", action="store_true", help="the session picks particles")
    add("--waiting", nargs="+", default=[], metavar="SHARD", help="those that wait for coordinates made elsewhere")
    add("--extracted", action="store_true", help="the session extracts particles")
    add_limits(sub)


def merge(options: argparse.Namespace) -> int:
    """Join the shards' tables."""
    from ..session.merge import merge_shards

    last = merge_shards(
        options.output,
        options.shards,
        picked=options.picked,
        extracted=options.extracted,
        waiting=options.waiting,
        limits=dict(options.limit),
    )
    return finish(options, last)


def add_report_options(sub: argparse.ArgumentParser) -> None:
    """Add the options of ``report``."""
    add = sub.add_argument
    add_output(sub)
    add("--model", type=Path, required=True, help="folder of the model that denoised")
    add(
        "--live",
        type=int,
        default=os.environ.get(LIVE) or None,
        metavar="SECONDS",
        help=f"the session is running: the open page reads itself again after so long (default: that of {LIVE})",
    )


def report(options: argparse.Namespace) -> int:
    """Write the report."""
    from ..report.page import write_report

    write_report(options.output, model=options.model, live=options.live)
    print(f"report: {options.output / 'report.html'}")
    return 0


def _add_passes(sub: argparse.ArgumentParser) -> None:
    add_config(sub)
    sub.add_argument("--cores", type=int, metavar="N", help="processor cores to use (default: all)")
    sub.add_argument(
        "--profile",
        default="default",
        metavar="NAME",
        help="where jobs run: default (this machine), slurm (a cluster), or a folder with a profile of Snakemake",
    )


def _setting(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"'{text}' is not KEY=VALUE")
    return key, value
