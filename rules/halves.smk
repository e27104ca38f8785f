rule halves:
    input:
        lambda wildcards: f"{OUT}/{session.summable}/{wildcards.shard}.star",
    output:
        f"{OUT}/halves/{{shard}}.star",
    log:
        f"{OUT}/logs/halves/{{shard}}.log",
    benchmark:
        f"{OUT}/benchmarks/halves/{{shard}}.tsv"
    conda:
        "../envs/cryopair.yaml"
    threads: 4
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=240,
    params:
        journal=session.journal,
        version=VERSIONS["halves"],
        folder=subpath(output[0], parent=True),
        dose_weighting=(
            "--dose-weighting"
            if session.config.halves.dose_weighting
            else "--no-dose-weighting"
        ),
    message:
        "Half-sums of shard {wildcards.shard}"
    shell:
        "cryopair halves --star {input:q} --journal {params.journal:q} --out {params.folder:q} --table {output:q} {params.dose_weighting}"
        " > {log:q} 2>&1"
