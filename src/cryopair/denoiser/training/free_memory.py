"""How much memory this process may still take: what the machine has, within what its job may have.

Slurm and containers limit the memory of a job by control groups; a process that goes beyond is killed without a word,
however much the machine has.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_ROOT = Path("/")


def free_memory(*, root: Path = _ROOT) -> float | None:
    """Return the bytes of memory that can be had; None where the system does not say.

    Parameters
    ----------
    root : Path
        Where ``proc`` and ``sys`` are.
    """
    of_groups = [group for group in map(_of_group, _groups(root)) if group is not None]
    return min([*_of_machine(root), *of_groups], default=None)


def _of_machine(root: Path) -> list[float]:
    try:
        lines = (root / "proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return []
    fields = dict(line.split(":", 1) for line in lines)
    return [1024.0 * int(fields["MemAvailable"].split()[0])] if "MemAvailable" in fields else []


def _groups(root: Path) -> Iterator[tuple[Path, str, str]]:
    """Give the folders of this process's control groups, with the names of the files of the limit and of what is used.

    Lines of ``/proc/self/cgroup`` are ``number:controllers:path``; those of version 2 have no controllers. Each group
    is within the limits of all above it.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            top, files = root / "sys/fs/cgroup", ("memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            top, files = root / "sys/fs/cgroup/memory", ("memory.limit_in_bytes", "memory.usage_in_bytes")
        else:
            continue
        inner = top / path.lstrip("/")
        for folder in (inner, *inner.parents):
            if folder.is_relative_to(top):
                yield folder, *files


def _of_group(group: tuple[Path, str, str]) -> float | None:
    """Return what a group may still take; files kept in memory count as used, but give way."""
    folder, limit, used = group
    try:
        most, taken = ((folder / name).read_text(encoding="ascii").strip() for name in (limit, used))
        statistics = dict(line.split() for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines())
    except OSError:
        return None
    return None if most == "max" else float(most) - float(taken) + float(statistics.get("inactive_file", 0))
