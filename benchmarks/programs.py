"""The programs that are compared, run as processes of their own, with their times and peak memory."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryopair.micrographs import Micrographs, mirrored, read_micrographs, write_micrographs

TOPAZ = "CRYOPAIR_TOPAZ"
"""Environment variable with the path of the program ``topaz``; cryopair finds Topaz's weights by it, too."""

# Linux counts the memory of a process from that of the one that started it, so a small one must start them.
_LAUNCHER = """
import json, os, subprocess, sys, time
start = time.perf_counter()
process = subprocess.Popen(sys.argv[2:], stdout=2)
_, status, usage = os.wait4(process.pid, 0)
with open(sys.argv[1], "w") as stream:
    json.dump([time.perf_counter() - start, usage.ru_maxrss * 1024], stream)
sys.exit(os.waitstatus_to_exitcode(status))
"""

_OURS_EXACT = """
import sys
from pathlib import Path
from cryopair.denoiser.inference import denoise
from cryopair.denoiser.model import load_model
from cryopair.formats.mrc import read_mrc, write_mrc

network, device, out = load_model(sys.argv[1]).network, sys.argv[2], Path(sys.argv[3])
for image in map(Path, sys.argv[4:]):
    write_mrc(out / image.name, denoise(read_mrc(image), network, device=device, exact=True), pixel_size=1)
"""


@dataclass(frozen=True)
class Usage:
    """What a process took."""

    seconds: float
    peak_bytes: int


@dataclass(frozen=True)
class Program:
    """A way to denoise micrographs.

    Attributes
    ----------
    name : str
        For the table.
    kind : str
        ``topaz``, ``topaz-whole``, ``exact`` (ours in float32), ``images`` (ours, as is) or ``halves`` (ours, from
        a list with half-sums, as the workflow does by default).
    model : str
        Ours: folder or ``topaz:NAME``.
    """

    name: str
    kind: str
    model: str = ""

    def run(self, star: Path, numbers: Sequence[int], *, out: Path, device: str) -> Usage:
        """Denoise micrographs of a list, given by their row, into an empty folder."""
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        whole = read_micrographs(star)
        part = Micrographs(whole.optics, whole.table.select(numbers))
        images = [str(star.parent / name) for name in part.table["rlnMicrographName"]]
        ours = [sys.executable, "-m", "cryopair", "denoise", "--model", self.model, "--out", str(out)]
        if self.kind == "exact":
            return launch([sys.executable, "-c", _OURS_EXACT, self.model, device, str(out), *images])
        if self.kind == "images":
            return launch([*ours, "--device", device, *images])
        if self.kind == "halves":
            write_micrographs(out / "halves.star", part)
            return launch([*ours, "--device", device, "--star", str(out / "halves.star")], folder=star.parent)
        whole = ["--patch-size", "0"] if self.kind == "topaz-whole" else []
        return launch(
            [topaz(), "denoise", "--device", "-1" if device == "cpu" else "0", *whole, "-o", str(out), *images]
        )

    def result(self, image: str, out: Path) -> Path:
        """Return where the result for a micrograph of the list is."""
        return out / (f"{mirrored(image)}.mrc" if self.kind == "halves" else Path(image).name)


def launch(command: Sequence[str], *, folder: Path | None = None) -> Usage:
    """Run a command, in a folder; raise with the end of its output if it fails."""
    usage = Path(tempfile.gettempdir()) / f"cryopair-usage-{os.getpid()}.json"
    launcher = [sys.executable, "-S", "-c", _LAUNCHER, str(usage), *command]
    done = subprocess.run(launcher, cwd=folder, capture_output=True, text=True, errors="replace")
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\nended with code {done.returncode}:\n{done.stderr[-2000:]}")
    seconds, peak = json.loads(usage.read_text())
    usage.unlink()
    return Usage(seconds, peak)


def topaz() -> str | None:
    """Return the path of the program ``topaz``, or None where it is not installed."""
    return shutil.which(os.environ.get(TOPAZ, "topaz"))


def devices() -> list[str]:
    """Return the CPU, and the GPU where torch sees one."""
    import torch

    return ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


def machine() -> list[str]:
    """Describe the machine and the versions, one fact a line."""
    import torch

    lines = [f"CPU      {_cpu()}, {len(os.sched_getaffinity(0))} cores, {torch.get_num_threads()} threads"]
    if "avx512_bf16" in Path("/proc/cpuinfo").read_text():
        lines[0] += ", bfloat16"
    if torch.cuda.is_available():
        lines.append(f"GPU      {torch.cuda.get_device_name()}")
    lines.append(f"ours     Python {platform.python_version()}, torch {torch.__version__}")
    if program := topaz():
        versions = "import sys, torch, importlib.metadata as m; print(m.version('topaz-em'), torch.__version__)"
        done = subprocess.run(
            [Path(program).resolve().parent / "python3", "-c", versions], capture_output=True, text=True
        )
        found = done.stdout.split() or ["?", "?"]
        lines.append(f"Topaz    {found[0]}, torch {found[1]}")
    return lines


def machine_name() -> str:
    """Return a name for files: the processor, the number of cores, and the GPU."""
    import torch

    gpu = f" {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return re.sub(r"[^a-z0-9]+", "-", f"{_cpu()} {len(os.sched_getaffinity(0))}{gpu}".lower()).strip("-")


def _cpu() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1].strip() if found else platform.processor()
