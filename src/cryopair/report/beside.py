"""The folder ``report/`` beside the page: every figure as SVG and PNG, every table as CSV."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..formats.atomic import write_text
from .curves import Rings, medians
from .svg import Chart
from .table import Grid

FOLDER, FIGURES, TABLES = "report", "figures", "tables"


def write_figures(folder: Path, charts: Iterable[Chart]) -> None:
    """Write the figures in place of those of an earlier report."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for chart in charts:
        chart.write(folder)


def write_tables(
    folder: Path,
    *,
    grid: Grid,
    summary: Mapping[str, object],
    rings: Rings | None,
    failed: Sequence[Mapping[str, str]],
    history: Sequence[Mapping[str, float]],
) -> None:
    """Write the tables in place of those of an earlier report.

    ``micrographs.csv``, ``summary.csv`` and ``failed.csv`` always; ``frequencies.csv`` (medians over the micrographs)
    and ``training.csv`` where there is something to say.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    grid.write_csv(folder / "micrographs.csv")
    write_csv(folder / "summary.csv", ("figure", "value"), summary.items())
    labels = ("rlnMicrographName", "cryopairStage", "cryopairReason")
    write_csv(folder / "failed.csv", ("micrograph", "stage", "reason"), ([row[n] for n in labels] for row in failed))
    if rings is not None:
        curves = medians(rings)
        write_csv(folder / "frequencies.csv", curves, zip(*curves.values(), strict=True))
    if history:
        write_csv(folder / "training.csv", history[0], (line.values() for line in history))


def write_csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Write a table; numbers that are not known are left empty."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    write_text(path, stream.getvalue())


def _cell(value: object) -> object:
    if isinstance(value, float):
        return "" if value != value else f"{value:.6g}"
    return value
