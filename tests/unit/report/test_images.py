"""Images: contrast that survives contamination, orientation, and the right micrographs."""

import base64
import io
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cryopair.formats.mrc import write_mrc
from cryopair.report.data import MicrographResult, read_results
from cryopair.report.gallery import choose, render, scale_bar
from cryopair.report.images import choose_particles, contact_sheet, contrast, grey, shrink

MODEL = Path("cryopair/models/v1-0123abcd")


def decoded(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",", 1)[1]))), dtype=float)


@pytest.fixture
def micrographs(session: Path) -> list[MicrographResult]:
    return read_results(session, model=MODEL).micrographs


def test_contrast_is_that_of_the_clean_part() -> None:
    image = np.random.default_rng(0).normal(5, 2, (200, 200))
    assert contrast(image, deviations=3) == pytest.approx((-1, 11), abs=0.15)
    image[:40] = -500  # a fifth is ice
    low, high = contrast(image, deviations=3)
    assert 11 < high - low < 17  # 12 without the ice; the usual percentiles would give 500


def test_contrast_of_a_flat_or_empty_image_is_not_zero() -> None:
    assert contrast(np.full((4, 4), 7.0), deviations=3) == (6.0, 8.0)
    assert contrast(np.full((4, 4), np.nan), deviations=3) == (0.0, 1.0)


def test_grey_clips() -> None:
    np.testing.assert_array_equal(grey(np.array([[-9.0, 0, 5, 10, 99, np.nan]]), (0, 10)), [[0, 0, 128, 255, 255, 128]])


def test_shrinking_averages() -> None:
    image = np.arange(8 * 12, dtype=float).reshape(8, 12)
    np.testing.assert_allclose(shrink(image, 6), image.reshape(4, 2, 6, 2).mean(axis=(1, 3)))
    np.testing.assert_array_equal(shrink(image, 50), image)


def test_the_first_row_is_shown_on_top(micrographs: list[MicrographResult]) -> None:
    view = render("", micrographs[0])
    image = decoded(view.layers["denoised"])
    assert image.shape == view.shape == (96, 128)
    assert image[:40, :56].mean() > 250  # the top left quarter is bright
    assert image[56:].max() < image[:40, :56].min() and image[:, 72:].max() < image[:40, :56].min()


def test_the_difference_is_in_the_contrast_of_the_raw_image(micrographs: list[MicrographResult]) -> None:
    view = render("", micrographs[0])
    raw, difference = decoded(view.layers["raw"]), decoded(view.layers["residual"])
    assert abs(difference[:40, :56].mean() - difference[56:, 72:].mean()) < 3  # only noise is left
    assert raw[:40, :56].mean() - raw[56:, 72:].mean() > 30
    assert difference[56:, 72:].std() == pytest.approx(raw[56:, 72:].std(), rel=0.1)


def test_picks_and_other_sizes(micrographs: list[MicrographResult]) -> None:
    assert render("", micrographs[2]).picks == [(10.0, 20.0), (11.0, 20.0)]
    write_mrc("small.mrc", np.zeros((48, 64)), pixel_size=4)
    view = render("", replace(micrographs[2], denoised="small.mrc", coordinates=None))
    assert list(view.layers) == ["raw", "denoised"] and view.picks == []


def test_the_gallery_goes_from_the_highest_snr_to_the_lowest(micrographs: list[MicrographResult]) -> None:
    assert [(place, m.number) for place, m in choose(micrographs)] == [
        ("highest SNR", 2),
        ("upper quartile", 5),
        ("median SNR", 3),
        ("lower quartile", 1),
        ("lowest SNR", 4),
    ]


def test_the_gallery_of_few_or_unmeasured_micrographs(micrographs: list[MicrographResult]) -> None:
    assert [(place, m.number) for place, m in choose(micrographs[:1])] == [("median SNR", 1)]
    unmeasured = [replace(m, snr_raw=math.nan) for m in micrographs]
    assert [(place, m.number) for place, m in choose(unmeasured)] == [
        ("", 1),
        ("", 2),
        ("", 3),
        ("", 5),
        ("", 6),
    ]
    Path(micrographs[1].name).unlink()
    assert 2 not in [m.number for _, m in choose(micrographs)]
    assert choose([replace(m, denoised=None) for m in micrographs]) == []


@pytest.mark.parametrize(("width", "bar"), [(2048, 500), (3800, 500), (256, 50), (7000, 1000)])
def test_scale_bar(width: float, bar: int) -> None:
    assert scale_bar(width) == bar


def test_a_contact_sheet_shows_each_particle_in_its_place(tmp_path: Path) -> None:
    stack = np.zeros((3, 16, 16))
    for index in range(3):
        stack[index] = np.random.default_rng(index).normal(size=(16, 16))
        stack[index, :4] = 50 * (-1) ** index  # the top rows: bright, dark, bright
    write_mrc(tmp_path / "s.mrcs", stack, pixel_size=1)
    sheet = contact_sheet([f"{n:06d}@{tmp_path}/s.mrcs" for n in (1, 2, 3)], columns=2, side=32, gap=4)
    assert sheet.shape == (68, 68)
    assert sheet[1, 5] == 255 and sheet[1, 41] == 0 and sheet[37, 5] == 255
    assert (sheet[:, 32:36] == 255).all() and (sheet[32:36] == 255).all() and (sheet[36:, 36:] == 255).all()


def test_particles_are_chosen_once_and_for_all(session: Path) -> None:
    particles = read_results(session, model=MODEL).particles
    assert particles is not None
    chosen = choose_particles(particles.images, 7)
    assert chosen == choose_particles(particles.images, 7) == sorted(set(chosen), key=particles.images.index)
    assert len(chosen) == 7
    Path("cryopair/particles/Movies/m4.mrcs").unlink()
    left = choose_particles(particles.images, 100)
    assert len(left) == 10 and not any("m4" in name for name in left)
