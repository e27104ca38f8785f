"""Whatever is wrong with one movie, or with what belongs to it, costs that movie only."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cryopair.formats.mrc import read_mrc, write_mrc
from cryopair.formats.star import Table
from cryopair.halves.stage import halve_micrographs
from cryopair.micrographs import Micrographs
from cryopair.motion import Motion, write_motion

FRAMES, HEIGHT, WIDTH = 4, 64, 96
NAMES = ("good_1", "bad", "good_2")


@pytest.fixture
def shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Micrographs:
    """Three whole movies with gain, motion STARs and micrographs."""
    monkeypatch.chdir(tmp_path)
    scene = np.kron(np.random.default_rng(0).uniform(2, 9, (HEIGHT // 8, WIDTH // 8)), np.ones((8, 8)))
    for number, name in enumerate(NAMES):
        counts = np.random.default_rng(number).poisson(scene, (FRAMES, HEIGHT, WIDTH)).astype(np.uint8)
        tifffile.imwrite(f"{name}.tif", counts, photometric="minisblack", compression="lzw", metadata=None)
        write_mrc(f"{name}.mrc", counts[:, ::-1].sum(axis=0), pixel_size=1.0)
        write_mrc(f"{name}_gain.mrc", np.ones((HEIGHT, WIDTH)), pixel_size=1.0)
        motion = Motion(
            movie=f"{name}.tif",
            frames=FRAMES,
            height=HEIGHT,
            width=WIDTH,
            pixel_size=1.0,
            dose_per_frame=1.0,
            voltage=300.0,
            global_shifts=np.zeros((FRAMES, 2)),
            gain=f"{name}_gain.mrc",
        )
        write_motion(f"{name}.star", motion)
    optics = Table({"rlnOpticsGroup": [1], "rlnMicrographPixelSize": [1.0]})
    table = Table({"rlnMicrographName": [f"{name}.mrc" for name in NAMES], "rlnOpticsGroup": [1] * 3})
    table["rlnMicrographMetadata"] = [f"{name}.star" for name in NAMES]
    return Micrographs(optics, table)


def cut(name: str, share: float) -> Callable[[], object]:
    return lambda: Path(name).write_bytes(Path(name).read_bytes()[: int(share * Path(name).stat().st_size)])


def text(name: str, content: str) -> Callable[[], object]:
    return lambda: Path(name).write_text(content)


def motion(old: str, new: str) -> Callable[[], object]:
    def change() -> None:
        before = Path("bad.star").read_text()
        assert old in before
        Path("bad.star").write_text(before.replace(old, new, 1))

    return change


def gain(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[], object]:
    return lambda: write_mrc("bad_gain.mrc", change(read_mrc("bad_gain.mrc")), pixel_size=1.0)


def gain_with_nan() -> None:
    content = Path("bad_gain.mrc").read_bytes()
    Path("bad_gain.mrc").write_bytes(content[:-4] + np.float32(np.nan).tobytes())


def movie(frames: np.ndarray) -> Callable[[], object]:
    return lambda: tifffile.imwrite("bad.tif", frames, photometric="minisblack")


BAD = {
    "movie gone": (lambda: Path("bad.tif").unlink(), "bad.tif: no such file"),
    "movie cut in a frame": (cut("bad.tif", 0.5), "bad.tif"),
    "movie cut in its header": (cut("bad.tif", 0.0005), "bad.tif"),
    "movie empty": (cut("bad.tif", 0), "bad.tif"),
    "movie is text": (text("bad.tif", "not a movie\n" * 99), "bad.tif"),
    "movie is a folder": (lambda: (Path("bad.tif").unlink(), Path("bad.tif").mkdir()), "bad.tif"),
    "a frame too few": (movie(np.ones((3, HEIGHT, WIDTH), np.uint8)), "has 3 frames; expected 4"),
    "frames of another size": (movie(np.ones((4, 32, 32), np.uint8)), "32 x 32"),
    "another movie": (movie(np.random.default_rng(9).poisson(5, (4, HEIGHT, WIDTH)).astype("u1")), "do not fit"),
    "movie without a signal": (movie(np.zeros((4, HEIGHT, WIDTH), np.uint8)), "do not fit"),
    "gain gone": (lambda: Path("bad_gain.mrc").unlink(), "bad_gain.mrc: no such file"),
    "gain with NaN": (gain_with_nan, "bad_gain.mrc"),
    "gain of zeros": (gain(lambda image: 0 * image), "bad_gain.mrc"),
    "gain negative": (gain(lambda image: -image), "bad_gain.mrc"),
    "gain turned": (gain(lambda image: image.T), "bad_gain.mrc"),
    "gain cut": (cut("bad_gain.mrc", 0.7), "bad_gain.mrc"),
    "motion gone": (lambda: Path("bad.star").unlink(), "bad.star"),
    "motion empty": (text("bad.star", ""), "bad.star"),
    "motion cut": (cut("bad.star", 0.8), "bad.star"),
    "motion is not text": (lambda: Path("bad.star").write_bytes(bytes(range(256)) * 9), "bad.star"),
    "motion without a column": (motion("_rlnMicrographShiftY", "_rlnSomethingElse"), "rlnMicrographShiftY"),
    "motion with a word for a number": (motion("_rlnVoltage", "_rlnVoltage high #"), "bad.star"),
    "motion with a NaN": (motion("300.000000", "nan"), "bad.star"),
    "motion of no frames": (motion("_rlnImageSizeZ", "_rlnImageSizeZ 0 #"), "bad.star"),
    "motion with an absurd size": (motion("_rlnImageSizeX", "_rlnImageSizeX 99999999 #"), "99999999"),
    "motion names a file outside": (motion("bad.tif", "/etc/passwd"), "/etc/passwd"),
    "micrograph gone": (lambda: Path("bad.mrc").unlink(), "bad.mrc: no such file"),
    "micrograph cut": (cut("bad.mrc", 0.6), "bad.mrc"),
    "micrograph of another size": (lambda: write_mrc("bad.mrc", np.eye(32), pixel_size=1.0), "bad.mrc"),
}


@pytest.mark.parametrize(("spoil", "message"), BAD.values(), ids=BAD.keys())
def test_one_bad_movie_costs_one_movie(shard: Micrographs, spoil: Callable[[], object], message: str) -> None:
    spoil()
    done = halve_micrographs(shard, out=Path("halves"), dose_weighting=False)
    assert done.table["rlnMicrographName"] == ["good_1.mrc", "good_2.mrc"]
    assert done.failed["rlnMicrographName"] == ["bad.mrc"]
    (reason,) = done.failed["cryopairReason"]
    assert message in reason
    assert "Traceback" not in reason
    assert sorted(path.name for path in Path("halves").iterdir()) == [
        f"good_{number}_{half}.mrc" for number in (1, 2) for half in ("EVN", "ODD")
    ]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_lines_may_end_as_on_windows(shard: Micrographs, line_end: str) -> None:
    content = Path("bad.star").read_text()
    Path("bad.star").write_bytes(content.replace("\n", line_end).encode())
    assert len(halve_micrographs(shard, out=Path("halves"), dose_weighting=False).table) == 3
