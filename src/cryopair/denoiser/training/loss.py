"""The training loss: the squared error against the other half."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def pair_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Return the mean square of prediction minus other half (Noise2Noise).

    With ``e = s + n`` and ``o = s + m``, the noise ``m`` independent of ``e``, the expected value of
    ``(f(e) - o)²`` is ``(f(e) - s)²`` plus the variance of ``m``. The second term does not depend on ``f``, so that
    the best ``f`` is the one for the signal ``s``, which nobody has seen. At the noise of cryoEM the second term is
    nearly all of the loss: that it stays near 1 and hardly falls is as it should be, and says nothing. The first
    term alone is the *excess* of `Validation`.

    Parameters
    ----------
    predicted, target : torch.Tensor
        Shape ``(batch, 1, height, width)``.
    """
    return functional.mse_loss(predicted.float(), target)
