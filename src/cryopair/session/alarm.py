"""The alarm of drift: whether what comes in is no longer like what the model in force was trained on."""

from __future__ import annotations

import csv
from pathlib import Path

_IN_A_ROW = 2
"""Shards that must differ one after the other: one may just be a bad grid square."""


def drift_alarm(output: Path, *, since: str) -> str:
    """Say how the last shards have drifted away from the training set, as ``drift.csv`` has it.

    Parameters
    ----------
    output : Path
        Output folder of the session.
    since : str
        The first shard that counts: of the model in force.

    Returns
    -------
    str
        The reason, for people; empty if there is no alarm.
    """
    path = output / "drift.csv"
    if not path.is_file():
        return ""
    with path.open(newline="", encoding="utf-8") as stream:
        told = [row for row in csv.DictReader(stream) if row["alarm"] and row["shard"] >= since][-_IN_A_ROW:]
    if len(told) < _IN_A_ROW or any(row["alarm"] != "yes" for row in told):
        return ""
    return f"shard {told[-1]['shard']}: {told[-1]['reason']}"
