rule extract:
    input:
        f"{OUT}/coordinates/{{shard}}.star",
    output:
        f"{OUT}/particles/{{shard}}.star",
    log:
        f"{OUT}/logs/extract/{{shard}}.log",
    benchmark:
        f"{OUT}/benchmarks/extract/{{shard}}.tsv"
    conda:
        "../envs/cryopair.yaml"
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=60,
    params:
        journal=session.journal,
        version=VERSIONS["extract"],
        folder=subpath(output[0], parent=True),
        box=session.config.extraction.box,
        options=session.options.extract,
    message:
        "Cutting particles of shard {wildcards.shard} from the raw micrographs"
    shell:
        "cryopair extract --star {input:q} --journal {params.journal:q} --box {params.box} {params.options} --threads {threads} --shard"
        " --out {params.folder:q} --table {output:q} > {log:q} 2>&1"
