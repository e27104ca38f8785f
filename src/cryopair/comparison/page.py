"""The command ``compare``: measure, and show on one page with the same gallery as the report's."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tqdm import tqdm

from ..errors import UsageError
from ..formats.atomic import write_text
from ..formats.mrc import read_mrc
from ..micrographs import Micrographs, Row, mirrored
from ..report.beside import FIGURES, write_csv, write_figures
from ..report.formatting import fixed
from ..report.gallery import DISAGREEMENT, View, layers, thumbnail
from ..report.table import Column, Grid
from ..report.templates import fill
from .figures import gain_and_bias
from .measure import RAW, Figures, columns, measure_methods
from .methods import Denoiser, Folder, Method, denoised_micrograph
from .summary import Summary, compared, summarise

MOST_IMAGES = 36
"""In the gallery, to keep the page small; one micrograph is shown always."""


def compare(
    micrographs: Micrographs,
    methods: Sequence[Method],
    *,
    out: Path,
    count: int = 8,
    truth: Path | None = None,
    device: torch.device | str = "cpu",
) -> list[Summary]:
    """Compare denoisers on the same halves, and write ``compare.html``, ``compare.csv`` and ``summary.csv``.

    Parameters
    ----------
    micrographs : Micrographs
        With ``rlnMicrographNameEven`` and ``rlnMicrographNameOdd``.
    methods : sequence of Method
        With names of their own.
    out : Path
        Folder for the results.
    count : int
        Micrographs to compare at most, spread over the list; those that a model was trained on only if there are
        not enough others.
    truth : Path, optional
        Folder of noise-free images under the names of the micrographs, of simulated data.
    device : torch.device or str
        Where models compute.

    Returns
    -------
    list of Summary
        One for raw, for each kind of simple filter, and for each method.

    Raises
    ------
    UsageError
        When two methods have one name, or the list has no halves.
    BadFileError
        When an image is missing or of another size.
    """
    _check(micrographs, methods)
    rows = _choose(micrographs, methods, count)
    for method in methods:
        if isinstance(method, Folder):
            method.check([row["rlnMicrographName"] for row in rows])
    figures = [
        one
        for row in tqdm(rows, desc="compare", unit="mic", file=sys.stderr)
        for one in measure_methods(micrographs, row, methods, truth=truth, device=device)
    ]
    summaries = summarise(figures)
    chart = gain_and_bias(figures, [line.method for line in summaries if line.method != RAW])
    page = fill(
        "comparison.html.j2",
        summaries=summaries,
        compared=len(compared(figures)),
        trained_on=any(one.trained_on for one in figures if one.micrograph in compared(figures)),
        total=len(rows),
        unmeasured=[line.method for line in summaries if line.snr != line.snr],
        with_truth=truth is not None,
        views=_views(micrographs, rows, methods, figures, device=device),
        chart=chart,
        grid=_grid(figures),
        raw=RAW,
    )
    lines = [columns(one) for one in figures]
    write_csv(out / "compare.csv", lines[0], (line.values() for line in lines))
    medians = ([getattr(line, name) for name in _SUMMARY.values()] for line in summaries)
    write_csv(out / "summary.csv", _SUMMARY, medians)
    write_figures(out / FIGURES, [chart])
    write_text(out / "compare.html", page)
    return summaries


_SUMMARY = {
    "method": "method",
    "median_snr_db": "snr",
    "median_gain_db": "gain",
    "worst_gain_db": "worst_gain",
    "median_bias_db": "bias",
    "median_lost_db": "lost",
    "median_invented_db": "invented",
    "median_snr_against_truth_db": "truth",
    "median_grey_scale": "grey_scale",
}


def table_lines(summaries: Sequence[Summary], *, with_truth: bool) -> list[str]:
    """Return the summary as aligned text."""
    heads = ["", "SNR dB", "gain dB", "worst gain", "bias dB", "lost dB", "invented dB"]
    names = ["snr", "gain", "worst_gain", "bias", "lost", "invented"]
    if with_truth:
        heads, names = [*heads, "truth dB"], [*names, "truth"]
    rows = [heads, *([line.method, *(fixed(getattr(line, name), 2) for name in names)] for line in summaries)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(heads))]
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows]


def _check(micrographs: Micrographs, methods: Sequence[Method]) -> None:
    if "rlnMicrographNameEven" not in micrographs.table:
        raise UsageError("the list has no half-sums, so nothing can be measured: give a halves.star.")
    names = [RAW, "binning", "Gaussian", "Wiener", *(method.name for method in methods)]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"two things to compare are called {twice}: name them, as in OTHER=FOLDER.")


def _choose(micrographs: Micrographs, methods: Sequence[Method], count: int) -> list[Row]:
    """Choose micrographs evenly over the list, if possible those that no model was trained on."""
    known = frozenset().union(*(method.trained_on for method in methods if isinstance(method, Denoiser)))
    rows = list(micrographs.table.rows())
    held_out = [row for row in rows if row["rlnMicrographName"] not in known]
    chosen = held_out or rows
    return [chosen[int(place)] for place in np.unique(np.linspace(0, len(chosen) - 1, min(count, len(chosen))).round())]


def _views(
    micrographs: Micrographs,
    rows: Sequence[Row],
    methods: Sequence[Method],
    figures: Sequence[Figures],
    *,
    device: torch.device | str,
) -> list[View]:
    most = max(1, MOST_IMAGES // (2 + 2 * len(methods)))
    views = []
    for number, row in enumerate(rows[:most], start=1):
        name, pixel_size = row["rlnMicrographName"], micrographs.pixel_size(row)
        raw = read_mrc(row["rlnMicrographNameEven"]) + read_mrc(row["rlnMicrographNameOdd"])
        found = {one.method: one for one in figures if one.micrograph == name}
        images = {
            method.name: denoised_micrograph(method, row, pixel_size=pixel_size, device=device) for method in methods
        }
        residuals = {
            f"residual of {method}": raw - image
            for method, image in images.items()
            if _has_grey_levels_of_raw(found[method])
        }
        alike = [image for method, image in images.items() if _has_grey_levels_of_raw(found[method])]
        differing = {DISAGREEMENT: disagreement(alike)} if len(alike) > 1 else {}
        facts = {"Micrograph": str(mirrored(name)), "SNR, raw": f"{fixed(found[RAW].snr_raw)} dB"}
        for method in methods:
            one = found[method.name]
            facts[method.name] = f"{fixed(one.snr)} dB, bias {fixed(one.bias)} dB"
        views.append(
            View(
                key=str(number),
                place="",
                label=str(mirrored(name)),
                layers=layers({RAW: raw, **images, **residuals, **differing}),
                thumbnail=thumbnail(images[methods[0].name]),
                shape=(raw.shape[0], raw.shape[1]),
                pixel_size=pixel_size,
                facts=facts,
            )
        )
    return views


def disagreement(images: Sequence[npt.NDArray]) -> npt.NDArray[np.float32]:
    """Return the standard deviation at each pixel of what several methods make of one micrograph.

    The mean grey level of each is left out: what differs is the picture. Where it is bright, at least one of them
    cannot be trusted.

    Parameters
    ----------
    images : sequence of numpy.ndarray
        Two or more, shape ``(height, width)``, in the same grey levels.
    """
    return np.std([image - image.mean() for image in images], axis=0, ddof=1, dtype=np.float32)


def _has_grey_levels_of_raw(one: Figures) -> bool:
    return 0.5 < one.grey_scale < 2


def _grid(figures: Sequence[Figures]) -> Grid:
    shown = [
        Column(key="number", heading="#", values=list(range(1, len(figures) + 1)), digits=0),
        Column(key="name", heading="Micrograph", values=[str(mirrored(one.micrograph)) for one in figures]),
        Column(key="method", heading="Method", values=[" ".join((one.method, one.setting)).strip() for one in figures]),
    ]
    for name, heading in (
        ("snr", "SNR"),
        ("gain", "Gain"),
        ("bias", "Bias"),
        ("lost", "Lost"),
        ("invented", "Invented"),
        ("truth", "SNR against truth"),
    ):
        values = [getattr(one, name) for one in figures]
        if any(value == value for value in values):
            shown.append(Column(key=f"{name}_db", heading=heading, unit="dB", digits=1, values=values))
    return Grid(
        name="figures",
        label="Every method on every micrograph",
        columns=shown,
        chips={row: "trained on it" for row, one in enumerate(figures) if one.trained_on},
        reasons={},
        links={},
    )
