rule pick:
    input:
        f"{OUT}/denoised/{{shard}}.star",
    output:
        f"{OUT}/picks/{{shard}}.star",
    params:
        version=VERSIONS["pick"],
        folder=f"{OUT}/picks",
        diameter=session.config.picking.diameter,
    log:
        f"{OUT}/logs/pick/{{shard}}.log",
    benchmark:
        f"{OUT}/benchmarks/pick/{{shard}}.tsv"
    message:
        "Picking on shard {wildcards.shard}"
    conda:
        "../envs/cryopair.yaml"
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=60,
    shell:
        "cryopair pick --star {input:q} --diameter {params.diameter} --out {params.folder:q} --table {output:q}"
        " > {log:q} 2>&1"
