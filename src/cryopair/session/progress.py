"""A running pass, shown as one progress bar."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from .running import Running

_POLL_SECONDS = 0.5
_WIDTH = 70


def follow(running: Running) -> int:
    """Show how far a pass is until it ends; on no terminal, print a line for each job.

    Returns
    -------
    int
        Its exit code.
    """
    console = Console(highlight=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[detail]}"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("planning", total=None, detail="")
        ended = False
        while not ended:
            ended = running.wait(_POLL_SECONDS)
            for job in running.events.update():
                if not console.is_terminal:
                    console.print(f"- {job.message}")
            at_work = list(running.events.running.values())
            bar.update(
                task,
                completed=running.events.done,
                total=running.events.total or None,
                description=at_work[-1].message if at_work else "working" if running.events.total else "planning",
                detail=at_work[-1].last_line[:_WIDTH] if at_work else "",
            )
    return running.code or 0
