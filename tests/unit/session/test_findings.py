"""What was found in files is found again when they change, and only then."""

import json
from pathlib import Path

from cryopair.session.findings import Findings


def ask(folder: Path, version: int = 1) -> list[str]:
    """Ask how long two files are; return which of them were looked into."""
    looked: list[str] = []

    def find(path: Path) -> int:
        looked.append(path.name)
        return len(path.read_text())

    findings = Findings(folder / "kept.json", version=version)
    for name in ("a", "b"):
        path = folder / name
        assert findings.of("length", [path, folder / "beside"], lambda path=path: find(path)) == len(path.read_text())
    findings.keep()
    return looked


def test_files_are_looked_into_once_and_again_when_they_or_those_beside_them_change(tmp_path: Path) -> None:
    for name, text in (("a", "one"), ("b", "three")):
        (tmp_path / name).write_text(text)
    assert ask(tmp_path) == ["a", "b"]
    assert ask(tmp_path) == []
    (tmp_path / "b").write_text("seventeen")
    assert ask(tmp_path) == ["b"]
    (tmp_path / "beside").touch()
    assert ask(tmp_path) == ["a", "b"]
    assert ask(tmp_path) == []


def test_what_was_found_in_another_way_or_was_lost_is_found_again(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    ask(tmp_path)
    assert ask(tmp_path, version=2) == ["a", "b"]
    (tmp_path / "kept.json").write_text("{torn")
    assert ask(tmp_path, version=2) == ["a", "b"]
    assert set(json.loads((tmp_path / "kept.json").read_text())["findings"]) == {
        f"length {tmp_path / 'a'}",
        f"length {tmp_path / 'b'}",
    }
