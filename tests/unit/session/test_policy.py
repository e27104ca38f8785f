"""The training policy: when a set is chosen and a model put in force, and that nothing is decided twice."""

from pathlib import Path

import pytest

from cryopair.session.models import Models, stage_table
from cryopair.session.policy import Situation, decide, newest_shards, spread_shards

SHARD = 10


class Session:
    """A session with shards of ten movies."""

    def __init__(self, *, quick: int | None = 8, pairs: int = 40, renew_after: int | None = None) -> None:
        self.models = Models()
        self.quick, self.pairs, self.renew_after = quick, pairs, renew_after
        self.settings = "a"
        self.trained: set[str] = set()
        self.frozen: set[str] = set()

    def decide(self, shards: int, *, live: bool = True, drifted: str = "") -> bool:
        now = Situation(
            lengths={f"{number:06d}": SHARD for number in range(1, shards + 1)},
            live=live,
            pairs=self.pairs,
            quick_pairs=self.quick,
            renew_after=self.renew_after,
            drifted=drifted,
        )
        return decide(
            self.models,
            now,
            model_id=lambda which: f"{which or '1'}-{self.settings}",
            folder=lambda model: f"models/{model}",
            is_frozen=self.frozen.__contains__,
            is_trained=self.trained.__contains__,
        )

    def in_force(self, *shards: int) -> list[str | None]:
        entries = [self.models.model_of(f"{shard:06d}") for shard in shards]
        return [entry.model if entry else None for entry in entries]

    def pool(self, model: str) -> list[int]:
        chosen = self.models.set_of(model)
        return [int(shard) for shard in chosen.shards] if chosen else []


def test_a_batch_run_trains_one_model_on_what_is_there_and_no_quick_one() -> None:
    session = Session()
    assert session.decide(8, live=False)
    assert session.pool("1-a") == [1, 3, 5, 7]  # 40 movies, spread over 80
    assert session.in_force(1, 8, 9) == ["1-a"] * 3
    assert not session.pool("quick-a")
    assert not session.decide(9, live=False) or session.in_force(9) == ["1-a"]


def test_a_live_session_starts_with_a_quick_model_and_promotes_the_better_one() -> None:
    session = Session()
    session.decide(1)
    assert session.in_force(1) == ["quick-a"]
    session.trained.add("quick-a")
    assert not session.decide(3)
    session.decide(4)
    assert session.pool("1-a") == [1, 2, 3, 4]
    assert session.in_force(1, 4) == ["quick-a"] * 2, "the better one is not trained yet"
    session.trained.add("1-a")
    assert session.decide(6)
    assert session.in_force(1, 6, 7) == ["1-a"] * 3
    assert session.pool("1-a") == [1, 2, 3, 4]
    assert not session.decide(9)
    assert session.models.in_force[-1].reason == "promoted"


def test_a_session_taken_up_late_looks_quickly_too() -> None:
    session = Session()
    session.decide(20)
    assert session.in_force(20) == ["quick-a"]
    assert len(session.pool("1-a")) == 4


def test_the_end_of_a_session_chooses_from_all_that_is_there() -> None:
    session = Session()
    session.decide(2)
    session.decide(3, live=False)
    assert session.pool("1-a") == [1, 2, 3]
    assert session.in_force(1) == ["1-a"]


def test_without_a_quick_model_the_first_one_is_waited_for() -> None:
    session = Session(quick=None)
    assert not session.decide(3)
    assert session.in_force(3) == [None]
    session.decide(4)
    assert session.in_force(1) == ["1-a"]


def test_in_a_batch_run_a_set_that_was_too_small_is_chosen_again_until_it_is_frozen() -> None:
    session = Session()
    session.decide(1, live=False)
    session.decide(2, live=False)
    assert session.pool("1-a") == [1, 2]
    session.frozen.add("1-a")
    assert not session.decide(3, live=False)


def test_other_settings_are_another_model_for_all_shards_and_the_way_back_is_open() -> None:
    session = Session()
    session.decide(4, live=False)
    session.settings = "b"
    session.decide(4, live=False)
    assert session.in_force(1, 4) == ["1-b"] * 2
    session.settings = "a"
    session.decide(4, live=False)
    assert session.in_force(1, 4) == ["1-a"] * 2
    assert len(session.models.sets) == 2


@pytest.mark.parametrize("drifted", ["", "noise rose by 3 dB"])
def test_a_later_model_is_for_what_comes_after_it(drifted: str) -> None:
    session = Session(quick=None, renew_after=None if drifted else 50)
    session.decide(4)
    session.trained.add("1-a")
    assert not session.decide(8)
    session.decide(9, drifted=drifted)
    assert session.pool("2-a") == [6, 7, 8, 9]
    assert session.in_force(9) == ["1-a"]
    assert not session.decide(10, drifted=drifted), "it is being trained"
    session.trained.add("2-a")
    session.decide(11)
    assert session.in_force(1, 11, 12, 13) == ["1-a", "1-a", "2-a", "2-a"]
    assert session.models.in_force[-1].reason == (drifted or "50 movies since the last one")


def test_drift_asks_for_nothing_in_a_batch_run() -> None:
    session = Session()
    session.decide(4, live=False)
    session.frozen.add("1-a")
    assert not session.decide(6, live=False, drifted="much")


def test_the_journal_comes_back(tmp_path: Path) -> None:
    session = Session()
    session.decide(1)
    session.trained.add("quick-a")
    session.decide(5)
    session.models.write(tmp_path)
    assert Models.read(tmp_path) == session.models
    assert Models.read(tmp_path / "nothing") == Models()


def test_what_a_model_made_lies_below_its_name() -> None:
    session = Session()
    session.decide(4, live=False)
    assert stage_table(Path("out"), session.models, "denoised", "000002") == Path("out/denoised/1-a/000002.star")
    assert stage_table(Path("out"), session.models, "quality", "000002") == Path("out/quality/1-a/000002.csv")
    assert stage_table(Path("out"), session.models, "halves", "000002") == Path("out/halves/000002.star")


@pytest.mark.parametrize("shards", [1, 2, 3, 7, 50])
@pytest.mark.parametrize("wanted", [1, 10, 11, 45])
def test_shards_to_choose_from_are_enough_and_no_more(shards: int, wanted: int) -> None:
    lengths = {f"{number:06d}": SHARD for number in range(1, shards + 1)}
    for choose in (spread_shards, newest_shards):
        taken = choose(lengths, wanted)
        assert taken == sorted(set(taken))
        assert len(taken) == min(shards, -(-wanted // SHARD))
    assert spread_shards(lengths, wanted)[0] == "000001"
    assert newest_shards(lengths, wanted)[-1] == max(lengths)
