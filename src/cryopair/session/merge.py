"""The stage ``merge``: the shards' tables joined into one of each, for RELION and for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import CryopairError
from ..formats.atomic import atomic_path, write_text
from ..formats.rows_as_text import RowsAsText, copy_rows, csv_rows, star_rows
from ..formats.star import Table, block_text, write_star
from ..micrographs import Micrographs, join_optics, natural_order, read_list, read_micrographs
from ..particles.handoff import write_coordinate_files, write_coords_suffix
from ..quality.drift import format_drift, session_drift
from ..quality.outliers import format_outliers, session_outliers
from ..quality.selection import select
from ..quality.tables import read_table
from .findings import Findings
from .models import Models, stage_table
from .plan import shard_file
from .versions import VERSIONS
from .withdrawn import withdrawn


class Shards:
    """The sealed shards of a session, and which of them each micrograph belongs to.

    A movie that was replaced is in several shards; the last one counts. One that the source lists no longer is in none,
    and counts as failed. What is joined is sorted by the micrographs' names, so that it does not depend on when they
    came in and in which shards.

    Parameters
    ----------
    output : Path
        Output folder of the session.
    names : sequence of str
        Shards to merge, in order.

    Attributes
    ----------
    findings : Findings
        What earlier merges found in the shards' tables.
    """

    def __init__(self, output: Path, names: Sequence[str]) -> None:
        self.output = output
        self.names = list(names)
        self.findings = Findings(output / "plan" / "merged.json", version=VERSIONS["merge"])
        self._models = Models.read(output)
        self._owner: dict[str, str] = {}
        for name in self.names:
            for micrograph in self._sealed(name):
                self._owner[micrograph] = name
        self._withdrawn = withdrawn(output)
        for micrograph in self._withdrawn["rlnMicrographName"]:
            self._owner.pop(micrograph, None)
        self._place = {name: place for place, name in enumerate(sorted(self._owner, key=natural_order))}

    def _sealed(self, shard: str) -> list[str]:
        """Return the micrographs of a shard."""
        path = shard_file(self.output, shard)
        names: list[str] = self.findings.of("sealed", [path], lambda: read_list(path).table["rlnMicrographName"])
        return names

    def __len__(self) -> int:
        return len(self._owner)

    def owns(self, shard: str, micrograph: str) -> bool:
        """Tell whether `shard` is the last one that holds a micrograph."""
        return self._owner.get(micrograph) == shard

    def own(self, shard: str, table: Table) -> Table:
        """Return the rows of a table of `shard` whose micrograph was not replaced later."""
        return table.select(i for i, name in enumerate(table["rlnMicrographName"]) if self.owns(shard, name))

    def micrographs(self, stage: str, *, waiting: Sequence[str] = ()) -> Micrographs:
        """Join the lists ``<stage>/<shard>.star`` of all shards; of those that wait for the stage, only what failed."""
        parts = {shard: read_micrographs(self.last_list(stage, shard, waiting)) for shard in self.names}
        return Micrographs(
            optics=_sorted_optics([part.optics for part in parts.values()]),
            table=self.join({shard: part.table for shard, part in parts.items() if shard not in waiting}),
            failed=self.join_failed({shard: part.failed for shard, part in parts.items()}),
        )

    def join(self, tables: Mapping[str, Table]) -> Table:
        """Stack the shards' tables, without what was replaced later, sorted by micrograph."""
        table = self._own_rows(tables)
        names = table["rlnMicrographName"] if len(table) else []
        return table.select(sorted(range(len(table)), key=lambda row: self._place[names[row]]))

    def join_failed(self, tables: Mapping[str, Table]) -> Table:
        """Stack the shards' tables of failures, with what is no longer listed, sorted by micrograph."""
        table = Table.concatenate([self._own_rows(tables), self._withdrawn])
        names = table["rlnMicrographName"] if len(table) else []
        return table.select(sorted(range(len(table)), key=lambda row: natural_order(names[row])))

    def rows(self, tables: Mapping[str, RowsAsText]) -> dict[str, RowsAsText]:
        """Return which shard's table each micrograph has its rows in, sorted by micrograph."""
        found = {name: table for shard, table in tables.items() for name in table.spans if self.owns(shard, name)}
        return {name: found[name] for name in sorted(found, key=self._place.__getitem__)}

    def _own_rows(self, tables: Mapping[str, Table]) -> Table:
        return Table.concatenate([self.own(shard, part) for shard, part in tables.items()])

    def file(self, stage: str, shard: str) -> Path:
        """Return the table of a shard after a stage."""
        return stage_table(self.output, self._models, stage, shard)

    def last_list(self, stage: str, shard: str, waiting: Sequence[str]) -> Path:
        """Return the list of a shard after a stage, or after denoising if it waits for that stage."""
        return self.file("denoised" if shard in waiting else stage, shard)


def merge_shards(
    output: Path,
    names: Sequence[str],
    *,
    picked: bool,
    extracted: bool,
    waiting: Sequence[str] = (),
    limits: Mapping[str, str | float] | None = None,
) -> Micrographs:
    """Write the joined tables of all shards into the output folder.

    ``halves.star``, ``denoised_micrographs.star``, ``quality.csv``, ``quality_rings.csv``, ``outliers.csv``,
    ``drift.csv``, ``excluded.star`` and ``failed.star`` always; ``coordinates.star`` (RELION 4, 5) and
    ``coordinates/coords_suffix_<picker>.star`` (RELION 3.1) if `picked`; ``particles.star`` if `extracted`. What an
    earlier run made beyond that is removed.

    Parameters
    ----------
    output : Path
        Output folder of the session.
    names : sequence of str
        Shards, in order.
    picked, extracted : bool
        How far the session goes.
    waiting : sequence of str
        Shards that are denoised, but wait for coordinates made elsewhere.
    limits : mapping of str to float, optional
        Beyond which micrographs are kept out of training, picking or extraction; see `quality.selection`.

    Returns
    -------
    Micrographs
        Those that came through the last stage, and all that failed.

    Raises
    ------
    CryopairError
        When nothing was picked or extracted in the whole session.
    """
    for name, wanted in (("coordinates.star", picked), ("particles.star", extracted)):
        if not wanted:
            (output / name).unlink(missing_ok=True)
    shards = Shards(output, names)
    halves, denoised = shards.micrographs("halves"), shards.micrographs("denoised")
    write_star(output / "halves.star", {"optics": halves.optics, "micrographs": halves.table})
    write_star(
        output / "denoised_micrographs.star", {"optics": denoised.optics, "micrographs": as_seen(denoised.table)}
    )
    for table in ("", "_rings"):
        _join_csv(shards, table)
    _list_unusual(output, halves, limits or {})
    measured_in = {name: shards.file("quality", name) for name in names}
    write_text(
        output / "drift.csv",
        format_drift(session_drift(output, measured_in, findings=partial(shards.findings.of, "figures"))),
    )
    last = denoised
    if picked:
        last = shards.micrographs("coordinates", waiting=waiting)
        if not sum(last.table.ints("cryopairPickCount")):
            raise CryopairError(
                f"no particle was picked on any of {len(last.table)} micrographs. Is 'picking.diameter' right, in Å? "
                "Look at the denoised micrographs. If you gave the coordinates: all their files are empty, or "
                "'picking.min_score' is too high."
            )
        write_coordinate_files(output / "coordinates.star", last)
        write_coords_suffix(output / "coordinates", output / "halves.star", picker=last.table["cryopairPicker"][0])
    if extracted:
        last = _join_particles(shards, last, waiting)
    write_star(output / "failed.star", {"failed": last.failed})
    shards.findings.keep()
    return last


def _list_unusual(output: Path, halves: Micrographs, limits: Mapping[str, str | float]) -> None:
    """Write which micrographs are kept out, and which are unlike the others."""
    _, excluded = select(halves, limits)
    write_star(output / "excluded.star", {"excluded": excluded})
    outliers = session_outliers(halves.table, read_table(output / "quality.csv"))
    write_text(output / "outliers.csv", format_outliers(outliers))


def as_seen(table: Table) -> Table:
    """Return denoised micrographs as RELION shall display them and pick on them.

    ``rlnMicrographName`` is the denoised image; the raw one is kept in ``cryopairMicrographNameRaw``.
    """
    raw = table["rlnMicrographName"]
    seen = table.without("rlnMicrographNameDenoised", "rlnMicrographNameNoDW")
    seen["rlnMicrographName"] = table["rlnMicrographNameDenoised"]
    seen["cryopairMicrographNameRaw"] = raw
    return seen


def _join_particles(shards: Shards, picked: Micrographs, waiting: Sequence[str]) -> Micrographs:
    tables: list[RowsAsText] = []
    others: dict[str, dict[str, Table]] = {}
    for name in shards.names:
        file = shards.last_list("particles", name, waiting)
        table, others[name] = _particles_of(shards, file)
        tables += [table] if table else []
    losses = shards.join_failed({name: blocks["failed"] for name, blocks in others.items() if "failed" in blocks})
    optics = _sorted_optics([blocks["optics"] for name, blocks in others.items() if name not in waiting])
    columns = Table.concatenate([Table({label: [] for label in table.columns}) for table in tables])
    rows = shards.rows({table.path.stem: table for table in tables})
    if not rows:
        raise CryopairError(
            f"not one particle is left to extract: all picks on {len(picked.table)} micrographs were dropped "
            "(coordinates/*.star counts why), or all micrographs failed (failed.star)."
        )
    head, end = block_text("optics", optics), " \n"
    head += block_text("particles", columns).removesuffix(end)
    _write_rows(shards.output / "particles.star", head, rows, end=end)
    lost = set(losses["rlnMicrographName"])
    kept = [i for i, name in enumerate(picked.table["rlnMicrographName"]) if name not in lost]
    return Micrographs(picked.optics, picked.table.select(kept), losses)


def _join_csv(shards: Shards, suffix: str) -> None:
    tables = {}
    for shard in shards.names:
        path = shards.file("quality", shard)
        tables[shard] = _csv_rows(shards, path.with_name(f"{path.stem}{suffix}.csv"))
    headers = [",".join(table.columns) for table in tables.values()]
    longest = max(headers, key=len, default="micrograph")  # a shard of which nothing was measured has no other columns
    _write_rows(shards.output / f"quality{suffix}.csv", f"{longest}\n", shards.rows(tables))


def _csv_rows(shards: Shards, path: Path) -> RowsAsText:
    return _rows(path, shards.findings.of("rows", [path], lambda: _places(csv_rows(path))))


def _particles_of(shards: Shards, path: Path) -> tuple[RowsAsText | None, dict[str, Table]]:
    """Return where the particles of a shard are, and the other blocks of their file."""

    def find() -> dict[str, object]:
        table, others = star_rows(path, "particles", "rlnMicrographName")
        columns = {name: {label: block[label] for label in block.labels} for name, block in others.items()}
        return {"particles": _places(table) if table else None, "others": columns}

    found = shards.findings.of("rows", [path], find)
    others = {name: Table(columns) for name, columns in found["others"].items()}
    return _rows(path, found["particles"]) if found["particles"] else None, others


def _rows(path: Path, places: Mapping[str, Any]) -> RowsAsText:
    return RowsAsText(path, tuple(places["columns"]), places["spans"])


def _places(table: RowsAsText) -> dict[str, object]:
    return {"columns": table.columns, "spans": table.spans}


def _write_rows(path: Path, head: str, rows: Mapping[str, RowsAsText], *, end: str = "") -> None:
    """Write a table whose rows are copied, micrograph by micrograph."""
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        stream.write(head.encode())
        copy_rows(stream, rows, rows)
        stream.write(end.encode())


def _sorted_optics(tables: Sequence[Table]) -> Table:
    optics = join_optics(tables)
    return optics.select(sorted(range(len(optics)), key=lambda row: int(float(optics["rlnOpticsGroup"][row]))))
