"""Which crops make up a batch: a function of the seed and the batch's number, so that nothing needs to be kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .directions import swaps
from .pairs import OpenPair

_DATASETS, _PAIRS, _CROPS = range(3)  # what a stream of random numbers is for


class Batch(NamedTuple):
    """Input and target, shape ``(crops, 1, side, side)`` each."""

    inputs: npt.NDArray[np.float16]
    targets: npt.NDArray[np.float16]


class Batches:
    """Random batches of crops.

    Either half is input or target at random, unless one is much the noisier (see `directions`); crops lie anywhere,
    and are flipped and turned by quarters. Datasets take turns, however many pairs each has; within one, every
    pair is used once before any is used again.

    Parameters
    ----------
    pairs : sequence of OpenPair
        To draw from.
    side : int
        Of the square crops in pixels.
    size : int
        Crops per batch.
    seed : int
        Of all choices.
    part : slice
        Which crops of each batch are wanted here, where several processes share the work.
    """

    def __init__(
        self, pairs: Sequence[OpenPair], *, side: int, size: int, seed: int, part: slice = slice(None)
    ) -> None:
        self._datasets = [
            [pair for pair in pairs if pair.dataset == dataset] for dataset in sorted({p.dataset for p in pairs})
        ]
        self._swaps = [swaps(dataset) for dataset in self._datasets]
        self._side, self._size, self._seed = side, size, seed
        self._part = part
        self._permutation = lru_cache(maxsize=4 * len(self._datasets))(self._draw_permutation)

    def __call__(self, number: int) -> Batch:
        """Return the batch of this number, from 0."""
        generator = np.random.default_rng([self._seed, _CROPS, number])
        choices = [self._choose(number * self._size + place, generator) for place in range(self._size)]
        crops = [self._cut(*choice) for choice in choices[self._part]]
        inputs, targets = (np.stack([crop[role] for crop in crops])[:, None] for role in (0, 1))
        return Batch(inputs, targets)

    def _choose(self, draw: int, generator: np.random.Generator) -> tuple[OpenPair, tuple[int, int], list[int]]:
        """Return pair, corner, and whether to swap, whether to flip, and quarter turns, of one crop."""
        turn, place = divmod(draw, len(self._datasets))
        dataset = int(self._permutation(len(self._datasets), _DATASETS, turn)[place])
        pairs = self._datasets[dataset]
        turn, place = divmod(turn, len(pairs))
        pair = pairs[int(self._permutation(len(pairs), _PAIRS, dataset, turn)[place])]
        y, x = (int(generator.integers(0, length - self._side + 1)) for length in pair.shape)
        chosen, flip, quarters = generator.integers(0, (2, 2, 4)).tolist()
        directions = self._swaps[dataset]
        return pair, (y, x), [directions[chosen % len(directions)], flip, quarters]

    def _cut(self, pair: OpenPair, corner: tuple[int, int], choices: list[int]) -> list[npt.NDArray[np.float16]]:
        swap, flip, quarters = choices
        y, x = (slice(start, start + self._side) for start in corner)
        crops = [half[y, x] for half in (pair.halves[::-1] if swap else pair.halves)]
        return [np.rot90(crop[::-1] if flip else crop, quarters) for crop in crops]

    def _draw_permutation(self, count: int, *purpose: int) -> npt.NDArray[np.int64]:
        return np.random.default_rng([self._seed, *purpose]).permutation(count)


def ahead(draw: Callable[[int], Batch], first: int) -> Iterator[Batch]:
    """Give the batches from number `first` on without end, the next one cut while the last one is worked on."""
    with ThreadPoolExecutor(1) as pool:
        number, waiting = first, pool.submit(draw, first)
        while True:
            batch = waiting.result()
            number += 1
            waiting = pool.submit(draw, number)
            yield batch
