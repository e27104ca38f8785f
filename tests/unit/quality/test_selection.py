"""Limits, and what is beyond them."""

import pytest

from cryopair.config.sections import Quality
from cryopair.errors import UsageError
from cryopair.formats.star import Table
from cryopair.micrographs import Micrographs
from cryopair.quality.selection import MEASURES, Limit, select


@pytest.fixture
def micrographs() -> Micrographs:
    table = Table(
        {
            "rlnMicrographName": ["a", "b", "c"],
            "rlnOpticsGroup": [1, 1, 1],
            "cryopairMotionEarly": [3.0, 12.5, 5.0],
            "rlnDefocusU": [10000.0, 20000.0, 30000.0],
            "rlnDefocusV": [9000.0, 18000.0, 31000.0],
        }
    )
    return Micrographs(Table({"rlnOpticsGroup": [1]}), table)


def test_what_is_beyond_a_limit_is_listed_with_the_reason(micrographs: Micrographs) -> None:
    kept, excluded = select(micrographs, {"max_motion_early": 10, "max_defocus": "25000"})
    assert kept.table["rlnMicrographName"] == ["a"]
    assert excluded["rlnMicrographName"] == ["b", "c"]
    assert excluded["cryopairReason"] == [
        "early motion 12.5 Å is above 10 Å",
        "defocus 3.05e+04 Å is above 2.5e+04 Å",
    ]


def test_at_the_limit_is_within(micrographs: Micrographs) -> None:
    kept, excluded = select(micrographs, {"max_motion_early": 12.5, "min_defocus": 9500})
    assert (len(kept.table), len(excluded)) == (3, 0)


def test_both_reasons_are_given(micrographs: Micrographs) -> None:
    _, excluded = select(micrographs, {"max_motion_early": 10, "min_defocus": 19500})
    assert excluded["cryopairReason"][1].count(" is ") == 2


def test_what_is_not_known_excludes_nothing(micrographs: Micrographs) -> None:
    kept, excluded = select(micrographs, {"max_carbon": 0.1, "max_ctf_resolution": 6})
    assert (len(kept.table), len(excluded)) == (3, 0)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("max_motion", 3, "there is no limit 'max_motion'; expected min_ or max_ and one of motion_early"),
        ("motion_early", 3, "there is no limit 'motion_early'"),
        ("max_carbon", "much", "the limit max_carbon is 'much'; expected a number"),
    ],
)
def test_wrong_limits_are_named(name: str, value: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Limit.parse(name, value)


def test_every_limit_of_the_settings_exists() -> None:
    names = set(Quality.model_fields) - {"exclude_from"}
    assert {Limit.parse(name, 1).measure.title for name in names} == {measure.title for measure in MEASURES.values()}
