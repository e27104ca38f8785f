"""The command line answers at once, and says what is wrong in one line."""

import subprocess
import sys
from pathlib import Path

import pytest

from cryopair.cli import COMMANDS, main


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from cryopair import cli; cli.make_parser().format_help(); "
        "print(sorted({'torch', 'numpy', 'scipy', 'snakemake', 'pydantic'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert f"usage: cryopair {command}" in capsys.readouterr().out


def test_unknown_options_are_errors_but_for_run(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["pick", "--star", "a.star", "--out", "x", "--diameter", "100", "--treshold", "3"])
    assert stop.value.code == 2
    assert "unknown option: --treshold 3 (see cryopair pick --help)" in capsys.readouterr().err


def test_errors_have_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run"]) == 1
    assert capsys.readouterr().err == (
        "cryopair: config/config.yaml: no such file. Write it with: cryopair init --from <micrographs STAR>\n"
    )
    assert main(["denoise", "--model", "m", "--out", "x"]) == 1
    assert "give either --star or image files" in capsys.readouterr().err
