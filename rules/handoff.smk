rule handoff:
    input:
        f"{OUT}/picks/{{shard}}.star",
    output:
        f"{OUT}/coordinates/{{shard}}.star",
    params:
        version=VERSIONS["handoff"],
        folder=f"{OUT}/coordinates",
    log:
        f"{OUT}/logs/handoff/{{shard}}.log",
    benchmark:
        f"{OUT}/benchmarks/handoff/{{shard}}.tsv"
    message:
        "Handing coordinates of shard {wildcards.shard} to the raw micrographs"
    conda:
        "../envs/cryopair.yaml"
    shell:
        "cryopair handoff --star {input:q} --out {params.folder:q} --table {output:q} > {log:q} 2>&1"
