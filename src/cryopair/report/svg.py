"""Charts as SVG that is part of the page (no dates, no outside names, text that stays text), and as files."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from ..formats.atomic import atomic_path, write_text

# Okabe and Ito's palette, which the colour-blind can tell apart; https://jfly.uni-koeln.de/color/
BLUE = "#0072B2"
ORANGE = "#E69F00"
GREEN = "#009E73"
VERMILION = "#D55E00"
INK = "#1f2933"
GREY = "#66727f"
FAINT = "#dfe4ea"

FULL, HALF = 10.4, 5.1
"""Widths of charts in inches: of the page, and of half of it."""
PNG_DPI = 150

_STYLE: Any = {  # newer stubs of matplotlib want literal keys
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.5,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 9.0,
    "lines.linewidth": 1.8,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "svg.fonttype": "none",
    "svg.hashsalt": "cryopair",
    "savefig.transparent": True,
}


class Chart:
    """A figure being drawn.

    Parameters
    ----------
    name : str
        Unique on the page; prefixes the ids within the SVG.
    label : str
        What a screen reader says.

    Attributes
    ----------
    svg : str
        The figure as an element of the page, once it is drawn.
    """

    def __init__(self, name: str, label: str) -> None:
        self.name, self.label = name, label
        self.svg = ""
        self._file = ""
        self._figure = Figure()

    @contextmanager
    def axes(
        self, *, width: float, height: float, columns: int = 1, rows: int = 1, shared: bool = True
    ) -> Iterator[list[Axes]]:
        """Give the axes to draw on; the SVG is made when the block ends.

        Parameters
        ----------
        width, height : float
            In inches.
        columns, rows : int
            Axes beside and below each other.
        shared : bool
            Whether those in a column share x.
        """
        with mpl.rc_context(_STYLE):
            figure = Figure(figsize=(width, height), layout="constrained")
            grid = figure.subplots(rows, columns, squeeze=False, sharex="col" if shared else False)
            yield list(grid.ravel())
            stream = io.StringIO()
            FigureCanvasSVG(figure).print_svg(stream, metadata={"Date": None})
            figure.set_layout_engine("none")  # it is laid out now, which takes longer than drawing
            self._figure, self._file = figure, stream.getvalue()
            self.svg = self._inline(self._file)

    def write(self, folder: Path) -> None:
        """Write ``<name>.svg`` and ``<name>.png``, on white."""
        white = '<rect width="100%" height="100%" fill="#ffffff"/>'
        write_text(folder / f"{self.name}.svg", self._file.replace(" <defs>", f" {white}\n <defs>", 1))
        with mpl.rc_context({**_STYLE, "savefig.transparent": False}):
            self._figure.set_facecolor("white")
            canvas = FigureCanvasAgg(self._figure)
            with atomic_path(folder / f"{self.name}.png") as path:
                self._figure.set_dpi(PNG_DPI)
                canvas.print_png(path, metadata={"Software": None})

    def _inline(self, file: str) -> str:
        text = file[file.index("<svg") :]
        text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
        text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
        text = re.sub(r'\s+xmlns(?::\w+)?="[^"]*"', "", text)  # implied inside HTML
        text = re.sub(r'\bid="', f'id="{self.name}-', text)
        text = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{self.name}-", text)
        head = f'<svg role="img" aria-label="{self.label}"'
        text = re.sub(r'<svg( width="[^"]*"| height="[^"]*")*', head, text, count=1)
        return re.sub(r' (width|height)="[\d.]+pt"', "", text, count=2)
