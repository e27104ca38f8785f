"""Commands about particles: checking them."""

from __future__ import annotations

import argparse
from pathlib import Path


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
