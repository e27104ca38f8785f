"""The alarm of drift on simulated micrographs: what is changed is told, and nothing else."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cryopair.denoiser.model import Model, save_model
from cryopair.denoiser.networks import TopazAffine
from cryopair.formats.mrc import write_mrc
from cryopair.formats.star import Table, write_star
from cryopair.halves.exposure import exposure_columns
from cryopair.micrographs import Micrographs
from cryopair.quality.drift import ShardDrift, session_drift
from cryopair.quality.stage import measure_micrographs
from cryopair.simulate.exposure import Exposure, Settings, draw_exposure
from cryopair.simulate.kinds import KINDS
from cryopair.simulate.optics import Defocus
from cryopair.simulate.scene import illumination, render, undamaged

SHAPE, PIXEL_SIZE, DOSE = (384, 384), 3.0, 30.0
SETTINGS = Settings(
    seed=11, frames=24, shape=SHAPE, pixel_size=PIXEL_SIZE, dose_per_frame=DOSE / 24, voltage=300.0, specimen="ribosome"
)
SPECIMEN = KINDS["ribosome"].make(np.random.default_rng(0))
PATTERN = np.random.default_rng(1).normal(1, 0.03, SHAPE)
"""A gain that is not corrected: three percent from pixel to pixel, as cameras have."""
TRAINED_ON, SHARD = 14, 6
Change = Callable[[Exposure], Exposure]


def defocused(exposure: Exposure, times: float) -> Exposure:
    defocus = exposure.defocus
    return replace(exposure, defocus=Defocus(u=times * defocus.u, v=times * defocus.v, angle=defocus.angle))


def write_shard(
    root: Path,
    shard: str,
    *,
    first: int,
    count: int = SHARD,
    settings: Settings = SETTINGS,
    change: Change | None = None,
    gain: np.ndarray | float = 1.0,
    beam: float = 1.0,
) -> Micrographs:
    """Write halves of some micrographs; `first` numbers them, and all that is random."""
    rows = []
    for number in range(first, first + count):
        exposure = draw_exposure(settings, number)
        exposure = change(exposure) if change else exposure
        random = np.random.default_rng(number)
        image = undamaged(render(exposure, SPECIMEN, settings, random), SHAPE) * illumination(exposure, SHAPE)
        counts = beam * DOSE * settings.pixel_size**2 * image
        name = f"{shard}_{number}"
        even, odd = (random.poisson(counts / 2).astype(np.float32) * gain for _ in range(2))
        for half, pixels in (("EVN", even), ("ODD", odd)):
            write_mrc(root / f"{name}_{half}.mrc", pixels.astype(np.float32), pixel_size=settings.pixel_size)
        rows.append(
            {
                "rlnMicrographName": f"{name}.mrc",
                "rlnOpticsGroup": 1,
                "rlnMicrographNameEven": str(root / f"{name}_EVN.mrc"),
                "rlnMicrographNameOdd": str(root / f"{name}_ODD.mrc"),
                **exposure_columns(even + odd, pixel_size=settings.pixel_size),
            }
        )
    optics = Table({"rlnOpticsGroup": [1], "rlnMicrographPixelSize": [settings.pixel_size]})
    micrographs = Micrographs(optics, Table.from_rows(rows))
    write_star(root / f"halves/{shard}.star", {"optics": optics, "micrographs": micrographs.table})
    return micrographs


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A Gaussian blur of two pixels in the place of a denoiser."""
    network = TopazAffine(kernel=15)
    offsets = torch.arange(15) - 7
    profile = torch.exp(-(offsets**2) / (2 * 2.0**2))
    kernel = torch.outer(profile, profile)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(kernel[None, None] / kernel.sum() if parameter.ndim == 4 else torch.zeros(1))
    return save_model(tmp_path_factory.mktemp("model"), network, {"pixel_size": None})


@pytest.fixture(scope="module")
def drifts(tmp_path_factory: pytest.TempPathFactory, model: Model) -> dict[str, ShardDrift]:
    root = tmp_path_factory.mktemp("drift")
    shards = {
        "training": write_shard(root, "training", first=1, count=TRAINED_ON),
        "same": write_shard(root, "same", first=101),
        "again": write_shard(root, "again", first=201),
        "later": write_shard(root, "later", first=301),
        "gain": write_shard(root, "gain", first=401, gain=PATTERN),
        "beam": write_shard(root, "beam", first=501, beam=0.8),
        "ice": write_shard(root, "ice", first=601, settings=replace(SETTINGS, ice_thickness=1800.0)),
        "pixel size": write_shard(root, "pixel size", first=701, settings=replace(SETTINGS, pixel_size=2.4)),
        "defocus": write_shard(root, "defocus", first=801, change=lambda exposure: defocused(exposure, 2.5)),
    }
    tables = {shard: root / f"quality/{shard}.csv" for shard in shards}
    for shard, micrographs in shards.items():
        measure_micrographs(micrographs, model, out_csv=tables[shard])
    text = tables["training"].read_text().replace(",none,", ",train,")
    tables["training"].write_text(text)
    return {drift.shard: drift for drift in session_drift(root, tables)}


@pytest.mark.parametrize("shard", ["training", "same", "again", "later"])
def test_what_did_not_change_raises_no_alarm(drifts: dict[str, ShardDrift], shard: str) -> None:
    assert drifts[shard].alarm is False, drifts[shard]
    assert drifts[shard].reference == TRAINED_ON


@pytest.mark.parametrize(
    ("shard", "measures"),
    [
        ("gain", ("corr_near_nyquist", "signal", "snr_raw_db", "noise")),
        ("beam", ("intensity",)),
        ("ice", ("snr_raw_db", "signal", "excess_error_db")),
        ("pixel size", ("pixel_size",)),
        ("defocus", ("signal", "snr_raw_db", "excess_error_db")),
    ],
)
def test_what_changed_raises_the_alarm(drifts: dict[str, ShardDrift], shard: str, measures: tuple[str, ...]) -> None:
    assert drifts[shard].alarm, drifts[shard]
    assert drifts[shard].measure.startswith(measures), drifts[shard]
    assert drifts[shard].reason
