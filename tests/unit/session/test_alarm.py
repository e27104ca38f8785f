"""The alarm of drift, as the policy and the display hear it."""

from pathlib import Path

import pytest

from cryopair.quality.drift import ShardDrift, format_drift
from cryopair.session.alarm import drift_alarm


@pytest.mark.parametrize(
    ("alarms", "since", "expected"),
    [
        ([False, True, True], "000001", "shard 000003: noise rose"),
        ([True, True, False], "000001", ""),
        ([False, False, True], "000001", ""),
        ([False, True, True, None], "000001", "shard 000003: noise rose"),
        ([True, True, False, True], "000001", ""),
        ([False, True, True], "000003", ""),
        ([], "000001", ""),
    ],
)
def test_two_shards_in_a_row_of_the_model_in_force(
    tmp_path: Path, alarms: list[bool | None], since: str, expected: str
) -> None:
    drifts = [
        ShardDrift(f"{number:06d}", 20, 40, alarm, "noise", 2.0, "noise rose" if alarm else "")
        for number, alarm in enumerate(alarms, start=1)
    ]
    assert drift_alarm(tmp_path, since=since) == ""
    (tmp_path / "drift.csv").write_text(format_drift(drifts))
    assert drift_alarm(tmp_path, since=since) == expected
