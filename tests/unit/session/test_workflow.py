"""What a session refuses early."""

from pathlib import Path

import numpy as np
import pytest

from cryopair.config import parse_config
from cryopair.errors import UsageError
from cryopair.formats.mrc import write_mrc
from cryopair.session.workflow import Session


def session(pixel_size: float | None) -> Session:
    values = {"source": "mics", "acquisition": {"pixel_size": pixel_size}, "denoising": {"model": "m"}}
    return Session(parse_config(values))


def test_a_pixel_size_changed_after_micrographs_were_taken_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m").mkdir()
    Path("m/model.safetensors").touch()
    write_mrc("mics/a.mrc", np.ones((4, 4)), pixel_size=0)
    session(1.06).plan()
    for same in (1.06, None):
        session(same).check_source()
    with pytest.raises(UsageError, match=r"acquisition\.pixel_size is 1\.2, but the micrographs taken in have 1\.06"):
        session(1.2).check_source()


def test_another_limit_of_picking_makes_other_templates() -> None:
    def templates(**quality: object) -> str:
        values = {"source": "mics", "picking": {"picker": "template", "diameter": 120}, "quality": quality}
        return Session(parse_config(values)).templates("v1-0123abcd")

    assert templates(max_carbon=0.3) != templates(max_carbon=0.4) != templates()
    assert templates(max_carbon=0.3, exclude_from=["training"]) == templates()
