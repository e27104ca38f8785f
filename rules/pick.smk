rule pick:
    input:
        micrographs=lambda wildcards: session.tables("denoised", [wildcards.shard]),
        more=lambda wildcards: session.picking_inputs(wildcards.shard),
    output:
        f"{OUT}/picks/{{shard}}.star",
    log:
        f"{OUT}/logs/pick/{{shard}}.log",
    benchmark:
        f"{OUT}/benchmarks/pick/{{shard}}.tsv"
    conda:
        f"../envs/{session.picking_environment}.yaml"
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=60,
    params:
        journal=session.journal,
        version=VERSIONS["pick"],
        folder=subpath(output[0], parent=True),
        command=lambda wildcards: session.picking_command(wildcards.shard),
    message:
        "Picking on shard {wildcards.shard}"
    shell:
        "cryopair {params.command:q} --star {input.micrographs:q} --journal {params.journal:q} --out {params.folder:q} --table {output:q}"
        " > {log:q} 2>&1"
