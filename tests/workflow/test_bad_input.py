"""One bad movie costs one movie; a bad setting or source costs nothing but one clear message."""

import fcntl
import shutil

import mrcfile
import numpy as np
import pytest
from made_up import SOURCE, Project

from cryopair.formats.star import read_star, write_star

MOVIE = "Movies/mic_0002.tiff"


def failures(project: Project) -> dict[str, str]:
    table = read_star(project.output / "failed.star")["failed"]
    return dict(zip(table["rlnMicrographName"], table["cryopairReason"], strict=True))


def test_a_bad_movie_fails_alone_and_is_taken_in_when_replaced(fresh: Project, finished: Project) -> None:
    path = fresh.folder / MOVIE
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    fresh.run(code=3)
    (name, reason), *others = failures(fresh).items()
    assert not others
    assert name.endswith("mic_0002.mrc")
    assert MOVIE in reason
    assert "It may be truncated" in reason
    assert "1 micrographs FAILED" in fresh.stdout
    micrographs = read_star(fresh.output / "denoised_micrographs.star")["micrographs"]
    assert len(micrographs) == 4

    path.write_bytes(whole)
    jobs = fresh.run()
    assert jobs["halves"] == 1
    assert jobs["train"] == 0
    assert failures(fresh) == {}
    assert len(read_star(fresh.output / "denoised_micrographs.star")["micrographs"]) == 5


def test_a_missing_movie_and_wrong_frames_are_named(fresh: Project) -> None:
    (fresh.folder / MOVIE).unlink()
    star = fresh.folder / "MotionCorr/job002/Movies/mic_0004.star"
    blocks = read_star(star)
    blocks["general"]["rlnImageSizeZ"] = [7]
    blocks["global_shift"] = type(blocks["general"])(
        {
            "rlnMicrographFrameNumber": range(1, 8),
            "rlnMicrographShiftX": [*blocks["global_shift"]["rlnMicrographShiftX"], "0"],
            "rlnMicrographShiftY": [*blocks["global_shift"]["rlnMicrographShiftY"], "0"],
        }
    )
    write_star(star, blocks, lists=("general",))
    assert fresh.cryopair("plan").returncode == 0
    out = fresh.cryopair("halves", "--star", "cryopair/plan/shards/000001.star", "--out", "cryopair/halves")
    assert "Movies/mic_0002.tiff: no such file" in out.stderr
    assert "mic_0004.tiff: has 6 frames; expected 7, as its motion STAR says" in out.stderr


def test_a_gain_of_the_wrong_size_stops_the_run_with_one_message(fresh: Project) -> None:
    with mrcfile.open(fresh.folder / "Movies/gain.mrc", "r+") as file:
        file.set_data(np.ones((10, 12), np.float32))
    fresh.run(code=1)
    assert "Movies/gain.mrc: is a gain reference of 12 x 10 px; expected 384 x 320 px" in fresh.stderr
    assert "stopped, because more than 20%" in fresh.stderr
    assert "Traceback" not in fresh.stderr


def test_source_errors_stop_before_anything_is_made(fresh: Project) -> None:
    star = fresh.folder / SOURCE
    blocks = read_star(star)
    write_star(star, {"micrographs": blocks["micrographs"]})
    result = fresh.cryopair("run")
    assert result.returncode == 1
    assert "has no block data_optics" in result.stderr
    write_star(
        star, {"optics": blocks["optics"].without("rlnMicrographPixelSize"), "micrographs": blocks["micrographs"]}
    )
    result = fresh.cryopair("run")
    assert result.returncode == 1
    assert "does not give the pixel size" in result.stderr


@pytest.mark.parametrize("program", ["cryopair", "snakemake"])
def test_an_unknown_key_names_the_nearest(fresh: Project, program: str) -> None:
    fresh.configure("  diameter:", "  diametre:")
    result = fresh.cryopair("run") if program == "cryopair" else fresh.snakemake("--dry-run")
    assert result.returncode == 1
    assert "unknown key 'picking.diametre'. Did you mean 'picking.diameter'?" in result.stderr + result.stdout
    assert "Traceback" not in result.stderr


def test_zero_picks_in_the_whole_session(project: Project) -> None:
    """With a diameter that leaves no room between the edges, nothing can be picked: an error says so."""
    project.configure("diameter: 150", "diameter: 630")
    project.run(code=1)
    assert "no particle was picked on any of 5 micrographs. Is 'picking.diameter' right, in Å?" in project.stderr


def test_a_box_larger_than_the_micrograph(project: Project) -> None:
    project.configure("box: 96", "box: 340")
    project.run(code=1)
    assert "a box of 340 px is larger than the micrograph (384 x 320 px)" in project.stderr


def test_denoised_micrographs_are_refused_for_extraction(project: Project) -> None:
    """Neither by the name in the STAR nor by a copy under another name do denoised pixels get into particles."""
    shard = project.output / "coordinates/000001.star"
    blocks = read_star(shard)
    micrographs = blocks["micrographs"]
    denoised = micrographs["rlnMicrographNameDenoised"]
    copies = [f"MotionCorr/job002/Movies/copy_{i}.mrc" for i in range(len(denoised))]
    for source, copy in zip(denoised, copies, strict=True):
        shutil.copy(project.folder / source, project.folder / copy)
    for names in (denoised, copies):
        micrographs["rlnMicrographName"] = names
        write_star(project.folder / "wrong.star", blocks)
        result = project.cryopair("extract", "--star", "wrong.star", "--box", "96", "--out", "wrong")
        assert result.returncode == 1
        assert "denoised" in result.stderr
        assert "raw" in result.stderr
        assert not (project.folder / "wrong").exists()


def test_a_second_run_at_the_same_time_is_refused(project: Project) -> None:
    with (project.output / "plan/run.lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        result = project.cryopair("run")
    assert result.returncode == 1
    assert "another cryopair run is at work in cryopair" in result.stderr
