"""``cryopair init``: look at a source, say what it is, and write a configuration that fits it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ..config import Config, parse_config
from ..config.rendering import render_schema, render_yaml
from ..errors import UsageError
from ..formats.atomic import write_text
from ..sources import Summary, read_source, summarise

_BOX_PER_DIAMETER = 1.5


def initialise(
    source: str, config_path: Path, *, output: str, diameter: float | None, settings: Mapping[str, str]
) -> list[str]:
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
    settings : mapping of str to str
        More settings: dotted key → value in YAML.

    Returns
    -------
    list of str
        What was found and what comes next, for the user.

    Raises
    ------
    UsageError
        When there is a configuration already, or a setting is wrong.
    BadFileError
        When the source cannot be read.
    """
    if config_path.exists():
        raise UsageError(f"{config_path} exists and is left as it is. Edit it, or delete it to start anew.")
    summary = summarise(read_source(source))
    values: dict[str, Any] = {
        "source": source,
        "output": output,
        "halves": {"dose_weighting": summary.dose_weighting is not False},
        "picking": {"diameter": diameter},
        "extraction": {"box": suggest_box(diameter, summary) if diameter else None},
    }
    for key, value in settings.items():
        *sections, name = key.split(".")
        place = values
        for section in sections:
            place = place.setdefault(section, {})
        place[name] = yaml.safe_load(value)
    config = parse_config(values, origin="--set")
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
        lines.append("The particles will carry no CTF; for that, start from the micrographs_ctf.star of a CtfFind job.")
    return [*lines, "Next: cryopair run"]
