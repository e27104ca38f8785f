"""Micrographs that stand out are named with the reason, and shown."""

from dataclasses import replace
from pathlib import Path

import pytest

from cryopair.report.data import MicrographResult, read_results
from cryopair.report.gallery import choose
from cryopair.report.outliers import flag_picks

MODEL = Path("cryopair/models/v1-0123abcd")


@pytest.fixture
def micrographs(session: Path) -> list[MicrographResult]:
    """Sixty, nearly alike."""
    known = read_results(session, model=MODEL).micrographs
    return [replace(known[0], number=n + 1, snr_raw=-8 - n / 100, picks=50 + n % 7) for n in range(60)]


def test_what_was_found_before_is_read(session: Path) -> None:
    name, reason = "MotionCorr/job002/Movies/m3.mrc", "bias -1 dB is far above the median of -9 dB"
    (session / "outliers.csv").write_text(f"micrograph,measure,reason\n{name},bias_db,{reason}\n")
    assert [m.flags for m in read_results(session, model=MODEL).micrographs] == [(), (), (reason,), (), (), ()]


def test_too_few_and_too_many_picks(micrographs: list[MicrographResult]) -> None:
    assert not any(m.flags for m in flag_picks(micrographs))
    micrographs[20] = replace(micrographs[20], picks=0, flags=("dark",))
    micrographs[30] = replace(micrographs[30], picks=200)
    micrographs[40] = replace(micrographs[40], picks=None)
    flagged = {m.number: m.flags for m in flag_picks(micrographs) if m.flags}
    assert flagged == {
        21: ("dark", "0 picks are far below the median of 53"),
        31: ("200 picks are far above the median of 53",),
    }
    assert not any(m.flags for m in flag_picks([replace(m, flags=()) for m in micrographs[15:24]]))  # too few to tell


def test_outliers_are_in_the_gallery_the_worst_first(micrographs: list[MicrographResult]) -> None:
    for n in range(10, 22):
        micrographs[n] = replace(micrographs[n], flags=("dark", "dirty") if n == 21 else ("dark",))
    chosen = choose(micrographs)
    outliers = [m.number for place, m in chosen if place == "outlier"]
    assert len(outliers) == 8 and 22 in outliers and outliers == sorted(outliers)
    assert [place for place, _ in chosen][:5] == [
        "highest SNR", "upper quartile", "median SNR", "lower quartile", "lowest SNR",
    ]  # fmt: skip
