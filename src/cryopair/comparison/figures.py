"""The chart of a comparison."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..report.svg import BLUE, FULL, INK, VERMILION, Chart
from .measure import Figures


def gain_and_bias(figures: Sequence[Figures], methods: Sequence[str]) -> Chart:
    """Draw what each method gained on each micrograph, and its bias; bars are medians."""
    chart = Chart("gain-and-bias", "Gain in SNR and bias of each method on each micrograph")
    with chart.axes(width=FULL, height=0.9 + 0.38 * len(methods), columns=2, shared=False) as (left, right):
        for axes, name, color in ((left, "gain", BLUE), (right, "bias", VERMILION)):
            for place, method in enumerate(methods):
                values = np.array([getattr(one, name) for one in figures if one.method == method], dtype=np.float64)
                values = values[np.isfinite(values)]
                spread = np.linspace(-0.2, 0.2, len(values)) if len(values) > 1 else np.zeros(len(values))
                axes.scatter(values, place + spread, s=20, color=color, alpha=0.75, linewidths=0)
                if len(values):
                    axes.vlines(np.median(values), place - 0.36, place + 0.36, color=INK, linewidth=1.6)
                else:
                    place_in = ("axes fraction", "data")
                    axes.annotate("not measured: no halves", (0.02, place), xycoords=place_in, va="center")
            axes.set(yticks=range(len(methods)), yticklabels=methods, ylim=(len(methods) - 0.5, -0.5))
            axes.grid(visible=False, axis="y")
        left.set(xlabel="gain in SNR / dB")
        right.set(xlabel="bias / dB of the signal", yticklabels=[])
    return chart
