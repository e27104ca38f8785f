"""The stage denoise and the command of the same name: what is written, and what is left alone."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from cryopair.denoiser.files import denoise_files
from cryopair.denoiser.inference import denoise, denoise_micrograph
from cryopair.denoiser.model import Ensemble, Model, save_model
from cryopair.denoiser.networks import TopazAffine, UNet
from cryopair.denoiser.sampling import resample
from cryopair.denoiser.stage import What, denoise_micrographs, warn_pixel_size
from cryopair.errors import UsageError
from cryopair.formats.mrc import DENOISED_LABEL, read_mrc, read_mrc_info, write_mrc
from cryopair.micrographs import Micrographs


@pytest.fixture
def model(tmp_path: Path, network: UNet) -> Model:
    return save_model(tmp_path / "model", network, {"pixel_size": 1.5})


@pytest.fixture
def micrographs(tmp_path: Path, make_pairs: Callable[..., Micrographs]) -> Micrographs:
    return make_pairs(tmp_path / "halves", 3, (60, 77))


@pytest.mark.parametrize("what", ["sum", "halves", "both"])
def test_the_sum_the_halves_or_both_are_denoised(
    micrographs: Micrographs, model: Model, tmp_path: Path, what: What
) -> None:
    done = denoise_micrographs(micrographs, model, out=tmp_path / "denoised", what=what)
    assert done.table["cryopairModel"] == [model.hash] * 3
    for number, row in enumerate(done.table.rows()):
        path = row["rlnMicrographNameDenoised"]
        assert path == str(tmp_path / f"denoised/Movies/{number:02d}.mrc")
        halves = [read_mrc(row[f"rlnMicrographName{half}"]) for half in ("Even", "Odd")]
        of_halves = sum(denoise(half, model.network) for half in halves)
        of_sum = denoise(halves[0] + halves[1], model.network)
        expected = {"sum": of_sum, "halves": of_halves, "both": (of_sum + of_halves) / 2}[what]
        np.testing.assert_allclose(read_mrc(path), expected, rtol=1e-6)
        # The level is that of a sum, not of a mean, as far as random weights keep it.
        assert read_mrc(path).mean() == pytest.approx((halves[0] + halves[1]).mean(), rel=0.2)
        info = read_mrc_info(path)
        assert info.labels == (DENOISED_LABEL, f"cryopair: model {model.hash}")
        assert info.denoised
        assert info.pixel_size == pytest.approx(1.5)


def test_a_bad_pair_costs_only_itself(micrographs: Micrographs, model: Model, tmp_path: Path) -> None:
    write_mrc(micrographs.table["rlnMicrographNameOdd"][0], np.eye(12), pixel_size=1.5)
    for half in ("Even", "Odd"):
        write_mrc(micrographs.table[f"rlnMicrographName{half}"][2], np.full((60, 77), 4.2), pixel_size=1.5)
    done = denoise_micrographs(micrographs, model, out=tmp_path / "denoised")
    assert done.table["rlnMicrographName"] == ["MotionCorr/job002/Movies/01.mrc"]
    assert "00_ODD.mrc: has shape (12, 12); expected (60, 77)" in done.failed["cryopairReason"][0]
    assert "02.mrc: is constant" in done.failed["cryopairReason"][1]
    assert [path.name for path in (tmp_path / "denoised").rglob("*.mrc")] == ["01.mrc"]


def test_finer_micrographs_are_denoised_at_the_pixel_size_of_the_model(tmp_path: Path) -> None:
    network = TopazAffine(kernel=3)  # always in float32
    torch.nn.init.normal_(network.filter.weight)
    model = save_model(tmp_path, network, {"pixel_size": 1.5})
    y = np.mgrid[:120, :160][0] / 2
    coarse = 5 + np.cos(np.pi * 4 * (np.mgrid[:60, :80][0] + 0.5) / 60)
    fine = 5 + np.cos(np.pi * 4 * (y + 0.25) / 60)
    expected = resample(denoise(coarse, model.network), fine.shape)
    np.testing.assert_allclose(denoise_micrograph(fine, model, pixel_size=0.75), expected, atol=1e-4)


def test_coarser_pixels_are_warned_of(micrographs: Micrographs, model: Model) -> None:
    for finer in (0.5, 1.6):
        micrographs.optics["rlnMicrographPixelSize"] = [finer]
        warn_pixel_size(micrographs, model)  # finer, or within 10 %: an error if it warned
    micrographs.optics["rlnMicrographPixelSize"] = [1.7]
    with pytest.warns(UserWarning, match=r"1\.7 Å/px, but model .* was trained at 1\.5 Å/px"):
        warn_pixel_size(micrographs, model)


def test_models_for_any_pixel_size_say_nothing(make_pairs: Callable[..., Micrographs], tmp_path: Path) -> None:
    model = save_model(tmp_path / "any", TopazAffine(kernel=3), {"pixel_size": None})
    warn_pixel_size(make_pairs(tmp_path, 1), model)  # an error if it warned


def test_an_ensemble_denoises_to_the_mean(tmp_path: Path, model: Model) -> None:
    other = save_model(tmp_path / "other", TopazAffine(kernel=3), {"pixel_size": None})
    image = np.random.default_rng(0).normal(50, 4, (60, 77)).astype(np.float32)
    write_mrc(tmp_path / "a.mrc", image, pixel_size=1.5)
    denoise_files([tmp_path / "a.mrc"], Ensemble((model, other)), out=tmp_path / "out")
    expected = (denoise(image, model.network) + denoise(image, other.network)) / 2
    np.testing.assert_allclose(read_mrc(tmp_path / "out/a.mrc"), expected, rtol=1e-6)
    assert f"{model.hash}+{other.hash}".encode() in (tmp_path / "out/a.mrc").read_bytes()


def test_files_are_denoised_under_their_own_names(tmp_path: Path, model: Model) -> None:
    image = np.random.default_rng(0).normal(50, 4, (60, 77)).astype(np.float32)
    write_mrc(tmp_path / "a.mrc", image, pixel_size=1.5)
    denoise_files([tmp_path / "a.mrc"], model, out=tmp_path / "out")
    np.testing.assert_array_equal(read_mrc(tmp_path / "out/a.mrc"), denoise(image, model.network))
    info = read_mrc_info(tmp_path / "out/a.mrc")
    assert info.denoised
    assert info.pixel_size == pytest.approx(1.5)


def test_inputs_are_never_overwritten(tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.random.default_rng(0).normal(50, 4, (60, 77))
    write_mrc(tmp_path / "raw/a.mrc", image, pixel_size=1)
    write_mrc(tmp_path / "other/a.mrc", image, pixel_size=1)
    (tmp_path / "link").symlink_to(tmp_path / "raw")
    before = (tmp_path / "raw/a.mrc").read_bytes()
    monkeypatch.chdir(tmp_path)
    for out in (tmp_path / "raw", Path("raw"), tmp_path / "link", tmp_path / "other/../raw"):
        with pytest.raises(UsageError, match=r"a\.mrc: the result would replace the input"):
            denoise_files([tmp_path / "raw/a.mrc"], model, out=out)
    with pytest.raises(UsageError, match=r"two of the images are called a\.mrc"):
        denoise_files([tmp_path / "raw/a.mrc", tmp_path / "other/a.mrc"], model, out=tmp_path / "out")
    assert (tmp_path / "raw/a.mrc").read_bytes() == before
    assert not (tmp_path / "out").exists()
