"""What can go wrong, and whose turn it is to act.

::

    CryopairError
    ├── UsageError       the user asked for something that cannot be done (option, config, wrong kind of file)
    ├── BadFileError     a file is missing, truncated, or is not what it should be
    ├── StorageError     a file cannot be written: the disk is full, or does not let us, or is gone
    ├── DeviceError      a GPU, or this machine, has not enough memory free
    └── ProgramError     a program that cryopair called has failed

The message of each says which file, what was found, what was expected and what to do; the command line
prints it as it is, without a traceback.
"""

from __future__ import annotations

import errno
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


class StorageError(CryopairError):
    """A file cannot be written (or read) because of the disk, and no other one on it would fare better.

    Parameters
    ----------
    path : str or Path
        The file, where the system names no other.
    error : OSError
        What the system said.
    """

    def __init__(self, path: str | Path, error: OSError) -> None:
        self.path = Path(path)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            reason = "cannot be written, because the disk, or your share of it, is full. Free some space"
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            reason = f"the file system refuses it ({error.strerror}). Give yourself the permission"
        else:
            reason = f"the file system fails ({error.strerror or error}). See that it works again"
        super().__init__(f"{path}: {reason}, then repeat the command: it goes on where it was.")


class DeviceError(CryopairError):
    """A GPU or this machine has not enough memory free, and no other micrograph would fare better."""


class ProgramError(CryopairError):
    """A program that cryopair called has failed."""
