"""cryopair: movies to even/odd half-sums, a Noise2Noise denoiser, picks, and raw particles.

Run it by `cryopair run`, or with `snakemake` and a profile of workflow/profiles. The working directory is
the RELION project.
"""

import os
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

from cryopair.errors import CryopairError
from cryopair.session.finished import Finished
from cryopair.session.versions import VERSIONS
from cryopair.session.workflow import PLANNED, Session

min_version("9.0")


configfile: "config/config.yaml"


# A prefix of `module` moves the output folder, and not the movies or a model that lie outside: all paths come from OUT.
prefix, workflow.modifier.path_modifier.prefix = (
    workflow.modifier.path_modifier.prefix or "",
    None,
)

try:
    session = Session.parse(
        {**config, "output": prefix + config.get("output", "cryopair")}
    )
except CryopairError as error:
    raise WorkflowError(str(error))

OUT = session.output

# Shards that are as the last pass left them get no jobs, so that a long session's graph stays small; their tables are
# files like any other. Whoever starts Snakemake by itself may ask for anything, and has all shards looked at.
finished = (
    Finished(session, Path(workflow.basedir)).shards() if PLANNED in os.environ else []
)


wildcard_constraints:
    shard=rf"(?!{'|'.join(finished)})\d{{6}}" if finished else r"\d{6}",
    model=r"[^/]+",


localrules:
    all,
    plan,
    freeze,
    handoff,
    merge,


include: "rules/common.smk"
include: "rules/plan.smk"
include: "rules/align.smk"
include: "rules/halves.smk"
include: "rules/freeze.smk"
include: "rules/train.smk"
include: "rules/denoise.smk"
include: "rules/measure.smk"
include: "rules/templates.smk"
include: "rules/pick.smk"
include: "rules/handoff.smk"
include: "rules/extract.smk"
include: "rules/merge.smk"
include: "rules/report.smk"


rule all:
    default_target: True
    input:
        lambda wildcards: session.targets(shards()),
