"""The alarm of drift: seldom given where nothing changed, surely where something did."""

import math
from pathlib import Path

import numpy as np
import pytest

from cryopair.formats.star import Table, write_star
from cryopair.quality.drift import FEATURES, compare, drift_alarm, format_drift, session_drift
from cryopair.quality.tables import format_table


def features(random: np.random.Generator, count: int, *, shift: float = 0.0, heavy: bool = False) -> list[dict]:
    """All figures of some micrographs, as independent Gaussians (or Student's t of three degrees of freedom)."""
    draw = random.standard_t(3, (count, len(FEATURES))) if heavy else random.normal(size=(count, len(FEATURES)))
    spreads = {key: 3 * feature.least * (100 if feature.relative else 1) for key, feature in FEATURES.items()}
    rows = [
        {
            key: (100 if FEATURES[key].relative else 0) + spreads[key] * value
            for key, value in zip(FEATURES, row, strict=True)
        }
        for row in draw
    ]
    return [row | {"pixel_size": 1.0, "snr_raw_db": row["snr_raw_db"] + shift * spreads["snr_raw_db"]} for row in rows]


@pytest.mark.parametrize(("trained_on", "shard"), [(10, 4), (16, 8), (100, 64)])
@pytest.mark.parametrize("heavy", [False, True])
def test_false_alarms_are_rare(trained_on: int, shard: int, heavy: bool) -> None:
    """At most one shard in a hundred."""
    random = np.random.default_rng(trained_on)
    alarms = sum(
        compare("s", features(random, shard, heavy=heavy), features(random, trained_on, heavy=heavy)).alarm is True
        for _ in range(200)
    )
    assert alarms <= 2


@pytest.mark.parametrize(("trained_on", "shard", "change"), [(16, 8, 5.0), (100, 16, 3.5), (100, 64, 2.5)])
def test_a_change_is_told(trained_on: int, shard: int, change: float) -> None:
    random = np.random.default_rng(1)
    found = [compare("s", features(random, shard, shift=change), features(random, trained_on)) for _ in range(100)]
    told = [drift for drift in found if drift.alarm]
    assert len(told) >= 80
    assert {drift.measure for drift in told} == {"snr_raw_db"}
    assert np.median([drift.change for drift in told]) == pytest.approx(change, rel=0.2)


def test_another_pixel_size_is_told_at_once() -> None:
    random = np.random.default_rng(2)
    other = [row | {"pixel_size": 1.35} for row in features(random, 4)]
    drift = compare("s", other, features(random, 10))
    assert (drift.alarm, drift.measure) == (True, "pixel_size")
    assert drift.reason == "pixels of 1.35 Å, in the training set 1 Å"


def test_too_few_tell_nothing() -> None:
    random = np.random.default_rng(3)
    assert compare("s", features(random, 3), features(random, 50)).alarm is None
    assert compare("s", features(random, 9), features(random, 9)).alarm is None


# -- from a session's files --------------------------------------------------------------------------


def write_shard(output: Path, shard: str, *, role: str, snr: float = -10.0, low_pass: float = 1.0) -> None:
    random = np.random.default_rng(int(shard))
    names = [f"{shard}_{number}.mrc" for number in range(10)]
    rows, rings = [], []
    frequency = np.arange(2, 101) / 400
    for name in names:
        noise = frequency * random.normal(1, 0.01, frequency.shape) * low_pass ** (frequency / 0.25)
        signal = 10 ** (snr / 10) * np.exp(-frequency / 0.03) * random.normal(1, 0.1)
        rows.append(
            {
                "micrograph": name,
                "used_for_training": role,
                "snr_raw_db": snr + random.normal(0, 0.5),
                "corr_near_nyquist": random.normal(0, 0.001),
                "signal_power_std2": float(signal.sum()),
                "excess_error_power_std2": float(0.1 * signal.sum()),
            }
        )
        columns = ("micrograph", "spatial_frequency_per_A", "signal_power_std2", "noise_power_std2")
        rings += [
            dict(zip(columns, (name, *map(float, ring)), strict=True))
            for ring in zip(frequency, signal, noise, strict=True)
        ]
    (output / "quality").mkdir(parents=True, exist_ok=True)
    (output / f"quality/{shard}.csv").write_text(format_table(rows))
    (output / f"quality/{shard}_rings.csv").write_text(format_table(rings))
    table = Table({"rlnMicrographName": names, "cryopairIntensity": list(random.normal(50, 1, 10))})
    write_star(output / f"halves/{shard}.star", {"micrographs": table})


def tables(output: Path, shards: int) -> dict[str, Path]:
    return {f"{shard:06d}": output / f"quality/{shard:06d}.csv" for shard in range(1, shards + 1)}


def test_a_session_is_compared_with_its_training_set(tmp_path: Path) -> None:
    write_shard(tmp_path, "000001", role="train")
    write_shard(tmp_path, "000002", role="none")
    write_shard(tmp_path, "000003", role="none", snr=-16)
    shards = tables(tmp_path, 4)  # the last one has not been measured
    drifts = session_drift(tmp_path, shards)
    assert [drift.alarm for drift in drifts] == [False, False, True]
    assert {drift.reference for drift in drifts} == {10}
    assert drift_alarm(tmp_path, shards) == ""  # one shard alone is no drift
    write_shard(tmp_path, "000004", role="none", snr=-16)
    assert drift_alarm(tmp_path, shards).startswith("shard 000004: ")
    lines = format_drift(session_drift(tmp_path, shards)).splitlines()
    assert lines[0] == "shard,micrographs,reference_micrographs,alarm,measure,change_std,reason"
    assert [line.split(",")[3] for line in lines[1:]] == ["no", "no", "yes", "yes"]


def test_a_change_of_the_noise_spectrum_is_told(tmp_path: Path) -> None:
    write_shard(tmp_path, "000001", role="validation")
    write_shard(tmp_path, "000002", role="none", low_pass=0.5)
    drift = session_drift(tmp_path, tables(tmp_path, 2))[1]
    assert drift.alarm
    assert "noise" in drift.reason


def test_a_model_from_elsewhere_is_compared_with_the_first_micrographs(tmp_path: Path) -> None:
    for shard in range(1, 6):
        write_shard(tmp_path, f"{shard:06d}", role="none", snr=-10 if shard < 5 else -17)
    drifts = session_drift(tmp_path, tables(tmp_path, 5))
    assert [drift.alarm for drift in drifts] == [False] * 4 + [True]
    assert drifts[0].reference == 40


def test_nothing_measured_is_no_drift(tmp_path: Path) -> None:
    assert session_drift(tmp_path, tables(tmp_path, 1)) == []
    assert drift_alarm(tmp_path, tables(tmp_path, 1)) == ""
    assert format_drift([]).startswith("shard,")
    assert math.isnan(compare("s", [], []).change)
