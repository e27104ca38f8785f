"""Micrographs unlike the others."""

import math

import numpy as np
import pytest

from cryopair.formats.star import Table
from cryopair.quality.outliers import FEWEST, find_outliers, format_outliers, session_outliers


def test_an_outlier_is_flagged_with_its_robust_z() -> None:
    values = [5.0, 7.0] * 10 + [40.0]
    names = [f"m{index}" for index in range(21)]
    (outlier,) = find_outliers(names, {"motion_early": values})
    assert outlier.micrograph == "m20"
    assert outlier.median == 7.0
    assert outlier.robust_z == pytest.approx(0.6745 * 33 / 2)
    assert outlier.reason == "early motion 40 Å is far above the median of 7 Å"


def test_gaussian_values_have_no_outliers() -> None:
    rng = np.random.default_rng(0)
    names = [str(index) for index in range(2000)]
    assert not find_outliers(names, {"snr_raw_db": rng.normal(-10, 1, 2000), "bias_db": rng.normal(-9, 2, 2000)})


def test_only_the_bad_side_counts_and_trifles_do_not() -> None:
    names = [str(index) for index in range(20)]
    assert not find_outliers(names, {"bias_db": [-5.0, -6.0] * 9 + [-30.0, -40.0]})
    assert not find_outliers(names, {"contamination": [0.0] * 19 + [0.04]})
    assert not find_outliers(names, {"intensity": [50.0] * 19 + [54.0]})
    assert find_outliers(names, {"intensity": [50.0] * 19 + [56.0]})


def test_few_micrographs_have_nothing_usual() -> None:
    values = [1.0] * (FEWEST - 2) + [100.0]
    assert not find_outliers([str(index) for index in range(len(values))], {"motion_late": values})


def test_unknown_values_are_skipped() -> None:
    values = [math.nan] * 5 + [1.0, 2.0] * 6 + [90.0]
    (outlier,) = find_outliers([str(index) for index in range(len(values))], {"motion_late": values})
    assert outlier.micrograph == "17"


def test_a_session_joins_its_tables() -> None:
    names = [f"m{index}" for index in range(12)]
    table = Table({"rlnMicrographName": names, "cryopairCarbon": [0.0] * 11 + [0.4]})
    quality = [{"micrograph": name, "snr_denoised_db": "5" if name != "m3" else "-5"} for name in names]
    text = format_outliers(session_outliers(table, quality))
    header, dim, carbon = text.splitlines()
    assert header == "micrograph,measure,unit,value,median,robust_z,reason"
    assert dim.startswith("m3,snr_denoised_db,dB,-5,5,-20,")
    assert carbon.startswith("m11,carbon,,0.4,0,40,")
    assert format_outliers([]).strip() == header
