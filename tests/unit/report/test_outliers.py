"""Micrographs that stand out are found, and nothing else."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cryopair.report.data import MicrographResult, read_results
from cryopair.report.gallery import choose
from cryopair.report.outliers import flag_outliers

MODEL = Path("cryopair/models/v1-0123abcd")


@pytest.fixture
def micrographs(session: Path) -> list[MicrographResult]:
    """Sixty, alike but for a little noise."""
    rng = np.random.default_rng(7)
    known = read_results(session, model=MODEL).micrographs
    return [
        replace(known[0], number=n + 1, snr_raw=float(rng.normal(-8, 0.4)), bias=float(rng.normal(-9, 0.4)), picks=50)
        for n in range(60)
    ]


def test_what_is_far_off_is_named_with_the_reason(micrographs: list[MicrographResult]) -> None:
    assert not any(m.flags for m in flag_outliers(micrographs))
    micrographs[20] = replace(micrographs[20], snr_raw=-15.0, picks=0)
    micrographs[30] = replace(micrographs[30], bias=-1.5)
    micrographs[40] = replace(micrographs[40], bias=-19.0, snr_raw=2.0)  # better than the others
    flagged = {m.number: m.flags for m in flag_outliers(micrographs) if m.flags}
    assert list(flagged) == [21, 31]
    assert [flag.split(" (")[0] for flag in flagged[21]] == ["low raw SNR: −15.0 dB", "low number of picks: 0"]
    assert flagged[31][0].startswith("high bias: −1.5 dB (median −9.")


def test_of_few_none_stands_out(micrographs: list[MicrographResult]) -> None:
    few = [replace(m, snr_raw=-30.0) if m.number == 1 else m for m in micrographs[:7]]
    assert not any(m.flags for m in flag_outliers(few))


def test_outliers_are_in_the_gallery_the_worst_first(micrographs: list[MicrographResult]) -> None:
    for n in range(10, 22):
        micrographs[n] = replace(micrographs[n], picks=0, bias=-1.0 if n == 21 else micrographs[n].bias)
    chosen = choose(flag_outliers(micrographs))
    outliers = [m.number for place, m in chosen if place == "outlier"]
    assert len(outliers) == 8 and 22 in outliers and outliers == sorted(outliers)
    assert [place for place, _ in chosen][:5] == [
        "highest SNR", "upper quartile", "median SNR", "lower quartile", "lowest SNR",
    ]  # fmt: skip
