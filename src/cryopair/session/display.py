"""What a watcher shows: a panel that is kept up to date on a terminal, plain lines elsewhere, and a log file."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from .status import Status, duration

_LOUD = ("DRIFT", "PROBLEM")


class Display:
    """A context manager; `show` and `say` may be called at any time within.

    Parameters
    ----------
    log : Path
        Where lines are kept too.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self._console = Console(highlight=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)

    def __enter__(self) -> Display:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._live.stop()

    def say(self, text: str) -> None:
        """Print a line with the time."""
        line = f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {text}"
        self._console.print(line, markup=False, soft_wrap=True)
        with contextlib.suppress(OSError):
            self._log.parent.mkdir(parents=True, exist_ok=True)
            with self._log.open("a", encoding="utf-8") as stream:
                stream.write(line + "\n")

    def show(self, status: Status) -> None:
        """Bring the panel up to date; nothing where there is no terminal."""
        if self._live.is_started:
            self._live.update(panel(status), refresh=True)


def panel(status: Status) -> Panel:
    """Return a status as a panel."""
    text = Text("\n").join(Text(line, style="bold red" if line.startswith(_LOUD) else "") for line in status.lines())
    title = f"cryopair watch: {status.source}"
    since = f"{status.state}; watching for {duration(time.time() - status.started)}; Ctrl-C stops"
    return Panel(text, title=title, subtitle=since, border_style="red" if status.problem else "green", padding=(0, 1))
