"""How good a network is on pairs that it was not trained on, without any truth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..inference import denoise_normalised
from ..networks.base import Network
from .pairs import OpenPair

VALIDATION_SIDE = 512
VALIDATION_PAIRS = 8
"""As many held-out pairs, and as large a part of each, tell the excess well enough; more would only take time."""


@dataclass(frozen=True)
class Validation:
    """How well a network predicts one half from the other, on held-out pairs.

    Attributes
    ----------
    mse : float
        Mean square of prediction minus other half, in squared units of the normalised noise.
    excess : float
        `mse` less the noise variance of the other half, which no prediction can avoid: the mean square
        error of one denoised half against the signal itself. It can come out below zero by chance.
    signal : float
        Signal power: the covariance of the halves.
    """

    mse: float
    excess: float
    signal: float

    @property
    def snr_db(self) -> float:
        """Signal over excess in dB; NaN when either is not above zero."""
        if self.signal <= 0 or self.excess <= 0:
            return math.nan
        return 10 * math.log10(self.signal / self.excess)


def validate(network: Network, pairs: Sequence[OpenPair], *, device: torch.device | str = "cpu") -> Validation:
    """Measure a network on the centres of pairs that it was not trained on, in both directions.

    With inputs ``e``, ``o`` and ``f`` the network: ``mse = mean((f(e) - o)² + (f(o) - e)²) / 2``; the noise
    variance, averaged over the halves, is ``mean((e - o)²) / 2``. The noise of the target appears in both
    and cancels, so that the excess is known far better than either.
    """
    sums = np.zeros(4)
    for pair in pairs:
        even, odd = pair.centre(VALIDATION_SIDE, network.grid)
        from_even, from_odd = (denoise_normalised(half, network, device=device) for half in (even, odd))
        mse = np.mean((from_even - odd) ** 2 + (from_odd - even) ** 2, dtype=np.float64) / 2
        noise = np.mean((even - odd) ** 2, dtype=np.float64) / 2
        signal = np.mean((even - even.mean()) * (odd - odd.mean()), dtype=np.float64)
        sums += np.array([mse, noise, signal, 1.0]) * even.size
    mse, noise, signal = sums[:3] / sums[3]
    return Validation(mse=float(mse), excess=float(mse - noise), signal=float(signal))
