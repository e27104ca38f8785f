"""Pages that read themselves again while the session runs."""

from __future__ import annotations

import re
from pathlib import Path

from ..formats.atomic import write_text

LIVE = "CRYOPAIR_LIVE"
"""Environment variable of the stage ``report``: seconds after which an open page reads itself again."""
SECONDS = 60


def end_live(output: Path) -> None:
    """Make an open page the last one: what `write_report` would give of a session that has ended, byte for byte."""
    page = output / "report.html"
    if not page.is_file():
        return
    text = page.read_text(encoding="utf-8")
    ended = re.sub(r'(<html lang="en") data-live="\d+">', r"\1>", text, count=1)
    if ended != text:
        write_text(page, re.sub(r'<p class="live">.*</p>\n', "", ended, count=1))
