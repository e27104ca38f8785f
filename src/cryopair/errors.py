"""What can go wrong, and whose turn it is to act.

::

    CryopairError
    ├── UsageError       the user asked for something that cannot be done (option, config, wrong kind of file)
    ├── BadFileError     a file is missing, truncated, or is not what it should be
    └── ProgramError     a program that cryopair called has failed

The message of each says which file, what was found, what was expected and what to do; the command line
prints it as it is, without a traceback.
"""

from __future__ import annotations

from pathlib import Path


class CryopairError(Exception):
    """Base of all errors that cryopair raises on purpose."""


class UsageError(CryopairError):
    """The user asked for something that cannot be done."""


class BadFileError(CryopairError):
    """A file is missing, damaged, or not what it should be.

    Parameters
    ----------
    path : str or Path
        The file.
    found : str
        What is wrong with it, as a clause: ``"has 11 frames"``.
    expected : str, optional
        What it should have been: ``"24 frames, as its motion STAR says"``.
    fix : str, optional
        What the user can do, as an imperative sentence.
    """

    def __init__(self, path: str | Path, found: str, *, expected: str | None = None, fix: str | None = None) -> None:
        self.path = Path(path)
        message = f"{path}: {found}"
        if expected:
            message += f"; expected {expected}"
        message += "."
        if fix:
            message += f" {fix}"
        super().__init__(message)


class ProgramError(CryopairError):
    """A program that cryopair called has failed."""
