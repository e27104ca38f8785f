"""What the report reads, whole and in pieces."""

import math
from pathlib import Path

import numpy as np
import pytest

from cryopair.errors import BadFileError
from cryopair.formats.star import Table, read_star, write_star
from cryopair.motion import Motion
from cryopair.report.curves import read_rings
from cryopair.report.data import read_results
from cryopair.report.motion import accumulated_motion, track

MODEL = Path("cryopair/models/v1-0123abcd")


def test_a_whole_session(session: Path) -> None:
    results = read_results(session, model=MODEL)
    assert (results.total, results.done) == (7, 6)
    fourth = results.micrographs[3]
    assert (fourth.number, fourth.label, fourth.denoised) == (
        4,
        "Movies/m4",
        "cryopair/denoised/Movies/m4.mrc",
    )
    assert (fourth.snr_raw, fourth.snr_denoised, fourth.bias, fourth.gain) == (-12.0, 4.0, -5.0, 16.0)
    assert (fourth.picks, fourth.defocus, fourth.pixel_size) == (5, 11500.0, 2.0)
    assert [m.held_out for m in results.micrographs] == [False] * 5 + [True]
    assert results.particles is not None
    assert (len(results.particles.images), results.particles.box) == (15, 48.0)
    assert [line["step"] for line in results.history] == [20, 40, 60]
    assert math.isnan(results.history[0]["validation_snr_db"])


def test_only_half_sums_and_a_card_are_needed(session: Path) -> None:
    for path in session.glob("*.*"):
        if path.name != "halves.star":
            path.unlink()
    (MODEL / "training.csv").unlink()
    Path("config/config.yaml").unlink()
    results = read_results(session, model=MODEL)
    first = results.micrographs[0]
    assert first.denoised is None and first.picks is None and math.isnan(first.snr_raw)
    assert (results.rings, results.history, results.particles, results.failed) == (None, [], None, [])
    assert results.settings is None and not results.picked
    (session / "halves.star").unlink()
    with pytest.raises(BadFileError, match="no such file"):
        read_results(session, model=MODEL)


def test_empty_cells_are_nan(session: Path) -> None:
    text = (session / "quality.csv").read_text()
    (session / "quality.csv").write_text(text.replace("-12.0,4.0,-5.0", ",,"))
    fourth = read_results(session, model=MODEL).micrographs[3]
    assert math.isnan(fourth.snr_raw) and math.isnan(fourth.gain)


def test_the_settings_of_another_session_are_not_shown(session: Path) -> None:
    Path("config/config.yaml").write_text("output: elsewhere\n")
    assert read_results(session, model=MODEL).settings is None


def test_a_model_of_other_data_has_no_roles_here(session: Path) -> None:
    card = (MODEL / "model.json").read_text()
    (MODEL / "model.json").write_text(card.replace('"manifest_sha256": "', '"manifest_sha256": "0'))
    assert not any(m.role for m in read_results(session, model=MODEL).micrographs)


def test_motion_columns_are_in_pixels_of_the_movie() -> None:
    row = {"rlnAccumMotionEarly": "2.5", "rlnAccumMotionLate": "4.0"}
    assert accumulated_motion(row, {"rlnMicrographOriginalPixelSize": "0.8"}) == (2.0, 3.2)


def test_motion_is_taken_from_the_motion_star_where_columns_are_missing(session: Path) -> None:
    # Steps of 4, 2, 1, 1 Å into frames 2 to 5 of 1.2 e/Å²: frame 3 ends at 3.6 e/Å², frame 4 is late.
    third = read_results(session, model=MODEL).micrographs[2]
    assert (third.motion_early, third.motion_late) == pytest.approx((18.0, 6.0))


def test_motion_is_unknown_without_columns_and_star() -> None:
    assert np.isnan(accumulated_motion({"rlnMicrographMetadata": "none.star"}, {})).all()


def test_early_motion_counts_pre_exposure_and_skips_unused_frames() -> None:
    shifts = np.array([[np.nan, np.nan], [0, 0], [3, 4], [3, 5], [np.nan, np.nan]])
    values = {"frames": 5, "height": 8, "width": 8, "pixel_size": 0.5, "dose_per_frame": 1.0, "voltage": 300}
    motion = Motion(movie="m", global_shifts=shifts, pre_exposure=1.0, first_frame=2, **values)
    assert motion.path_lengths == (2.5, 0.5)  # frame 3 ends at 3 of the 4 - 1 e/Å² left, frame 4 after them
    np.testing.assert_allclose(track(motion), [[0, 0], [-1.5, -2], [-1.5, -2.5]])


def test_curves_of_another_size_are_left_out(session: Path) -> None:
    path = session / "quality_rings.csv"
    with path.open("a") as stream:
        stream.write("other.mrc,0.01,20,0.5,0.5,1,1,1,1\n")
    rings = read_rings(path)
    assert rings is not None
    assert rings.frc_raw.shape == (6, 40)
    np.testing.assert_allclose(rings.frequency, np.arange(1, 41) / 160)
    np.testing.assert_allclose(rings.bias / rings.signal, 0.1, rtol=1e-6)


def test_of_many_curves_every_nth_is_read(session: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = read_rings(session / "quality_rings.csv")
    monkeypatch.setattr("cryopair.report.curves.MOST", 3)
    some = read_rings(session / "quality_rings.csv")
    assert everything is not None and some is not None
    np.testing.assert_array_equal(some.frc_raw, everything.frc_raw[::2])


def test_no_curves(session: Path) -> None:
    (session / "quality_rings.csv").write_text("micrograph\n")
    assert read_rings(session / "quality_rings.csv") is None


def test_a_micrograph_that_fails_late_is_not_counted_twice(session: Path) -> None:
    failed = read_star(session / "failed.star")["failed"]
    late = Table({label: [*failed[label], failed[label][0]] for label in failed.labels})
    late["rlnMicrographName"] = [*failed["rlnMicrographName"], "MotionCorr/job002/Movies/m2.mrc"]
    write_star(session / "failed.star", {"failed": late})
    results = read_results(session, model=MODEL)
    assert (results.total, results.done) == (7, 5)


def test_of_large_files_of_curves_a_part_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rings.csv"
    lines = ["micrograph,spatial_frequency_per_A,frc_raw"]
    lines += [f"m{n},{0.01 * ring},{n + ring / 100}" for n in range(400) for ring in range(1, 1 + 20)]
    path.write_text("\n".join(lines) + "\n")
    whole = read_rings(path)
    monkeypatch.setattr("cryopair.report.curves.LARGE", 1000)
    monkeypatch.setattr("cryopair.report.curves.MOST", 50)
    part = read_rings(path)
    assert whole is not None and part is not None
    assert whole.frc_raw.shape == (400, 20) and part.frc_raw.shape == (50, 20)
    np.testing.assert_allclose(part.frc_raw - part.frc_raw[:, :1], np.arange(20)[None] / 100 * np.ones((50, 1)))
    np.testing.assert_allclose(np.median(part.frc_raw, axis=0), np.median(whole.frc_raw, axis=0), atol=8)
