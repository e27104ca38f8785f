"""``cryopair init``: look at a source, say what it is, and write a configuration that fits it."""

from __future__ import annotations

from pathlib import Path

from ..config import Config
from ..config.rendering import render_schema, render_yaml
from ..config.sections import Extraction, Halves, Picking
from ..errors import UsageError
from ..formats.atomic import write_text
from ..sources import Summary, read_source, summarise

_BOX_PER_DIAMETER = 1.5


def initialise(source: str, config_path: Path, *, output: str, diameter: float | None) -> list[str]:
    """Write ``config.yaml`` and its schema for a source.

    Parameters
    ----------
    source : str
        Micrographs STAR of a RELION job.
    config_path : Path
        Where to write the settings; never overwritten.
    output : str
        Output folder of the session.
    diameter : float or None
        Particle diameter in Å, if particles are to be picked.

    Returns
    -------
    list of str
        What was found and what comes next, for the user.

    Raises
    ------
    UsageError
        When there is a configuration already.
    BadFileError
        When the source cannot be read.
    """
    if config_path.exists():
        raise UsageError(f"{config_path} exists and is left as it is. Edit it, or delete it to start anew.")
    summary = summarise(read_source(source))
    config = Config(
        source=source,
        output=output,
        halves=Halves(dose_weighting=summary.dose_weighting is not False),
        picking=Picking(diameter=diameter),
        extraction=Extraction(box=suggest_box(diameter, summary) if diameter else None),
    )
    write_text(config_path, render_yaml(config))
    write_text(config_path.with_name("config.schema.json"), render_schema())
    return [source, *(f"  {line}" for line in summary.lines()), "", *_next_steps(config, config_path, summary)]


def suggest_box(diameter: float, summary: Summary) -> int:
    """Return an even box of about 1.5 particle diameters, in pixels of the micrographs."""
    return 2 * round(_BOX_PER_DIAMETER * diameter / summary.pixel_size / 2)


def _next_steps(config: Config, config_path: Path, summary: Summary) -> list[str]:
    if config.picking.diameter is None:
        goal = "denoise, and stop there (set picking.diameter to pick and extract)"
    else:
        goal = f"denoise, pick particles of {config.picking.diameter:g} Å, cut raw boxes of {config.extraction.box} px"
    lines = [f"Settings are in {config_path}. They say: {goal}."]
    if not summary.has_ctf and config.picking.diameter is not None:
        lines.append(
            "The particles will carry no CTF; for that, start from the micrographs_ctf.star of a CtfFind job."
        )
    return [*lines, "Next: cryopair run"]
