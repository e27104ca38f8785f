"""Commands about particles: cutting them, and checking them."""

from __future__ import annotations

import argparse
from pathlib import Path

from .limits import add_limits, within_limits
from .stage import add_stage, finish, table_of


def add_extract_options(sub: argparse.ArgumentParser) -> None:
    """Add the options of ``extract``."""
    add_stage(sub)
    add = sub.add_argument
    add("--box", type=int, required=True, metavar="PX", help="box size in pixels of the micrograph")
    add("--rescale", type=int, metavar="PX", help="size that the box is downsampled to (default: the box)")
    add("--window", type=int, metavar="PX", help="keep only the centre of that, of this size")
    add(
        "--normalise",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="subtract a ramp, and scale the background to mean 0 and std 1 (default: yes)",
    )
    add(
        "--background-diameter",
        type=float,
        metavar="PX",
        help="outside it is background, in pixels of the micrograph (default: 75 %% of the box)",
    )
    add("--invert", action=argparse.BooleanOptionalAction, default=True, help="make particles white (default: yes)")
    add("--reextract", type=Path, metavar="STAR", help="cut the particles of this refinement anew")
    add("--recenter", action="store_true", help="with --reextract: move the boxes by the refined shifts")
    add("--reset-offsets", action="store_true", help="with --reextract: set the refined shifts to 0")
    add("--float16", action="store_true", help="halve the files (MRC mode 12; RELION 3.1 cannot read it)")
    add(
        "--shard",
        action="store_true",
        help="the list is a part of a session, for cryopair merge: it may have no particle at all, and the table lists "
        "what failed",
    )
    add("--threads", type=int, metavar="N", help="micrographs at a time (default: as many as cores)")
    add_limits(sub)


def extract(options: argparse.Namespace) -> int:
    """Cut particles from raw micrographs."""
    from ..errors import CryopairError
    from ..micrographs import read_micrographs
    from ..particles.extract import extract_particles, failed_beside, write_particles
    from ..particles.reextract import reextract_particles
    from ..particles.sampling import Sampling

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
    write_particles(table_of(options), particles, of_shard=options.shard)
    failed, done = particles.micrographs.failed, particles.micrographs.table
    if not len(particles.table) and not options.shard:
        reasons = [f"{len(done)} micrographs have no coordinates"] if len(done) else []
        reasons += [f"{len(failed)} failed ({failed_beside(table_of(options))} says why)"] if len(failed) else []
        raise CryopairError(f"{options.star}: not one particle was cut: {' and '.join(reasons) or 'no micrographs'}.")
    return finish(options, particles.micrographs, f"{len(particles.table)} particles")


def add_check_options(sub: argparse.ArgumentParser) -> None:
    """Add the options of ``check``."""
    add = sub.add_argument
    add("star", type=Path, metavar="PARTICLES", help="particles.star of cryopair or of RELION 3.1 and later")
    add("--page", type=Path, metavar="PNG", help="draw a page of particles, chosen at random")
    add("--count", type=int, default=100, metavar="N", help="particles on the page (default: %(default)s)")
    add(
        "--low-pass",
        type=float,
        default=20.0,
        metavar="Å",
        help="blur them below this spacing, 0 for raw (default: %(default)g)",
    )
    add("--seed", type=int, default=1, help="of the choice of particles (default: %(default)s)")
    sub.epilog = "Exit code 0 if no check fails, 1 if one does. Run it in the project folder."


def check(options: argparse.Namespace) -> int:
    """Audit a set of particles."""
    from ..particles.audit import Verdict, audit_particles, draw_page

    findings = audit_particles(options.star, seed=options.seed)
    print("\n".join(finding.line() for finding in findings))
    if options.page:
        drawn = draw_page(options.star, options.page, count=options.count, seed=options.seed, low_pass=options.low_pass)
        print(f"page  {options.page}: {drawn} particles")
    failed = [finding.check for finding in findings if finding.verdict is Verdict.FAIL]
    print(f"check: {options.star} {'FAILS: ' + ', '.join(failed) if failed else 'passes'}")
    return 1 if failed else 0
