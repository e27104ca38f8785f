"""Snakemake as a session calls it: the workflow, a profile, and this machine's cores and GPUs shared out."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from ..errors import UsageError
from ..report.live import LIVE
from .gpus import count_gpus
from .running import Running
from .workflow import PLANNED

_ON_GPU = ("train", "denoise", "measure")
"""Rules whose jobs compute on a GPU where there is one, and otherwise take all cores."""
_CORES_BESIDE_GPU = 8
"""To read and write beside a GPU; more are left to jobs that need none. Not measured."""


def workflow_folder() -> Path:
    """Return the folder with the Snakefile: inside an installed package, or the root of a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "_workflow"
    return installed if installed.is_dir() else package.parents[1]


def profile_file(name: str) -> Path:
    """Return the file of a profile: one of the workflow's own by its name, or in a folder of the user's.

    Raises
    ------
    UsageError
        When there is none of that name.
    """
    own = _own_profiles()
    for folder in (own / name, Path(name)):
        for file in (folder / "profile.yaml", folder / "config.yaml"):
            if file.is_file():
                return file
    known = ", ".join(sorted(path.name for path in own.iterdir()))
    raise UsageError(f"--profile: '{name}' is no folder with a config.yaml. There are also, by name: {known}.")


def runs_here(profile: Path) -> bool:
    """Tell whether jobs run on this machine, and not on a cluster."""
    settings = yaml.safe_load(profile.read_text(encoding="utf-8")) or {}
    return settings.get("executor", "local") == "local"


def snakemake_command(config_path: Path, cores: int | None, arguments: Sequence[str], *, profile: Path) -> list[str]:
    """Return the command that runs a pass; on all cores that this process may use if it is not said on how many."""
    cores = cores or len(os.sched_getaffinity(0))
    # --cores would also limit the cores of each job on a cluster
    limit = "--cores" if runs_here(profile) else "--local-cores"
    return [
        sys.executable,
        "-m",
        "snakemake",
        f"--snakefile={workflow_folder() / 'Snakefile'}",
        f"--workflow-profile={profile.parent}",
        f"--configfile={config_path}",
        f"{limit}={cores}",
        *(_shares(count_gpus(), cores) if profile.parent == _own_profiles() / "default" else []),
        "--nolock",  # this process holds a lock of its own, which dies with it
        *arguments,
    ]


def start(command: Sequence[str], output: Path, *, token: str, log: str = "run", live: int | None = None) -> Running:
    """Start Snakemake; its jobs find the `cryopair` command that belongs to this Python.

    Parameters
    ----------
    command : sequence of str
        Snakemake with its options.
    output : Path
        Output folder of the session.
    token : str
        Of `alone`.
    log : str
        Name of the log file.
    live : int, optional
        Seconds after which an open report reads itself again.
    """
    variables = environment() | {PLANNED: "1"} | ({LIVE: str(live)} if live else {})
    return Running(command, environment=variables, log=output / "logs" / f"{log}.log", token=token)


def environment() -> dict[str, str]:
    """Return the environment of the jobs: they find the `cryopair` command that belongs to this Python."""
    here = str(Path(sys.executable).parent)
    return {**os.environ, "PATH": f"{here}{os.pathsep}{os.environ.get('PATH', '')}"}


def _own_profiles() -> Path:
    return workflow_folder() / "workflow" / "profiles"


def _shares(gpus: int, cores: int) -> list[str]:
    """Return the options by which as many jobs as there are GPUs have one each, and leave cores to the others."""
    if not gpus:
        return []
    share = min(max(cores // (gpus + 1), 1), _CORES_BESIDE_GPU)
    return ["--resources", f"gpu={gpus}", "--set-threads", *(f"{rule}={share}" for rule in _ON_GPU)]
