rule freeze:
    input:
        lambda wildcards: ancient(
            session.tables("halves", session.training_shards(wildcards.model))
        ),
    output:
        session.manifest("{model}"),
    log:
        f"{OUT}/logs/freeze/{{model}}.log",
    benchmark:
        f"{OUT}/benchmarks/freeze/{{model}}.tsv"
    conda:
        "../envs/cryopair.yaml"
    params:
        pairs=lambda wildcards: session.training_of(wildcards.model).pairs,
        seed=session.config.training.seed,
        limits=session.options.limits("training"),
    message:
        "Choosing training set {wildcards.model}"
    shell:
        "cryopair freeze {input:q} --out {output:q} --pairs {params.pairs} --seed {params.seed}"
        " {params.limits:q} > {log:q} 2>&1"
