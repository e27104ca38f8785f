"""A finished session of six small micrographs, with everything that the report can show."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from cryopair.formats.mrc import DENOISED_LABEL, write_mrc
from cryopair.formats.star import Table, write_star
from cryopair.motion import Motion, write_motion
from cryopair.report.page import write_report

OUT, MODEL = Path("cryopair"), Path("cryopair/models/v1-0123abcd")
COUNT, HEIGHT, WIDTH, PIXEL_SIZE = 6, 96, 128, 2.0
SNR_RAW = (-9.0, -5.0, -7.0, -12.0, -6.0, -8.0)
SNR_DENOISED = (6.0, 9.0, 7.5, 4.0, 8.5, 7.0)
BIAS = (-7.0, -10.0, -9.0, -5.0, -9.5, -8.0)
PICKS = (3, 0, 2, 5, 1, 4)
BOX = 24


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The session's output folder; the project is the working directory."""
    monkeypatch.chdir(tmp_path)
    make_session()
    return OUT


@pytest.fixture(scope="session")
def whole_page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The HTML of the session as it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("project"))
        make_session()
        write_report(OUT, model=MODEL)
        return (OUT / "report.html").read_text(encoding="utf-8")


def raw_name(index: int) -> str:
    return f"MotionCorr/job002/Movies/m{index + 1}.mrc"


def make_session() -> None:
    """Write the session into the working directory."""
    _micrographs()
    _quality()
    _model()
    _picks_and_particles()
    write_star(
        OUT / "failed.star",
        {
            "failed": Table(
                {
                    "rlnMicrographName": ["MotionCorr/job002/Movies/m7.mrc"],
                    "cryopairStage": ["halves"],
                    "cryopairReason": ["Movies/<m7>.tiff: has 11 frames; expected 24."],
                }
            )
        },
    )
    Path("config").mkdir()
    Path("config/config.yaml").write_text("source: MotionCorr/job002/corrected_micrographs.star\noutput: cryopair\n")


def _optics(**more: float) -> Table:
    values = {"rlnOpticsGroup": 1, "rlnMicrographOriginalPixelSize": 1.0, **more}
    return Table({label: [value] for label, value in values.items()})


def _micrographs() -> None:
    rng = np.random.default_rng(3)
    rows, seen = [], []
    for index in range(COUNT):
        name, denoised = raw_name(index), f"{OUT}/denoised/Movies/m{index + 1}.mrc"
        signal = np.zeros((HEIGHT, WIDTH))
        signal[: HEIGHT // 2, : WIDTH // 2] = 1.0  # bright at the top left, where row 0 and column 0 are
        write_mrc(name, signal + rng.normal(size=signal.shape), pixel_size=PIXEL_SIZE)
        write_mrc(denoised, signal, pixel_size=PIXEL_SIZE, labels=(DENOISED_LABEL,))
        steps = np.zeros((5, 2))
        steps[1:, 0] = (4.0, 2.0, 1.0, 1.0)
        motion = Motion(
            movie=f"Movies/m{index + 1}.tiff",
            frames=5,
            height=2 * HEIGHT,
            width=2 * WIDTH,
            pixel_size=1.0,
            binning=2.0,
            dose_per_frame=1.2,
            voltage=300.0,
            global_shifts=np.cumsum(steps, axis=0) * (1 + index),
        )
        write_motion(Path(name).with_suffix(".star"), motion)
        row = {
            "rlnMicrographName": name,
            "rlnOpticsGroup": 1,
            "rlnMicrographMetadata": str(Path(name).with_suffix(".star")),
            "rlnDefocusU": 12000.0,
            "rlnDefocusV": 11000.0,
            "cryopairCorrelationEvenOdd": 0.2,
            "cryopairCorrelationRaw": 1.0,
        }
        rows.append(row)
        seen.append({**row, "rlnMicrographName": denoised, "cryopairMicrographNameRaw": name})
    optics = _optics(rlnMicrographPixelSize=PIXEL_SIZE)
    write_star(OUT / "halves.star", {"optics": optics, "micrographs": Table.from_rows(rows)})
    write_star(OUT / "denoised_micrographs.star", {"optics": optics, "micrographs": Table.from_rows(seen)})


def _quality() -> None:
    with (OUT / "quality.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("micrograph", "snr_raw_db", "snr_denoised_db", "bias_db"))
        for index in range(COUNT):
            writer.writerow((raw_name(index), SNR_RAW[index], SNR_DENOISED[index], BIAS[index]))
    rng = np.random.default_rng(4)
    with (OUT / "quality_rings.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        powers = [f"{power}_power_std2" for power in ("signal", "noise", "residual_noise", "bias")]
        writer.writerow(("micrograph", "spatial_frequency_per_A", "coefficients", "frc_raw", "frc_denoised", *powers))
        for index in range(COUNT):
            for ring in range(40):
                frequency = (ring + 1) / 160
                signal = np.exp(-ring / 4)
                frc = signal / (signal + 0.5) + 0.01 * rng.normal()
                writer.writerow(
                    (raw_name(index), frequency, 20, frc, min(1.0, 2 * frc), signal, 0.5, 0.01, 0.1 * signal)
                )


def _model() -> None:
    roles = ["train"] * (COUNT - 1) + ["validate"]
    count = [0] * COUNT
    manifest = OUT / "training" / MODEL.name / "manifest.star"
    columns = {
        "rlnMicrographName": [raw_name(index) for index in range(COUNT)],
        **{label: ["x.mrc"] * COUNT for label in ("rlnMicrographNameEven", "rlnMicrographNameOdd")},
        "cryopairPixelSize": [PIXEL_SIZE] * COUNT,
        **{label: count for label in ("cryopairSizeX", "cryopairSizeY", "cryopairHashEven", "cryopairHashOdd")},
        "cryopairRole": roles,
    }
    write_star(manifest, {"training_pairs": Table(columns)})
    card = {
        "format_version": 1,
        "sha256": "ab" * 32,
        "architecture": {"name": "UNet", "channels": [8, 16], "dimensions": 2},
        "pixel_size": PIXEL_SIZE,
        "pairs": {"train": 5, "validate": 1},
        "settings": {"steps": 60, "channels": [8, 16]},
        "validation": {"snr_db": 6.25},
        "manifest_sha256": hashlib.sha256(manifest.read_bytes()).hexdigest(),
        "versions": {"cryopair": "0.1.0"},
    }
    MODEL.mkdir(parents=True)
    (MODEL / "model.json").write_text(json.dumps(card))
    (MODEL / "training.csv").write_text(
        "step,learning_rate,train_loss,validation_mse,validation_excess,validation_snr_db\n"
        "20,0.002,1.1,1.05,0.05,\n40,0.001,1.0,1.02,0.02,5.5\n60,0,1.0,1.01,0.0101,6.25\n"
    )


def _picks_and_particles() -> None:
    rng = np.random.default_rng(5)
    images, files = [], []
    for index, count in enumerate(PICKS):
        star = f"{OUT}/coordinates/Movies/m{index + 1}_log.star"
        table = Table({"rlnCoordinateX": 10.0 + np.arange(count), "rlnCoordinateY": [20.0] * count})
        write_star(star, {"": table})
        files.append(star)
        stack = f"{OUT}/particles/Movies/m{index + 1}.mrcs"
        if count:
            write_mrc(stack, rng.normal(size=(count, 12, 12)), pixel_size=2 * PIXEL_SIZE)
        images += [f"{number:06d}@{stack}" for number in range(1, count + 1)]
    names = [raw_name(index) for index in range(COUNT)]
    table = Table({"rlnMicrographName": names, "rlnMicrographCoordinates": files})
    write_star(OUT / "coordinates.star", {"coordinate_files": table})
    optics = _optics(rlnImagePixelSize=2 * PIXEL_SIZE, rlnImageSize=BOX // 2)
    write_star(OUT / "particles.star", {"optics": optics, "particles": Table({"rlnImageName": images})})
