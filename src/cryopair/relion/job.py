"""What an External job of RELION is told and has to leave behind, in versions 3.1, 4 and 5.

RELION starts the program in the project folder as ``PROGRAM --o External/job005/ --in_mics FILE … --LABEL VALUE …
--j THREADS``. Its exit code is not looked at: the job runs until one of three empty files appears in its folder, and
the nodes that it made are read from ``RELION_OUTPUT_NODES.star``. To stop it, RELION writes ``RELION_JOB_ABORT_NOW``.
"""

from __future__ import annotations

import difflib
import os
import signal
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import CryopairError, UsageError
from ..formats.star import Table, read_star, write_star

SUCCESS, FAILURE, ABORTED = (f"RELION_JOB_EXIT_{how}" for how in ("SUCCESS", "FAILURE", "ABORTED"))
ABORT_NOW = "RELION_JOB_ABORT_NOW"
OUTPUT_NODES = "RELION_OUTPUT_NODES.star"

_INPUTS = ("in_movies", "in_mics", "in_parts", "in_coords", "in_3dref", "in_mask")
_POLL_SECONDS = 1.0
_STOP_SECONDS = 30.0


class AbortedError(CryopairError):
    """RELION asked the job to stop."""


@dataclass(frozen=True)
class NodeKind:
    """A kind of node in RELION's pipeline.

    Attributes
    ----------
    number : int
        ``rlnPipeLineNodeType``, by which RELION 3.1 knows it.
    label : str
        ``rlnPipeLineNodeTypeLabel``, by which RELION 4 and 5 know it.
    """

    number: int
    label: str


MICROGRAPHS = NodeKind(1, "MicrographsData.star.relion")
COORDINATES = NodeKind(2, "MicrographsCoords.star.relion")
PARTICLES = NodeKind(3, "ParticlesData.star.relion")


@dataclass(frozen=True)
class ExternalJob:
    """What RELION told the job.

    Attributes
    ----------
    folder : Path
        The job's folder, relative to the project.
    inputs : mapping of str to str
        ``in_mics``, ``in_coords`` and so on → file, those that were given.
    parameters : mapping of str to str or None
        The user's parameters by label; None for a label without a value.
    threads : int
        Processor cores to use.
    """

    folder: Path
    inputs: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str | None] = field(default_factory=dict)
    threads: int = 1

    @classmethod
    def parse(cls, arguments: Sequence[str]) -> ExternalJob:
        """Take apart what RELION put on the command line; a label may lack its value.

        Raises
        ------
        UsageError
            When the job's folder is missing or lies outside the project, or something is no label.
        """
        given: dict[str, str | None] = {}
        label = ""
        for word in arguments:
            if word.startswith("--"):
                label = word.removeprefix("--").replace("-", "_")
                given[label] = None
            elif label and given[label] is None:
                given[label] = word
            else:
                raise UsageError(f"'{word}' follows no label; expected --LABEL VALUE.")
        folder, threads = given.pop("o", None), given.pop("j", None) or "1"
        given.pop("pipeline_control", None)  # the job's folder again
        if not folder or Path(folder).is_absolute():
            raise UsageError("--o is missing; expected the job's folder, such as --o External/job005/.")
        if not threads.isdigit() or threads == "0":
            raise UsageError(f"--j is '{threads}'; expected a number of threads.")
        inputs = {name: value for name in _INPUTS if (value := given.pop(name, None))}
        return cls(Path(folder), inputs, given, int(threads))

    def need(self, name: str, what: str) -> str:
        """Return an input.

        Raises
        ------
        UsageError
            When it was not given.
        """
        if name not in self.inputs:
            raise UsageError(f"no --{name}: this job needs {what}.")
        return self.inputs[name]

    def check_parameters(self, known: Collection[str]) -> None:
        """Make sure that all parameters are known, since a misspelt one would do nothing.

        Raises
        ------
        UsageError
            Naming the nearest known label.
        """
        for label in self.parameters:
            if label not in known:
                near = difflib.get_close_matches(label, known, n=1, cutoff=0.5)
                hint = f"Did you mean '{near[0]}'?" if near else f"Known: {', '.join(known)}."
                raise UsageError(f"parameter '{label}' is unknown. {hint}")

    def is_on(self, label: str, *, usually: bool) -> bool:
        """Tell whether a parameter that is yes or no is on; a label without a value is.

        Raises
        ------
        UsageError
            When it is neither.
        """
        if label not in self.parameters:
            return usually
        value = (self.parameters[label] or "yes").lower()
        if value not in ("yes", "true", "1", "no", "false", "0"):
            raise UsageError(f"parameter '{label}' is '{value}'; expected yes or no.")
        return value in ("yes", "true", "1")

    @property
    def of_relion_3(self) -> bool:
        """Whether RELION 3.1 runs this job: that version numbers the types of jobs, later ones name them."""
        path = self.folder / "job.star"
        return path.is_file() and "rlnJobType" in read_star(path).get("job", Table())

    def cryopair(self, *arguments: object) -> int:
        """Run a command of cryopair and stop it, with all that it started, when RELION asks for it.

        Returns
        -------
        int
            Its exit code.

        Raises
        ------
        AbortedError
            When it was stopped.
        """
        command = [sys.executable, "-m", "cryopair", *map(str, arguments)]
        print("+ cryopair", *arguments, flush=True)
        process = subprocess.Popen(command, start_new_session=True)
        try:
            while True:
                try:
                    return process.wait(_POLL_SECONDS)
                except subprocess.TimeoutExpired:
                    if (self.folder / ABORT_NOW).exists():
                        raise AbortedError("stopped, as RELION asked") from None
        finally:
            if process.poll() is None:
                _stop(process)

    def clear(self) -> None:
        """Remove the files by which an earlier run of this job told how it ended."""
        for name in (SUCCESS, FAILURE, ABORTED, ABORT_NOW, OUTPUT_NODES):
            (self.folder / name).unlink(missing_ok=True)

    def write_nodes(self, nodes: Sequence[tuple[Path, NodeKind]]) -> None:
        """List what the job has made, with the types of nodes of RELION 3.1 as of later versions."""
        table = Table(
            {
                "rlnPipeLineNodeName": [str(path) for path, _ in nodes],
                "rlnPipeLineNodeType": [kind.number for _, kind in nodes],
                "rlnPipeLineNodeTypeLabel": [kind.label for _, kind in nodes],
            }
        )
        write_star(self.folder / OUTPUT_NODES, {"output_nodes": table})


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children: kindly, so that files are left whole and cluster jobs are cancelled, then not."""
    for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        os.killpg(process.pid, kind)
        try:
            process.wait(_STOP_SECONDS)
            return
        except subprocess.TimeoutExpired:
            continue
