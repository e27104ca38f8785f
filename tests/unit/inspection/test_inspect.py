"""What is said of files."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cryopair.cli import main
from cryopair.denoiser.model import save_model
from cryopair.denoiser.networks import UNet
from cryopair.errors import BadFileError, UsageError
from cryopair.formats.mrc import DENOISED_LABEL, write_mrc
from cryopair.formats.star import Table, write_star
from cryopair.inspection import inspect
from cryopair.motion import Motion, write_motion


def facts(path: Path) -> dict[str, str]:
    return dict(re.split(r"\s{2,}", line, maxsplit=1) for line in inspect(path))


def test_a_tiff_movie(tmp_path: Path) -> None:
    frames = np.arange(3 * 20 * 30).reshape(3, 20, 30) % 7
    tifffile.imwrite(tmp_path / "a.tif", frames.astype(np.uint8), photometric="minisblack", compression="lzw")
    said = facts(tmp_path / "a.tif")
    assert said["movie"] == "3 frames of 30 x 20 px, uint8"
    assert said["row order"].startswith("the last row in the file comes first")
    assert said["first frame"] == f"mean {frames[0].mean():.4g} per pixel, from 0 to 6"


def test_a_denoised_micrograph_is_called_so(tmp_path: Path) -> None:
    image = np.random.default_rng(0).normal(200, 5, (32, 48))
    write_mrc(tmp_path / "a.mrc", image, pixel_size=1.25, labels=(DENOISED_LABEL,))
    said = facts(tmp_path / "a.mrc")
    assert said["image"] == "48 x 32 px, float32"
    assert said["pixel size"] == "1.25 Å/px"
    assert "extraction refuses" in said["denoised"]


def test_a_gain_is_told_from_a_micrograph(tmp_path: Path) -> None:
    gain = np.random.default_rng(0).normal(1, 0.05, (32, 48)).astype(np.float32)
    gain[3, 4:6] = 0
    write_mrc(tmp_path / "gain.mrc", gain, pixel_size=1.0)
    tifffile.imwrite(tmp_path / "a.gain", gain)
    for name in ("gain.mrc", "a.gain"):
        said = facts(tmp_path / name)
        assert said["gain"] == "48 x 32 px, float32"
        assert said["defects"] == "2 pixels are 0"


def test_not_finite_pixels_are_counted(tmp_path: Path) -> None:
    gain = np.ones((8, 8), np.float32)
    gain[0, :3] = np.nan
    tifffile.imwrite(tmp_path / "a.gain", gain)
    assert facts(tmp_path / "a.gain")["problem"] == "3 pixels are not finite numbers"


def test_a_motion_star(tmp_path: Path) -> None:
    shifts = np.zeros((5, 2))
    shifts[2:, 0] = 3.0
    shifts[4] = np.nan
    write_motion(
        tmp_path / "a.star",
        Motion(
            movie="Movies/a.tif",
            frames=5,
            height=100,
            width=200,
            pixel_size=0.5,
            binning=2.0,
            dose_per_frame=1.2,
            voltage=300.0,
            global_shifts=shifts,
        ),
    )
    said = facts(tmp_path / "a.star")
    assert said["motion of"] == "Movies/a.tif"
    assert said["used"] == "frames 1 to 4"
    assert said["micrograph"] == "100 x 50 px, 1 Å/px, binning 2"
    assert said["global"] == "3.00 raw px in all (1.50 Å)"
    assert said["local"] == "none"


def test_a_micrographs_star(tmp_path: Path) -> None:
    optics = Table({"rlnOpticsGroupName": ["grid1"], "rlnOpticsGroup": [1], "rlnMicrographPixelSize": [0.885]})
    micrographs = Table({"rlnMicrographName": ["a.mrc", "b.mrc"], "rlnOpticsGroup": [1, 1]})
    write_star(tmp_path / "a.star", {"optics": optics, "micrographs": micrographs})
    said = facts(tmp_path / "a.star")
    assert said["optics"] == "grid1: 0.885 Å/px"
    assert said["micrographs"] == "2 rows; first MicrographName a.mrc"
    assert said["columns"] == "MicrographName, OpticsGroup"


def test_a_model(tmp_path: Path) -> None:
    model = save_model(tmp_path / "model", UNet(channels=(4, 4)), {"pixel_size": 3.0})
    for path in (tmp_path / "model", tmp_path / "model" / "model.json"):
        said = facts(path)
        assert said["model"].startswith(f"{model.hash}, UNet, ")
        assert said["pixel size"] == "3 Å/px"
    assert json.loads((tmp_path / "model" / "model.json").read_text())["sha256"].startswith(model.hash)


def test_tables_of_cryosparc_run_nothing(tmp_path: Path) -> None:
    table = np.zeros(3, dtype=[("uid", "u8"), ("micrograph_blob/path", "S20"), ("ctf/df1_A", "f4")])
    with (tmp_path / "a.cs").open("wb") as file:
        np.save(file, table)
    assert facts(tmp_path / "a.cs") == {"cryoSPARC": "3 rows", "groups": "ctf, micrograph_blob, uid"}
    with (tmp_path / "b.cs").open("wb") as file:
        np.save(file, np.array([{"run": "me"}], dtype=object), allow_pickle=True)
    with pytest.raises(BadFileError, match=r"b\.cs"):
        inspect(tmp_path / "b.cs")


def test_what_is_no_such_file_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8")
    with pytest.raises(BadFileError, match=r"a\.jpg.*extension '\.jpg'"):
        inspect(tmp_path / "a.jpg")
    with pytest.raises(BadFileError, match="no such file"):
        inspect(tmp_path / "none.tif")
    with pytest.raises(UsageError, match=r"model\.json"):
        inspect(tmp_path)


def test_the_command_goes_on_after_a_bad_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.tif").write_text("not a TIFF\n" * 20)
    write_mrc(tmp_path / "good.mrc", np.arange(12.0).reshape(3, 4), pixel_size=2.0)
    assert main(["inspect", str(tmp_path / "bad.tif"), str(tmp_path / "good.mrc")]) == 1
    printed = capsys.readouterr().out
    assert "bad.tif" in printed
    assert "4 x 3 px, float32" in printed


def test_coordinates(tmp_path: Path) -> None:
    (tmp_path / "a.box").write_text("10 20 30 30 0.5\n-5 100 30 30 0.75\n")
    assert inspect(tmp_path / "a.box") == [
        "coordinates  2 particles on 1 image",
        "centres      x 10 to 25, y 35 to 115 px",
        "scores       0.5 to 0.75",
    ]
    (tmp_path / "topaz.txt").write_text("image_name\tx_coord\ty_coord\na\t1\t2\nb\t3\t4\nb\t5\t6\n")
    assert inspect(tmp_path / "topaz.txt")[:2] == [
        "coordinates  3 particles on 2 images",
        "centres      x 3 to 5, y 4 to 6 px on b",
    ]
    (tmp_path / "a.txt").write_text("hello\n")
    with pytest.raises(BadFileError, match=r"a\.txt: is no coordinate file"):
        inspect(tmp_path / "a.txt")
