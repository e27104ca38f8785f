"""The frozen training set: spread, complete, sealed."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cryopair.cli import main
from cryopair.denoiser.training.datasets import fair_shares
from cryopair.denoiser.training.training_set import (
    TrainingPair,
    file_hash,
    freeze_training_set,
    read_manifest,
    write_manifest,
)
from cryopair.errors import BadFileError, UsageError
from cryopair.formats.mrc import write_mrc
from cryopair.formats.star import Table
from cryopair.micrographs import Micrographs, write_micrographs

Make = Callable[..., Micrographs]


@pytest.fixture(scope="module")
def many_files(tmp_path_factory: pytest.TempPathFactory, make_pairs: Make) -> Micrographs:
    return make_pairs(tmp_path_factory.mktemp("many"), 40, (8, 10))


@pytest.fixture
def many(many_files: Micrographs) -> Micrographs:
    return Micrographs(many_files.optics, many_files.table.select(range(40)))


@pytest.fixture
def few(tmp_path: Path, make_pairs: Make) -> Micrographs:
    return make_pairs(tmp_path / "halves", 4, (8, 10))


def numbers(pairs: list[TrainingPair]) -> list[int]:
    return [int(Path(pair.micrograph).stem) for pair in pairs]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_one_pair_from_each_stretch_of_the_session(many: Micrographs, seed: int) -> None:
    chosen = numbers(freeze_training_set([many], max_pairs=8, seed=seed))
    assert [number // 5 for number in chosen] == list(range(8))


def test_the_seed_decides_and_nothing_else(many: Micrographs) -> None:
    chosen = [numbers(freeze_training_set([many], max_pairs=8, seed=seed)) for seed in (0, 0, 1)]
    assert chosen[0] == chosen[1] != chosen[2]


def test_shards_are_one_session(many: Micrographs) -> None:
    parts = [Micrographs(many.optics, many.table.select(rows)) for rows in (range(7), range(7, 40))]
    assert freeze_training_set(parts, max_pairs=8) == freeze_training_set([many], max_pairs=8)


def test_the_order_of_arrival_and_the_shards_do_not_matter(many: Micrographs) -> None:
    rows = np.random.default_rng(0).permutation(40)
    parts = [Micrographs(many.optics, many.table.select(part)) for part in (rows[:11], rows[11:12], rows[12:])]
    assert freeze_training_set(parts, max_pairs=8) == freeze_training_set([many], max_pairs=8)


def test_of_a_replaced_movie_the_last_is_taken(few: Micrographs) -> None:
    again = Micrographs(few.optics, few.table.select([1]))
    again.table["rlnMicrographNameEven"] = few.table["rlnMicrographNameEven"][3:]
    chosen = freeze_training_set([few, again])
    assert len(chosen) == 4
    assert Path(chosen[1].even).name == "03_EVN.mrc"


def test_defocus_is_spread_as_well(many: Micrographs) -> None:
    """All stretches of the session, and at the same time all of the range of defocus."""
    defocus = 5000 + 500.0 * np.random.default_rng(1).permutation(40)
    many.table["rlnDefocusU"] = defocus
    chosen = numbers(freeze_training_set([many], max_pairs=8))
    assert [number // 5 for number in chosen] == list(range(8))
    gaps = np.diff(np.sort([5000, *defocus[chosen], 24500]))
    assert np.max(gaps) <= 6000
    assert freeze_training_set([many], max_pairs=8) == freeze_training_set([many], max_pairs=8)


def test_micrographs_with_little_in_both_halves_are_left_out(many: Micrographs) -> None:
    correlation = np.full(40, 0.2)
    correlation[[3, 17]] = 0.05, -0.1
    many.table["cryopairCorrelationEvenOdd"] = correlation
    assert set(range(40)) - set(numbers(freeze_training_set([many], max_pairs=40))) == {3, 17}


@pytest.mark.parametrize(("pairs", "held_out"), [(4, 1), (13, 1), (14, 2), (40, 4)])
def test_every_tenth_is_held_out_and_at_least_one(many: Micrographs, pairs: int, held_out: int) -> None:
    chosen = freeze_training_set([many], max_pairs=pairs)
    assert Counter(pair.validate for pair in chosen) == {True: held_out, False: pairs - held_out}


def test_pairs_are_what_is_on_disk(few: Micrographs) -> None:
    pair = freeze_training_set([few])[2]
    assert (pair.micrograph, pair.shape, pair.pixel_size) == ("MotionCorr/job002/Movies/02.mrc", (8, 10), 1.5)
    assert Path(pair.even).name == "02_EVN.mrc"
    assert (pair.hash_even, pair.hash_odd) == (file_hash(pair.even), file_hash(pair.odd))
    assert pair.hash_even != pair.hash_odd


def test_too_few_pairs(few: Micrographs, many: Micrographs) -> None:
    few.table = few.table.select(range(3))
    with pytest.raises(UsageError, match="3 even/odd pairs are too few to train on; at least 4"):
        freeze_training_set([few])
    with pytest.raises(UsageError, match="max_pairs is 3"):
        freeze_training_set([many], max_pairs=3)


def test_a_dataset_is_what_a_project_has_at_one_pixel_size(few: Micrographs) -> None:
    few.optics = Table({"rlnOpticsGroup": [1, 2, 3], "rlnMicrographPixelSize": [1.5, 1.6, 1.51]})
    few.table["rlnOpticsGroup"] = [1, 2, 3, 1]  # 1.51: a calibration
    assert {pair.micrograph[-6:]: pair.dataset for pair in freeze_training_set([few])} == {
        "00.mrc": 1,
        "01.mrc": 2,
        "02.mrc": 1,
        "03.mrc": 1,
    }
    few.table["rlnOpticsGroup"] = [1] * 4
    frozen = freeze_training_set([few, few], projects=[Path(), Path("../other")])
    assert [pair.dataset for pair in frozen] == [1] * 4 + [2] * 4


@pytest.mark.parametrize(
    ("counts", "wanted", "shares"),
    [
        ([40], 8, [8]),
        ([40, 40], 8, [4, 4]),
        ([40, 2, 9], 20, [9, 2, 9]),
        ([3, 4], 20, [3, 4]),
        ([9, 9, 9], 10, [3, 3, 4]),
    ],
)
def test_datasets_have_equal_shares(counts: list[int], wanted: int, shares: list[int]) -> None:
    assert fair_shares(counts, wanted) == shares


def test_pairs_of_a_small_dataset_are_not_lost_among_many(many: Micrographs, few: Micrographs) -> None:
    frozen = freeze_training_set([many, few], max_pairs=12, projects=[Path("a"), Path("b")])
    assert Counter(pair.dataset for pair in frozen) == {1: 8, 2: 4}
    assert Counter(pair.dataset for pair in frozen if pair.validate) == {1: 1, 2: 1}


def test_of_datasets_with_few_pairs_one_pair_is_held_out(few: Micrographs) -> None:
    few.optics = Table({"rlnOpticsGroup": [1, 2], "rlnMicrographPixelSize": [1.5, 1.6]})
    few.table["rlnOpticsGroup"] = [1, 2, 2, 1]
    assert [pair.validate for pair in freeze_training_set([few])] == [False, False, False, True]


def test_projects_that_were_made_alike_are_told_apart(
    tmp_path: Path, make_pairs: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths in a table are relative to its project, and both projects have files of these names."""
    for number, name in enumerate(("a", "b")):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        halves = make_pairs(Path("cryopair/halves"), 4, (8 + number, 10))
        write_micrographs("cryopair/halves.star", halves)
    monkeypatch.chdir(tmp_path / "a")
    assert main(["freeze", "cryopair/halves.star", "../b/cryopair/halves.star", "--out", "manifest.star"]) == 0
    pairs = read_manifest("manifest.star")
    assert [pair.dataset for pair in pairs] == [1] * 4 + [2] * 4
    assert [pair.shape for pair in pairs] == [(8, 10)] * 4 + [(9, 10)] * 4
    assert (pairs[0].even, pairs[4].even) == ("cryopair/halves/00_EVN.mrc", "../b/cryopair/halves/00_EVN.mrc")
    assert pairs[4].micrograph == "../b/MotionCorr/job002/Movies/00.mrc"


def test_sets_of_one_dataset_look_as_they_always_did(tmp_path: Path, few: Micrographs) -> None:
    """So that one frozen by an earlier version is the same file, and can be read."""
    write_manifest(tmp_path / "manifest.star", freeze_training_set([few]))
    assert "Dataset" not in (tmp_path / "manifest.star").read_text()
    assert [pair.dataset for pair in read_manifest(tmp_path / "manifest.star")] == [1] * 4


def test_bad_pairs_are_named(few: Micrographs) -> None:
    odd = Path(few.table["rlnMicrographNameOdd"][1])
    pixels = odd.read_bytes()
    odd.unlink()
    with pytest.raises(BadFileError, match=r"01_ODD\.mrc: no such file"):
        freeze_training_set([few])
    odd.write_bytes(pixels[:-4])
    with pytest.raises(BadFileError, match=r"01_ODD\.mrc: is not a"):
        freeze_training_set([few])


def test_halves_of_different_sizes_are_refused(few: Micrographs) -> None:
    few.table["rlnMicrographNameOdd"] = [*few.table["rlnMicrographNameOdd"][:3], few.table["rlnMicrographNameOdd"][0]]
    other = Path(few.table["rlnMicrographNameOdd"][0])
    write_mrc(other, [[1.0, 2.0]], pixel_size=1.5)
    with pytest.raises(BadFileError, match=r"00_ODD\.mrc: has \(1, 2\) pixels; expected \(8, 10\)"):
        freeze_training_set([few])


def test_manifests_come_back(tmp_path: Path, few: Micrographs) -> None:
    pairs = freeze_training_set([few])
    write_manifest(tmp_path / "manifest.star", pairs)
    assert read_manifest(tmp_path / "manifest.star") == pairs


def test_manifests_are_sealed(tmp_path: Path, few: Micrographs) -> None:
    path = tmp_path / "manifest.star"
    pairs = freeze_training_set([few])
    write_manifest(path, pairs)
    before = path.read_bytes(), path.stat().st_mtime_ns
    write_manifest(path, pairs)
    for other in (pairs[1:], pairs[::-1]):
        with pytest.raises(UsageError, match=r"manifest\.star: exists with other content, and is never overwritten"):
            write_manifest(path, other)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert [entry.name for entry in tmp_path.iterdir() if entry.is_file()] == ["manifest.star"]


def test_what_is_no_manifest_is_refused(tmp_path: Path, few: Micrographs) -> None:
    (tmp_path / "a.star").write_text("data_optics\nloop_\n_rlnOpticsGroup #1\n1\n")
    with pytest.raises(BadFileError, match=r"a\.star: has no block data_training_pairs"):
        read_manifest(tmp_path / "a.star")
