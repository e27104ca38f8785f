"""A real Slurm cluster of one node: this machine. Its daemons are children of the tests and end with them."""

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

CONFIGURATION = Path("/etc/slurm/slurm.conf")  # job steps look here and nowhere else
GPUS = CONFIGURATION.with_name("gres.conf")
MARK = "# Written by cryopair's tests."
MUNGE = ("/run/munge", "/etc/munge", "/var/log/munge", "/var/lib/munge")


@contextmanager
def one_node_cluster(folder: Path) -> Iterator[None]:
    """Run munged, slurmctld and slurmd. There is no accounting, and a node that says it has 16 cores and a GPU."""
    programs = ("slurmctld", "slurmd", "munged", "srun", "runuser")
    missing = [program for program in programs if shutil.which(program) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"Slurm cannot be started: {', '.join(missing) or 'not root'}. Run .ci/install, as root.")
    if CONFIGURATION.exists() and not CONFIGURATION.read_text().startswith(MARK):
        pytest.skip(f"this machine belongs to a Slurm cluster of its own: {CONFIGURATION}")
    node = socket.gethostname().split(".")[0]
    CONFIGURATION.write_text(
        f"""{MARK}
ClusterName=test
SlurmctldHost={node}(127.0.0.1)
SlurmctldPort={free_port()}
SlurmdPort={free_port()}
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ReturnToService=2
MinJobAge=3600
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName={node} NodeAddr=127.0.0.1 CPUs=16 RealMemory=64000 Gres=gpu:1
PartitionName=all Nodes=ALL Default=YES
"""
    )
    GPUS.write_text(f"{MARK}\nName=gpu File=/dev/null\n")
    try:
        with ExitStack() as daemons:
            start_munge(folder, daemons)
            daemons.enter_context(daemon(["slurmctld", "-D"], folder / "slurmctld.log"))
            daemons.enter_context(daemon(["slurmd", "-D"], folder / "slurmd.log"))
            wait_until_it_answers(["srun", "--immediate=5", "true"], folder)
            yield
            subprocess.run(["scancel", "--full", "--user=root"], check=False)
    finally:
        CONFIGURATION.unlink()
        GPUS.unlink()


def start_munge(folder: Path, daemons: ExitStack) -> None:
    """Start munged, unless there is one."""
    if subprocess.run(["munge", "-n"], capture_output=True, check=False).returncode == 0:
        return
    key = Path("/etc/munge/munge.key")
    if not key.exists():
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        shutil.chown(key, "munge", "munge")
    for place in MUNGE:
        Path(place).mkdir(exist_ok=True)
        shutil.chown(place, "munge", "munge")
    Path("/run/munge").chmod(0o755)
    command = ["runuser", "-u", "munge", "--", "munged", "--foreground", "--force"]
    daemons.enter_context(daemon(command, folder / "munged.log"))
    wait_until_it_answers(["munge", "-n"], folder)


@contextmanager
def daemon(command: list[str], log: Path) -> Iterator[None]:
    with log.open("w") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_it_answers(command: list[str], folder: Path) -> None:
    deadline = time.monotonic() + 120
    while subprocess.run(command, capture_output=True, check=False, timeout=60).returncode:
        logs = {path.name: path.read_text()[-2000:] for path in folder.glob("*.log")}
        assert time.monotonic() < deadline, f"{command} does not answer: {logs}"
        time.sleep(0.5)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
