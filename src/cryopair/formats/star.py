"""STAR tables as RELION writes and reads them.

A file is an ordered mapping of block name to `Table`. Values stay the strings that were read, so a
column that nobody changed is written back exactly as it came. RELION's writer is followed to the
column width (``metadata_table.cpp``), with two differences: no date, so that equal tables are equal
bytes, and no values RELION could not read back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

import gemmi
import numpy as np
import numpy.typing as npt

from ..errors import BadFileError, CryopairError
from .atomic import write_text

_PLAIN = re.compile(r"(?!data_|loop_|save_|stop_|global_)[^\s_#$'\"\[\];]\S*", re.IGNORECASE)
"""Values that are written as they are; also not a single . or ?, which stand for missing ones."""
_MARKED = frozenset("'\";.?")
"""How values start that may mean something else than their text: quoted ones, and those that are missing."""


class Table:
    """One STAR block: named columns of equal length, in order.

    Parameters
    ----------
    columns : mapping of str to sequence, optional
        Label without the leading underscore → values. Numbers are formatted as RELION does.

    Raises
    ------
    ValueError
        When the columns differ in length.
    """

    def __init__(self, columns: Mapping[str, Sequence[object] | npt.NDArray] | None = None) -> None:
        self._columns: dict[str, list[str]] = {}
        for label, values in (columns or {}).items():
            self[label] = values

    @property
    def labels(self) -> list[str]:
        """Column labels, in order, without the leading underscore."""
        return list(self._columns)

    def __len__(self) -> int:
        return len(next(iter(self._columns.values()), []))

    def __contains__(self, label: object) -> bool:
        return label in self._columns

    def __getitem__(self, label: str) -> list[str]:
        return self._columns[label]

    def __setitem__(self, label: str, values: Sequence[object] | npt.NDArray) -> None:
        """Set a column (in place if it exists, else as the last), formatting numbers."""
        column = [format_value(value) for value in values]
        others = [other for other in self._columns if other != label]
        if others and len(column) != len(self):
            raise ValueError(f"column {label} has {len(column)} values, the table has {len(self)} rows")
        self._columns[label] = column

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Table) and list(self._columns.items()) == list(other._columns.items())

    def __repr__(self) -> str:
        return f"Table({len(self)} rows: {', '.join(self.labels)})"

    def floats(self, label: str) -> npt.NDArray[np.float64]:
        """Return column `label` as numbers, shape ``(rows,)``."""
        return np.array(self[label], dtype=np.float64)

    def ints(self, label: str) -> npt.NDArray[np.int64]:
        """Return column `label` as whole numbers, shape ``(rows,)``; ``3.000000`` counts as 3."""
        return self.floats(label).astype(np.int64)

    def rows(self) -> Iterator[dict[str, str]]:
        """Iterate over the rows as label → value."""
        for values in zip(*self._columns.values(), strict=True):
            yield dict(zip(self._columns, values, strict=True))

    def row(self, index: int) -> dict[str, str]:
        """Return one row as label → value."""
        return {label: column[index] for label, column in self._columns.items()}

    def select(self, indices: Iterable[int]) -> Table:
        """Return a new table with the rows of `indices`, in that order."""
        chosen = list(indices)
        return Table._of({label: [column[i] for i in chosen] for label, column in self._columns.items()})

    def without(self, *labels: str) -> Table:
        """Return a new table that lacks the columns `labels`."""
        return Table._of({label: list(column) for label, column in self._columns.items() if label not in labels})

    @classmethod
    def from_rows(cls, rows: Sequence[Mapping[str, object]], labels: Sequence[str] = ()) -> Table:
        """Make a table of rows with equal keys; `labels` gives the columns when there are no rows."""
        if not rows:
            return cls({label: [] for label in labels})
        return cls({label: [row[label] for row in rows] for label in (labels or rows[0])})

    @classmethod
    def concatenate(cls, tables: Sequence[Table]) -> Table:
        """Stack tables of equal labels; tables without any column are skipped.

        Raises
        ------
        CryopairError
            When the labels differ, naming those that are not in all tables.
        """
        tables = [table for table in tables if table.labels]
        if not tables:
            return cls()
        first = tables[0].labels
        for table in tables[1:]:
            if table.labels != first:
                odd = sorted(set(first) ^ set(table.labels)) or ["(same columns, other order)"]
                raise CryopairError(f"tables with different columns cannot be joined: {', '.join(odd)}")
        return cls._of({label: [v for table in tables for v in table[label]] for label in first})

    @classmethod
    def _of(cls, columns: dict[str, list[str]]) -> Table:
        """Make a table of columns of equal length whose values are formatted: most of a long session's time."""
        table = cls()
        table._columns = columns
        return table


def format_value(value: object) -> str:
    """Format as RELION does: strings as they are, whole numbers plainly, floats with six decimals.

    Floats below 0.001 or above 100,000 in size are written with an exponent (``metadata_container``:
    ``%12.6f`` or ``%12.6e``), and keep six significant decimals at least.

    Raises
    ------
    CryopairError
        For NaN and infinity, which RELION cannot read.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return str(int(value))
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float | np.floating):
        number = float(value)
        if not np.isfinite(number):
            raise CryopairError(f"{number} cannot be written to a STAR file")
        if number != 0 and (abs(number) < 1e-3 or abs(number) > 1e5):
            return f"{number:.6e}"
        return f"{number:.6f}"
    return str(value)


def read_star(path: str | Path) -> dict[str, Table]:
    """Read all blocks of a STAR file.

    A list block (``_label value``) becomes a table of one row; the nameless block ``data_`` has the
    name ``""``.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    dict of str to Table
        Block name without ``data_`` → table, in file order.

    Raises
    ------
    BadFileError
        When the file is missing or is not STAR.
    """
    path = Path(path)
    if not path.is_file():
        raise BadFileError(path, "no such file", expected="a STAR file")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadFileError(path, f"is not a STAR file ({error})") from None
    return parse_star(text, path)


def parse_star(text: str, path: Path) -> dict[str, Table]:
    """Read all blocks of a STAR file, or of a part of it, from its text; `path` is for messages."""
    try:
        return {block.name.strip(): _read_block(block) for block in gemmi.cif.read_string(text)}
    except (ValueError, RuntimeError) as error:
        raise BadFileError(path, f"is not a STAR file ({error})") from None


def _read_block(block: gemmi.cif.Block) -> Table:
    columns: dict[str, list[str]] = {}
    for item in block:
        if item.pair is not None:
            label, value = cast(tuple[str, str], item.pair)
            columns[label.removeprefix("_")] = [gemmi.cif.as_string(value)]
        elif item.loop is not None:
            values = [gemmi.cif.as_string(v) if v[0] in _MARKED else v for v in item.loop.values]
            width = len(item.loop.tags)
            for column, label in enumerate(item.loop.tags):
                columns[label.removeprefix("_")] = values[column::width]
    if len(set(map(len, columns.values()))) > 1:
        raise ValueError(f"block data_{block.name} has columns of different lengths")
    return Table._of(columns)


def require(path: str | Path, blocks: Mapping[str, Table], block: str, *labels: str, fix: str = "") -> Table:
    """Return `block` of a file that was read, after checking that it has the columns `labels`.

    Raises
    ------
    BadFileError
        Naming what is missing.
    """
    if block not in blocks:
        found = ", ".join(f"data_{name}" for name in blocks) or "none"
        raise BadFileError(
            path, f"has no block data_{block} (blocks: {found})", expected=f"a data_{block} block", fix=fix
        )
    missing = [label for label in labels if label not in blocks[block]]
    if missing:
        raise BadFileError(path, f"block data_{block} lacks {', '.join('_' + m for m in missing)}", fix=fix)
    return blocks[block]


def write_star(path: str | Path, blocks: Mapping[str, Table], *, lists: Sequence[str] = ()) -> None:
    """Write blocks as RELION 3.1 and later do, whole or not at all.

    Parameters
    ----------
    path : str or Path
        The file.
    blocks : mapping of str to Table
        Written in this order. A table without columns is left out, as RELION does; one with columns
        but no rows is written with its labels.
    lists : sequence of str
        Names of one-row blocks to write in list form (``_label value``).
    """
    write_text(
        path,
        "".join(block_text(name, table, as_list=name in lists) for name, table in blocks.items() if table.labels),
    )


def block_text(name: str, table: Table, *, as_list: bool = False) -> str:
    """Return a block as `write_star` writes it."""
    lines = ["", "# version 30001", "", f"data_{name}", ""]
    if as_list:
        lines += [f"_{label:<41} {_quoted(value):>12}" for label, value in table.row(0).items()]
    else:
        lines.append("loop_ ")
        lines += [f"_{label} #{number} " for number, label in enumerate(table.labels, start=1)]
        columns = [[f"{_quoted(value):>12}" for value in table[label]] for label in table.labels]
        lines += [" ".join(values) + " " for values in zip(*columns, strict=True)]
    return "\n".join([*lines, " ", ""])


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value) and value not in (".", "?"):
        return value
    if '"' in value or "\n" in value:
        raise CryopairError(f"{value!r} cannot be written to a STAR file that RELION reads")
    return f'"{value}"'
