"""The stage ``report``: one page of HTML that needs nothing but a browser."""

from __future__ import annotations

import importlib.metadata
import math
import platform
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from .. import __version__
from ..formats.atomic import write_text
from ..motion.model import read_motion
from . import figures
from .data import MicrographResult, Results, read_results
from .formatting import DASH, count, fixed, percent, signed
from .gallery import View, choose, render
from .images import choose_particles, contact_sheet, jpeg_uri
from .motion import track
from .verdict import headline, judge, median, share

ROWS = 2000
"""Rows of the table at most; browsers become slow with more."""
PARTICLES, COLUMNS, PARTICLE_SIDE = 40, 10, 96
"""Particles shown, in how many columns, and how wide each is in pixels."""
_PACKAGES = ("torch", "numpy", "snakemake")


def write_report(output: Path, *, model: Path) -> None:
    """Write ``report.html`` into the output folder of a session.

    The page holds everything it shows and asks nothing of the network. It has no dates: equal results are
    equal bytes. Pieces that the session did not make are left out.

    Parameters
    ----------
    output : Path
        Output folder, relative to the project, which is the working directory; the stage ``merge`` has run.
    model : Path
        Folder of the model that denoised, here or elsewhere.

    Raises
    ------
    BadFileError
        When ``halves.star`` or the model's card is missing, or a file is damaged.
    """
    write_text(output / "report.html", render_page(read_results(output, model=model)))


def render_page(results: Results) -> str:
    """Return the page as HTML."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"fixed": fixed, "signed": signed, "percent": percent, "count": count}
    environment.filters["quoted"] = lambda path: shlex.quote(str(path))
    environment.globals["inline"] = _inline
    return environment.get_template("page.html.j2").render(_context(results))


def _context(results: Results) -> dict[str, Any]:
    micrographs = results.micrographs
    figures_of_all = headline(results)
    views = [render(place, micrograph) for place, micrograph in choose(micrographs)]
    drifting = [m for m in micrographs if math.isfinite(m.motion_early + m.motion_late)]
    picks = [m.picks for m in micrographs if m.picks is not None]
    return {
        "results": results,
        "headline": figures_of_all,
        "verdict": judge(figures_of_all, done=results.done, total=results.total),
        "views": views,
        "first_view": next((i for i, view in enumerate(views) if view.place == "median SNR"), 0),
        "ring": _ring(results, views),
        "training": _svg(figures.training_curve(results.history)) if results.history else None,
        "loss_noise": _loss_noise(results.history),
        "snr": _svg(figures.snr_and_bias(micrographs)) if figures_of_all.measured else None,
        "frc": _svg(figures.frc(results.rings)) if results.rings else None,
        "spectrum": _svg(figures.spectrum(results.rings)) if results.rings else None,
        "motion": _svg(figures.motion(micrographs)) if drifting else None,
        "typical_motion": median(m.motion_early + m.motion_late for m in drifting),
        "track": _example_track(drifting),
        "total_picks": sum(picks),
        "median_picks": median(picks),
        "picks": _svg(figures.pick_counts(micrographs)) if picks else None,
        "sheet": _contact_sheet(results),
        "rows": micrographs[:ROWS],
        "share": share,
        "held_out": sum(m.held_out for m in micrographs),
        "model_card": _model_card(results),
        "versions": {"cryopair": __version__, **_versions(), "python": platform.python_version()},
    }


def _inline(name: str) -> Markup:
    """Return a file beside this module, to stand in the page as it is."""
    return Markup(Path(__file__).with_name(name).read_text(encoding="utf-8"))


def _svg(text: str) -> Markup:
    return Markup(text)


def _loss_noise(history: Sequence[Mapping[str, float]]) -> float | None:
    """Return the share of the last loss that is noise of the target; None when it is not known."""
    if not history:
        return None
    excess, loss = (history[-1].get(key, math.nan) for key in ("validation_excess", "validation_mse"))
    return 1 - excess / loss if 0 <= excess < loss else None


def _ring(results: Results, views: list[View]) -> dict[int, float]:
    """Return the radius of the circles around picks for each view, in pixels of the raw micrograph.

    The box is 1.5 particle diameters by cryopair's own advice; without particles, the circles only mark.
    """
    if results.particles:
        return {i: results.particles.box / 3 / view.micrograph.pixel_size for i, view in enumerate(views)}
    return {i: 0.015 * view.shape[1] for i, view in enumerate(views)}


def _example_track(drifting: list[MicrographResult]) -> Mapping[str, Any] | None:
    """Draw the micrograph whose motion is the median (of an even number, the larger of the middle two)."""
    known = [(m.motion_early + m.motion_late, m.number, m.label, m.motion_star) for m in drifting if m.motion_star]
    if not known:
        return None
    *_, label, star = sorted(known)[len(known) // 2]
    return {"label": label, "svg": _svg(figures.track(track(read_motion(star))))}


def _contact_sheet(results: Results) -> Mapping[str, Any] | None:
    if results.particles is None:
        return None
    names = choose_particles(results.particles.images, PARTICLES)
    if not names:
        return None
    sheet = contact_sheet(names, columns=min(COLUMNS, len(names)), side=PARTICLE_SIDE)
    return {"uri": jpeg_uri(sheet), "count": len(names), "height": sheet.shape[0], "width": sheet.shape[1]}


def _model_card(results: Results) -> dict[str, str]:
    card = results.card
    pairs, settings, validation = (card.get(key) or {} for key in ("pairs", "settings", "validation"))
    architecture = {k: v for k, v in card["architecture"].items() if k != "name"}
    facts = {
        "Folder": str(results.model),
        "Weights (SHA-256)": str(card["sha256"])[:12],
        "Network": f"{card['architecture'].get('name', '')} ({_listed(architecture)})",
        "Pixel size of training": f"{float(card['pixel_size']):g} Å/px" if card["pixel_size"] else "not known",
    }
    if pairs:
        train, held_out = pairs.get("train", "?"), pairs.get("validate", "?")
        facts["Trained on"] = f"{train} even/odd pairs; {held_out} more held out"
    if settings:
        facts["Training"] = _listed({k: v for k, v in settings.items() if k not in architecture})
    if validation.get("snr_db") is not None:
        facts["SNR of one denoised half"] = f"{fixed(validation['snr_db'])} dB on held-out pairs"
    if card.get("manifest_sha256"):
        facts["Training set (SHA-256)"] = str(card["manifest_sha256"])[:12]
    if card.get("versions"):
        facts["Made with"] = _listed(card["versions"])
    return facts


def _listed(values: Mapping[str, Any]) -> str:
    def plain(value: object) -> str:
        return DASH.join(map(str, value)) if isinstance(value, list) else str(value)

    return ", ".join(f"{key.replace('_', ' ')} {plain(value)}" for key, value in values.items())


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found
