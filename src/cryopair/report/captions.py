"""How to read each figure, and what would be bad: for the report, and for ``snakemake --report``.

``python -m cryopair.report.captions`` prints ``workflow/report/figures.rst``, which is made of the same sentences.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Caption:
    """Text under a figure.

    Attributes
    ----------
    title : str
        What the figure is.
    shows : str
        How to read it.
    bad : str
        What one would see if something were wrong.
    """

    title: str
    shows: str
    bad: str


CAPTIONS = {
    "snr": Caption(
        "SNR and bias, micrograph by micrograph",
        "Each micrograph's signal-to-noise ratio of all that is smaller than 500 Å, measured on its independent even "
        "and odd halves, in dB; the bias under it is the signal that the model lost or made up.",
        "a bias near or above −3 dB, however high the SNR looks: such a model blurs or invents; a level that drifts "
        "or jumps in the course of the session; held-out micrographs that do worse than their neighbours.",
    ),
    "histograms": Caption(
        "How the figures are distributed",
        "How many micrographs have which value; the dashed line is the median. Values beyond the axis are in the "
        "outermost bars; hatched are micrographs that the model was trained on.",
        "two humps, which mean two kinds of micrographs (another grid, carbon, thick ice), or a long tail towards low "
        "SNR, high bias or much motion.",
    ),
    "frc": Caption(
        "Agreement of the halves",
        "How well even and odd halves agree at each resolution, raw and denoised: medians, and the middle 80 % of "
        "micrographs. A denoised half against the raw other half cannot be raised by making things up.",
        "a raw curve at zero everywhere (no signal), or a denoised half that agrees with the raw other half less than "
        "the two raw halves do. The denoised curve is not a resolution: what a model makes up in both halves alike "
        "raises it too, most of all where hardly any power is left.",
    ),
    "spectrum": Caption(
        "Signal, noise and bias",
        "Power by resolution, in squares of the noise of one half: where bias (dotted) is far below the signal "
        "(solid), the image can be trusted; both are drawn as far as signal can be told from noise.",
        "bias that meets the signal at periods above a quarter of the particle’s diameter: even outlines could not be "
        "trusted.",
    ),
    "training": Caption(
        "Training",
        "The model on pairs that it was not trained on; σ is the noise of one half. The bare Noise2Noise loss stays "
        "near 1 since it is nearly all noise of the target, so progress shows only in the excess error, which should "
        "fall and level off.",
        "an excess error that is still falling at the end (train longer), or rises again (too few micrographs).",
    ),
    "motion": Caption(
        "Motion",
        "Length of the drift’s path in each movie, in Å, before and after the first 4 e/Å².",
        "single movies far above the rest, or early motion that grows through the session: leave them out, or look at "
        "the stage.",
    ),
    "track": Caption(
        "Drift of a typical movie",
        "The drift of a movie whose motion is the median, frame by frame, in Å; fast at first, then slow.",
        "jumps, or steps that do not shrink with dose.",
    ),
    "picks": Caption(
        "Picks",
        "Particles picked on each denoised micrograph.",
        "micrographs with none, or with several times the median: ice, carbon or a wrong diameter.",
    ),
}


def figures_rst() -> str:
    """Return the caption file of all figures: Snakemake fills in the one whose name is the wildcard ``figure``."""
    lines = []
    for place, (name, caption) in enumerate(CAPTIONS.items()):
        lines.append(f'{{% {"elif" if place else "if"} snakemake.wildcards.figure == "{name}" %}}')
        lines += [caption.shows, "", f"*Bad would be:* {caption.bad}"]
    return "\n".join([*lines, "{% endif %}"]) + "\n"


if __name__ == "__main__":
    print(figures_rst(), end="")
