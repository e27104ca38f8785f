"""Tables: STAR files by what is in them, and those of cryoSPARC."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..formats.coordinates import NO_SCORE, read_places
from ..formats.coordinates.cryosparc import has_locations, read_locations
from ..formats.cryosparc import read_table
from ..formats.star import Table, read_star
from ..motion import Motion, read_motion
from ..sources.cryosparc import groups, is_of_micrographs, read_exposures

_NAMES = "rlnMicrographName", "rlnMicrographMovieName", "rlnImageName"


def describe_star(path: Path) -> list[tuple[str, str]]:
    """Describe a motion STAR by its motion, any other by its blocks and optics groups."""
    blocks = read_star(path)
    if {"general", "global_shift"} <= blocks.keys():
        return _describe_motion(read_motion(path))
    return [
        *_describe_optics(blocks),
        *(line for name, table in blocks.items() for line in _describe_block(name, table)),
    ]


def describe_cryosparc(path: Path) -> list[tuple[str, str]]:
    """Describe a table of cryoSPARC; nothing in it is run."""
    table = read_table(path)
    lines = [("cryoSPARC", f"{len(table)} rows"), ("groups", ", ".join(groups(table)))]
    if has_locations(table):
        places = read_locations(path)
        lines.append(("particles", f"{sum(map(len, places))} on {len(places)} micrographs"))
    elif is_of_micrographs(table):
        micrographs = read_exposures(path)
        lines += [("micrographs", str(len(micrographs.table))), *_describe_optics({"optics": micrographs.optics})]
    return lines


def describe_coordinates(path: Path) -> list[tuple[str, str]]:
    """Describe coordinates of particles in any format."""
    found = read_places(path)
    places = max(found, key=len)
    lines = [
        ("coordinates", f"{sum(map(len, found))} particles on {len(found)} {'image' if len(found) == 1 else 'images'}")
    ]
    if len(places):
        where = f" on {places.image}" if places.image else ""
        reach = ", ".join(f"{axis} {v.min():g} to {v.max():g}" for axis, v in (("x", places.x), ("y", places.y)))
        lines.append(("centres", f"{reach} px{where}"))
        scored = places.score[places.score != NO_SCORE]
        lines.append(("scores", f"{scored.min():g} to {scored.max():g}" if len(scored) else "none"))
    return lines


def _describe_motion(motion: Motion) -> list[tuple[str, str]]:
    used = motion.used_frames
    shifts = motion.global_shifts[used.start : used.stop]
    total = float(np.hypot(*np.diff(shifts, axis=0).T).sum())
    grid = "binned" if motion.early_binning and motion.binning != 1 else "raw"
    local = "none" if motion.local_coefficients is None else f"third-order polynomial, in {grid} pixels"
    height, width = motion.micrograph_shape
    lines = [
        ("motion of", motion.movie),
        ("movie", f"{motion.frames} frames of {motion.width} x {motion.height} px, {motion.pixel_size:g} Å/px"),
        ("used", f"frames {used.start + 1} to {used.stop}"),
        ("micrograph", f"{width} x {height} px, {motion.micrograph_pixel_size:g} Å/px, binning {motion.binning:g}"),
        ("dose", f"{motion.dose_per_frame:g} e/Å² per frame, {motion.pre_exposure:g} e/Å² before the first"),
        ("voltage", f"{motion.voltage:g} kV"),
        ("global", f"{total:.2f} raw px in all ({total * motion.pixel_size:.2f} Å)"),
        ("local", local),
        ("gain", motion.gain or "none"),
    ]
    if motion.defects:
        lines.append(("defects", motion.defects))
    lines.append(("hot pixels", str(len(motion.hot_pixels))))
    return lines


def _describe_optics(blocks: Mapping[str, Table]) -> list[tuple[str, str]]:
    if "optics" not in blocks:
        return []
    lines = []
    for row in blocks["optics"].rows():
        facts = [
            f"{float(row[label]):g} {unit}"
            for label, unit in (
                ("rlnMicrographPixelSize", "Å/px"),
                ("rlnImagePixelSize", "Å/px of the images"),
                ("rlnMicrographOriginalPixelSize", "Å/px of the movie"),
                ("rlnVoltage", "kV"),
                ("rlnSphericalAberration", "mm Cs"),
            )
            if label in row
        ]
        lines.append(("optics", f"{row.get('rlnOpticsGroupName', row.get('rlnOpticsGroup', '?'))}: {', '.join(facts)}"))
    return lines


def _describe_block(name: str, table: Table) -> list[tuple[str, str]]:
    if name == "optics":
        return []
    of_names = [f"first {label[3:]} {table[label][0]}" for label in _NAMES if label in table and len(table)]
    shown = ", ".join(label.removeprefix("rln") for label in table.labels)
    return [(name or "table", f"{len(table)} rows{''.join('; ' + text for text in of_names)}"), ("columns", shown)]
