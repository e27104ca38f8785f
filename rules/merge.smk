rule merge:
    input:
        lambda wildcards: session.merged_inputs(session.with_model()),
        withdrawn=lambda wildcards: session.withdrawn(),
    output:
        session.merged_outputs(),
    log:
        f"{OUT}/logs/merge.log",
    benchmark:
        f"{OUT}/benchmarks/merge.tsv"
    conda:
        "../envs/cryopair.yaml"
    params:
        version=VERSIONS["merge"],
        output=subpath(output[0], parent=True),
        shards=lambda wildcards: session.with_model(),
        options=lambda wildcards: session.merge_options(session.with_model()),
    message:
        "Joining the tables of all shards"
    shell:
        "cryopair merge --output {params.output:q} {params.options} --shards {params.shards} > {log:q} 2>&1"
