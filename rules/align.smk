rule align:
    input:
        f"{OUT}/plan/shards/{{shard}}.star",
    output:
        f"{OUT}/motion/{{shard}}.star",
    log:
        f"{OUT}/logs/align/{{shard}}.log",
    benchmark:
        f"{OUT}/benchmarks/align/{{shard}}.tsv"
    conda:
        "../envs/cryopair.yaml"
    threads: 4
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=480,
    params:
        journal=session.journal,
        version=VERSIONS["align"],
        # RELION takes paths from jobNNN/ on for a micrograph's own, and so finds its coordinates
        folder=f"{OUT}/motion/job001",
        options=session.options.align,
    message:
        "Aligning the movies of shard {wildcards.shard}"
    shell:
        "cryopair align --star {input:q} --journal {params.journal:q} --out {params.folder:q} --table {output:q} {params.options:q}"
        " > {log:q} 2>&1"
