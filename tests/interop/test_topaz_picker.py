"""Topaz itself as the picker: in a whole session, in the stage, and trained on picks."""

import os
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from made_up import SOURCE, Project

from cryopair.errors import ProgramError
from cryopair.formats.coordinates import Coordinates, read_coordinates, write_coordinates
from cryopair.formats.mrc import write_mrc
from cryopair.formats.star import Table
from cryopair.micrographs import Micrographs
from cryopair.picking.agreement import score_picks
from cryopair.picking.images import Images
from cryopair.picking.stage import pick_micrographs
from cryopair.picking.topaz import TopazPicker, train_detector
from cryopair.simulate.project import simulate_project
from cryopair.simulate.verdict import judge

PIXEL_SIZE, DIAMETER, SHAPE = 3.9, 160.0, (523, 610)
"""Neither side is a multiple of the factor that Topaz scales by."""


@pytest.fixture(scope="module", autouse=True)
def topaz() -> None:
    if shutil.which(os.environ.get("CRYOPAIR_TOPAZ", "topaz")) is None:
        pytest.skip("Topaz is not installed: run .ci/install, or name its program in CRYOPAIR_TOPAZ")


@pytest.fixture(scope="module")
def places() -> list[np.ndarray]:
    """Places of particles on two micrographs, shape ``(particles, 2)`` each."""
    grid = np.stack(np.meshgrid(np.arange(45, 590, 74), np.arange(45, 500, 74)), axis=-1).reshape(-1, 2)
    return [grid + np.random.default_rng(seed).uniform(-9, 9, grid.shape) for seed in (1, 2)]


@pytest.fixture(scope="module")
def micrographs(tmp_path_factory: pytest.TempPathFactory, places: list[np.ndarray]) -> Micrographs:
    """Dark balls in noise, on micrographs of one name in two folders."""
    folder = tmp_path_factory.mktemp("project")
    row, column = np.mgrid[: SHAPE[0], : SHAPE[1]]
    names = []
    for number, at in enumerate(places):
        image = np.random.default_rng(number).normal(0, 1, SHAPE)
        for x, y in at:
            radius = np.hypot(column - x, row - y) / (DIAMETER / PIXEL_SIZE / 2)
            image -= 1.5 * np.sqrt(np.clip(1 - radius**2, 0, None))
        names.append(f"{folder}/{'ab'[number]}/mic.mrc")
        write_mrc(names[-1], image, pixel_size=PIXEL_SIZE)
    optics = Table({"rlnOpticsGroup": [1], "rlnMicrographPixelSize": [PIXEL_SIZE]})
    raw = [f"{letter}/mic.mrc" for letter in "ab"]
    table = Table({"rlnMicrographName": raw, "rlnOpticsGroup": [1, 1], "rlnMicrographNameDenoised": names})
    return Micrographs(optics, table)


def assert_found(picked: Micrographs, places: list[np.ndarray], *, share: float) -> None:
    """Of the best picks, as many as there are particles, a share are particles, and on average right where those are.

    Picks at random would find 6 %. Half a pixel of what Topaz sees would be 4 Å.
    """
    errors = []
    for row, at in zip(picked.table.rows(), places, strict=True):
        picks = read_coordinates(row["cryopairPicks"])
        assert picks.shape == SHAPE
        found = np.stack([picks.x, picks.y], axis=1)[: len(at)]
        score = score_picks(found, at, SHAPE, DIAMETER / PIXEL_SIZE)
        assert score.true_positive >= share * len(at)
        distances = np.hypot(*(found[:, None] - at[None]).transpose(2, 0, 1))
        near = distances.min(axis=0) < DIAMETER / PIXEL_SIZE / 4
        errors.append((found[distances.argmin(axis=0)] - at)[near])
    assert np.abs(np.concatenate(errors).mean(axis=0)).max() * PIXEL_SIZE < 3


def test_topaz_picks(micrographs: Micrographs, places: list[np.ndarray], tmp_path: Path) -> None:
    picker = TopazPicker(Images.DENOISED, DIAMETER, "resnet8", min_score=-6)
    picked = pick_micrographs(micrographs, picker, out=tmp_path)
    assert picked.table["cryopairPicks"] == [str(tmp_path / f"{letter}/mic_topaz.star") for letter in "ab"]
    assert_found(picked, places, share=0.5)  # its pretrained detectors have not seen balls before


def test_a_detector_is_trained_on_picks(micrographs: Micrographs, places: list[np.ndarray], tmp_path: Path) -> None:
    """On the picks of one micrograph, given in pixels twice as fine; it finds those of both.

    Three updates cost most of the test's time; they start from a pretrained detector and do not spoil it.
    """
    table = micrographs.table.select([0, 1])
    for letter, at in zip("ab", (places[0] * 2, places[0][:0]), strict=True):
        shape = (2 * SHAPE[0], 2 * SHAPE[1])
        picks = Coordinates(at[:, 0], at[:, 1], np.ones(len(at)), "mic.mrc", shape, PIXEL_SIZE / 2)
        write_coordinates(tmp_path / f"{letter}.star", picks)
    table["cryopairPicks"] = [str(tmp_path / f"{letter}.star") for letter in "ab"]
    detector = tmp_path / "mine/detector.sav"
    with_picks = Micrographs(micrographs.optics, table)
    used = train_detector(with_picks, Images.DENOISED, diameter=DIAMETER, out=detector, epochs=1, updates=3)
    assert used == len(places[0])
    picker = TopazPicker(Images.DENOISED, DIAMETER, str(detector), min_score=-6)
    assert_found(pick_micrographs(micrographs, picker, out=tmp_path / "picks"), places, share=0.5)


def test_what_topaz_says_is_told(micrographs: Micrographs, tmp_path: Path) -> None:
    (tmp_path / "no detector").write_text("nonsense")
    picker = TopazPicker(Images.DENOISED, DIAMETER, str(tmp_path / "no detector"))
    with pytest.raises(ProgramError, match=r"(?s)topaz extract .* ended with code 1\. Its last lines were:\n.*Error"):
        picker.start(micrographs)


def test_a_session_picks_by_topaz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From movies to particles, by a detector that has not seen this particle before, nor ice that is so dirty."""
    project = Project(tmp_path)
    simulate_project(tmp_path, movies=4, frames=8, shape=(512, 512), dose_per_frame=3.6)
    # Topaz learnt from raw micrographs; so few steps of training would not help.
    settings = ("picking.picker=topaz", "picking.images=raw", "training.steps=6", "extraction.box=96")
    options = [word for setting in settings for word in ("--set", setting)]
    done = project.cryopair("init", "--from", SOURCE, "--diameter", "150", *options)
    assert done.returncode == 0, done.stderr
    assert project.run()["pick"] == 1
    assert (project.output / "coordinates/coords_suffix_topaz.star").is_file()
    monkeypatch.chdir(project.folder)
    verdict = judge(Path("cryopair"), diameter=150)
    assert verdict.from_raw == verdict.particles > 50
    assert verdict.f1_denoised > 0.7  # of the session's picks, which are on raw; at random it would be below 0.1
    assert project.run() == Counter()
