rule handoff:
    input:
        f"{OUT}/picks/{{shard}}.star",
    output:
        f"{OUT}/coordinates/{{shard}}.star",
    log:
        f"{OUT}/logs/handoff/{{shard}}.log",
    benchmark:
        f"{OUT}/benchmarks/handoff/{{shard}}.tsv"
    conda:
        "../envs/cryopair.yaml"
    params:
        journal=session.journal,
        version=VERSIONS["handoff"],
        folder=subpath(output[0], parent=True),
        options=session.options.handoff,
    message:
        "Handing coordinates of shard {wildcards.shard} to the raw micrographs"
    shell:
        "cryopair handoff --star {input:q} --journal {params.journal:q} {params.options} --out {params.folder:q}"
        " --table {output:q} > {log:q} 2>&1"
