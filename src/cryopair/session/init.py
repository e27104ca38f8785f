"""``cryopair init``: look at a source, say what it is, and write a configuration that fits it."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from ..alignment.acquisition import IN_OPTICS
from ..config import Config, parse_config
from ..config.rendering import render_schema, render_yaml
from ..config.sections import Acquisition
from ..errors import UsageError
from ..formats.atomic import write_text
from ..formats.movies import EER_SUFFIXES
from ..micrographs import Micrographs
from ..sources import Kind, Summary, summarise
from .workflow import Session

_BOX_PER_DIAMETER = 1.5


def initialise(
    source: str, config_path: Path, *, output: str, diameter: float | None, settings: Mapping[str, str]
) -> list[str]:
    """Write ``config.yaml`` and its schema for a source.

    Parameters
    ----------
    source : str
        As `sources.read_source` takes it.
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
    values: dict[str, Any] = {"source": source, "output": output, "picking": {"diameter": diameter}}
    given = parse_config(_with_settings(values, settings), origin="--set")
    micrographs = Session(given).source()
    summary = summarise(micrographs)
    values["halves"] = {"dose_weighting": summary.dose_weighting is not False}
    if summary.kind is Kind.RAW:
        values["halves"] = {"dose_weighting": given.acquisition.dose_per_frame is not None}
    pixel_size = micrograph_pixel_size(micrographs, given)
    if diameter and pixel_size:
        values["extraction"] = {"box": suggest_box(diameter, pixel_size)}
    config = parse_config(_with_settings(values, settings), origin="--set")
    write_text(config_path, render_yaml(config))
    write_text(config_path.with_name("config.schema.json"), render_schema())
    return [
        source,
        *(f"  {line}" for line in summary.lines()),
        "",
        *_next_steps(config, config_path, micrographs, summary),
    ]


def suggest_box(diameter: float, pixel_size: float) -> int:
    """Return an even box of about 1.5 particle diameters (Å), in pixels of the micrographs (Å/px)."""
    return 2 * round(_BOX_PER_DIAMETER * diameter / pixel_size / 2)


def micrograph_pixel_size(micrographs: Micrographs, config: Config) -> float | None:
    """Return the pixel size that micrographs have, or will have when they are made of raw movies, in Å/px."""
    optics = micrographs.optics
    if "rlnMicrographPixelSize" in optics:
        return float(optics["rlnMicrographPixelSize"][0])
    of_movie = config.acquisition.pixel_size
    if "rlnMicrographOriginalPixelSize" in optics:
        of_movie = float(optics["rlnMicrographOriginalPixelSize"][0])
    return of_movie * config.alignment.binning if of_movie else None


def missing_acquisition(micrographs: Micrographs, config: Config) -> list[str]:
    """Return the settings that raw movies need and that neither their list nor the configuration has."""
    needed = [name for name, label in IN_OPTICS.items() if label not in micrographs.optics]
    needed = [name for name in needed if name in ("pixel_size", "voltage")] + ["dose_per_frame"]
    if Path(micrographs.table["rlnMicrographName"][0]).suffix.lower() in EER_SUFFIXES:
        needed.append("eer_grouping")
    return [name for name in needed if getattr(config.acquisition, name) is None]


def _with_settings(values: Mapping[str, Any], settings: Mapping[str, str]) -> dict[str, Any]:
    """Return values with settings put in by their dotted keys."""
    joined = deepcopy(dict(values))
    for key, value in settings.items():
        *sections, name = key.split(".")
        place = joined
        for section in sections:
            place = place.setdefault(section, {})
        place[name] = yaml.safe_load(value)
    return joined


def _next_steps(config: Config, config_path: Path, micrographs: Micrographs, summary: Summary) -> list[str]:
    if config.picking.picker == "files":
        goal = f"denoise, and wait for coordinates in {config.imported.files}"
    elif config.picking.diameter is None:
        goal = "denoise, and stop there (set picking.diameter to pick and extract)"
    elif config.extraction.box is None:
        goal = f"denoise and pick particles of {config.picking.diameter:g} Å (set extraction.box to cut boxes too)"
    else:
        goal = f"denoise, pick particles of {config.picking.diameter:g} Å, cut raw boxes of {config.extraction.box} px"
    lines = [f"Settings are in {config_path}. They say: {goal}."]
    if summary.kind is Kind.SINGLE and config.denoising.model is None:
        lines.append(
            "There are neither movies nor halves to train on: only an existing model can be applied. "
            "Set denoising.model to its folder."
        )
        return lines
    missing = missing_acquisition(micrographs, config) if summary.kind is Kind.RAW else []
    if missing:
        lines.append(f"The files do not say the {' and '.join(_said(name) for name in missing)}: set in 'acquisition:'")
        lines += [f"  {name}: {Acquisition.model_fields[name].description}" for name in missing]
    if not summary.has_ctf and config.picking.diameter is not None and summary.kind is Kind.MOTION:
        lines.append("The particles will carry no CTF; for that, start from the micrographs_ctf.star of a CtfFind job.")
    return [*lines, "Then: cryopair run" if missing else "Next: cryopair run"]


def _said(name: str) -> str:
    return name.replace("_", " ").replace("eer", "EER")
