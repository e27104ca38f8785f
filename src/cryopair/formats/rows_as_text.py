"""Tables joined by their text: rows are copied from file to file by where they lie, and not read into values.

A session's particles and spectra are millions of rows. Of each file only the place of every micrograph's rows is kept.
"""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..errors import BadFileError
from .star import Table, parse_star, read_star

_TOKEN = re.compile(rb'"[^"]*"|\S+')


@dataclass(frozen=True)
class RowsAsText:
    """Where the rows of a table lie in its file.

    Attributes
    ----------
    path : Path
        The file.
    columns : tuple of str
        Labels, in order.
    spans : dict of str to list of tuple of int
        For each micrograph, where its rows start and end in the file, in bytes: one span for rows that follow each
        other.
    """

    path: Path
    columns: tuple[str, ...]
    spans: dict[str, list[tuple[int, int]]]


def csv_rows(path: Path) -> RowsAsText:
    """Find the rows of each micrograph in a CSV file, whose first column is the micrograph."""
    text = path.read_bytes()
    first = text.find(b"\n") + 1
    columns = tuple(text[:first].decode().rstrip("\n").split(","))
    return RowsAsText(path, columns, _spans(text, first, len(text), _first_of_csv))


def star_rows(path: Path, block: str, label: str) -> tuple[RowsAsText | None, dict[str, Table]]:
    """Find the rows of each micrograph in one block of a file that `write_star` wrote, and read the other blocks.

    Parameters
    ----------
    path : Path
        The file.
    block : str
        Name of the block.
    label : str
        Its column with the micrograph.

    Returns
    -------
    RowsAsText or None
        Where the rows are; None if there is no such block.
    dict of str to Table
        The other blocks.

    Raises
    ------
    BadFileError
        When the file is missing, or `write_star` has not written it.
    """
    text = path.read_bytes() if path.is_file() else b""
    start = text.find(b"\ndata_%s\n" % block.encode())
    if start < 0:
        return None, read_star(path)
    first = text.find(b"\nloop_", start) + 1
    labels = []
    while text[first : first + 1] in (b"l", b"_"):
        end = text.find(b"\n", first) + 1
        labels.append(text[first:end].split()[0].decode().removeprefix("_"))
        first = end
    columns = tuple(labels[1:])  # without loop_
    end = text.find(b"\n \n", first - 1) + 1
    if not end or label not in columns:
        raise BadFileError(
            path, f"its block data_{block} does not end, or lacks _{label}", fix="Delete it to make it anew."
        )
    place = columns.index(label)

    def micrograph(row: bytes) -> str:
        if b'"' in row:
            return _TOKEN.findall(row)[place].strip(b'"').decode()
        return row.split(None, place + 1)[place].decode()

    others = parse_star((text[:start] + text[end:]).decode(), path)
    return RowsAsText(path, columns, _spans(text, first, end, micrograph)), others


def copy_rows(target: BinaryIO, micrographs: Iterable[str], tables: Mapping[str, RowsAsText]) -> None:
    """Copy the rows of micrographs, in their order.

    Parameters
    ----------
    target : binary stream
        Where to write.
    micrographs : iterable of str
        Their names.
    tables : mapping of str to RowsAsText
        For each micrograph, the table that its rows are taken from.
    """
    for path, names in itertools.groupby(micrographs, key=lambda name: tables[name].path):
        with path.open("rb") as source:
            for start, end in _joined(span for name in names for span in tables[name].spans[name]):
                source.seek(start)
                target.write(source.read(end - start))


def _joined(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Give spans, those that follow each other as one."""
    since, until = 0, 0
    for start, end in spans:
        if start != until:
            if until > since:
                yield since, until
            since = start
        until = end
    if until > since:
        yield since, until


def _first_of_csv(row: bytes) -> str:
    if row.startswith(b'"'):
        return next(csv.reader([row.decode()]))[0]
    return row.partition(b",")[0].decode()


def _spans(text: bytes, start: int, end: int, micrograph: Callable[[bytes], str]) -> dict[str, list[tuple[int, int]]]:
    """Return where the rows of each micrograph lie between two places of a text."""
    spans: dict[str, list[tuple[int, int]]] = {}
    current, since = None, start
    while start < end:
        after = text.find(b"\n", start, end) + 1 or end
        name = micrograph(text[start:after])
        if name != current:
            if current is not None:
                spans.setdefault(current, []).append((since, start))
            current, since = name, start
        start = after
    if current is not None:
        spans.setdefault(current, []).append((since, end))
    return spans
