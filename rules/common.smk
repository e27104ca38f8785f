import os
from functools import cache
from pathlib import Path

from cryopair.session.finished import finished_file
from cryopair.session.workflow import PLANNED


@cache
def shards():
    """Return the sealed shards, once new movies have been taken in by a run that does work.

    A dry run, a summary and a job on a cluster node only look, and who started this run may have planned.
    """
    acts = (
        workflow.is_main_process
        and workflow.executor_plugin
        and not (workflow.dryrun or workflow.touch)
    )
    waiting = 0
    if acts:
        finished_file(Path(OUT)).unlink(missing_ok=True)
    try:
        if PLANNED in os.environ:
            pass
        elif acts:
            session.plan()
        elif workflow.is_main_process:
            waiting = session.unplanned()
            session.foresee()
        if session.shards():
            session.check_source()
    except CryopairError as error:
        raise WorkflowError(str(error))
    if waiting:
        logger.info(
            f"{waiting} new movies are not in a shard yet: a real run, or `cryopair plan`, takes them in."
        )
    return session.shards()
