rule pick:
    input:
        micrographs=f"{OUT}/denoised/{{shard}}.star",
        more=session.picking_inputs(),
    output:
        f"{OUT}/picks/{{shard}}.star",
    log:
        f"{OUT}/logs/pick/{{shard}}.log",
    benchmark:
        f"{OUT}/benchmarks/pick/{{shard}}.tsv"
    conda:
        "../envs/cryopair.yaml"
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=60,
    params:
        version=VERSIONS["pick"],
        folder=subpath(output[0], parent=True),
        options=session.picking_options,
    message:
        "Picking on shard {wildcards.shard}"
    shell:
        "cryopair pick --star {input.micrographs:q} {params.options:q} --out {params.folder:q} --table {output:q}"
        " > {log:q} 2>&1"
