"""Files are whole or absent, and sealed files never change."""

from pathlib import Path

import pytest

from cryopair.errors import UsageError
from cryopair.formats.atomic import atomic_path, sealed_path, write_text
from cryopair.formats.fingerprint import MISSING, fingerprint, modified


def test_a_failure_keeps_the_old_file(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(RuntimeError), atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_sealed_files_take_the_same_content_only(tmp_path: Path) -> None:
    for _ in range(2):
        with sealed_path(tmp_path / "a.txt") as candidate:
            write_text(candidate, "one")
    with pytest.raises(UsageError, match=r"a\.txt: exists with other content"), sealed_path(tmp_path / "a.txt") as c:
        write_text(c, "two")
    assert (tmp_path / "a.txt").read_text() == "one"
    assert len(list(tmp_path.iterdir())) == 1


def test_fingerprint_sees_both_ends_but_no_dates(tmp_path: Path) -> None:
    path = tmp_path / "movie"
    content = bytes(300_000)
    path.write_bytes(content)
    before = fingerprint(path)
    path.write_bytes(content)
    assert fingerprint(path) == before
    for changed in (content[:-1], b"x" + content[1:], content[:-1] + b"x"):
        path.write_bytes(changed)
        assert fingerprint(path) != before


def test_missing_files_have_no_fingerprint(tmp_path: Path) -> None:
    path = tmp_path / "movie"
    path.touch()
    assert fingerprint(path, tmp_path / "none") == MISSING == modified(path, "")
    assert fingerprint(path, path).count("+") == 1
