"""The sentence on top of the page says what the numbers say."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from cryopair.report.data import read_results
from cryopair.report.verdict import Headline, headline, judge, median


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


@pytest.mark.parametrize(
    ("lost", "invented", "title"),
    [
        (-0.5, -12.0, "Do not rely on these denoised images: the model blurs."),
        (-9.0, -0.7, "Do not rely on these denoised images: the model makes things up."),
        (-1.0, -4.0, "Do not rely on these denoised images: the model loses the signal and makes things up."),
        (math.nan, math.nan, "Do not rely on these denoised images."),
    ],
)
def test_what_is_wrong_is_named(lost: float, invented: float, title: str) -> None:
    bad = replace(figures(bias=-0.2), lost=lost, invented=invented)
    assert judge(bad, done=10, total=10).title == title


@pytest.mark.parametrize(
    ("gain", "bias", "done", "title"),
    [
        (2, -9, 10, "Use the denoised images with care: little was gained."),
        (15, -5, 10, "Use the denoised images with care: part of the signal was changed."),
        (2, -5, 10, "Use the denoised images with care: little was gained and part of the signal was changed."),
        (15, -9, 7, "Use the denoised images with care."),
    ],
)
def test_what_calls_for_care_is_named(gain: float, bias: float, done: int, title: str) -> None:
    assert judge(figures(gain=gain, bias=bias), done=done, total=10).title == title


def test_what_the_model_was_trained_on_is_said() -> None:
    assert "medians of 10 micrographs that the model was not trained on" in judge(figures(), done=9, total=9).text
    only = replace(figures(), trained_on=10)
    assert "10 micrographs that the model was trained on: there are no others" in judge(only, done=9, total=9).text
    assert "(medians of 10 micrographs)." in judge(replace(figures(), known=False), done=9, total=9).text


def test_headline_numbers_leave_out_what_the_model_was_trained_on(session: Path) -> None:
    results = read_results(session, model=Path("cryopair/models/v1-0123abcd"))
    one = headline(results)  # five were trained on
    assert (one.measured, one.trained_on, one.snr_raw, one.bias) == (1, 0, -8.0, -8.0)
    all_trained = headline(replace(results, micrographs=results.micrographs[:5]))
    assert (all_trained.measured, all_trained.trained_on, all_trained.snr_raw) == (5, 5, -7.0)


def test_nothing_measured() -> None:
    verdict = judge(figures(gain=math.nan, bias=math.nan, measured=0), done=3, total=4)
    assert verdict.level == "unknown" and "3 of 4" in verdict.text and "nan" not in verdict.text


def test_median_is_of_what_is_known() -> None:
    assert median([3.0, math.nan, 1.0, -math.inf, 8.0]) == 3.0
    assert math.isnan(median([math.nan]))
