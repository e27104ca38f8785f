rule plan:
    log:
        f"{OUT}/logs/plan.log",
    conda:
        "../envs/cryopair.yaml"
    params:
        config=lambda wildcards: workflow.configfiles[0],
    message:
        "Taking in new movies"
    shell:
        "cryopair plan --config {params.config:q} > {log:q} 2>&1"
