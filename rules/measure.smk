rule measure:
    input:
        denoised=f"{OUT}/denoised/{{shard}}.star",
        model=f"{session.model}/model.safetensors",
    output:
        table=f"{OUT}/quality/{{shard}}.csv",
        rings=f"{OUT}/quality/{{shard}}_rings.csv",
    log:
        f"{OUT}/logs/measure/{{shard}}.log",
    benchmark:
        f"{OUT}/benchmarks/measure/{{shard}}.tsv"
    conda:
        "../envs/cryopair.yaml"
    threads: 16
    resources:
        gpu=1,
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=120,
    params:
        version=VERSIONS["measure"],
        model=subpath(input.model, parent=True),
        training_set=session.measure_options,
    message:
        "Measuring shard {wildcards.shard}"
    shell:
        "cryopair measure --star {input.denoised:q} --model {params.model:q} {params.training_set:q} --out {output.table:q}"
        " > {log:q} 2>&1"
