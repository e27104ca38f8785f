"""When what happens in a training, as functions of the step alone: a training that is resumed keeps to it."""

from __future__ import annotations

import math

REPORTS = 20
"""Lines in ``training.csv``, at most: times that the held-out pairs are looked at."""

_WARM_UP = 0.05  # of the steps
_AVERAGED = 0.05  # the weights are averaged over about this share of the steps
_CHECKPOINT_STEPS = 25, 500  # between checkpoints, at least and at most: writing one costs well below 1 % of these
_GUARD_STEPS = 10


def rate(step: int, steps: int) -> float:
    """Return the share of the full learning rate, after so many steps: linear warm-up, then a cosine to zero."""
    warm_up = max(1, round(_WARM_UP * steps))
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


def memory(step: int, steps: int) -> float:
    """Return the share of the averaged weights that stays as it is when step `step` (from 1) is averaged in."""
    decay = 1 - 1 / max(1.0, _AVERAGED * steps)
    return min(decay, step / (step + 10))  # forget the first, random weights soon


def is_report(step: int, steps: int) -> bool:
    """Whether the held-out pairs are looked at after step `step` (from 1)."""
    return step == steps or step % -(-steps // REPORTS) == 0


def is_checkpoint(step: int, steps: int) -> bool:
    """Whether a checkpoint is written after step `step` (from 1): about `REPORTS` times, and not at the end."""
    least, most = _CHECKPOINT_STEPS
    return step < steps and step % min(most, max(least, steps // REPORTS)) == 0


def is_guarded(step: int, steps: int) -> bool:
    """Whether it is made sure after step `step` that all is finite: a GPU must be waited for, so not always."""
    return step % _GUARD_STEPS == 0 or is_report(step, steps) or is_checkpoint(step, steps)
