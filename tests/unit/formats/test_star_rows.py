"""Rows counted by their lines are those that reading them gives."""

from pathlib import Path

import pytest

from cryopair.formats.star import Table, write_star
from cryopair.formats.star_rows import count_rows

OPTICS = Table({"rlnOpticsGroup": [1, 2], "rlnOpticsGroupName": ["a name with blanks", "data_particles"]})


@pytest.mark.parametrize("rows", [0, 1, 7, 60_000])
def test_count(tmp_path: Path, rows: int) -> None:
    table = Table({"rlnImageName": [f"{i:06d}@a stack.mrcs" for i in range(rows)], "rlnClassNumber": range(rows)})
    write_star(tmp_path / "a.star", {"optics": OPTICS, "particles": table})
    assert count_rows(tmp_path / "a.star", "particles") == rows


def test_no_such_block(tmp_path: Path) -> None:
    write_star(tmp_path / "a.star", {"optics": OPTICS})
    assert count_rows(tmp_path / "a.star", "particles") == 0
