"""The charts of the report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from .curves import Curves, Rings, quantile
from .data import MicrographResult
from .formatting import MINUS
from .svg import BLUE, FULL, GREEN, GREY, HALF, INK, ORANGE, VERMILION, Chart

_FEW = 150
"""Up to so many micrographs are drawn one by one; more, as small dots."""
_MANY = 1500
"""More dots than this are drawn as pixels, to keep the page small."""

Values = npt.NDArray[np.float64]


def training_curve(history: Sequence[dict[str, float]]) -> Chart:
    """Draw excess error and SNR of the held-out pairs against the step."""
    step, excess, snr, loss = (
        np.array([line.get(key, np.nan) for line in history])
        for key in ("step", "validation_excess", "validation_snr_db", "validation_mse")
    )
    chart = Chart("training", "Loss, excess error and SNR on held-out pairs against training step")
    with chart.axes(width=FULL, height=2.9, columns=3) as (left, middle, right):
        left.plot(step, loss, color=GREY, marker="o", markersize=3.5, linestyle="--")
        left.set(title="Bare loss", ylabel="mean squared error / σ²", ylim=(0, 1.15 * max(_highest(loss), 0.1)))
        middle.plot(step, excess, color=VERMILION, marker="o", markersize=3.5)
        middle.set(title="Excess error", ylabel="mean squared error / σ²")
        if _highest(-excess) < 0:
            middle.set_ylim(0, min(1.1 * _highest(excess), 4 * float(np.nanmedian(excess))))
        right.plot(step, snr, color=BLUE, marker="o", markersize=3.5)
        right.set(title="SNR of one denoised half", ylabel="SNR / dB")
        for axes in (left, middle, right):
            axes.set(xlabel="training step", xlim=(0, None))
            axes.title.set(fontsize=10, fontweight="bold")
    return chart


def snr_and_bias(micrographs: Sequence[MicrographResult]) -> Chart:
    """Draw raw and denoised SNR of every micrograph, and the bias below."""
    number = _column(micrographs, "number")
    raw, denoised, bias = (_column(micrographs, name) for name in ("snr_raw", "snr_denoised", "bias"))
    held_out = np.array([m.held_out for m in micrographs])
    chart = Chart("snr", "SNR before and after denoising, and bias, of each micrograph")
    with chart.axes(width=FULL, height=4.8, rows=2) as (top, bottom):
        if len(number) <= _FEW:
            top.vlines(number, raw, denoised, color="#b8c2cc", linewidth=1.4, zorder=1)
        _dots(top, number, raw, color=GREY, marker="o", hollow=True, label="raw")
        _dots(top, number, denoised, color=BLUE, marker="o", label="denoised (bias counts as noise)")
        _dots(bottom, number, bias, color=VERMILION, marker="D", label="bias")
        if held_out.any():
            for axes, values, label in ((top, denoised, "held out from training"), (bottom, bias, "")):
                axes.scatter(
                    number[held_out],
                    values[held_out],
                    s=95,
                    facecolors="none",
                    edgecolors=GREEN,
                    linewidths=1.6,
                    label=label or None,
                    zorder=4,
                )
        top.set(ylabel="SNR / dB")
        _legend(top, columns=3, markers=_marker_scale(len(number)))
        _reference(bottom, -3, f"{MINUS}3 dB: half of the signal")
        low, high = bottom.get_ylim()
        bottom.set(ylabel="bias / dB of the signal", ylim=(low, max(high, 0)))
        _by_micrograph(bottom, len(number))
    return chart


def frc(rings: Rings) -> Chart:
    """Draw the even/odd FRC before and after denoising: medians, and bands of the middle 80 %."""
    chart = Chart("frc", "Fourier ring correlation of even and odd halves, raw and denoised")
    with chart.axes(width=HALF, height=3.5) as (axes,):
        _band(axes, rings.frequency, rings.frc_raw, color=GREY, label="raw", linestyle="--")
        _band(axes, rings.frequency, rings.frc_denoised, color=BLUE, label="denoised")
        if np.isfinite(rings.frc_cross).any():
            label = "denoised, raw of the other half"
            _band(axes, rings.frequency, rings.frc_cross, color=GREEN, label=label, linestyle="-.")
        axes.set(ylabel="correlation of the halves", ylim=(-0.05, 1.03))
        axes.axhline(0, color=GREY, linewidth=0.8)
        _by_frequency(axes, rings)
        _legend(axes, columns=2)
    return chart


def spectrum(rings: Rings) -> Chart:
    """Draw the powers of signal, noise, noise left and bias by spatial frequency.

    Beyond the last ring with signal, bias is all of a signal that is not known, and neither is drawn.
    """
    chart = Chart("spectrum", "Power of signal, noise, residual noise and bias by spatial frequency")
    end = rings_with_signal(rings)
    everywhere = len(rings.frequency)
    curves = (
        (rings.signal, end, "signal", INK, "-"),
        (rings.noise, everywhere, "raw noise", GREY, "--"),
        (rings.bias, end, "bias", VERMILION, (0, (1, 0.8))),
        (rings.residual, everywhere, "noise left", BLUE, "-."),
    )
    with chart.axes(width=HALF, height=3.5) as (axes,):
        drawn = []
        for values, stop, label, color, style in curves:
            median = _smooth(quantile(values, 50))[:stop]
            drawn.append(np.where(median > 0, median, np.nan))
            axes.plot(rings.frequency[:stop], drawn[-1], color=color, linestyle=style, label=label)
        bounds = np.concatenate([values[:end] for values in drawn])
        bounds = bounds[np.isfinite(bounds)]
        axes.set(yscale="log", ylabel="power of one half / σ²")
        if bounds.size:
            axes.set_ylim(bounds.min() / 4, max(bounds.max(), _highest(drawn[1])) * 2)
        _by_frequency(axes, rings)
        _legend(axes, columns=4)
    return chart


def rings_with_signal(rings: Rings) -> int:
    """Return how many rings, from the lowest on, have a median raw FRC that can be told from noise.

    The noise of that curve is taken from the differences of neighbouring rings, so that zeros of the CTF,
    which are smooth, are passed over.
    """
    curve = quantile(rings.frc_raw, 50)
    if len(curve) < 2:
        return len(curve)
    noise = 1.4826 * float(np.median(np.abs(np.diff(curve)))) / np.sqrt(2)
    clear = np.flatnonzero(_smooth(np.where(_smooth(curve) > 3 * noise, 1.0, 0.0)) > 0.5)
    return int(clear[-1]) + 1 if clear.size else len(curve)


def motion(micrographs: Sequence[MicrographResult]) -> Chart:
    """Draw early and late motion of every micrograph."""
    number = _column(micrographs, "number")
    chart = Chart("motion", "Early and late accumulated motion of each micrograph")
    with chart.axes(width=0.64 * FULL, height=3.3) as (axes,):
        _dots(
            axes,
            number,
            _column(micrographs, "motion_early"),
            color=ORANGE,
            marker="^",
            label="early (first 4 e/Å²)",
        )
        _dots(axes, number, _column(micrographs, "motion_late"), color=BLUE, marker="o", label="late (after)")
        axes.set(ylabel="length of the path / Å", ylim=(0, None))
        _by_micrograph(axes, len(number))
        _legend(axes, columns=2, markers=_marker_scale(len(number)))
    return chart


def track(positions: Values) -> Chart:
    """Draw the drift of one movie, shape ``(frames, 2)``, in Å."""
    chart = Chart("track", "Drift of one movie, frame by frame")
    with chart.axes(width=0.36 * FULL, height=3.3) as (axes,):
        x, y = positions.T
        axes.plot(x, y, color="#b8c2cc", linewidth=1.4, zorder=1)
        axes.scatter(x, y, s=20, color=BLUE, zorder=2)
        axes.scatter(x[:1], y[:1], s=60, color=ORANGE, marker="^", zorder=3, label="first frame")
        axes.scatter(x[-1:], y[-1:], s=46, color=INK, marker="s", zorder=3, label="last frame")
        axes.set(xlabel="x / Å", ylabel="y / Å")
        reach = 0.6 * max(np.ptp(x), np.ptp(y), 1.0)
        for values, limits in ((x, axes.set_xlim), (y, axes.set_ylim)):
            middle = (values.min() + values.max()) / 2
            limits(middle - reach, middle + reach)
        axes.set_aspect("equal", adjustable="box")
        axes.invert_yaxis()  # row 0 is shown on top, as in the images
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, columnspacing=1.0, handletextpad=0.2)
    return chart


def pick_counts(micrographs: Sequence[MicrographResult]) -> Chart:
    """Draw how many particles were picked on every micrograph."""
    picked = [m for m in micrographs if m.picks is not None]
    number, counts = _column(picked, "number"), _column(picked, "picks")
    chart = Chart("picks", "Picks on each micrograph")
    with chart.axes(width=FULL, height=2.6) as (axes,):
        if len(number) <= _FEW:
            axes.bar(number, counts, color=BLUE, width=0.72)
        else:
            _dots(axes, number, counts, color=BLUE, marker="o", label="")
        median = float(np.median(counts))
        _reference(axes, median, f"median {median:g}")
        axes.set(ylabel="picks", ylim=(0, 1.12 * max(counts.max(), 1)))
        _by_micrograph(axes, len(micrographs))
    return chart


def histograms(micrographs: Sequence[MicrographResult]) -> Chart:
    """Draw how the figures are distributed over the micrographs, those that the model was trained on apart."""
    shown = []
    for name, label, color in (
        ("snr_raw", "raw SNR / dB", GREY),
        ("snr_denoised", "denoised SNR / dB", BLUE),
        ("bias", "bias / dB of the signal", VERMILION),
        ("motion", "motion / Å", ORANGE),
        ("defocus", "defocus / µm", INK),
        ("picks", "picks", BLUE),
    ):
        values = _column(micrographs, name) / (1e4 if name == "defocus" else 1)
        if np.isfinite(values).any():
            shown.append((label, color, values))
    trained = np.array([m.role == "train" for m in micrographs], dtype=bool)
    chart = Chart("histograms", "Histograms of the figures of all micrographs")
    columns = 3
    rows = -(-len(shown) // columns)
    with chart.axes(width=FULL, height=0.3 + 2.1 * rows, columns=columns, rows=rows, shared=False) as all_axes:
        for axes in all_axes[len(shown) :]:
            axes.set_visible(False)
        for place, (label, color, values) in enumerate(shown):
            _histogram(all_axes[place], values, trained, color=color, label=label)
            if place % columns == 0:
                all_axes[place].set_ylabel("micrographs")
    return chart


def _histogram(axes: Axes, values: Values, trained: npt.NDArray[np.bool_], *, color: str, label: str) -> None:
    known = np.isfinite(values)
    tails = (0.5, 99.5) if known.sum() > _FEW else (0, 100)
    low, high = np.percentile(values[known], tails)
    reach = max(float(high - low), 1e-6, 0.02 * abs(float(high)))
    bins = np.linspace(low - 0.05 * reach, high + 0.05 * reach, int(np.clip(2 * np.sqrt(known.sum()), 6, 50)) + 1)
    inside = np.clip(values[known], bins[0], bins[-1])  # what is beyond is in the first and last bar
    axes.hist(inside, bins=bins.tolist(), color=color, alpha=0.85)
    if trained[known].any() and not trained[known].all():
        axes.hist(inside[trained[known]], bins=bins.tolist(), facecolor="none", edgecolor=INK, hatch="///", linewidth=0)
    axes.axvline(float(np.median(values[known])), color=INK, linewidth=1, linestyle="--")
    axes.set(xlabel=label)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.grid(visible=False, axis="x")


def _column(micrographs: Sequence[MicrographResult], name: str) -> Values:
    return np.array([getattr(m, name) for m in micrographs], dtype=np.float64)


def _highest(values: Values) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.max()) if finite.size else 1.0


def _dots(axes: Axes, x: Values, y: Values, *, color: str, marker: str, label: str, hollow: bool = False) -> None:
    few = len(x) <= _FEW
    axes.scatter(
        x,
        y,
        s=34 if few else 7,
        marker=marker,
        facecolors="white" if hollow and few else color,
        edgecolors=color,
        linewidths=1.5 if hollow and few else 0,
        label=label or None,
        rasterized=len(x) > _MANY,
        zorder=3,
    )


def _band(axes: Axes, x: Values, curves: Curves, *, color: str, label: str, linestyle: str = "-") -> None:
    low, median, high = (_smooth(quantile(curves, share)) for share in (10, 50, 90))
    if len(curves) > 2:
        axes.fill_between(x, low, high, color=color, alpha=0.16, linewidth=0)
    axes.plot(x, median, color=color, label=label, linestyle=linestyle)


def _reference(axes: Axes, y: float, text: str) -> None:
    """Draw a dashed level with a note at its right end."""
    axes.axhline(y, color=INK, linewidth=1, linestyle="--")
    axes.annotate(
        text,
        (1, y),
        xycoords=("axes fraction", "data"),
        xytext=(0, 3),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=8.5,
    )


def _smooth(values: Values) -> Values:
    """Average each ring with its neighbours, where rings are many: single ones are noisy."""
    if len(values) < 60:
        return values
    width = 5
    padded = np.pad(values, width // 2, mode="edge")
    return np.convolve(padded, np.full(width, 1 / width), mode="valid")


def _marker_scale(count: int) -> float:
    """Return how much larger markers are in the legend, where small dots could not be told apart."""
    return 1 if count <= _FEW else 2.2


def _legend(axes: Axes, *, columns: int, markers: float = 1) -> None:
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        markerscale=markers,
        ncols=columns,
        borderaxespad=0.2,
        handletextpad=0.5,
        columnspacing=1.4,
    )


def _by_micrograph(axes: Axes, count: int) -> None:
    axes.set(xlabel="micrograph, in the order of collection", xlim=(0.3, count + 0.7))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(visible=False, axis="x")


def _by_frequency(axes: Axes, rings: Rings) -> None:
    axes.set(xlabel="resolution / Å", xlim=(0, rings.frequency[-1]))
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda f, _: f"{1 / f:.3g}" if f > 0 else "∞"))
