"""The sentence on top of the page says what the numbers say."""

import math

import pytest

from cryopair.report.verdict import Headline, judge, median


def figures(*, gain: float = 15.0, bias: float = -9.0, measured: int = 10) -> Headline:
    return Headline(snr_raw=-8.0, snr_denoised=-8.0 + gain, gain=gain, bias=bias, measured=measured)


@pytest.mark.parametrize(
    ("gain", "bias", "done", "level"),
    [
        (15, -9, 10, "good"),
        (15, -5.9, 10, "care"),  # 26 % of the signal
        (15, -2.9, 10, "bad"),  # 51 %
        (2.9, -9, 10, "care"),
        (0, -9, 10, "bad"),
        (-1, -9, 10, "bad"),
        (15, -9, 7, "care"),
        (15, math.nan, 10, "good"),
    ],
)
def test_level(gain: float, bias: float, done: int, level: str) -> None:
    assert judge(figures(gain=gain, bias=bias), done=done, total=10).level == level


def test_words() -> None:
    text = judge(figures(), done=9, total=1000).text
    assert "raised the SNR by 15.0 dB" in text and "13 % of the signal power" in text
    assert "9 of 1,000 micrographs" in text
    assert "lowered the SNR by 2.0 dB" in judge(figures(gain=-2), done=1, total=1).text


def test_nothing_measured() -> None:
    verdict = judge(figures(gain=math.nan, bias=math.nan, measured=0), done=3, total=4)
    assert verdict.level == "unknown" and "3 of 4" in verdict.text and "nan" not in verdict.text


def test_median_is_of_what_is_known() -> None:
    assert median([3.0, math.nan, 1.0, -math.inf, 8.0]) == 3.0
    assert math.isnan(median([math.nan]))
