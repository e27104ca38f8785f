"""Comparing denoisers: figures that hold whatever grey levels a program writes, and names that are never guessed."""

import base64
import csv
import io
import math
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from cryopair.comparison.measure import Figures, measure_methods
from cryopair.comparison.methods import Folder
from cryopair.comparison.page import compare
from cryopair.comparison.summary import compared, summarise
from cryopair.errors import BadFileError, UsageError
from cryopair.formats.mrc import read_mrc, write_mrc
from cryopair.formats.star import Table
from cryopair.micrographs import Micrographs

SHAPE, PIXEL_SIZE = (288, 384), 4.0
NAMES = [f"MotionCorr/job002/Movies/m{n}.mrc" for n in (1, 2, 3)]
SIGNAL_STD, NOISE_STD = 0.5, 2.0  # of a half
SNR_RAW = 10 * math.log10(SIGNAL_STD**2 / (NOISE_STD**2 / 2))
INSIDE_NYQUIST = 10 * math.log10(4 / math.pi)
"""What raw gains in dB where the noise in the corners of Fourier space is left out, as in rings up to Nyquist."""


@pytest.fixture
def micrographs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Micrographs:
    """Three pairs of halves of a smooth signal in white noise, and denoised images of several makers."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(11)
    for name in NAMES:
        stem = Path(name).stem
        signal = gaussian_filter(white := rng.normal(size=SHAPE), 2) - gaussian_filter(white, 6)
        signal *= SIGNAL_STD / signal.std()
        halves = {half: 100 + signal + rng.normal(0, NOISE_STD, SHAPE) for half in ("_EVN", "_ODD")}
        made_up = gaussian_filter(np.random.default_rng(5).normal(size=SHAPE), 3)
        made_up *= SIGNAL_STD / made_up.std()
        write_mrc(f"truth/Movies/{stem}.mrc", 200 + 2 * signal, pixel_size=PIXEL_SIZE)
        write_mrc(f"sums/{stem}.mrc", sum(gaussian_filter(h, 2) for h in halves.values()), pixel_size=PIXEL_SIZE)
        for half, image in halves.items():
            smooth = gaussian_filter(image, 2)
            write_mrc(f"halves/Movies/{stem}{half}.mrc", image, pixel_size=PIXEL_SIZE)
            write_mrc(f"plain/Movies/{stem}{half}.mrc", smooth, pixel_size=PIXEL_SIZE)
            write_mrc(f"scaled/{stem}{half}.mrc", 7 - 0.02 * smooth, pixel_size=PIXEL_SIZE)
            folder = {"_EVN": "apart_even", "_ODD": "apart_odd"}[half]
            write_mrc(f"{folder}/{stem}.mrc", smooth, pixel_size=PIXEL_SIZE)
            write_mrc(f"blurred/{stem}{half}.mrc", gaussian_filter(image, 14), pixel_size=PIXEL_SIZE)
            write_mrc(f"inventor/{stem}{half}.mrc", 100 + made_up, pixel_size=PIXEL_SIZE)
    table = Table(
        {
            "rlnMicrographName": NAMES,
            "rlnOpticsGroup": [1, 1, 1],
            "rlnMicrographNameEven": [f"halves/Movies/{Path(name).stem}_EVN.mrc" for name in NAMES],
            "rlnMicrographNameOdd": [f"halves/Movies/{Path(name).stem}_ODD.mrc" for name in NAMES],
        }
    )
    return Micrographs(Table({"rlnOpticsGroup": [1], "rlnMicrographPixelSize": [PIXEL_SIZE]}), table)


def folders(*names: str) -> list[Folder]:
    return [Folder(name, Path(name)) for name in names]


def measured(micrographs: Micrographs, *names: str, truth: Path | None = None) -> dict[str, Figures]:
    row = micrographs.table.row(0)
    return {one.method: one for one in measure_methods(micrographs, row, folders(*names), truth=truth)}


def test_grey_levels_and_places_do_not_matter(micrographs: Micrographs) -> None:
    found = measured(micrographs, "plain", "scaled", "apart")
    plain = found["plain"]
    assert plain.snr_raw == pytest.approx(SNR_RAW + INSIDE_NYQUIST, abs=0.5)
    assert 0.5 < plain.grey_scale < 1.1 and plain.gain > 6
    assert found["scaled"].grey_scale == pytest.approx(plain.grey_scale / -0.02, rel=0.01)  # its contrast is inverted
    for other in ("scaled", "apart"):
        assert found[other].snr == pytest.approx(plain.snr, abs=0.05)
        assert found[other].bias == pytest.approx(plain.bias, abs=0.05)


def test_measured_without_truth_is_near_what_the_truth_says(micrographs: Micrographs) -> None:
    found = measured(micrographs, "plain", truth=Path("truth"))
    assert found["raw"].snr == pytest.approx(found["raw"].truth + INSIDE_NYQUIST, abs=0.5)
    for method in ("Gaussian", "plain"):  # lost signal is an error to one; to the other, it only is not there
        from_truth = 10 * math.log10(1 + 10 ** (found[method].truth / 10))
        assert found[method].snr == pytest.approx(from_truth, abs=0.5), method


def test_blur_and_invention_are_exposed(micrographs: Micrographs) -> None:
    found = measured(micrographs, "plain", "blurred", "inventor")
    assert found["plain"].bias < -4
    assert found["blurred"].lost > -1.5 and found["blurred"].snr < found["Gaussian"].snr - 3
    assert found["inventor"].bias > -1.0
    assert not found["inventor"].snr > found["plain"].snr - 3


def test_denoised_sums_alone_are_not_measured(micrographs: Micrographs) -> None:
    only = measured(micrographs, "sums", truth=Path("truth"))["sums"]
    assert math.isnan(only.snr) and math.isnan(only.bias)
    assert only.truth > SNR_RAW + 6  # but the truth knows


def test_the_page_and_the_tables(micrographs: Micrographs) -> None:
    summaries = compare(micrographs, folders("plain", "sums"), out=Path("out"))
    assert summaries[0].method == "raw" and {line.method for line in summaries[-1:]} == {"sums"}
    page = Path("out/compare.html").read_text(encoding="utf-8")
    assert not re.search(r"https?:|file:|@import", page)
    assert "Not measured: sums." in page and page.count('<article class="view"') == 3
    assert page.count('data-layer="residual of plain"') == 3
    with Path("out/compare.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 3 * 6
    assert {row["method"] for row in rows} == {"raw", "binning", "Gaussian", "Wiener", "plain", "sums"}
    with Path("out/summary.csv").open(newline="") as stream:
        medians = {row["method"]: row for row in csv.DictReader(stream)}
    values = [float(row["snr_denoised_db"]) for row in rows if row["method"] == "plain"]
    assert float(medians["plain"]["median_snr_db"]) == pytest.approx(np.median(values))
    assert medians["sums"]["median_snr_db"] == ""
    assert Path("out/figures/gain-and-bias.png").is_file()


def test_the_map_of_disagreement_is_bright_where_methods_differ(micrographs: Micrographs) -> None:
    """One of them has taken a particle away, and all grey levels are raised, which is no disagreement."""
    for name in NAMES:
        for half in ("_EVN", "_ODD"):
            image = read_mrc(f"plain/Movies/{Path(name).stem}{half}.mrc") + 3
            image[100:140, 200:240] = image.mean()
            write_mrc(f"other/{Path(name).stem}{half}.mrc", image, pixel_size=PIXEL_SIZE)
    compare(micrographs, folders("plain", "other"), out=Path("out"))
    page = Path("out/compare.html").read_text(encoding="utf-8")
    first = page[page.index('data-layer="disagreement"') :]
    jpeg = base64.b64decode(re.search(r'src="data:image/jpeg;base64,([^"]+)"', first)[1])  # type: ignore[index]
    shown = np.asarray(Image.open(io.BytesIO(jpeg)), np.float64)
    inside = np.zeros(SHAPE, bool)
    inside[100:140, 200:240] = True
    assert shown.shape == SHAPE
    assert shown[inside].mean() > shown[~inside].mean() + 50
    assert page.count('data-layer="disagreement"') == 3
    assert 'aria-label="Movies/m1"' in page


def test_what_a_model_was_trained_on_does_not_count() -> None:
    known = [Figures(micrograph=m, method=x, snr_raw=0, snr=s, trained_on=m == "a" and x == "ours")
             for m, s in (("a", 9.0), ("b", 1.0), ("c", 3.0)) for x in ("ours", "theirs")]  # fmt: skip
    assert compared(known) == {"b", "c"}
    assert {line.method: line.gain for line in summarise(known)} == {"ours": 2.0, "theirs": 2.0}


@pytest.mark.parametrize(
    ("lose", "says"),
    [
        ("plain/Movies/m2_ODD.mrc", "has denoised halves of MotionCorr/job002/Movies/m1.mrc, but none of"),
        ("sums/m2.mrc", "has no image of MotionCorr/job002/Movies/m2.mrc"),
    ],
)
def test_missing_images_are_named(micrographs: Micrographs, lose: str, says: str) -> None:
    Path(lose).unlink()
    with pytest.raises(BadFileError, match=re.escape(says)):
        compare(micrographs, folders(lose.split("/")[0]), out=Path("out"))


def test_one_image_for_two_micrographs_is_refused(micrographs: Micrographs) -> None:
    micrographs.table["rlnMicrographName"] = ["MotionCorr/job002/A/m1.mrc", "MotionCorr/job002/B/m1.mrc", NAMES[2]]
    with pytest.raises(UsageError, match="would be the denoised image of both"):
        compare(micrographs, folders("sums"), out=Path("out"))


def test_other_sizes_are_refused(micrographs: Micrographs) -> None:
    write_mrc("sums/m1.mrc", np.zeros((10, 10)), pixel_size=1)
    with pytest.raises(BadFileError, match=r"has shape \(10, 10\)"):
        compare(micrographs, folders("sums"), out=Path("out"))


def test_names_must_differ(micrographs: Micrographs) -> None:
    with pytest.raises(UsageError, match="two things to compare are called plain"):
        compare(micrographs, folders("plain", "plain"), out=Path("out"))
