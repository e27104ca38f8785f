rule freeze:
    input:
        lambda wildcards: ancient(session.tables("halves", session.training_shards())),
    output:
        session.manifest,
    log:
        f"{OUT}/logs/freeze/{session.training_id}.log",
    benchmark:
        f"{OUT}/benchmarks/freeze/{session.training_id}.tsv"
    conda:
        "../envs/cryopair.yaml"
    params:
        pairs=session.config.training.pairs,
        seed=session.config.training.seed,
        limits=session.limit_options("training"),
    message:
        "Choosing training set {session.training_id}"
    shell:
        "cryopair freeze {input:q} --out {output:q} --pairs {params.pairs} --seed {params.seed}"
        " {params.limits:q} > {log:q} 2>&1"
