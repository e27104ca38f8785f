"""The training loss: the squared error against the other half."""

from __future__ import annotations

from torch import Tensor


def pair_loss(predicted: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return the weighted mean square of prediction minus other half (Noise2Noise).

    With ``e = s + n`` and ``o = s + m``, the noise ``m`` independent of ``e``, the expected value of
    ``(f(e) - o)²`` is ``(f(e) - s)²`` plus the variance of ``m``. The second term does not depend on ``f``, so that
    the best ``f`` is the one for the signal ``s``, which nobody has seen. At the noise of cryoEM the second term is
    nearly all of the loss: that it stays near 1 and hardly falls is as it should be, and says nothing. The first
    term alone is the *excess* of `Validation`.

    Parameters
    ----------
    predicted, target : torch.Tensor
        Shape ``(batch, 1, height, width)``.
    weight : torch.Tensor
        Of each crop, shape ``(batch,)``: the inverse of the noise variance of its target, since a target of
        twice the noise tells half as much.
    """
    error = (predicted.float() - target).square().flatten(1).mean(1)
    return (error * weight).mean()
