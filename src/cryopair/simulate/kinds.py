"""The particles that can be simulated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import proteasome, ribosome
from .specimen import Specimen


@dataclass(frozen=True)
class Kind:
    """A kind of particle.

    Attributes
    ----------
    diameter : float
        Its longest extent in Å.
    make : callable
        Makes it; the generator decides where its pseudo-atoms are.
    """

    diameter: float
    make: Callable[[np.random.Generator], Specimen]


KINDS = {
    "proteasome": Kind(proteasome.DIAMETER, proteasome.proteasome),
    "ribosome": Kind(ribosome.DIAMETER, ribosome.ribosome),
}
