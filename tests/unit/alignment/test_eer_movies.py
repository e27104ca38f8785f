"""EER movies go through alignment and half-sums: grouped, twice as fine, their gain divided by."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter, shift

from cryopair.cli import main
from cryopair.formats.movies import EerRendering
from cryopair.formats.mrc import read_mrc
from cryopair.formats.star import Table, read_star, write_star
from cryopair.micrographs import read_micrographs
from cryopair.motion import read_motion

from ..formats.eer_writer import FALCON_4I, Electrons, encode, write_eer

GROUPING, GROUPS, SHAPE = 4, 6, (96, 128)
ALIGN = ["align", "--star", "movies.star", "--out", "Align/job001", "--dose-per-frame", "1", "--device", "cpu"]
DRIFT = np.stack([0.8 * np.arange(GROUPS), -0.5 * np.arange(GROUPS)], axis=1)  # pixels of the detector


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    scene = gaussian_filter(random.normal(size=(SHAPE[0] + 40, SHAPE[1] + 40)), 2)
    scene *= 0.4 / scene.std()
    streams = []
    for x, y in DRIFT:
        chance = 0.2 * (1 + shift(scene, (y, x), order=3, mode="nearest")[20:-20, 20:-20]).clip(0, 4)
        for _ in range(GROUPING):
            rows, columns = np.nonzero(random.uniform(size=SHAPE) < chance)
            down, across = random.integers(2**FALCON_4I.place_bits, size=(2, len(rows)))
            streams.append(encode(Electrons(rows, columns, down, across), SHAPE, FALCON_4I))
    streams.append(streams[0])  # a frame too many for a whole group
    write_eer(Path("a.eer"), streams, SHAPE, FALCON_4I)
    tifffile.imwrite("gain.tif", np.full(SHAPE, 1.0, np.float32))
    optics = {"rlnOpticsGroupName": ["og"], "rlnOpticsGroup": [1], "rlnMicrographOriginalPixelSize": [0.75]}
    movies = {"rlnMicrographMovieName": ["a.eer"], "rlnOpticsGroup": [1]}
    write_star("movies.star", {"optics": Table({**optics, "rlnVoltage": [300.0]}), "movies": Table(movies)})


def test_an_eer_movie_is_aligned_and_halved(project: None) -> None:
    rendering = ["--eer-grouping", str(GROUPING), "--eer-upsampling", "2"]
    assert main([*ALIGN, *rendering, "--gain", "gain.tif", "--motion", "global"]) == 0
    (row,) = read_micrographs("Align/job001/align.star").table.rows()
    motion = read_motion(row["rlnMicrographMetadata"])
    assert motion.eer == EerRendering(GROUPING, 2)
    assert (motion.frames, motion.height, motion.width) == (GROUPS, 2 * SHAPE[0], 2 * SHAPE[1])
    left = motion.global_shifts + 2 * DRIFT  # in pixels twice as fine
    assert np.abs(left - left.mean(axis=0)).max() < 0.5
    assert main(["halves", "--star", "Align/job001/align.star", "--out", "halves", "--device", "cpu"]) == 0
    even, odd = (read_mrc(f"halves/a_{half}.mrc") for half in ("EVN", "ODD"))
    micrograph = read_mrc(row["rlnMicrographName"])
    assert np.abs(even + odd - micrograph).max() < 1e-3 * micrograph.std()


def test_without_a_grouping_nothing_is_guessed(project: None, capsys: pytest.CaptureFixture[str]) -> None:
    main(ALIGN)
    assert "a.eer: is an EER movie" in capsys.readouterr().err
    failed = read_star("Align/job001/align.star")["failed"]
    assert failed["rlnMicrographName"] == ["a.eer"]
