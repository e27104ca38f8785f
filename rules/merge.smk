rule merge:
    input:
        lambda wildcards: session.merged_inputs(shards()),
    output:
        session.merged_outputs(),
    params:
        version=VERSIONS["merge"],
        output=OUT,
        shards=lambda wildcards: shards(),
        options=session.merge_options,
    log:
        f"{OUT}/logs/merge.log",
    benchmark:
        f"{OUT}/benchmarks/merge.tsv"
    message:
        "Joining the tables of all shards"
    conda:
        "../envs/cryopair.yaml"
    shell:
        "cryopair merge --output {params.output:q} {params.options} --shards {params.shards} > {log:q} 2>&1"
