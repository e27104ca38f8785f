"""The program ``topaz``: where it is, and how it is run. It has an environment of its own; nothing imports it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .errors import ProgramError, UsageError

PROGRAM = "CRYOPAIR_TOPAZ"
"""Environment variable with the path of the program, where that is not on the PATH."""

_LAST_LINES = 8


def find_topaz() -> str:
    """Return the path of the program.

    Raises
    ------
    UsageError
        When it is not installed.
    """
    program = shutil.which(os.environ.get(PROGRAM) or "topaz")
    if program is None:
        raise UsageError(
            "Topaz is not installed here. Install it (pip install topaz-em, in any environment), and put its program "
            f"on the PATH or name it in {PROGRAM}=/path/to/bin/topaz; or run the workflow with --sdm conda."
        )
    return program


def run_topaz(*arguments: str | Path, files: Sequence[Path] = ()) -> None:
    """Run ``topaz`` with arguments, and with files after them.

    Raises
    ------
    UsageError
        When it is not installed.
    ProgramError
        When it fails, with its last lines.
    """
    command = [find_topaz(), *(str(argument) for argument in (*arguments, *files))]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode:
        lines = done.stdout.decode(errors="replace").splitlines()[-_LAST_LINES:]
        said = "\n".join(f"  {line}" for line in lines) or "  (nothing)"
        shown = " ".join(command[: 1 + len(arguments)])
        raise ProgramError(f"{shown} … ended with code {done.returncode}. Its last lines were:\n{said}")
