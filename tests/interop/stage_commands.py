"""The command of each stage, as the workflow calls it."""

import re
import shlex

from made_up import Project


def stage_commands(project: Project) -> list[list[str]]:
    """Return the arguments of each job's command, in an order in which they can run."""
    said = project.cryopair("run", "--dry-run", "--forceall", "--printshellcmds")
    assert said.returncode == 0, said.stderr
    calls = re.findall(r"^Shell command: cryopair (.+?) > ", said.stdout + said.stderr, re.MULTILINE)
    return [shlex.split(call) for call in calls]
