"""Halves as the network sees them, and the batches that are cut from them."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from cryopair.denoiser.networks.unet import UNet
from cryopair.denoiser.normalise import Normalisation
from cryopair.denoiser.sampling import resample
from cryopair.denoiser.training.batches import Batches, ahead
from cryopair.denoiser.training.directions import swaps
from cryopair.denoiser.training.pairs import OpenPair, crop_side, open_pairs, working_pixel_size, working_shape
from cryopair.denoiser.training.training_set import TrainingPair, freeze_training_set
from cryopair.errors import BadFileError, UsageError
from cryopair.formats.mrc import read_mrc, write_mrc
from cryopair.micrographs import Micrographs

NETWORK = UNet(channels=(4, 4))


@pytest.fixture
def frozen(tmp_path: Path, make_pairs: Callable[..., Micrographs]) -> list[TrainingPair]:
    return freeze_training_set([make_pairs(tmp_path / "halves", 4, (40, 52))])


def noise_pair(seed: int, dataset: int = 1) -> OpenPair:
    even, odd = np.random.default_rng(seed).normal(size=(2, 40, 52)).astype(np.float16)
    return OpenPair((even, odd), dataset)


def test_halves_are_normalised_as_a_whole(frozen: list[TrainingPair]) -> None:
    opened = open_pairs(frozen, NETWORK, pixel_size=1.5)
    for pair, mine in zip(frozen, opened, strict=True):
        for path, half in zip((pair.even, pair.odd), mine.halves, strict=True):
            image = read_mrc(path)
            np.testing.assert_allclose(half, Normalisation.of(image).apply(image), atol=4e-3)  # 8 in half precision


def test_halves_are_resampled_before_they_are_normalised(frozen: list[TrainingPair]) -> None:
    assert working_shape(frozen[0], 3.0) == (20, 24)
    half = open_pairs(frozen[:1], NETWORK, pixel_size=3.0)[0].halves[1]
    small = resample(read_mrc(frozen[0].odd), (20, 24))
    np.testing.assert_allclose(half, Normalisation.of(small).apply(small), atol=4e-3)
    assert np.std(half.astype(float)) == pytest.approx(1, abs=0.15)  # of the noise that is left


@pytest.mark.parametrize(
    ("deviations", "expected"),
    [((1, 1), (False, True)), ((1, 1.3), (False, True)), ((6, 1), (False,)), ((1, 6), (True,))],
)
def test_a_half_that_is_much_the_noisier_is_never_predicted(
    deviations: tuple[float, float], expected: tuple[bool, ...]
) -> None:
    rng = np.random.default_rng(5)
    pairs = []
    for _ in range(3):
        signal = gaussian_filter(rng.normal(size=(200, 200)), 3)
        signal *= 0.5 / signal.std()
        even, odd = (signal + rng.normal(0, deviation, (200, 200)) for deviation in deviations)
        pairs.append(OpenPair(((even / even.std()).astype(np.float16), (odd / odd.std()).astype(np.float16))))
    assert swaps(pairs) == expected
    found = [Batches(pairs[:1], side=32, size=1, seed=0)(number) for number in range(20)]
    seen = {locate(inputs[0, 0], targets[0, 0], pairs[0].halves)[0] for inputs, targets in found}
    assert seen == set(expected)


def test_files_that_are_not_what_was_frozen_are_named(frozen: list[TrainingPair]) -> None:
    with pytest.raises(BadFileError, match=r"00_EVN\.mrc: has shape \(40, 52\); expected one image of \(52, 40\)"):
        open_pairs([replace(frozen[0], shape=(52, 40))], NETWORK, pixel_size=1.5)
    write_mrc(Path(frozen[1].odd), np.ones((40, 52)), pixel_size=1.5)
    with pytest.raises(BadFileError, match=r"01_ODD\.mrc: has changed since the training set was frozen"):
        open_pairs(frozen, NETWORK, pixel_size=1.5)


def sized(*pixel_sizes: float) -> list[TrainingPair]:
    return [
        TrainingPair(f"{number}.mrc", "e", "o", size, (80, 100), "", "", False)
        for number, size in enumerate(pixel_sizes)
    ]


def test_one_pixel_size_needs_no_target() -> None:
    assert working_pixel_size(sized(1.5, 1.51, 1.5), None) == 1.5  # 1.51: a calibration
    assert working_pixel_size(sized(1.5, 1.5), 2.0) == 2.0
    assert working_pixel_size(sized(3.0, 3.0), 2.0) == 3.0  # coarser than the target: nothing can be gained


@pytest.mark.parametrize("target", [None, 1.4])
def test_pixel_sizes_that_differ_need_a_target_that_all_can_reach(target: float | None) -> None:
    message = r"0\.mrc has 1\.1 Å/px, 1\.mrc has 1\.6 Å/px\. Train one .* or all at --pixel-size 1\.6 or coarser"
    with pytest.raises(UsageError, match=message):
        working_pixel_size(sized(1.1, 1.6), target)
    assert working_pixel_size(sized(1.1, 1.6), 1.5) == 1.5  # 1.6 is within 10 % of it
    assert [working_shape(pair, 1.5) for pair in sized(1.1, 1.6)] == [(60, 72), (80, 100)]


def test_crops_fit_the_smallest_micrograph() -> None:
    shapes = [(64, 64), (40, 52)]
    assert crop_side(shapes, 256, 8) == 40
    assert crop_side(shapes, 30, 8) == 24
    with pytest.raises(UsageError, match=r"smallest micrograph side 40 px.*at least 64 px are needed"):
        crop_side(shapes, 256, 32)


def test_batches_are_crops_of_both_halves_in_the_same_place_and_orientation() -> None:
    pair = noise_pair(0)
    draw = Batches([pair], side=32, size=1, seed=0)
    seen = set()
    for number in range(60):
        inputs, targets = draw(number)
        seen.add(locate(inputs[0, 0], targets[0, 0], pair.halves))
    assert {swap for swap, *_ in seen} == {False, True}
    assert len({orientation for _, orientation, *_ in seen}) == 8
    assert len({place for *_, place in seen}) > 30


def locate(given: np.ndarray, wanted: np.ndarray, whole: tuple[np.ndarray, ...]) -> tuple[bool, int, tuple[int, int]]:
    """Return which half was the input, how it was turned, and where it was cut; fails if it is nowhere."""
    for orientation in range(8):
        undone = [np.rot90(crop, -(orientation % 4)) for crop in (given, wanted)]
        if orientation >= 4:
            undone = [crop[::-1] for crop in undone]
        for swap in (False, True):
            first, second = whole[::-1] if swap else whole
            for y, x in np.argwhere(first == undone[0][0, 0]):
                area = np.s_[y : y + 32, x : x + 32]
                if np.array_equal(first[area], undone[0]):
                    np.testing.assert_array_equal(second[area], undone[1])
                    return swap, orientation, (int(y), int(x))
    raise AssertionError("the crop is not part of either half")


def origins(draw: Batches, pairs: list[OpenPair], batches: int) -> list[int]:
    """Return which pair each crop is from, by a pixel that no other pair has."""
    crops = [crop for number in range(batches) for crop in draw(number).inputs[:, 0]]
    return [
        next(n for n, pair in enumerate(pairs) if np.isin(crop.astype(float), np.stack(pair.halves)).all())
        for crop in crops
    ]


def constant_pairs(datasets: list[int]) -> list[OpenPair]:
    return [
        OpenPair((np.full((8, 8), n, np.float16), np.full((8, 8), n, np.float16)), dataset)
        for n, dataset in enumerate(datasets)
    ]


def test_every_pair_is_used_once_before_any_is_used_again() -> None:
    pairs = constant_pairs([1] * 5)  # fewer than a batch holds
    used = origins(Batches(pairs, side=4, size=8, seed=3), pairs, 5)
    turns = [used[start : start + 5] for start in range(0, 40, 5)]
    assert all(sorted(turn) == [0, 1, 2, 3, 4] for turn in turns)
    assert len({tuple(turn) for turn in turns}) > 4


def test_datasets_take_turns_however_many_pairs_they_have() -> None:
    pairs = constant_pairs([1, 2, 2, 2, 2, 2, 2, 2, 7])
    used = origins(Batches(pairs, side=4, size=6, seed=3), pairs, 28)
    assert Counter(pairs[number].dataset for number in used) == {1: 56, 2: 56, 7: 56}
    assert Counter(used)[3] == 8  # and within one, all pairs do


def test_processes_share_the_batches_of_one() -> None:
    pairs = [noise_pair(seed) for seed in range(3)]
    whole = Batches(pairs, side=16, size=5, seed=1)(12)
    parts = [Batches(pairs, side=16, size=5, seed=1, part=part)(12) for part in (slice(0, 2), slice(2, 5))]
    for together, *apart in zip(whole, *parts, strict=True):
        np.testing.assert_array_equal(together, np.concatenate(apart))


def test_drawing_ahead_changes_nothing() -> None:
    draw = Batches([noise_pair(1)], side=16, size=2, seed=1)
    for number, batch in zip(range(4, 8), ahead(draw, 4), strict=False):
        np.testing.assert_array_equal(batch.inputs, draw(number).inputs)
