"""SNR at picks, of discs in noise whose values are known."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from cryopair.formats.mrc import write_mrc
from cryopair.formats.star import Table, write_star
from cryopair.micrographs import Micrographs
from cryopair.quality.annotated import annotated_snr, measure_at_picks

SHAPE = (300, 400)
X, Y = (grid.ravel() for grid in np.meshgrid(np.arange(40, 400, 80), np.arange(40, 300, 80)))


def discs(contrast: float, noise: float, *, seed: int = 0) -> np.ndarray:
    """Dark discs 20 pixels wide, 80 pixels apart, on a level of 100."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    image = np.random.default_rng(seed).normal(100, noise, SHAPE)
    for column, row in zip(X, Y, strict=True):
        image[np.hypot(x - column, y - row) <= 10] -= contrast
    return image.astype(np.float32)


@pytest.mark.parametrize(("contrast", "noise"), [(2.0, 1.0), (1.0, 2.0), (6.0, 0.5)])
def test_both_variants_are_those_of_the_formula(contrast: float, noise: float) -> None:
    """In a region of 11 x 11 pixels the squared mean has the noise's variance over 121, twice, on top."""
    snr = annotated_snr(discs(contrast, noise), X, Y, diameter=40, pixel_size=2)
    assert snr.pairs == len(X)
    with_variance = 10 * math.log10((contrast**2 + noise**2) / noise**2)
    assert snr.mean_and_variance_db == pytest.approx(with_variance, abs=0.4)
    assert snr.mean_db == pytest.approx(20 * math.log10(contrast / noise), abs=0.6)


def test_nothing_is_said_without_background_or_picks() -> None:
    crowded = np.meshgrid(np.arange(0, 400, 10), np.arange(0, 300, 10))
    for x, y in ((crowded[0].ravel(), crowded[1].ravel()), ([], []), ([200], [150])):
        snr = annotated_snr(discs(2, 1), x, y, diameter=40, pixel_size=2)
        assert math.isnan(snr.mean_db)
        assert math.isnan(snr.mean_and_variance_db)


def test_raw_and_denoised_are_measured_at_the_same_picks(tmp_path: Path) -> None:
    write_mrc(tmp_path / "raw.mrc", discs(2, 2), pixel_size=2.0)
    write_mrc(tmp_path / "denoised.mrc", discs(2, 0.2), pixel_size=2.0)
    coordinates = Table({"rlnCoordinateX": [float(x) for x in X], "rlnCoordinateY": [float(y) for y in Y]})
    write_star(tmp_path / "picks.star", {"": coordinates})
    row = {
        "rlnMicrographName": str(tmp_path / "raw.mrc"),
        "rlnOpticsGroup": 1,
        "rlnMicrographNameDenoised": str(tmp_path / "denoised.mrc"),
        "rlnMicrographCoordinates": str(tmp_path / "picks.star"),
    }
    optics = Table({"rlnOpticsGroup": [1], "rlnMicrographPixelSize": [2.0]})
    micrographs = Micrographs(optics, Table({label: [value] for label, value in row.items()}))
    measure_at_picks(micrographs, diameter=40, out_csv=tmp_path / "picks.csv")
    with (tmp_path / "picks.csv").open(newline="") as stream:
        (figures,) = csv.DictReader(stream)
    gain = float(figures["annotated_snr_denoised_mean_db"]) - float(figures["annotated_snr_raw_mean_db"])
    assert gain == pytest.approx(20, abs=1)
    assert figures["pairs"] == str(len(X))
