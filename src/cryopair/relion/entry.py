"""The frame of every External job: however it ends, RELION learns of it."""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from ..errors import CryopairError
from .job import ABORTED, FAILURE, SUCCESS, AbortedError, ExternalJob, NodeKind

Work = Callable[[ExternalJob], Sequence[tuple[Path, NodeKind]]]


def run_job(work: Work, *, usage: str, arguments: Sequence[str] | None = None) -> int:
    """Do the work of an External job and leave in its folder what RELION looks for.

    Parameters
    ----------
    work : callable
        Does it; returns the files that are nodes of the pipeline.
    usage : str
        What to print if the program is called without arguments or for help.
    arguments : sequence of str, optional
        As RELION gives them; those of this process if not given.

    Returns
    -------
    int
        Exit code: 0 if all is well. RELION does not look at it.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or "--help" in arguments or "-h" in arguments:
        print(usage)
        return 0
    try:
        job = ExternalJob.parse(arguments)
    except CryopairError as error:
        print(f"cryopair: {error}", file=sys.stderr)
        return 1
    job.folder.mkdir(parents=True, exist_ok=True)
    job.clear()
    signal.signal(signal.SIGTERM, _terminated)  # as queueing systems send it
    end = FAILURE
    try:
        job.write_nodes(work(job))
        end = SUCCESS
    except (AbortedError, KeyboardInterrupt) as error:
        print(f"cryopair: {str(error) or 'stopped'}", file=sys.stderr)
        end = ABORTED
    except CryopairError as error:
        print(f"cryopair: {error}", file=sys.stderr)
    except Exception:
        traceback.print_exc()
    finally:
        (job.folder / end).touch()
    return 0 if end == SUCCESS else 1


def _terminated(_number: int, _frame: FrameType | None) -> None:
    raise AbortedError("stopped by the system")
