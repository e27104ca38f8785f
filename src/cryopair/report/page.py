"""The stage ``report``: one page of HTML that needs nothing but a browser, and its figures and tables as files."""

from __future__ import annotations

import importlib.metadata
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import __version__
from ..formats.atomic import write_text
from ..motion import read_motion
from . import figures
from .beside import FIGURES, FOLDER, TABLES, write_figures, write_tables
from .captions import CAPTIONS
from .data import MicrographResult, Results, read_results
from .formatting import DASH, fixed
from .gallery import choose, render
from .images import choose_particles, contact_sheet, jpeg_uri
from .motion import track
from .outliers import flag_picks
from .svg import Chart
from .table import Grid, micrograph_grid
from .templates import fill
from .verdict import Headline, headline, judge, median

PARTICLES, COLUMNS, PARTICLE_SIDE = 40, 10, 96
"""Particles shown, in how many columns, and how wide each is in pixels."""
LISTED = 200
"""Failures, and exclusions, on the page at most."""
_PACKAGES = ("torch", "numpy", "snakemake")


def write_report(output: Path, *, model: Path, live: int | None = None) -> None:
    """Write ``report.html`` into the output folder of a session, and its figures and tables into ``report/``.

    The page holds everything it shows and asks nothing of the network. It has no dates: equal results are
    equal bytes. Pieces that the session did not make are left out.

    Parameters
    ----------
    output : Path
        Output folder, relative to the project, which is the working directory; the stage ``merge`` has run.
    model : Path
        Folder of the model that denoised, here or elsewhere.
    live : int, optional
        Seconds after which an open page reads itself again, for sessions that are still running. What the reader was
        looking at stays where it is.

    Raises
    ------
    BadFileError
        When ``halves.star`` or the model's card is missing, or a file is damaged.
    """
    results = read_results(output, model=model)
    results = replace(results, micrographs=flag_picks(results.micrographs))
    charts = draw(results)
    page, grid = render_page(results, charts=charts, live=live)
    write_figures(output / FOLDER / FIGURES, charts.values())
    write_tables(
        output / FOLDER / TABLES,
        grid=grid,
        summary=_summary(results, headline(results)),
        rings=results.rings,
        failed=results.failed,
        history=results.history,
    )
    write_text(output / "report.html", page)


def draw(results: Results) -> dict[str, Chart]:
    """Draw all charts that the results have figures for, name → chart."""
    micrographs = results.micrographs
    measured = any(math.isfinite(m.gain) for m in micrographs)
    drifting = _drifting(micrographs)
    typical = _typical_track(drifting)
    charts = [
        figures.snr_and_bias(micrographs) if measured else None,
        figures.histograms(micrographs) if measured or drifting else None,
        figures.frc(results.rings) if results.rings else None,
        figures.spectrum(results.rings) if results.rings else None,
        figures.training_curve(results.history) if results.history else None,
        figures.motion(micrographs) if drifting else None,
        figures.track(track(read_motion(str(typical.motion_star)))) if typical else None,
        figures.pick_counts(micrographs) if results.picked else None,
    ]
    return {chart.name: chart for chart in charts if chart}


def render_page(results: Results, *, charts: Mapping[str, Chart], live: int | None = None) -> tuple[str, Grid]:
    """Return the page as HTML, and the table of micrographs that is in it."""
    micrographs, figures_of_all = results.micrographs, headline(results)
    views = [render(place, micrograph) for place, micrograph in choose(micrographs)]
    grid = micrograph_grid(micrographs, shown={view.key for view in views})
    drifting = _drifting(micrographs)
    typical = _typical_track(drifting)
    picks = [m.picks for m in micrographs if m.picks is not None]
    page = fill(
        "page.html.j2",
        results=results,
        headline=figures_of_all,
        verdict=judge(figures_of_all, done=results.done, total=results.total),
        views=views,
        first_view=next((i for i, view in enumerate(views) if view.place == "median SNR"), 0),
        rings=_rings(results),
        charts={name: charts.get(name) for name in CAPTIONS},
        captions=CAPTIONS,
        loss_noise=_loss_noise(results.history),
        typical_motion=median(m.motion for m in drifting),
        typical=typical.label if typical else None,
        total_picks=sum(picks),
        median_picks=median(picks),
        sheet=_contact_sheet(results),
        grid=grid,
        held_out=sum(m.held_out for m in micrographs),
        outliers=sum(bool(m.flags) for m in micrographs),
        drifted=[row for row in results.drift if row.get("alarm") == "yes"],
        model_card=_model_card(results),
        versions={"cryopair": __version__, **_versions(), "python": platform.python_version()},
        live=live,
        tables=f"{FOLDER}/{TABLES}",
        files=f"{FOLDER}/{FIGURES}",
        listed=LISTED,
    )
    return page, grid


def _summary(results: Results, of_all: Headline) -> dict[str, object]:
    """Return the headline's numbers, named with their units."""
    return {
        "micrographs": results.total,
        "micrographs_done": results.done,
        "micrographs_measured": of_all.measured,
        "of_them_trained_on": of_all.trained_on,
        "median_snr_raw_db": of_all.snr_raw,
        "median_snr_denoised_db": of_all.snr_denoised,
        "median_gain_db": of_all.gain,
        "median_bias_db": of_all.bias,
        "picks": sum(m.picks or 0 for m in results.micrographs),
        "particles": len(results.particles.images) if results.particles else 0,
    }


def _loss_noise(history: Sequence[Mapping[str, float]]) -> float | None:
    """Return the share of the last loss that is noise of the target; None when it is not known."""
    if not history:
        return None
    excess, loss = (history[-1].get(key, math.nan) for key in ("validation_excess", "validation_mse"))
    return 1 - excess / loss if 0 <= excess < loss else None


def _rings(results: Results) -> dict[str, float]:
    """Return the radius of the circles around picks for each micrograph, in its pixels.

    The box is 1.5 particle diameters by cryopair's own advice; without particles, the circles only mark.
    """
    diameter = results.particles.box / 1.5 if results.particles else 80.0
    return {str(m.number): diameter / 2 / m.pixel_size for m in results.micrographs}


def _drifting(micrographs: Sequence[MicrographResult]) -> list[MicrographResult]:
    return [m for m in micrographs if math.isfinite(m.motion)]


def _typical_track(drifting: Sequence[MicrographResult]) -> MicrographResult | None:
    """Return the micrograph whose motion is the median (of an even number, the larger of the middle two)."""
    known = sorted((m for m in drifting if m.motion_star), key=lambda m: (m.motion, m.number))
    return known[len(known) // 2] if known else None


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
