"""A running pass, shown as one progress bar; everything Snakemake says goes to a log file."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

_STEPS = re.compile(r"^(\d+) of (\d+) steps")
_JOB = re.compile(r"^Job \d+: (.+?)(?:$|\. Reason)")
_TOTAL = re.compile(r"^total\s+(\d+)")
_ERROR = re.compile(r"^cryopair: (.+)|^((?!Workflow|CalledProcess|Rule)\w+(?:Error|Exception)\b.*)")
_POLL_SECONDS = 1.0


def follow(command: Sequence[str], *, env: Mapping[str, str], log: Path, output: Path) -> tuple[int, list[str]]:
    """Run Snakemake and show how far it is.

    Parameters
    ----------
    command : sequence of str
        Snakemake with its options.
    env : mapping of str to str
        Environment of the process.
    log : Path
        Where its output goes.
    output : Path
        Output folder of the session; the stages' own logs below it tell how far each is.

    Returns
    -------
    code : int
        Exit code.
    messages : list of str
        What the stages that failed have said.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    console = Console(highlight=False)
    process = subprocess.Popen(
        command, env=dict(env), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    assert process.stdout is not None
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[detail]}"),
    )
    messages: list[str] = []
    finished = threading.Event()
    with log.open("w") as stream, Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("planning", total=None, detail="")
        watcher = threading.Thread(target=lambda: _show_details(bar, task, output / "logs", finished), daemon=True)
        watcher.start()
        try:
            for line in process.stdout:
                stream.write(line)
                stream.flush()
                _show(line.rstrip(), bar, task, console, messages)
            process.wait()
        except KeyboardInterrupt:
            process.wait()  # Snakemake got the signal too and stops its jobs
            raise
        finally:
            finished.set()
            watcher.join()
    return process.returncode, list(dict.fromkeys(messages))


def _show(line: str, bar: Progress, task: int, console: Console, messages: list[str]) -> None:
    if match := _STEPS.match(line):
        bar.update(task, completed=int(match[1]), total=int(match[2]))  # type: ignore[arg-type]
    elif match := _TOTAL.match(line):
        bar.update(task, total=int(match[1]), description="working")  # type: ignore[arg-type]
    elif match := _JOB.match(line):
        if console.is_terminal:
            bar.update(task, description=match[1])  # type: ignore[arg-type]
        else:
            console.print(f"- {match[1]}")
    elif match := _ERROR.match(line):
        messages.append(match[1] or match[2])


def _show_details(bar: Progress, task: int, logs: Path, finished: threading.Event) -> None:
    """Show the last line of the log that a stage wrote to last, such as a training's own progress bar."""
    while not finished.wait(_POLL_SECONDS):
        files = [path for path in logs.glob("*/*.log") if path.is_file()]
        if not files:
            continue
        newest = max(files, key=lambda path: path.stat().st_mtime)
        with newest.open("rb") as stream:
            stream.seek(max(newest.stat().st_size - 400, 0))
            text = stream.read().decode(errors="replace")
        lines = [part for part in re.split(r"[\r\n]+", text) if part.strip()]
        if lines:
            bar.update(task, detail=lines[-1].strip()[:70])  # type: ignore[arg-type]
