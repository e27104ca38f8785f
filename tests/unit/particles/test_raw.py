"""Denoised images are recognised, raw ones are let through."""

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, zoom

from cryopair.errors import UsageError
from cryopair.formats.mrc import DENOISED_LABEL, read_mrc_info, write_mrc
from cryopair.particles.raw import looks_denoised, refuse_denoised

RNG = np.random.default_rng(4)
NOISE = RNG.normal(20, 3, (300, 410))
PARTICLES = (
    2 * gaussian_filter(RNG.normal(size=NOISE.shape), 6) / gaussian_filter(RNG.normal(size=NOISE.shape), 6).std()
)


@pytest.mark.parametrize(
    ("kind", "image"),
    [
        ("white noise", NOISE),
        ("particles and noise", NOISE + PARTICLES),
        ("electron counts", RNG.poisson(1.2, NOISE.shape)),
        ("a camera's transfer function", gaussian_filter(NOISE, 0.6)),
        ("interpolated", zoom(NOISE, 1.02, order=1)),
        ("lines of a gain reference", NOISE + 30 * (np.arange(NOISE.shape[1]) % 5 == 0)),
        ("smaller than a patch", NOISE[:90, :70]),
    ],
)
def test_raw_images_do_not_look_denoised(kind: str, image: np.ndarray) -> None:
    assert not looks_denoised(image), kind


@pytest.mark.parametrize("sigma", [1.2, 2.0, 4.0])
def test_smooth_images_look_denoised(sigma: float) -> None:
    assert looks_denoised(PARTICLES + gaussian_filter(NOISE, sigma))


def test_refused_by_the_label_in_the_header(tmp_path: Path) -> None:
    path = tmp_path / "renamed.mrc"
    write_mrc(path, NOISE, pixel_size=1, labels=(DENOISED_LABEL,))
    with pytest.raises(UsageError, match=r"renamed\.mrc.* denoised .*\(its MRC header says so\).* raw "):
        refuse_denoised({"rlnMicrographName": str(path)}, read_mrc_info(path))


@pytest.mark.parametrize("denoised", ["denoised/a.mrc", "./denoised//a.mrc", "denoised/b/../a.mrc"])
def test_refused_by_name(tmp_path: Path, denoised: str) -> None:
    write_mrc(tmp_path / "a.mrc", NOISE, pixel_size=1)
    row = {"rlnMicrographName": "denoised/a.mrc", "rlnMicrographNameDenoised": denoised}
    with pytest.raises(UsageError, match=r"denoised .*rlnMicrographNameDenoised names the same file.* raw "):
        refuse_denoised(row, read_mrc_info(tmp_path / "a.mrc"))


def test_raw_beside_denoised_is_accepted(tmp_path: Path) -> None:
    write_mrc(tmp_path / "a.mrc", NOISE, pixel_size=1)
    row = {"rlnMicrographName": "raw/a.mrc", "rlnMicrographNameDenoised": "denoised/a.mrc"}
    refuse_denoised(row, read_mrc_info(tmp_path / "a.mrc"))
    refuse_denoised({"rlnMicrographName": "raw/a.mrc"}, read_mrc_info(tmp_path / "a.mrc"))
