"""How near an image comes to its truth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from simulated_pairs import PIXEL_SIZE

from cryopair.denoiser.normalise import Normalisation
from cryopair.formats.mrc import read_mrc
from cryopair.quality.against_truth import snr_db_against_truth
from cryopair.quality.baselines import baselines
from cryopair.quality.spectra import measure_spectra

_SMOOTH = 5  # rings over which the correlation is averaged


@dataclass(frozen=True)
class Score:
    """Against the truth: SNR in dB, and the spatial frequency in 1/Å up to which the correlation is 0.5 or better."""

    snr_db: float
    frc_half: float


def score(image: npt.NDArray, truth: npt.NDArray) -> Score:
    spectra = measure_spectra((image, truth), (image, truth), pixel_size=PIXEL_SIZE)
    rings = np.convolve(spectra.frc_raw, np.full(_SMOOTH, 1 / _SMOOTH), mode="valid")
    middles = spectra.frequency[_SMOOTH // 2 : _SMOOTH // 2 + len(rings)]
    # The last such ring, not the first that is worse: at the zeros of the CTF there is nothing to correlate.
    good = middles[rings >= 0.5]
    return Score(snr_db_against_truth(image, truth, pixel_size=PIXEL_SIZE), float(good[-1]) if len(good) else 0.0)


def score_filters(stems: Iterable[Path]) -> dict[str, list[Score]]:
    """Score the simple filters; binning and Gaussian with the setting that is best for each image."""
    scores: dict[str, list[Score]] = {}
    for stem in stems:
        truth = read_truth(stem)
        halves = [read_mrc(stem.with_name(f"{stem.name}_{half}.mrc")) for half in ("EVN", "ODD")]
        levels = [Normalisation.of(half) for half in halves]
        even, odd = (level.apply(half) for level, half in zip(levels, halves, strict=True))
        best: dict[str, Score] = {}
        for kind, _, work in baselines(even, odd):
            new = score(levels[0].undo(work(even)) + levels[1].undo(work(odd)), truth)
            best[kind] = max(new, best.get(kind, new), key=lambda each: each.snr_db)
        for kind, found in best.items():
            scores.setdefault(kind, []).append(found)
    return scores


def read_truth(stem: Path) -> npt.NDArray[np.float32]:
    return read_mrc(stem.with_name(f"{stem.name}_truth.mrc"))


def summary(scores: Sequence[Score], raw: Sequence[Score]) -> list[str]:
    """Return for the table: mean SNR, mean and worst gain over raw, mean FRC-0.5 in Å, on how many it is below raw."""
    gains = [one.snr_db - before.snr_db for one, before in zip(scores, raw, strict=True)]
    below = sum(one.frc_half < before.frc_half for one, before in zip(scores, raw, strict=True))
    frequency = np.mean([one.frc_half for one in scores])
    return [
        f"{np.mean([one.snr_db for one in scores]):.2f}",
        f"{np.mean(gains):.2f}",
        f"{min(gains):.2f}",
        f"{1 / frequency:.1f}" if frequency else "-",
        f"{below}/{len(scores)}",
    ]
