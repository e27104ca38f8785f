rule extract:
    input:
        f"{OUT}/coordinates/{{shard}}.star",
    output:
        f"{OUT}/particles/{{shard}}.star",
    params:
        version=VERSIONS["extract"],
        folder=f"{OUT}/particles",
        box=session.config.extraction.box,
        options=session.extraction_options,
    log:
        f"{OUT}/logs/extract/{{shard}}.log",
    benchmark:
        f"{OUT}/benchmarks/extract/{{shard}}.tsv"
    message:
        "Cutting particles of shard {wildcards.shard} from the raw micrographs"
    conda:
        "../envs/cryopair.yaml"
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=60,
    shell:
        "cryopair extract --star {input:q} --box {params.box} {params.options} --out {params.folder:q}"
        " --table {output:q} > {log:q} 2>&1"
