"""RELION jobs as sources: real ones, and broken ones with a clear word each."""

from pathlib import Path

import pytest

from cryopair.errors import BadFileError, CryopairError
from cryopair.formats.star import Table, read_star, write_star
from cryopair.micrographs import mirrored, place_below_job
from cryopair.sources import read_source, summarise

SHARED = Path(__file__).parents[4] / "shared" / "data"
OPTICS = {"rlnOpticsGroupName": ["og"], "rlnOpticsGroup": [1], "rlnMicrographPixelSize": [0.885]}
ROWS = {
    "rlnMicrographName": ["MotionCorr/job002/Movies/a.mrc", "MotionCorr/job002/Movies/b.mrc"],
    "rlnOpticsGroup": [1, 1],
}


def write(path: Path, optics: dict | None, rows: dict) -> Path:
    write_star(path, ({"optics": Table(optics)} if optics else {}) | {"micrographs": Table(rows)})
    return path


def test_motion_stars_are_found_beside_the_micrographs(tmp_path: Path) -> None:
    source = read_source(write(tmp_path / "micrographs_ctf.star", OPTICS, ROWS))
    assert source.table["rlnMicrographMetadata"] == [
        "MotionCorr/job002/Movies/a.star",
        "MotionCorr/job002/Movies/b.star",
    ]


def test_named_motion_stars_are_kept(tmp_path: Path) -> None:
    rows = ROWS | {"rlnMicrographMetadata": ["x.star", "y.star"]}
    assert read_source(write(tmp_path / "a.star", OPTICS, rows)).table["rlnMicrographMetadata"] == ["x.star", "y.star"]


def test_star_without_optics(tmp_path: Path) -> None:
    with pytest.raises(BadFileError, match=r"no block data_optics .*expected a data_optics block\. RELION 3\.1"):
        read_source(write(tmp_path / "a.star", None, ROWS))


def test_pixel_size_missing(tmp_path: Path) -> None:
    optics = {"rlnOpticsGroup": [1], "rlnMicrographOriginalPixelSize": [0.885]}
    with pytest.raises(BadFileError, match=r"does not give the pixel size .*expected _rlnMicrographPixelSize"):
        read_source(write(tmp_path / "movies.star", optics, ROWS))


def test_empty_and_doubled_lists(tmp_path: Path) -> None:
    with pytest.raises(BadFileError, match="lists no micrographs"):
        read_source(write(tmp_path / "a.star", OPTICS, {"rlnMicrographName": [], "rlnOpticsGroup": []}))
    blocks = read_star(tmp_path / "a.star")
    failed = {"rlnMicrographName": ["a.mrc"], "cryopairStage": ["align"], "cryopairReason": ["truncated"]}
    write_star(tmp_path / "a.star", blocks | {"failed": Table(failed)})
    assert len(read_source(tmp_path / "a.star").failed) == 1
    twice = {
        "rlnMicrographName": ["MotionCorr/job002/Movies/a.mrc", "MotionCorr/job007/Movies/a.mrc"],
        "rlnOpticsGroup": [1, 1],
    }
    with pytest.raises(BadFileError, match="names the micrograph Movies/a twice"):
        read_source(write(tmp_path / "a.star", OPTICS, twice))


@pytest.mark.parametrize(
    ("name", "below"),
    [
        ("MotionCorr/job002/Movies/a.mrc", "Movies/a"),
        ("MotionCorr/job002/grid1/x.y/a.b.mrc", "grid1/x.y/a.b"),
        ("MotionCorr/job1234/a.mrc", "a"),
        ("Micrographs/a.mrc", "Micrographs/a"),
        ("External/job005/cryopair/job007/a.mrc", "cryopair/job007/a"),
    ],
)
def test_paths_are_mirrored_below_the_job(name: str, below: str) -> None:
    assert str(mirrored(name)) == place_below_job(name) == below


@pytest.mark.parametrize("name", ["/data/a.mrc", "MotionCorr/job002/../../../etc/a.mrc", "../a.mrc", "job002/"])
def test_nothing_leads_out_of_the_output_folder(name: str) -> None:
    with pytest.raises(CryopairError, match="must be relative to the project"):
        mirrored(name)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the collection of real STAR files is not beside this checkout")
@pytest.mark.parametrize(
    "star", ["MotionCorr/job002/corrected_micrographs.star", "CtfFind/job003/micrographs_ctf.star"]
)
def test_a_real_project_is_described(monkeypatch: pytest.MonkeyPatch, star: str) -> None:
    monkeypatch.chdir(SHARED / "relion31-tutorial")
    summary = summarise(read_source(star))
    assert summary.micrographs == 24
    assert summary.dose_weighting is True
    assert summary.has_ctf == star.startswith("CtfFind")
    text = "\n".join(summary.lines())
    assert "24 frames of 3710 x 3838 px, 0.885 Å/px, binning 1" in text
    assert "1.277 e/Å² per frame, 30.648 e/Å² in all" in text
    assert "200 kV" in text
    assert "global shifts and local model" in text
    assert "20170629_00021_frameImage.tiff: no such movie" in text
