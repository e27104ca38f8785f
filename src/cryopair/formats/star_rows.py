"""Large STAR tables handled by their text: rows are counted, and not read into values."""

from __future__ import annotations

from pathlib import Path

_CHUNK = 1 << 20


def count_rows(path: Path, block: str) -> int:
    """Return how many rows the last block of a file that `write_star` wrote has; 0 if that is not `block`."""
    with path.open("rb") as stream:
        text = stream.read(_CHUNK)
        start = text.find(b"\ndata_%s\n" % block.encode())
        if start < 0:
            return 0
        first = text.find(b"\nloop_", start) + 1
        while text[first : first + 1] in (b"l", b"_"):
            first = text.find(b"\n", first) + 1
        lines = text.count(b"\n", first)
        while text := stream.read(_CHUNK):
            lines += text.count(b"\n")
    return lines - 1  # the blank line at the end
