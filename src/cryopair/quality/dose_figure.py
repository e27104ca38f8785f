"""The dose curve drawn: SNR and agreement of picks against dose."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..formats.atomic import atomic_path
from .dose_curve import DosePoint, medians

_BLUE, _GREY, _GREEN, _FAINT = "#0072B2", "#66727f", "#009E73", "#c8d0d8"


def draw_dose_curve(path: Path, points: Sequence[DosePoint]) -> None:
    """Write the curve as PNG: each movie faint, the medians strong.

    Parameters
    ----------
    path : Path
        To write.
    points : sequence of DosePoint
        Of all movies. Where doses are not known, the axis is the number of frames.
    """
    middle = medians(points)
    known = all(point.dose > 0 for point in points)

    def dose(point: DosePoint) -> float:
        return point.dose if known else point.frames

    figure = Figure(figsize=(9.6, 3.6), layout="constrained", dpi=120)
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    for name in dict.fromkeys(point.micrograph for point in points):
        own = [point for point in points if point.micrograph == name]
        for axes, value in ((left, "snr_raw_db"), (left, "snr_denoised_db"), (right, "agreement")):
            axes.plot([dose(p) for p in own], [getattr(p, value) for p in own], color=_FAINT, linewidth=0.8)
    for axes, value, colour, label in (
        (left, "snr_denoised_db", _BLUE, "denoised (bias counts as noise)"),
        (left, "snr_raw_db", _GREY, "raw"),
        (right, "agreement", _GREEN, ""),
    ):
        axes.plot(
            [dose(p) for p in middle],
            [getattr(p, value) for p in middle],
            color=colour,
            marker="o",
            label=label or None,
        )
    left.set(title="Signal-to-noise ratio", ylabel="SNR / dB")
    left.legend(frameon=False)
    right.set(title="Picks that agree with those at full dose", ylabel="F1", ylim=(0, 1.03))
    for axes in (left, right):
        axes.set(xlabel="dose / (e/Å²)" if known else "frames", xlim=(0, None))
        axes.grid(color="#dfe4ea", linewidth=0.7)
        axes.spines[["top", "right"]].set_visible(False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
